import CLIPModel
import Methods
import Recipes
import Tensors

/// The prompts that learning starts from: their shape, and whether they are drawn or begin as words.
struct PromptStart {
    let configuration: PromptConfiguration
    /// Tokens of a template that the text prompts begin as; empty where they are drawn.
    private let words: [Int]

    /// - Parameters:
    ///   - method: nil for prompts that learn themselves.
    ///   - fitted: what `asked` comes to in an architecture.
    ///   - words: tokens of the template, where text prompts begin as these; nil for prompts that are drawn.
    ///   - keepsVisionTokens: whether somebody asked for a number of vision tokens.
    ///   - classCount: for words that are others for each class.
    /// - Throws: for prompts that an architecture has no room for.
    init(
        of method: PromptMethod?, asked: Recipe.Prompts, fitted: PromptConfiguration, words: [Int]?, keepsVisionTokens: Bool = false,
        architecture: CLIPArchitecture, classCount: Int
    ) throws {
        var configuration = fitted
        if let words, Self.setsTokens(words, of: method) {
            // Where vision prompts follow from the text prompts, they are as many.
            let isCoupled = method?.couplesTowers == true && !keepsVisionTokens
            configuration = PromptConfiguration(
                visionTokens: isCoupled ? words.count : configuration.visionTokens, visionLayers: configuration.visionLayers,
                textTokens: words.count, textLayers: configuration.textLayers, mergedTokens: configuration.mergedTokens,
                isBehindNorm: configuration.isBehindNorm, words: configuration.words)
        }
        if method?.followsVideos == true { configuration.metaNetWidth = architecture.metaNetWidth }
        if let form = asked.pixelForm { configuration.pixels = try Self.pixels(form, width: asked.pixelWidth, side: architecture.imagePixels) }
        if configuration.textTokens > 0, asked.namePlace ?? .end != .end || asked.classSpecific == true {
            guard configuration.textLayers == 0..<1 else { throw PromptMethodUseError.withoutInputWords(flag: "--name-place or --class-specific") }
            configuration = PromptConfiguration(
                visionTokens: configuration.visionTokens, visionLayers: configuration.visionLayers, textTokens: 0, textLayers: 0..<0, mergedTokens: configuration.mergedTokens,
                isBehindNorm: configuration.isBehindNorm, words: .context(
                    count: configuration.textTokens, place: asked.namePlace ?? .end, classCount: asked.classSpecific == true ? classCount : nil))
        }
        try configuration.check(against: architecture)
        self.configuration = configuration
        self.words = words ?? []
    }

    /// Whether a template's words are as many as there will be text prompts. A method that brings this start has tokens of its own
    /// where the template begins with the name.
    static func setsTokens(_ words: [Int], of method: PromptMethod?) -> Bool { !words.isEmpty || method?.followsVideos != true }

    func prompts(on backbone: Backbone, seed: UInt64, pool: WorkerPool) throws -> PromptSet<MutableMatrix> {
        var prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: seed)
        if !words.isEmpty, let learned = prompts.words?.table {
            for row in 0..<learned.rowCount { learned.row(row).copy(backbone.parameters.text.tokenEmbedding.row(words[row % words.count])) }
        } else if !words.isEmpty {
            prompts.text = try backbone.templatePrompts(tokens: words, layers: configuration.textLayers, pool: pool)
        }
        return prompts
    }

    /// - Parameter width: nil for the authors'.
    private static func pixels(_ form: PixelArea.Form, width: Int?, side: Int) throws(PromptMethodUseError) -> PixelArea {
        let (width, widths) = (width ?? PixelArea.usualWidth(side: side), PixelArea.widths(of: form, side: side))
        guard widths.contains(width) else { throw .pixelWidth(width, range: widths, side: side) }
        return PixelArea(form, width: width, side: side)
    }
}

extension Recipe.Prompts {
    /// The prompts that are asked for; the default depth of all layers is as many as there are.
    ///
    /// - Parameter givenDepths: those that somebody asked for; nil where the default holds.
    func fitted(to architecture: CLIPArchitecture, givenDepths: (vision: Int?, text: Int?) = (nil, nil)) -> PromptConfiguration {
        func layers(_ layers: PromptLayers?, depth: Int?, isGiven: Bool, count: Int) -> Range<Int> {
            layers?.range ?? 0..<(isGiven ? depth ?? 0 : min(depth ?? 0, count))
        }
        return PromptConfiguration(
            visionTokens: visionTokens ?? 0,
            visionLayers: layers(visionLayers, depth: visionDepth, isGiven: givenDepths.vision != nil, count: architecture.vision.layerCount),
            textTokens: textTokens ?? 0,
            textLayers: layers(textLayers, depth: textDepth, isGiven: givenDepths.text != nil, count: architecture.text.layerCount),
            mergedTokens: mergeTokens ?? 0, isBehindNorm: behindNorm ?? false, words: learnedWords)
    }
}
