import Files
import TestSupport
import Testing
import VideoData

@Suite struct WindowGridTests {
    @Test(arguments: [
        ("2s", VideoSpan.seconds(2)), ("500ms", .seconds(0.5)), ("1.5min", .seconds(90)), ("1h", .seconds(3600)), ("48f", .frames(48)),
        ("16 frames", .frames(16)), ("2 S", .seconds(2)),
    ])
    func spansAreRead(_ text: String, _ span: VideoSpan) { #expect(VideoSpan(text) == span) }

    @Test(arguments: ["", "2", "s", "-2s", "0s", "1.5f", "2x", "nans", "infs", "1e3s", "2s2s", "99999999999s", "2..5s", "0.0001s", "0.5ms", "9999999999f"])
    func otherTextsAreNone(_ text: String) { #expect(VideoSpan(text) == nil) }

    /// A video that is one window long is looked at where whole videos are.
    @Test(arguments: [(24, 8), (25, 8), (100, 16), (7, 7), (3, 8)])
    func oneWindowIsAWholeVideo(frames: Int, samples: Int) {
        let grid = WindowGrid(window: .frames(frames), stride: .frames(frames), sampleCount: samples)
        let points = grid.points(from: 0, to: Double(frames))
        #expect(points == 0..<samples)
        #expect(points.map { Int(grid.position(ofPoint: $0)) } == FrameSampler(sampleCount: samples).testIndices(frameCount: frames))
    }

    @Test func windowsShareTheirMoments() {
        let grid = WindowGrid(window: .seconds(2), stride: .seconds(1), sampleCount: 8)
        #expect(grid.points(from: 0, to: 2) == 0..<8)
        #expect(grid.points(from: 1, to: 3) == 4..<12)
        // Thirds do not end in binary.
        let thirds = WindowGrid(window: .seconds(0.3), stride: .seconds(0.1), sampleCount: 3)
        for window in 0..<10_000 {
            let bounds = thirds.bounds(ofWindow: window)
            #expect(thirds.points(from: bounds.start, to: bounds.end) == window..<window + 3)
        }
    }

    @Test func theLastWindowEndsWithTheVideo() {
        let grid = WindowGrid(window: .seconds(2), stride: .seconds(1), sampleCount: 8)
        func last(_ count: Int, _ end: Double) -> [Double]? { grid.lastWindow(after: count, end: end).map { [$0.start, $0.end] } }
        #expect(last(17, 18) == nil)
        #expect(last(17, 18.001) == nil)
        #expect(last(17, 18.5) == [16.5, 18.5])
        #expect(last(0, 0.04) == [0, 0.04])
        let gaps = WindowGrid(window: .seconds(2), stride: .seconds(10), sampleCount: 8)
        #expect(gaps.lastWindow(after: 2, end: 19) == nil)
        #expect(gaps.lastWindow(after: 2, end: 21).map { [$0.start, $0.end] } == [20, 21])
        #expect((0..<120).filter(gaps.isSeen) == [0, 1, 2, 3, 4, 5, 6, 7] + [40, 41, 42, 43, 44, 45, 46, 47] + [80, 81, 82, 83, 84, 85, 86, 87])
    }
}

@Suite struct StreamClockTests {
    /// Stamps and the times that are made of them, at 10 frames a second.
    @Test(arguments: [
        ([5.0, 5.1, 5.2], [0.0, 0.1, 0.2], 0),
        // Unequal steps are kept.
        ([0, 0.1, 2.1, 2.2], [0, 0.1, 2.1, 2.2], 0),
        // A little back through rounding: time stands still.
        ([0, 0.1, 0.05, 0.2], [0, 0.1, 0.1, 0.2], 0),
        // Joined videos: the second starts anew.
        ([0, 0.1, 0.2, -3, -2.9], [0, 0.1, 0.2, 0.3, 0.4], 1),
        // A clock that jumps by days.
        ([0, 0.1, 1e6, 1e6 + 0.1], [0, 0.1, 0.2, 0.3], 1),
    ] as [([Double], [Double], Int)])
    func times(_ stamps: [Double], _ times: [Double], _ jumps: Int) {
        var clock = StreamClock(framesPerSecond: 10)
        for (stamp, time) in zip(stamps, times) { #expect(abs(clock.time(ofStamp: stamp) - time) < 1e-6) }
        #expect(clock.jumpCount == jumps)
    }

    @Test func framesWithoutTimesFollowEachOther() {
        var clock = StreamClock(framesPerSecond: nil)
        let stamps: [Double?] = [nil, nil, .nan, nil]
        let times = stamps.map { clock.time(ofStamp: $0) }
        #expect(zip(times, [0, 0.04, 0.08, 0.12]).allSatisfy { abs($0 - $1) < 1e-9 })
        #expect(clock.missingCount == 4)
        #expect(abs(clock.end(lastDuration: nil) - 0.16) < 1e-9 && abs(clock.end(lastDuration: 1e9) - 0.16) < 1e-9)
        #expect(abs(clock.end(lastDuration: 0.5) - 0.62) < 1e-9)
    }
}

@Suite struct VideoStreamTests {
    private let folder: TemporaryDirectory
    private let path: String
    private static let frameCount = 50

    /// A video of 50 frames at 10 a second.
    init() throws {
        folder = try TemporaryDirectory()
        path = folder.path("video.mp4")
        var writer = try VideoWriter(path: path, width: 64, height: 64, framesPerSecond: 10)
        for index in 0..<Self.frameCount {
            var pixels: [UInt8] = []
            for pixel in 0..<64 * 64 {
                pixels.append(UInt8(index * 5))
                pixels.append(UInt8(pixel % 64 * 4))
                pixels.append(UInt8(pixel / 64 * 4))
            }
            try writer.append(pixels)
        }
        try writer.finish()
    }

    private func parts(_ grids: [WindowGrid], batchCount: Int = 4, path: String? = nil) throws -> [VideoPart] {
        let stream = try VideoStream(VideoStreamRequest(path: path ?? self.path, grids: grids, shortSide: 64, batchCount: batchCount))
        var parts = [try stream.next()]
        while let last = parts.last, !last.isLast { parts.append(try stream.next()) }
        let after = try stream.next()
        #expect(after.isLast && after.frames.isEmpty && after.times.isEmpty)
        return parts
    }

    /// For each moment of a grid the frame that is shown: the same pictures as by number.
    @Test(arguments: [VideoSpan.Unit.frames, .seconds]) func momentsShowTheFramesOfTheirTime(_ unit: VideoSpan.Unit) throws {
        func span(_ frames: Int) -> VideoSpan { unit == .frames ? .frames(frames) : .seconds(Double(frames) / 10) }
        let grids = [
            WindowGrid(window: span(16), stride: span(8), sampleCount: 4), WindowGrid(window: span(10), stride: span(10), sampleCount: 20),
        ]
        var video = try VideoFile(path: path)
        let pictures = try video.frames(at: Array(0..<Self.frameCount))
        let parts = try parts(grids)
        #expect(parts.allSatisfy { $0.frames.count <= 4 } && parts.dropLast().allSatisfy { !$0.isLast })
        #expect(parts.flatMap(\.times).count == Self.frameCount)
        #expect(abs((parts.last?.seconds ?? 0) - 5) < 1e-6)
        for (index, grid) in grids.enumerated() {
            var next = 0
            for frame in parts.flatMap(\.frames) {
                for point in frame.points[index] {
                    #expect(point == next)
                    let shown = Int(grid.position(ofPoint: point) * (unit == .frames ? 1 : 10) + 1e-6)
                    #expect(frame.picture == pictures[shown], "moment \(point)")
                    next += 1
                }
            }
            #expect(next == (index == 0 ? 12 : 100))
        }
    }

    @Test func gapsBetweenWindowsAreNotLookedAt() throws {
        let grid = WindowGrid(window: .seconds(0.5), stride: .seconds(2), sampleCount: 5)
        let points = try parts([grid], batchCount: 100).flatMap(\.frames).flatMap { Array($0.points[0]) }
        #expect(points == [0, 1, 2, 3, 4, 20, 21, 22, 23, 24, 40, 41, 42, 43, 44])
    }

    @Test func aVideoShorterThanAMomentIsSeen() throws {
        let short = folder.path("short.mp4")
        var writer = try VideoWriter(path: short, width: 64, height: 64, framesPerSecond: 25)
        try writer.append([UInt8](repeating: 90, count: 64 * 64 * 3))
        try writer.finish()
        let parts = try parts([WindowGrid(window: .seconds(60), stride: .seconds(30), sampleCount: 2)], path: short)
        #expect(parts.count == 1 && parts[0].frames.map(\.points) == [[0..<1]])
    }

    @Test func whatIsNoVideoIsRefused() throws {
        let grid = WindowGrid(window: .seconds(1), stride: .seconds(1), sampleCount: 2)
        func problem(_ path: String) -> String {
            do { _ = try parts([grid], path: path) } catch { return "\(error)".replacing(folder.path + "/", with: "") }
            return ""
        }
        #expect(problem(folder.path("none.mp4")) == "none.mp4: no such file. Check the path.")
        #expect(problem(try folder.write([UInt8](), to: "empty.mp4")) == "empty.mp4: is empty (0 bytes). Copy or download it again.")
        let bytes = try InputFile.contents(of: path, limit: 1 << 24)
        #expect(
            problem(try folder.write(Array(bytes.prefix(bytes.count / 2)), to: "half.mp4"))
                == "half.mp4: ends too early, after \(bytes.count / 2) bytes. The download or copy is incomplete; fetch it again.")
        #expect(problem(folder.path) != "")
    }
}

@Suite struct VideoFolderTests {
    @Test func videosAreToldByTheirEndings() throws {
        let folder = try TemporaryDirectory()
        for name in ["b.mp4", "a.MKV", "notes.txt", ".hidden.mp4", "no-ending", "sub/c.avi", "sub/deep/d.mp4", ".git/e.mp4"] {
            try createDirectory(folder.path(name).parentDirectory)
            try folder.write("x", to: name)
        }
        let flat = try VideoFolder(folder.path, recursive: false)
        #expect(flat.videos.map(\.path) == ["a.MKV", "b.mp4"].map(folder.path))
        #expect(flat.otherFileCount == 2 && flat.innerFolderCount == 1)
        let deep = try VideoFolder(folder.path, recursive: true)
        #expect(deep.videos.map(\.path) == ["a.MKV", "b.mp4", "sub/c.avi", "sub/deep/d.mp4"].map(folder.path))
        #expect(throws: FileError.self) { try VideoFolder(folder.path("none"), recursive: false) }
    }

    /// A clock in the test's hands.
    @Test func videosAreWaitedForUntilTheyAreWhole() {
        func video(_ bytes: Int, _ modified: Double, _ path: String = "a") -> FoundVideo {
            FoundVideo(path: path, byteCount: bytes, modified: modified)
        }
        var arrivals = VideoArrivals(settleSeconds: 3)
        // Written long ago: whole.
        #expect(arrivals.ready(among: [video(10, 50, "old"), video(10, 99)], now: 0, date: 100).map(\.path) == ["old"])
        arrivals.take(video(10, 50, "old"))
        // It grows, then rests.
        #expect(arrivals.ready(among: [video(10, 50, "old"), video(20, 101)], now: 2, date: 102).isEmpty)
        #expect(arrivals.ready(among: [video(10, 50, "old"), video(20, 101)], now: 4, date: 104).isEmpty)
        #expect(arrivals.waitingCount == 1)
        #expect(arrivals.ready(among: [video(10, 50, "old"), video(20, 101)], now: 5, date: 105) == [video(20, 101)])
        arrivals.take(video(20, 101))
        #expect(arrivals.ready(among: [video(10, 50, "old"), video(20, 101)], now: 50, date: 150).isEmpty && arrivals.waitingCount == 0)
        // Written anew.
        #expect(arrivals.ready(among: [video(30, 150)], now: 51, date: 151).isEmpty && arrivals.waitingCount == 1)
        // Empty files wait even if they are old: somebody may be about to fill them.
        #expect(arrivals.ready(among: [video(0, 1, "empty")], now: 60, date: 160).isEmpty)
        #expect(arrivals.ready(among: [video(0, 1, "empty")], now: 63, date: 163).count == 1)
    }
}
