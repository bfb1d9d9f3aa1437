import Files
import VideoData

/// Videos that somebody names as a whole: a folder or archive of them, a list, or a single one.
package struct VideoCollection {
    package let list: AnnotationList
    /// What the labels stand for; nil where there are none.
    package let classes: ClassNames?
    /// Nil for a folder.
    package let listSHA256: String?

    /// - Parameters:
    ///   - path: of a folder, whose inner folders are the videos' classes, of a tar archive, a list or a video.
    ///   - labels: class names of a list; nil where its labels say enough.
    /// - Throws: `DatasetError` or `FileError`, naming the file, before any video is read.
    package init(_ path: String, labels: String?, videos: VideoInputs, context: RunContext) throws {
        if VideoFolder.isOne(path) {
            try self.init(folder: path, context: context)
        } else if VideoEndings.isShownVideo(path.lastPathComponent) || isDirectory(path) {
            guard FoundVideo(path: path) != nil else { throw FileError(path: path, problem: .missing) }
            self.init(list: AnnotationList(video: path))
        } else {
            let classes = try labels.map { try ClassNames.readTold($0, context: context) }
            let list = try AnnotationList.read(path, root: videos.root, classes: classes)
            for warning in list.warnings { context.warning(.list(warning)) }
            try list.checkFiles(followsLinks: videos.followLinks)
            self.init(list: list, classes: classes ?? list.labelNames, listSHA256: try Digest.ofFile(path))
        }
    }

    private init(list: AnnotationList, classes: ClassNames? = nil, listSHA256: String? = nil) {
        self.list = list
        self.classes = classes
        self.listSHA256 = listSHA256
    }

    private init(folder: String, context: RunContext) throws {
        let content = try VideoFolder(folder, recursive: true)
        for closed in content.closedFolders { context.warning(.data(.closedFolder(path: closed))) }
        let prefix = folder.hasSuffix("/") ? folder : folder + "/"
        let paths = content.videos.map { $0.path.hasPrefix(prefix) ? String($0.path.dropFirst(prefix.count)) : $0.path }
        guard !paths.isEmpty else { throw FileError(path: folder, problem: .notReadable(reason: "there are no videos in it")) }
        let folders = paths.map(\.parentDirectory)
        let names = Array(Set(folders.map { Bytewise($0) })).sorted().map(\.text)
        let labels = Dictionary(uniqueKeysWithValues: names.enumerated().map { (Bytewise($1), $0) })
        let clips = zip(paths, folders).map { AnnotatedClip(path: $0, label: labels[Bytewise($1)] ?? 0) }
        // Videos that lie in one folder side by side have no classes.
        self.init(list: AnnotationList(path: folder, root: folder, clips: clips), classes: names.count > 1 ? ClassNames(names) : nil)
    }
}

extension AnnotationList {
    /// One video, of which nothing is known.
    init(video path: String) {
        self.init(path: path, root: path.parentDirectory, clips: [AnnotatedClip(path: path.lastPathComponent, label: 0)])
    }
}
