import CLIPModel
import Methods
import Recipes

extension Recipe {
    /// What holds where the clips of a batch are compared with each other's classes, and nobody says otherwise: each is of one class.
    static var batchLoss: Recipe {
        var recipe = Recipe()
        recipe.augmentation.mixup = 0
        recipe.augmentation.cutmix = 0
        recipe.augmentation.labelSmoothing = 0
        return recipe
    }

    /// All clips of a step become one batch where its clips are compared with each other, unless `given` says what a batch is.
    mutating func joinBatches(insteadOf given: Recipe) {
        guard training.loss == .batch, given.training.batchSize == nil, given.training.accumulationSteps == nil else { return }
        training.batchSize = (training.batchSize ?? 1) * (training.accumulationSteps ?? 1)
        training.accumulationSteps = 1
    }

    /// - Throws: where something needs each clip by itself, or texts that are not those of classes alone.
    func checkBatchLoss(method: PromptMethod?, regularizer: PromptRegularizer?) throws(SettingsError) {
        func refuse(_ isAsked: Bool, _ what: String, _ reason: String) throws(SettingsError) {
            if isAsked { throw .notWithBatchLoss(what: what, reason: reason) }
        }
        let name = "--method \(method?.name ?? "")"
        try refuse(method?.followsVideos == true, name, "its texts are other ones for each clip.")
        try refuse(method?.temporal != nil, name, "it compares each clip with all classes, as its authors do.")
        try refuse(regularizer != nil, "--regularize \(regularizer?.name ?? "")", "its terms are those of a clip.")
        try refuse(fusion == .image, "--fusion image", "there each frame has a loss of its own.")
        try refuse(training.backwardFrames != nil, "--backward-frames", "a batch's clips are compared with each other and go back whole.")
        let blends = [augmentation.mixup, augmentation.cutmix, augmentation.labelSmoothing].contains { $0 ?? 0 > 0 }
        try refuse(blends, "augmentation.mixup, cutmix or label_smoothing", "each clip is of one class.")
    }
}
