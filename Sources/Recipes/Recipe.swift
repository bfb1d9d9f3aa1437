import CLIPModel
import VideoData

/// What a run does, as far as it is written down: flags go over a recipe, a recipe over its base and
/// over the defaults. Nil means that nobody has said.
///
/// Paths are taken from the working directory, as they are in flags; in a recipe's file those that begin
/// with `./` start from its own folder.
package struct Recipe: RecipeSection {
    package var model = Model()
    package var data = Data()
    package var prompts = Prompts()
    /// What the bridge trains.
    package var tuning: Tuning?
    /// A way to train the whole CLIP that is not ViFi-CLIP's.
    package var method: String?
    /// With a method that reads class names in several sentences: a file of them.
    package var templates: String?
    /// With `tuning: lora`: the rank of the updates; 2 where nil.
    package var loraRank: Int?
    /// With `tuning: lora`: how much of the updates' inputs is left out while they learn; nothing where nil.
    package var loraDropout: Double?
    package var fusion: Fusion?
    package var training = Training()
    package var augmentation = Augmentation()
    /// Words around a class name, with `{}` in its place; for models without text prompts.
    package var template: String?
    package var evaluation = Evaluation()
    /// Faults of the reference to repeat.
    package var compat: Set<Quirk>?

    package init() {}

    package static var fields: [RecipeField<Recipe>] {
        [
            .section("model", \.model),
            .section("data", \.data),
            .section("prompts", \.prompts),
            .choice("tuning", \.tuning),
            .text("method", \.method),
            .text("templates", \.templates),
            .integer("lora_rank", \.loraRank, 1...1024), .number("lora_dropout", \.loraDropout, 0...0.9),
            .choice("fusion", \.fusion),
            .section("training", \.training),
            .section("augmentation", \.augmentation),
            .text("template", \.template),
            .section("evaluation", \.evaluation),
            .quirks("compat", \.compat),
        ]
    }

    /// This recipe, with the values of `base` where this one has none. Whoever asks for epochs does not want
    /// the base's number of steps, and whoever asks for another length not the base's warm-up where it takes more
    /// than half of it; nor does the base's depth matter to whoever names layers, or the other way round. Whoever names another
    /// method of prompting wants that method's numbers and not the base's.
    package func merged(over base: Recipe) -> Recipe {
        var base = base
        if let method = prompts.method, method != base.prompts.method { base.prompts.dropNumbers() }
        var result = overlaid(on: base)
        if training.epochs != nil, training.steps == nil { result.training.steps = nil }
        if training.warmupEpochs == nil, !result.training.hasRoomForWarmup(insteadOf: base.training) {
            result.training.warmupEpochs = nil
        }
        if prompts.visionLayers != nil, prompts.visionDepth == nil { result.prompts.visionDepth = nil }
        if prompts.visionDepth != nil, prompts.visionLayers == nil { result.prompts.visionLayers = nil }
        if prompts.textLayers != nil, prompts.textDepth == nil { result.prompts.textDepth = nil }
        if prompts.textDepth != nil, prompts.textLayers == nil { result.prompts.textLayers = nil }
        return result
    }

    /// How it looks at videos and words: what the file of a model does not say itself.
    package var scoringSettings: Recipe {
        var result = Recipe()
        result.data.frames = data.frames
        result.fusion = fusion
        result.template = template
        result.model.normalization = model.normalization
        return result
    }

    /// As YAML that reads back as this recipe; what is not set is left out.
    package var yaml: String { printed(indentation: "") }
}

extension Recipe {
    package enum Normalization: String, Sendable, CaseIterable {
        case clip, imagenet
    }

    package struct Model: RecipeSection {
        /// A backbone file.
        package var checkpoint: String?
        /// In place of the one that the backbone names.
        package var normalization: Normalization?
        /// Of the large products; float32 where nil.
        package var precision: PrecisionChoice?

        package init() {}

        package static var fields: [RecipeField<Self>] {
            [.text("checkpoint", \.checkpoint), .choice("normalization", \.normalization), .choice("precision", \.precision)]
        }
        package static var formerKeys: [String: String] { ["normalisation": "normalization"] }
    }

