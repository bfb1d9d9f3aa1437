import CLIPModel
import Files
import Glibc
import Tensors
import TestSupport
import Testing
import Training
import VideoData

/// A run that is stopped and goes on ends as one that never stopped: tolerance 0.
///
/// Two epochs of five batches of two clips in the fixtures' small CLIP; every batch is a step but for
/// `accumulated`, where an epoch has three steps of up to two batches.
@Suite struct ResumeTests {
    private static let frameCount = 3
    private static let clipCount = 10

    enum Stage: String, CaseIterable, Sendable { case learn, someFrames, fewFramesFirst, merging, bridge }

    /// What a run leaves behind.
    struct Trace: Equatable {
        var losses: [Double] = []
        /// Videos that could not be read.
        var badVideos: [String] = []
        var epochs: [Int] = []
        /// Of a run that ended before its length.
        var ends: [Int] = []
        var digest = ""
    }

    private struct Stop: Error {}

    /// - Parameter patience: ends a run of twice as many epochs after half of them: no loss falls by nine tenths.
    private static func configuration(accumulated: Bool, epochs: Int = 2, patience: Int? = nil) -> TrainingConfiguration {
        var configuration = TrainingConfiguration(
            epochs: epochs, batchSize: 2, accumulationSteps: accumulated ? 2 : 1, learningRate: 1e-2, warmupEpochs: 0.5, seed: 3,
            evaluationInterval: 1)
        configuration.patience = patience
        configuration.leastFall = 0.9
        return configuration
    }

    private static func task(_ stage: Stage, _ inputs: TrainingInputs) -> any LearningTask {
        let setting = TaskSetting(
            sequences: inputs.sequences, fusion: .embedding, frameCount: frameCount, pool: WorkerPool(threadCount: 2), weightDecay: 1e-3,
            backwardFrames: stage == .someFrames ? BackwardFrames(count: 2, seed: 3) : nil)
        switch stage {
        case .learn, .someFrames, .fewFramesFirst, .merging:
            var configuration = PromptConfiguration(visionTokens: 4, visionDepth: 2, textTokens: 3, textDepth: 2)
            configuration.mergedTokens = stage == .merging ? 3 : 0
            let prompts = PromptSet(random: configuration, architecture: inputs.backbone.architecture, seed: 3)
            return PromptTask(backbone: inputs.backbone, prompts: prompts, setting: setting)
        case .bridge:
            return BridgeTask(backbone: inputs.backbone, tuning: .both, setting: setting)
        }
    }

    /// Runs until `stopAt` says so; then again with everything new but what is on disk, until the end.
    private func run(
        _ stage: Stage, accumulated: Bool = false, folder: String? = nil, policy: BadVideoPolicy = .fail, paths: [String]? = nil,
        epochs: Int = 2, patience: Int? = nil, stopAt: ([(step: Int, moment: SaveMoment)]) = []
    ) throws -> Trace {
        let inputs = try TrainingInputs()
        var trace = Trace()
        var stops = stopAt
        let paths = paths ?? (0..<Self.clipCount).map { "\($0).mp4" }
        while true {
            let task = Self.task(stage, inputs)
            let videos = NoiseVideos()
            let clips = Self.loader(paths, videos: videos, policy: policy, hasFewFirst: stage == .fewFramesFirst)
            var state = TrainingState()
            if let folder, let found = try Checkpoints(run: folder).restore(into: task.optimizer, reject: { path, reason in
                Issue.record("\(path): \(reason)")
            }) {
                state = found.state
                // As the logs are cut back: what came after the checkpoint happens again.
                trace.losses.removeLast(trace.losses.count - state.step)
            }
            clips.badVideos.restore(state.badVideos)
            var events = Trainer.Events()
            events.onStep = { trace.losses.append($0.loss) }
            events.onEpoch = { trace.epochs.append($0.epoch) }
            events.evaluate = { nil }
            events.onEarlyStop = { trace.ends.append($0.epoch) }
            events.save = { state, moment in
                guard let folder, let stop = stops.first, stop.step == state.step, stop.moment == moment else { return }
                stops.removeFirst()
                try Checkpoints(run: folder).save(state, optimizer: task.optimizer)
                throw Stop()
            }
            do {
                let configuration = Self.configuration(accumulated: accumulated, epochs: epochs, patience: patience)
                _ = try Trainer(configuration: configuration, classCount: 5, clips: clips).run(task, from: state, events: events)
            } catch is Stop {
                continue
            }
            trace.badVideos = clips.badVideos.all.map(\.path)
            trace.digest = Self.digest(task)
            return trace
        }
    }

