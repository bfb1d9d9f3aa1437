import CLIPModel
import Files
import Methods
import Recipes

/// The methods of prompting there are: each is listed here and nowhere else.
package enum PromptMethods {
    package static let all: [PromptMethod] = [.coop, .cocoop, .kgcoop, .vpt, .ivlp, .maple, .promptsrc, .pixel, .a5, .a6]

    /// What can hold prompts near CLIP, whatever the method.
    static let regularizers = all.compactMap(\.regularizer) + [.froster]

    /// The word for a method without a regularizer, and for leaving out a method's own.
    static let noRegularizer = "none"

    package static var names: [String] { all.map(\.name) }

    static func named(_ name: String) throws(PromptMethodUseError) -> PromptMethod {
        guard let method = all.first(where: { $0.name == name }) else {
            throw .noMethod(name: name, known: names, nearest: name.nearest(among: names))
        }
        return method
    }
}

extension Recipe.Prompts {
    /// The method that is asked for; nil for ViFi-CLIP's prompts, which learn themselves.
    func promptMethod() throws(PromptMethodUseError) -> PromptMethod? { try method.map { name throws(PromptMethodUseError) in try PromptMethods.named(name) } }

    /// What holds the prompts near CLIP: what is asked for, else the method's own.
    func regularizer() throws(PromptMethodUseError) -> PromptRegularizer? {
        guard let name = regularize else { return try promptMethod()?.regularizer }
        if name == PromptMethods.noRegularizer { return nil }
        guard let regularizer = PromptMethods.regularizers.first(where: { $0.name == name }) else {
            let known = [PromptMethods.noRegularizer] + PromptMethods.regularizers.map(\.name)
            throw .noRegularizer(name: name, known: known, nearest: name.nearest(among: known))
        }
        return regularizer
    }
}

extension PromptMethod {
    /// Its authors' numbers, for a recipe that says nothing else.
    var preset: Recipe {
        var recipe = Recipe()
        recipe.prompts.method = name
        recipe.prompts.visionTokens = shape.visionTokens
        recipe.prompts.visionDepth = shape.visionDepth
        recipe.prompts.textTokens = shape.textTokens
        recipe.prompts.textDepth = shape.textDepth
        if case .around(let before, let after) = words { (recipe.prompts.wordsBefore, recipe.prompts.wordsAfter) = (before, after) }
        recipe.prompts.temporalLayers = temporal?.layerCount
        if followsVideos { recipe.prompts.start = .template }
        recipe.prompts.pixelForm = pixels
        recipe.template = template
        if let descentRate {
            recipe.training.optimizer = .descent
            recipe.training.learningRate = descentRate
            recipe.training.weightDecay = 0
        }
        if let training {
            recipe.training.learningRate = training.learningRate
            recipe.training.weightDecay = training.weightDecay
            recipe.training.beta2 = training.beta2
            recipe.training.cosineSteps = training.cosineSteps
            recipe.training.warmupEpochs = 0
            recipe.augmentation.fixedFrames = true
            recipe.augmentation.labelSmoothing = 0
        }
        return recipe
    }

    /// What of a recipe the method leaves no room for.
    ///
    /// - Throws: where something else than it learns is asked for.
    func check(_ recipe: Recipe) throws(PromptMethodUseError) {
        guard let learned = onlyLearns else { return }
        func refuse(_ what: String) -> PromptMethodUseError { .besideMethod(what: what, method: name, learned: learned) }
        if recipe.data.captions != nil { throw refuse("--captions") }
        // Pixels are part of the frames, whatever becomes of these.
        if pixels == nil {
            if let fusion = recipe.fusion, fusion != .embedding { throw refuse("--fusion \(fusion.rawValue)") }
            if let way = recipe.prompts.regularize, way != PromptMethods.noRegularizer { throw refuse("--regularize \(way)") }
            if recipe.prompts.descriptions != nil { throw refuse("--descriptions") }
        }
        let prompts = recipe.prompts
        if prompts.visionTokens ?? 0 > 0 || prompts.visionDepth ?? prompts.visionLayers?.range.count ?? 0 > 0 { throw refuse("--vision-tokens") }
        guard followsVideos else {
            if prompts.textTokens ?? 0 > 0 || prompts.textDepth ?? prompts.textLayers?.range.count ?? 0 > 0 { throw refuse("--text-tokens") }
            return
        }
        if prompts.textTokens ?? 0 == 0 { throw refuse("--text-tokens 0") }
        let textLayers = prompts.textLayers?.range ?? 0..<(prompts.textDepth ?? 0)
        if textLayers != 0..<1 { throw refuse("--text-depth or --text-layers with other layers than the first") }
    }
}

