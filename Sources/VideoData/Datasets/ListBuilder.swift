import Files

/// A list as it comes together line by line.
struct ListBuilder {
    private let path: String
    private var list: AnnotationList
    private let labels: ListLabels
    private var root: ListRoot
    private var repeats = RepeatedPaths()
    private var counted = CountedLabels()
    /// Of the first line with a count of frames, and of the first without.
    private var firstCounted: Int?
    private var firstUncounted: Int?
    private var hasParts = false
    /// Names in the place of labels, by position of the clip, where classes are not known.
    private var names: [Int: String] = [:]

    private let takesForeignPaths: Bool

    init(path: String, root: String, _ labels: ListLabels, takesForeignPaths: Bool) {
        self.path = path
        self.takesForeignPaths = takesForeignPaths
        self.labels = labels
        self.root = ListRoot(root)
        list = AnnotationList(path: path, root: root, clips: [])
    }

    mutating func add(line: Int, _ read: (ListLabels) throws(LineFault) -> ListLine) throws(DatasetError) {
        do {
            let found = try read(labels)
            try noteColumns(found, line: line)
            let label = try labels.label(found.label)
            if let label { counted.note(label) } else { names[list.clips.count] = found.label }
            let video = try relative(found.path)
            try checkPath(video)
            let clip = AnnotatedClip(path: video, label: label ?? 0, frameCount: found.frameCount, part: found.part)
            repeats.note(clip, line: line)
            list.clips.append(clip)
        } catch {
            throw DatasetError(path: path, line: line, problem: error.problem)
        }
        guard list.clips.count <= AnnotationList.clipLimit else {
            throw DatasetError(path: path, problem: .tooManyLines(limit: AnnotationList.clipLimit))
        }
    }

    private mutating func relative(_ path: String) throws(LineFault) -> String {
        do {
            return try root.relative(path)
        } catch {
            guard takesForeignPaths else { throw error }
            return String(decoding: path.utf8.drop { $0 == UInt8(ascii: "/") }, as: UTF8.self)
        }
    }

    /// Columns mean the same in all lines.
    private mutating func noteColumns(_ found: ListLine, line: Int) throws(LineFault) {
        hasParts = hasParts || found.part != nil
        if hasParts, firstCounted != nil || found.frameCount != nil { throw LineFault(.partAmongCounts) }
        if let count = found.frameCount {
            if count == 0 { throw LineFault(.noFramesStated(path: found.path)) }
            if let firstUncounted { throw LineFault(.threeColumns(other: firstUncounted)) }
            firstCounted = firstCounted ?? line
        } else {
            if let firstCounted { throw LineFault(.twoColumns(other: firstCounted)) }
            firstUncounted = firstUncounted ?? line
        }
    }

    func finished() throws(DatasetError) -> AnnotationList {
        guard !list.clips.isEmpty else { throw DatasetError(path: path, problem: .noClips) }
        var result = list
        result.warnings = repeats.warnings(list: path) + (counted.lastFromOne.map { [.labelsFromOne(list: path, last: $0)] } ?? [])
        guard !names.isEmpty else { return result }
        guard names.count == list.clips.count else { throw DatasetError(path: path, problem: .namesAndNumbers) }
        let sorted = Set(names.values).sorted()
        let numbers = Dictionary(uniqueKeysWithValues: zip(sorted, 0...))
        for (position, name) in names { result.clips[position].label = numbers[name] ?? 0 }
        result.labelNames = ClassNames(sorted)
        return result
    }
}

extension ListTable {
    /// How much of a list is looked at to tell its form.
    private static let lookedAtByteCount = 1 << 16

    /// The columns of the list at `path`; nil where it has lines of `path label`, or cannot be read as text.
    init?(of path: String) throws(DatasetError) {
        let text: String
        let isWhole: Bool
        do throws(FileError) {
            let file = try InputFile(path: path)
            isWhole = file.byteCount <= Self.lookedAtByteCount
            text = String(decoding: try file.bytes(at: 0, count: min(file.byteCount, Self.lookedAtByteCount)), as: UTF8.self)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        var lines = text.unicodeScalars.split { $0 == "\n" }.map { line -> String in
            String(String.UnicodeScalarView(line.first == "\u{FEFF}" ? line.dropFirst() : line)).trimmingCarriageReturn.trimmingBlanks()
        }
        if !isWhole { lines = lines.dropLast() }
        self.init(firstLines: lines.filter { !$0.isEmpty })
    }
}

extension String {
    fileprivate var trimmingCarriageReturn: String {
        unicodeScalars.last == "\r" ? String(String.UnicodeScalarView(unicodeScalars.dropLast())) : self
    }
}
