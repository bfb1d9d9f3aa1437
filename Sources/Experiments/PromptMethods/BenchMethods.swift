import CLIPModel
import Files
import Methods
import Recipes
import Training

/// The methods whose steps a bench times, each with its authors' numbers on a backbone of random weights.
package enum BenchMethods {
    /// The word for what is stepped where no method is named.
    package static let usual = "prompts"

    /// - Parameters:
    ///   - name: of a method that `kind` learns.
    ///   - classCount: classes of the bench.
    /// - Returns: nil for `usual`.
    /// - Throws: `BenchMethodError` for a name that is none, or is something else's.
    package static func method(_ name: String, kind: RunKind, on architecture: CLIPArchitecture, classCount: Int) throws -> BenchMethod? {
        if kind == .learn, name == usual { return nil }
        if kind == .learn, let method = PromptMethods.all.first(where: { $0.name == name }) {
            return try prompting(method, on: architecture, classCount: classCount)
        }
        if kind == .bridge, let recipe = bridging(name) { return try whole(name, recipe, on: architecture) }
        throw error(name, kind: kind)
    }

    /// - Returns: nil where no such method trains the whole CLIP.
    private static func bridging(_ name: String) -> Recipe? {
        if let method = BridgeMethods.all.first(where: { $0.name == name }) { return method.preset }
        guard name == Tuning.lora.rawValue else { return nil }
        var recipe = Recipe.lowRank
        recipe.tuning = .lora
        return recipe
    }

    private static func prompting(_ method: PromptMethod, on architecture: CLIPArchitecture, classCount: Int) throws -> BenchMethod {
        let recipe = method.preset.merged(over: .defaults(for: .learn))
        /// Words that prompts start as are any: what they say changes no time.
        @Sendable func start(mergedTokens: Int) throws -> PromptStart {
            var asked = recipe.prompts
            asked.mergeTokens = mergedTokens
            let fitted = asked.fitted(to: architecture)
            let words = asked.start == .template && fitted.textDepth > 0 ? [Int](repeating: 1, count: fitted.textTokens) : nil
            return try PromptStart(of: method, asked: asked, fitted: fitted, words: words, architecture: architecture, classCount: classCount)
        }
        let (configuration, regularizer) = (try start(mergedTokens: 0).configuration, try recipe.prompts.regularizer())
        return BenchMethod(
            name: method.name, learned: .prompts(configuration), form: try recipe.modelKind(.learn, on: architecture), rule: rule(of: recipe),
            hasFixedFrames: recipe.augmentation.fixedFrames == true, looksTwice: PromptLearner.looksTwice(regularizer, learning: configuration)
        ) { bench in
            let setting = bench.setting
            let prompts = try start(mergedTokens: bench.mergedTokens).prompts(on: bench.backbone, seed: setting.seed, pool: setting.pool)
            let learner = PromptLearner(
                backbone: bench.backbone, method: method, regularizer: regularizer, prompts: prompts, temporalLayers: recipe.prompts.temporalLayers)
            // The places of prompts are read as words.
            return try learner.task(setting) { [setting.sequences] }
        }
    }

    private static func whole(_ name: String, _ preset: Recipe, on architecture: CLIPArchitecture) throws -> BenchMethod {
        let recipe = preset.merged(over: .defaults(for: .bridge))
        let (method, tuning) = (try recipe.bridgeMethod(), recipe.tuning ?? .both)
        let comparesBatches = method?.readsSentences == true
        return BenchMethod(
            name: name, learned: .backbone(tuning), form: try recipe.modelKind(.bridge, on: architecture), rule: rule(of: recipe),
            comparesBatches: comparesBatches
        ) { bench in
            BridgeLearner(backbone: bench.backbone, method: method, tuning: tuning, sentences: comparesBatches ? [bench.setting.sequences] : [])
                .task(bench.setting)
        }
    }

    private static func rule(of recipe: Recipe) -> BenchMethod.Rule {
        BenchMethod.Rule(
            weightDecay: recipe.training.weightDecay ?? 1e-3, beta2: recipe.training.beta2, descends: recipe.training.optimizer == .descent)
    }

    private static func error(_ name: String, kind: RunKind) -> BenchMethodError {
        let learned = [usual] + PromptMethods.names
        let trained = BridgeMethods.names + [Tuning.lora.rawValue]
        if (try? HeadMethod(name)) != nil { return .learnsHead(name: name) }
        if (kind == .bridge ? learned : trained).contains(name) { return .ofOtherKind(name: name, kind: kind == .bridge ? .learn : .bridge) }
        let known = kind == .bridge ? trained : learned
        return .noMethod(name: name, kind: kind, known: known, nearest: name.nearest(among: known))
    }
}

extension BenchMethod {
    /// - Throws: `BenchMethodError` where the same frames in every step would spare nothing, as in a run.
    package func checkFixedFrames() throws(BenchMethodError) {
        guard PrefixCaching.leavesWork(learned.prompts), !looksTwice else { throw .nothingFixed(name: name) }
    }
}

/// Which method a bench cannot step, or not so.
package enum BenchMethodError: ReportableError, Equatable {
    case noMethod(name: String, kind: RunKind, known: [String], nearest: String?)
    case learnsHead(name: String)
    /// - Parameter kind: that learns it.
    case ofOtherKind(name: String, kind: RunKind)
    case nothingFixed(name: String)

    package var exitStatus: ExitStatus { .usage }

    package var description: String {
        switch self {
        case .noMethod(let name, let kind, let known, let nearest):
            "--method: bench \(kind.rawValue) has no '\(name.escapedForDisplay)'"
                + (nearest.map { ". Did you mean \($0)?" } ?? "; there are \(known.joined(separator: ", ")).")
        case .learnsHead(let name):
            "--method \(name): a head learns from features that are computed once, which takes nearly all of its time: `vifi-prompt bench features` "
                + "measures that."
        case .ofOtherKind(let name, let kind):
            kind == .bridge
                ? "--method \(name) trains the whole CLIP: `vifi-prompt bench bridge --method \(name)` measures it."
                : "--method \(name) learns on a CLIP that stays as it is: `vifi-prompt bench learn --method \(name)` measures it."
        case .nothingFixed(let name):
            "--fixed-frames spares --method \(name) nothing: what it learns changes the first layer of the vision tower already, or each clip is "
                + "looked at a second time. Leave one of them out."
        }
    }
}