    package struct Data: RecipeSection {
        /// Lists of `path label`.
        package var train: String?
        /// What the best epoch is chosen on.
        package var val: String?
        /// What is scored once, at the end.
        package var test: String?
        /// CSV of `id,name`.
        package var labels: String?
        /// Lists of `video,caption`, in place of classes; `pocket` for those of the pocket world.
        package var captions: String?
        package var valCaptions: String?
        package var testCaptions: String?
        /// Most tokens of a caption, start and end token included.
        package var maxWords: Int?
        /// The folder that the paths of the lists start from.
        package var root: String?
        /// Frames of a clip.
        package var frames: Int?
        /// Of a clip where nobody says it, in learning as in scoring.
        package static let standardFrames = 16
        /// Of a clip of the pocket world, as its CLIP was bridged.
        package static let pocketFrames = 8
        /// Pixels; in place of the backbone's.
        package var side: Int?
        /// What to do about videos that cannot be read.
        package var onBadVideo: BadVideoPolicy?

        package init() {}

        /// What an evaluation scores: the test list, else the validation list.
        package var scored: String? { test ?? val }
        /// The same of captions.
        package var scoredCaptions: String? { testCaptions ?? valCaptions }

        /// Whether it names lists of classes, or their names.
        package var namesClasses: Bool { train != nil || val != nil || test != nil || labels != nil }

        package static var fields: [RecipeField<Self>] {
            [
                .text("train", \.train), .text("val", \.val), .text("test", \.test), .text("labels", \.labels),
                .text("captions", \.captions), .text("val_captions", \.valCaptions),
                .text("test_captions", \.testCaptions), .integer("max_words", \.maxWords, 3...1024),
                .text("root", \.root),
                .integer("frames", \.frames, 1...1024), .integer("side", \.side, 16...1024),
                .choice("on_bad_video", \.onBadVideo),
            ]
        }
    }

    /// What text prompts are before anything is learned.
    package enum PromptStart: String, Sendable, CaseIterable {
        /// N(0, 0.02²), as in ViFi-CLIP.
        case random
        /// What the template's words are in each layer: learning starts at zero-shot.
        case template
    }

    /// How a video is compared with several descriptions of a class.
    package enum DescriptionMatch: String, Sendable, CaseIterable {
        /// The class's vector is the mean of its descriptions' unit vectors, brought to unit length.
        case mean
        /// Frames are matched with descriptions by optimal transport (OST, CVPR 2024).
        case transport
    }

    /// Prompt tokens in each layer, and how many layers have their own; 0 for none.
    package struct Prompts: RecipeSection {
        package var visionTokens: Int?
        package var textTokens: Int?
        package var visionDepth: Int?
        package var textDepth: Int?
        /// In place of a depth, which counts layers from the first.
        package var visionLayers: PromptLayers?
        package var textLayers: PromptLayers?
        /// With `template`, there are as many text tokens as the template has before the name.
        package var start: PromptStart?
        /// Pairs of a frame's tokens that merge in each layer of the vision tower but the last.
        package var mergeTokens: Int?
        /// Whether the first layer's vision prompts join behind the tower's input norm.
        package var behindNorm: Bool?
        /// A method whose prompts follow from what it learns, or stand elsewhere; ViFi-CLIP's where nil.
        package var method: String?
        /// What holds the prompts near CLIP without prompts; the method's own where nil.
        package var regularize: String?
        /// A file of sentences in which the teacher reads class names.
        package var teacherTemplates: String?
        /// A file of sentences that stand for the class names.
        package var descriptions: String?
        /// How videos are compared with these; with their mean where nil.
        package var match: DescriptionMatch?
        /// Of a method that learns words before the class names: where the name stands instead; behind them where nil.
        package var namePlace: LearnedWords.NamePlace?
        /// Of such a method: other words for each class.
        package var classSpecific: Bool?
        /// Of a method that learns words around class names: how many.
        package var wordsBefore: Int?
        package var wordsAfter: Int?
        /// Of a method that learns a transformer over frames.
        package var temporalLayers: Int?
        /// Of a method that learns pixels: which of every frame.
        package var pixelForm: PixelArea.Form?
        /// Pixels that a border is wide, or a patch; as wide as the authors' in frames of the backbone's size where nil.
        package var pixelWidth: Int?

        package init() {}

        /// Leaves a method's own numbers of tokens and layers to it.
        mutating func dropNumbers() {
            (visionTokens, textTokens, visionDepth, textDepth) = (nil, nil, nil, nil)
            (visionLayers, textLayers) = (nil, nil)
            (wordsBefore, wordsAfter, temporalLayers) = (nil, nil, nil)
            (namePlace, classSpecific, behindNorm) = (nil, nil, nil)
            (pixelForm, pixelWidth) = (nil, nil)
        }

        package static var fields: [RecipeField<Self>] {
            [
                .integer("vision_tokens", \.visionTokens, 0...512), .integer("text_tokens", \.textTokens, 0...512),
                .integer("vision_depth", \.visionDepth, 0...128), .integer("text_depth", \.textDepth, 0...128),
                .layers("vision_layers", \.visionLayers), .layers("text_layers", \.textLayers), .choice("start", \.start),
                .integer("merge_tokens", \.mergeTokens, 0...4096), .flag("behind_norm", \.behindNorm), .text("method", \.method), .text("regularize", \.regularize),
                .text("teacher_templates", \.teacherTemplates), .text("descriptions", \.descriptions), .choice("match", \.match), .choice("name_place", \.namePlace),
                .flag("class_specific", \.classSpecific), .integer("words_before", \.wordsBefore, 0...512),
                .integer("words_after", \.wordsAfter, 0...512), .integer("temporal_layers", \.temporalLayers, 1...128),
                .choice("pixel_form", \.pixelForm), .integer("pixel_width", \.pixelWidth, 1...1024),
            ]
        }
    }

