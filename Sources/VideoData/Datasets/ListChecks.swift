import Files

/// What would make a result false, found in the lists of a run before anything is learned.
package struct ListChecks {
    /// All clips to learn from, before shots are drawn.
    private let train: AnnotationList
    private let validation: AnnotationList

    package init(train: AnnotationList, validation: AnnotationList) {
        self.train = train
        self.validation = validation
    }

    /// - Throws: `sharedVideos` where a video is learned from and tested on: one file, or one with the same bytes.
    package func refuseSharedVideos() throws(DatasetError) {
        let shared = SameVideos(train, and: validation)
        guard let first = shared.pairs.first else { return }
        let (learned, tested) = (train.clips[first.first].path, validation.clips[first.second].path)
        throw DatasetError(
            path: validation.path, line: validation.lines(naming: tested).first,
            problem: .sharedVideos(
                .init(
                    tested, learned, otherList: train.path, otherLine: train.lines(naming: learned).first, isOneFile: first.isOneFile,
                    count: shared.pairs.count, isCutShort: shared.isCutShort)))
    }

    /// The same for every two of a run's lists: what is learned from, chosen on and scored must not meet.
    package static func refuseSharedVideos(among lists: [AnnotationList]) throws(DatasetError) {
        for (position, list) in lists.enumerated() {
            for other in lists[(position + 1)...] { try ListChecks(train: list, validation: other).refuseSharedVideos() }
        }
    }

    /// The same by their paths, for lists whose videos are not looked for.
    package func refuseSharedPaths() throws(DatasetError) {
        var learned: [Bytewise: Int] = [:]
        for (position, clip) in train.clips.enumerated() { learned[clip.path] = position }
        let shared = validation.clips.filter { learned[$0.path] != nil }
        guard let first = shared.first else { return }
        throw DatasetError(
            path: validation.path, line: validation.lines(naming: first.path).first,
            problem: .sharedVideos(
                .init(
                    first.path, first.path, otherList: train.path, otherLine: train.lines(naming: first.path).first, isOneFile: true,
                    count: shared.count, isCutShort: false)))
    }

    /// - Throws: `untrainedClasses` where clips are scored whose class has none to learn from.
    package func refuseUntrainedClasses(_ classes: ClassNames) throws(DatasetError) {
        let counts = (learned: train.clipCounts(classCount: classes.count), tested: validation.clipCounts(classCount: classes.count))
        let untrained = classes.names.indices.filter { counts.tested[$0] > 0 && counts.learned[$0] == 0 }
        guard let first = untrained.first, let clip = validation.clips.first(where: { $0.label == first }) else { return }
        throw DatasetError(
            path: validation.path, line: validation.lines(naming: clip.path).first,
            problem: .untrainedClasses(names: untrained.map { classes[$0] }, train: train.path))
    }

    /// Classes that are learned and never tested.
    package func warnings(_ classes: ClassNames) -> [DatasetWarning] {
        let counts = (learned: train.clipCounts(classCount: classes.count), tested: validation.clipCounts(classCount: classes.count))
        let names = classes.names.indices.filter { counts.learned[$0] > 0 && counts.tested[$0] == 0 }.map { classes[$0] }
        return names.isEmpty ? [] : [.classesOnlyInTraining(names: names, list: validation.path)]
    }
}

extension AnnotationList {
    /// - Throws: `videoDrawnTwice` where a video fills two places of a draw: one path, one file, or the same bytes.
    package func refuseRepeatedDraws() throws(DatasetError) {
        var seen: [Bytewise: Int] = [:]
        for (position, clip) in clips.enumerated() {
            if let earlier = seen.updateValue(position, forKey: Bytewise(clip.path)) {
                throw drawnTwice(clips[earlier].path, clip.path, isOneFile: true, count: 1, isCutShort: false)
            }
        }
        let same = SameVideos(within: self)
        guard let first = same.pairs.first else { return }
        throw drawnTwice(
            clips[first.first].path, clips[first.second].path, isOneFile: first.isOneFile, count: same.pairs.count,
            isCutShort: same.isCutShort)
    }

    private func drawnTwice(_ first: String, _ second: String, isOneFile: Bool, count: Int, isCutShort: Bool) -> DatasetError {
        let lines = (lines(naming: first), lines(naming: second))
        let isSamePath = first.hasSameBytes(as: second)
        return DatasetError(
            path: path, line: isSamePath ? lines.1.dropFirst().first : lines.1.first,
            problem: .videoDrawnTwice(
                .init(
                    second, first, otherList: path, otherLine: lines.0.first, isOneFile: isOneFile, count: count,
                    isCutShort: isCutShort)))
    }

    /// The lines of the list's file that name a path, from 1; none where they cannot be found again.
    package func lines(naming path: String) -> [Int] {
        guard let bytes = try? InputFile.contents(of: self.path, limit: 1 << 28) else { return [] }
        let wanted = path.pathBytes
        let ends: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\r")]
        var numbers: [Int] = []
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard let start = line.indices.first(where: { line[$0...].starts(with: wanted) }) else { continue }
            let end = start + wanted.count
            if (start == line.startIndex || ends.contains(line[start - 1])) && (end == line.endIndex || ends.contains(line[end])) {
                numbers.append(number + 1)
            }
        }
        return numbers
    }
}

/// Whether labels look as if they were counted from 1.
struct CountedLabels {
    private var labels: Set<Int> = []

    mutating func note(_ label: Int) { labels.insert(label) }

    /// The highest label, where all from 1 to it occur and 0 does not.
    var lastFromOne: Int? {
        guard let last = labels.max(), last > 1, !labels.contains(0), labels.count == last else { return nil }
        return last
    }
}
