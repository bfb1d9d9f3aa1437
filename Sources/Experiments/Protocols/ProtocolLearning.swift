import Recipes

/// What is compared in a protocol.
package enum LearningMethod: String, CaseIterable, Sendable {
    /// The backbone as it is, by class names.
    case zeroShot = "zero-shot"
    case prompt
    case fineTune = "fine-tune"

    /// The command that learns it.
    package var kind: RunKind? {
        switch self {
        case .zeroShot: nil
        case .prompt: .learn
        case .fineTune: .bridge
        }
    }

    package var title: String {
        switch self {
        case .zeroShot: "nothing learned"
        case .prompt: "prompts"
        case .fineTune: "fine-tuning"
        }
    }
}

/// What of a run a protocol scores.
package enum ScoredCheckpoint: String, CaseIterable, Sendable {
    /// Chooses nothing by looking.
    case last
    /// Best on the validation list; without one on the base or only list that is scored, as ViFi-CLIP's code has it.
    case best
}

/// How protocols learn.
package struct ProtocolLearning {
    package var model: ModelInputs
    package var videos: VideoInputs
    package var memory: MemoryBound
    package var saveInterval: Double
    package var checkpoint: ScoredCheckpoint
    /// Backbone that fine-tuning starts from; nil for that of the settings.
    package var fineTuneBackbone: String?

    package init(
        model: ModelInputs, videos: VideoInputs, memory: MemoryBound, saveInterval: Double = RunRequest.standardSaveInterval,
        checkpoint: ScoredCheckpoint = .last, fineTuneBackbone: String? = nil
    ) {
        self.model = model
        self.videos = videos
        self.memory = memory
        self.saveInterval = saveInterval
        self.checkpoint = checkpoint
        self.fineTuneBackbone = fineTuneBackbone
    }

    /// A run of the protocol, whose recipe holds all of its settings.
    package func request(_ kind: RunKind, recipe: Recipe) -> RunRequest {
        var model = model
        (model.backbone, model.precision) = (nil, nil)
        let videos = VideoInputs(followLinks: videos.followLinks, allowances: videos.allowances)
        return RunRequest(kind, recipe: recipe, videos: videos, model: model, memory: memory, saveInterval: saveInterval)
    }

    /// The settings of a method: flags, over a recipe for this method or for any, over the setting's own.
    ///
    /// - Parameters:
    ///   - source: what the command line names.
    ///   - own: the catalog's name of the setting's own recipe.
    package func recipe(for method: LearningMethod, _ source: RecipeSource, own: String) throws -> Recipe {
        var alone = source
        alone.file = nil
        var recipe = try alone.given()
        if let name = source.file {
            var file = try Recipe(path: RecipeCatalog.path(of: name))
            if let kind = file.kind, kind != method.kind, method != .zeroShot {
                // A recipe for the other method: only videos and backbone are meant for this one.
                var rest = Recipe()
                rest.data = file.data
                rest.model = file.model
                file = rest
            }
            recipe = recipe.merged(over: file)
        }
        recipe = recipe.merged(over: try Recipe(path: RecipeCatalog.path(of: own)))
        if method == .fineTune { recipe.model.checkpoint = fineTuneBackbone ?? recipe.model.checkpoint }
        if method != .fineTune { recipe.tuning = nil }
        if method == .fineTune { recipe.prompts = .init() }
        return recipe
    }
}