    private static func digest(_ task: any LearningTask) -> String {
        var digest = Digest()
        for (name, matrix) in task.optimizer.tensors {
            digest.update(Array("\(name) \(matrix.values.map(\.bitPattern))\n".utf8))
        }
        return digest.hexadecimal
    }

    /// - Parameter hasFewFirst: clips have two frames in the first epoch and all in the second.
    private static func loader(
        _ paths: [String], videos: NoiseVideos, policy: BadVideoPolicy, hasFewFirst: Bool = false
    ) -> ClipLoader {
        var configuration = ClipLoader.Configuration()
        configuration.badVideoPolicy = policy
        configuration.badVideoShare = 1
        let few: @Sendable (Int) -> FrameSampler = { epoch in FrameSampler(sampleCount: epoch == 0 ? 2 : frameCount) }
        return ClipLoader(
            list: AnnotationList(
                path: "list.txt", root: "/videos",
                clips: paths.enumerated().map { AnnotatedClip(path: $0.element, label: $0.offset % 5) }),
            reader: videos, sampler: FrameSampler(sampleCount: frameCount), transform: .training(side: 64), seed: 3,
            configuration: configuration,
            samplerOfEpoch: hasFewFirst ? few : nil)
    }

    // MARK: -

    @Test(arguments: Stage.allCases)
    func twoRunsAreOne(_ stage: Stage) throws {
        let first = try run(stage)
        let second = try run(stage)
        #expect(first == second)
        #expect(first.losses.count == 10)
        #expect(Set(first.losses).count == 10, "losses that do not move would hide a wrong resume")
    }

    static let moments: [(step: Int, moment: SaveMoment)] = [
        (3, .step), (5, .step), (5, .beforeEvaluation), (5, .epoch), (8, .step), (10, .beforeEvaluation),
    ]

    /// In the middle, at the end and after the end of both epochs.
    @Test(arguments: Stage.allCases, moments.indices)
    func stoppedOnce(_ stage: Stage, _ index: Int) throws {
        let directory = try TemporaryDirectory()
        let stopped = try run(stage, folder: directory.path, stopAt: [Self.moments[index]])
        #expect(stopped == (try run(stage)))
    }

    @Test(arguments: Stage.allCases)
    func stoppedThreeTimes(_ stage: Stage) throws {
        let directory = try TemporaryDirectory()
        let stopped = try run(stage, folder: directory.path, stopAt: [(2, .step), (5, .epoch), (9, .step)])
        #expect(stopped == (try run(stage)))
        let names = Checkpoints(run: directory.path).names
        #expect(names == ["step_00000009", "step_00000005_epoch"], "two stay")
    }

    /// Steps of two batches, the last of an epoch smaller: the place in the epoch is kept in clips.
    @Test func betweenAccumulatedSteps() throws {
        let directory = try TemporaryDirectory()
        let stopped = try run(.learn, accumulated: true, folder: directory.path, stopAt: [(2, .step), (4, .step)])
        #expect(stopped == (try run(.learn, accumulated: true)))
        #expect(stopped.losses.count == 6)
    }

    /// A run whose loss does not fall ends after its second epoch of four, wherever it was stopped before, and also if it was stopped once
    /// it had ended; up to there it takes the steps of the whole run.
    @Test func endedEarly() throws {
        let ended = try run(.learn, epochs: 4, patience: 1)
        #expect(ended.epochs == [1, 2] && ended.ends == [2] && ended.losses.count == 10)
        let whole = try run(.learn, epochs: 4)
        #expect(whole.epochs == [1, 2, 3, 4] && whole.ends.isEmpty && Array(whole.losses.prefix(10)) == ended.losses)
        #expect(try run(.learn, epochs: 4, patience: 4) == whole)
        for moment in Self.moments + [(10, .end)] {
            let directory = try TemporaryDirectory()
            #expect(try run(.learn, folder: directory.path, epochs: 4, patience: 1, stopAt: [moment]) == ended, "\(moment)")
        }
    }

    /// Videos that cannot be read take their place in the order with them, and the list of them goes on.
    @Test(arguments: [BadVideoPolicy.skip, .replace])
    func badVideos(_ policy: BadVideoPolicy) throws {
        let directory = try TemporaryDirectory()
        let paths = (0..<Self.clipCount).map { $0 == 4 ? "bad.mp4" : "\($0).mp4" }
        let stopped = try run(.learn, folder: directory.path, policy: policy, paths: paths, stopAt: [(3, .step), (7, .step)])
        #expect(stopped == (try run(.learn, policy: policy, paths: paths)))
        #expect(stopped.badVideos == ["/videos/bad.mp4"])
    }

