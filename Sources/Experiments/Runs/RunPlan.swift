import CLIPModel
import Evaluation
import Files
import Foundation
import Tensors
import Training
import VideoData

/// What a run would do, compute, keep in memory and write, and how long it would take.
package struct RunPlan: Encodable {
    package struct Work: Encodable {
        package let clips: Int
        /// Looked at in each evaluation.
        package let validationClips: Int
        /// Scored once, at the end.
        package let testClips: Int
        package let classes: Int
        package let framesPerClip: Int
        package let epochs: Int
        package let steps: Int
        /// Epochs without a fall of the loss after which the run ends; nil for one that takes all of its epochs.
        package let earlyStop: Int?
        package let clipsPerStep: Int
        package let evaluations: Int
        package let parameters: Int
        package let learningParameters: Int
        package let seeds: Int
    }

    /// In floating-point operations, two a multiply-add.
    package struct Arithmetic: Encodable {
        package let step: Double
        package let total: Double
        /// The same step through all frames, without the savings that change nothing but the time.
        package let stepWithoutSavings: Double
        package let savings: [String]
        /// Of the total, computed once per clip, where frames are the same in every epoch.
        package let cachedPrefix: Double?
    }

    /// In bytes, at the moment when most is needed.
    package struct Memory: Encodable {
        package let backbone: Int
        /// What learns, its gradients and what the optimizer keeps of them: AdamW's two moments, or velocities.
        package let learning: Int
        package let activations: Int
        package let evaluation: Int
        /// What is computed once per clip, where frames are the same in every epoch.
        package let cachedPrefixes: Int
        /// Clips that are read ahead, and decoded videos that are kept.
        package let clips: Int
        package let program: Int
        package let total: Int
        package let available: Int
    }

    /// In bytes.
    package struct Storage: Encodable {
        package let checkpoint: Int
        package let checkpointsKept: Int
        package let results: Int
        /// With two checkpoints and one that is being written.
        package let peak: Int
        package let free: Int
    }

    /// Between ranks, where several processes share the steps.
    package struct Communication: Encodable {
        /// What a rank hands to others in a step; as much comes back.
        package let bytesPerStep: Int
    }

    /// In seconds, on this machine.
    package struct Time: Encodable {
        package let step: Double
        /// Reading, decoding and augmenting a clip for the first time, and when it is in the cache.
        package let readingClip: Double
        package let readingKeptClip: Double
        /// What is computed once of a clip, where frames are the same in every epoch.
        package let cachingClip: Double?
        /// The part of training that goes into reading.
        package let readingShare: Double
        package let evaluation: Double
        package let total: Double
        /// Floating-point operations a second of the measured step.
        package let speed: Double
    }

    package let kind: String
    package let work: Work
    package let arithmetic: Arithmetic
    package let memory: Memory
    package let storage: Storage
    package let communication: Communication
    package let time: Time?

    /// - Parameters:
    ///   - sequences: of the texts that clips are scored with.
    ///   - stepTexts: those of as many clips of a step, where each batch has texts of its own.
    ///   - makeTask: the task whose memory is measured, and through which a few clips are sent; and what it computes once a clip.
    ///   - isTimed: whether clips are sent through it.
    package init(
        _ run: LearningRun, learned: LearnedPart, sequences: [[Int]], stepTexts: ((Int) -> [[Int]])? = nil, seedCount: Int,
        hasHalfFiles: Bool = false, makeTask: () throws -> (task: any LearningTask, caching: PrefixCaching?), isTimed: Bool
    ) throws {
        let frames = run.settings.frameCount
        let kind = try run.modelKind()
        let architecture = MethodCost.architecture(of: kind, on: run.backbone.architecture, frameCount: frames)
        let clipCount = run.data.train.clips.count
        let configuration = try run.settings.trainingConfiguration(clipCount: clipCount)
        let steps = configuration.schedule(clipCount: clipCount).stepCount
        let (validationCount, testCount) = (run.data.val?.clips.count ?? 0, run.data.test?.clips.count ?? 0)
        let evaluations = validationCount == 0 ? 0 : (configuration.epochs + configuration.evaluationInterval - 1) / configuration.evaluationInterval
        let before = WorkMeter.reading.liveBytes
        let (task, caching) = try makeTask()
        let taskBytes = WorkMeter.reading.liveBytes - before
        let learningCount = task.parameterCount
        let clipsPerStep = min(configuration.clipsPerStep, clipCount)
        let work = Work(
            clips: clipCount, validationClips: validationCount, testClips: testCount, classes: run.data.classes.count, framesPerClip: frames,
            epochs: configuration.epochs, steps: steps, earlyStop: configuration.patience, clipsPerStep: clipsPerStep, evaluations: evaluations,
            parameters: run.backbone.parameterCount, learningParameters: learningCount, seeds: seedCount)
        let backwardFrames = run.settings.recipe.training.backwardFrames
        func operations(with texts: [[Int]], frames: Int) -> OperationCount {
            OperationCount(
                architecture, learned: learned, sequences: texts, frameCount: frames, backwardFrameCount: backwardFrames.map { min($0, frames) },
                head: MethodCost.headWork(kind, architecture: architecture, frameCount: frames, classCount: work.classes))
        }
        let ownTexts = stepTexts?(clipsPerStep)
        let scored = operations(with: sequences, frames: frames)
        let count = ownTexts.map { operations(with: $0, frames: frames) } ?? scored
        let room = PrefixRoom(caching, clips: clipCount, validationClips: validationCount)
        // A clip that is kept costs its prefix once, not in each epoch.
        let stepOperations = 2 * Double(count.step(clips: clipsPerStep)) - 2 * Double(clipsPerStep) * room.keptShare * Double(count.clipCachedPrefix)
        let spared = (configuration.epochs - 1) * room.clips + max(0, evaluations - 1) * room.validationClips
        // Where clips are computed once, all epochs have as many frames.
        var training = -2 * Double(spared) * Double(count.clipCachedPrefix) + 2 * Double(count.textCachedPrefix)
        // Operations of the steps of all epochs, as a share of what they would be with all frames.
        var stepShare = 0.0
        for part in run.settings.frameShares(epochs: configuration.epochs) {
            let own = operations(with: ownTexts ?? sequences, frames: part.frames)
            let (partSteps, looks) = (part.epochs * configuration.stepsPerEpoch(clipCount: clipCount), part.epochs * clipCount)
            training += own.training(steps: partSteps, looks: looks, sparedLooks: 0) - 2 * Double(own.textCachedPrefix)
            stepShare += Double(part.epochs) / Double(max(1, configuration.epochs)) * Double(own.step(clips: clipsPerStep)) / Double(max(1, count.step(clips: clipsPerStep)))
        }
        func scoring(_ clips: Int) -> Double { 2 * Double(scored.evaluation(clips: clips) + scored.stepForward + scored.textCachedPrefix) }
        let evaluating = Double(evaluations) * scoring(validationCount) + (testCount == 0 ? 0 : scoring(testCount))
        arithmetic = Arithmetic(
            step: stepOperations, total: Double(seedCount) * (training + evaluating),
            stepWithoutSavings: 2 * Double(
                OperationCount.wholeStep(
                    architecture, learned: learned, textCount: ownTexts?.count ?? work.classes, frameCount: frames, clips: clipsPerStep,
                    head: MethodCost.wholeHeadWork(kind, architecture: architecture, frameCount: frames, classCount: work.classes))),
            savings: Self.savings(learned, sequences: ownTexts ?? sequences, sharesTexts: ownTexts == nil, architecture: architecture, caching: caching)
                + (backwardFrames.map { $0 < frames ? ["the backward pass goes through \($0) of \(frames) frames, which changes the gradient"] : [] } ?? [])
                + (run.recipe.training.framesSchedule.map { ["clips have few frames first, \($0.words(epochs: configuration.epochs)), which changes what is learned"] } ?? []),
            cachedPrefix: caching == nil ? nil : 2 * Double(seedCount * (room.clips + room.validationClips)) * Double(count.clipCachedPrefix))
        memory = try Self.memory(
            run, learned: learned, sequences: sequences, configuration: configuration, learningCount: learningCount,
            momentCount: task.optimizer.momentCount, taskBytes: taskBytes, prefixBytes: (room.clips + room.validationClips) * (caching?.clipBytes ?? 0),
            keepsVideos: room.clips < clipCount)
        communication = Communication(bytesPerStep: 4 * task.sharedCount)
        storage = Self.storage(run, learned: learned, learningCount: learningCount, momentCount: task.optimizer.momentCount, hasHalfFiles: hasHalfFiles, steps: steps)
        time = isTimed
            ? try PlanTiming(run: run, configuration: configuration, sequences: sequences, caching: caching, room: room)
                .measured(task, work: work, stepOperations: stepOperations, stepShare: stepShare)
            : nil
        self.kind = run.kind.rawValue
        self.work = work
    }

    private static func savings(
        _ learned: LearnedPart, sequences: [[Int]], sharesTexts: Bool, architecture: CLIPArchitecture, caching: PrefixCaching?
    ) -> [String] {
        let readsClassToken = architecture.poolingHeadCount == nil && architecture.crossFrame == nil
        let isTextCausal = architecture.form.isTextCausal
        let lastOfTexts = isTextCausal ? "the end token" : "the last place"
        var result = [
            readsClassToken ? "the last layers compute the class token and \(lastOfTexts) only" : "the last layer of texts computes \(lastOfTexts) only"
        ]
        if isTextCausal { result.append("nothing is computed after the end tokens") }
        if isTextCausal, sequences.count > 1 { result.append("the start of the texts is computed once for all \(sequences.count) texts") }
        if sharesTexts { result.append("the text tower runs once per step, not once per batch") }
        if case .prompts(let prompts) = learned {
            result.append("no weight gradients")
            if prompts.visionDepth > 0, prompts.visionLayers.upperBound == architecture.vision.layerCount {
                result.append("the vision prompts' keys and values are computed once a step for all frames")
            }
            if prompts.pixels != nil { result.append("what is added to pixels is projected once a step for all frames") }
            if !prompts.promptsVision { result.append("no backward pass through the vision tower") }
            for (tower, layers) in [("vision", prompts.visionLayers), ("text", prompts.textLayers)] where layers.lowerBound > 0 {
                result.append("no backward pass below \(tower) layer \(layers.lowerBound)")
            }
            if prompts.isBehindNorm { result.append("the first layer's vision prompts join behind the input norm") }
            if prompts.mergedTokens > 0 {
                result.append("\(prompts.mergedTokens) of a frame's tokens merge in each vision layer but the last, which changes the model")
            }
        }
        if let caching {
            result.append(
                caching.isWholeVision ? "the vision tower runs once per clip, not once per epoch"
                    : "vision layers without prompts run once per clip, not once per epoch")
        }
        return result
    }

    /// What the program takes before it has read anything, with OpenBLAS's and FFmpeg's own memory.
    static let programBytes = 72 << 20

    /// - Parameter taskBytes: of the task's matrices, as they were allocated.
    private static func memory(
        _ run: LearningRun, learned: LearnedPart, sequences: [[Int]], configuration: TrainingConfiguration, learningCount: Int, momentCount: Int,
        taskBytes: Int, prefixBytes: Int, keepsVideos: Bool
    ) throws -> Memory {
        let architecture = run.backbone.architecture
        let weights = 4 * run.backbone.parameterCount
        let backbone = weights + architecture.packedWeightBytes(precision: run.backbone.precision, hasBackward: true)
        var learning = 4 * (2 + momentCount) * learningCount
        var evaluation = run.data.val == nil && run.data.test == nil ? 0 : run.backbone.evaluationBytes(
            prompts: learned.prompts, sequences: sequences, frameCount: run.settings.frameCount, pool: run.settings.pool)
        if case .backbone = learned {
            // Weights that learn are a copy, gradients have the shape of the whole backbone; evaluating and saving
            // take another copy.
            learning = 2 * weights + momentCount * 4 * learningCount
            evaluation += weights + architecture.packedWeightBytes(precision: run.backbone.precision, hasBackward: false)
        }
        let activations = max(0, taskBytes - learning)
        let clipBytes = 4 * run.settings.frameCount * 3 * architecture.imagePixels * architecture.imagePixels
        let loading = ClipLoader.Configuration()
        let waiting = min(loading.queuedClipCount + loading.threadCount, run.data.train.clips.count)
        // A batch is held as pixels and as matrices, and blending takes a copy.
        let clips = (waiting + 3 * configuration.batchSize) * clipBytes + (keepsVideos ? try keptBytes(run) : 0)
        let total = backbone + learning + activations + evaluation + prefixBytes + clips + programBytes
        return Memory(
            backbone: backbone, learning: learning, activations: activations, evaluation: evaluation, cachedPrefixes: prefixBytes, clips: clips,
            program: programBytes, total: total, available: Machine.availableMemory)
    }

    /// Decoded frames that stay in memory, judged by the first video.
    private static func keptBytes(_ run: LearningRun) throws -> Int {
        let list = run.data.train
        guard let first = list.clips.first else { return 0 }
        let transform = run.settings.trainingTransform(for: run.backbone)
        var frameCount = 0
        let frame = try run.reader.frames(
            of: list.videoPath(first), part: first.part,
            choosing: { count in
                frameCount = count
                return [0]
            }, converting: transform.shrunk).first
        guard frameCount <= ClipLoader.Configuration().cachedFrameLimit else { return 0 }
        return min(run.cacheBytes, list.clips.count * frameCount * (frame?.pixels.count ?? 0))
    }

    private static func storage(
        _ run: LearningRun, learned: LearnedPart, learningCount: Int, momentCount: Int, hasHalfFiles: Bool, steps: Int
    ) -> Storage {
        let checkpoint = Checkpoints.byteCount(parameterCount: learningCount, momentCount: momentCount)
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
