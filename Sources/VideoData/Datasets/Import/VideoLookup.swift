import Files

/// Finds the videos that published lists name among those that are there.
///
/// On other disks the same videos lie in one folder, in folders with underscores, or in another container. So where
/// a path is not there, a video of that name is taken if it can be no other: one in the folder of its class, or one
/// whose name occurs once in all lists and once on the disk, in a folder that belongs to no class (where the name is
/// little more than a number, in one that holds videos of several classes, or in none). Videos of another
/// class's folder or of another split's are never taken, nor is one video for two.
package struct VideoLookup {
    /// A video as a list names it.
    package struct Entry {
        package let path: String
        /// Nil where videos have no class.
        package let label: Int?
        /// The list's name: `train`, `val1`.
        package let part: String

        package init(path: String, label: Int?, part: String) {
            self.path = path
            self.label = label
            self.part = part
        }
    }

    package enum Answer: Equatable {
        case found(String)
        /// Videos of that name that are others.
        case missing(others: [String])
        case undecided([String])
    }

    private let index: VideoIndex
    /// Folders in lists that stand for a class, and the names of classes, as `plain` has them: to their labels.
    private var classFolders: [Bytewise: Int] = [:]
    /// Paths in lists by name without ending.
    private var paths: [Bytewise: Set<Bytewise>] = [:]
    /// Folders on the disk that hold videos of several classes.
    private var stores: Set<Bytewise> = []
    /// Folders on the disk by `plain` name.
    private var folders: Set<Bytewise> = []
    private var answers: [Bytewise: Answer] = [:]

    /// - Parameters:
    ///   - entries: of all lists that belong together.
    ///   - classNames: by label.
    package init(_ entries: [Entry], classNames: [String], in index: VideoIndex) {
        self.index = index
        for (label, name) in classNames.enumerated() { classFolders[Self.plain(name)] = label }
        noteClassFolders(entries)
        for entry in entries { paths[VideoIndex.stem(entry.path), default: []].insert(entry.path) }
        noteStores(entries)
        var claims: [Bytewise: [String]] = [:]
        for entry in entries where answers[Self.key(entry)] == nil {
            let answer = search(entry)
            answers[Self.key(entry)] = answer
            if case .found(let video) = answer, !(claims[video] ?? []).contains(where: entry.path.hasSameBytes) {
                claims[video, default: []].append(entry.path)
            }
        }
        // One video for two of the lists' is the wrong one for one of them.
        let claimed = claims.filter { $0.value.count > 1 }
        for entry in entries {
            guard case .found(let video) = answers[Self.key(entry)], claimed[video] != nil, !video.hasSameBytes(as: entry.path) else { continue }
            answers[Self.key(entry)] = .undecided([video])
        }
    }

    package func video(_ entry: Entry) -> Answer { answers[Self.key(entry)] ?? .missing(others: []) }

    /// The split that a list is for can decide, so a path may have several answers.
    private static func key(_ entry: Entry) -> Bytewise { Bytewise(entry.part + "\n" + entry.path) }

    // MARK: What folders mean

    /// A folder whose videos have one label stands for that class where other folders stand for others.
    private mutating func noteClassFolders(_ entries: [Entry]) {
        var labels: [Bytewise: Set<Int>] = [:]
        for entry in entries {
            if let folder = Self.folder(of: entry.path), let label = entry.label { labels[folder, default: []].insert(label) }
        }
        guard labels.count > 1 else { return }
        for (folder, labels) in labels where classFolders[folder] == nil {
            if let label = labels.first, labels.count == 1 { classFolders[folder] = label }
        }
    }

    private mutating func noteStores(_ entries: [Entry]) {
        var held: [Bytewise: Set<Int>] = [:]
        for entry in entries {
            for video in index.namesakes(of: entry.path) {
                let folder = video.parentDirectory
                for name in Self.folders(of: video) { folders.insert(Self.plain(name)) }
                if let label = entry.label { held[folder, default: []].insert(label) }
            }
        }
        stores = Set(held.filter { $0.value.count > 1 }.map(\.key))
    }

    /// Whether the folders above a video say which class it is of, and which.
    private func labels(above path: String) -> [Int] { Self.folders(of: path).compactMap { classFolders[Self.plain($0)] } }

    // MARK: One video

    private func search(_ entry: Entry) -> Answer {
        if index.contains(entry.path) { return .found(entry.path) }
        let all = index.namesakes(of: entry.path)
        // What a list names by its own path is that video and no other.
        let named = paths[VideoIndex.stem(entry.path)] ?? []
        var candidates = all.filter { !named.contains($0) && splitAgrees(entry, with: $0) }
        if let folder = Self.folder(of: entry.path), let label = classFolders[folder] {
            let near = candidates.filter { video in
                Self.folders(of: video).contains { Self.plain($0) == folder } || labels(above: video).contains(label)
            }
            candidates = near.isEmpty && !folders.contains(folder) ? candidates.filter { (isStore($0.parentDirectory) || Self.isTelling(entry.path)) && mayBe(label, $0) } : near
            if near.isEmpty, named.count > 1 { candidates = [] }
        } else {
            if let label = entry.label { candidates = candidates.filter { mayBe(label, $0) } }
            if named.count > 1 { return candidates.isEmpty ? .missing(others: all) : .undecided(candidates) }
        }
        if candidates.count > 1 {
            let splits = Self.splits(of: entry.path)
            let same = candidates.filter { !splits.isEmpty && Self.splits(of: $0) == splits }
            if !same.isEmpty { candidates = same }
            let alike = candidates.filter { $0.lastPathComponent.hasSameBytes(as: entry.path.lastPathComponent) }
            if !alike.isEmpty { candidates = alike }
        }
        return candidates.count > 1 ? .undecided(candidates) : candidates.first.map { .found($0) } ?? .missing(others: all)
    }

    /// Whether videos of all classes may lie there.
    private func isStore(_ folder: String) -> Bool { folder == "." || stores.contains(folder) }

    /// Whether a name says by itself which video it is: `v_Archery_g08_c02`, `-a_000001_000011`; no number or word with a number.
    private static func isTelling(_ path: String) -> Bool {
        let stem = VideoIndex.stem(path).utf8
        let groups = stem.split { !(0x30...0x39 ~= $0) }
        return stem.count >= 8 && (groups.count > 1 || groups.count == 1 && !(0x30...0x39 ~= stem.last ?? 0))
    }

    private func mayBe(_ label: Int, _ video: String) -> Bool {
        let labels = labels(above: video)
        return labels.isEmpty || labels.contains(label)
    }

    /// Whether a video that lies among those of one split can be the one that a list means.
    private func splitAgrees(_ entry: Entry, with video: String) -> Bool {
        let (asked, found) = (Self.splits(of: entry.path), Self.splits(of: video))
        if found.isEmpty { return true }
        if !asked.isEmpty { return asked == found }
        // Numbered splits share their videos: what is learned from in one is tested on in another.
        let isNumbered = entry.part.last?.isNumber ?? false
        guard !isNumbered, let part = ImportedSet.partName(entry.part) else { return true }
        return (part == "train") == found.contains("train")
    }

    // MARK: Names

    private static let splitNames: [String: String] = [
        "train": "train", "training": "train", "val": "val", "valid": "val", "validate": "val", "validation": "val", "test": "test",
        "testing": "test",
    ]

    private static func folders(of path: String) -> [String] {
        path.utf8.split(separator: UInt8(ascii: "/")).dropLast().map { String(Substring($0)) }
    }

    private static func splits(of path: String) -> Set<String> { Set(folders(of: path).compactMap { splitNames[$0.lowercased()] }) }

    /// The innermost folder that does not name a split.
    private static func folder(of path: String) -> Bytewise? { folders(of: path).last { splitNames[$0.lowercased()] == nil }.map(plain) }

    /// A name as class names and folders agree on it: without case, blanks, underscores and hyphens.
    private static func plain(_ name: String) -> Bytewise {
        Bytewise(String(name.lowercased().filter { $0 != " " && $0 != "_" && $0 != "-" }))
    }
}

