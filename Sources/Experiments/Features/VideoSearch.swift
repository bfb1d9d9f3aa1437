import CLIPModel
import Evaluation
import Foundation
import Tensors
import VideoData

/// Videos, or windows of them, by how near they are to a text or to another video.
package struct VideoSearch {
    /// A place that was looked at. Keys as `--json` prints them.
    package struct Hit: Codable, Sendable {
        /// From 1.
        package var rank: Int
        package let video: String
        /// In seconds from the video's start; nil for whole videos.
        package let start: Double?
        package let end: Double?
        /// Cosine of the mean of the frames' features to what is looked for.
        package let cosine: Float
    }

    /// The nearest first.
    package let hits: [Hit]

    /// What is looked for.
    package enum Query {
        case text(String)
        case video(String)
    }

    /// - Parameters:
    ///   - spans: of windows; nil for whole videos.
    ///   - tokenizer: of the backbone.
    /// - Throws: what reading videos throws, `TokenizerError` for a text without words; `EvaluationStopped` after a signal.
    package init(
        _ query: Query, in collection: VideoCollection, spans: (window: VideoSpan, stride: VideoSpan)?, source: FeatureSource,
        tokenizer: any Tokenizer
    ) throws {
        let wanted = try Self.unit(query, source: source, tokenizer: tokenizer)
        var hits: [Hit] = []
        func add(_ video: String, _ mean: [Float], start: Double? = nil, end: Double? = nil) {
            let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let cosine = zip(mean, wanted).reduce(Float(0)) { $0 + $1.0 * $1.1 } / max(length, .leastNormalMagnitude)
            hits.append(Hit(rank: 0, video: video, start: start, end: end, cosine: cosine))
        }
        if let spans {
            let windows = try WindowFeatures(source, spans: spans).windows(of: collection.list, title: "search")
            for (clip, windows) in zip(collection.list.clips, windows) {
                for window in windows { add(clip.path, window.mean, start: window.start, end: window.end) }
            }
        } else {
            let embedded = try EmbeddedVideos(collection, source: source)
            for bad in embedded.unreadable { source.context.warning("not used: \(bad.reason)") }
            for (row, name) in embedded.names.enumerated() { add(name, embedded.vectors.projected.row(row).values) }
        }
        // Equals stay in the order of the videos.
        let order = hits.indices.sorted { (hits[$1].cosine, $0) < (hits[$0].cosine, $1) }
        self.hits = order.enumerated().map { place, index in
            var hit = hits[index]
            hit.rank = place + 1
            return hit
        }
    }

    private static func unit(_ query: Query, source: FeatureSource, tokenizer: any Tokenizer) throws -> [Float] {
        switch query {
        case .text(let text):
            let sequences = try source.backbone.sequences(ofCaptions: [text], prompts: .none, template: nil, tokenizer: tokenizer)
            if sequences.cutCount > 0 { source.context.warning("the text is longer than \(sequences.tokenLimit) tokens; its end is not read.") }
            let encoder = TextEncoder(backbone: source.backbone, prompts: PromptSet(vision: [], text: []), pool: source.pool)
            return try encoder.embeddings(of: sequences.sequences).row(0).values
        case .video(let path):
            let collection = AnnotationList(
                path: path, root: path.parentDirectory, clips: [AnnotatedClip(path: path.lastPathComponent, label: 0)])
            let features = try FeaturePass(source).features(of: collection, title: "example")
            return try features.vectors.unit.row(0).values
        }
    }
}
