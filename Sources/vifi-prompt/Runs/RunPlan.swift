import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// What a run would do, compute, keep in memory and write, and how long it would take.
struct RunPlan: Encodable {
    struct Work: Encodable {
        let clips: Int
        let testClips: Int
        let classes: Int
        let framesPerClip: Int
        let epochs: Int
        let steps: Int
        let clipsPerStep: Int
        let evaluations: Int
        let parameters: Int
        let learningParameters: Int
        let seeds: Int
    }

    /// In floating-point operations, two a multiply-add.
    struct Arithmetic: Encodable {
        let step: Double
        let total: Double
        /// The same step without the savings that change nothing but the time.
        let stepWithoutSavings: Double
        let savings: [String]
        /// Of the total, computed once a clip, where frames are the same in every epoch.
        let frozen: Double?
    }

    /// In bytes, at the moment when most is needed.
    struct Memory: Encodable {
        let backbone: Int
        /// What learns, its gradients and AdamW's two moments.
        let learning: Int
        let activations: Int
        let evaluation: Int
        /// What is computed once a clip, where frames are the same in every epoch.
        let frozenClips: Int
        /// Clips that are read ahead, and decoded films that are kept.
        let clips: Int
        let program: Int
        let total: Int
        let available: Int
    }

    /// In bytes.
    struct Storage: Encodable {
        let checkpoint: Int
        let checkpointsKept: Int
        let results: Int
        /// With two checkpoints and one that is being written.
        let peak: Int
        let free: Int
    }

    /// Between ranks, where several processes share the steps.
    struct Communication: Encodable {
        /// What a rank hands to others in a step; as much comes back.
        let bytesPerStep: Int
    }

    /// In seconds, on this machine.
    struct Time: Encodable {
        let step: Double
        /// Reading, decoding and augmenting a clip for the first time, and when it is in the cache.
        let readingClip: Double
        let readingKeptClip: Double
        /// What is computed once of a clip, where frames are the same in every epoch.
        let freezingClip: Double?
        /// The part of training that goes into reading.
        let readingShare: Double
        let evaluation: Double
        let total: Double
        /// Floating-point operations a second of the measured step.
        let speed: Double
    }

    let kind: String
    let work: Work
    let arithmetic: Arithmetic
    let memory: Memory
    let storage: Storage
    let communication: Communication
    let time: Time?

    /// - Parameters:
    ///   - makeTask: the task whose memory is measured, and through which a few clips are sent.
    ///   - freezing: what that task computes once a clip.
    ///   - isTimed: whether clips are sent through it.
    init<Task: LearningTask>(
        _ run: LearningRun, learned: LearnedPart, sequences: [[Int]], seedCount: Int, hasHalfFiles: Bool = false,
        makeTask: () -> Task, freezing: (Task) -> Freezing? = { _ in nil }, isTimed: Bool
    ) throws {
        let architecture = run.backbone.architecture
        let clipCount = run.data.train.clips.count
        let configuration = try run.settings.trainingConfiguration(clipCount: clipCount)
        let steps = configuration.schedule(clipCount: clipCount).stepCount
        let testCount = run.data.val?.clips.count ?? 0
        let frames = run.settings.frameCount
        let evaluations = testCount == 0 ? 0 : (configuration.epochs + configuration.evaluationInterval - 1) / configuration.evaluationInterval
        let learningCount = Self.learningCount(learned, architecture)
        let clipsPerStep = min(configuration.clipsPerStep, clipCount)
        let work = Work(
            clips: clipCount, testClips: testCount, classes: run.data.classes.count, framesPerClip: frames,
            epochs: configuration.epochs, steps: steps, clipsPerStep: clipsPerStep, evaluations: evaluations,
            parameters: run.backbone.parameterCount, learningParameters: learningCount, seeds: seedCount)
        let count = OperationCount(architecture, learned: learned, sequences: sequences, frameCount: frames)
        let before = WorkMeter.reading.liveBytes
        let task = makeTask()
        let taskBytes = WorkMeter.reading.liveBytes - before
        let freezing = freezing(task)
        let room = FrozenRoom(freezing, clips: clipCount, testClips: testCount)
        // A clip that is kept costs its frozen part once, not in each epoch.
        let stepOperations = 2 * Double(count.step(clips: clipsPerStep)) - 2 * Double(clipsPerStep) * room.keptShare * Double(count.clipFrozen)
        let spared = (configuration.epochs - 1) * room.clips + max(0, evaluations - 1) * room.testClips
        let training = 2 * Double(steps) * Double(count.stepForward + count.stepBackward) + 2 * Double(count.textFrozen)
            + 2 * Double(configuration.epochs * clipCount) * Double(count.clipForward + count.clipBackward)
            - 2 * Double(spared) * Double(count.clipFrozen)
        let evaluating = 2 * Double(evaluations) * Double(count.evaluation(clips: testCount) + count.stepForward + count.textFrozen)
        arithmetic = Arithmetic(
            step: stepOperations, total: Double(seedCount) * (training + evaluating),
            stepWithoutSavings: 2 * Double(
                OperationCount.wholeStep(
                    architecture, learned: learned, classCount: work.classes, frameCount: frames, clips: clipsPerStep)),
            savings: Self.savings(learned, sequences: sequences, architecture: architecture, freezing: freezing),
            frozen: freezing == nil ? nil : 2 * Double(seedCount * (room.clips + room.testClips)) * Double(count.clipFrozen))
        memory = try Self.memory(
            run, learned: learned, sequences: sequences, configuration: configuration, learningCount: learningCount,
            taskBytes: taskBytes, frozenBytes: (room.clips + room.testClips) * (freezing?.clipBytes ?? 0),
            keepsFilms: room.clips < clipCount)
        communication = Communication(bytesPerStep: 4 * task.sharedCount)
        storage = Self.storage(run, learned: learned, learningCount: learningCount, hasHalfFiles: hasHalfFiles, steps: steps)
        time = isTimed
            ? try PlanTiming(run: run, configuration: configuration, sequences: sequences, freezing: freezing, room: room)
                .measured(task, work: work, stepOperations: stepOperations)
            : nil
        kind = run.kind.rawValue
        self.work = work
    }

