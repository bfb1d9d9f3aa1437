import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Tensors

/// How well clips are told apart.
public struct EvaluationScores: Sendable, Equatable {
    /// One class.
    public struct Class: Sendable, Equatable {
        public let name: String
        /// Its clips.
        public let count: Int
        /// Share of these that were recognized, in percent; nil without clips.
        public let top1: Double?
    }

    /// Clips that were scored.
    public let count: Int
    /// In percent.
    public let top1: Double
    /// In percent; says nothing with five classes or fewer.
    public let top5: Double
    /// Mean of the classes' own top-1, in percent.
    public let meanClassAccuracy: Double
    /// In the order of their labels.
    public let classes: [Class]
}

/// Scores labeled clips with a backbone and, where some are given, prompts.
///
/// - Parameters:
///   - clips: of a folder that is divided, the test part is scored, else the validation part.
///   - prompts: a prompt file, the file of a head, the folder of a run or of an export; nil for the backbone as it is.
///   - backbone: a backbone file; nil for the one that the prompts were learned on, where it lies as it did then.
///   - vocabulary: CLIP's, for backbones that need it; looked for beside the backbone where nil.
///   - frameCount: of a clip; nil for that of the prompts, else 16.
///   - threadCount: `1 ... 1024`; nil for all processors.
///   - onProgress: told how far it has come.
///   - isCancelled: asked between clips.
///   - onMessage: told what a person would want to know.
/// - Throws: `VifiPromptError`; of the kind `cancelled` where `isCancelled` said so.
public func evaluate(
    _ clips: LabeledClips, prompts: String? = nil, backbone: String? = nil, vocabulary: String? = nil, frameCount: Int? = nil,
    threadCount: Int? = nil, onProgress: @escaping @Sendable (TrainingProgress) -> Void = { _ in },
    isCancelled: @escaping @Sendable () -> Bool = { false }, onMessage: @escaping @Sendable (String) -> Void = { _ in }
) throws(VifiPromptError) -> EvaluationScores {
    let context = RunContext(onProgress: onProgress, isCancelled: isCancelled, onMessage: onMessage)
    return try reporting {
        try ClipFiles.with(clips) { files in
            var settings = Recipe()
            settings.data.frames = frameCount
            settings.model.checkpoint = backbone
            let model = ModelInputs(vocabulary: vocabulary, threads: threadCount)
            let job = EvaluationJob(
                evaluationProtocol: "list", settings: settings, videos: VideoInputs(), model: model, pool: model.pool(context), context: context)
            let loaded = try job.subject(prompts: prompts)
            let test = try TestList(files.test ?? files.validation ?? files.train, labels: files.labels, videos: VideoInputs(), root: files.root, context: context)
            do {
                let metrics = try job.evaluate(test, with: loaded, title: "evaluate").metrics
                return EvaluationScores(
                    count: metrics.videos, top1: metrics.top1, top5: metrics.top5, meanClassAccuracy: metrics.meanClassAccuracy,
                    classes: metrics.perClass.map { .init(name: $0.name, count: $0.videos, top1: $0.top1) })
            } catch is EvaluationStopped {
                throw RequestError.stopped
            }
        }
    }
}

extension LearnedPrompts {
    /// Forms that prompts are written in.
    public enum Form: Sendable {
        /// This program's prompt file, `.safetensors`.
        case promptFile
        /// A folder in PEFT's layout.
        case peft
        /// A NumPy archive, `.npz`.
        case npz
    }

    /// Writes the prompts for use elsewhere, whole or not at all.
    ///
    /// - Parameters:
    ///   - path: of the file or folder; it must not exist yet.
    ///   - form: what is written.
    /// - Throws: `VifiPromptError` where it exists already or cannot be written.
    public func export(to path: String, as form: Form = .promptFile) throws(VifiPromptError) {
        try reporting {
            guard !fileExists(path) else { throw SettingsError.outputExists(path: path) }
            switch form {
            case .promptFile: try file.save(to: path)
            case .peft: _ = try PromptAdapter.save(file, to: path, name: path.lastPathComponent)
            case .npz: _ = try PromptArchive.write(file, to: path)
            }
        }
    }
}