/// What cannot be asked of a method of prompting.
package enum PromptMethodUseError: ReportableError, Equatable {
    case noMethod(name: String, known: [String], nearest: String?)
    case noRegularizer(name: String, known: [String], nearest: String?)
    case startsFromPrompts(method: String)
    case startsFromMethod(path: String, method: String)
    /// Beside a method that leaves room for nothing else than it learns.
    case besideMethod(what: String, method: String, learned: String)
    /// - Parameter flag: of what only methods with learned words or a transformer over frames have.
    case withoutTemporal(flag: String)
    /// - Parameter flag: of what only methods with words of the input have.
    case withoutInputWords(flag: String)
    /// - Parameter flag: of what only methods with pixels have.
    case withoutPixels(flag: String)
    /// - Parameter range: for which there is room in the backbone's frames.
    case pixelWidth(Int, range: ClosedRange<Int>, side: Int)
    /// - Parameter path: of prompts that learning was to start from.
    case startsWithoutPixels(path: String, method: String)
    case regularizedCaptions
    case templatesWithoutRegularizer
    case noTemplates(path: String)
    case badTemplate(path: String, line: Int, text: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .noMethod, .noRegularizer, .startsFromPrompts, .startsFromMethod, .besideMethod, .withoutTemporal, .withoutInputWords, .withoutPixels, .startsWithoutPixels,
            .regularizedCaptions, .templatesWithoutRegularizer: .usage
        case .pixelWidth: .badConfiguration
        case .noTemplates, .badTemplate: .badData
        }
    }

    package var description: String {
        switch self {
        case .noMethod(let name, let known, let nearest):
            "prompts.method: there is no method '\(name.escapedForDisplay)'"
                + (nearest.map { ". Did you mean \($0)?" } ?? "; there are \(known.joined(separator: ", ")).")
        case .noRegularizer(let name, let known, let nearest):
            "--regularize (prompts.regularize): there is no '\(name.escapedForDisplay)'"
                + (nearest.map { ". Did you mean \($0)?" } ?? "; there are \(known.joined(separator: ", ")).")
        case .startsFromPrompts(let method):
            "--init names prompts, but --method \(method) learns what prompts follow from, which a prompt file does not hold. Leave one of them "
                + "out."
        case .startsFromMethod(let path, let method):
            "\(path.escapedForDisplay): holds what --method \(method) learned, which is no start for other prompts. Leave --init out."
        case .besideMethod(let what, let method, let learned):
            "\(what) cannot go with --method \(method), which learns \(learned), and nothing else. Leave one of them out."
        case .withoutTemporal(let flag):
            "\(flag) is for methods that learn words around the class names and a transformer over frames: "
                + "\(PromptMethods.all.filter { $0.temporal != nil }.map(\.name).joined(separator: ", ")). Leave it out, or name one with --method."
        case .withoutInputWords(let flag):
            "\(flag) is for methods that learn words of the text tower's input alone: "
                + "\(PromptMethods.all.filter(\.learnsInputWords).map(\.name).joined(separator: ", ")). Leave it out, or name one with --method."
        case .withoutPixels(let flag):
            "\(flag) is for methods that learn pixels: \(PromptMethods.all.filter { $0.pixels != nil }.map(\.name).joined(separator: ", ")). "
                + "Leave it out, or name one with --method."
        case .pixelWidth(let width, let range, let side):
            "--pixel-width (prompts.pixel_width) is \(width), but in frames of \(side) × \(side) there is room for \(range.lowerBound) to "
                + "\(range.upperBound). Choose one of these, or leave it out."
        case .startsWithoutPixels(let path, let method):
            "\(path.escapedForDisplay): holds no pixels, which --method \(method) learns. Name prompts of that method with --init, or leave one of "
                + "them out."
        case .regularizedCaptions:
            "--regularize compares the texts of classes with a teacher's, but captions are learned. Leave it out, or the method that brings it."
        case .templatesWithoutRegularizer:
            "--teacher-templates is for --regularize, or for a method that regularizes. Leave it out."
        case .noTemplates(let path):
            "\(path.escapedForDisplay): holds no templates. Write one per line, each with {} where the class name goes."
        case .badTemplate(let path, let line, let text):
            "\(path.escapedForDisplay):\(line): '\(text.escapedForDisplay)' is no template. Each line needs {} once, where the class name goes, and "
                + "at most 1000 characters."
        }
    }
}
