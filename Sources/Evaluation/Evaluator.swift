import CLIPModel
import Tensors
import VideoData

extension PreparedClip {
    /// The clip as the vision tower takes it, `[frames, 3 × side × side]`.
    package var matrix: Matrix { MutableMatrix(rows: frameCount, columns: 3 * side * side, pixels).reading }
}

extension Normalization {
    /// The pixel normalization that a backbone was trained with.
    package init(_ normalization: PixelNormalization) {
        switch normalization {
        case .imageNet: self = .imageNet
        case .clip: self = .clip
        case .centered: self = .centered
        }
    }
}

/// Scores every video of a list, over all its views.
package struct Evaluator {
    /// Clips that go through the model together.
    private static let batchSize = 16

    package let classifier: CLIPClassifier

    package init(_ classifier: CLIPClassifier) { self.classifier = classifier }

    /// Scores videos by the mean of their frames' features, which somebody has computed: for classifiers that look at
    /// nothing else, the same as from their pixels.
    ///
    /// - Parameters:
    ///   - positions: in the list, of the video that each row is the mean of.
    ///   - means: `[videos, embeddingWidth]`, not normalized.
    package func predictions(of list: AnnotationList, at positions: [Int], means: Matrix) throws(ModelError) -> [Prediction] {
        var result: [Prediction] = []
        for (row, position) in positions.enumerated() {
            let probabilities = softmax(of: try classifier.logits(features: means.rows(row..<row + 1)))
            result.append(Prediction(list.clips[position], probabilities: probabilities, index: position))
        }
        return result
    }

    /// - Parameters:
    ///   - positions: of the videos in the list; all by default.
    ///   - report: called with the number of videos done so far.
    /// - Throws: what the loader throws.
    package func predictions(
        of loader: ClipLoader, at positions: [Int]? = nil, report: (Int) throws -> Void = { _ in }
    ) throws -> [Prediction] {
        let stream = positions.map { loader.clips(at: $0) } ?? loader.clips()
        defer { stream.cancel() }
        var result: [Prediction] = []
        while true {
            let batch = try stream.next(max(1, Self.batchSize / max(1, loader.viewsPerVideo)))
            if batch.isEmpty { return result }
            let views = batch.enumerated().flatMap { video, clip in clip.views.map { (video: video, clip: $0) } }
            var sums = batch.map { _ in [Float](repeating: 0, count: classifier.classCount) }
            for start in stride(from: 0, to: views.count, by: Self.batchSize) {
                // A video of many views goes through in parts: only these are copied.
                let part = views[start..<min(start + Self.batchSize, views.count)]
                for (view, logits) in zip(part, try classifier.logits(clips: part.map(\.clip.matrix))) {
                    for (label, probability) in softmax(of: logits).enumerated() { sums[view.video][label] += probability }
                }
            }
            for (clip, sum) in zip(batch, sums) {
                result.append(
                    Prediction(
                        loader.list.clips[clip.videoIndex],
                        probabilities: sum.map { $0 / Float(max(1, clip.views.count)) }, index: clip.index))
            }
            try report(result.count)
        }
    }
}