// MARK: - All videos of lists

/// What became of the videos of one list.
struct LocatedVideos {
    /// For each video of the list in turn where it is; nil where it is left out.
    var paths: [String?] = []
    var missing: [String] = []
    var undecided: [String] = []
    private var firstMissing: Int?
    private var firstUndecided: Int?
    /// The video of the list that is named first in what `refuse` throws.
    var firstAtFault: Int? { firstUndecided ?? firstMissing }

    init(_ entries: [VideoLookup.Entry], in lookup: VideoLookup) {
        for (position, entry) in entries.enumerated() {
            switch lookup.video(entry) {
            case .found(let path): paths.append(path)
            case .missing(let others):
                firstMissing = firstMissing ?? position
                paths.append(nil)
                missing.append(entry.path + (others.isEmpty ? "" : " (\(others.prefix(3).joined(separator: ", ")): of another class or split, or named by another line)"))
            case .undecided(let videos):
                firstUndecided = firstUndecided ?? position
                paths.append(nil)
                undecided.append("\(entry.path) (\(videos.prefix(3).joined(separator: " or "))\(videos.count == 1 ? ", which other lines mean as well" : "?"))")
            }
        }
    }

    /// - Throws: `videosNotFound`, `videosUndecided`.
    func refuse(list: String, root: String) throws(DatasetError) {
        if !undecided.isEmpty {
            throw DatasetError(
                path: list,
                problem: .videosUndecided(
                    first: Array(undecided.prefix(AnnotationList.shownMissingCount)), count: undecided.count, total: paths.count, root: root))
        }
        guard !missing.isEmpty else { return }
        throw DatasetError(
            path: list,
            problem: .videosNotFound(
                first: Array(missing.prefix(AnnotationList.shownMissingCount)), count: missing.count, total: paths.count, root: root))
    }

    func warnings(list: String) -> [DatasetWarning] {
        var warnings: [DatasetWarning] = []
        if let first = missing.first { warnings.append(.leftOut(list: list, first: first, count: missing.count, total: paths.count)) }
        if let first = undecided.first {
            warnings.append(.undecided(list: list, first: first, count: undecided.count, total: paths.count))
        }
        return warnings
    }
}
