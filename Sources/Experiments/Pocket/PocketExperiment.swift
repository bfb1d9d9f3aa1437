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
        let bridged = seed == 1 ? firstBridged : try complete(bridge(seed: seed))
        func tell(_ measure: PocketMeasure, _ backbone: String, prompts: String? = nil) throws {
            try report(measure, evaluate(backbone, prompts: prompts, part: measure.part))
        }
        try tell(.imageZeroShot, BackboneFinder.imageBackbone())
        try tell(.bridgedZeroShot, bridged)
        try tell(.prompts2, bridged, prompts: complete(prompts(shots: 2, seed: seed, bridged: bridged)))
        try tell(.prompts8, bridged, prompts: complete(prompts(shots: 8, seed: seed, bridged: bridged)))
        try tell(.fineTuned2, complete(fineTuned(seed: seed, bridged: bridged)))

        try tell(.bridgedNovel, bridged)
        let learned = try complete(prompts(shots: 2, seed: seed, bridged: bridged, part: .base))
        try tell(.promptsBase, bridged, prompts: learned)
        try tell(.promptsNovel, bridged, prompts: learned)
        let tuned = try complete(fineTuned(seed: seed, bridged: bridged, part: .base))
        try tell(.fineTunedBase, tuned)
        try tell(.fineTunedNovel, tuned)
    }

    /// A backbone's accuracy by class names alone.
    package func zeroShot(_ backbone: String) throws -> Double { try evaluate(backbone) }

    // MARK: Runs

    /// A run of one seed.
    private struct Run {
        /// Without the seed.
        let title: String
        let kind: RunKind
        let recipe: Recipe
        let folder: String

        var request: RunRequest { RunRequest(kind, recipe: recipe) }
    }

    private func bridge(seed: Int) -> Run {
        var recipe = Recipe()
        recipe.training.seed = seed
        return Run(title: "bridge", kind: .bridge, recipe: recipe, folder: folder.appendingPath("bridge-seed\(seed)"))
    }

    private func prompts(shots: Int, seed: Int, bridged: String, part: PocketDataSet.Part? = nil) throws -> Run {
        Run(
            title: "prompts, \(shots) shots" + Self.classes(part), kind: .learn,
            recipe: try recipe("pocket/learn", shots: shots, seed: seed, bridged: bridged, part: part),
            folder: folder.appendingPath("learn-\(part?.rawValue ?? "all")-\(shots)shots-seed\(seed)"))
    }

    private func fineTuned(seed: Int, bridged: String, part: PocketDataSet.Part? = nil) throws -> Run {
        Run(
            title: "fine-tuning, 2 shots" + Self.classes(part), kind: .bridge,
            recipe: try recipe("pocket/fine-tune", shots: 2, seed: seed, bridged: bridged, part: part),
            folder: folder.appendingPath("fine-tune-\(part?.rawValue ?? "all")-2shots-seed\(seed)"))
    }

    private static func classes(_ part: PocketDataSet.Part?) -> String { part.map { ", \($0.rawValue) classes" } ?? "" }

    /// What a user would ask for, with the small set's lists.
    private func recipe(_ name: String, shots: Int, seed: Int, bridged: String, part: PocketDataSet.Part?) throws -> Recipe {
        var flags = Recipe()
        set.apply(to: &flags, part: part)
        flags.model.checkpoint = bridged
        flags.training.shots = shots
        flags.training.seed = seed
        return try RecipeSource(file: name, flags: flags).given()
    }

    /// - Returns: the file of the epoch that the validation list chose: what a user's command keeps.
    private func complete(_ run: Run) throws -> String {
        context.note(.part(.run(run.kind, folder: run.folder)))
        try run.request.complete(run.folder, context: context.ofPart)
        return run.kind.chosenFile(in: run.folder)
    }

    // MARK: Planning

    /// What is left to run for these seeds, and the scoring, which is always done.
    ///
    /// Runs of other seeds cost the same. Their bridged CLIP may not be there yet; it has the size of the first one.
    package func plan(seeds: [Int], timing: Bool) throws -> EvaluationPlan {
        let runs = try seeds.flatMap { seed in
            try (seed == 1 ? [] : [bridge(seed: seed)]) + [
                prompts(shots: 2, seed: seed, bridged: firstBridged), prompts(shots: 8, seed: seed, bridged: firstBridged),
                fineTuned(seed: seed, bridged: firstBridged), prompts(shots: 2, seed: seed, bridged: firstBridged, part: .base),
                fineTuned(seed: seed, bridged: firstBridged, part: .base),
            ]
        }
        let groups = Dictionary(grouping: runs.indices) { runs[$0].title }.values.sorted { $0[0] < $1[0] }
        let parts = try groups.compactMap { group -> EvaluationPlan.Part? in
            let left = try group.map { runs[$0] }.filter { try RunResult.read(run: $0.folder) == nil }
            return try EvaluationPlan.Part(left.map(\.request), of: group.count, title: runs[group[0]].title, timing: timing, context: context)
        }
        let videos = try seeds.count * PocketMeasure.allCases.reduce(0) { try $0 + testList($1.part).list.clips.count }
        return EvaluationPlan(
            evaluationProtocol: "demo table",
            parts: parts + [try scoring("scoring, \(PocketMeasure.allCases.count) times a seed", firstBridged, videos: videos, timing: timing)])
    }

    /// What scoring backbones by class names alone would take.
    package func planZeroShot(_ backbones: [(title: String, file: String)], timing: Bool) throws -> EvaluationPlan {
        let videos = try testList(nil).list.clips.count
        return EvaluationPlan(
            evaluationProtocol: "demo report", parts: try backbones.map { try scoring("scoring, \($0.title)", $0.file, videos: videos, timing: timing) })
    }

    private func scoring(_ name: String, _ backbone: String, videos: Int, timing: Bool) throws -> EvaluationPlan.Part {
        let seconds = try timing ? Double(videos) * job.secondsPerVideo(of: testList(nil), with: job.subject(prompts: nil, backbone: backbone)) : nil
        return .init(name: name, videos: videos, seconds: seconds)
    }

    // MARK: Scoring

    private var job: EvaluationJob {
        EvaluationJob(
            evaluationProtocol: "list", settings: Recipe(), videos: VideoInputs(), model: ModelInputs(),
            pool: WorkerPool(threadCount: context.threadCount), context: context)
    }

    private func testList(_ part: PocketDataSet.Part?) throws -> TestList {
        let files = set.files(of: part)
        return try TestList(files.testList, labels: files.labels, videos: VideoInputs(), root: nil, context: context)
    }

    /// Top-1 in percent.
    private func evaluate(_ backbone: String, prompts: String? = nil, part: PocketDataSet.Part? = nil) throws -> Double {
        let job = job
        return try job.evaluate(testList(part), with: job.subject(prompts: prompts, backbone: backbone), title: "evaluate").metrics.top1
    }
}
