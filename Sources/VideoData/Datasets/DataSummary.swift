import Files
import Foundation
import Tensors

/// What was made from what, kept beside lists: enough to tell whether two people have the same ones.
package struct DataSummary: Codable, Sendable, Equatable {
    /// Beside the lists of `data init` and `data import`.
    package static let importName = "data.json"
    /// Beside the lists of `data split`.
    package static let splitName = "split.json"

    /// A file that was read or written.
    package struct File: Codable, Sendable, Equatable {
        package var file: String
        package var sha256: String
        package var clips: Int?
        package var classes: Int?
        /// Clips of each class, in lists that were drawn.
        package var shots: Int?
        package var seed: UInt64?

        package init(
            _ file: String, sha256: String, clips: Int? = nil, classes: Int? = nil, shots: Int? = nil, seed: UInt64? = nil
        ) {
            self.file = file
            self.sha256 = sha256
            self.clips = clips
            self.classes = classes
            self.shots = shots
            self.seed = seed
        }
    }

    package var tool: String
    /// What made the lists, in words.
    package var kind: String
    /// The folder that the paths start from.
    package var root: String
    package var sources: [File]
    package var lists: [File]
    /// Of the class names in order; see `ClassNames.digest`.
    package var classListSha256: String
    package var seed: UInt64?
    /// Whether the draw for K clips holds those for fewer.
    package var drawsAreNested: Bool?

    package init(
        tool: String, kind: String, root: String, sources: [File] = [], lists: [File] = [], classListSha256: String,
        seed: UInt64? = nil, drawsAreNested: Bool? = nil
    ) {
        self.tool = tool
        self.kind = kind
        self.root = root
        self.sources = sources
        self.lists = lists
        self.classListSha256 = classListSha256
        self.seed = seed
        self.drawsAreNested = drawsAreNested
    }

    package var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers always encode.
        let data = (try? encoder.encode(self)) ?? Data()
        return String(decoding: data, as: UTF8.self) + "\n"
    }
}

/// Files that appear together in one folder, or not at all where one would replace another.
package struct ListFolder {
    package let path: String
    private var contents: [(name: String, bytes: [UInt8])] = []

    package init(_ path: String) { self.path = path }

    /// Adds a file. Returns what a summary says of it.
    package mutating func add(_ name: String, _ text: String, clips: Int? = nil, classes: Int? = nil) -> DataSummary.File {
        add(name, Array(text.utf8), clips: clips, classes: classes)
    }

    package mutating func add(_ name: String, _ bytes: [UInt8], clips: Int? = nil, classes: Int? = nil) -> DataSummary.File {
        contents.append((name, bytes))
        return DataSummary.File(name, sha256: Digest.of(bytes), clips: clips, classes: classes)
    }

    /// Files that are open at once; the system allows some hundreds.
    private static let openFileLimit = 200

    /// Writes all files durably. What does not fit on the disk fails before any of them (of 200 at a time) is
    /// there, so that old and new lists do not mix.
    ///
    /// - Parameter inputs: what the lists were made from, which stays in any case.
    /// - Throws: `wouldOverwrite` before anything is written, where a file is there and `isForced` is not.
    package func write(isForced: Bool, inputs: [String] = []) throws {
        try checkFree(isForced: isForced, inputs: inputs)
        try createDirectory(path)
        for start in stride(from: 0, to: contents.count, by: Self.openFileLimit) {
            try DurableFile.write(
                contents[start..<min(start + Self.openFileLimit, contents.count)].map { ($0.name, $0.bytes) }[...], in: path)
        }
    }

    private func checkFree(isForced: Bool, inputs: [String]) throws {
        let paths = contents.map { path.appendingPath($0.name) }
        try refuseOverInputs(paths, inputs: inputs)
        let present = contents.map(\.name).filter { fileExists(path.appendingPath($0)) }
        guard isForced || present.isEmpty else { throw DatasetError(path: path, problem: .wouldOverwrite(files: present)) }
    }
}

