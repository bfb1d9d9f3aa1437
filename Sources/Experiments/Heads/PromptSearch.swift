import CLIPModel
import Files
import Foundation
import Methods
import Recipes
import Tensors
import Training
import VideoData

/// Prompts, and heads on the features of towers with prompts, compared with the best head without: by training clips that none of
/// them has learned from, within the time that somebody has.
///
/// Prompts are learned anew without each fold of the clips, as ordinary runs in the run's folder, so that a stopped search goes on
/// where it was.
struct PromptSearch {
    let run: LearningRun
    /// The run's own folder.
    let path: String
    /// The clips that the examples are made of, in their order.
    let clips: [AnnotatedClip]
    /// Of the backbone as it is.
    let examples: HeadExamples
    let deadline: ContinuousClock.Instant
    /// The backbone's.
    let tokenizer: any Tokenizer

    /// The time is up.
    struct OutOfTime: Error {}

    /// Where the prompts that are tried lie, in the run's folder.
    private static let folderName = "tried-prompts"
    /// Heads that are tried on prompted features: those that cost nothing beside the prompts.
    private static let kinds = HeadChoice.order.filter(\.hasExactLeaveOneOut)

    /// Seconds of learning each variant once from all clips, measured on two of them.
    static func prices(_ run: LearningRun) throws -> [(variant: PromptVariant, seconds: Double)] {
        try PromptVariant.allCases.map { variant in
            var request = run.request
            (request.method, request.views, request.weighsClassesEqually, request.budget) = (nil, nil, nil, nil)
            (request.recipe.data.val, request.recipe.data.test) = (nil, nil)
            variant.apply(to: &request, layerCount: run.backbone.architecture.vision.layerCount)
            let context = RunContext(observer: ProgressOnly(run.context.observer, title: ""), cancellation: run.context.cancellation)
            return (variant, try request.plan(timing: true, context: context).seconds ?? .infinity)
        }
    }

    /// What was planned when the search began, else what fits into the time that is left.
    ///
    /// - Returns: nil where nothing fits.
    func plan() throws -> PromptPlan? {
        let file = path.appendingPath(Self.folderName).appendingPath("plan.json")
        if fileExists(file), let plan = try readJSON(PromptPlan.self, file) { return plan }
        run.context.note(.head(.measuringPrompts))
        let prices = try Self.prices(run)
        let left = max(0, (deadline - .now) / .seconds(1))
        let plan = PromptPlan(prices, within: left)
        guard !plan.variants.isEmpty else {
            run.context.note(.head(.noTimeForPrompts(secondsLeft: left, secondsNeeded: PromptPlan.leastBudget(prices))))
            return nil
        }
        try createDirectory(path.appendingPath(Self.folderName))
        try DurableFile.write(String(decoding: try JSONEncoder().encode(plan), as: UTF8.self), to: file)
        return plan
    }

    // MARK: Comparing

    /// What each candidate reached on held-out clips: the best head so far, learned from the same folds, then prompts alone and
    /// heads on them.
    ///
    /// - Returns: these, and how many folds there were.
    func entries(
        beside head: HeadChoice.Entry, plan: PromptPlan, weighsClassesEqually: Bool, heads: HeadContext
    ) throws -> (entries: [HeadChoice.Entry], foldCount: Int) {
        let foldOfClip = HeadChoice.folds(of: examples, count: plan.folds, seed: heads.seed)
        let foldCount = (foldOfClip.max() ?? 0) + 1
        func held(_ fold: Int) -> [Int] { clips.indices.filter { foldOfClip[$0] == fold } }
        func best(
            _ kind: HeadKind?, _ settings: [String?], on variant: PromptVariant?, _ all: HeadExamples, start: ContinuousClock.Instant,
            fold: (Int) throws(HeadError) -> HeadFold
        ) throws(HeadError) -> HeadChoice.Entry? {
            let weights = HeadChoice.weights(of: all, weighsClassesEqually: weighsClassesEqually)
            var best = BestSettings(kind, on: variant, all, weights: weights, folds: foldOfClip, start: start)
            try best.compare(settings, foldCount: foldCount, context: heads, fold: fold)
            return try best.entry
        }
        let plain = try best(head.kind, [head.settingsText], on: nil, examples, start: .now) { fold throws(HeadError) in
            try HeadFold(examples, held: held(fold))
        }
        var result = [plain].compactMap(\.self)
        let isComplete = examples.clipCounts.allSatisfy { $0 > 0 }
        let kinds = Self.kinds.filter { isComplete || $0.scoresClassesWithoutClips }
        for variant in plan.variants {
            let start = ContinuousClock.now
            var all = examples
            var folds: [HeadFold] = []
            for fold in 0..<foldCount {
                let name = "\(variant.rawValue)-without-\(fold + 1)-of-\(foldCount)"
                let prompts = try learned(variant, from: clips.indices.filter { foldOfClip[$0] != fold }, name: name)
                all = try self.examples(with: prompts)
                folds.append(try HeadFold(all, held: held(fold)))
            }
            for kind in [nil] + kinds {
                let settings: [String?] = kind?.candidates(rowCount: all.count) ?? [nil]
                if let entry = try best(kind, settings, on: variant, all, start: start, fold: { fold throws(HeadError) in folds[fold] }) {
                    result.append(entry)
                }
            }
        }
        return (result, foldCount)
    }

