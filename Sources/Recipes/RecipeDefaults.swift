import CLIPModel
import Files

extension Recipe.Augmentation {
    /// What a training clip with fixed frames goes without.
    package mutating func turnOff() {
        (flip, colorJitter, gray, mixup, cutmix, multiScale) = (0, 0, 0, 0, 0, false)
    }

    /// The keys of what would make clips differ from epoch to epoch.
    package var changes: [String] {
        let chances = [("flip", flip), ("color_jitter", colorJitter), ("gray", gray), ("mixup", mixup), ("cutmix", cutmix)]
        return (chances.filter { $0.1 ?? 0 > 0 }.map(\.0) + (multiScale == true ? ["multi_scale"] : [])).map { "augmentation." + $0 }
    }
}

extension Recipe {
    /// The command that a recipe is for, as far as it shows: nil for one that only tests.
    package var kind: RunKind? {
        if prompts != Prompts() { return .learn }
        return training != Training() || tuning != nil || method != nil ? .bridge : nil
    }

    /// What holds for captions, where neither flag nor recipe says otherwise. The paper gives 16 frames (appendix A) and no
    /// schedule; rate and epochs of a bridge are those of CLIP4Clip (methods 8.5). Captions tell colors and
    /// sides, so that colors and sides stay as they are.
    package static func captionDefaults(for kind: RunKind) -> Recipe {
        var recipe = defaults(for: kind)
        recipe.template = "{}"
        recipe.augmentation.mixup = 0
        recipe.augmentation.cutmix = 0
        recipe.augmentation.labelSmoothing = 0
        recipe.augmentation.flip = 0
        recipe.augmentation.colorJitter = 0
        recipe.augmentation.gray = 0
        recipe.augmentation.multiScale = false
        recipe.training.batchSize = 32
        recipe.training.accumulationSteps = 1
        recipe.training.epochs = 5
        recipe.training.warmupEpochs = 1
        if kind == .bridge { recipe.training.learningRate = 1e-7 }
        return recipe
    }

    /// What low-rank updates learn with in their authors' program (`methods_more.md` 2), where nobody says otherwise.
    package static var lowRank: Recipe {
        var recipe = Recipe()
        recipe.training.learningRate = 2e-4
        recipe.training.weightDecay = 1e-2
        return recipe
    }

    /// What holds where neither flag nor recipe says otherwise: the paper's few-shot prompting and bridging
    /// settings (`docs`, configuration table), with 16 frames.
    package static func defaults(for kind: RunKind) -> Recipe {
        var recipe = Recipe()
        recipe.data.frames = 16
        recipe.fusion = .embedding
        recipe.template = "a photo of a {}."
        recipe.training.batchSize = 4
        recipe.training.accumulationSteps = 16
        recipe.training.warmupEpochs = 5
        recipe.training.weightDecay = 1e-3
        recipe.training.seed = 1
        recipe.compat = []
        recipe.augmentation.flip = 0.5
        recipe.augmentation.colorJitter = 0.8
        recipe.augmentation.gray = 0.2
        recipe.augmentation.mixup = 0.8
        recipe.augmentation.cutmix = 1
        recipe.augmentation.labelSmoothing = 0.1
        recipe.augmentation.multiScale = true
        switch kind {
        case .learn:
            recipe.prompts.visionTokens = 10
            recipe.prompts.textTokens = 10
            recipe.prompts.visionDepth = 12
            recipe.prompts.textDepth = 12
            recipe.training.epochs = 50
            recipe.training.learningRate = 8e-3
        case .bridge:
            recipe.tuning = .both
            recipe.training.epochs = 10
            recipe.training.learningRate = 8e-6
            recipe.training.accumulationSteps = 64
        }
        return recipe
    }
}
