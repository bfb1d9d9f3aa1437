import CLIPModel
import Methods
import Recipes

/// What is compared in a protocol, by the name that a person types.
package struct LearningMethod: Hashable, Sendable {
    package let rawValue: String
    package let title: String
    /// The command that learns it; nil where nothing is learned.
    package let kind: RunKind?
    /// How the recipes of a method's kind are changed into its own, where it has none.
    fileprivate let design: Design

    fileprivate enum Design: Hashable, Sendable {
        case plain
        /// A way to prompt.
        case prompts
        /// Low-rank updates.
        case lowRank
        /// Another way to train the whole CLIP.
        case bridge
        /// A head on features that are computed once.
        case head
    }

    private init(_ rawValue: String, title: String, kind: RunKind?, design: Design = .plain) {
        (self.rawValue, self.title, self.kind, self.design) = (rawValue, title, kind, design)
    }

    /// The backbone as it is, by class names.
    package static let zeroShot = LearningMethod(AblationGrid.unlearned, title: "nothing learned", kind: nil)
    /// ViFi-CLIP's.
    package static let prompt = LearningMethod("prompt", title: "prompts", kind: .learn)
    package static let fineTune = LearningMethod("fine-tune", title: "fine-tuning", kind: .bridge)

    /// All there are, those of the paper first.
    package static let all: [LearningMethod] = [.zeroShot, .prompt, .fineTune]
        + PromptMethods.names.map { LearningMethod($0, title: $0, kind: .learn, design: .prompts) }
        + [LearningMethod(Tuning.lora.rawValue, title: Tuning.lora.rawValue, kind: .bridge, design: .lowRank)]
        + BridgeMethods.names.map { LearningMethod($0, title: $0, kind: .bridge, design: .bridge) }
        + HeadKind.allCases.map { LearningMethod($0.rawValue, title: $0.rawValue, kind: .learn, design: .head) }

    package init?(rawValue: String) {
        guard let known = Self.all.first(where: { $0.rawValue == rawValue }) else { return nil }
        self = known
    }

    /// Whether it is a head on features, which scores only classes that clips were learned from.
    package var isHead: Bool { design == .head }

    /// The recipe of a setting that it learns by, in the catalog.
    func ownRecipe(_ group: RecipeGroup) -> String {
        let named = design == .plain ? [] : group.folders.map { "\($0)/\(group.prefix)\(rawValue)" }
        return named.first { (try? RecipeCatalog.path(of: $0)) != nil }
            ?? "\(group.folders[0])/\(kind == .bridge ? group.fineTune : group.prompt)"
    }

    /// Takes out what is for the other command, and what a named method leaves no room for. The plain ones learn as the recipe says.
    fileprivate func leaveOnlyOwn(in recipe: inout Recipe) {
        if kind == .bridge || design == .head { recipe.prompts = .init() }
        if kind != .bridge || design == .bridge { (recipe.tuning, recipe.loraRank, recipe.loraDropout) = (nil, nil, nil) }
        if kind != .bridge || design == .lowRank { (recipe.method, recipe.templates) = (nil, nil) }
        if kind == .bridge || design == .head, recipe.training.loss?.pairs == nil { recipe.training.loss = nil }
        if kind == .bridge || design == .head { recipe.training.framesSchedule = nil }
        if design == .head { recipe.training.earlyStop = nil }
    }

    /// Makes a recipe that somebody gives ask for this method.
    fileprivate func ask(in recipe: inout Recipe) {
        switch design {
        case .plain, .head: break
        case .prompts: recipe.prompts.method = rawValue
        case .lowRank: recipe.tuning = .lora
        case .bridge: recipe.method = rawValue
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
    package func request(_ method: LearningMethod, _ kind: RunKind, recipe: Recipe) -> RunRequest {
        var model = model
        (model.backbone, model.precision) = (nil, nil)
        let videos = VideoInputs(followLinks: videos.followLinks, allowances: videos.allowances)
        var request = RunRequest(kind, recipe: recipe, videos: videos, model: model, memory: memory, saveInterval: saveInterval)
        if method.isHead { request.method = method.rawValue }
        return request
    }

    /// The settings of a method: flags, over a recipe for this method or for any, over the setting's own.
    ///
    /// - Parameters:
    ///   - source: what the command line names.
    ///   - own: the catalog's name of the setting's own recipe; nil where it has none.
    package func recipe(for method: LearningMethod, _ source: RecipeSource, own: String?) throws -> Recipe {
        var alone = source
        alone.file = nil
        var recipe = try alone.given()
        method.ask(in: &recipe)
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
        if let own { recipe = recipe.merged(over: try Recipe(path: RecipeCatalog.path(of: own))) }
        if method.kind == .bridge { recipe.model.checkpoint = fineTuneBackbone ?? recipe.model.checkpoint }
        method.leaveOnlyOwn(in: &recipe)
        return recipe
    }
}
