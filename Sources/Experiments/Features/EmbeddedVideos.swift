import CLIPModel
import Files
import Methods
import VideoData
import WeightFiles

/// Videos with what the vision tower made of each: the mean of its frames' features, as the feature cache has it.
package struct EmbeddedVideos {
    /// As the collection names them.
    package let clips: [AnnotatedClip]
    /// Counted from 0; nil where the videos have no classes.
    package let labels: [Int]?
    package let classNames: [String]?
    package let vectors: HeadFeatures
    package let source: FeatureSource
    /// Videos that could not be read.
    package let unreadable: [BadVideo]

    /// - Throws: what reading videos throws; `EvaluationStopped` after a signal.
    package init(_ collection: VideoCollection, pass: FeaturePass) throws {
        let features = try pass.features(of: collection.list, title: "features")
        clips = features.clips.map { collection.list.clips[$0] }
        let isLabeled = collection.classes != nil || collection.listSHA256 != nil
        labels = isLabeled ? features.labels : nil
        classNames = collection.classes?.names
        vectors = features.vectors
        unreadable = features.unreadable
        source = pass.source
    }

    /// Paths, with the times of parts behind them.
    package var names: [String] { clips.map(\.name) }

    /// Writes a NumPy archive durably. Returns its SHA-256.
    ///
    /// It holds `names`, `labels` and `class_names` where there are any, `embeddings` `[videos, width]` and `unprojected`
    /// `[videos, inner width]`, neither normalized, and `header`, a JSON text that says what they were made with.
    package func write(to path: String) throws -> String {
        let (count, width) = (vectors.projected.rowCount, vectors.projected.columnCount)
        var arrays: [(String, NumpyArray)] = [
            ("names", .texts(names)), ("embeddings", .floats(shape: [count, width], values: vectors.projected.values)),
        ]
        if let unprojected = vectors.unprojected {
            arrays.append(("unprojected", .floats(shape: [count, unprojected.columnCount], values: unprojected.values)))
        }
        if let labels { arrays.append(("labels", .integers(labels))) }
        if let classNames { arrays.append(("class_names", .texts(classNames))) }
        let backbone = source.backbone
        let header: [String: JSONValue] = [
            "backbone_name": .text(backbone.description.name), "backbone_sha256": .text(backbone.digest), "frames": .number("\(source.frameCount)"),
            "precision": .text(source.space().precision), "tool_version": .text(vifiPromptVersion),
        ]
        arrays.append(("header", .text(JSONValue.object(header).serialized)))
        return try NumpyArchiveWriter.write(arrays, to: path)
    }
}
