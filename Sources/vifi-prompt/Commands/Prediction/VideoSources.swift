import Files
import Foundation
import VideoData

/// What the command line names: videos, and folders and archives of videos.
struct VideoSources {
    let videos: [String]
    let folders: [String]
    let recursive: Bool

    /// - Throws: `FileError` where a folder cannot be read. Videos that are missing are told of when their turn comes.
    init(_ paths: [String], recursive: Bool) throws {
        folders = paths.filter(VideoFolder.isOne)
        videos = paths.filter { !VideoFolder.isOne($0) }
        self.recursive = recursive
        for folder in folders { _ = try isDirectory(folder) ? directoryEntries(folder) : TarArchive.shared(folder).fileNames }
    }

    var mayBeMany: Bool { videos.count + folders.count > 1 || !folders.isEmpty }

    /// What is there at a moment.
    struct Found {
        /// Each once; those of folders in order of their paths.
        var videos: [FoundVideo] = []
        /// Folders that could not be read, and why: nobody knows what videos are in them.
        var closed: [(folder: String, error: FileError)] = []
    }

    /// Videos as they are now.
    ///
    /// - Parameter tells: says what is passed over.
    func found(tells: Bool) -> Found {
        var closed: [(folder: String, error: FileError)] = []
        var result = videos.map { FoundVideo(path: $0) ?? FoundVideo(path: $0, byteCount: 0, modified: 0) }
        for folder in folders {
            do {
                let content = try VideoFolder(folder, recursive: recursive)
                result += content.videos
                closed += content.closedFolders.map { ($0, FileError(path: $0, problem: .notReadable(reason: "this folder may not be read"))) }
                guard tells else { continue }
                var passed: [String] = []
                if content.otherFileCount > 0 { passed.append(counted(content.otherFileCount, "file that is no video", "files that are no videos")) }
                if content.innerFolderCount > 0 {
                    passed.append(counted(content.innerFolderCount, "folder", "folders") + (recursive ? "" : " (--recursive looks into them)"))
                }
                Console.note(
                    "\(folder.escapedForDisplay): \(counted(content.videos.count, "video", "videos"))"
                        + (passed.isEmpty ? "" : "; passed over: \(passed.joined(separator: ", "))"))
                for closed in content.closedFolders { Console.warning("\(closed.escapedForDisplay): may not be read; its videos are passed over") }
            } catch {
                // It was there at the start: a disk may have gone and come back.
                closed.append((folder, error))
                if tells { Console.warning(error.description) }
            }
        }
        var seen: Set<Bytewise> = []
        return Found(videos: result.filter { seen.insert($0.path) }, closed: closed)
    }
}
