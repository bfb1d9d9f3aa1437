import Files
import Foundation
import Synchronization
import Testing

import VideoData

/// Videos made of numbers: video `N/x` has N frames; `bad` in the path fails to open.
private final class FakeVideos: VideoReading {
    struct Broken: ReportableError {
        let path: String
        var exitStatus: Files.ExitStatus { .badData }
        var description: String { "\(path): broken" }
    }

    let reads = Mutex<[String: Int]>([:])
    /// Frames from here on do not decode.
    let brokenFrom: Int

    init(brokenFrom: Int = .max) { self.brokenFrom = brokenFrom }

    func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        reads.withLock { $0[path, default: 0] += 1 }
        if path.contains("bad") { throw Broken(path: path) }
        if path.contains("scarce") { throw FileError(path: path, problem: .shortage(.openFiles(limit: 10))) }
        if path.contains("disk") { throw FileError(path: path, problem: .readFailed(reason: "Input/output error")) }
        let frameCount = Int(path.split(separator: "/").dropLast().last ?? "") ?? 10
        let indices = choosing(frameCount)
        if indices.contains(where: { $0 >= brokenFrom }) { throw Broken(path: path) }
        usleep(UInt32(path.utf8.reduce(0) { $0 + Int($1) } % 5) * 200)
        return indices.map { converting(pattern(width: 36, height: 27, shift: $0 * 3)) }
    }
}

@Suite struct ClipLoaderTests {
    private func list(_ paths: [String]) -> AnnotationList {
        AnnotationList(
            path: "list.txt", root: "/videos",
            clips: paths.enumerated().map { AnnotatedClip(path: $0.element, label: $0.offset) })
    }

    private func loader(
        _ paths: [String], _ videos: FakeVideos = FakeVideos(), seed: UInt64 = 1,
        transform: ClipTransform = .training(side: 16), sampler: FrameSampler = FrameSampler(sampleCount: 4),
        _ change: (inout ClipLoader.Configuration) -> Void = { _ in }
    ) -> ClipLoader {
        var configuration = ClipLoader.Configuration()
        change(&configuration)
        return ClipLoader(
            list: list(paths), reader: videos, sampler: sampler, transform: transform, seed: seed,
            configuration: configuration)
    }

    private let paths = (0..<25).map { "\($0 % 7 + 1)/\($0).mp4" }

    private func all(_ stream: ClipStream) throws -> [LoadedClip] { try stream.next(.max) }

    /// What the machine does not grant is no video's fault: no other video is learned from in its place.
    @Test(arguments: ["scarce", "disk"], [BadVideoPolicy.skip, .replace])
    func whatTheMachineLacksEndsARun(_ name: String, _ policy: BadVideoPolicy) {
        let loader = loader(["3/a.mp4", "4/\(name).mp4", "5/b.mp4"]) {
            $0.badVideoPolicy = policy
            $0.badVideoShare = 1
        }
        #expect(throws: FileError.self) { try all(loader.clips()) }
        #expect(loader.badVideos.all.isEmpty)
    }

    @Test func eachEpochHasEveryClipOnceInItsOwnOrder() throws {
        let loader = loader(paths)
        let epochs = try (0..<3).map { try all(loader.clips(epoch: $0)).map(\.index) }
        for (epoch, order) in epochs.enumerated() {
            #expect(order.sorted() == Array(0..<25))
            #expect(order == loader.trainingOrder(epoch: epoch))
        }
        #expect(Set(epochs).count == 3)
    }

    /// Threads, queue and cache change the speed and nothing else.
    @Test(arguments: [(0, 1, 0), (1, 1, 0), (3, 2, 0), (4, 8, 1 << 24), (2, 8, 300_000)])
    func resultsDoNotDependOnThreadsOrCache(threadCount: Int, queue: Int, cacheBytes: Int) throws {
        let plain = loader(paths) { $0.threadCount = 0 }
        let other = loader(paths) {
            $0.threadCount = threadCount
            $0.queuedClipCount = queue
            $0.cacheByteBudget = cacheBytes
        }
        for epoch in 0..<3 {
            let expected = try all(plain.clips(epoch: epoch))
            let found = try all(other.clips(epoch: epoch))
            #expect(found.map(\.index) == expected.map(\.index))
            #expect(found.map(\.label) == expected.map(\.label))
            #expect(found.map(\.views) == expected.map(\.views))
        }
        #expect(other.cache.byteCount <= cacheBytes)
    }

