import Evaluation
import Files
import Tensors
import VideoData

extension Evaluator {
    /// Scores every video of a list, each on one rank.
    ///
    /// - Parameter isStopped: asked between batches.
    /// - Returns: on every rank the predictions of all, in list order; nil where some rank was stopped.
    /// - Throws: what the loader throws, on all ranks.
    package func predictions(
        of loader: ClipLoader, sharedBy group: any ProcessGroup, isStopped: () -> Bool
    ) throws -> [Prediction]? {
        struct Stop: Error {}
        // Neighbors on different ranks: long videos often come together.
        let videos = Array(stride(from: group.rank, to: loader.list.clips.count, by: group.count))
        let own = try group.agreed { () -> [Prediction]? in
            do {
                return try predictions(of: loader, at: videos) { _ in if isStopped() { throw Stop() } }
            } catch is Stop {
                return nil
            }
        }
        guard group.count > 1 else { return own }
        let bad = try group.gathered(value: loader.badVideos.all)
        try loader.badVideos.replace(with: bad.flatMap(\.self), orderedAs: loader.list)
        let shares = try group.gathered(own.map { [1] + Self.bytes($0) } ?? [0])
        guard shares.allSatisfy({ $0.first == 1 }) else { return nil }
        return shares.flatMap { Self.predictions($0.dropFirst(), of: loader.list, classCount: classifier.classCount) }
            .sorted { $0.index < $1.index }.map(\.prediction)
    }

    /// For each video its position and its probabilities, four bytes a number.
    private static func bytes(_ predictions: [Prediction]) -> [UInt8] {
        predictions.flatMap { prediction in
            ([UInt32(prediction.index)] + prediction.probabilities.map(\.bitPattern)).flatMap { word in
                (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
            }
        }
    }

    private static func predictions(
        _ bytes: ArraySlice<UInt8>, of list: AnnotationList, classCount: Int
    ) -> [(index: Int, prediction: Prediction)] {
        let start = bytes.startIndex
        func word(_ position: Int) -> UInt32 {
            (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[start + 4 * position + $1]) << (8 * UInt32($1)) }
        }
        return (0..<bytes.count / (4 * (1 + classCount))).map { video in
            let first = video * (1 + classCount)
            let index = Int(word(first))
            return (
                index,
                Prediction(
                    list.clips[index],
                    probabilities: (1...classCount).map { Float(bitPattern: word(first + $0)) }, index: index)
            )
        }
    }
}