    private static func learningCount(_ learned: LearnedPart, _ architecture: CLIPArchitecture) -> Int {
        switch learned {
        case .prompts(let prompts): prompts.parameterCount(for: architecture)
        case .backbone(let tuning):
            BridgeTask.learning(BackboneParameters<TensorSpecification>(of: architecture), tuning).reduce(0) { $0 + $1.count }
        }
    }

    private static func savings(
        _ learned: LearnedPart, sequences: [[Int]], architecture: CLIPArchitecture, freezing: Freezing?
    ) -> [String] {
        var result = ["the last layers compute the class token and the end token only", "nothing is computed after the end tokens"]
        if sequences.count > 1 { result.append("the start of the texts is computed once for all \(sequences.count) classes") }
        result.append("the text tower runs once a step, not once a batch")
        if case .prompts(let prompts) = learned {
            result.append("no weight gradients")
            if prompts.visionDepth > 0, prompts.visionLayers.upperBound == architecture.vision.layerCount {
                result.append("the vision prompts' keys and values are computed once a step for all frames")
            }
            if prompts.visionDepth == 0 { result.append("no backward pass through the vision tower") }
            for (tower, layers) in [("vision", prompts.visionLayers), ("text", prompts.textLayers)] where layers.lowerBound > 0 {
                result.append("no backward pass below \(tower) layer \(layers.lowerBound)")
            }
        }
        if let freezing {
            result.append(
                freezing.isWholeVision ? "the vision tower runs once a clip, not once an epoch"
                    : "vision layers without prompts run once a clip, not once an epoch")
        }
        return result
    }

    /// What the program takes before it has read anything, with OpenBLAS's and FFmpeg's own memory.
    private static let programBytes = 72 << 20

