import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// Settings in which something is learned before it is scored: what base-to-novel and few-shot share.
struct LearnedSetting {
    let name: String
    let isPocket: Bool
    let methods: [LearningMethod]
    let pool: WorkerPool
    private let recipes: [LearningMethod: Recipe]
    private let learning: ProtocolLearning
    private let anyBackbone: Bool
    private let words: String?

    /// - Parameters:
    ///   - isPocket: nobody named a list.
    ///   - group: the folder of the setting's own recipes.
    ///   - flags: what the command line says.
    init(
        name: String, isPocket: Bool, group: String, methods: [LearningMethod], learning: ProtocolLearning, options: RecipeOptions,
        test: TestOptions, anyBackbone: Bool = false, pool: WorkerPool, flags: (inout Recipe) -> Void
    ) throws {
        self.name = name
        self.isPocket = isPocket
        self.methods = methods
        self.learning = learning
        self.anyBackbone = anyBackbone
        self.pool = pool
        words = test.words
        var recipes: [LearningMethod: Recipe] = [:]
        for method in methods {
            let own = isPocket ? (method == .fineTune ? "pocket/fine-tune" : "pocket/learn") : "\(group)/\(method == .fineTune ? "fine-tune" : "prompt")"
            var recipe = try learning.recipe(for: method, options, flags: flags, own: own)
            if recipe.model.checkpoint == nil {
                recipe.model.checkpoint = try BackboneFinder.bridgedBackbone()
                if !isPocket, method == methods.first {
                    Console.note("No backbone was named: the pocket CLIP is taken, which knows the pocket world only. Pass your own with --backbone FILE.")
                }
            }
            recipes[method] = recipe
        }
        self.recipes = recipes
    }

    /// The settings of a method.
    func recipe(_ method: LearningMethod) -> Recipe { recipes[method] ?? Recipe() }

    var scoresBest: Bool { learning.learning.checkpoint == .best }

    /// How a method's models are scored.
    func job(_ method: LearningMethod) -> EvaluationJob {
        EvaluationJob(
            evaluationProtocol: name, settings: recipe(method), videos: learning.videos, model: learning.model, anyBackbone: anyBackbone,
            template: words, defaultFrames: 32, pool: pool)
    }

    /// What determines the numbers besides lists.
    func inputs() throws -> [String: String] {
        var inputs = ["checkpoint to score": learning.learning.checkpoint.rawValue]
        for method in methods {
            let recipe = recipe(method)
            inputs["recipe of \(method.rawValue)"] = recipe.yaml
            let backbone = try BackboneFinder.load(recipe.model.checkpoint ?? "", activation: learning.model.activation)
            Console.note("Backbone of \(method.title): \((recipe.model.checkpoint ?? "").escapedForDisplay) (\(backbone.displayName), \(backbone.architecture.summary))")
            inputs["backbone of \(method.rawValue)"] = backbone.digest
            inputs.merge(job(method).settingInputs) { first, _ in first }
        }
        return inputs
    }

    /// The backbone as it is.
    func unlearned() -> ProtocolModel {
        let job = job(.zeroShot)
        return ProtocolModel(subject: { try job.subject(prompts: nil) })
    }

    /// Adds a run to the protocol.
    ///
    /// - Parameter change: puts in lists, shots and seed.
    func learn(
        _ name: String, method: LearningMethod, clipCount: Int, on runner: ProtocolRunner, change: (inout Recipe) -> Void
    ) throws -> ProtocolModel {
        var recipe = recipe(method)
        change(&recipe)
        if !scoresBest { recipe.data.val = nil }
        return try runner.learn(name, method: method, recipe: recipe, clipCount: clipCount, options: learning, job: job(method))
    }
}
