import CLIPModel
import Evaluation
import Files
import Methods
import Recipes
import Tensors
import Training
import VideoData

/// Stage two: learns prompts on a backbone that stays as it is.
package struct PromptExperiment: LearningExperiment {
    package let request: RunRequest
    package let context: RunContext

    package init(_ request: RunRequest, context: RunContext) {
        self.request = request
        self.context = context
    }

    private struct Prepared {
        var run: LearningRun
        let texts: RunTexts
        let configuration: PromptConfiguration
        let backwardFrames: BackwardFrames?
        let method: PromptMethod?
        let regularizer: PromptRegularizer?
        let makeTask: () throws -> any PromptLearning
        /// Asked once the task is made.
        let caching: (any PromptLearning) -> PrefixCaching?
    }

    /// Everything that a run needs, read and checked; nothing is written.
    private func prepared(_ resumed: ResumedRun?) throws -> Prepared {
        var settings = try self.settings(resumed)
        try settings.precision.requireGradients(for: "learning prompts")
        let backbone = try settings.backbone(kind: .learn, activation: request.model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: request.vocabulary)
        if request.isQuick, settings.hasCaptions {
            throw SettingsError.notWithCaptions(what: "--quick", reason: "captions are learned from whole clips. Leave one of them out.")
        }
        if settings.hasFixedFrames, !request.asked.augmentation.changes.isEmpty {
            throw SettingsError.fixedFramesChange(keys: request.asked.augmentation.changes)
        }
        let method = try settings.recipe.prompts.promptMethod()
        let given = try request.initial.map { InitialPrompts(path: request.placed($0.path), anyBackbone: $0.anyBackbone) }?.prompts(
            for: backbone, asked: request.asked.prompts, method: method, normalization: settings.normalization(for: backbone), context: context)
        try resumed?.check(initialDigest: given?.reading.digest, path: request.initial?.path)
        if let method, given != nil, !method.startsFromPrompts { throw PromptMethodUseError.startsFromPrompts(method: method.name) }
        if let method, method.pixels != nil, let learned = method.onlyLearns, request.isQuick {
            throw PromptMethodUseError.besideMethod(what: "--quick", method: method.name, learned: learned)
        }
        if let method { context.note(.learning(.method(name: method.name, summary: method.summary))) }
        let regularizer = try settings.recipe.prompts.regularizer()
        let teacherTemplates = try regularizer.map { _ in try Templates(path: settings.placedRecipe.prompts.teacherTemplates, bundled: .teacher) }
        try resumed?.check(teacher: teacherTemplates)
        let matching = settings.recipe.prompts.match ?? .mean
        let descriptions = try settings.placedRecipe.prompts.descriptions.map { try ClassDescriptions([$0], match: matching) }
        try resumed?.check(descriptions: descriptions, path: settings.placedRecipe.prompts.descriptions)
        try settings.checkLoss(of: backbone)
        let runData = try RunData(settings: settings, kind: .learn, options: request.videos, resumed: resumed, context: context)
        let prompts = try given ?? startingPrompts(
            of: method, settings: settings, backbone: backbone, tokenizer: tokenizer, classCount: runData.classes.count)
        let configuration = prompts.configuration
        guard configuration.learns else { throw SettingsError.nothingLearns }
        let backwardFrames = try settings.backwardFrames(learning: configuration)
        try settings.checkFrameSchedule(
            method: method, regularizer: PromptLearner.looksTwice(regularizer, learning: configuration) ? regularizer : nil)
        settings = try settings.withWarmup(clipCount: runData.train.clips.count)
        let texts = try RunTexts(
            runData, settings: settings, prompts: configuration, backbone: backbone, tokenizer: tokenizer, descriptions: descriptions,
            context: context)
        let side = backbone.architecture.imagePixels
        // The teacher's tower has memory of its own.
        let teacherBytes = PromptLearner.looksTwice(regularizer, learning: configuration)
            ? backbone.evaluationBytes(prompts: .none, sequences: texts.sequences, frameCount: settings.frameCount, pool: settings.pool) : 0
        let besides = teacherBytes + request.memory.videoBytes(frameCount: settings.frameCount, side: side) + LearningRun.batchBytes(settings, side: side)
            + backbone.architecture.packedWeightBytes(precision: backbone.precision, hasBackward: true)
        let classNames = runData.classes.names
        let learner = PromptLearner(
            backbone: backbone, method: method, regularizer: regularizer, prompts: prompts, temporalLayers: settings.recipe.prompts.temporalLayers,
            comparesBatches: settings.recipe.training.loss == .batch)
        let makeTask = { () throws -> any PromptLearning in
            let setting = settings.task(
                of: texts, budget: request.memory.budget(pool: settings.pool, besides: besides), backwardFrames: backwardFrames,
                means: matching == .mean ? texts.sentenceCounts.map { SentenceMeans(counts: $0) } : nil)
            return try learner.task(setting, sentenceCounts: matching == .transport ? texts.sentenceCounts : nil) {
                try teacherTemplates?.sequences(of: classNames, backbone: backbone, tokenizer: tokenizer) ?? []
            }
        }
        let caching = { (task: any PromptLearning) -> PrefixCaching? in
            // A teacher that looks at videos has no layer in which prompts join.
            if PromptLearner.looksTwice(regularizer, learning: configuration) { return nil }
            return PrefixCaching(
                task, settings: settings,
                byteBudget: request.memory.prefixBytes(
                    pool: settings.pool,
                    besides: besides + backbone.evaluationBytes(
                        prompts: configuration, sequences: texts.sequences, frameCount: settings.frameCount, pool: settings.pool)))
        }
        var learning = LearningRun(
            request: request, context: context, settings: settings, data: runData, backbone: backbone,
            recipe: settings.recipe(with: configuration), initialDigest: given?.reading.digest,
            cacheBytes: request.memory.cacheBytes)
        learning.teacherDigest = teacherTemplates?.digest
        learning.descriptions = descriptions
        return Prepared(
            run: learning, texts: texts, configuration: configuration, backwardFrames: backwardFrames, method: method, regularizer: regularizer,
            makeTask: makeTask, caching: caching)
    }

    package func plan(timing: Bool, seedCount: Int) throws -> RunPlan {
        let prepared = try prepared(nil)
        try prepared.run.refuseCaptions()
        return try RunPlan(
            prepared.run, learned: .prompts(prepared.configuration), sequences: prepared.texts.sequences,
            seedCount: seedCount,
            makeTask: {
                let task = try checked(try prepared.makeTask())
                return (task, prepared.caching(task))
            }, isTimed: timing)
    }

    package func run(_ start: RunStart) throws -> LearningRun.Outcome {
        try context.drawPocketVideos(for: .learn) { try self.settings(start.resumed) }
        let (prepared, task) = try context.group.agreed { () throws -> (Prepared, any PromptLearning) in
            let prepared = try self.prepared(start.resumed)
            let task = try checked(try prepared.makeTask())
            return (prepared, task)
        }
        var learning = prepared.run
        let (settings, backbone) = (learning.settings, learning.backbone)
        if let valSequences = prepared.texts.valSequences {
            learning.captionValidation = (
                valSequences,
                {
                    PairEncoder(
                        backbone: backbone, prompts: task.prompts.reading, frameCount: settings.frameCount, pool: settings.pool)
                })
        }
        let caching = prepared.caching(task)
        if start.resumed == nil,
            let shorter = try ShorterWay(
                learning, prompts: prepared.configuration, sequences: prepared.texts.sequences, caching: caching)
        {
            context.note(.learning(.shorterWay(runSeconds: shorter.runSeconds, headSeconds: shorter.headSeconds, clips: shorter.clips)))
        }
        let outcome = try learning.train(task, sequences: prepared.texts.sequences, start: start, caching: caching) { path, report in
            try checkUntouched(backbone)
            var header = learning.promptHeader(on: backbone, configuration: prepared.configuration, report: report)
            header.initialDigest = learning.initialDigest
            header.backwardFrameCount = prepared.backwardFrames?.count
            header.method = prepared.method?.name
            header.regularizer = prepared.regularizer?.name
            header.descriptionsDigest = learning.descriptions?.digest
            header.descriptionMatch = learning.descriptions?.match.rawValue
            try learning.savePrompts(PromptFile(prompts: task.prompts, video: task.video, header: header), in: path, report: report)
        }
        context.note(.model(.backboneUnchanged(digest: backbone.digest)))
        outcome.result.show(context)
        context.result(.file(.prompts, path: outcome.path.appendingPath("prompts/best.safetensors")))
        return outcome
    }

    private func startingPrompts(
        of method: PromptMethod?, settings: Settings, backbone: Backbone, tokenizer: any Tokenizer, classCount: Int
    ) throws -> PromptSet<MutableMatrix> {
        let fitted = settings.fittedPrompts(to: backbone.architecture)
        let startsFromWords = settings.recipe.prompts.start == .template && fitted.textDepth > 0
        let words = startsFromWords ? try backbone.templateTokens(settings.recipe.template ?? "", tokenizer: tokenizer) : nil
        if let words, PromptStart.setsTokens(words, of: method), let textTokens = request.asked.prompts.textTokens {
            context.warning(.model(.textTokensNotUsed(textTokens)))
        }
        let start = try PromptStart(
            of: method, asked: settings.recipe.prompts, fitted: fitted, words: words, keepsVisionTokens: request.asked.prompts.visionTokens != nil,
            architecture: backbone.architecture, classCount: classCount)
        return try start.prompts(on: backbone, seed: settings.seed, pool: settings.pool)
    }

    /// The proof that learning prompts leaves the backbone as it was, before anything is saved.
    private func checkUntouched(_ backbone: Backbone) throws {
        let now = backbone.parameters.digest(of: backbone.architecture)
        guard now == backbone.weightsDigest else { throw TrainingError.backboneChanged(before: backbone.weightsDigest, after: now) }
    }
}