    /// - Parameter taskBytes: of the task's matrices, as they were allocated.
    private static func memory(
        _ run: LearningRun, learned: LearnedPart, sequences: [[Int]], configuration: TrainingConfiguration, learningCount: Int,
        taskBytes: Int, frozenBytes: Int, keepsFilms: Bool
    ) throws -> Memory {
        let architecture = run.backbone.architecture
        let weights = 4 * run.backbone.parameterCount
        let backbone = weights + architecture.packedWeightBytes(precision: run.backbone.precision, hasBackward: true)
        var learning = 4 * 4 * learningCount
        var evaluation = run.data.val == nil ? 0 : run.backbone.evaluationBytes(
            prompts: learned.prompts, sequences: sequences, frameCount: run.settings.frameCount, pool: run.settings.pool)
        if case .backbone = learned {
            // Weights that learn are a copy, gradients have the shape of the whole backbone; evaluating and saving
            // take another copy.
            learning = 2 * weights + 2 * 4 * learningCount
            evaluation += weights + architecture.packedWeightBytes(precision: run.backbone.precision, hasBackward: false)
        }
        let activations = max(0, taskBytes - learning)
        let clipBytes = 4 * run.settings.frameCount * 3 * architecture.imagePixels * architecture.imagePixels
        let loading = ClipLoader.Configuration()
        let waiting = min(loading.queuedClipCount + loading.threadCount, run.data.train.clips.count)
        // A batch is held as pixels and as matrices, and blending takes a copy.
        let clips = (waiting + 3 * configuration.batchSize) * clipBytes + (keepsFilms ? try keptBytes(run) : 0)
        let total = backbone + learning + activations + evaluation + frozenBytes + clips + programBytes
        return Memory(
            backbone: backbone, learning: learning, activations: activations, evaluation: evaluation, frozenClips: frozenBytes, clips: clips,
            program: programBytes, total: total, available: min(Machine.availableMemory, Machine.limits.memory ?? .max))
    }

    /// Decoded frames that stay in memory, judged by the first film.
    private static func keptBytes(_ run: LearningRun) throws -> Int {
        let list = run.data.train
        guard let first = list.clips.first else { return 0 }
        let transform = run.settings.trainingTransform(for: run.backbone)
        var frameCount = 0
        let frame = try run.options.reader.frames(
            of: list.filmPath(first),
            choosing: { count in
                frameCount = count
                return [0]
            }, converting: transform.shrunk).first
        guard frameCount <= ClipLoader.Configuration().cachedFrameLimit else { return 0 }
        return min(run.cacheBytes, list.clips.count * frameCount * (frame?.pixels.count ?? 0))
    }

    private static func storage(
        _ run: LearningRun, learned: LearnedPart, learningCount: Int, hasHalfFiles: Bool, steps: Int
    ) -> Storage {
        let checkpoint = Checkpoints.byteCount(parameterCount: learningCount)
        // Best and last.
        var results = 2 * 4 * learningCount
        if case .backbone = learned { results = 2 * (hasHalfFiles ? 2 : 4) * run.backbone.parameterCount }
        let logs = 160 * steps
        return Storage(
            checkpoint: checkpoint, checkpointsKept: Checkpoints.keptCount, results: results + logs,
            peak: (Checkpoints.keptCount + 1) * checkpoint + results + results / 2 + logs,
            free: freeByteCount(near: BackboneFinder.runsFolder))
    }
}

/// How many clips stay in memory as far as no step changes them.
struct FrozenRoom {
    let clips: Int
    let testClips: Int
    /// Of the training clips.
    let keptShare: Double

    init(_ freezing: Freezing?, clips: Int, testClips: Int) {
        let room = freezing.map { $0.byteBudget / max(1, $0.clipBytes) } ?? 0
        self.clips = min(room, clips)
        self.testClips = min(room - self.clips, testClips)
        keptShare = Double(self.clips) / Double(max(1, clips))
    }
}

/// Takes a few clips through the real thing.
struct PlanTiming {
    let run: LearningRun
    let configuration: TrainingConfiguration
    let sequences: [[Int]]
    let freezing: Freezing?
    let room: FrozenRoom

    /// Test clips that are classified; few, as one takes seconds with a large backbone.
    private static let testClipCount = 4

