import CLIPModel
import Tensors
import VideoData

/// A classifier with how it looks at videos and what its classes are called.
package struct VideoModel: Sendable {
    /// Tells several models of one command apart.
    package let name: String
    package let classNames: [String]
    /// Texts after the classes that stand for "none of these".
    package let noneCount: Int
    package let classifier: CLIPClassifier
    package let transform: ClipTransform
    package let sampler: FrameSampler
    /// Views in time of a whole video.
    package let viewCount: Int
    /// Draws views by chance, as `ClipLoader` does.
    package let drawsViews: Bool
    package let seed: UInt64

    /// - Parameters:
    ///   - classifier: of the classes and then `noneCount` other texts.
    ///   - transform: for testing.
    /// - Precondition: a class name for each class.
    package init(
        name: String, classNames: [String], noneCount: Int = 0, classifier: CLIPClassifier, transform: ClipTransform,
        sampler: FrameSampler? = nil, viewCount: Int = 1, drawsViews: Bool = false, seed: UInt64 = 1
    ) {
        precondition(classifier.classCount == classNames.count + noneCount && viewCount >= 1, "a name for each class")
        self.name = name
        self.classNames = classNames
        self.noneCount = noneCount
        self.classifier = classifier
        self.transform = transform
        self.sampler = sampler ?? FrameSampler(sampleCount: classifier.frameCount)
        self.viewCount = viewCount
        self.drawsViews = drawsViews
        self.seed = seed
    }

    /// Frames of a video to look at, view after view.
    func indices(frameCount: Int, video: Int) -> [Int] {
        var random = ClipKey(seed: seed, epoch: 0, clip: video).source(.frames)
        return (0..<viewCount).flatMap { view in
            drawsViews
                ? sampler.trainingIndices(frameCount: frameCount, using: &random)
                : sampler.testIndices(frameCount: frameCount, view: view, viewCount: viewCount)
        }
    }

    /// The views of a video: for each crop, its clips in time.
    ///
    /// - Parameter frames: those of `indices`, decoded.
    func views(of frames: [VideoFrame]) -> [PreparedClip] {
        let inTime = stride(from: 0, to: frames.count, by: sampler.sampleCount).map { start in
            transform.clips(
                from: Array(frames[start..<start + sampler.sampleCount]), key: ClipKey(seed: seed, epoch: 0, clip: 0))
        }
        return (0..<transform.cropCount).flatMap { crop in inTime.map { $0[crop] } }
    }

    /// Views that go through the model together.
    private static let batchSize = 16

    /// The mean over views of the softmax of their logits.
    package func scores(views: [PreparedClip]) throws -> VideoScores { try scores(features: features(views: views)) }

    /// Of each view `[frames, embeddingWidth]`.
    private func features(views: [PreparedClip]) -> [Matrix] {
        stride(from: 0, to: views.count, by: Self.batchSize).flatMap { start in
            classifier.encoder.frameFeatures(of: views[start..<min(start + Self.batchSize, views.count)].map(\.matrix)).map(\.reading)
        }
    }

    private func scores(features: [Matrix]) throws -> VideoScores {
        var sums = [Float](repeating: 0, count: classifier.classCount)
        for view in features {
            for (label, probability) in softmax(of: try classifier.logits(features: view)).enumerated() { sums[label] += probability }
        }
        return VideoScores(probabilities: sums.map { $0 / Float(max(1, features.count)) }, classCount: classNames.count)
    }

    /// What its features of a window's frames depend on.
    private var windowLook: String { "\(classifier.encoder.identity) \(transform) \(sampler)" }

    /// What its features of a video depend on.
    private var look: String { "\(windowLook) \(viewCount) \(drawsViews ? "seed \(seed)" : "")" }

    /// For each of some models the first one that looks at windows as it does, among them.
    static func windowLookers(of models: [VideoModel]) -> [Int] {
        var first: [String: Int] = [:]
        return models.enumerated().map { index, model in
            first[model.windowLook] = first[model.windowLook] ?? index
            return first[model.windowLook] ?? index
        }
    }

    /// The scores of a video by several models. Models that look at it alike, such as heads on one backbone and prompts
    /// of the text tower alone, share one pass through the vision tower.
    package static func scores(of video: PreparedVideo, by models: [VideoModel]) throws -> [VideoScores] {
        try scores(of: [(video, models)])[0].get()
    }

    /// The scores of several videos, each by models of its own. What looks alike goes through the vision tower together;
    /// the scores are those of each video by itself, to the bit.
    ///
    /// - Returns: for each video one per model, or why its logits are not numbers.
    package static func scores(of videos: [(video: PreparedVideo, models: [VideoModel])]) -> [Result<[VideoScores], any Error>] {
        var lookers: [String: VideoModel] = [:]
        var views: [String: [(video: Int, views: [PreparedClip])]] = [:]
        for (index, (video, models)) in videos.enumerated() {
            var seen: Set<String> = []
            for (model, own) in zip(models, video.views) where seen.insert(model.look).inserted {
                lookers[model.look] = model
                views[model.look, default: []].append((index, own))
            }
        }
        var features: [Int: [String: [Matrix]]] = [:]
        for (look, model) in lookers {
            let groups = views[look] ?? []
            var made = model.features(views: groups.flatMap(\.views))[...]
            for group in groups {
                features[group.video, default: [:]][look] = Array(made.prefix(group.views.count))
                made = made.dropFirst(group.views.count)
            }
        }
        return videos.enumerated().map { index, item in
            Result { try item.models.map { try $0.scores(features: features[index]?[$0.look] ?? []) } }
        }
    }
}

/// A video as several models see it, decoded once.
package struct PreparedVideo: Sendable {
    /// For each model its views.
    package let views: [[PreparedClip]]

    /// Reads what all models want to see of a video.
    ///
    /// - Parameters:
    ///   - models: whose transforms shrink alike, as those of one backbone do.
    ///   - position: of the video among all; names the random stream of views drawn by chance.
    /// - Throws: what the reader throws.
    package init(path: String, models: [VideoModel], reader: any VideoReading, position: Int = 0) throws {
        precondition(Set(models.map(\.transform.shortSide)).count == 1, "the models shrink frames alike")
        var counts: [Int] = []
        let frames = try reader.frames(
            of: path,
            choosing: { frameCount in
                let indices = models.map { $0.indices(frameCount: frameCount, video: position) }
                counts = indices.map(\.count)
                return indices.flatMap { $0 }
            }, converting: models[0].transform.shrunk)
        var start = 0
        views = zip(models, counts).map { model, count in
            defer { start += count }
            return model.views(of: Array(frames[start..<start + count]))
        }
    }
}
