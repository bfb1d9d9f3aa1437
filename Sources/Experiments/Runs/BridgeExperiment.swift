import CLIPModel
import Evaluation
import Files
import Methods
import Recipes
import Tensors
import Training
import VideoData

/// Stage one: fine-tunes CLIP on videos.
package struct BridgeExperiment: LearningExperiment {
    package let request: RunRequest
    package let context: RunContext

    package init(_ request: RunRequest, context: RunContext) {
        self.request = request
        self.context = context
    }

    private struct Prepared {
        let run: LearningRun
        let texts: RunTexts
        let setting: TaskSetting
        let method: BridgeMethod?
        /// In which the method reads class names, and the sequences of each sentence.
        let templates: Templates?
        let sentences: [[[Int]]]

        var tuning: Tuning { run.settings.recipe.tuning ?? .both }

        func task() -> any BackboneLearning {
            let recipe = run.settings.recipe
            return BridgeLearner(
                backbone: run.backbone, method: method, tuning: tuning, rank: recipe.loraRank, dropoutRate: recipe.loraDropout, sentences: sentences,
                normalization: run.settings.normalization(for: run.backbone)
            ).task(setting)
        }

        /// The texts of so many clips, as the first step draws them, where each batch has texts of its own; nil where clips meet all
        /// classes.
        var stepTexts: ((Int) -> [[Int]])? {
            guard case .fusion(_, let objective)? = method?.design else { return nil }
            return { count in
                let labels = run.data.train.clips.prefix(count).map(\.label)
                return objective(sentences, run.settings.seed).captions(of: labels, step: 0, clips: 0..<labels.count).tokens
            }
        }
    }

    /// Everything that a run needs, read and checked; nothing is written.
    private func prepared(_ resumed: ResumedRun?) throws -> Prepared {
        var settings = try self.settings(resumed)
        try settings.precision.requireGradients(for: "fine-tuning a backbone")
        let backbone = try settings.backbone(kind: .bridge, activation: request.model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: request.vocabulary)
        let runData = try RunData(settings: settings, kind: .bridge, options: request.videos, resumed: resumed, context: context)
        settings = try settings.withWarmup(clipCount: runData.train.clips.count)
        let method = try settings.recipe.bridgeMethod()
        if let method { context.note(.learning(.method(name: method.name, summary: method.summary))) }
        try settings.checkFrames(of: backbone, method: method)
        try settings.checkLoss(of: backbone)
        let templates = method?.readsSentences == true ? try Templates(path: settings.placedRecipe.templates, bundled: .actions) : nil
        let sentences = try templates?.sequences(of: runData.classes.names, backbone: backbone, tokenizer: tokenizer) ?? []
        let texts = !sentences.isEmpty
            ? RunTexts(sentences.flatMap(\.self))
            : try RunTexts(runData, settings: settings, prompts: .none, backbone: backbone, tokenizer: tokenizer, context: context)
        // Evaluating and saving take a copy of the weights; halving them, another.
        let besides = request.memory.videoBytes(frameCount: settings.frameCount, side: backbone.architecture.imagePixels)
            + LearningRun.batchBytes(settings, side: backbone.architecture.imagePixels) + (request.keepsHalf ? 8 : 4) * backbone.parameterCount
            + backbone.architecture.packedWeightBytes(precision: backbone.precision, hasBackward: true)
            + backbone.architecture.packedWeightBytes(precision: backbone.precision, hasBackward: false)
        let setting = settings.task(of: texts, budget: request.memory.budget(pool: settings.pool, besides: besides))
        let learning = LearningRun(
            request: request, context: context, settings: settings, data: runData, backbone: backbone, recipe: settings.recipe,
            cacheBytes: request.memory.cacheBytes)
        return Prepared(run: learning, texts: texts, setting: setting, method: method, templates: templates, sentences: sentences)
    }

    package func plan(timing: Bool, seedCount: Int) throws -> RunPlan {
        let prepared = try prepared(nil)
        try prepared.run.refuseCaptions()
        return try RunPlan(
            prepared.run, learned: .backbone(prepared.tuning), sequences: prepared.texts.sequences, stepTexts: prepared.stepTexts,
            seedCount: seedCount, hasHalfFiles: request.keepsHalf, makeTask: { (try checked(prepared.task()), nil) }, isTimed: timing)
    }

    package func run(_ start: RunStart) throws -> LearningRun.Outcome {
        try context.drawPocketVideos(for: .bridge) { try self.settings(start.resumed) }
        let (made, task) = try context.group.agreed { () throws -> (Prepared, any BackboneLearning) in
            let prepared = try self.prepared(start.resumed)
            let task = prepared.task()
            try request.memory.check(shortfall: task.memoryShortfall)
            return (prepared, task)
        }
        var (learning, texts) = (made.run, made.texts)
        let (settings, backbone, runData) = (learning.settings, learning.backbone, learning.data)
        if let valSequences = texts.valSequences {
            learning.captionValidation = (
                valSequences,
                {
                    PairEncoder(
                        backbone: task.backbone(named: backbone.description.name, provenance: ""), frameCount: settings.frameCount,
                        pool: settings.pool)
                })
        }
        let provenance = "\(backbone.description.name) (\(backbone.digest.prefix(12))), tuned (\(settings.recipe.method ?? (settings.recipe.tuning ?? .both).rawValue)) on "
            + "\(runData.amount), seed \(settings.seed), "
            + "recipe \(Digest.of(settings.recipe.yaml).prefix(12))"
        let outcome = try learning.train(task, sequences: texts.sequences, start: start) { path, report in
            var tuned = task.backbone(named: request.backboneName ?? "bridged-clip", provenance: provenance)
            if request.keepsHalf { tuned = tuned.roundedToFloat16() }
            for file in report.isBest ? ["last", "backbone"] : ["last"] {
                try tuned.save(to: path.appendingPath("\(file).safetensors"), elementType: request.keepsHalf ? .float16 : .float32)
            }
            if let video = task.video, let templates = made.templates {
                var header = learning.promptHeader(on: tuned, configuration: .none, report: report)
                header.method = made.method?.name
                header.templates = templates.lines
                try learning.savePrompts(PromptFile(prompts: PromptSet(vision: [], text: []), video: video, header: header), in: path, report: report)
            }
            guard let updates = task.lowRankUpdates else { return }
            for file in report.isBest ? ["lora-last", "lora"] : ["lora-last"] {
                try LowRankFile(updates, learnedOn: backbone).save(to: path.appendingPath("\(file).safetensors"))
            }
        }
        outcome.result.show(context)
        context.result(.file(.backbone, path: outcome.path.appendingPath("backbone.safetensors")))
        if task.video != nil { context.result(.file(.transformer, path: RunKind.learn.chosenFile(in: outcome.path))) }
        if task.lowRankUpdates != nil { context.result(.file(.lowRankUpdates, path: outcome.path.appendingPath("lora.safetensors"))) }
        return outcome
    }
}
