import CLIPModel
import Tensors
import VideoData

extension PreparedClip {
    /// The clip as the vision tower takes it, `[frames, 3 × side × side]`.
    package var matrix: Matrix { MutableMatrix(rows: frameCount, columns: 3 * side * side, pixels).reading }
}

extension Normalisation {
    /// The pixel normalisation that a backbone was trained with.
    package init(_ normalisation: PixelNormalisation) {
        switch normalisation {
        case .imageNet: self = .imageNet
        case .clip: self = .clip
        }
    }
}

/// Scores every film of a list, over all its views.
package struct Evaluator {
    /// Clips that go through the model together.
    private static let batchSize = 16

    package let classifier: VideoClassifier

    package init(_ classifier: VideoClassifier) { self.classifier = classifier }

    /// - Parameter report: called with the number of films done so far.
    /// - Throws: what the loader throws.
    package func predictions(of loader: ClipLoader, report: (Int) throws -> Void = { _ in }) throws -> [Prediction] {
        let stream = loader.clips()
        defer { stream.cancel() }
        var result: [Prediction] = []
        while true {
            let batch = try stream.next(max(1, Self.batchSize / max(1, loader.viewsPerFilm)))
            if batch.isEmpty { return result }
            let logits = try classifier.logits(clips: batch.flatMap { $0.views.map(\.matrix) })
            var start = 0
            for clip in batch {
                let views = logits[start..<start + clip.views.count].map { softmax(of: $0) }
                start += clip.views.count
                let mean = (0..<classifier.classCount).map { label in
                    views.reduce(0) { $0 + $1[label] } / Float(max(1, views.count))
                }
                result.append(
                    Prediction(path: loader.list.clips[clip.filmIndex].path, label: clip.label, probabilities: mean))
            }
            try report(result.count)
        }
    }
}
