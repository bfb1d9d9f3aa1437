import Files
import Foundation
import Glibc
import Testing
import VideoData

/// Files that are broken, hostile or something else. Labels as in the list of cases, V1 to V15.
@Suite struct DecodingHostileTests {
    @Test(arguments: [
        ("empty.mp4", "", "empty.mp4: is empty (0 bytes). Copy or download it again."),
        ("text.mp4", "hello\nworld\n", "text.mp4: is a text file, not a video."),
        (
            "page.mp4", "\n<!DOCTYPE html><html><body>404</body></html>",
            "page.mp4: is a web page (HTML), probably a server's message instead of the download, not a video."
        ),
        (
            "pointer.mp4", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
            "pointer.mp4: is a Git LFS pointer (a note that stands for the real file; run: git lfs pull), not a video."
        ),
        (
            "list.mp4", "ffconcat version 1.0\nfile /etc/passwd\n",
            "list.mp4: is an ffconcat list, which only names other files; those are never opened. Give the video file itself."
        ),
        (
            "live.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n/etc/passwd\n#EXT-X-ENDLIST\n",
            "live.mp4: is an HLS playlist, which only names other files; those are never opened. Give the video file itself."
        ),
    ])
    func notAVideo(_ name: String, _ contents: String, _ words: String) throws {  // V1, V11
        let folder = try DecodingFolder()
        let path = try folder.write(Array(contents.utf8), to: name)
        let error = try #require(refusal(path))
        #expect(error.description == folder.file("") + words)
        #expect(error.exitStatus == .badData)
    }

    @Test func zerosAndNoise() throws {  // V1
        let folder = try DecodingFolder()
        let zeros = try folder.write([UInt8](repeating: 0, count: 100_000), to: "zeros.mp4")
        #expect(refusal(zeros)?.problem == .notVideo(what: "filled with zero bytes"))
        var random = TestRandom(state: 1)
        let noise = try folder.write((0..<100_000).map { _ in UInt8.random(in: 0...255, using: &random) }, to: "noise.mp4")
        #expect(refusal(noise) != nil)
    }

    /// Other ways to name files: external tracks, image sequences, playlists behind other headers.
    @Test func nothingElseIsOpened() throws {  // V11
        let folder = try DecodingFolder()
        for (name, text) in [
            ("a.mp4", "#EXTM3U\n"), ("b.mp4", "\n\nffconcat version 1.0\nfile a.mp4\n"),
            ("c.mp4", "<?xml version=\"1.0\"?><MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\"></MPD>"),
            ("d.mp4", "v=0\no=- 0 0 IN IP4 127.0.0.1\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n"),
            ("concat:a|b.mp4", "ffconcat version 1.0\nfile http://127.0.0.1/x\n"),
        ] {
            #expect(refusal(try folder.write(Array(text.utf8), to: name)) != nil)
        }
        for name in ["http://127.0.0.1:9/a.mp4", "concat:/etc/passwd|/etc/hosts", "-i", "pipe:0", "file:/etc/passwd"] {
            guard case .file(let error) = refusal(name)?.problem else {
                Issue.record("\(name) was not taken as a plain file name")
                continue
            }
            #expect(error.problem == .missing)
        }
    }

