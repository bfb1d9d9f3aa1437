import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Foundation
import Synchronization
import Tensors
import Training
import VideoData

/// Times reading videos.
struct DecodeBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Reading videos: all their frames, and evenly spaced ones as a clip has them.",
        discussion: """
              vifi-prompt bench decode
              vifi-prompt bench decode *.mp4 --threads 2
              vifi-prompt bench decode --keep videos

            Without videos of your own it makes some: H.264, 340 × 256 pixels, 300 frames.
            """)

    @Argument(help: ArgumentHelp("Videos to read.", valueName: "video"))
    var videos: [String] = []

    @Option(help: "Frames of a clip.")
    var frames = 16

    @Option(help: "Videos that are read at the same time.")
    var threads = 1

    @Option(help: ArgumentHelp("Leave the videos that were made in this folder.", valueName: "folder"))
    var keep: String?

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        try requireRange("--threads", threads, 1...1024)
    }

    private struct Report: Encodable {
        let videos: Int
        let frames: Int
        let threads: Int
        /// Of reading every frame.
        let framesPerSecond: Double
        /// Of reading a clip of evenly spaced frames, shrunk for the model.
        let clipsPerSecond: Double
        let peakBytes: Int
    }

    func run() throws {
        let folder = BenchVideos.Folder(keep: keep)
        defer { folder.remove() }
        let paths = videos.isEmpty ? try folder.make() : videos
        let pool = WorkerPool(threadCount: threads)
        var counts = [Int]()
        let whole = try timed(paths, pool: pool) { path in
            var video = try VideoFile(path: path)
            return try video.frames(at: Array(0..<video.frameCount)).count
        }
        counts = whole.results
        let reader = VideoFileReader()
        let sampler = FrameSampler(sampleCount: frames)
        let transform = ClipTransform.testing(side: 224, ClipTransform.Configuration())
        let clips = try timed(paths, pool: pool) { path in
            try reader.frames(of: path, choosing: { sampler.testIndices(frameCount: $0) }, converting: transform.shrunk).count
        }
        let report = Report(
            videos: paths.count, frames: counts.reduce(0, +), threads: threads,
            framesPerSecond: Double(counts.reduce(0, +)) / whole.seconds, clipsPerSecond: Double(paths.count) / clips.seconds,
            peakBytes: Machine.peakMemory)
        if json { return try Console.json(report) }
        Console.result(
            """
            \(report.videos) videos, \(report.frames) frames, \(threads) at a time
              every frame         \(NumberText.decimal(report.framesPerSecond, places: 0)) frames/s
              clips of \(frames) frames   \(NumberText.decimal(report.clipsPerSecond, places: 1)) clips/s
              peak memory         \(NumberText.decimal(Double(report.peakBytes) / 1e9, places: 2)) GB
            """)
    }

    /// The median of three passes over all videos.
    private func timed(
        _ paths: [String], pool: WorkerPool, _ body: @escaping @Sendable (String) throws -> Int
    ) throws -> (seconds: Double, results: [Int]) {
        var times: [Double] = []
        var counts: [Int] = []
        for _ in 0..<3 {
            let start = WorkMeter.now
            let outcomes = Mutex<[Int: Result<Int, any Error>]>([:])
            pool.parallelFor(paths.count) { _, index in
                let outcome = Result { try body(paths[index]) }
                outcomes.withLock { $0[index] = outcome }
            }
            times.append(Double(WorkMeter.now - start) * 1e-9)
            counts = try outcomes.withLock { results in try paths.indices.compactMap { try results[$0]?.get() } }
        }
        return (times.sorted()[1], counts)
    }
}

/// Videos for benches: a pattern that moves over a still one, as hard to decode as a video of its size.
enum BenchVideos {
    static let videoCount = 8

    /// A folder for videos that goes away again, unless somebody wants to keep it.
    struct Folder {
        let path: String
        private let isKept: Bool

        init(keep: String?) {
            path = keep ?? NSTemporaryDirectory().appendingPath("vifi-prompt-bench-\(ProcessInfo.processInfo.processIdentifier)")
            isKept = keep != nil
        }

