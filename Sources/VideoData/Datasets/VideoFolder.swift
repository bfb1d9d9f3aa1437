import Files
import Glibc

/// A video on the disk, with what shows that it was changed.
package struct FoundVideo: Sendable, Equatable {
    package let path: String
    package let byteCount: Int
    /// Seconds since 1970, as the file system says.
    package let modified: Double

    package init(path: String, byteCount: Int, modified: Double) {
        self.path = path
        self.byteCount = byteCount
        self.modified = modified
    }

    /// What is there now: a file, a member of an archive or a folder of frames; nil where there is none of them.
    package init?(path: String) {
        var status = stat()
        var byteCount: Int?
        if !path.utf8.contains(0), unsafe stat(path, &status) == 0 {
            guard status.st_mode & S_IFMT == S_IFREG || StoredVideo.exists(path) else { return nil }
        } else {
            guard StoredVideo.exists(path), let (archive, name) = try? StoredVideo.archive(in: path), unsafe stat(archive.path, &status) == 0
            else { return nil }
            byteCount = archive.byteCount(of: name)
        }
        self.init(
            path: path, byteCount: byteCount ?? Int(status.st_size),
            modified: Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9)
    }

    /// Whether both are the same file, not written to in between.
    package func isUnchanged(from earlier: FoundVideo) -> Bool {
        path.hasSameBytes(as: earlier.path) && byteCount == earlier.byteCount && abs(modified - earlier.modified) < 1e-3
    }
}

/// The videos of a folder, told by their names' endings.
package struct VideoFolder: Sendable {
    /// In order of their paths, which start with the folder's.
    package private(set) var videos: [FoundVideo] = []
    /// Files that are no video by their ending; hidden ones are not counted.
    package private(set) var otherFileCount = 0
    /// Folders that were not looked into, for want of `recursive`.
    package private(set) var innerFolderCount = 0

    /// Folders in it that may not be read.
    package private(set) var closedFolders: [String] = []

    /// Whether a path is a folder or an archive of videos. A folder of frames is a video.
    package static func isOne(_ path: String) -> Bool { isDirectory(path) ? !FrameFolder.isOne(path) : TarArchive.isOne(path) }

    /// Folders inside folders that are looked into.
    private static let depthLimit = 64

    /// - Parameter recursive: looks into folders in it, too, except through links. Hidden files and folders are passed over.
    /// - Throws: `FileError` where the folder itself cannot be read; folders in it that cannot be are passed over.
    package init(_ path: String, recursive: Bool) throws(FileError) {
        if StoredVideo.isArchive(path) {
            try add(archive: .shared(path))
        } else {
            try add(path, recursive: recursive, depth: 0)
        }
        videos.sort { Bytewise($0.path) < Bytewise($1.path) }
    }

    /// Videos and folders of frames wherever they lie in an archive.
    private mutating func add(archive: TarArchive) {
        let frameFolders = archive.frameFolders
        for name in archive.fileNames where VideoEndings.isShownVideo(name.lastPathComponent) {
            if let video = FoundVideo(path: archive.path.appendingPath(name)) { videos.append(video) }
        }
        for name in frameFolders {
            if let video = FoundVideo(path: name.isEmpty ? archive.path : archive.path.appendingPath(name)) { videos.append(video) }
        }
        otherFileCount = archive.fileNames.count { !VideoEndings.isShownVideo($0.lastPathComponent) && !FrameFolder.isFrame($0.lastPathComponent) }
    }

    private mutating func add(_ folder: String, recursive: Bool, depth: Int) throws(FileError) {
        for name in try directoryEntries(folder) where !name.isHiddenName {
            let path = folder.appendingPath(name)
            var status = stat()
            guard unsafe lstat(path, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                if FrameFolder.isOne(path), let video = FoundVideo(path: path) {
                    videos.append(video)
                    continue
                }
                guard recursive, depth < Self.depthLimit else {
                    innerFolderCount += 1
                    continue
                }
                do { try add(path, recursive: true, depth: depth + 1) } catch { closedFolders.append(path) }
            } else if VideoEndings.isVideo(name), let video = FoundVideo(path: path) {
                videos.append(video)
            } else if !isDirectory(path) {
                otherFileCount += 1
            }
        }
    }
}

/// Waits for the videos of a folder to be whole.
///
/// A file is taken once it was not written to for a while. What was taken comes again only when it changed.
package struct VideoArrivals {
    /// A file that does not change for so long is whole, in seconds.
    package let settleSeconds: Double
    private var waiting: [Bytewise: (video: FoundVideo, since: Double)] = [:]
    private var taken: [Bytewise: FoundVideo] = [:]

    package init(settleSeconds: Double) { self.settleSeconds = settleSeconds }

    /// Videos that are still being written, as far as can be told.
    package var waitingCount: Int { waiting.count }

    /// Those of `videos` that are whole and new or changed; the ones written first come first.
    ///
    /// - Parameters:
    ///   - now: seconds on a clock that never goes back.
    ///   - date: seconds since 1970: what was written long before needs no waiting.
    package mutating func ready(among videos: [FoundVideo], now: Double, date: Double) -> [FoundVideo] {
        var ready: [FoundVideo] = []
        var stillWaiting: [Bytewise: (video: FoundVideo, since: Double)] = [:]
        for video in videos {
            if let known = taken[video.path], video.isUnchanged(from: known) { continue }
            let before = waiting[video.path]
            let since = before.flatMap { video.isUnchanged(from: $0.video) ? $0.since : nil } ?? now
            if now - since >= settleSeconds || before == nil && date - video.modified >= settleSeconds && video.byteCount > 0 {
                ready.append(video)
            } else {
                stillWaiting[video.path] = (video, since)
            }
        }
        waiting = stillWaiting
        return ready.sorted { ($0.modified, Bytewise($0.path)) < ($1.modified, Bytewise($1.path)) }
    }

    /// A video was dealt with and is not wanted again as it is.
    package mutating func take(_ video: FoundVideo) { taken[video.path] = video }
}
