import Files
import Tensors

/// K clips of each class, drawn by chance.
///
/// The draw of a class depends on the seed and the class number only, and the draw for K clips holds the
/// draws for fewer, so splits of one seed are nested.
package struct FewShotSplit: Sendable {
    package let shotCount: Int
    package let seed: UInt64
    /// In the order of the list they were drawn from.
    package let clips: [AnnotatedClip]
    /// Names classes with fewer clips than asked for; all that there are, are used.
    package let warnings: [DatasetWarning]

    /// - Parameters:
    ///   - shotCount: K, at least 1.
    ///   - classes: for the words of warnings and the number of classes.
    package init(of list: AnnotationList, shotCount: Int, classes: ClassNames, seed: UInt64) throws(DatasetError) {
        guard shotCount >= 1 else { throw DatasetError(path: list.path, problem: .badShotCount(shotCount)) }
        var positions = [[Int]](repeating: [], count: classes.count)
        for (position, clip) in list.clips.enumerated() {
            guard clip.label < classes.count else {
                throw DatasetError(
                    path: list.path, problem: .labelOutOfRange(label: clip.label, classCount: classes.count))
            }
            positions[clip.label].append(position)
        }
        var chosen: [Int] = []
        var short: [(name: String, clips: Int)] = []
        var empty: [String] = []
        for (label, members) in positions.enumerated() {
            var random = RandomSource(seed: seed, purpose: .shots, item: label)
            chosen += random.permutation(of: members.count).prefix(shotCount).map { members[$0] }
            if members.isEmpty {
                empty.append(classes[label])
            } else if members.count < shotCount {
                short.append((classes[label], members.count))
            }
        }
        self.shotCount = shotCount
        self.seed = seed
        clips = chosen.sorted().map { list.clips[$0] }
        warnings =
            (short.isEmpty ? [] : [.fewerShots(asked: shotCount, classes: short)])
            + (empty.isEmpty ? [] : [.emptyClasses(names: empty)])
    }

    /// Writes the clips as a list, paths as in the list they come from. Returns its SHA-256.
    @discardableResult
    package func save(to path: String) throws(FileError) -> String {
        try DurableFile.write(AnnotationList.bytes(of: clips), to: path)
    }
}

/// Some classes of a list, renumbered from 0 in their old order.
package struct ClassSubset: Sendable, Equatable {
    /// Old numbers, ascending.
    package let members: [Int]

    package init(members: some Sequence<Int>) {
        self.members = members.sorted()
    }

    /// Some of the classes, drawn by chance: methods 8.1 draws 160 three times.
    ///
    /// The draw depends on seed, number and candidates only.
    ///
    /// - Parameters:
    ///   - count: at most as many as there are candidates.
    ///   - candidates: old numbers.
    ///   - draw: its number, from 0.
    package init(drawing count: Int, from candidates: [Int], seed: UInt64, draw: Int) {
        var random = RandomSource(seed: seed, purpose: .classes, item: draw)
        self.init(members: random.permutation(of: candidates.count).prefix(count).map { candidates[$0] })
    }

    package func names(of classes: ClassNames) -> ClassNames {
        ClassNames(members.map { classes[$0] })
    }

    /// The clips of these classes, with new labels.
    package func clips(of clips: [AnnotatedClip]) -> [AnnotatedClip] {
        let numbers = Dictionary(uniqueKeysWithValues: zip(members, 0...))
        return clips.compactMap { clip in numbers[clip.label].map { AnnotatedClip(path: clip.path, label: $0, part: clip.part) } }
    }
}

/// The classes in two halves: the frequent ones to learn from, the rare ones to be tested on unseen
/// (methods 8.2). An odd class is frequent.
///
/// Of equally frequent classes those later in the list count as more frequent: that gives the published
/// halves of HMDB-51, whose classes all have the same number of clips.
package struct BaseNovelSplit: Sendable, Equatable {
    package let base: ClassSubset
    package let novel: ClassSubset

    /// - Parameter clipCounts: training clips of each class.
    package init(clipCounts: [Int]) {
        let order = clipCounts.indices.sorted { (clipCounts[$0], $0) < (clipCounts[$1], $1) }
        novel = ClassSubset(members: order.prefix(clipCounts.count / 2))
        base = ClassSubset(members: order.dropFirst(clipCounts.count / 2))
    }

    /// - Parameter base: the classes to learn from; the others are novel.
    package init(base: some Sequence<Int>, classCount: Int) {
        self.base = ClassSubset(members: base)
        let members = Set(self.base.members)
        novel = ClassSubset(members: (0..<classCount).filter { !members.contains($0) })
    }

    package init(of list: AnnotationList, classCount: Int) throws(DatasetError) {
        guard classCount >= 2 else { throw DatasetError(path: list.path, problem: .tooFewClasses(classCount)) }
        self.init(clipCounts: list.clipCounts(classCount: classCount))
    }
}