    /// What a step compares.
    package enum LossChoice: String, Sendable, CaseIterable {
        /// Each clip with all classes.
        case classes
        /// The clips of a batch with the classes of all of them, both ways (OST, CVPR 2024).
        case batch
        /// Videos and captions, as `PairLoss` says.
        case contrastive, sigmoid

        /// Nil where classes are learned.
        package var pairs: PairLoss? { PairLoss(rawValue: rawValue) }
    }

    /// What turns gradients into steps.
    package enum OptimizerChoice: String, Sendable, CaseIterable {
        case adamW = "adamw"
        /// Gradient descent with a momentum of 0.9, whose rate falls to zero.
        case descent = "sgd"
    }

    package struct Training: RecipeSection {
        package var epochs: Int?
        /// Optimizer steps, in place of epochs.
        package var steps: Int?
        /// Clips of a micro-batch.
        package var batchSize: Int?
        /// Micro-batches of one optimizer step.
        package var accumulationSteps: Int?
        /// AdamW where nil.
        package var optimizer: OptimizerChoice?
        package var learningRate: Double?
        package var warmupEpochs: Int?
        package var weightDecay: Double?
        /// Of AdamW's mean of squares; 0.98 where nil.
        package var beta2: Double?
        /// Steps after which the cosine of the rate begins anew; once for the whole run where nil.
        package var cosineSteps: Int?
        package var seed: Int?
        /// Training clips of each class; all of them where nil.
        package var shots: Int?
        /// Epochs between two evaluations; a fifth of all of them where nil.
        package var evaluateEvery: Int?
        /// Frames of a clip that the backward pass goes through; all of them where nil.
        package var backwardFrames: Int?
        /// Frames of training clips, fewer at first; as many in every epoch where nil.
        package var framesSchedule: FrameSchedule?
        /// Epochs in which the smoothed training loss may not come down before a run ends; nil for runs that take all of their epochs.
        package var earlyStop: Int?
        /// Each clip with all classes where nil, or contrastive where there are captions.
        package var loss: LossChoice?

        package init() {}

        /// Warm-up of runs that do not say it, in epochs: the paper's 5, or half of a shorter run.
        package static func defaultWarmup(epochs: Int) -> Int { min(fullWarmup, epochs / 2) }
        package static let fullWarmup = 5

        /// Whether a warm-up that was written for the length of `base` can stand.
        fileprivate func hasRoomForWarmup(insteadOf base: Training) -> Bool {
            if (epochs, steps) == (base.epochs, base.steps) { return true }
            // How many epochs a number of steps takes is known with the clips.
            guard steps == nil, let epochs, let warmupEpochs else { return false }
            return warmupEpochs <= epochs / 2
        }

        package static var fields: [RecipeField<Self>] {
            [
                .integer("epochs", \.epochs, 1...100_000), .integer("steps", \.steps, 1...100_000_000),
                .integer("batch_size", \.batchSize, 1...65_536),
                .integer("accumulation_steps", \.accumulationSteps, 1...65_536),
                .choice("optimizer", \.optimizer), .number("learning_rate", \.learningRate, 0...1000), .integer("warmup_epochs", \.warmupEpochs, 0...100_000),
                .number("weight_decay", \.weightDecay, 0...1), .number("beta2", \.beta2, 0...0.99999),
                .integer("cosine_steps", \.cosineSteps, 1...100_000_000), .integer("seed", \.seed, 0...Int.max),
                .integer("shots", \.shots, 1...1_000_000),
                .integer("evaluate_every", \.evaluateEvery, 1...100_000), .integer("backward_frames", \.backwardFrames, 1...1024),
                .frames("frames_schedule", \.framesSchedule), .integer("early_stop", \.earlyStop, 1...100_000),
                .choice("loss", \.loss),
            ]
        }
    }

    package struct Evaluation: RecipeSection {
        package var views: Views?

        package init() {}

        package static var fields: [RecipeField<Self>] { [.views("views", \.views)] }
    }

    package struct Augmentation: RecipeSection {
        /// Chances for a whole clip.
        package var flip: Double?
        package var colorJitter: Double?
        package var gray: Double?
        /// α of the Beta distribution of the share; 0 turns it off.
        package var mixup: Double?
        package var cutmix: Double?
        /// ε, spread over all classes.
        package var labelSmoothing: Double?
        /// Crops of several sizes; the center without.
        package var multiScale: Bool?
        /// Training clips are seen as test clips are: the same frames and their center in each epoch, nothing of the above.
        package var fixedFrames: Bool?

        package init() {}

        package static var formerKeys: [String: String] { ["colour_jitter": "color_jitter", "grey": "gray"] }
        package static var fields: [RecipeField<Self>] {
            [
                .number("flip", \.flip, 0...1), .number("color_jitter", \.colorJitter, 0...1),
                .number("gray", \.gray, 0...1), .number("mixup", \.mixup, 0...100),
                .number("cutmix", \.cutmix, 0...100), .number("label_smoothing", \.labelSmoothing, 0...0.99),
                .flag("multi_scale", \.multiScale), .flag("fixed_frames", \.fixedFrames),
            ]
        }
    }
}