    /// V2: the table of contents is at the end, and the end is missing.
    @Test func halfAFile() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + ["-c:v", "libx264", folder.file("whole.mp4")])
        let bytes = try readBytes(folder.file("whole.mp4"))
        let path = try folder.write(Array(bytes[..<(bytes.count / 2)]), to: "half.mp4")
        let error = try #require(refusal(path))
        #expect(error.problem == .incompleteDownload(byteCount: bytes.count / 2))
        #expect(
            error.description == "\(path): ends too early, after \(bytes.count / 2) bytes. "
                + "The download or copy is incomplete; fetch it again.")
    }

    /// V3: the table of contents promises more than is there.
    @Test(arguments: [0.3, 0.5, 0.7, 0.9])
    func cutOffAfterTheTableOfContents(_ part: Double) throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + ["-c:v", "libx264", "-g", "10", "-movflags", "+faststart", folder.file("whole.mp4")])
        let bytes = try readBytes(folder.file("whole.mp4"))
        let path = try folder.write(Array(bytes[..<Int(Double(bytes.count) * part)]), to: "part.mp4")
        do throws(VideoError) {
            var video = try VideoFile(path: path)
            let frames = try video.frames(at: [0, video.frameCount - 1])
            #expect(frames.count == 2 && (1..<30).contains(video.frameCount))
            #expect(video.warnings.contains(.fewerFramesThanDeclared(declared: 30, found: video.frameCount)))
        } catch {
            #expect(error.problem == .incompleteDownload(byteCount: Int(Double(bytes.count) * part)))
        }
    }

    @Test func onlyTheTableOfContents() throws {  // V3, at its worst
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + ["-c:v", "libx264", "-movflags", "+faststart", folder.file("whole.mp4")])
        let bytes = try readBytes(folder.file("whole.mp4"))
        let start = try #require(bytes.indices.first { bytes[$0...].starts(with: Array("mdat".utf8)) })
        let path = try folder.write(Array(bytes[..<(start + 100)]), to: "part.mp4")
        #expect(refusal(path)?.problem == .incompleteDownload(byteCount: start + 100))
    }

    /// V4: flipped bytes. Whatever comes out, it comes in time, in full and without a crash.
    @Test(arguments: ["libx264 a.mp4", "mpeg4 a.avi", "libvpx-vp9 a.webm", "mpeg2video a.ts", "libx265 a.mkv", "ffv1 a.mkv", "mjpeg a.mov"])
    func flippedBytes(_ kind: String) throws {
        let folder = try DecodingFolder()
        let parts = kind.split(separator: " ").map(String.init)
        let name = parts[1]
        try ffmpeg(pattern(96, 64, frames: 30) + ["-c:v", parts[0], "-g", "10", folder.file(name)])
        let bytes = try readBytes(folder.file(name))
        var openedCount = 0
        for seed in 1...20 {
            var random = TestRandom(state: UInt64(seed))
            var damaged = bytes
            for _ in 0..<40 {
                // The second half of the cases spares the headers.
                let first = seed > 10 ? min(3000, bytes.count / 3) : 0
                damaged[Int.random(in: first..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            let path = try folder.write(damaged, to: "damaged-\(name)")
            do throws(VideoError) {
                var video = try VideoFile(path: path)
                let indices = [0, video.frameCount / 2, video.frameCount - 1]
                let frames = try video.frames(at: indices)
                #expect(frames.count == 3)
                // The same question again, and to another reader, has the same answer.
                _ = try video.frames(at: [video.frameCount / 3])
                #expect(try video.frames(at: indices) == frames, "seed \(seed)")
                var other = try VideoFile(path: path)
                #expect(try other.frames(at: indices) == frames, "seed \(seed)")
                openedCount += 1
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
        #expect(openedCount > 0)
    }

    /// V4: frames that are gone show the last one before them, and the file says so.
    @Test func lostFramesAreRepeated() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + ["-c:v", "mjpeg", folder.file("a.mov")])
        var bytes = try readBytes(folder.file("a.mov"))
        let starts = bytes.indices.filter { bytes[$0...].starts(with: [0xff, 0xd8, 0xff]) }
        try #require(starts.count == 30)
        for index in starts[20]..<starts[23] { bytes[index] = 0 }
        var video = try VideoFile(path: folder.write(bytes, to: "b.mov"))
        #expect(video.frameCount == 30 && video.warnings.isEmpty)
        let frames = try video.frames(at: [19, 20, 22, 23])
        #expect(frames[1] == frames[0] && frames[2] == frames[0] && frames[3] != frames[0])
        #expect(video.warnings == [.damagedFrames(count: 3), .repeatedFrames(indices: [20, 22])])
        // The answer does not depend on what was asked before.
        var fresh = try VideoFile(path: folder.file("b.mov"))
        #expect(try fresh.frames(at: [22]) == [frames[0]])
    }

    /// V5: fewer frames than a clip needs: every index is there to repeat.
    @Test func oneFrame() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 1) + ["-c:v", "libx264", folder.file("one.mp4")])
        var video = try VideoFile(path: folder.file("one.mp4"))
        let frames = try video.frames(at: [Int](repeating: 0, count: 16))
        #expect(video.frameCount == 1 && frames.count == 16 && frames.allSatisfy { $0 == frames[0] })
        #expect(throws: VideoError(path: video.path, problem: .noSuchFrame(index: 1, frameCount: 1))) {
            try video.frames(at: [0, 1])
        }
        #expect(throws: VideoError.self) { try video.frames(at: [-1]) }
        #expect(try video.frames(at: []) == [])
    }

    /// V6.
    @Test func soundAndCoverArt() throws {
        let folder = try DecodingFolder()
        try ffmpeg(["-f", "lavfi", "-i", "sine", "-t", "1", "-c:a", "aac", folder.file("sound.mp4")])
        #expect(refusal(folder.file("sound.mp4"))?.problem == .onlySound)
        try ffmpeg(pattern(64, 64, frames: 1) + [folder.file("cover.png")])
        try ffmpeg([
            "-i", folder.file("sound.mp4"), "-i", folder.file("cover.png"), "-map", "0", "-map", "1", "-c", "copy",
            "-disposition:v", "attached_pic", folder.file("cover.m4a"),
        ])
        #expect(refusal(folder.file("cover.m4a"))?.problem == .onlyCoverArt)
        // A cover beside a video does not count.
        try ffmpeg(pattern(96, 64, frames: 5) + ["-c:v", "libx264", folder.file("video.mp4")])
        try ffmpeg([
            "-i", folder.file("cover.png"), "-i", folder.file("video.mp4"), "-map", "0", "-map", "1", "-c", "copy",
            "-disposition:v:0", "attached_pic", folder.file("both.mp4"),
        ])
        let video = try VideoFile(path: folder.file("both.mp4"))
        #expect(video.info.width == 96 && video.frameCount == 5)
    }

    /// V10: a header that claims 65,000 × 65,000 leads to a refusal or to the true size.
    @Test(arguments: ["libx264 a.mp4", "mjpeg a.mov", "ffv1 a.mkv", "png a.mov", "libvpx a.ivf", "mpeg4 a.avi"])
    func enormousPictures(_ kind: String) throws {
        let folder = try DecodingFolder()
        let parts = kind.split(separator: " ").map(String.init)
        // An unusual size, so that its bytes are easy to find.
        try ffmpeg(pattern(234, 186, frames: 3) + ["-c:v", parts[0], folder.file(parts[1])])
        var bytes = try readBytes(folder.file(parts[1]))
        for (side, claim) in [(UInt8(234), [0xfd, 0xe8] as [UInt8]), (186, [0xfd, 0xe8])] {
            for index in bytes.indices.dropLast() where bytes[index] == 0 && bytes[index + 1] == side {
                bytes[index] = claim[0]
                bytes[index + 1] = claim[1]
            }
            for index in bytes.indices.dropLast() where bytes[index] == side && bytes[index + 1] == 0 {
                bytes[index] = claim[1]
                bytes[index + 1] = claim[0]
            }
        }
        let path = try folder.write(bytes, to: "huge-" + parts[1])
        do throws(VideoError) {
            let video = try VideoFile(path: path)
            #expect(video.info.width == 234 && video.info.height == 186)
        } catch {
            #expect(!error.description.isEmpty)
        }
    }

    /// V13.
    @Test func absurdHeaders() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 5) + ["-c:v", "libx264", folder.file("a.mkv")])
        var slow = try readBytes(folder.file("a.mkv"))
        // Matroska's Duration: identifier 0x4489, length 8, milliseconds as a double.
        let place = try #require(slow.indices.first { slow[$0...].starts(with: [0x44, 0x89, 0x88]) })
        let claim = 1e12.bitPattern
        for byte in 0..<8 { slow[place + 3 + byte] = UInt8(truncatingIfNeeded: claim >> UInt64(56 - 8 * byte)) }
        var video = try VideoFile(path: folder.write(slow, to: "slow.mkv"))
        #expect(video.frameCount == 5 && video.info.durationSeconds == nil)
        #expect(video.warnings.contains { if case .absurdDuration = $0 { true } else { false } })
        #expect(try video.frames(at: [4]).count == 1)

        // Matroska's DefaultDuration: identifier 0x23e383, length 4, nanoseconds; 1,000 are a million frames a second.
        var quick = try readBytes(folder.file("a.mkv"))
        let rate = try #require(quick.indices.first { quick[$0...].starts(with: [0x23, 0xe3, 0x83, 0x84]) })
        quick.replaceSubrange(rate + 4..<rate + 8, with: [0, 0, 3, 0xe8])
        var fast = try VideoFile(path: folder.write(quick, to: "fast.mkv"))
        #expect(fast.frameCount == 5 && fast.info.framesPerSecond == nil)
        #expect(fast.warnings.contains { if case .absurdRate = $0 { true } else { false } })
        #expect(try fast.frames(at: [4]).count == 1)
    }

    /// V15.
    @Test func notRegularFiles() throws {
        let folder = try DecodingFolder()
        #expect(mkfifo(folder.file("pipe.mp4"), 0o600) == 0)
        for (path, kind) in [(folder.file("pipe.mp4"), "a FIFO"), (folder.path, "a directory"), ("/dev/zero", "a device")] {
            #expect(refusal(path)?.problem == .file(FileError(path: path, problem: .notRegular(kind: kind))))
        }
        #expect(refusal(folder.file("absent.mp4"))?.exitStatus == .missingInput)
    }

    @Test func limits() throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 30) + ["-c:v", "libx264", folder.file("a.mp4")])
        var limits = VideoLimits()
        limits.packetCount = 29
        #expect(
            refusal(folder.file("a.mp4"), limits: limits)?.problem == .tooLarge(what: "packets", value: 30, limit: 29))
        limits = VideoLimits()
        limits.pixelCount = 96 * 64 - 1
        #expect(
            refusal(folder.file("a.mp4"), limits: limits)?.problem
                == .tooLarge(what: "pixels in a frame", value: 96 * 64, limit: 96 * 64 - 1))
        limits = VideoLimits()
        limits.decodedPixelCount = 96 * 64 - 1
        #expect(
            refusal(folder.file("a.mp4"), limits: limits)?.problem
                == .tooLarge(what: "pixels to decode", value: 96 * 64, limit: 96 * 64 - 1))
        limits = VideoLimits()
        limits.streamCount = 1
        try ffmpeg(["-f", "lavfi", "-i", "sine"] + pattern(96, 64, frames: 5) + ["-t", "1", folder.file("two.mp4")])
        #expect(
            refusal(folder.file("two.mp4"), limits: limits)?.problem == .tooLarge(what: "streams", value: 2, limit: 1))
    }
}
