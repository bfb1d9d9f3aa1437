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
        let tokenizer: any Tokenizer
        let method: HeadMethod
        let extended: HeadExtension?
        /// Settings that somebody gave; nil for the method's own.
        let given: String?
    }

    /// Of a graph's edges.
    private static let graphByteLimit = 16 << 20

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
        try refuse(settings.recipe.training.framesSchedule != nil, "--frames-schedule", "frames are computed once.")
        try refuse(settings.recipe.training.earlyStop != nil, "--early-stop", "a head has no epochs of clips.")
        try refuse(settings.recipe.training.loss == .batch, "--loss batch", "heads have losses of their own.")
        if let prompting = try settings.recipe.prompts.promptMethod(), prompting.onlyLearns != nil {
            try refuse(request.budget != nil, "--budget beside prompts.method \(prompting.name)", "heads on its prompts say nothing of what it learns.")
        }
        try refuse(!request.asked.prompts.settings.isEmpty, "a setting of prompts", "heads have none. Leave out --method to learn prompts.")
        let backbone = try settings.backbone(kind: .learn, activation: request.model.activation)
        try resumed?.check(backbone)
        let tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: request.vocabulary)
        let data = try RunData(settings: settings, kind: .learn, options: request.videos, resumed: resumed, context: context)
        let texts = try RunTexts(data, settings: settings, prompts: .none, backbone: backbone, tokenizer: tokenizer, context: context)
        let run = LearningRun(
            request: request, context: context, settings: settings, data: data, backbone: backbone, recipe: settings.recipe, cacheBytes: 0)
        let given = try request.graph.map { path in
            try refuse(method != .head(.gcn), "--graph", "only \(HeadKind.gcn.rawValue) takes a graph.")
            let edges = try InputFile.contents(of: request.placed(path), limit: Self.graphByteLimit)
            return try GraphConvolution.settingsText(graph: String(decoding: edges, as: UTF8.self), classNames: data.classes.names)
        }
        let extended = try request.extended.map {
            try HeadExtension(
                request.placed($0), data: data, backbone: backbone, frameCount: settings.frameCount, normalization: settings.normalization(for: backbone))
        }
        return Prepared(
            run: run, sequences: texts.sequences, tokenizer: tokenizer, method: extended.map { .head($0.file.header.kind) } ?? method, extended: extended,
            given: given)
    }

    package func plan(timing: Bool, seedCount: Int) throws -> HeadPlan {
        let prepared = try prepared(nil)
        return try HeadPlan(
            prepared.run, method: prepared.method, views: request.views ?? 1, sequences: prepared.sequences, seedCount: seedCount,
            isTimed: timing, budget: request.budget)
    }

    package func run(_ start: RunStart) throws -> LearningRun.Outcome {
        let prepared = try prepared(start.resumed)
        let (run, settings) = (prepared.run, prepared.run.settings)
        context.cancellation.arm()
        let began = ContinuousClock.now
        let directory = try run.open(start, sequences: prepared.sequences)
        let path = directory.path
        context.note(.head(.begins(run.data.amount, frames: settings.frameCount, run: path)))
        do {
            let views = request.views ?? 1
            let features = try FeaturePass(FeatureSource(run)).features(of: run.data.train, views: views, title: "features")
            for bad in features.unreadable { context.warning(.data(.unreadable(bad, .notUsed))) }
            if let extended = prepared.extended {
                let head = try extended.head(from: features, sequences: prepared.sequences, backbone: run.backbone, pool: settings.pool)
                try HeadFile(header: extended.header, head: head).save(to: path.appendingPath(HeadFile.name))
                let known = extended.file.header.classNames.count
                context.note(
                    .head(.extended(extended.file.header.kind, classes: extended.classNames.count, new: extended.classNames.count - known)))
                var result = RunResult(steps: nil, epochs: nil, trainingLoss: nil, best: nil, last: nil, seconds: 0)
                result.method = extended.file.header.kind.rawValue
                result.count(
                    learned: head.parameterCount, .prompts(.none), architecture: run.backbone.architecture, frameCount: settings.frameCount,
                    sequences: prepared.sequences)
                return try finished(result, run, directory, began: began)
            }
            let examples = try HeadExamples(
                features: features.vectors, labels: features.labels, clips: features.clips,
                texts: run.backbone.textFeatures(of: prepared.sequences, pool: settings.pool), projection: run.backbone.projection,
                logitScale: run.backbone.logitScale)
            let (isCancelled, seed) = (context.cancellation.isRequested, settings.seed)
            let heads = HeadContext(pool: settings.pool, seed: seed) { _ in !isCancelled() }
            let (kind, entry, choice) = try chosen(prepared.method, given: prepared.given, examples, heads)
            var result = RunResult(
                steps: nil, epochs: nil, trainingLoss: nil, best: nil, last: nil, seconds: 0, peakBytes: nil)
            result.method = kind.rawValue
            result.crossValidatedTop1 = entry?.top1
            result.compared = entry.map { _ in choice.compared }
            var learned = Learned(what: .head(kind, from: examples, on: nil), entry: entry)
            if let budget = request.budget {
                let search = PromptSearch(
                    run: run, path: path, clips: Self.clips(run.data.train, at: features.clips), examples: examples,
                    deadline: began + .seconds(budget), tokenizer: prepared.tokenizer)
                let found = try withPrompts(search, beside: entry, heads)
                result.comparedWithPrompts = found?.choice.compared
                if let better = found?.better {
                    learned = better
                    result.method = better.entry?.name
                    result.crossValidatedTop1 = better.entry?.top1
                }
            }
            let learnedCount = try save(learned, given: prepared.given, run, path: path, views: views, heads)
            if let entry = learned.entry, !entry.heldOut.isEmpty {
                try HeldOutAnswers(Self.clips(run.data.train, at: features.clips), entry.heldOut).write(into: path, classes: run.data.classes)
            }
            result.count(
                learned: learnedCount, .prompts(learned.prompts?.prompts.configuration.ofVision ?? .none),
                architecture: run.backbone.architecture, frameCount: settings.frameCount, sequences: prepared.sequences)
            return try finished(result, run, directory, began: began)
        } catch is EvaluationStopped {
            throw stopped(path)
        } catch HeadError.cancelled {
            throw stopped(path)
        }
    }

    /// Scores what was saved and writes down what came out.
    private func finished(
        _ result: RunResult, _ run: LearningRun, _ directory: borrowing RunDirectory, began: ContinuousClock.Instant
    ) throws -> LearningRun.Outcome {
        var result = result
        let path = directory.path
        result.last = try run.scores(of: run.data.val, called: "val", path: path)
        result.test = try run.scores(of: run.data.test, called: "test", path: path)
        result.peakBytes = Machine.peakMemory
        result.seconds = (ContinuousClock.now - began) / .seconds(1)
        try directory.write(result)
        result.show(context)
        let file = run.kind.chosenFile(in: path)
        context.result(.file(file.lastPathComponent == HeadFile.name ? .head : .prompts, path: file))
        return LearningRun.Outcome(path: path, result: result)
    }

    /// What is to be saved.
    private struct Learned {
        enum What {
            case prompts(PromptFile)
            /// On features that went through prompts, or the backbone's own.
            case head(HeadKind, from: HeadExamples, on: PromptFile?)
        }
        let what: What
        /// What held-out clips say of it; nil where none could be held out.
        let entry: HeadChoice.Entry?

        /// That videos go through; nil for the backbone as it is.
        var prompts: PromptFile? {
            switch what {
            case .prompts(let prompts): prompts
            case .head(_, _, let prompts): prompts
            }
        }
    }

    /// The clips that have features, each once.
    private static func clips(_ list: AnnotationList, at rows: [Int]) -> [AnnotatedClip] {
        rows.indices.filter { $0 == 0 || rows[$0] != rows[$0 - 1] }.map { list.clips[rows[$0]] }
    }

    /// - Returns: how many numbers it holds.
    private func save(_ learned: Learned, given: String?, _ run: LearningRun, path: String, views: Int, _ heads: HeadContext) throws -> Int {
        let promptCount = learned.prompts?.prompts.configuration.parameterCount(for: run.backbone.architecture) ?? 0
        switch learned.what {
        case .prompts(var prompts):
            prompts.header.metrics["cross_validated_top1"] = learned.entry?.top1
            try createDirectory(path.appendingPath("prompts"))
            try prompts.save(to: path.appendingPath("prompts/best.safetensors"))
            return promptCount
        case .head(let kind, let examples, let prompts):
            let head = try kind.fit(examples, settingsText: learned.entry?.settingsText ?? given, context: heads)
            let file = HeadFile(
                header: header(kind, settingsText: head.settingsText, learned.entry, run, views: views), head: head, prompts: prompts)
            try file.save(to: path.appendingPath(HeadFile.name))
            context.note(
                .head(.learned(kind, parameters: head.parameterCount, clips: examples.clipCount, throughPrompts: prompts != nil)))
            return promptCount + head.parameterCount
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

    /// The head to learn, with what held-out clips say of it, and of those that it was compared with.
    private func chosen(
        _ method: HeadMethod, given: String?, _ examples: HeadExamples, _ heads: HeadContext
    ) throws -> (HeadKind, HeadChoice.Entry?, HeadChoice) {
        let isComplete = examples.clipCounts.allSatisfy { $0 > 0 }
        let kinds = switch method {
        case .auto: HeadChoice.order.filter { isComplete || $0.scoresClassesWithoutClips }
        case .head(let kind): [kind]
        }
        let progress = context.progress("comparing", total: kinds.count + 1, unit: "methods")
        var done = 0
        let choice = try HeadChoice(
            of: kinds, given: given, examples, weighsClassesEqually: request.weighsClassesEqually == true, context: heads
        ) { _ in
            done += 1
            progress.show(done)
        }
        progress.finish()
        guard let entry = choice.chosen else {
            let kind = if case .head(let kind) = method { kind } else { HeadChoice.anchored }
            context.warning(.head(.notCompared(label: examples.clipCounts.firstIndex(of: 1), taken: kind)))
            return (kind, nil, choice)
        }
        context.result(.compared(choice.compared))
        let kind = entry.kind ?? HeadChoice.anchored
        if method == .auto {
            context.result(.taken(named: kind.rawValue, undecided: choice.undecided(beside: entry), clips: examples.clipCount))
            if let texts = choice.entries.first(where: { $0.kind == nil }), texts.logLoss < entry.logLoss {
                context.warning(.head(.textsAreBetter))
            }
        }
        return (kind, entry, choice)
    }
}

extension HeadExperiment {
    /// Looks for something better than the best head in what is left of the budget.
    ///
    /// - Returns: what was compared, and what is better; nil where prompts could not be tried.
    private func withPrompts(
        _ search: PromptSearch, beside entry: HeadChoice.Entry?, _ heads: HeadContext
    ) throws -> (choice: HeadChoice, better: Learned?)? {
        guard let entry else {
            context.warning(.head(.promptsNotTried))
            return nil
        }
        do {
            guard let plan = try search.plan() else { return nil }
            let weighsEqually = request.weighsClassesEqually == true
            let (entries, foldCount) = try search.entries(beside: entry, plan: plan, weighsClassesEqually: weighsEqually, heads: heads)
            let choice = HeadChoice(entries, of: search.examples, weighsClassesEqually: weighsEqually)
            context.result(.comparedWithPrompts(choice.bestOfEachVariant.compared, folds: foldCount))
            guard let best = choice.chosen, let variant = best.variant else {
                context.result(.headStays(named: entry.name))
                return (choice, nil)
            }
            context.result(.taken(named: best.name, undecided: choice.undecided(beside: best), clips: search.examples.clipCount))
            let prompts = try search.learned(variant)
            let what: Learned.What = try best.kind.map { .head($0, from: try search.examples(with: prompts), on: prompts) } ?? .prompts(prompts)
            return (choice, Learned(what: what, entry: best))
        } catch is PromptSearch.OutOfTime {
            context.warning(.head(.budgetSpent(stays: entry.name)))
            return nil
        }
    }
}

extension HeadChoice {
    /// The best first.
    var compared: [RunResult.ComparedMethod] {
        entries.sorted { $0.logLoss < $1.logLoss }.map { entry in
            .init(
                method: entry.name, settings: entry.settingsText, logLoss: entry.logLoss, top1: entry.top1,
                standardError: entry.standardError, meanClassAccuracy: entry.meanClassAccuracy, seconds: entry.seconds,
                parameters: entry.parameterCount)
        }
    }

    /// What cannot be told from the best one.
    fileprivate func undecided(beside best: Entry) -> [String] { undecided.map(\.name).filter { $0 != best.name } }
}

extension Backbone {
    /// `[classes, embeddingWidth]`, not normalized.
    func textFeatures(of sequences: [[Int]], pool: WorkerPool) throws -> Matrix {
        try TextEncoder(backbone: self, prompts: PromptSet(vision: [], text: []), pool: pool).features(of: sequences).reading
    }
}
