import Training
import VideoData

/// How many videos of each class there are to draw from.
package struct ShotsAvailable {
    /// Of the classes that have videos, ascending.
    private let counts: [Int]

    package init(_ list: AnnotationList, classes: ClassNames) {
        counts = list.clipCounts(classCount: classes.count).filter { $0 > 0 }.sorted()
    }

    /// Behind "K = 16" in a table: how many clips were learned from in truth, where some class has fewer.
    package func heading(_ shots: Int) -> String {
        guard let least = counts.first, let most = counts.last, least < shots else { return "" }
        return most <= least ? " (\(least) there)" : " (\(least) to \(min(shots, most)) there)"
    }

    /// What is said before anything is learned; nil where every class has enough.
    package func words(for shots: Int) -> String? {
        let short = counts.count { $0 < shots }
        guard short > 0 else { return nil }
        return "K = \(shots): \(short) of \(counts.count) classes have fewer clips, \(counts[0]) at least; all of them are used, and the table says so."
    }
}
