import CLIPModel
import Evaluation
import Files
import Foundation
import Methods
import Recipes
import Tensors
import Training
import VideoData

/// Learns a head on features of a frozen backbone: one pass over the clips, then seconds.
package struct HeadExperiment: LearningExperiment {
    package let request: RunRequest
    package let context: RunContext

    package init(_ request: RunRequest, context: RunContext) {
        self.request = request
        self.context = context
    }

    private struct Prepared {
        let run: LearningRun
        let sequences: [[Int]]
        let method: HeadMethod
    }

    /// Everything that a run needs, read and checked; nothing is written.
    private func prepared(_ resumed: ResumedRun?) throws -> Prepared {
        let method = try HeadMethod(request.method ?? "auto")
        let settings = try self.settings(resumed)
        func refuse(_ isAsked: Bool, _ what: String, _ reason: String) throws {
            if isAsked { throw HeadUseError.notWith(what: what, reason: reason) }
        }
        try refuse(settings.hasCaptions, "--captions", "heads tell classes apart.")
        try refuse(context.group.count > 1, "mpirun", "a head is learned in seconds; leave it out.")
        try refuse(settings.fusion != .embedding, "--fusion \(settings.fusion)", "heads look at the mean of the frames.")
        try refuse(request.initial != nil, "--init", "heads begin from the texts and the clips.")
        try refuse(settings.recipe.training.backwardFrames != nil, "--backward-frames", "nothing goes back through frames.")
        try refuse(!request.asked.prompts.settings.isEmpty, "a setting of prompts", "heads have none. Leave out --method to learn prompts.")
        let backbone = try settings.backbone(kind: .learn, activation: request.model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: request.vocabulary)
        let data = try RunData(settings: settings, kind: .learn, options: request.videos, resumed: resumed, context: context)
        let texts = try RunTexts(data, settings: settings, prompts: .none, backbone: backbone, tokenizer: tokenizer, context: context)
        let run = LearningRun(
            request: request, context: context, settings: settings, data: data, backbone: backbone, recipe: settings.recipe, cacheBytes: 0)
        return Prepared(run: run, sequences: texts.sequences, method: method)
    }

    package func plan(timing: Bool, seedCount: Int) throws -> RunPlan {
        throw HeadUseError.notWith(what: "plan", reason: "a head costs one look at each clip, as `vifi-prompt predict` has it, and some seconds.")
    }

    package func run(_ start: RunStart) throws -> LearningRun.Outcome {
        let prepared = try prepared(start.resumed)
        let (run, settings) = (prepared.run, prepared.run.settings)
        context.cancellation.arm()
        let began = ContinuousClock.now
        let directory = try run.open(start, sequences: prepared.sequences)
        let path = directory.path
        context.note("\(run.data.amount), \(settings.frameCount) frames each. Run: \(path)")
        do {
            let views = request.views ?? 1
            let features = try FeaturePass(run).features(of: run.data.train, views: views, title: "features")
            let examples = try HeadExamples(
                features: HeadFeatures(projected: features.projected), labels: features.labels, clips: features.clips,
                texts: run.backbone.textFeatures(of: prepared.sequences, pool: settings.pool), logitScale: run.backbone.logitScale)
            let (isCancelled, seed) = (context.cancellation.isRequested, settings.seed)
            let heads = HeadContext(pool: settings.pool, seed: seed) { _ in !isCancelled() }
            let (kind, entry) = try chosen(prepared.method, examples, heads)
            let head = try kind.fit(examples, context: heads)
            let file = HeadFile(
                header: header(kind, settingsText: head.settingsText, entry, run, views: views), head: head)
            try file.save(to: path.appendingPath(HeadFile.name))
            context.note("\(kind.rawValue): \(head.parameterCount) numbers, learned from \(examples.clipCount) clips in one pass.")
            var result = RunResult(
                steps: 0, epochs: 0, trainingLoss: 0, best: nil, last: nil, seconds: (ContinuousClock.now - began) / .seconds(1),
                peakBytes: Machine.peakMemory)
            result.method = kind.rawValue
            result.crossValidatedTop1 = entry?.top1
            result.last = try run.scores(of: run.data.val, called: "val", path: path)
            result.best = result.last
            result.test = try run.scores(of: run.data.test, called: "test", path: path)
            result.seconds = (ContinuousClock.now - began) / .seconds(1)
            try directory.write(result)
            result.show(context)
            context.result("head: \(path.appendingPath(HeadFile.name))")
            return LearningRun.Outcome(path: path, result: result)
        } catch is EvaluationStopped {
            throw stopped(path)
        } catch HeadError.cancelled {
            throw stopped(path)
        }
    }

    private func stopped(_ path: String) -> TrainingError {
        TrainingError.interrupted(step: 0, saved: FeatureCache.root, resume: context.resumeCommand(.learn, path))
    }

    private func header(
        _ kind: HeadKind, settingsText: String, _ entry: HeadChoice.Entry?, _ run: LearningRun, views: Int
    ) -> HeadFile.Header {
        let (backbone, settings) = (run.backbone, run.settings)
        return HeadFile.Header(
            kind: kind, settings: settingsText, classNames: run.data.classes.names, backbone: backbone.description.name,
            backboneSHA256: backbone.digest, backboneWeightsSHA256: backbone.weightsDigest, frames: settings.frameCount,
            template: settings.recipe.template ?? "a photo of a {}.", normalization: settings.normalization(for: backbone).name,
            temperature: entry?.temperature ?? 1, crossValidatedTop1: entry?.top1, shots: settings.recipe.training.shots, views: views,
            seed: settings.seed, recipeSHA256: Digest.of(run.recipe.yaml), toolVersion: vifiPromptVersion)
    }

    // MARK: Choosing

    /// The head to learn, with what held-out clips say of it.
    private func chosen(
        _ method: HeadMethod, _ examples: HeadExamples, _ heads: HeadContext
    ) throws -> (HeadKind, HeadChoice.Entry?) {
        let isComplete = examples.clipCounts.allSatisfy { $0 > 0 }
        let kinds = switch method {
        case .auto: HeadChoice.order.filter { isComplete || $0.scoresClassesWithoutClips }
        case .head(let kind): [kind]
        }
        let progress = context.progress("comparing", total: kinds.count + 1, unit: "methods")
        var done = 0
        let choice = try HeadChoice(of: kinds, examples, context: heads) { _ in
            done += 1
            progress.show(done)
        }
        progress.finish()
        guard let entry = choice.chosen else {
            let kind = if case .head(let kind) = method { kind } else { HeadChoice.anchored }
            let one = examples.clipCounts.firstIndex(of: 1)
            context.warning(
                "\(one == nil ? "a class" : "class \(one ?? 0)") has one clip only, so no clip can be held out: nothing was compared, and "
                    + "\(kind.rawValue) is taken with its authors' settings. Its accuracy is unknown, its probabilities are not calibrated.")
            return (kind, nil)
        }
        context.result(choice.table)
        let kind = entry.kind ?? HeadChoice.anchored
        if method == .auto {
            let others = choice.undecided.filter { $0.kind != entry.kind }.map { $0.kind?.rawValue ?? "zero-shot" }
            context.result(
                "\(kind.rawValue) is taken"
                    + (others.isEmpty ? "." : ": the simplest of those that cannot be told apart (with \(others.joined(separator: ", ")))."))
        }
        return (kind, entry)
    }
}

extension HeadChoice {
    /// A row a method, the best first.
    var table: String {
        func decimal(_ value: Double, _ places: Int = 1) -> String { NumberText.decimal(value, places: places) }
        let rows = entries.sorted { $0.top1 > $1.top1 }.map { entry in
            [
                entry.kind?.rawValue ?? "zero-shot", "\(decimal(entry.top1)) ± \(decimal(entry.standardError))", decimal(entry.meanClassAccuracy),
                decimal(entry.seconds, 2),
            ]
        }
        return alignedTable([["method", "held-out top-1 % ± standard error", "mean of classes %", "seconds"]] + rows)
    }
}

extension Backbone {
    /// `[classes, embeddingWidth]`, not normalized.
    func textFeatures(of sequences: [[Int]], pool: WorkerPool) throws -> Matrix {
        try TextEncoder(backbone: self, prompts: PromptSet(vision: [], text: []), pool: pool).features(of: sequences).reading
    }
}