/// Videos of each class in three parts, by chance: to learn from, to choose the best epoch on, and to score at the end.
///
/// The draw of a class depends on the seed and the class number only. Where a list holds parts of videos, all parts of one
/// go to one of the three, drawn with the videos of that of their classes which fewest videos have: then no video is learned
/// from and scored.
package struct ThreeWaySplit: Sendable {
    package let train: [AnnotatedClip]
    package let val: [AnnotatedClip]
    package let test: [AnnotatedClip]
    /// Classes with too few videos for all parts: one is learned from, the second scored. Where lists hold parts of videos
    /// with several classes, also classes that one of the lists lacks.
    package let warnings: [DatasetWarning]

    package enum Amount: Sendable {
        /// Of each class, rounded; 0 for none, else at least one video where one is left to learn from.
        case share(Double)
        /// Videos of each class, as far as one is left to learn from.
        case count(Int)

        fileprivate func wanted(of total: Int) -> Int {
            switch self {
            case .share(let share): share == 0 ? 0 : max(1, Int((share * Double(total)).rounded()))
            case .count(let count): count
            }
        }

        fileprivate var share: Double { if case .share(let share) = self { share } else { 0 } }
    }

    /// - Throws: `badShares` where nothing would be left to learn from; `nothingToLearn` where of a class nothing would be, as
    ///   all its videos go with those of other classes.
    package init(
        _ clips: [AnnotatedClip], classes: ClassNames, val: Amount, test: Amount, seed: UInt64, path: String
    ) throws(DatasetError) {
        let shares = [val.share, test.share]
        guard shares.allSatisfy({ $0 >= 0 }), shares[0] + shares[1] < 1 else {
            throw DatasetError(path: path, problem: .badShares(val: val.share, test: test.share))
        }
        for case .count(let count) in [val, test] where count < 0 { throw DatasetError(path: path, problem: .badShotCount(count)) }
        var positions = [[Int]](repeating: [], count: classes.count)
        let leaders = Self.leaders(of: clips)
        for (position, clip) in clips.enumerated() where leaders[position] == position { positions[clip.label].append(position) }
        var (validated, tested): (Set<Int>, Set<Int>) = ([], [])
        var (single, unvalidated): ([String], [String]) = ([], [])
        for (label, members) in positions.enumerated() where !members.isEmpty {
            let testCount = min(test.wanted(of: members.count), members.count - 1)
            let valCount = min(val.wanted(of: members.count), members.count - 1 - testCount)
            if members.count == 1 { single.append(classes[label]) }
            if members.count > 1, valCount == 0, val.wanted(of: members.count) > 0 { unvalidated.append(classes[label]) }
            // The end of a permutation of which few-shot draws of the same seed are the start.
            let order = RandomSource(seed: seed, purpose: .shots, item: label).permuted(members)
            tested.formUnion(order.suffix(testCount))
            validated.formUnion(order.dropLast(testCount).suffix(valCount))
        }
        func part(_ isIn: (Int) -> Bool) -> [AnnotatedClip] { clips.indices.filter { isIn(leaders[$0]) }.map { clips[$0] } }
        train = part { !validated.contains($0) && !tested.contains($0) }
        self.val = part(validated.contains)
        self.test = part(tested.contains)
        func lacking(_ list: [AnnotatedClip]) -> [String] {
            let present = Set(list.map(\.label))
            return Set(clips.map(\.label)).subtracting(present).sorted().map { classes[$0] }.filter { !single.contains($0) && !unvalidated.contains($0) }
        }
        let unlearned = lacking(train)
        guard unlearned.isEmpty else { throw DatasetError(path: path, problem: .nothingToLearn(names: unlearned)) }
        // Elsewhere every class has videos of its own.
        let hasParts = clips.contains { $0.part != nil }
        let lists = hasParts ? [("validation", self.val, val), ("test", self.test, test)].filter { $0.2.wanted(of: clips.count) > 0 } : []
        let missing = lists.map { (list: $0.0, names: lacking($0.1)) }.filter { !$0.names.isEmpty }
        warnings = missing.map { .classesNotDrawn(list: $0.list, names: $0.names) } + (single.isEmpty ? [] : [.untestedClasses(names: single)])
            + (unvalidated.isEmpty ? [] : [.unvalidatedClasses(names: unvalidated)])
    }

    /// For each clip the position of the one with which it goes: of the same video, where there are parts, else itself. Of a
    /// video with several classes the first clip of that which fewest videos have: other classes have videos enough.
    private static func leaders(of clips: [AnnotatedClip]) -> [Int] {
        guard clips.contains(where: { $0.part != nil }) else { return Array(clips.indices) }
        var videos: [Bytewise: [Int]] = [:]
        for (position, clip) in clips.enumerated() { videos[clip.path, default: []].append(position) }
        var counts: [Int: Int] = [:]
        for positions in videos.values { for label in Set(positions.map { clips[$0].label }) { counts[label, default: 0] += 1 } }
        var leaders = Array(clips.indices)
        for positions in videos.values {
            guard let leader = positions.min(by: { (counts[clips[$0].label] ?? 0, $0) < (counts[clips[$1].label] ?? 0, $1) }) else { continue }
            for position in positions { leaders[position] = leader }
        }
        return leaders
    }
}

extension RandomSource {
    fileprivate func permuted(_ members: [Int]) -> [Int] {
        var random = self
        return random.permutation(of: members.count).map { members[$0] }
    }
}
