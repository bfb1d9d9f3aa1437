import Files
import Foundation
import Testing

import VideoData

/// Runs a program to its end.
private func run(_ program: String, _ arguments: String...) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw MissingProgram(name: program, status: process.terminationStatus) }
}

/// Videos in archives made by the `tar` program, and folders of frames made by the `ffmpeg` program.
@Suite struct StoredVideoTests {
    private let folder: DecodingFolder

    init() throws { folder = try DecodingFolder() }

    private func problem(_ body: () throws -> Void) -> FileError.Problem? {
        do {
            try body()
        } catch let error as VideoError {
            if case .file(let file) = error.problem { return file.problem }
        } catch let error as FileError {
            return error.problem
        } catch {}
        return nil
    }

    // MARK: Frames

    /// Numbers count as numbers, so that img_10 comes behind img_9; the pixels are those that ffmpeg makes of each picture.
    @Test(arguments: ["jpg", "png", "bmp", "webp", "ppm", "tiff"])
    func framesAreReadInOrder(ending: String) throws {
        try FileManager.default.createDirectory(atPath: folder.file("clip"), withIntermediateDirectories: true)
        // By default ffmpeg puts all pictures into one animation.
        let codec = ending == "webp" ? ["-c:v", "libwebp"] : []
        try ffmpeg(pattern(64, 48, frames: 12) + codec + ["-start_number", "0", folder.file("clip/img_%d.\(ending)")])
        try folder.write([1, 2, 3], to: "clip/notes.txt")
        let video = try openVideo(folder.file("clip"))
        #expect(video.frameCount == 12 && video.info.width == 64 && video.info.height == 48 && video.info.framesPerSecond == nil)
        let frames = try video.frames(at: [11, 2, 0, 2])
        for (frame, index) in zip(frames, [11, 2, 0, 2]) {
            #expect(frame.pixels == (try referenceFrames(folder.file("clip/img_\(index).\(ending)"), width: 64, height: 48)[0]))
        }
        #expect(video.warnings.isEmpty)
    }

