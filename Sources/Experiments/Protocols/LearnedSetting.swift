import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// Settings in which something is learned before it is scored: what base-to-novel, few-shot, zero-shot and supervised share.
package struct LearnedSetting {
    package let name: String
    package let isPocket: Bool
    package let methods: [LearningMethod]
    package let pool: WorkerPool
    private let recipes: [LearningMethod: Recipe]
    private let learning: ProtocolLearning
    private let anyBackbone: Bool
    private let words: String?
    private let context: RunContext

    /// - Parameters:
    ///   - isPocket: nobody named a list.
    ///   - group: the setting's own recipes.
    ///   - startsFromImage: on the pocket world, and not from the CLIP that was bridged.
    ///   - source: what the command line says.
    ///   - words: around class names, that the command line asks for.
    package init(
        name: String, isPocket: Bool, group: RecipeGroup, startsFromImage: Bool = false, methods: [LearningMethod], learning: ProtocolLearning, source: RecipeSource,
        words: String?, anyBackbone: Bool = false, pool: WorkerPool, context: RunContext
    ) throws {
        self.name = name
        self.isPocket = isPocket
        self.methods = methods
        self.learning = learning
        self.anyBackbone = anyBackbone
        self.pool = pool
        self.words = words
        self.context = context
        var recipes: [LearningMethod: Recipe] = [:]
        for method in methods {
            var recipe = try learning.recipe(for: method, source, own: method.ownRecipe(isPocket ? group.onPocket : group))
            if recipe.prompts.descriptions != nil { throw DescriptionError.notWith(what: "evaluate \(name), which reads class names") }
            if recipe.model.checkpoint == nil {
                guard isPocket else { throw SettingsError.noBackbone }
                recipe.model.checkpoint = try startsFromImage ? BackboneFinder.imageBackbone() : BackboneFinder.bridgedBackbone()
            }
            recipes[method] = recipe
        }
        self.recipes = recipes
    }

    /// The settings of a method.
    package func recipe(_ method: LearningMethod) -> Recipe { recipes[method] ?? Recipe() }

    /// - Throws: `ProtocolError` for a method that scores no classes but those that it learned.
    package func requireNovelClasses() throws(ProtocolError) {
        if let head = methods.first(where: \.isHead) { throw .learnedClassesOnly(method: head.rawValue) }
        if let method = methods.first(where: { recipe($0).prompts.classSpecific == true }) {
            throw .learnedClassesOnly(method: "\(method.rawValue) with words that are others for each class")
        }
    }

    package var scoresBest: Bool { learning.checkpoint == .best }

    /// How a method's models are scored.
    package func job(_ method: LearningMethod) -> EvaluationJob {
        EvaluationJob(
            evaluationProtocol: name, settings: recipe(method), videos: learning.videos, model: learning.model, anyBackbone: anyBackbone,
            template: words, defaultFrames: 32, pool: pool, context: context)
    }

    /// What determines the numbers besides lists.
    package func inputs() throws -> [String: String] {
        var inputs = ["checkpoint to score": learning.checkpoint.rawValue]
        for method in methods {
            let recipe = recipe(method)
            inputs["recipe of \(method.rawValue)"] = recipe.yaml
            let backbone = try BackboneFinder.load(recipe.model.checkpoint ?? "", activation: learning.model.activation, context: context)
            context.note(
                .model(
                    .backboneOfMethod(
                        method, path: recipe.model.checkpoint ?? "", name: backbone.description.name, architecture: backbone.architecture)))
            inputs["backbone of \(method.rawValue)"] = backbone.digest
            inputs.merge(job(method).settingInputs) { first, _ in first }
        }
        return inputs
    }

    /// The backbone as it is.
    package func unlearned() -> ProtocolModel {
        let job = job(.zeroShot)
        return ProtocolModel(subject: { try job.subject(prompts: nil) })
    }

    /// Adds a run to the protocol.
    ///
    /// - Parameter change: puts in lists, shots and seed; as validation list what best is chosen on.
    package func learn(
        _ name: String, method: LearningMethod, clipCount: Int, on runner: ProtocolRunner, change: (inout Recipe) -> Void
    ) throws -> ProtocolModel {
        var recipe = recipe(method)
        change(&recipe)
        if !scoresBest { recipe.data.val = nil }
        // The protocol scores, once for each run.
        recipe.data.test = nil
        return try runner.learn(name, method: method, recipe: recipe, clipCount: clipCount, options: learning, job: job(method))
    }
}
