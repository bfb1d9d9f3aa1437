import CLIPModel
import Evaluation
import Files
import Tensors
import TestSupport
import Testing
import Training
import VideoData

/// Ranks that are threads learn what one process learns.
@Suite(.timeLimit(.minutes(15))) struct RankTests {
    enum Stage: String, CaseIterable, Sendable { case learn, someFrames, fewFramesFirst, merging, bridge }

    struct Trace: Equatable, Sendable {
        var values: [[Float]] = []
        var losses: [Double] = []
        var clips: [Int] = []
        var bad: [String] = []
        var accuracy: [Double] = []
    }

    private static let frameCount = 3

    /// - Parameter hasFewFirst: clips have two frames in the first epoch and all in the second.
    private static func loader(
        _ paths: [String], policy: BadVideoPolicy, share: Double, testing: Bool = false, hasFewFirst: Bool = false
    ) -> ClipLoader {
        var configuration = ClipLoader.Configuration()
        configuration.badVideoPolicy = policy
        configuration.badVideoShare = share
        configuration.threadCount = 1
        let few: @Sendable (Int) -> FrameSampler = { epoch in FrameSampler(sampleCount: epoch == 0 ? 2 : frameCount) }
        return ClipLoader(
            list: AnnotationList(
                path: "list.txt", root: "/videos", clips: paths.enumerated().map { AnnotatedClip(path: $0.element, label: $0.offset % 5) }),
            reader: NoiseVideos(), sampler: FrameSampler(sampleCount: frameCount),
            transform: testing ? .testing(side: 64) : .training(side: 64), seed: 3, configuration: configuration,
            samplerOfEpoch: hasFewFirst ? few : nil)
    }

    private static func run(
        _ stage: Stage, ranks: Int, paths: [String], batchSize: Int = 2, accumulationSteps: Int = 2, policy: BadVideoPolicy = .fail,
        share: Double = 1
    ) -> [Result<Trace, any Error>] {
        ThreadGroup.run(ranks) { group in
            let inputs = try TrainingInputs()
            let setting = TaskSetting(
                sequences: inputs.sequences, fusion: .embedding, frameCount: frameCount, pool: WorkerPool(threadCount: 1), weightDecay: 1e-3,
                backwardFrames: stage == .someFrames ? BackwardFrames(count: 2, seed: 3) : nil)
            let task: any LearningTask
            switch stage {
            case .learn, .someFrames, .fewFramesFirst, .merging:
                var configuration = PromptConfiguration(visionTokens: 4, visionDepth: 2, textTokens: 3, textDepth: 2)
                configuration.mergedTokens = stage == .merging ? 3 : 0
                task = PromptTask(
                    backbone: inputs.backbone,
                    prompts: PromptSet(random: configuration, architecture: inputs.backbone.architecture, seed: 3), setting: setting)
            case .bridge: task = BridgeTask(backbone: inputs.backbone, tuning: .both, setting: setting)
            }
            let clips = loader(paths, policy: policy, share: share, hasFewFirst: stage == .fewFramesFirst)
            let test = loader(paths, policy: policy, share: share, testing: true)
            var trace = Trace()
            var events = Trainer.Events()
            events.onStep = {
                trace.losses.append($0.loss)
                trace.clips.append($0.clips)
            }
            events.evaluate = {
                let predictions = try Evaluator(task.classifier(sequences: inputs.sequences))
                    .predictions(of: test, sharedBy: group) { false }
                trace.accuracy.append(Double(predictions?.count ?? -1))
                trace.accuracy += predictions?.flatMap { $0.probabilities.map(Double.init) } ?? []
                return predictions.map { Scores(ClassificationMetrics(predictions: $0, classNames: ["a", "b", "c", "d", "e"])) }
            }
            _ = try Trainer(
                configuration: TrainingConfiguration(
                    epochs: 2, batchSize: batchSize, accumulationSteps: accumulationSteps, learningRate: stage == .bridge ? 1e-4 : 1e-2,
                    warmupEpochs: 0, seed: 3, evaluationInterval: 1),
                classCount: 5, clips: clips, group: group
            ).run(task, events: events)
            trace.values = task.optimizer.tensors.map(\.matrix.values)
            trace.bad = clips.badVideos.all.map(\.path) + test.badVideos.all.map(\.path)
            return trace
        }
    }

    private static let videos = (0..<11).map { "\($0).mp4" }

    /// Eleven clips at four a step leave three over; six ranks have fewer clips than ranks in each step.
    @Test(arguments: [2, 3, 6])
    func promptsAreTheSameBits(_ ranks: Int) throws {
        let alone = try Self.run(.learn, ranks: 1, paths: Self.videos)[0].get()
        #expect(alone.clips == [4, 4, 3, 4, 4, 3] && Set(alone.losses).count == 6)
        for result in Self.run(.learn, ranks: ranks, paths: Self.videos) { #expect(try result.get() == alone) }
    }

    @Test(arguments: [2, 6])
    func mergedTokensAreTheSameBits(_ ranks: Int) throws {
        let alone = try Self.run(.merging, ranks: 1, paths: Self.videos)[0].get()
        #expect(try alone.values != Self.run(.learn, ranks: 1, paths: Self.videos)[0].get().values)
        for result in Self.run(.merging, ranks: ranks, paths: Self.videos) { #expect(try result.get() == alone) }
    }

    /// Which frames go back depends on a clip's place in the step, whoever computes it.
    @Test(arguments: [2, 6])
    func someFramesAreTheSameBits(_ ranks: Int) throws {
        let alone = try Self.run(.someFrames, ranks: 1, paths: Self.videos)[0].get()
        #expect(try alone.values != Self.run(.learn, ranks: 1, paths: Self.videos)[0].get().values)
        for result in Self.run(.someFrames, ranks: ranks, paths: Self.videos) { #expect(try result.get() == alone) }
    }

    @Test(arguments: [2, 6])
    func fewFramesFirstAreTheSameBits(_ ranks: Int) throws {
        let alone = try Self.run(.fewFramesFirst, ranks: 1, paths: Self.videos)[0].get()
        #expect(try alone.values != Self.run(.learn, ranks: 1, paths: Self.videos)[0].get().values)
        for result in Self.run(.fewFramesFirst, ranks: ranks, paths: Self.videos) { #expect(try result.get() == alone) }
    }

    @Test(arguments: [2, 3])
    func bridgesAgree(_ ranks: Int) throws {
        try expectSameBridge(Self.videos, .fail, ranks: ranks)
    }

    /// A step that is taken again, since a video could not be read, counts its clips once.
    @Test(arguments: [BadVideoPolicy.skip, .replace], [2, 3])
    func bridgesTakeStepsAgain(_ policy: BadVideoPolicy, _ ranks: Int) throws {
        var paths = Self.videos
        paths[2] = "bad-2.mp4"
        paths[7] = "bad-7.mp4"
        try expectSameBridge(paths, policy, ranks: ranks)
    }

    private func expectSameBridge(_ paths: [String], _ policy: BadVideoPolicy, ranks: Int) throws {
        let alone = try Self.run(.bridge, ranks: 1, paths: paths, policy: policy)[0].get()
        let shared = try Self.run(.bridge, ranks: ranks, paths: paths, policy: policy).map { try $0.get() }
        #expect(shared.allSatisfy { $0 == shared[0] }, "all ranks hold the same bits")
        expectClose(shared[0].losses.map(Float.init), alone.losses.map(Float.init), tolerance: 1e-5, "losses")
        #expect(shared[0].accuracy.count == alone.accuracy.count)
        // Where a gradient is next to nothing, AdamW takes a whole step this way or that: so the moments are held
        // together, and the values on average.
        for index in stride(from: 0, to: alone.values.count, by: 3) {
            let (one, other) = (alone.values[index], shared[0].values[index])
            let deviation = (zip(one, other).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) } / Double(one.count)).squareRoot()
            #expect(deviation < 1e-4, "tensor \(index), of six steps of 1e-4")
            expectClose(shared[0].values[index + 1], alone.values[index + 1], tolerance: 1e-3, "first moment \(index)")
        }
    }

    /// Blends of four cross the ranks' borders.
    @Test func blendsCrossRanks() throws {
        let alone = try Self.run(.learn, ranks: 1, paths: Self.videos, batchSize: 4, accumulationSteps: 1)[0].get()
        for result in Self.run(.learn, ranks: 3, paths: Self.videos, batchSize: 4, accumulationSteps: 1) { #expect(try result.get() == alone) }
    }

    /// The clips behind a video that is left out move up, in every rank.
    @Test(arguments: [BadVideoPolicy.skip, .replace], [2, 3])
    func badVideosAreAgreedOn(_ policy: BadVideoPolicy, _ ranks: Int) throws {
        var paths = Self.videos
        paths[2] = "bad-2.mp4"
        paths[7] = "bad-7.mp4"
        let alone = try Self.run(.learn, ranks: 1, paths: paths, policy: policy)[0].get()
        #expect(Set(alone.bad).count == 2)
        for result in Self.run(.learn, ranks: ranks, paths: paths, policy: policy) { #expect(try result.get() == alone) }
    }

    /// All ranks end with the error that one process would have ended with.
    @Test(arguments: [2, 3])
    func failuresAreOne(_ ranks: Int) throws {
        var paths = Self.videos
        paths[2] = "bad-2.mp4"
        paths[7] = "bad-7.mp4"
        func failure(_ result: Result<Trace, any Error>) -> (any ReportableError)? {
            if case .failure(let error as any ReportableError) = result { error } else { nil }
        }
        let alone = try #require(failure(Self.run(.learn, ranks: 1, paths: paths)[0]))
        for result in Self.run(.learn, ranks: ranks, paths: paths) {
            let error = try #require(failure(result))
            #expect(error.description.hasPrefix(alone.description) && error.exitStatus == alone.exitStatus)
        }
        let tooMany = try #require(failure(Self.run(.learn, ranks: 1, paths: paths, policy: .skip, share: 0)[0]))
        for result in Self.run(.learn, ranks: ranks, paths: paths, policy: .skip, share: 0) {
            let error = try #require(failure(result))
            #expect(error.exitStatus == tooMany.exitStatus && error.description.contains("list.txt"))
        }
    }

    @Test func threadsAreSharedOnAHost() {
        func place(_ host: String, _ allowed: String) -> RankPlaces.Place { .init(host: host, allowed: allowed, online: 8, processor: "x") }
        let bound = RankPlaces([place("a", "0-3"), place("a", "4-7"), place("b", "0-7")])
        #expect((0..<3).map(bound.threadCount) == [4, 4, 8])
        let free = RankPlaces([place("a", "0-7"), place("a", "0-7"), place("a", "0-7")])
        #expect((0..<3).map(free.threadCount) == [2, 2, 2])
        #expect(bound.narrowHosts.isEmpty && RankPlaces([place("a", "0"), place("a", "1")]).narrowHosts == ["a"])
        #expect(
            bound.table(threads: [4, 4, 8]) == """
                3 ranks on 2 hosts:
                  a: ranks 0-1, 4 threads each, processors 0-3 and 4-7 of 8
                  b: rank 2, 8 threads each, processors 0-7 of 8
                """)
        #expect(ProcessorTopology.numbers("0-2,8,10-9") == [0, 1, 2, 8])
    }
}
