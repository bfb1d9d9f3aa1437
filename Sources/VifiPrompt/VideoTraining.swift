import CLIPModel
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import Training

/// How far a run has come. Called from the thread that runs it.
public struct TrainingProgress: Sendable {
    /// What is being done, such as `learn`.
    public let title: String
    /// Of `total`; steps while something is learned.
    public let done: Int
    public let total: Int
    /// A short note, such as the loss; empty where there is none.
    public let detail: String
}

/// What is learned from clips: prompts or a head on a backbone that stays as it is, or the backbone itself.
///
/// The settings that nobody gives are those of the command line: the paper's, from 16 frames of each clip.
///
/// ```swift
/// var training = VideoTraining(.prompts, clips: .folder("my-videos"), backbone: "clip.safetensors", output: "runs/mine")
/// training.shots = 8
/// let run = try training.run { print($0.done, $0.total, $0.detail) }
/// ```
public struct VideoTraining: Sendable {
    /// What changes.
    public enum Target: Sendable {
        /// Prompt tokens of both towers; the backbone stays as it is.
        case prompts
        /// The weights of both towers.
        case backbone
        /// A classifier on the backbone's features, which are computed once a clip: minutes in place of hours.
        ///
        /// - Parameter method: `auto` for the best by clips that are held out, or one of the names in `docs/heads.md`.
        case head(method: String = "auto")

        var kind: RunKind {
            switch self {
            case .prompts, .head: .learn
            case .backbone: .bridge
            }
        }
    }

    public var target: Target
    public var clips: LabeledClips
    /// A backbone file.
    public var backbone: String
    /// CLIP's vocabulary, for backbones that need it; looked for beside the backbone where nil.
    public var vocabulary: String?
    /// The run's folder; it must not exist yet, or be empty.
    public var output: String
    /// Clips of each class to learn from, drawn by `seed`; nil for all of them.
    public var shots: Int?
    /// Of a head: how often each clip is looked at, `1 ... 10`. Views but the first have other frames, mirrored and cropped.
    public var views = 1
    /// Of a head that is chosen (`auto`): the time in which prompts are tried as well, in seconds; nil for heads alone.
    public var budgetSeconds: Double?
    /// Of everything random, from 0. The same seed gives the same file on the same machine.
    public var seed = 1
    /// Frames of a clip, `1 ... 1024`; nil for the recipe's, else 16.
    public var frameCount: Int?
    /// A recipe's path, or the name of one that comes with the program.
    public var recipe: String?
    /// Single settings over the recipe, `key=value`, such as `training.epochs=20`, `prompts.method=maple` (docs/methods.md) or, for
    /// a backbone, `tuning=lora`.
    public var settings: [String] = []
    /// `1 ... 1024`; nil for all processors.
    public var threadCount: Int?
    /// Most bytes that the process may take; what does not fit is computed twice, with the same result.
    public var memoryBytes: Int?

    public init(_ target: Target, clips: LabeledClips, backbone: String, output: String) {
        self.target = target
        self.clips = clips
        self.backbone = backbone
        self.output = output
    }