    // MARK: Checkpoints

    private func saved(_ steps: [Int], in folder: String) throws -> Checkpoints {
        let checkpoints = Checkpoints(run: folder)
        let task = Self.task(.learn, try TrainingInputs())
        for step in steps {
            var state = TrainingState()
            state.step = step
            state.stepOfEpoch = step
            try checkpoints.save(state, optimizer: task.optimizer)
        }
        return checkpoints
    }

    /// Cut off, altered, emptied, without its manifest: the one before is taken, and that is said.
    @Test(arguments: ["tensors.safetensors", "state.json", "manifest.json"], ["cut", "flipped", "removed"])
    func damageMeansTheOneBefore(_ file: String, _ damage: String) throws {
        let directory = try TemporaryDirectory()
        let checkpoints = try saved([3, 4], in: directory.path)
        let path = checkpoints.path(of: "step_00000004").appendingPath(file)
        var bytes = try InputFile.contents(of: path, limit: 1 << 24)
        switch damage {
        case "cut": bytes.removeLast(bytes.count / 2)
        case "flipped": bytes[bytes.count / 2] ^= 1
        default: bytes = []
        }
        #expect(unlink(path) == 0)
        if !bytes.isEmpty { try DurableFile.write(bytes, to: path) }
        var rejected: [String] = []
        let task = Self.task(.learn, try TrainingInputs())
        let found = try checkpoints.restore(into: task.optimizer) { path, reason in rejected.append(reason) }
        #expect(found?.state.step == 3)
        #expect(rejected.count == 1)
    }

    @Test func noneIsNone() throws {
        let directory = try TemporaryDirectory()
        let task = Self.task(.learn, try TrainingInputs())
        #expect(try Checkpoints(run: directory.path).restore(into: task.optimizer) { _, _ in }?.state == nil)
    }

