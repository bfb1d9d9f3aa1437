import CLIPModel
import Evaluation
import Files
import Synchronization
import Tensors
import TestSupport
import Testing
import Training
import VideoData

/// Counts the videos that are read.
private final class CountingVideos: VideoReading {
    private let videos = NoiseVideos()
    private let reads = Mutex(0)
    var count: Int { reads.withLock { $0 } }

    func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        reads.withLock { $0 += 1 }
        return try videos.frames(of: path, part: part, choosing: choosing, converting: converting)
    }
}

/// Clips whose prefix is cached are learned from and classified as if it were computed anew each time.
@Suite struct CachedPrefixesTests {
    private static let frameCount = 3
    private static let late = PromptConfiguration(visionTokens: 2, visionLayers: 1..<3, textTokens: 3, textLayers: 1..<2)
    private static let textOnly = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 3, textLayers: 0..<2)

    private let inputs: TrainingInputs
    private let paths = ["0.mp4", "1.mp4", "bad.mp4", "3.mp4", "4.mp4", "5.mp4", "6.mp4"]

    init() throws { inputs = try TrainingInputs() }

    private var configuration: TrainingConfiguration {
        var blending = Blending()
        blending.isMixing = false
        return TrainingConfiguration(
            epochs: 3, batchSize: 2, accumulationSteps: 2, learningRate: 1e-2, warmupEpochs: 0, seed: 3, blending: blending,
            evaluationInterval: 1)
    }

    private func loader(_ reader: any VideoReading) -> ClipLoader {
        var configuration = ClipLoader.Configuration()
        configuration.badVideoPolicy = .skip
        configuration.badVideoShare = 1
        let clips = paths.enumerated().map { AnnotatedClip(path: $0.element, label: $0.offset % 5) }
        return ClipLoader(
            list: AnnotationList(path: "list.txt", root: "/videos", clips: clips), reader: reader,
            sampler: FrameSampler(sampleCount: Self.frameCount), transform: .testing(side: 64), seed: 3, configuration: configuration)
    }

    private func task(_ prompts: PromptConfiguration) -> PromptTask {
        PromptTask(
            backbone: inputs.backbone, prompts: PromptSet(random: prompts, architecture: inputs.backbone.architecture, seed: 3),
            setting: TaskSetting(
                sequences: inputs.sequences, fusion: .embedding, frameCount: Self.frameCount, pool: WorkerPool(threadCount: 2),
                weightDecay: 1e-3))
    }

    private func bits(_ task: PromptTask) -> [UInt32] { task.prompts.all.flatMap(\.values).map(\.bitPattern) }

    /// - Parameter room: clips that fit into memory.
    @Test(arguments: [late, textOnly], [0, 1, 4, 100])
    func runsEndAlike(prompts: PromptConfiguration, room: Int) throws {
        let direct = task(prompts)
        _ = try Trainer(configuration: configuration, classCount: 5, clips: loader(NoiseVideos())).run(direct, events: Trainer.Events())

        let (cached, videos) = (task(prompts), CountingVideos())
        let clips = CachedPrefixes(
            loader: loader(videos), byteBudget: room * cached.cachedPrefixBytes, clipBytes: cached.cachedPrefixBytes, compute: cached.cachedPrefix)
        var told: [Int] = []
        #expect(try clips.fill { told.append($0); return true })
        // Four at a time, and the one that cannot be read.
        #expect(clips.roomCount == min(room, 7) && told == [0: [], 1: [1], 4: [4], 100: [5, 7]][room])
        let scores = { try Evaluator(cached.classifier(sequences: inputs.sequences)).predictions(of: clips) }
        let before = try scores()
        #expect(before == (try Evaluator(cached.classifier(sequences: inputs.sequences)).predictions(of: loader(NoiseVideos()))))
        _ = try Trainer(configuration: configuration, classCount: 5, clips: clips).run(cached, events: Trainer.Events())
        #expect(bits(cached) == bits(direct), "\(room) clips in memory")
        #expect(try scores() != before)
        #expect(clips.keptCount == min(room, 6), "the video that cannot be read takes no room")
        // Each video once where there is room; else those without in every epoch and evaluation, but the bad one once.
        #expect(room >= 7 ? videos.count == 7 : videos.count > 7)
        #expect(clips.loader.badVideos.all.map(\.path) == ["/videos/bad.mp4"])
    }

    /// A stop in the middle of the pass leaves what was computed.
    @Test func fillingStopsWhenAsked() throws {
        let (task, videos) = (task(Self.textOnly), CountingVideos())
        let clips = CachedPrefixes(loader: loader(videos), byteBudget: 1 << 20, clipBytes: task.cachedPrefixBytes, compute: task.cachedPrefix)
        #expect(try clips.fill { _ in false } == false)
        #expect((3...4).contains(clips.keptCount))
        #expect(try clips.fill { _ in true })
        #expect(clips.keptCount == 6)
    }

    /// A run that stops between two steps and goes on with everything computed anew ends as one that did not.
    @Test func resumedRunsEndAlike() throws {
        struct Stop: Error {}
        func clips(_ task: PromptTask) -> CachedPrefixes {
            CachedPrefixes(loader: loader(NoiseVideos()), byteBudget: 1 << 20, clipBytes: task.cachedPrefixBytes, compute: task.cachedPrefix)
        }
        let whole = task(Self.textOnly)
        _ = try Trainer(configuration: configuration, classCount: 5, clips: clips(whole)).run(whole, events: Trainer.Events())
        let stopped = task(Self.textOnly)
        var events = Trainer.Events()
        var reached = TrainingState()
        events.save = { state, _ in
            reached = state
            if state.step == 3 { throw Stop() }
        }
        #expect(throws: Stop.self) {
            try Trainer(configuration: configuration, classCount: 5, clips: clips(stopped)).run(stopped, events: events)
        }
        // The optimizer's own state goes on here; ResumeTests read it from files.
        _ = try Trainer(configuration: configuration, classCount: 5, clips: clips(stopped)).run(stopped, from: reached, events: Trainer.Events())
        #expect(bits(stopped) == bits(whole))
    }
}