    // MARK: Learning

    /// Prompts from all clips.
    func learned(_ variant: PromptVariant) throws -> PromptFile {
        var file = try learned(variant, from: Array(clips.indices), name: variant.rawValue)
        file.header.shots = run.settings.recipe.training.shots
        return file
    }

    /// Prompts from some of the clips, learned now or found learned.
    private func learned(_ variant: PromptVariant, from places: [Int], name: String) throws -> PromptFile {
        let folder = path.appendingPath(Self.folderName)
        let list = folder.appendingPath("\(name).txt")
        try DurableFile.write(AnnotationList.bytes(of: places.map { clips[$0] }), to: list)
        var recipe = run.settings.placedRecipe
        recipe.data.train = list
        recipe.data.root = run.data.train.root
        recipe.data.labels = path.appendingPath("split/labels.csv")
        (recipe.data.val, recipe.data.test, recipe.training.shots) = (nil, nil, nil)
        // A depth that nobody asked for is fitted to the backbone.
        recipe.prompts.visionDepth = run.request.recipe.prompts.visionDepth
        recipe.prompts.textDepth = run.request.recipe.prompts.textDepth
        recipe.model.checkpoint = try run.settings.backbonePath(kind: .learn)
        var request = RunRequest(
            .learn, recipe: recipe, videos: run.request.videos, model: run.request.model, memory: run.request.memory,
            saveInterval: run.request.saveInterval)
        request.model.vocabulary = run.request.vocabulary
        variant.apply(to: &request, layerCount: run.backbone.architecture.vision.layerCount)
        let (outer, deadline) = (run.context, deadline)
        let context = RunContext(
            observer: ProgressOnly(outer.observer, title: "\(name): "),
            cancellation: Cancellation(isRequested: { outer.isCancelled || ContinuousClock.now >= deadline }, arm: outer.cancellation.arm),
            invocation: outer.invocation)
        do {
            try request.complete(folder.appendingPath(name), context: context)
        } catch {
            if outer.isCancelled { throw EvaluationStopped() }
            if ContinuousClock.now >= deadline { throw OutOfTime() }
            throw error
        }
        return try PromptFile.load(RunKind.learn.chosenFile(in: folder.appendingPath(name)))
    }

    /// The clips as the backbone with prompts sees them. Without vision prompts, the features are the backbone's own.
    func examples(with prompts: PromptFile) throws -> HeadExamples {
        let (backbone, settings) = (run.backbone, run.settings)
        let texts = try RunTexts(
            run.data, settings: settings, prompts: prompts.header.configuration, backbone: backbone,
            tokenizer: tokenizer, context: RunContext())
        let textFeatures = try TextEncoder(backbone: backbone, prompts: prompts.prompts, pool: settings.pool).features(of: texts.sequences)
        guard !prompts.prompts.vision.isEmpty else {
            return try HeadExamples(
                features: examples.features, labels: examples.labels, clips: examples.clips, texts: textFeatures, projection: examples.projection,
                logitScale: backbone.logitScale)
        }
        let source = FeatureSource(run)
        let list = AnnotationList(path: run.data.train.path, root: run.data.train.root, clips: clips)
        let features = MutableMatrix(rows: clips.count, columns: backbone.architecture.embeddingWidth)
        let unreadable = try source.look(at: Array(clips.indices), of: list, with: source.encoder(prompts: prompts.prompts)) { batch in
            for (clip, row) in batch { features.row(clip).fill(with: Array(row.prefix(features.columnCount))) }
        }
        if let bad = unreadable.first { throw HeadUseError.unreadable(reason: bad.reason) }
        return try HeadExamples(
            features: HeadFeatures(projected: features), labels: examples.labelsOfClips, clips: Array(clips.indices), texts: textFeatures,
            logitScale: backbone.logitScale)
    }
}

/// Passes on how far something has come, and nothing else: whoever asked for the whole has been told the rest.
private struct ProgressOnly: RunObserver {
    private let observer: any RunObserver
    private let title: String

    /// - Parameter title: put before what is being done.
    init(_ observer: any RunObserver, title: String) {
        self.observer = observer
        self.title = title
    }

    func observe(_ event: RunEvent) {}
    func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay {
        observer.progress(self.title + title, total: total, unit: unit, from: first)
    }
}