    @Test func checkpointsOfSomethingElseAreRefused() throws {
        let directory = try TemporaryDirectory()
        let checkpoints = try saved([3], in: directory.path)
        let other = Self.task(.bridge, try TrainingInputs())
        #expect(throws: TrainingError.otherCheckpoint(path: checkpoints.path(of: "step_00000003"))) {
            _ = try checkpoints.restore(into: other.optimizer) { _, _ in }
        }
    }

    @Test func orphansAreSwept() throws {
        let directory = try TemporaryDirectory()
        let checkpoints = try saved([3], in: directory.path)
        let orphan = checkpoints.path(of: "step_00000004.tmp")
        try createDirectory(orphan)
        try DurableFile.write("half", to: orphan.appendingPath("tensors.safetensors.tmp-1-2"))
        #expect(checkpoints.names == ["step_00000003"])
        checkpoints.sweep()
        #expect(try directoryEntries(checkpoints.folder) == ["step_00000003"])
    }

    private func damage(_ checkpoints: Checkpoints, _ name: String) {
        #expect(truncate(checkpoints.path(of: name).appendingPath("tensors.safetensors"), 100) == 0)
    }

    /// Two damaged ones of later steps make neither the new one nor the sound one before it go.
    @Test func damagedOnesDoNotCount() throws {
        let directory = try TemporaryDirectory()
        _ = try saved([3, 8, 9], in: directory.path)
        let old = Checkpoints(run: directory.path)
        #expect(old.names == ["step_00000009", "step_00000008"])
        for name in old.names { damage(old, name) }
        let checkpoints = try saved([4, 5], in: directory.path)
        #expect(checkpoints.names == ["step_00000005", "step_00000004"])
        #expect(try directoryEntries(checkpoints.folder).filter { $0.contains("damaged") } == ["step_00000008.damaged", "step_00000009.damaged"])
        let task = Self.task(.learn, try TrainingInputs())
        #expect(try checkpoints.restore(into: task.optimizer) { path, _ in Issue.record("\(path)") }?.state.step == 5)
        // One damaged one of a later step: the older one stays, too.
        damage(checkpoints, "step_00000005")
        let next = try saved([6], in: directory.path)
        #expect(next.names == ["step_00000006", "step_00000004"])
        try DurableFile.write("somebody's", to: next.folder.appendingPath("notes.txt"))
        next.removeAll()
        #expect(try directoryEntries(next.folder) == ["notes.txt"])
    }

    /// All damaged: nothing is changed, neither on the disk nor in the optimizer.
    @Test func noneSoundIsARefusal() throws {
        let directory = try TemporaryDirectory()
        let checkpoints = try saved([3, 4], in: directory.path)
        for name in checkpoints.names { damage(checkpoints, name) }
        let task = Self.task(.learn, try TrainingInputs())
        let before = Self.digest(task)
        #expect(throws: TrainingError.noSoundCheckpoint(folder: checkpoints.folder, count: 2)) {
            _ = try Checkpoints(run: directory.path).restore(into: task.optimizer) { _, _ in }
        }
        #expect(Self.digest(task) == before)
        #expect(checkpoints.names == ["step_00000004", "step_00000003"])
    }

    /// Earlier programs saved what had diverged, whole and with the right digests.
    @Test(arguments: [Float.nan, Float.infinity])
    func whatIsNoNumberIsDamaged(_ value: Float) throws {
        let directory = try TemporaryDirectory()
        let checkpoints = try saved([3], in: directory.path)
        let diverged = Self.task(.learn, try TrainingInputs())
        diverged.optimizer.tensors[1].matrix.fill(value)
        var state = TrainingState()
        state.step = 4
        state.stepOfEpoch = 4
        try checkpoints.save(state, optimizer: diverged.optimizer)
        let task = Self.task(.learn, try TrainingInputs())
        var reasons: [String] = []
        #expect(try checkpoints.restore(into: task.optimizer) { reasons.append($1) }?.state.step == 3)
        #expect(reasons.count == 1 && reasons[0].contains("holds NaN or infinity"), "\(reasons)")
    }

    /// Within the step: nothing is told or saved after it, and what was learned before stays as it was.
    @Test(arguments: Stage.allCases)
    func divergenceEndsTheStep(_ stage: Stage) throws {
        let inputs = try TrainingInputs()
        let task = Self.task(stage, inputs)
        let clips = Self.loader((0..<Self.clipCount).map { "\($0).mp4" }, videos: NoiseVideos(), policy: .fail)
        var events = Trainer.Events()
        events.save = { _, _ in
            for (name, matrix) in task.optimizer.tensors { #expect(matrix.values.allSatisfy { $0.isFinite }, "\(name)") }
        }
        let configuration = TrainingConfiguration(
            epochs: 2, batchSize: 2, accumulationSteps: 1, learningRate: 1e30, warmupEpochs: 0, seed: 3, evaluationInterval: 1)
        #expect(throws: TrainingError.self) {
            _ = try Trainer(configuration: configuration, classCount: 5, clips: clips).run(task, from: TrainingState(), events: events)
        }
    }

    /// A gradient that is no number changes nothing; one whose square overflows is seen in the moment.
    @Test(arguments: [Float.nan, -Float.infinity, 1e30])
    func gradientsThatAreNoNumbers(_ bad: Float) throws {
        let (value, gradient) = (MutableMatrix(rows: 1, columns: 3, [1, 2, 3]), MutableMatrix(rows: 1, columns: 3, [0.5, bad, 0.5]))
        let optimizer = Optimizer(AdamW(), entries: [.init(name: "w", value: value, gradient: gradient)], pool: WorkerPool(threadCount: 1))
        #expect(throws: TrainingError.nonFiniteParameter(name: "w", step: 1)) { try optimizer.step(rate: 0.1) }
        if !bad.isFinite { #expect(value.values == [1, 2, 3] && optimizer.stepCount == 0) }
    }

    /// The first failure costs a checkpoint; the second in a row ends the run; one success between them resets.
    @Test func failuresInARow() throws {
        let directory = try TemporaryDirectory()
        let full = FileError(path: "x", problem: .cannotWrite(reason: "No space left on device"))
        var keeper = CheckpointKeeper(Checkpoints(run: directory.path), interval: 0)
        var warnings: [UnsavedStep] = []
        try keeper.attempt(step: 1, warn: { warnings.append($0) }) { throw full }
        try keeper.attempt(step: 1, warn: { warnings.append($0) }) { throw full }
        try keeper.attempt(step: 2, warn: { warnings.append($0) }) { "checkpoint" }
        try keeper.attempt(step: 3, warn: { warnings.append($0) }) { throw full }
        #expect(warnings.map(\.step) == [1, 1, 3])
        #expect(throws: TrainingError.cannotSave(step: 4, reason: full.description, kept: "checkpoint")) {
            try keeper.attempt(step: 4, warn: { _ in }) { throw full }
        }
    }

    /// A lost line would shift every later one.
    @Test func logsAreCutBackToTheCheckpoint() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("log")
        do {
            let log = try AppendFile(path: path)
            try log.append(line: "one")
            #expect(log.byteCount == 4)
            try log.append(line: "two")
        }
        try AppendFile(path: path, keeping: 4).append(line: "2")
        #expect(String(decoding: try InputFile.contents(of: path, limit: 100), as: UTF8.self) == "one\n2\n")
    }
}
