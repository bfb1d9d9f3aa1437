import CLIPModel
import Files
import Methods
import Recipes

/// The ways to train a CLIP as a whole there are beside ViFi-CLIP's: each is listed here and nowhere else.
package enum BridgeMethods {
    package static let all: [BridgeMethod] = [.actionCLIP, .xCLIP]

    package static var names: [String] { all.map(\.name) }
}

extension Recipe {
    /// The way that is asked for; nil for ViFi-CLIP's.
    func bridgeMethod() throws(BridgeMethodError) -> BridgeMethod? {
        guard let method else { return nil }
        guard let known = BridgeMethods.all.first(where: { $0.name == method }) else {
            throw .noMethod(name: method, nearest: method.nearest(among: BridgeMethods.names))
        }
        return known
    }
}

extension BridgeMethod {
    /// Its authors' numbers, for a recipe that says nothing else.
    var preset: Recipe {
        var recipe = Recipe()
        recipe.method = name
        recipe.tuning = tuning
        recipe.template = training.template
        recipe.training.learningRate = training.learningRate
        recipe.training.epochs = training.epochs
        recipe.training.weightDecay = training.weightDecay
        guard readsSentences else { return recipe }
        recipe.training.batchSize = training.batchSize
        recipe.training.accumulationSteps = 1
        recipe.augmentation.mixup = 0
        recipe.augmentation.cutmix = 0
        recipe.augmentation.labelSmoothing = 0
        return recipe
    }

    /// - Throws: where a recipe asks for what the method leaves no room for.
    func check(_ recipe: Recipe) throws(BridgeMethodError) {
        func refuse(_ isAsked: Bool, _ what: String, _ reason: String) throws(BridgeMethodError) {
            if isAsked { throw .cannotGoWith(what: what, method: name, reason: reason) }
        }
        try refuse(recipe.data.captions != nil, "--captions", "it learns classes.")
        try refuse(
            recipe.tuning.map { $0 != tuning } ?? false, "--tuning \((recipe.tuning ?? .both).rawValue)",
            tuning == .both ? "the whole CLIP learns." : "CLIP's text tower stays as it is.")
        try refuse(
            recipe.fusion.map { $0 != .embedding } ?? false, "--fusion \((recipe.fusion ?? .embedding).rawValue)",
            "a transformer over frames stands in its place.")
        let blends = recipe.augmentation.mixup ?? 0 > 0 || recipe.augmentation.cutmix ?? 0 > 0 || recipe.augmentation.labelSmoothing ?? 0 > 0
        try refuse(
            readsSentences && blends, "augmentation.mixup, cutmix or label_smoothing", "videos are compared with texts, each of one class.")
        try refuse(!readsSentences && recipe.templates != nil, "--templates", "it reads class names in one sentence, --set template=….")
        try refuse(!(recipe.compat ?? []).isEmpty, "--compat", "that is about ViFi-CLIP's code.")
    }
}

/// What cannot be asked of a way to train the whole CLIP.
package enum BridgeMethodError: ReportableError, Equatable {
    case noMethod(name: String, nearest: String?)
    case cannotGoWith(what: String, method: String, reason: String)
    case templatesWithoutMethod

    package var exitStatus: ExitStatus { .usage }

    package var description: String {
        switch self {
        case .noMethod(let name, let nearest):
            if PromptMethods.names.contains(name) || HeadKind(rawValue: name) != nil {
                "\(name) learns on a CLIP that stays as it is, but bridge trains the whole: `vifi-prompt learn --method \(name)` is meant."
            } else {
                "--method (method): bridge has no '\(name.escapedForDisplay)'"
                    + (nearest.map { ". Did you mean \($0)?" } ?? "; there are \(BridgeMethods.names.joined(separator: ", ")).")
            }
        case .cannotGoWith(let what, let method, let reason):
            "\(what) cannot go with --method \(method): \(reason) Leave one of them out."
        case .templatesWithoutMethod:
            "--templates (templates) is for methods that read class names in several sentences: "
                + "\(BridgeMethods.all.filter(\.readsSentences).map(\.name).joined(separator: ", ")). "
                + "Leave it out, or name one with --method; --set template=… is for one sentence."
        }
    }
}
