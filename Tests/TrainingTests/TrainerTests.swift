import CLIPModel
import Files
import Synchronization
import Tensors
import TestSupport
import Testing
import Training
import VideoData

/// Videos of noise, decoded by nobody: each path is its own video of ten frames.
struct NoiseVideos: VideoReading {
    func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        struct Unreadable: ReportableError {
            let path: String
            var exitStatus: Files.ExitStatus { .badData }
            var description: String { "\(path): unreadable" }
        }
        if path.contains("bad") { throw Unreadable(path: path) }
        return choosing(10).map { index in
            var source = RandomSource(seed: UInt64(path.utf8.reduce(0) { $0 &* 31 &+ Int($1) }), purpose: .test, item: index)
            let pixels = (0..<80 * 72 * 3).map { _ in UInt8(truncatingIfNeeded: source.nextWord()) }
            return converting(VideoFrame(width: 80, height: 72, pixels: pixels))
        }
    }
}

@Suite struct TrainerTests {
    private static let frameCount = 3

    private func loader(_ paths: [String], policy: BadVideoPolicy = .fail, threads: Int = 1) -> ClipLoader {
        var configuration = ClipLoader.Configuration()
        configuration.badVideoPolicy = policy
        configuration.badVideoShare = 1
        configuration.threadCount = threads
        let clips = paths.enumerated().map { AnnotatedClip(path: $0.element, label: $0.offset % 5) }
        return ClipLoader(
            list: AnnotationList(path: "list.txt", root: "/videos", clips: clips), reader: NoiseVideos(),
            sampler: FrameSampler(sampleCount: Self.frameCount), transform: .training(side: 64), seed: 3,
            configuration: configuration)
    }

    private let configuration = TrainingConfiguration(
        epochs: 2, batchSize: 2, accumulationSteps: 2, learningRate: 1e-2, warmupEpochs: 0, seed: 3, evaluationInterval: 1)

    private func setting(_ inputs: TrainingInputs, threads: Int) -> TaskSetting {
        TaskSetting(
            sequences: inputs.sequences, fusion: .embedding, frameCount: Self.frameCount,
            pool: WorkerPool(threadCount: threads), weightDecay: 1e-3)
    }

    /// The same seed gives the same bits, whatever the threads that compute and load.
    @Test func promptsDoNotDependOnThreads() throws {
        let inputs = try TrainingInputs()
        let paths = (0..<7).map { "\($0).mp4" }
        let results = try [1, 2, 3].map { threads in
            let prompts = PromptSet(
                random: PromptConfiguration(visionTokens: 4, visionDepth: 2, textTokens: 3, textDepth: 2),
                architecture: inputs.backbone.architecture, seed: 3)
            let task = PromptTask(backbone: inputs.backbone, prompts: prompts, setting: setting(inputs, threads: threads))
            _ = try Trainer(configuration: configuration, classCount: 5, clips: loader(paths, threads: threads))
                .run(task, events: Trainer.Events())
            return prompts.all.map(\.values)
        }
        #expect(results[0] == results[1])
        #expect(results[0] == results[2])
    }

    @Test func bridgesDoNotDependOnThreads() throws {
        let inputs = try TrainingInputs()
        let paths = (0..<5).map { "\($0).mp4" }
        let digests = try [1, 2, 3].map { threads in
            let task = BridgeTask(backbone: inputs.backbone, tuning: .both, setting: setting(inputs, threads: threads))
            _ = try Trainer(configuration: configuration, classCount: 5, clips: loader(paths, threads: threads))
                .run(task, events: Trainer.Events())
            return task.backbone(named: "x", provenance: "x").digest
        }
        #expect(Set(digests).count == 1)
    }

    /// Seven clips at four a step: a full step and one of three, no clip lost, rates as scheduled.
    @Test func leftoversMakeAStep() throws {
        let task = CountingTask()
        var reports: [StepReport] = []
        var events = Trainer.Events()
        events.onStep = { reports.append($0) }
        _ = try Trainer(configuration: configuration, classCount: 5, clips: loader((0..<7).map { "\($0).mp4" })).run(task, events: events)
        #expect(reports.map(\.clips) == [4, 3, 4, 3])
        let third = Float(1) / 3
        #expect(task.weights == [0.25, third, 0.25, third])
        #expect(task.rates == (0..<4).map { configuration.schedule(clipCount: 7).rate(at: $0) })
        #expect(task.scales == [1, 1, 1, 1])
    }

    /// With the reference's fault the three left over are not learned from.
    @Test func leftoversMayBeDiscarded() throws {
        let task = CountingTask()
        var configuration = configuration
        configuration.discardsLeftovers = true
        var reports: [StepReport] = []
        var events = Trainer.Events()
        events.onStep = { reports.append($0) }
        _ = try Trainer(configuration: configuration, classCount: 5, clips: loader((0..<7).map { "\($0).mp4" })).run(task, events: events)
        #expect(reports.map(\.clips) == [4, 4])
        #expect(reports.map(\.stepCount) == [2, 2])
    }

    /// Where videos are skipped, the step's gradient is scaled to the clips that were there.
    @Test func skippedVideosDoNotShrinkTheGradient() throws {
        let task = CountingTask()
        let loader = loader(["0.mp4", "bad.mp4", "2.mp4", "3.mp4"], policy: .skip)
        _ = try Trainer(configuration: configuration, classCount: 5, clips: loader)
            .run(task, events: Trainer.Events())
        let fourThirds = Float(4) / 3
        #expect(task.scales == [fourThirds, fourThirds])
    }

    @Test func divergenceEndsTheRun() throws {
        let task = CountingTask()
        task.lossOfAClip = .nan
        #expect(throws: TrainingError.self) {
            _ = try Trainer(configuration: configuration, classCount: 5, clips: loader(["0.mp4", "1.mp4"]))
                .run(task, events: Trainer.Events())
        }
    }

    @Test func faultsOfAConfigurationAreToldTogether() {
        var configuration = configuration
        configuration.epochs = 0
        configuration.learningRate = .nan
        do throws(TrainingError) {
            try configuration.check()
            Issue.record("a configuration without epochs was accepted")
        } catch {
            #expect(error.description.contains("epochs is 0"))
            #expect(error.description.contains("learning_rate is nan"))
        }
    }
}

/// Learns nothing and writes down what it is told.
private final class CountingTask: LearningTask {
    var weights: [Float] = []
    var rates: [Double] = []
    var scales: [Float] = []
    var lossOfAClip = 1.0
    private var stepWeights: Set<Float> = []

    let optimizer = Optimizer(AdamW(), entries: [], pool: WorkerPool(threadCount: 1))
    func begin() { stepWeights = [] }
    func add(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        stepWeights.insert(weight)
        result.lossSum += lossOfAClip * Double(batch.clips.count)
        result.clipCount += batch.clips.count
    }
    func finish(rate: StepRate, scale: Float) {
        weights += stepWeights
        rates.append(rate.rate)
        scales.append(scale)
    }
    func classifier(sequences: [[Int]]) -> CLIPClassifier { fatalError("never evaluated in these tests") }
    var memoryShortfall: Int { 0 }
}
