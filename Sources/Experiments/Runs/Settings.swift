import CLIPModel
import Evaluation
import Files
import Foundation
import Methods
import Recipes
import Tensors
import Training
import VideoData

/// What cannot be worked out from flags and recipe.
package enum SettingsError: ReportableError {
    case incompleteData(missing: [String])
    case otherSide(wanted: Int, backbone: Int)
    case noSource
    case noBackbone
    case pocketWithLists
    case tooManyViews(Views, frames: Int)
    case noRecipeWith(words: [String])
    case outputExists(path: String)
    case notWithCaptions(what: String, reason: String)
    case captionsWithoutList
    case notWithBatchLoss(what: String, reason: String)
    /// - Parameter way: of holding prompts near CLIP.
    case earlyStopWithAverage(way: String)
    /// Of a backbone that is no SigLIP.
    case noLogitBias
    case layersAgainstDepth(tower: String, layers: PromptLayers, depth: Int)
    case layersWithoutTokens(tower: String, layers: PromptLayers)
    case nothingLearns
    case fixedFramesChange(keys: [String])
    case tooManyBackwardFrames(Int, frames: Int)
    case backwardFramesWithout(what: String)
    /// - Parameter last: number of the schedule.
    case scheduleEnds(last: Int, frames: Int)
    case scheduleWith(what: String, reason: String)
    /// - Parameter key: of what only prompts have.
    case forPromptsOnly(key: String)
    case rankWithoutUpdates
    case dropoutPrecision(Precision)
    case forWholeCLIP(method: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .incompleteData, .noSource, .noBackbone, .pocketWithLists, .tooManyViews, .notWithCaptions, .captionsWithoutList, .notWithBatchLoss,
            .earlyStopWithAverage, .fixedFramesChange, .tooManyBackwardFrames, .backwardFramesWithout, .scheduleEnds, .scheduleWith,
            .forPromptsOnly, .rankWithoutUpdates, .dropoutPrecision, .forWholeCLIP: .usage
        case .layersAgainstDepth, .layersWithoutTokens, .nothingLearns, .noLogitBias: .badConfiguration
        case .noRecipeWith: .missingInput
        case .otherSide: .badConfiguration
        case .outputExists: .inputOutput
        }
    }

    package var description: String {
        switch self {
        case .incompleteData(let missing):
            "for your own videos \(missing.joined(separator: " and ")) \(missing.count == 1 ? "is" : "are") needed too. "
                + "With neither data nor --backbone the pocket world is used; --train pocket names it."
        case .otherSide(let wanted, let backbone):
            "data.side is \(wanted), the backbone sees \(backbone) × \(backbone) pixels. Leave data.side out."
        case .noSource:
            "nothing to classify against: pass --labels, or --prompts with a prompt file that names its classes."
        case .noRecipeWith(let words):
            "no recipe has \"\(words.joined(separator: "\" and \"").escapedForDisplay)\" in its name or title. "
                + "`vifi-prompt recipe list` shows all."
        case .outputExists(let path):
            "\(path.escapedForDisplay): already exists. Choose another --output, or pass --force to overwrite it."
        case .notWithCaptions(let what, let reason):
            "\(what) cannot go with --captions: \(reason)"
        case .captionsWithoutList:
            "--val-captions, --test-captions, --max-words and --loss contrastive or sigmoid are for captions. Pass --captions LIST, or --captions pocket for the pocket world."
        case .notWithBatchLoss(let what, let reason):
            "\(what) cannot go with --loss batch (training.loss): \(reason) Leave one of them out."
        case .earlyStopWithAverage(let way):
            "--early-stop (training.early_stop) cannot go with --regularize \(way), whose outcome is a mean over all epochs of the run. Leave one of them out."
        case .noLogitBias:
            "--loss sigmoid (training.loss) adds a SigLIP's bias to the logits, and this backbone has none. Take a SigLIP, or leave it out."
        case .layersAgainstDepth(let tower, let layers, let depth):
            "\(tower) layers \(layers.text) and a \(tower) depth of \(depth) contradict each other: a depth counts from the first "
                + "layer, \(depth) means \(PromptLayers(0..<depth).text). Leave out --\(tower)-depth or --\(tower)-layers "
                + "(prompts.\(tower)_depth or prompts.\(tower)_layers)."
        case .layersWithoutTokens(let tower, let layers):
            "prompts are asked for in \(tower) layers \(layers.text), with 0 tokens each. Set --\(tower)-tokens "
                + "(prompts.\(tower)_tokens), or --\(tower)-layers none."
        case .nothingLearns:
            "neither tower has prompts, so there is nothing to learn. Give one of them tokens and layers."
        case .fixedFramesChange(let keys):
            "with fixed frames each clip is the same in every epoch, but \(keys.joined(separator: ", ")) would change it. "
                + "Leave \(keys.count == 1 ? "it" : "them") out, or --fixed-frames and --quick."
        case .tooManyBackwardFrames(let count, let frames):
            "the backward pass cannot go through \(count) frames of a clip that has \(counted(frames, "frame", "frames")). Set "
                + "--backward-frames (training.backward_frames) to at most \(frames), or leave it out for all frames."
        case .backwardFramesWithout(let what):
            "--backward-frames (training.backward_frames) is for learning vision prompts, but \(what). Leave it out."
        case .scheduleEnds(let last, let frames):
            "--frames-schedule (training.frames_schedule) ends with \(counted(last, "frame", "frames")), but clips have \(frames). End it with "
                + "\(frames), or set --frames \(last) (data.frames)."
        case .scheduleWith(let what, let reason):
            "--frames-schedule (training.frames_schedule) cannot go with \(what): \(reason) Leave one of them out."
        case .forPromptsOnly(let key):
            "\(key) is for learning prompts, but bridge learns weights. Leave it out, or use `vifi-prompt learn`."
        case .rankWithoutUpdates:
            "--lora-rank and --lora-dropout (lora_rank, lora_dropout) are for low-rank updates, --tuning lora. Leave them out."
        case .dropoutPrecision(let precision):
            "--lora-dropout (lora_dropout) is computed in \(Precision.float32.rawValue), but \(precision.rawValue) is asked for. Leave out --precision "
                + "(model.precision), or set --lora-dropout 0."
        case .forWholeCLIP(let method):
            "\(method) trains the whole CLIP, so that another backbone comes out: `vifi-prompt bridge --method \(method)` is meant."
        case .noBackbone:
            "no backbone is named. Pass --backbone FILE: where data are named, no model is taken from a run or from the pocket world."
        case .pocketWithLists:
            "--train pocket brings its own lists and class names. Leave out --val, --test and --labels."
        case .tooManyViews(let views, let frames):
            "\(views.text) views of \(frames) frames are \(views.clips * views.crops * frames) frames of each video; "
                + "at most 1024 are allowed. Use fewer views or frames."
        }
    }
}

