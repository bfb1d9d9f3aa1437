import Files

/// A data set laid out as one folder per class with films in it, or as two such folders: `train` and one of
/// `val`, `valid`, `validation`, `test`.
package struct ClassFolders: Sendable {
    /// Named after the folders, in order of their names.
    package let classes: ClassNames
    /// `folder/film label`, in order of names; only those of `train` where there are two parts.
    package let clips: [AnnotatedClip]
    /// The films of the second part, where the folder is divided already.
    package let valClips: [AnnotatedClip]?
    /// Folders without a film; they give no class.
    package let emptyFolders: [String]
    /// What is no film by its ending or no regular file; hidden files are not counted, nor lists and the like
    /// beside the class folders.
    package let otherFiles: [String]
    /// Folders inside class folders; films in them are not looked for.
    package let innerFolders: [String]
    /// Parts of a divided folder that are not used: `test` beside `train` and `val`.
    package let unusedParts: [String]

    /// - Throws: `DatasetError` where no folder holds a film.
    package init(root: String) throws(DatasetError) {
        let parts = try Self.parts(of: root)
        var found: [Part] = []
        for part in parts { found.append(try Part(root: root, prefix: part)) }
        // Folders, so their names are bytes: two that look alike give two classes.
        let names = Set<Bytewise>(texts: found.flatMap { $0.films.map(\.folder) }).sorted().map(\.text)
        guard !names.isEmpty else { throw DatasetError(path: root, problem: .noClassFolders) }
        let labels = Dictionary(zip(names.map(Bytewise.init), 0...)) { first, _ in first }
        func clips(_ part: Part) -> [AnnotatedClip] {
            part.films.compactMap { film in labels[film.folder].map { AnnotatedClip(path: film.path, label: $0) } }
        }
        var classes = ClassNames(names)
        classes.warnings = ClassNames.namesAlike(names, in: root)
            + names.filter { $0.pathBytes.count != $0.utf8.count }.map { .nameNotText(file: root, name: $0) }
        self.classes = classes
        self.clips = clips(found[0])
        valClips = found.count > 1 ? clips(found[1]) : nil
        emptyFolders = found.flatMap(\.emptyFolders)
        otherFiles = found.flatMap(\.otherFiles)
        innerFolders = found.flatMap(\.innerFolders)
        unusedParts = parts.count < 2 ? [] : try Self.entries(root).filter { name in
            !name.isHiddenName && isDirectory(root.appendingPath(name)) && !parts.contains { $0.hasSameBytes(as: name + "/") }
        }
        if self.clips.isEmpty { throw DatasetError(path: root.appendingPath(parts[0]), problem: .noClassFolders) }
    }

    /// Where class folders are: prefixes of paths below the root, ending in a slash, or one empty prefix.
    private static func parts(of root: String) throws(DatasetError) -> [String] {
        let folders = try entries(root).filter { !$0.isHiddenName && isDirectory(root.appendingPath($0)) }
        let seconds = folders.filter { ["val", "valid", "validation", "test"].contains($0.lowercased()) }
        guard let train = folders.first(where: { $0.lowercased() == "train" }), let second = seconds.last, folders.count <= 3,
            folders.count == seconds.count + 1
        else { return [""] }
        // Of val and test it is val that a run looks at.
        return [train + "/", (seconds.first { $0.lowercased() != "test" } ?? second) + "/"]
    }

    /// The class folders below one folder.
    private struct Part {
        var films: [(folder: String, path: String)] = []
        var emptyFolders: [String] = []
        var otherFiles: [String] = []
        var innerFolders: [String] = []

        init(root: String, prefix: String) throws(DatasetError) {
            let top = prefix.isEmpty ? root : root.appendingPath(prefix)
            for folder in try ClassFolders.entries(top) where !folder.isHiddenName {
                guard isDirectory(top.appendingPath(folder)) else {
                    if !ClassFolders.isList(folder) { otherFiles.append(prefix + folder) }
                    continue
                }
                let names = try ClassFolders.entries(top.appendingPath(folder)).filter { !$0.isHiddenName }
                let inner = names.filter { isDirectory(top.appendingPath(folder).appendingPath($0)) }
                let films = names.filter { ClassFolders.isFilm($0) && isRegularFile(top.appendingPath(folder).appendingPath($0)) }
                for film in films {
                    let path = prefix + folder + "/" + film
                    guard !path.utf8.contains(where: { $0 == 10 || $0 == 13 }) else {
                        throw DatasetError(path: root, problem: .lineBreakInName(path))
                    }
                    self.films.append((folder, path))
                }
                if films.isEmpty { emptyFolders.append(prefix + folder) }
                innerFolders += inner.map { prefix + folder + "/" + $0 }
                let known = Set<Bytewise>(texts: films + inner)
                otherFiles += names.filter { !known.contains($0) }.map { prefix + folder + "/" + $0 }
            }
        }
    }

    private static func entries(_ path: String) throws(DatasetError) -> [String] {
        do {
            return try directoryEntries(path)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
    }

    /// Whether a name ends as lists, class names and recipes do.
    private static func isList(_ name: String) -> Bool {
        [".txt", ".csv", ".json", ".yaml"].contains(where: name.lowercased().hasSuffix)
    }

    /// Whether a name ends as films do.
    static func isFilm(_ name: String) -> Bool {
        !name.isHiddenName && FilmEndings.isFilm(name)
    }
}