    func measured(_ task: some LearningTask, work: RunPlan.Work, stepOperations: Double) throws -> RunPlan.Time {
        Console.note("Measuring one batch and \(Self.testClipCount) test clips. Nothing is kept.")
        let batchSize = min(configuration.batchSize, work.clips)
        let (batch, reading, kept) = try read(batchSize)
        var clips = batch.compactMap(\.views.first).map(\.matrix)
        var freezingClip: Double?
        if let freezing {
            let pixels = clips
            freezingClip = Self.seconds { clips = freezing.freeze(pixels) } / Double(pixels.count)
        }
        let (step, addSeconds) = stepSeconds(task, clips: clips, clipsPerStep: work.clipsPerStep)
        let threads = Double(run.settings.pool.threadCount)
        // Frozen clips that are kept are neither read nor computed again.
        let again = max(0, work.epochs - 1) * (work.clips - room.clips)
        // Reading goes on beside the model, on the same processors.
        let readings = Double(work.clips) * reading + Double(again) * kept
        let freezings = Double(work.clips + again) * (freezingClip ?? 0)
        let computing = Double(work.steps) * step + freezings
        let test = work.testClips == 0 ? (each: 0, once: 0) : try evaluationSeconds(
            task, clips: work.testClips, threads: threads, freezingClip: freezingClip ?? 0)
        let training = computing + readings / threads
        return RunPlan.Time(
            step: step, readingClip: reading, readingKeptClip: kept, freezingClip: freezingClip,
            readingShare: readings / threads / max(training, 1e-9),
            evaluation: test.each,
            total: Double(work.seeds) * (training + test.once + Double(work.evaluations) * test.each),
            speed: stepOperations / max(step, 1e-9) * (addSeconds > 0 ? 1 : 0))
    }

    /// A batch, read twice on this thread alone.
    private func read(_ count: Int) throws -> (batch: [LoadedClip], first: Double, again: Double) {
        var loading = run.options.loading(cacheByteBudget: run.cacheBytes)
        loading.threadCount = 0
        let loader = ClipLoader(
            list: run.data.train, reader: run.options.reader, sampler: FrameSampler(sampleCount: run.settings.frameCount),
            transform: run.settings.trainingTransform(for: run.backbone), seed: run.settings.seed, configuration: loading)
        let positions = Array(loader.trainingOrder(epoch: 0).prefix(count))
        var batch: [LoadedClip] = []
        let seconds = try (0..<2).map { epoch in
            try Self.seconds { batch = try loader.clips(at: positions, epoch: epoch).next(count) } / Double(count)
        }
        guard !batch.isEmpty else { throw TrainingError.noClips }
        return (batch, seconds[0], seconds[1])
    }

    /// Seconds of a whole step, from one batch of it: what comes once a step counts once.
    private func stepSeconds(
        _ task: some LearningTask, clips: [Matrix], clipsPerStep: Int
    ) -> (step: Double, add: Double) {
        let stage: ClipStage = freezing == nil ? .pixels : .frozen
        let target = [Float](repeating: 1 / Float(run.data.classes.count), count: run.data.classes.count)
        var result = StepResult()
        func pass() -> (once: Double, add: Double) {
            let begin = Self.seconds { task.begin() }
            let add = Self.seconds {
                task.add(ClipBatch(clips: clips, stage: stage, targets: clips.map { _ in target }), weight: 1 / Float(clips.count), to: &result)
            }
            // The rate is 0: the step is taken, and changes next to nothing.
            let finish = Self.seconds { task.finish(rate: 0, scale: 1) }
            return (begin + finish, add)
        }
        var measured = pass()
        // The first pass pays for fresh memory; where it was short, further ones are closer to the truth.
        if measured.once + measured.add < 5 {
            let passes = (0..<3).map { _ in pass() }.sorted { $0.add < $1.add }
            measured = passes[1]
        }
        return (measured.once + measured.add * Double(clipsPerStep) / Double(clips.count), measured.add)
    }

    /// Seconds of one look at all test clips, and of what is done once before the first.
    private func evaluationSeconds(
        _ task: some LearningTask, clips: Int, threads: Double, freezingClip: Double
    ) throws -> (each: Double, once: Double) {
        guard let list = run.data.val else { return (0, 0) }
        let count = min(Self.testClipCount, clips)
        let loader = ClipLoader(
            list: list, reader: run.options.reader, sampler: FrameSampler(sampleCount: run.settings.frameCount),
            transform: run.settings.testTransform(for: run.backbone), seed: run.settings.seed,
            configuration: {
                var loading = run.options.loading()
                loading.threadCount = 0
                return loading
            }())
        var films: [LoadedClip] = []
        let reading = try Self.seconds { films = try loader.clips(at: Array(0..<count)).next(count) } / Double(count)
        var classifier: VideoClassifier?
        let making = Self.seconds { classifier = task.classifier(sequences: sequences) }
        guard let classifier, !films.isEmpty else { return (0, 0) }
        let stage: ClipStage = freezing == nil ? .pixels : .frozen
        let pixels = films.flatMap { $0.views.map(\.matrix) }
        let views = freezing?.freeze(pixels) ?? pixels
        // The first call pays for fresh memory.
        var computing = try Self.seconds { _ = try classifier.logits(clips: views, stage: stage) }
        if computing < 2 { computing = try Self.seconds { _ = try classifier.logits(clips: views, stage: stage) } }
        let preparing = freezingClip + reading / threads
        return (
            making + Double(clips) * computing / Double(films.count) + Double(clips - room.testClips) * preparing,
            Double(room.testClips) * preparing
        )
    }