/// A recipe with every default filled in, and whether it stands for the pocket world.
package struct Settings {
    package private(set) var recipe: Recipe
    package let isPocket: Bool
    package let pool: WorkerPool
    private let context: RunContext
    /// Where relative paths of the recipe start, if not here.
    private let directory: String?
    /// Of the model's large products.
    package let precision: Precision
    /// The backbone of a run that goes on.
    private let resumedBackbone: String?
    /// Prompt depths that somebody asked for; nil where the default of all layers holds.
    private let givenDepths: (vision: Int?, text: Int?)

    package init(_ request: RunRequest, pool: WorkerPool, context: RunContext) throws {
        let (kind, given) = (request.kind, request.recipe)
        self.context = context
        directory = request.isElsewhere ? request.directory : nil
        let hasCaptions = given.data.captions != nil
        isPocket = given.meansPocket
        if given.namesPocketLists, [given.data.val, given.data.test, given.data.labels].contains(where: { $0 != nil }) {
            throw SettingsError.pocketWithLists
        }
        if hasCaptions { try Self.checkCaptions(given) } else { try Self.checkNoCaptions(given) }
        let name = hasCaptions ? "\(kind.rawValue)-captions" : kind.rawValue
        let base = isPocket ? try Recipe(path: BundledFiles.path(of: "Recipes/pocket/\(name).yaml")) : Recipe()
        var preset = try given.prompts.promptMethod()?.preset ?? given.bridgeMethod()?.preset ?? (given.tuning == .lora ? .lowRank : Recipe())
        // The pocket CLIP has read one sentence alone: in that of a method's authors it knows no class.
        if isPocket { preset.template = nil }
        if given.training.loss == .batch { preset = preset.merged(over: .batchLoss) }
        var merged = given.merged(over: preset).merged(over: base).merged(over: hasCaptions ? .captionDefaults(for: kind) : .defaults(for: kind))
        merged.joinBatches(insteadOf: given)
        try merged.prompts.checkLayers()
        if kind == .bridge, merged.training.backwardFrames != nil { throw SettingsError.backwardFramesWithout(what: "bridge learns weights") }
        // A run that is told to merge nothing is the run that is told nothing.
        if merged.prompts.mergeTokens == 0 { merged.prompts.mergeTokens = nil }
        if merged.prompts.behindNorm == false { merged.prompts.behindNorm = nil }
        if kind == .bridge {
            let strays = [
                ("--method (prompts.method)", merged.prompts.method != nil), ("--regularize (prompts.regularize)", merged.prompts.regularize != nil),
                ("--descriptions (prompts.descriptions)", merged.prompts.descriptions != nil), ("--match (prompts.match)", merged.prompts.match != nil),
                ("--merge-tokens (prompts.merge_tokens)", merged.prompts.mergeTokens != nil),
                ("--prompts-behind-norm (prompts.behind_norm)", merged.prompts.behindNorm != nil),
                ("--frames-schedule (training.frames_schedule)", merged.training.framesSchedule != nil),
                ("--loss \(merged.training.loss?.rawValue ?? "") (training.loss)", merged.training.loss.map { $0.pairs == nil } ?? false),
            ]
            if let stray = strays.first(where: \.1) { throw SettingsError.forPromptsOnly(key: stray.0) }
        }
        let method = try merged.prompts.promptMethod()
        try method?.check(merged)
        if merged.prompts.classSpecific == false { merged.prompts.classSpecific = nil }
        if method?.learnsInputWords != true {
            let strays = [
                ("--name-place (prompts.name_place)", merged.prompts.namePlace != nil), ("--class-specific (prompts.class_specific)", merged.prompts.classSpecific != nil),
            ]
            if let stray = strays.first(where: \.1) { throw PromptMethodUseError.withoutInputWords(flag: stray.0) }
        } else if merged.prompts.classSpecific == true, hasCaptions {
            throw SettingsError.notWithCaptions(what: "--class-specific", reason: "captions have no classes.")
        }
        if method?.temporal == nil {
            let strays = [
                ("--words-before (prompts.words_before)", merged.prompts.wordsBefore), ("--words-after (prompts.words_after)", merged.prompts.wordsAfter),
                ("--temporal-layers (prompts.temporal_layers)", merged.prompts.temporalLayers),
            ]
            if let stray = strays.first(where: { $0.1 != nil }) { throw PromptMethodUseError.withoutTemporal(flag: stray.0) }
        }
        if method?.pixels == nil {
            let strays = [
                ("--pixel-form (prompts.pixel_form)", merged.prompts.pixelForm != nil),
                ("--pixel-width (prompts.pixel_width)", merged.prompts.pixelWidth != nil),
            ]
            if let stray = strays.first(where: \.1) { throw PromptMethodUseError.withoutPixels(flag: stray.0) }
        }
        let bridging = try merged.bridgeMethod()
        if kind == .learn, let bridging { throw SettingsError.forWholeCLIP(method: bridging.name) }
        try bridging?.check(merged)
        if merged.templates != nil, bridging == nil { throw BridgeMethodError.templatesWithoutMethod }
        if merged.loraDropout == 0 { merged.loraDropout = nil }
        if merged.loraRank != nil || merged.loraDropout != nil, merged.tuning != .lora { throw SettingsError.rankWithoutUpdates }
        let regularizer = try merged.prompts.regularizer()
        if merged.prompts.descriptions != nil {
            if hasCaptions { throw SettingsError.notWithCaptions(what: "--descriptions", reason: "captions have no classes.") }
            if merged.prompts.classSpecific == true { throw DescriptionError.notWith(what: "--class-specific, whose words belong to names") }
        }
        if merged.prompts.match != nil, merged.prompts.descriptions == nil { throw DescriptionError.matchWithoutDescriptions }
        if merged.prompts.match == .transport {
            if let regularizer { throw DescriptionError.transportWith(what: "--regularize \(regularizer.name), whose teacher has one vector for each class") }
            if let fusion = merged.fusion, fusion != .embedding {
                throw DescriptionError.transportWith(what: "--fusion \(fusion.rawValue), as it puts frames together itself")
            }
        }
        if merged.training.loss == .batch { try merged.checkBatchLoss(method: method, regularizer: regularizer) }
        if merged.training.earlyStop != nil, let regularizer, regularizer.averagesEpochs { throw SettingsError.earlyStopWithAverage(way: regularizer.name) }
        if regularizer != nil, hasCaptions { throw PromptMethodUseError.regularizedCaptions }
        if regularizer == nil, merged.prompts.teacherTemplates != nil { throw PromptMethodUseError.templatesWithoutRegularizer }
        if merged.augmentation.fixedFrames == true { merged.augmentation.turnOff() }
        precision = try merged.model.precision?.resolved(note: { context.note(.model(.precision($0))) }) ?? .float32
        if merged.loraDropout != nil, precision != .float32 { throw SettingsError.dropoutPrecision(precision) }
        // What `auto` came to, so that the recipe can be run again elsewhere.
        merged.model.precision = merged.model.precision.map { [precision] _ in PrecisionChoice(precision) }
        recipe = merged
        self.pool = pool
        resumedBackbone = nil
        givenDepths = (given.prompts.visionDepth, given.prompts.textDepth)
        if !isPocket, !hasCaptions {
            let missing = [("--train", recipe.data.train), ("--labels", recipe.data.labels)].filter { $0.1 == nil }.map(\.0)
            if !missing.isEmpty { throw SettingsError.incompleteData(missing: missing) }
        }
    }

    /// The recipe with its paths as they are written from here.
    package var placedRecipe: Recipe { directory.map(recipe.placed) ?? recipe }

    /// Whether captions are learned from and not classes.
    package var hasCaptions: Bool { recipe.data.captions != nil }

    /// Whether the clips of a batch are compared with each other: they are needed all at once, and not shared out over ranks.
    package var comparesClips: Bool { hasCaptions || recipe.training.loss == .batch }

    /// - Throws: `SettingsError` where the loss needs what the backbone does not have.
    func checkLoss(of backbone: Backbone) throws(SettingsError) {
        if recipe.training.loss == .sigmoid, backbone.parameters.logitBias == nil { throw .noLogitBias }
    }

    private static func checkNoCaptions(_ given: Recipe) throws {
        guard given.data.valCaptions == nil, given.data.testCaptions == nil, given.data.maxWords == nil, given.training.loss?.pairs == nil else {
            throw SettingsError.captionsWithoutList
        }
    }

    /// - Throws: `SettingsError` for what would have no meaning or another one.
    private static func checkCaptions(_ given: Recipe) throws {
        func refuse(_ isGiven: Bool, _ what: String, _ reason: String) throws {
            if isGiven { throw SettingsError.notWithCaptions(what: what, reason: reason) }
        }
        try refuse(
            given.data.train != nil || given.data.labels != nil, "--train and --labels", "they name classes. Leave one or the other out.")
        try refuse(
            given.data.val != nil || given.data.test != nil, "--val and --test",
            "they list classes. For captions there are --val-captions and --test-captions.")
        try refuse(
            given.training.loss.map { $0.pairs == nil } ?? false, "--loss \(given.training.loss?.rawValue ?? "")",
            "there are no classes to compare with. For captions there are contrastive, the default, and sigmoid.")
        try refuse(given.training.shots != nil, "--shots", "there are no classes to draw from.")
        try refuse(
            given.fusion.map { $0 != .embedding } ?? false, "--fusion", "a video meets captions as one vector, the mean of its frames.")
        try refuse(
            given.augmentation.mixup ?? 0 > 0 || given.augmentation.cutmix ?? 0 > 0, "augmentation.mixup or cutmix",
            "no caption describes two videos that are mixed.")
        try refuse(
            given.training.backwardFrames != nil, "--backward-frames", "a batch's videos are compared with each other and go back whole.")
        try refuse(!given.rounding.isEmpty, "--compat", "the reference released no retrieval whose rounding could be repeated.")
    }

    /// The settings of a run that goes on, with nothing left to decide.
    package init(resuming run: ResumedRun, pool: WorkerPool, context: RunContext) throws {
        self.context = context
        directory = nil
        recipe = run.recipe
        precision = try run.recipe.model.precision?.resolved(note: { context.note(.model(.precision($0))) }) ?? .float32
        isPocket = run.record.isPocket
        self.pool = pool
        resumedBackbone = run.record.request.placed(run.record.backbone)
        givenDepths = (run.recipe.prompts.visionDepth, run.recipe.prompts.textDepth)
    }

    // MARK: Model

    /// The file of the backbone that the recipe names; on the pocket world of the one that suits `kind`.
    package func backbonePath(kind: RunKind) throws -> String {
        try resumedBackbone ?? placedRecipe.model.checkpoint
            ?? (kind == .bridge
                ? BackboneFinder.imageBackbone()
                : hasCaptions ? BackboneFinder.newestCaptionBackbone() ?? BackboneFinder.bridgedBackbone() : BackboneFinder.bridgedBackbone())
    }

    /// The backbone in the file at `backbonePath`.
    package func backbone(kind: RunKind, activation: Activation?) throws -> Backbone {
        if recipe.model.checkpoint == nil, resumedBackbone == nil, !isPocket {
            throw SettingsError.noBackbone
        }
        let path = try backbonePath(kind: kind)
        let backbone = try BackboneFinder.load(path, activation: activation, context: context).computing(in: precision)
        if let side = recipe.data.side, side != backbone.architecture.imagePixels {
            throw SettingsError.otherSide(wanted: side, backbone: backbone.architecture.imagePixels)
        }
        if kind == .learn {
            do {
                try backbone.requireFramesAlone(for: "prompts and heads are learned")
            } catch {
                throw ModelError.inFile(path: path, error)
            }
        }
        context.note(.model(.backbone(path: path, name: backbone.description.name, architecture: backbone.architecture)))
        return backbone
    }

    /// The pixel normalization that the recipe asks for, else the backbone's own.
    package func normalization(for backbone: Backbone) -> PixelNormalization {
        recipe.normalization(insteadOf: backbone.description.normalization)
    }

    /// Prompts and text inputs that are rounded to half precision.
    package var rounding: Float16Rounding { recipe.rounding }

    package var sampler: FrameSampler { recipe.sampler(frameCount: frameCount) }

    package var fusion: Fusion { recipe.fusion ?? .embedding }
    package var frameCount: Int { recipe.data.frames ?? Recipe.Data.standardFrames }

    /// - Parameter method: of training the whole CLIP; nil for ViFi-CLIP's.
    /// - Throws: where the backbone's frames see each other, and the method or the number of frames is not for that; and where they
    ///   are to see each other in towers of another form.
    func checkFrames(of backbone: Backbone, method: BridgeMethod?) throws(ModelError) {
        if case .crossFrame? = method?.design { try backbone.architecture.requireForm(for: "frames see each other") }
        guard backbone.architecture.crossFrame != nil else { return }
        guard case .crossFrame? = method?.design else { throw .framesSeeEachOther(what: "ViFi-CLIP and ActionCLIP are trained") }
        try backbone.check(frameCount: frameCount)
    }
    package var seed: UInt64 { UInt64(recipe.training.seed ?? 1) }

    /// Whether training clips are the same in every epoch.
    package var hasFixedFrames: Bool { recipe.augmentation.fixedFrames == true }

    /// Which frames of each clip the backward pass goes through; nil for all, also where as many are asked for.
    ///
    /// - Throws: `SettingsError` where clips have fewer frames, or nothing goes back through any.
    package func backwardFrames(learning prompts: PromptConfiguration) throws -> BackwardFrames? {
        guard let count = recipe.training.backwardFrames else { return nil }
        guard count <= frameCount else { throw SettingsError.tooManyBackwardFrames(count, frames: frameCount) }
        guard prompts.promptsVision else { throw SettingsError.backwardFramesWithout(what: "the vision tower has none") }
        return count < frameCount ? BackwardFrames(count: count, seed: seed) : nil
    }

    /// The prompts that are asked for; the default depth of all layers is as many as there are.
    package func fittedPrompts(to architecture: CLIPArchitecture) -> PromptConfiguration {
        recipe.prompts.fitted(to: architecture, givenDepths: givenDepths)
    }

    /// The recipe with the prompts that really are learned.
    package func recipe(with prompts: PromptConfiguration) -> Recipe {
        var fitted = recipe
        fitted.prompts.visionTokens = prompts.visionTokens
        fitted.prompts.textTokens = prompts.textTokens
        fitted.prompts.mergeTokens = prompts.mergedTokens == 0 ? nil : prompts.mergedTokens
        fitted.prompts.behindNorm = prompts.isBehindNorm ? true : nil
        func written(_ layers: Range<Int>) -> (depth: Int?, layers: PromptLayers?) {
            layers.lowerBound == 0 ? (layers.count, nil) : (nil, PromptLayers(layers))
        }
        (fitted.prompts.visionDepth, fitted.prompts.visionLayers) = written(prompts.visionLayers)
        (fitted.prompts.textDepth, fitted.prompts.textLayers) = written(prompts.textLayers)
        if case .context(let count, _, _) = prompts.words { (fitted.prompts.textTokens, fitted.prompts.textDepth) = (count, 1) }
        if let pixels = prompts.pixels { (fitted.prompts.pixelForm, fitted.prompts.pixelWidth) = (pixels.form, pixels.width) }
        return fitted
    }

    // MARK: Training

    package var blending: Blending {
        let augmentation = recipe.augmentation
        let mixup = augmentation.mixup ?? 0.8
        let cutmix = augmentation.cutmix ?? 1
        var blending = Blending()
        blending.labelSmoothing = augmentation.labelSmoothing ?? 0.1
        blending.isMixing = mixup > 0 || cutmix > 0
        blending.cutMixProbability = mixup == 0 ? 1 : cutmix == 0 ? 0 : 0.5
        if mixup > 0 { blending.mixUpAlpha = mixup }
        if cutmix > 0 { blending.cutMixAlpha = cutmix }
        return blending
    }

    package func trainingTransform(for backbone: Backbone) -> ClipTransform {
        if hasFixedFrames { return testTransform(for: backbone) }
        var configuration = ClipTransform.Configuration()
        configuration.flipProbability = Float(recipe.augmentation.flip ?? 0.5)
        configuration.jitterProbability = Float(recipe.augmentation.colorJitter ?? 0.8)
        configuration.grayProbability = Float(recipe.augmentation.gray ?? 0.2)
        if recipe.augmentation.multiScale == false { configuration.cropScales = [1] }
        recipe.apply(to: &configuration, own: backbone.description.normalization)
        return .training(side: backbone.architecture.imagePixels, configuration)
    }

    package func testTransform(for backbone: Backbone) -> ClipTransform {
        var configuration = ClipTransform.Configuration()
        recipe.apply(to: &configuration, own: backbone.description.normalization)
        return .testing(side: backbone.architecture.imagePixels, configuration)
    }

    /// These settings with the warm-up that a run over `clipCount` clips has, where nobody asked for one.
    ///
    /// - Throws: `TrainingError` for settings that no run can have.
    package func withWarmup(clipCount: Int) throws -> Settings {
        guard recipe.training.warmupEpochs == nil else { return self }
        let epochs = try trainingConfiguration(clipCount: clipCount).epochs
        let warmup = Recipe.Training.defaultWarmup(epochs: epochs)
        if warmup < Recipe.Training.fullWarmup {
            context.note(.learning(.warmupShortened(epochs: warmup)))
        }
        var settings = self
        settings.recipe.training.warmupEpochs = warmup
        return settings
    }

    /// By gradient descent with momentum in place of AdamW.
    private var descends: Bool { recipe.training.optimizer == .descent }

    /// What a task is made with besides what learns.
    ///
    /// - Parameters:
    ///   - budget: for activations.
    ///   - means: where `texts` are several sentences of each class.
    func task(
        of texts: RunTexts, budget: MemoryBudget, backwardFrames: BackwardFrames? = nil, means: SentenceMeans? = nil
    ) -> TaskSetting {
        TaskSetting(
            sequences: texts.sequences, fusion: fusion, frameCount: frameCount, pool: pool, weightDecay: recipe.training.weightDecay ?? 1e-3,
            beta2: recipe.training.beta2, descends: descends, budget: budget, rounding: rounding, videoOfCaption: texts.videoOfCaption,
            pairLoss: recipe.training.loss?.pairs ?? .contrastive, backwardFrames: backwardFrames, means: means, seed: seed)
    }

    package func trainingConfiguration(clipCount: Int) throws -> TrainingConfiguration {
        let training = recipe.training
        var configuration = TrainingConfiguration(
            epochs: training.epochs ?? 50, batchSize: training.batchSize ?? 4,
            accumulationSteps: training.accumulationSteps ?? 16, learningRate: training.learningRate ?? 8e-3,
            warmupEpochs: 0, weightDecay: training.weightDecay ?? 1e-3, seed: seed,
            blending: blending)
        configuration.cosineSteps = training.cosineSteps
        configuration.fallsToZero = descends
        recipe.apply(to: &configuration)
        if let steps = training.steps {
            let perEpoch = max(1, configuration.stepsPerEpoch(clipCount: clipCount))
            configuration.epochs = (steps + perEpoch - 1) / perEpoch
        }
        configuration.warmupEpochs = Double(training.warmupEpochs ?? Recipe.Training.defaultWarmup(epochs: configuration.epochs))
        configuration.patience = training.earlyStop
        configuration.evaluationInterval = training.evaluateEvery ?? max(1, configuration.epochs / 5)
        try configuration.check(clipCount: clipCount)
        return configuration
    }
}

extension Recipe.Prompts {
    /// Words around class names, where a method learns them.
    package var learnedWords: LearnedWords? {
        guard let wordsBefore, let wordsAfter else { return nil }
        return .around(before: wordsBefore, after: wordsAfter)
    }

    /// Layers and depth of one recipe must say the same; layers need tokens.
    package func checkLayers() throws {
        // The template has a number of tokens of its own.
        let textTokens = start == .template ? nil : textTokens
        for (tower, layers, depth, tokens) in [
            ("vision", visionLayers, visionDepth, visionTokens), ("text", textLayers, textDepth, textTokens),
        ] {
            guard let layers else { continue }
            // Without tokens a depth says nothing, as in the reference.
            if let depth, tokens != 0, layers.range != 0..<depth { throw SettingsError.layersAgainstDepth(tower: tower, layers: layers, depth: depth) }
            if tokens == 0, !layers.range.isEmpty { throw SettingsError.layersWithoutTokens(tower: tower, layers: layers) }
        }
    }
}
