/// Frames of training clips, fewer at first and all at the end: the epochs of a run are shared out over the numbers of frames, as evenly
/// as can be.
package struct FrameSchedule: Sendable, Equatable {
    /// Each greater than the one before it.
    package let counts: [Int]

    /// What flags and recipes want to see.
    package static let form = "numbers of frames that grow, such as 4,8,16"
    private static let range = 1...1024

    /// Nil where these are fewer than two, or do not grow.
    package init?(_ counts: [Int]) {
        guard counts.count > 1, counts.allSatisfy(Self.range.contains), zip(counts, counts.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        self.counts = counts
    }

    /// Nil where the text names no schedule.
    package init?(_ text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0.drop { $0 == " " }) }
        self.init(parts.compactMap(\.self))
        guard parts.count == counts.count else { return nil }
    }

    /// Reads back as this schedule.
    package var text: String { counts.map(String.init).joined(separator: ",") }

    /// What clips have at the end.
    package var last: Int { counts[counts.count - 1] }

    /// Frames of an epoch's clips: the last number in the last epoch, also where there are more numbers than epochs.
    ///
    /// - Parameter epoch: from 0 on.
    package func count(inEpoch epoch: Int, of epochCount: Int) -> Int {
        let (count, epochCount) = (counts.count, max(1, epochCount))
        return counts[max(0, ((epoch + 1) * count + epochCount - 1) / epochCount - 1)]
    }

    /// How many epochs of a run have each number of frames, in order; those that have none are left out.
    package func shares(of epochCount: Int) -> [(frames: Int, epochs: Int)] {
        let count = counts.count
        // Epochs before the first that has a greater number.
        func end(_ index: Int) -> Int { (index + 1) * epochCount / count }
        return counts.indices.map { (counts[$0], end($0) - ($0 == 0 ? 0 : end($0 - 1))) }.filter { $0.1 > 0 }
    }
}