        func make() throws -> [String] {
            let names = (0..<BenchVideos.videoCount).map { "video-\($0).mp4" }
            try FolderMark.claim(path, FolderKind(name: "bench", entries: names))
            Console.note("Making \(BenchVideos.videoCount) videos of 300 frames in \(path).")
            return try names.enumerated().map { index, name in
                let video = path.appendingPath(name)
                try BenchVideos.write(video, seed: UInt64(index))
                return video
            }
        }

        func remove() { if !isKept { try? FileManager.default.removeItem(atPath: path) } }
    }

    private static func write(_ path: String, seed: UInt64) throws {
        let (width, height) = (340, 256)
        var source = RandomSource(seed: seed, purpose: .video)
        // Coarse noise, so that neighboring pixels belong together as in a picture of something.
        let noise = (0..<64 * 64).map { _ in Int(source.integer(below: 200)) }
        func value(_ x: Int, _ y: Int) -> Int {
            let (column, row) = (x >> 3, y >> 3)
            func at(_ c: Int, _ r: Int) -> Int { noise[(r & 63) * 64 + (c & 63)] }
            let (fx, fy) = (x & 7, y & 7)
            let top = at(column, row) * (8 - fx) + at(column + 1, row) * fx
            let bottom = at(column, row + 1) * (8 - fx) + at(column + 1, row + 1) * fx
            return (top * (8 - fy) + bottom * fy) >> 6
        }
        var writer = try VideoWriter(path: path, width: width, height: height, framesPerSecond: 30)
        for frame in 0..<300 {
            var pixels = [UInt8](repeating: 0, count: width * height * 3)
            let (left, top) = (20 + frame % 200, 40 + (frame * 2) % 100)
            for y in 0..<height {
                for x in 0..<width {
                    let isMoving = x >= left && x < left + 110 && y >= top && y < top + 90
                    let base = isMoving ? value(x - left + 300, y - top + 100) : value(x + frame / 4, y)
                    let start = (y * width + x) * 3
                    pixels[start] = UInt8(base)
                    pixels[start + 1] = UInt8(base / 2 + 40)
                    pixels[start + 2] = UInt8(220 - base)
                }
            }
            try writer.append(pixels)
        }
        try writer.finish()
    }

    /// Clips of videos for a bench of the model, decoded and augmented by one thread ahead of their use.
    static func stream(
        _ work: BenchWork, clips count: Int
    ) throws -> (stream: ClipStream, clips: (Int) throws -> [Matrix], time: () -> Bench.VideoTime) {
        let folder = Folder(keep: nil)
        let paths = try folder.make()
        let entries = (0..<count).map { AnnotatedClip(path: paths[$0 % paths.count], label: 0) }
        let list = AnnotationList(path: folder.path, root: "", clips: entries)
        let reader = TimedReader()
        var configuration = ClipLoader.Configuration()
        configuration.threadCount = 1
        let loader = ClipLoader(
            list: list, reader: reader, sampler: FrameSampler(sampleCount: work.frameCount),
            transform: ClipTransform.training(side: work.architecture.imagePixels, ClipTransform.Configuration()), seed: 1,
            configuration: configuration)
        let stream = loader.clips()
        return (
            stream, { count in try stream.next(count).compactMap { $0.views.first?.matrix } },
            { Bench.VideoTime(decoding: reader.seconds, waiting: stream.waitingSeconds) }
        )
    }
}

/// Reads videos and adds up the processor time that it takes.
private final class TimedReader: VideoReading {
    private let reader = VideoFileReader()
    private let nanoseconds = Atomic<Int>(0)

    var seconds: Double { Double(nanoseconds.load(ordering: .relaxed)) * 1e-9 }

    func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        let start = threadTime()
        defer { nanoseconds.add(threadTime() - start, ordering: .relaxed) }
        return try reader.frames(of: path, part: part, choosing: choosing, converting: converting)
    }

    private func threadTime() -> Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