    /// Learns, from the start to the end.
    ///
    /// - Parameters:
    ///   - onProgress: told how far it has come, after each step.
    ///   - isCancelled: asked between steps. A run that is cancelled keeps its checkpoint in `output`, and `resume` goes on
    ///     with it.
    ///   - onMessage: told what a person would want to know, such as how many clips were found and what is odd about them.
    /// - Throws: `VifiPromptError`; of the kind `cancelled` where `isCancelled` said so.
    public func run(
        onProgress: @escaping @Sendable (TrainingProgress) -> Void = { _ in }, isCancelled: @escaping @Sendable () -> Bool = { false },
        onMessage: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(VifiPromptError) -> TrainedRun {
        let context = RunContext(onProgress: onProgress, isCancelled: isCancelled, onMessage: onMessage)
        return try reporting {
            try ClipFiles.with(clips) { files in
                var flags = Recipe()
                (flags.data.train, flags.data.val, flags.data.test) = (files.train, files.validation, files.test)
                (flags.data.labels, flags.data.root) = (files.labels, files.root)
                flags.data.frames = frameCount
                flags.model.checkpoint = backbone
                flags.training.shots = shots
                flags.training.seed = seed
                let source = RecipeSource(file: recipe, flags: flags, assignments: settings)
                var request = RunRequest(
                    target.kind, recipe: try source.given(), asked: try source.asked(),
                    model: ModelInputs(vocabulary: vocabulary, threads: threadCount), memory: MemoryBound(bytes: memoryBytes))
                if case .head(let method) = target {
                    guard (1...10).contains(views) else { throw RequestError.headViews(views) }
                    (request.method, request.views, request.budget) = (method, views == 1 ? nil : views, method == "auto" ? budgetSeconds : nil)
                }
                let outcome = try request.run(output: output, context: context)
                return TrainedRun(folder: outcome.path, result: outcome.result, kind: target.kind)
            }
        }
    }

    /// Goes on with a run that was cancelled or killed; the result is the one that it would have had.
    ///
    /// - Parameters:
    ///   - folder: the run's.
    ///   - target: what it learns.
    ///   - onProgress: told how far it has come, after each step.
    ///   - isCancelled: asked between steps.
    ///   - onMessage: told what a person would want to know.
    /// - Throws: `VifiPromptError`: the folder holds no such run, or what it learned from has changed.
    public static func resume(
        _ folder: String, _ target: Target, onProgress: @escaping @Sendable (TrainingProgress) -> Void = { _ in },
        isCancelled: @escaping @Sendable () -> Bool = { false }, onMessage: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(VifiPromptError) -> TrainedRun {
        let context = RunContext(onProgress: onProgress, isCancelled: isCancelled, onMessage: onMessage)
        return try reporting {
            try resumeRun(folder, kind: target.kind, threads: nil, context: context)
            guard let result = try RunResult.read(run: folder) else { throw RunError.notARun(path: folder) }
            return TrainedRun(folder: folder, result: result, kind: target.kind)
        }
    }
}

/// What a run came to.
public struct TrainedRun: Sendable {
    /// Holds the results, the settings, and copies of the lists.
    public let folder: String
    /// What was learned, in the epoch that was best on the validation clips, else in the last: a prompt file, a backbone file, or
    /// the file of a head (`LearnedHead`). Within a budget, prompts may be the best that `.head` comes to.
    public let file: String
    /// Of a head: what was learned, by its name; nil else.
    public let method: String?
    /// Of a head: top-1 on clips of the training list that were held out in turn, in percent; nil where none could be.
    public let heldOutTop1: Double?
    /// 0 of a head, which takes none.
    public let steps: Int
    /// Mean over the clips of the last epoch, in nats; nil of a head.
    public let trainingLoss: Double?
    /// Top-1 of `file` on the validation clips, in percent; nil without such clips.
    public let validationTop1: Double?
    /// Top-1 of `file` on the test clips, which nothing was chosen by, in percent; nil without such clips.
    public let testTop1: Double?
    /// Of all parts of the run.
    public let seconds: Double

    init(folder: String, result: RunResult, kind: RunKind) {
        self.folder = folder
        file = kind.chosenFile(in: folder)
        method = result.method
        heldOutTop1 = result.crossValidatedTop1
        steps = result.steps ?? 0
        trainingLoss = result.trainingLoss
        validationTop1 = result.best?.top1 ?? (result.method == nil ? nil : result.last?.top1)
        testTop1 = result.test?.top1
        seconds = result.seconds
    }
}

extension RunContext {
    /// For a caller who is told by closures.
    init(
        onProgress: @escaping @Sendable (TrainingProgress) -> Void, isCancelled: @escaping @Sendable () -> Bool,
        onMessage: @escaping @Sendable (String) -> Void
    ) {
        self.init(
            observer: ClosureObserver(onMessage: onMessage, onProgress: onProgress), cancellation: Cancellation(isRequested: isCancelled))
    }
}

/// Tells closures what happens.
private struct ClosureObserver: RunObserver {
    let onMessage: @Sendable (String) -> Void
    let onProgress: @Sendable (TrainingProgress) -> Void

    private final class Display: ProgressDisplay {
        private let tell: (Int, String) -> Void

        init(_ tell: @escaping (Int, String) -> Void) { self.tell = tell }
        func show(_ done: Int, detail: String) { tell(done, detail) }
        func finish() {}
    }

    func observe(_ event: RunEvent) {
        if let text = event.text { onMessage(text) }
    }

    func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay {
        Display { [onProgress] done, detail in onProgress(TrainingProgress(title: title, done: done, total: total, detail: detail)) }
    }
}
