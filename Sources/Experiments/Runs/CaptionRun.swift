import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// The tokens of what a run learns from: of class names, or of captions.
package struct RunTexts {
    package let sequences: [[Int]]
    /// Where classes are read in several sentences: for each kind of these how many each class has; nil for one a class.
    package private(set) var sentenceCounts: [[Int]]?
    /// Of the validation captions.
    package var valSequences: [[Int]]?
    /// The video of each caption; nil for classes.
    package var videoOfCaption: [Int]?

    /// Texts of classes.
    init(_ sequences: [[Int]]) { self.sequences = sequences }

    /// - Parameter descriptions: in the place of class names.
    package init(
        _ data: RunData, settings: Settings, prompts: PromptConfiguration, backbone: Backbone, tokenizer: any Tokenizer,
        descriptions: ClassDescriptions? = nil, context: RunContext
    ) throws {
        guard let (train, val, _) = data.captions else {
            if let descriptions {
                let made = try backbone.tokens(
                    of: descriptions, classNames: data.classes.names, prompts: prompts, tokenizer: tokenizer, context: context)
                sequences = made.sequences
                sentenceCounts = made.counts
                return
            }
            sequences = try backbone.sequences(
                of: data.classes.names, prompts: prompts, template: settings.recipe.template,
                keepsUnderscores: settings.recipe.repeats(.keptUnderscores), tokenizer: tokenizer)
            tellEqualTokens(data.classes.names, sequences, context)
            return
        }
        func tokens(_ list: CaptionList) throws -> [[Int]] {
            try backbone.tokens(
                of: list, prompts: prompts, template: settings.recipe.template, maxWords: settings.recipe.data.maxWords,
                tokenizer: tokenizer, context: context)
        }
        sequences = try tokens(train)
        valSequences = try val.map(tokens)
        videoOfCaption = train.captions.map(\.video)
    }
}

extension Backbone {
    /// The tokens of a list's captions; says how many had to be cut.
    package func tokens(
        of list: CaptionList, prompts: PromptConfiguration, template: String?, maxWords: Int?, tokenizer: any Tokenizer, context: RunContext
    ) throws -> [[Int]] {
        let made = try sequences(
            ofCaptions: list.captions.map(\.text), prompts: prompts, template: template, maxWords: maxWords, tokenizer: tokenizer)
        if made.cutCount > 0 {
            context.warning(
                .data(.captionsCut(list: list.path, count: made.cutCount, total: made.sequences.count, tokenLimit: made.tokenLimit)))
        }
        return made.sequences
    }
}

extension LearningRun {
    /// - Throws: where the run learns from captions, whose cost nobody has told `plan` about.
    package func refuseCaptions() throws {
        if data.captions != nil {
            throw SettingsError.notWithCaptions(what: "plan", reason: "it knows the cost of classes only. Start the run; it says how long it will take.")
        }
    }

    /// - Returns: nil where a signal cut it short.
    package func evaluateCaptions(loader: ClipLoader) throws -> Scores? {
        guard let captionValidation, let list = data.captions?.val else { return nil }
        do {
            return try scores(of: list, sequences: captionValidation.sequences, encoder: captionValidation.encoder(), loader: loader)
        } catch is EvaluationStopped {
            return nil
        }
    }

    /// - Throws: `EvaluationStopped` after a signal.
    func scores(of list: CaptionList, sequences: [[Int]], encoder: PairEncoder, loader: ClipLoader) throws -> Scores {
        let outcome = try RetrievalEvaluator(encoder, pool: settings.pool).outcome(
            of: list, sequences: sequences, loader: loader, bestCount: 0
        ) { _, _ in
            if context.isCancelled { throw EvaluationStopped() }
        }
        return Scores(outcome.metrics)
    }

    /// Bytes of the clips of a batch, where they are needed all at once: as they were loaded, and as matrices.
    package static func batchBytes(_ settings: Settings, side: Int) -> Int {
        guard settings.comparesClips else { return 0 }
        return 2 * (settings.recipe.training.batchSize ?? 1) * settings.frameCount * 3 * side * side * 4
    }
}

extension RunData {
    /// What is learned from.
    package var amount: TrainingAmount {
        captions.map { .captions($0.train.captions.count, videos: $0.train.videos.count) } ?? .clips(train.clips.count, classes: classes.count)
    }

    /// What is written down of each list: its name, its bytes, and its videos.
    package var lists: [(name: String, bytes: [UInt8], videos: AnnotationList)] {
        if let captions {
            return [("train", captions.train), ("val", captions.val), ("test", captions.test)].compactMap { name, list in
                list.map { (name, $0.bytes, $0.videoList) }
            }
        }
        return [("train", train), ("val", val), ("test", test)].compactMap { name, list in
            list.map { (name, AnnotationList.bytes(of: $0.clips), $0) }
        }
    }
}