    @Test func aPartOfAnEpochIsThatPart() throws {
        let loader = loader(paths)
        let whole = try all(loader.clips(epoch: 2))
        let rest = try all(loader.clips(at: Array(loader.trainingOrder(epoch: 2)[10...]), epoch: 2))
        #expect(rest.map(\.views) == whole[10...].map(\.views))
    }

    @Test func shortVideosAreReadOnce() throws {
        let videos = FakeVideos()
        let loader = loader(paths, videos) { $0.cacheByteBudget = 1 << 24 }
        for epoch in 0..<4 { _ = try all(loader.clips(epoch: epoch)) }
        let reads = videos.reads.withLock { $0 }
        #expect(reads.count == 25 && Set(reads.values) == [1])
    }

    @Test func longVideosAreNotKeptWhole() throws {
        let videos = FakeVideos()
        let loader = loader(["50/a.mp4"], videos) {
            $0.cacheByteBudget = 1 << 24
            $0.cachedFrameLimit = 40
        }
        for epoch in 0..<3 { _ = try all(loader.clips(epoch: epoch)) }
        #expect(videos.reads.withLock { $0["/videos/50/a.mp4"] } == 3)
        #expect(loader.cache.byteCount == 0)
    }

    /// Whether the end of a video matters must not depend on the room in the cache.
    @Test func aBrokenEndMattersOnlyWhereItIsUsed() throws {
        for cacheBytes in [0, 1 << 24] {
            var sampler = FrameSampler(sampleCount: 4)
            sampler.missesTail = true
            let loader = loader(["9/a.mp4"], FakeVideos(brokenFrom: 8), sampler: sampler) { $0.cacheByteBudget = cacheBytes }
            #expect(try all(loader.clips()).count == 1)  // frames up to 7 only: ⌊9/4⌋ · 4 = 8
        }
    }

    @Test func testingYieldsAllViewsInOrder() throws {
        let videos = FakeVideos()
        let loader = loader(["40/a.mp4", "3/b.mp4"], videos, transform: .testing(side: 16, crops: 3)) {
            $0.viewCount = 4
            $0.cacheByteBudget = 1 << 24
        }
        let clips = try all(loader.clips())
        #expect(clips.map(\.index) == [0, 1] && loader.viewsPerVideo == 12)
        #expect(clips.allSatisfy { $0.views.count == 12 })
        // Crop by crop, within each the views in time.
        let sampler = FrameSampler(sampleCount: 4)
        let key = ClipKey(seed: 1, epoch: 0, clip: 0)
        for view in 0..<4 {
            let indices = sampler.testIndices(frameCount: 40, view: view, viewCount: 4)
            let crops = ClipTransform.testing(side: 16, crops: 3)
                .clips(from: indices.map { pattern(width: 36, height: 27, shift: $0 * 3) }, key: key)
            for crop in 0..<3 { #expect(clips[0].views[crop * 4 + view] == crops[crop]) }
        }
        #expect(try all(loader.clips()).map(\.views) == clips.map(\.views))
        #expect(videos.reads.withLock { Set($0.values) } == [1])
    }

    /// Several views in time may be drawn by chance, anew for each video and the same for each seed.
    @Test func viewsMayBeDrawn() throws {
        func views(seed: UInt64, drawn: Bool, clips: Int = 4) throws -> [[PreparedClip]] {
            let loader = loader(["40/a.mp4", "41/b.mp4"], seed: seed, transform: .testing(side: 16)) {
                $0.viewCount = clips
                $0.drawsViews = drawn
            }
            return try all(loader.clips()).map(\.views)
        }
        #expect(try views(seed: 1, drawn: true) == views(seed: 1, drawn: true))
        #expect(try views(seed: 1, drawn: true) != views(seed: 2, drawn: true))
        #expect(try views(seed: 1, drawn: false) == views(seed: 2, drawn: false))
        #expect(try views(seed: 1, drawn: true) != views(seed: 1, drawn: false))
    }

    @Test func failingStopsAtTheVideo() throws {
        let loader = loader(["5/a", "5/bad", "5/c"], transform: .testing(side: 16))
        let stream = loader.clips()
        #expect(try stream.next()?.index == 0)
        #expect(throws: FakeVideos.Broken.self) { try stream.next() }
    }

    @Test func skippingGoesOn() throws {
        let loader = loader(["5/a", "5/bad", "5/c"], transform: .testing(side: 16)) { $0.badVideoPolicy = .skip }
        #expect(try all(loader.clips()).map(\.index) == [0, 2])
        #expect(loader.badVideos.all == [BadVideo(path: "/videos/5/bad", reason: "/videos/5/bad: broken")])
    }

    @Test(arguments: [0, 3])
    func replacingDependsOnSeedEpochAndIndexOnly(threadCount: Int) throws {
        let videos = paths + ["5/bad"]
        func replaced(_ epoch: Int, seed: UInt64 = 1, threads: Int) throws -> Int? {
            let loader = loader(videos, seed: seed) {
                $0.badVideoPolicy = .replace
                $0.threadCount = threads
            }
            let clips = try all(loader.clips(epoch: epoch))
            #expect(clips.count == 26)
            let clip = clips.first { $0.index == 25 }
            #expect(clip?.label == clip?.videoIndex)
            return clip?.videoIndex
        }
        let drawn = try (0..<8).map { try replaced($0, threads: threadCount) }
        #expect(try drawn == (0..<8).map { try replaced($0, threads: 0) })
        #expect(Set(drawn).count > 2 && !drawn.contains(25))
    }

    @Test func tooManyBadVideosStopTheRun() throws {
        let videos = paths + ["5/bad1", "5/bad2", "5/bad3"]
        let loader = loader(videos, transform: .testing(side: 16)) {
            $0.badVideoPolicy = .skip
            $0.badVideoShare = 0.1  // of 28: two
        }
        let found = datasetProblem { _ = try all(loader.clips()) }
        let reasons = (1...3).map { "/videos/5/bad\($0): broken" }
        #expect(found?.problem == .tooManyBadVideos(first: reasons, count: 3, total: 28, limit: 2))
        #expect(loader.badVideos.all.count == 3)
        #expect(
            found.map { DatasetError(path: "list.txt", problem: $0.problem).description } == """
                list.txt: 3 of 28 videos cannot be read, more than the 2 that a run tolerates:
                  /videos/5/bad1: broken
                  /videos/5/bad2: broken
                  /videos/5/bad3: broken
                `vifi-prompt data check LIST --write-good NEW` names all of them and writes a list without them.
                """)
    }