    private static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let start = clock.now
        try body()
        return (clock.now - start) / .seconds(1)
    }
}

// MARK: - In words

extension RunPlan {
    var text: String {
        var lines: [String] = []
        func row(_ title: String, _ text: String) { lines.append(title + String(repeating: " ", count: 12 - title.count) + text) }
        row("data", "\(work.clips) clips of \(work.classes) classes, \(work.testClips) test clips, \(work.framesPerClip) frames each")
        row("parameters", "\(work.learningParameters) learn, of a backbone of \(work.parameters)")
        row(
            "steps", "\(work.steps) in \(counted(work.epochs, "epoch", "epochs")), \(counted(work.clipsPerStep, "clip", "clips")) each; \(counted(work.evaluations, "evaluation", "evaluations"))"
                + (work.seeds > 1 ? "; all of it \(work.seeds) times, once a seed" : ""))
        row(
            "arithmetic", "\(operations(arithmetic.step)) a step, \(operations(arithmetic.total)) in all; "
                + "a step without savings: \(operations(arithmetic.stepWithoutSavings))")
        for saving in arithmetic.savings { row("", "- \(saving)") }
        row(
            "memory", "\(bytes(memory.total)) at most, \(bytes(memory.available)) are available: backbone \(bytes(memory.backbone)), "
                + "what learns \(bytes(memory.learning)), activations \(bytes(memory.activations)), "
                + "evaluation \(bytes(memory.evaluation)), " + (memory.frozenClips > 0 ? "frozen clips \(bytes(memory.frozenClips)), " : "")
                + "clips \(bytes(memory.clips)), program \(bytes(memory.program))")
        row(
            "files", "results \(bytes(storage.results)); a checkpoint \(bytes(storage.checkpoint)), \(storage.checkpointsKept) are kept until the end; "
                + "\(bytes(storage.peak)) at most, \(bytes(storage.free)) are free")
        row("ranks", "\(bytes(communication.bytesPerStep)) a step go from each rank to the others, and back, where mpirun starts several")
        if let time {
            row(
                "time", "\(duration(time.total)) in all: a step \(duration(time.step)) at \(operations(time.speed))/s, "
                    + (time.freezingClip.map { "the frozen part of a clip \(duration($0)), " } ?? "")
                    + "an evaluation \(duration(time.evaluation)); reading clips is \(percent(100 * time.readingShare)) of training")
        } else {
            row("time", "not measured")
        }
        return lines.joined(separator: "\n")
    }

    /// What is not enough, in words.
    var warnings: [String] {
        var result: [String] = []
        if memory.total > memory.available {
            result.append("memory: \(bytes(memory.total)) are needed, \(bytes(memory.available)) are available. Lower --frames or --batch-size.")
        }
        if storage.peak > storage.free {
            result.append("disk: \(bytes(storage.peak)) are needed, \(bytes(storage.free)) are free. Choose another --output.")
        }
        return result
    }
}

/// "1.5 GiB"
func bytes(_ count: Int) -> String { scaled(Double(count), steps: ["B", "KiB", "MiB", "GiB", "TiB"], by: 1024) }

/// "281 GFLOP"
func operations(_ count: Double) -> String {
    scaled(count, steps: ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"], by: 1000)
}

private func scaled(_ value: Double, steps: [String], by factor: Double) -> String {
    var value = value
    var step = 0
    while value >= factor * 0.9995, step < steps.count - 1 {
        value /= factor
        step += 1
    }
    return ProgressReporter.decimal(value, places: value < 10 && step > 0 ? 1 : 0) + " " + steps[step]
}

/// "0.12 s", else as the progress has it.
func duration(_ seconds: Double) -> String {
    seconds < 10 ? ProgressReporter.decimal(seconds, places: seconds < 1 ? 2 : 1) + " s" : ProgressReporter.time(seconds)
}
