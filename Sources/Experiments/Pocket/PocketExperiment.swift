import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// Measures the pocket world's table: its runs and evaluations are those that a user would ask for.
package struct PocketExperiment {
    /// Where runs go.
    package let folder: String
    package let set: PocketDataSet
    /// The bridged CLIP of seed 1; other seeds are bridged here.
    package let firstBridged: String
    private let context: RunContext

    package init(folder: String, set: PocketDataSet, firstBridged: String, context: RunContext) {
        self.folder = folder
        self.set = set
        self.firstBridged = firstBridged
        self.context = context
    }

    /// All measures of one seed, told one by one.
    package func measure(seed: Int, report: (PocketMeasure, Double) throws -> Void) throws {
        let bridged = seed == 1 ? firstBridged : try bridge(seed: seed)
        try report(.imageZeroShot, zeroShot(BackboneFinder.imageBackbone()))
        try report(.bridgedZeroShot, zeroShot(bridged))
        try report(.prompts2, evaluate(bridged, prompts: prompts(shots: 2, seed: seed, bridged: bridged)))
        try report(.prompts8, evaluate(bridged, prompts: prompts(shots: 8, seed: seed, bridged: bridged)))
        try report(.fineTuned2, evaluate(fineTuned(seed: seed, bridged: bridged)))

        try report(.bridgedNovel, evaluate(bridged, part: .novel))
        let learned = try prompts(shots: 2, seed: seed, bridged: bridged, part: .base)
        try report(.promptsBase, evaluate(bridged, prompts: learned, part: .base))
        try report(.promptsNovel, evaluate(bridged, prompts: learned, part: .novel))
        let tuned = try fineTuned(seed: seed, bridged: bridged, part: .base)
        try report(.fineTunedBase, evaluate(tuned, part: .base))
        try report(.fineTunedNovel, evaluate(tuned, part: .novel))
    }

    /// A backbone's accuracy by class names alone.
    package func zeroShot(_ backbone: String) throws -> Double { try evaluate(backbone) }

    private func bridge(seed: Int) throws -> String {
        let output = folder.appendingPath("bridge-seed\(seed)")
        var recipe = Recipe()
        recipe.training.seed = seed
        try complete(.bridge, recipe, output)
        return output.appendingPath("backbone.safetensors")
    }

    /// The epoch that the validation list chose: what a user's command keeps.
    private func prompts(shots: Int, seed: Int, bridged: String, part: PocketDataSet.Part? = nil) throws -> String {
        let output = folder.appendingPath("learn-\(part?.rawValue ?? "all")-\(shots)shots-seed\(seed)")
        try complete(.learn, recipe("pocket/learn", shots: shots, seed: seed, bridged: bridged, part: part), output)
        return output.appendingPath("prompts/best.safetensors")
    }

    private func fineTuned(seed: Int, bridged: String, part: PocketDataSet.Part? = nil) throws -> String {
        let output = folder.appendingPath("fine-tune-\(part?.rawValue ?? "all")-2shots-seed\(seed)")
        try complete(.bridge, recipe("pocket/fine-tune", shots: 2, seed: seed, bridged: bridged, part: part), output)
        return output.appendingPath("backbone.safetensors")
    }

    /// What a user would ask for, with the small set's lists.
    private func recipe(_ name: String, shots: Int, seed: Int, bridged: String, part: PocketDataSet.Part?) throws -> Recipe {
        var flags = Recipe()
        set.apply(to: &flags, part: part)
        flags.model.checkpoint = bridged
        flags.training.shots = shots
        flags.training.seed = seed
        return try RecipeSource(file: name, flags: flags).given()
    }

    private func complete(_ kind: RunKind, _ recipe: Recipe, _ output: String) throws {
        context.note("\(kind.rawValue): \(output.escapedForDisplay)")
        try RunRequest(kind, recipe: recipe).complete(output, context: context.ofPart)
    }

    /// Top-1 in percent.
    private func evaluate(_ backbone: String, prompts: String? = nil, part: PocketDataSet.Part? = nil) throws -> Double {
        let files = set.files(of: part)
        let job = EvaluationJob(
            evaluationProtocol: "list", settings: Recipe(), videos: VideoInputs(), model: ModelInputs(),
            pool: WorkerPool(threadCount: context.threadCount), context: context)
        let model = try job.subject(prompts: prompts, backbone: backbone)
        let test = try TestList(files.testList, labels: files.labels, videos: VideoInputs(), root: nil, context: context)
        return try job.evaluate(test, with: model, title: "evaluate").metrics.top1
    }
}
