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

    /// - Returns: a warning where parts of a video are learned from and other parts of it tested on.
    /// - Throws: `sharedVideos` where a video, or the same moments of one, is learned from and tested on: one file, or one
    ///   with the same bytes.
    @discardableResult
    package func refuseSharedVideos() throws(DatasetError) -> [DatasetWarning] {
        let shared = SameVideos(train, and: validation)
        if let first = shared.pairs.first {
            throw sharedVideos(first, count: shared.pairs.count, isCutShort: shared.isCutShort)
        }
        return shared.neighbors.map { [sharedParts($0.first, count: $0.count)] } ?? []
    }

    /// The same for every two of a run's lists: what is learned from, chosen on and scored must not meet.
    @discardableResult
    package static func refuseSharedVideos(among lists: [AnnotationList]) throws(DatasetError) -> [DatasetWarning] {
        var warnings: [DatasetWarning] = []
        for (position, list) in lists.enumerated() {
            for other in lists[(position + 1)...] { warnings += try ListChecks(train: list, validation: other).refuseSharedVideos() }
        }
        return warnings
    }

    /// The same by their paths, for lists whose videos are not looked for.
    @discardableResult
    package func refuseSharedPaths() throws(DatasetError) -> [DatasetWarning] {
        var learned: [Bytewise: PartsOfVideo] = [:]
        for (position, clip) in train.clips.enumerated() { learned[clip.path, default: .init()].add(clip.part, position) }
        var (shared, neighbors): ([SameVideos.Pair], [SameVideos.Pair]) = ([], [])
        for (position, clip) in validation.clips.enumerated() {
            guard let others = learned[clip.path], let nearest = others.first else { continue }
            let other = others.meeting(clip.part)
            let pair = SameVideos.Pair(first: other ?? nearest, second: position, isOneFile: true)
            if other == nil { neighbors.append(pair) } else { shared.append(pair) }
        }
        if let first = shared.first { throw sharedVideos(first, count: shared.count, isCutShort: false) }
        return neighbors.first.map { [sharedParts($0, count: neighbors.count)] } ?? []
    }

    private func sharedVideos(_ pair: SameVideos.Pair, count: Int, isCutShort: Bool) -> DatasetError {
        let (learned, tested) = (train.clips[pair.first], validation.clips[pair.second])
        return DatasetError(
            path: validation.path, line: validation.lines(naming: tested).first,
            problem: .sharedVideos(
                .init(
                    tested.name, learned.name, otherList: train.path, otherLine: train.lines(naming: learned).first, isOneFile: pair.isOneFile,
                    overlaps: learned.part != tested.part, count: count, isCutShort: isCutShort)))
    }

    private func sharedParts(_ pair: SameVideos.Pair, count: Int) -> DatasetWarning {
        let (learned, tested) = (train.clips[pair.first], validation.clips[pair.second])
        return .sharedVideoParts(
            list: validation.path, first: tested.name, line: validation.lines(naming: tested).first, other: learned.name, otherList: train.path,
            count: count)
    }

    /// - Throws: `untrainedClasses` where clips are scored whose class has none to learn from.
    package func refuseUntrainedClasses(_ classes: ClassNames) throws(DatasetError) {
        let counts = (learned: train.clipCounts(classCount: classes.count), tested: validation.clipCounts(classCount: classes.count))
        let untrained = classes.names.indices.filter { counts.tested[$0] > 0 && counts.learned[$0] == 0 }
        guard let first = untrained.first, let clip = validation.clips.first(where: { $0.label == first }) else { return }
        throw DatasetError(
            path: validation.path, line: validation.lines(naming: clip).first,
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
    /// - Throws: `videoDrawnTwice` where a video, or the same moments of one, fills two places of a draw: one path, one
    ///   file, or the same bytes.
    package func refuseRepeatedDraws() throws(DatasetError) {
        var seen: [Bytewise: PartsOfVideo] = [:]
        for (position, clip) in clips.enumerated() {
            if let earlier = seen[clip.path]?.meeting(clip.part) {
                throw drawnTwice(clips[earlier], clip, isOneFile: true, count: 1, isCutShort: false)
            }
            seen[clip.path, default: .init()].add(clip.part, position)
        }
        let same = SameVideos(within: self)
        guard let first = same.pairs.first else { return }
        throw drawnTwice(
            clips[first.first], clips[first.second], isOneFile: first.isOneFile, count: same.pairs.count, isCutShort: same.isCutShort)
    }

    private func drawnTwice(
        _ first: AnnotatedClip, _ second: AnnotatedClip, isOneFile: Bool, count: Int, isCutShort: Bool
    ) -> DatasetError {
        let lines = (lines(naming: first), lines(naming: second))
        let isSameClip = first.name.hasSameBytes(as: second.name)
        return DatasetError(
            path: path, line: isSameClip ? lines.1.dropFirst().first : lines.1.first,
            problem: .videoDrawnTwice(
                .init(
                    second.name, first.name, otherList: path, otherLine: lines.0.first, isOneFile: isOneFile, overlaps: first.part != second.part,
                    count: count, isCutShort: isCutShort)))
    }

    /// The lines of the list's file that name a clip, from 1; none where they cannot be found again. Of a clip without a
    /// part those that name no part of its video that the list has.
    package func lines(naming clip: AnnotatedClip) -> [Int] {
        guard let bytes = try? InputFile.contents(of: self.path, limit: 1 << 28) else { return [] }
        let wanted = clip.path.pathBytes
        let ends: Set<UInt8> = [UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\r")]
        let parts = clip.part == nil ? clips.filter { $0.path.hasSameBytes(as: clip.path) }.compactMap(\.part) : []
        var numbers: [Int] = []
        for (number, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard let start = line.indices.first(where: { line[$0...].starts(with: wanted) }) else { continue }
            let end = start + wanted.count
            if (start == line.startIndex || ends.contains(line[start - 1])) && (end == line.endIndex || ends.contains(line[end])) {
                let words = line.split(whereSeparator: ends.contains)
                if let part = clip.part, !Self.bounds(part, words) { continue }
                if parts.contains(where: { Self.bounds($0, words) }) { continue }
                numbers.append(number + 1)
            }
        }
        return numbers
    }

    /// Whether the times of a part are among the words of a line.
    private static func bounds(_ part: ClipPart, _ words: [ArraySlice<UInt8>]) -> Bool {
        let times = words.compactMap { ClipPart.Time(String(decoding: $0, as: UTF8.self))?.seconds }
        return [part.start, part.end].allSatisfy { time in times.contains { abs($0 - time) < 1e-6 } }
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