    /// Met again in every epoch, a bad video still counts once.
    @Test func badVideosAreCountedOnce() throws {
        let loader = loader(paths + ["5/bad"]) { $0.badVideoPolicy = .skip }
        for epoch in 0..<4 { #expect(try all(loader.clips(epoch: epoch)).count == 25) }
        #expect(loader.badVideos.all.count == 1)
    }
}

/// The whole way from a list and real files to clips.
@Suite struct VideoLoadingTests {
    @Test func listsOfVideosBecomeClips() throws {
        let folder = try TemporaryFolder()
        let video = try InputFile.contents(
            of: #filePath.parentDirectory.parentDirectory + "/Fixtures/videos/bikes.mp4", limit: 1 << 24)
        for name in ["bikes/one.mp4", "bikes/two two.mp4", "other/three.mp4"] { try folder.write(name, video) }
        try folder.write("other/bad.mp4", [UInt8](video.prefix(video.count / 3)))
        let path = try folder.write(
            "list.txt", "bikes/one.mp4 0\nbikes/two two.mp4 0\nother/three.mp4 1\nother/bad.mp4 1\n")
        let list = try AnnotationList.read(path, classCount: 2)
        try list.checkFiles()

        func clips(threadCount: Int, cacheBytes: Int) throws -> [[LoadedClip]] {
            var configuration = ClipLoader.Configuration()
            configuration.threadCount = threadCount
            configuration.cacheByteBudget = cacheBytes
            configuration.badVideoPolicy = .skip
            let loader = ClipLoader(
                list: list, reader: VideoFileReader(), sampler: FrameSampler(sampleCount: 8),
                transform: .training(side: 32), seed: 4, configuration: configuration)
            return try (0..<2).map { try loader.clips(epoch: $0).next(10) }
        }
        let plain = try clips(threadCount: 0, cacheBytes: 0)
        #expect(plain.map(\.count) == [3, 3])
        #expect(plain.joined().allSatisfy { $0.views[0].frameCount == 8 && $0.label == ($0.index < 2 ? 0 : 1) })
        for (threadCount, cacheBytes) in [(2, 0), (3, 1 << 28)] {
            let other = try clips(threadCount: threadCount, cacheBytes: cacheBytes)
            #expect(other.map { $0.map(\.views) } == plain.map { $0.map(\.views) })
        }
    }
}
