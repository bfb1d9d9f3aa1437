import ArgumentParser
import CLIPModel
import Files
import Recipes
import VideoData

/// How many prompts there are, and where.
struct PromptShapeOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Prompt tokens per layer of the vision tower; 0 for none.", valueName: "tokens"))
    var visionTokens: Int?

    @Option(help: ArgumentHelp("Prompt tokens per layer of the text tower; 0 for none.", valueName: "tokens"))
    var textTokens: Int?

    @Option(help: ArgumentHelp("Layers of the vision tower with prompts of their own, from the first.", valueName: "layers"))
    var visionDepth: Int?

    @Option(help: ArgumentHelp("Layers of the text tower with prompts of their own, from the first.", valueName: "layers"))
    var textDepth: Int?

    @Option(
        help: ArgumentHelp("Layers of the vision tower with prompts, counted from 0: 6-11, 6, or none.", valueName: "layers"),
        transform: PromptLayers.parsed)
    var visionLayers: PromptLayers?

    @Option(
        help: ArgumentHelp("Layers of the text tower with prompts, counted from 0: 4-11, 4, or none.", valueName: "layers"),
        transform: PromptLayers.parsed)
    var textLayers: PromptLayers?

    @Option(
        help: ArgumentHelp(
            "Pairs of a frame's tokens that merge in each layer of the vision tower but the last; 0 by default. Steps and predictions become "
                + "faster and the model another one: the prompts are used with this number only.",
            valueName: "pairs"))
    var mergeTokens: Int?

    @Flag(help: "The first layer's vision prompts join behind the tower's input norm and do not pass it, as those of VPT's authors.")
    var promptsBehindNorm = false

    @Option(
        help: ArgumentHelp(
            "With --method coop or kgcoop: where the class name stands among the learned words: end (the default), middle or front.",
            valueName: "place"))
    var namePlace: LearnedWords.NamePlace?

    @Flag(help: "With --method coop or kgcoop: learn other words for each class. They say nothing of classes that are not learned.")
    var classSpecific = false

    @Option(help: ArgumentHelp("With --method a5 or a6: words that are learned before each class name; 16 by default.", valueName: "words"))
    var wordsBefore: Int?

    @Option(help: ArgumentHelp("With --method a5 or a6: words that are learned behind each class name; 16 by default.", valueName: "words"))
    var wordsAfter: Int?

    @Option(
        help: ArgumentHelp("With --method a5 or a6: layers of the transformer over frames; 1 for a5, 2 for a6 by default.", valueName: "layers"))
    var temporalLayers: Int?

    @Option(
        help: ArgumentHelp(
            "With --method pixel: what is added to every frame, a border (padding, the default), a fixed-patch at the top left, or a random-patch.",
            valueName: "form"))
    var pixelForm: PixelArea.Form?

    @Option(
        help: ArgumentHelp(
            "With --method pixel: how wide border or patch are; by default 30 pixels in frames of 224, as much of others.", valueName: "pixels"))
    var pixelWidth: Int?

    @Flag(help: "Language prompts only, on fixed frames whose features are computed once: minutes instead of hours, less accuracy.")
    var quick = false

    func validate() throws {
        for (tower, layers, tokens) in [("vision", visionLayers, visionTokens), ("text", textLayers, textTokens)] {
            if let layers, let tokens, layers == .none, tokens > 0 {
                throw ValidationError("--\(tower)-layers none and --\(tower)-tokens \(tokens) contradict each other: leave one of them out.")
            }
        }
        guard quick else { return }
        let vision = [
            visionLayers.flatMap { $0 == .none ? nil : "--vision-layers \($0.text)" },
            visionTokens.flatMap { $0 == 0 ? nil : "--vision-tokens \($0)" },
            visionDepth.flatMap { $0 == 0 || visionTokens == 0 ? nil : "--vision-depth \($0)" },
            promptsBehindNorm ? "--prompts-behind-norm" : nil,
        ].compactMap(\.self)
        if let flag = vision.first {
            throw ValidationError(
                "--quick learns language prompts only, so \(flag) cannot go with it. For late vision prompts on clips whose "
                    + "lower layers are computed once, write --vision-layers 6-11 --fixed-frames instead of --quick.")
        }
        if textTokens == 0 || textDepth == 0 || textLayers == PromptLayers.none {
            throw ValidationError("--quick learns language prompts, but the other flags leave no text prompts.")
        }
    }

    func apply(to recipe: inout Recipe) {
        recipe.prompts.visionTokens = visionTokens ?? recipe.prompts.visionTokens
        recipe.prompts.textTokens = textTokens ?? recipe.prompts.textTokens
        recipe.prompts.visionDepth = visionDepth ?? recipe.prompts.visionDepth
        recipe.prompts.textDepth = textDepth ?? recipe.prompts.textDepth
        recipe.prompts.visionLayers = visionLayers ?? (quick ? PromptLayers.none : recipe.prompts.visionLayers)
        recipe.prompts.textLayers = textLayers ?? recipe.prompts.textLayers
        recipe.prompts.mergeTokens = mergeTokens ?? recipe.prompts.mergeTokens
        if promptsBehindNorm { recipe.prompts.behindNorm = true }
        recipe.prompts.namePlace = namePlace ?? recipe.prompts.namePlace
        if classSpecific { recipe.prompts.classSpecific = true }
        recipe.prompts.wordsBefore = wordsBefore ?? recipe.prompts.wordsBefore
        recipe.prompts.wordsAfter = wordsAfter ?? recipe.prompts.wordsAfter
        recipe.prompts.temporalLayers = temporalLayers ?? recipe.prompts.temporalLayers
        recipe.prompts.pixelForm = pixelForm ?? recipe.prompts.pixelForm
        recipe.prompts.pixelWidth = pixelWidth ?? recipe.prompts.pixelWidth
        if quick { recipe.augmentation.fixedFrames = true }
    }
}

/// How the frames of a training clip are chosen and come together.
struct TrainingFrameOptions: ParsableArguments {
    @Flag(help: "Treat training clips as test clips: the same centered frames in every epoch, no flips, color jitter, MixUp or CutMix.")
    var fixedFrames = false

    @Option(help: "How the frames of a clip are combined: embedding, decision or image.")
    var fusion: Fusion?

    @Option(
        help: ArgumentHelp(
            "Frames of each clip that the backward pass goes through, drawn anew in each step; all of them by default. Fewer make steps "
                + "faster and take less memory; the gradient is exact only in the mean.",
            valueName: "frames"))
    var backwardFrames: Int?

    @Option(
        help: ArgumentHelp(
            "Frames of training clips, few first and all at the end, such as 4,8,16: the epochs are shared out over them. Validation and "
                + "tests see all frames.", valueName: "frames"),
        transform: FrameSchedule.parsed)
    var framesSchedule: FrameSchedule?

    func apply(to recipe: inout Recipe) {
        recipe.training.framesSchedule = framesSchedule ?? recipe.training.framesSchedule
        recipe.training.backwardFrames = backwardFrames ?? recipe.training.backwardFrames
        if fixedFrames { recipe.augmentation.fixedFrames = true }
        recipe.fusion = fusion ?? recipe.fusion
    }
}

extension FrameSchedule {
    /// For `transform`: what it throws is shown behind the option's name.
    static func parsed(_ argument: String) throws -> FrameSchedule {
        guard let schedule = FrameSchedule(argument) else { throw ValidationError("'\(argument.escapedForDisplay)' is no schedule; write \(form).") }
        return schedule
    }
}
