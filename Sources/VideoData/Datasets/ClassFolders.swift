import Files

/// A data set laid out as one folder per class with films in it.
package struct ClassFolders: Sendable {
    /// Endings of the files that count as films, in lower case.
    package static let filmEndings: Set<String> = [
        "3gp", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "ts", "webm", "wmv",
    ]

    /// Named after the folders, in order of their names.
    package let classes: ClassNames
    /// `folder/film label`, in order of names.
    package let clips: [AnnotatedClip]
    /// Folders without a film; they give no class.
    package let emptyFolders: [String]

    /// - Throws: `DatasetError` where no folder holds a film.
    package init(root: String) throws(DatasetError) {
        var names: [String] = []
        var clips: [AnnotatedClip] = []
        var emptyFolders: [String] = []
        for folder in try Self.entries(root) where isDirectory(root.appendingPath(folder)) && folder.first != "." {
            let films = try Self.entries(root.appendingPath(folder)).filter(Self.isFilm)
            if films.isEmpty {
                emptyFolders.append(folder)
                continue
            }
            for film in films {
                let path = folder + "/" + film
                guard !path.utf8.contains(where: { $0 == 10 || $0 == 13 }) else {
                    throw DatasetError(path: root, problem: .lineBreakInName(path))
                }
                clips.append(AnnotatedClip(path: path, label: names.count))
            }
            names.append(folder)
        }
        guard !names.isEmpty else { throw DatasetError(path: root, problem: .noClassFolders) }
        classes = ClassNames(names)
        self.clips = clips
        self.emptyFolders = emptyFolders
    }

    private static func entries(_ path: String) throws(DatasetError) -> [String] {
        do {
            return try directoryEntries(path)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
    }

    private static func isFilm(_ name: String) -> Bool {
        guard name.first != ".", let dot = name.lastIndex(of: ".") else { return false }
        return filmEndings.contains(name[name.index(after: dot)...].lowercased())
    }
}