    @Test func namesAreOrderedByTheirNumbers() throws {
        let names = ["img_10.jpg", "img_9.jpg", "img_010.jpg", "a2b11.jpg", "a2b2.jpg", "a10b1.jpg", "img_00000000000000000000000000000000000011.jpg", "flow_x_1.jpg"]
        try FileManager.default.createDirectory(atPath: folder.file("f"), withIntermediateDirectories: true)
        for name in names { try folder.write([0], to: "f/\(name)") }
        // Sorted by hand, as `sort -V` would have it but for equal numbers; optical flow is no frame.
        #expect(
            try FrameFolder(folder.file("f"), limits: VideoLimits())?.names == [
                "a2b2.jpg", "a2b11.jpg", "a10b1.jpg", "img_9.jpg", "img_010.jpg", "img_10.jpg", "img_00000000000000000000000000000000000011.jpg",
            ])
    }

    @Test func damagedFramesGiveWayToTheirNeighbors() throws {
        try FileManager.default.createDirectory(atPath: folder.file("clip"), withIntermediateDirectories: true)
        try ffmpeg(pattern(64, 48, frames: 5) + [folder.file("clip/%03d.jpg")])
        let bytes = try readBytes(folder.file("clip/003.jpg"))
        try folder.write(Array(bytes.prefix(bytes.count / 2)), to: "clip/003.jpg")
        try folder.write(Array("<html>".utf8), to: "clip/001.jpg")
        let video = try openVideo(folder.file("clip"))
        let frames = try video.frames(at: [0, 1, 2, 3])
        #expect(frames[0] == frames[1] && frames[2] == frames[1] && frames[3] != frames[1])
        #expect(video.warnings == [.damagedFrames(count: 2), .repeatedFrames(indices: [0, 2])])
    }

    @Test func picturesObeyTheLimits() throws {
        try FileManager.default.createDirectory(atPath: folder.file("clip"), withIntermediateDirectories: true)
        try ffmpeg(pattern(64, 48, frames: 2) + [folder.file("clip/%03d.png")])
        var limits = VideoLimits()
        limits.pixelCount = 64 * 47
        #expect(throws: VideoError.self) { try openVideo(folder.file("clip"), limits: limits) }
        try FileManager.default.createDirectory(atPath: folder.file("none"), withIntermediateDirectories: true)
        #expect(throws: VideoError(path: folder.file("none"), problem: .noFrames)) { try openVideo(folder.file("none")) }
    }

    // MARK: Archives

    /// Names that need GNU's or pax's extra headers, in both forms of archives.
    @Test(arguments: ["gnu", "pax", "ustar"])
    func membersAreReadWithoutUnpacking(form: String) throws {
        let long = String(repeating: "long name ", count: form == "ustar" ? 8 : 20)
        for name in ["walk/a.mp4", "ünï/b.mp4", "\(long)/c.mp4"] {
            try FileManager.default.createDirectory(atPath: folder.file("in/" + name.parentDirectory), withIntermediateDirectories: true)
        }
        try ffmpeg(pattern(64, 48, frames: 7) + ["-pix_fmt", "yuv420p", folder.file("in/walk/a.mp4")])
        try ffmpeg(pattern(48, 64, frames: 5) + ["-pix_fmt", "yuv420p", folder.file("in/ünï/b.mp4")])
        try ffmpeg(pattern(32, 32, frames: 3) + ["-pix_fmt", "yuv420p", folder.file("in/\(long)/c.mp4")])
        try run("ln", folder.file("in/walk/a.mp4"), folder.file("in/walk/same.mp4"))
        try run("ln", "-s", "../walk/a.mp4", folder.file("in/ünï/link.mp4"))
        try run("ln", "-s", "/etc/passwd", folder.file("in/walk/out.mp4"))
        try run("ln", "-s", "../../x/../../etc/passwd", folder.file("in/walk/up.mp4"))
        try run("tar", "--format=\(form)", "-cf", folder.file("videos.tar"), "-C", folder.file("in"), ".")
        for (name, count) in [("walk/a.mp4", 7), ("ünï/b.mp4", 5), ("\(long)/c.mp4", 3), ("walk/same.mp4", 7), ("ünï/link.mp4", 7)] {
            let video = try openVideo(folder.file("videos.tar/" + name))
            let plain = try openVideo(folder.file("in/" + name))
            #expect(video.frameCount == count)
            #expect(try video.frames(at: [0, count - 1]) == plain.frames(at: [0, count - 1]))
        }
        for name in ["walk/out.mp4", "walk/up.mp4", "walk/none.mp4", "../in/walk/a.mp4", "walk"] {
            #expect(problem { _ = try openVideo(folder.file("videos.tar/" + name)) } == .missing)
        }
    }

    @Test func foldersOfFramesInArchives() throws {
        try FileManager.default.createDirectory(atPath: folder.file("in/walk/clip"), withIntermediateDirectories: true)
        try ffmpeg(pattern(64, 48, frames: 11) + ["-start_number", "1", folder.file("in/walk/clip/img_%d.png")])
        try run("tar", "-cf", folder.file("frames.tar"), "-C", folder.file("in"), "walk")
        let video = try openVideo(folder.file("frames.tar/walk/clip"))
        #expect(video.frameCount == 11)
        #expect(try video.frames(at: [9])[0].pixels == referenceFrames(folder.file("in/walk/clip/img_10.png"), width: 64, height: 48)[0])
    }

    /// The last of several members counts, as `tar -x` has it.
    @Test func theLastOfEqualNamesCounts() throws {
        try folder.write(Array("first".utf8), to: "a.mp4")
        try run("tar", "-cf", folder.file("twice.tar"), "-C", folder.path, "a.mp4")
        try folder.write(Array("second one".utf8), to: "a.mp4")
        try run("tar", "-rf", folder.file("twice.tar"), "-C", folder.path, "a.mp4")
        let archive = try TarArchive(path: folder.file("twice.tar"))
        #expect(archive.fileNames == ["a.mp4"] && archive.byteCount(of: "a.mp4") == 10)
    }

    @Test func sparseMembersAreNamed() throws {
        for (name, arguments) in [("old", ["--sparse", "--format=gnu"]), ("pax", ["--sparse", "--format=pax"])] {
            try run("truncate", "-s", "10M", folder.file("hole.mp4"))
            try run("tar", arguments[0], arguments[1], "-cf", folder.file("\(name).tar"), "-C", folder.path, "hole.mp4")
            guard case .damaged(let reason)? = problem({ _ = try openVideo(folder.file("\(name).tar/hole.mp4")) }) else {
                Issue.record("\(name): a sparse member was read")
                continue
            }
            #expect(reason.contains("sparse"))
        }
    }

    @Test func archivesThatAreNoneAreRefused() throws {
        try folder.write([UInt8](repeating: 7, count: 3000), to: "in/a.mp4".lastPathComponent)
        try run("tar", "-cf", folder.file("whole.tar"), "-C", folder.path, "a.mp4")
        let bytes = try readBytes(folder.file("whole.tar"))
        var broken = bytes
        broken[3] ^= 1
        for (name, content, words) in [
            ("cut.tar", Array(bytes.prefix(2000)), "incomplete"), ("sum.tar", broken, "not a tar archive"), ("empty.tar", [], "not a tar archive"),
            ("text.tar", Array(String(repeating: "hello ", count: 200).utf8), "not a tar archive"), ("gz.tar", [0x1F, 0x8B, 8, 0], "gzip"),
            ("zip.tar", [0x50, 0x4B, 3, 4, 0, 0], "ZIP"),
        ] {
            try folder.write(content, to: name)
            guard case .damaged(let reason)? = problem({ _ = try openVideo(folder.file("\(name)/a.mp4")) }) else {
                Issue.record("\(name) was taken for an archive")
                continue
            }
            #expect(reason.contains(words))
        }
    }

    /// Sizes that lead beyond the file or beyond all numbers, pax records that lie, names that climb.
    @Test func hostileHeadersAreRefused() throws {
        func header(_ name: String, size: String, kind: Character = "0", base256: [UInt8]? = nil) -> [UInt8] {
            var block = [UInt8](repeating: 0, count: 512)
            func put(_ text: [UInt8], _ offset: Int) { block.replaceSubrange(offset..<offset + text.count, with: text) }
            put(Array(name.utf8), 0)
            put(base256 ?? Array(size.utf8), 124)
            put([kind.asciiValue ?? 0x30], 156)
            put(Array("ustar\u{0}00".utf8), 257)
            put([UInt8](repeating: 0x20, count: 8), 148)
            let sum = block.reduce(0) { $0 + Int($1) }
            put(Array(String(sum, radix: 8).utf8) + [0], 148)
            return block
        }
        func padded(_ text: String) -> [UInt8] { Array(text.utf8) + [UInt8](repeating: 0, count: 512 - text.utf8.count) }
        let end = [UInt8](repeating: 0, count: 1024)
        for (name, content) in [
            ("far", header("a.mp4", size: "77777777777") + end),
            ("huge", header("a.mp4", size: "", base256: [0x80] + [UInt8](repeating: 0xFF, count: 11)) + end),
            ("pax-size", header("x", size: "00000000026", kind: "x") + padded("22 size=99999999999999\n") + header("a.mp4", size: "1") + end),
            ("pax-length", header("x", size: "00000000024", kind: "x") + padded("99 path=climbs out 12\n") + header("a.mp4", size: "0") + end),
            ("letters", header("a.mp4", size: "12345x") + end),
            ("long", header("././@LongLink", size: "00000777777", kind: "L") + end),
        ] {
            try folder.write(content, to: "\(name).tar")
            #expect(throws: FileError.self, "\(name)") { try TarArchive(path: folder.file("\(name).tar")) }
        }
        // Names that leave the archive are passed over; the rest is read.
        let climbing = header("../a.mp4", size: "0") + header("/b.mp4", size: "0") + header("c/./d.mp4", size: "0") + header("x/../../e.mp4", size: "0")
        try folder.write(climbing + end, to: "climb.tar")
        #expect(try TarArchive(path: folder.file("climb.tar")).fileNames == ["c/d.mp4"])
        // A link that leads to itself ends.
        var loop = header("loop.mp4", size: "0", kind: "2")
        loop.replaceSubrange(157..<165, with: Array("loop.mp4".utf8))
        loop.replaceSubrange(148..<156, with: [UInt8](repeating: 0x20, count: 8))
        let sum = String(loop.reduce(0) { $0 + Int($1) }, radix: 8)
        loop.replaceSubrange(148..<155, with: Array(String(repeating: "0", count: 6 - sum.count).utf8) + Array(sum.utf8) + [0])
        try folder.write(loop + end, to: "loop.tar")
        #expect(try !TarArchive(path: folder.file("loop.tar")).contains("loop.mp4"))
    }

    /// Mutated archives never trap.
    @Test func mutatedArchivesEndInErrors() throws {
        try folder.write([UInt8](repeating: 7, count: 700), to: "a.mp4")
        try folder.write([UInt8](repeating: 9, count: 100), to: String(repeating: "b", count: 120) + ".mp4")
        for form in ["gnu", "pax"] {
            try run("tar", "--format=\(form)", "-cf", folder.file("m.tar"), "-C", folder.path, "a.mp4", String(repeating: "b", count: 120) + ".mp4")
            let bytes = try readBytes(folder.file("m.tar"))
            var random = TestRandom(state: 11)
            for _ in 0..<300 {
                var changed = bytes
                for _ in 0..<Int.random(in: 1...4, using: &random) {
                    changed[Int.random(in: 0..<min(4096, changed.count), using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                try folder.write(changed, to: "changed.tar")
                _ = try? TarArchive(path: folder.file("changed.tar")).fileNames.count
            }
        }
    }

    // MARK: Lists

    @Test func listsStartFromAnArchive() throws {
        try FileManager.default.createDirectory(atPath: folder.file("in/walk"), withIntermediateDirectories: true)
        try ffmpeg(pattern(64, 48, frames: 6) + ["-pix_fmt", "yuv420p", folder.file("in/walk/a.mp4")])
        try run("tar", "-cf", folder.file("videos.tar"), "-C", folder.file("in"), "walk")
        try folder.write(Array("walk/a.mp4 0\n".utf8), to: "list.txt")
        let list = try AnnotationList.read(folder.file("list.txt"), root: folder.file("videos.tar"))
        try list.checkFiles()
        let frames = try VideoFileReader().frames(of: list.videoPath(list.clips[0]), choosing: { Array(0..<$0) }, converting: { $0 })
        #expect(frames.count == 6)
        try folder.write(Array("walk/b.mp4 0\n".utf8), to: "list.txt")
        let missing = try AnnotationList.read(folder.file("list.txt"), root: folder.file("videos.tar"))
        #expect(
            datasetProblem { try missing.checkFiles() }?.problem
                == .missingFiles(first: ["walk/b.mp4"], count: 1, total: 1, root: folder.file("videos.tar")))
    }

    @Test func numbersOfFramesAreHeldAgainstTheVideo() throws {
        try ffmpeg(pattern(64, 48, frames: 24) + ["-pix_fmt", "yuv420p", folder.file("a.mp4")])
        for (stated, isTaken) in [(24, true), (23, true), (1, false), (9999, false), (12, false)] {
            try folder.write(Array("a.mp4 \(stated) 0\n".utf8), to: "list.txt")
            let found = datasetProblem { try AnnotationList.read(folder.file("list.txt")).checkFiles() }?.problem
            #expect(found == (isTaken ? nil : .otherFrameCount("a.mp4", stated: stated, found: 24)))
        }
        try folder.write(Array("a.mp4 0 2\n".utf8), to: "list.txt")
        #expect(datasetProblem { _ = try AnnotationList.read(folder.file("list.txt")) }?.problem == .noFramesStated(path: "a.mp4"))
    }

    @Test func streamsGoThroughFolders() throws {
        try FileManager.default.createDirectory(atPath: folder.file("clip"), withIntermediateDirectories: true)
        try ffmpeg(pattern(64, 48, frames: 50) + [folder.file("clip/%03d.jpg")])
        try ffmpeg(["-framerate", "25", "-i", folder.file("clip/%03d.jpg"), "-c:v", "copy", folder.file("clip.mkv")])
        let grids = [WindowGrid(window: .seconds(1), stride: .seconds(0.5), sampleCount: 4)]
        func pictures(_ path: String) throws -> [([Range<Int>], VideoFrame)] {
            let stream = try openVideoStream(VideoStreamRequest(path: path, grids: grids, shortSide: 48, batchCount: 3))
            var result: [([Range<Int>], VideoFrame)] = []
            while true {
                let part = try stream.next()
                result += part.frames.map { ($0.points, $0.picture) }
                if part.isLast { return result }
            }
        }
        let (folderParts, videoParts) = (try pictures(folder.file("clip")), try pictures(folder.file("clip.mkv")))
        #expect(folderParts.count == 8 && folderParts.map(\.0) == videoParts.map(\.0) && folderParts.map(\.1) == videoParts.map(\.1))
    }
}
