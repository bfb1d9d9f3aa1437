import Files

/// A data set read from its published lists, in our form: class names, and lists of videos with labels.
package struct ImportedSet: Sendable {
    /// One list.
    package struct Part: Sendable, Equatable {
        /// `train`, `val`, `test`, or with the number of a published split: `train1`.
        package var name: String
        /// The file it came from; one of them where there are several.
        package var source: String
        package var clips: [AnnotatedClip]

        package init(name: String, source: String, clips: [AnnotatedClip]) {
            self.name = name
            self.source = source
            self.clips = clips
        }
    }

    /// The data set's name in words.
    package let kind: String
    package var classes: ClassNames
    package var parts: [Part]
    package var warnings: [DatasetWarning] = []

    init(kind: String, classes: ClassNames, parts: [Part]) {
        self.kind = kind
        self.classes = classes
        self.parts = parts
        warnings = classes.warnings
    }

    /// Reads the files of one data set.
    ///
    /// - Parameter root: of the videos that are looked for afterwards; then absolute paths of their authors' disks may
    ///   stand in lists.
    /// - Throws: `DatasetError`, with file and line where a line is at fault.
    package init(_ files: [PublishedFile], root: String? = nil) throws(DatasetError) {
        func some(_ isMeant: (PublishedFile.Form) -> Bool) -> [PublishedFile] { files.filter { isMeant($0.form) } }
        let tables = some { $0 == .kineticsTable }
        let numbered = some { $0 == .numberedNames }
        let hmdb = some { if case .hmdbSplit = $0 { true } else { false } }
        let lists = some { $0 == .clips || $0 == .paths }
        // An object of names and numbers beside lists of videos holds their class names.
        let isSomething = lists.isEmpty || files.contains { $0.form == .somethingClips || $0.form == .emptyArray }
        let something = some { isSomething && [.somethingClips, .somethingLabels, .emptyArray].contains($0) }
        let classes = some { $0 == .classTable || $0 == .classLines || !isSomething && $0 == .somethingLabels }
        let groups = [tables, numbered, hmdb, something].filter { !$0.isEmpty }
        let belongsElsewhere = !lists.isEmpty && (!tables.isEmpty || !hmdb.isEmpty || !something.isEmpty)
        guard groups.count <= 1, !belongsElsewhere, classes.count <= 1 || Self.areEqual(classes) else {
            let shown = (groups.isEmpty ? classes : groups.compactMap(\.first) + (belongsElsewhere ? [lists[0]] : []))
            throw DatasetError(
                path: files[0].path,
                problem: .mixedForms(shown.map { "\($0.path.lastPathComponent.escapedForDisplay) (\($0.formName))" }))
        }
        let names: ClassNames?
        if let file = classes.first {
            names = try ClassNames.read(file.path)
        } else {
            names = nil
        }
        if !tables.isEmpty {
            self = try .kinetics(tables, classes: names)
        } else if !numbered.isEmpty {
            self = try .ucf(lists, index: numbered)
        } else if !hmdb.isEmpty {
            self = try .hmdb(hmdb, classes: names)
        } else if !something.isEmpty {
            self = try .something(something)
        } else {
            self = try .lists(lists, classes: names, first: files[0], root: root)
        }
        // A part that nothing is in would be a list that cannot be read.
        for part in parts where part.clips.isEmpty { warnings.append(.noLabels(file: part.source)) }
        parts.removeAll(where: \.clips.isEmpty)
        guard !parts.isEmpty else { throw DatasetError(path: files[0].path, problem: .noClips) }
    }

    /// Whether files name the same classes: Open-VCLIP has names by number and numbers by name beside each other.
    private static func areEqual(_ files: [PublishedFile]) -> Bool {
        let digests = files.map { try? ClassNames.read($0.path).digest }
        return digests.allSatisfy { $0 != nil && $0 == digests[0] }
    }

    /// Puts the paths under which videos lie below `index.root` in place of the published ones.
    ///
    /// - Parameter skipsMissing: leaves out what is not there or cannot be told, with a warning, instead of refusing.
    ///   A list of which nothing is left goes, as long as another stays.
    package mutating func locate(in index: VideoIndex, skipsMissing: Bool) throws(DatasetError) {
        let entries = parts.map { part in part.clips.map { VideoLookup.Entry(path: $0.path, label: $0.part == nil ? $0.label : nil, part: part.name) } }
        let lookup = VideoLookup(entries.flatMap(\.self), classNames: classes.names, in: index)
        var nothingThere: DatasetError?
        for position in parts.indices {
            let source = parts[position].source
            let located = LocatedVideos(entries[position], in: lookup)
            let found = zip(parts[position].clips, located.paths).compactMap { clip, path in
                path.map { AnnotatedClip(path: $0, label: clip.label, frameCount: clip.frameCount(asVideo: $0, below: index.root), part: clip.part) }
            }
            do {
                try located.refuse(list: source, root: index.root)
            } catch {
                guard skipsMissing else { throw error }
                if found.isEmpty { nothingThere = nothingThere ?? error }
            }
            warnings += located.warnings(list: source)
            parts[position].clips = found
        }
        parts.removeAll(where: \.clips.isEmpty)
        if let nothingThere, parts.isEmpty { throw nothingThere }
    }

    /// Classes without any clip in a part that is learned from.
    package var emptyClassWarnings: [DatasetWarning] {
        parts.filter { $0.name.hasPrefix("train") }.compactMap { part in
            let list = AnnotationList(path: part.source, root: "", clips: part.clips)
            let counts = list.clipCounts(classCount: classes.count)
            let empty = counts.indices.filter { counts[$0] == 0 }.map { classes[$0] }
            return empty.isEmpty ? nil : .emptyClasses(names: empty)
        }
    }
}

extension DatasetError {
    /// Checks a path that was put together from a file's fields, as paths in lists are checked.
    static func checkPath(_ path: String, file: String, line: Int?) throws(DatasetError) {
        do throws(LineFault) {
            try VideoData.checkPath(path)
        } catch {
            throw DatasetError(path: file, line: line, problem: error.problem)
        }
        guard !path.utf8.contains(where: { $0 == 10 || $0 == 13 }) else {
            throw DatasetError(path: file, line: line, problem: .lineBreakInName(path))
        }
    }
}
