import Files
import Tensors

/// How many prompt tokens are learned in which layers.
package struct PromptConfiguration: Sendable, Equatable, Codable {
    package var visionTokens: Int
    /// Layers of the vision tower with prompts of their own; above them the outputs of the last ones go on.
    package var visionLayers: Range<Int>
    package var textTokens: Int
    package var textLayers: Range<Int>
    /// Words of which the text prompts replace the first tokens: what is left of them stands between prompts and name,
    /// as in the reference with at most four text tokens (methods 1.2). nil where names follow at once.
    package var replacedWords: String?
    /// Pairs of a frame's tokens that merge in each layer of the vision tower but the last (`TokenMerging`). Prompts are
    /// learned for one number of them and mean nothing with another.
    package var mergedTokens: Int
    /// Whether the first layer's vision prompts join behind the tower's input norm and do not pass it, as those of VPT's
    /// authors, whose tower has none.
    package var isBehindNorm: Bool
    /// Words that are learned in the text tower's input, wherever they stand; nil for none. There are no text tokens beside them.
    package var words: LearnedWords?
    /// Hidden units of the network that makes of each video what is added to the text prompts (`MetaNet`); nil for none.
    /// There are text prompts of the first layer beside it, and nothing else.
    package var metaNetWidth: Int?
    /// Pixels of every frame to which learned numbers are added (`PixelPrompt`); nil for none. There are no tokens beside them.
    package var pixels: PixelArea?

    /// No layers or no tokens switch a side off.
    package init(
        visionTokens: Int, visionLayers: Range<Int>, textTokens: Int, textLayers: Range<Int>, replacedWords: String? = nil,
        mergedTokens: Int = 0, isBehindNorm: Bool = false, words: LearnedWords? = nil, metaNetWidth: Int? = nil, pixels: PixelArea? = nil
    ) {
        precondition(words == nil || textLayers.isEmpty || textTokens == 0, "learned words stand in the place of text tokens")
        precondition(
            metaNetWidth == nil || (textLayers == 0..<1 && textTokens > 0 && (visionTokens == 0 || visionLayers.isEmpty)),
            "a network for each video moves text prompts of the first layer")
        self.mergedTokens = mergedTokens
        self.isBehindNorm = isBehindNorm
        self.words = words
        self.metaNetWidth = metaNetWidth
        self.pixels = pixels
        (self.visionTokens, self.visionLayers) = visionLayers.isEmpty || visionTokens == 0 ? (0, 0..<0) : (visionTokens, visionLayers)
        (self.textTokens, self.textLayers) = textLayers.isEmpty || textTokens == 0 ? (0, 0..<0) : (textTokens, textLayers)
        self.replacedWords = self.textTokens == 0 ? nil : replacedWords
        precondition(pixels == nil || (visionDepth == 0 && !learnsText), "pixels learn alone")
    }

    /// Prompts from the first layer on.
    package init(visionTokens: Int, visionDepth: Int, textTokens: Int, textDepth: Int) {
        self.init(
            visionTokens: visionTokens, visionLayers: 0..<max(0, visionDepth),
            textTokens: textTokens, textLayers: 0..<max(0, textDepth))
    }

    package static let none = PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 0, textDepth: 0)

    /// How many layers have prompts of their own.
    package var visionDepth: Int { visionLayers.count }
    package var textDepth: Int { textLayers.count }

    /// Whether token counts and depths say all: no tower's prompts begin above its first layer.
    package var startsAtFirstLayers: Bool { visionLayers.lowerBound == 0 && textLayers.lowerBound == 0 }

    /// Numbers that are learned: tokens × width, summed over the layers of both towers, those of the network that
    /// follows videos, and pixels.
    package func parameterCount(for architecture: CLIPArchitecture) -> Int {
        visionTokens * visionDepth * architecture.vision.width
            + (textTokens * textDepth + (words?.count(contextLength: architecture.contextLength) ?? 0)) * architecture.text.width
            + (metaNetWidth.map { architecture.metaNetShape(hiddenWidth: $0).count } ?? 0) + (pixels?.count ?? 0)
    }

    package func check(against architecture: CLIPArchitecture) throws(ModelError) {
        if architecture.crossFrame != nil { throw .framesSeeEachOther(what: "prompts are for towers") }
        for (tower, layers, count) in [
            ("vision", visionLayers, architecture.vision.layerCount), ("text", textLayers, architecture.text.layerCount),
        ] where layers.upperBound > count {
            throw layers.lowerBound == 0
                ? .promptDepth(tower: tower, depth: layers.count, layerCount: count)
                : .promptLayers(tower: tower, layers: PromptLayers(layers).text, layerCount: count)
        }
        if let pixels, pixels.side != architecture.imagePixels {
            throw .prompts(.pixelsOfOtherSide(prompts: pixels.side, backbone: architecture.imagePixels))
        }
        if mergedTokens > 0 { try architecture.requireForm(for: "tokens merge") }
        let most = TokenMerging.mostPairs(in: architecture)
        guard !isBehindNorm || visionLayers.first == 0 else { throw .prompts(.noneBehindNorm) }
        guard (0...most).contains(mergedTokens) else { throw .mergedTokens(mergedTokens, most: most, architecture: architecture.summary) }
    }

    /// Whether something is learned.
    package var learns: Bool { promptsVision || learnsText }

    /// Whether something enters the vision tower: tokens of its layers, or what is added to pixels.
    package var promptsVision: Bool { visionDepth > 0 || pixels != nil }

    /// Whether something of the texts is learned, which then has no template.
    package var learnsText: Bool { textDepth > 0 || words != nil }

    /// Whether the texts of the classes are others for each video.
    package var followsVideos: Bool { metaNetWidth != nil }

    /// For people: "4 tokens in 12 layers", "4 tokens in 6 layers (6-11)", "a border of 30 pixels of frames of 224 × 224".
    package var visionWords: String { pixels?.words ?? Self.words(visionTokens, visionLayers) }
    package var textWords: String {
        (words?.text ?? Self.words(textTokens, textLayers))
            + (metaNetWidth.map { ", moved for each video by a network of \(counted($0, "hidden unit", "hidden units"))" } ?? "")
    }

    private static func words(_ tokens: Int, _ layers: Range<Int>) -> String {
        "\(counted(tokens, "token", "tokens")) in \(counted(layers.count, "layer", "layers"))" + (layers.lowerBound > 0 ? " (\(PromptLayers(layers).text))" : "")
    }
}

/// The prompt tokens of both towers, one element per layer: values, gradients or moments.
package struct PromptSet<Element: Readable>: Sendable {
    /// `[visionTokens, vision width]` for each layer from `visionStart` on.
    package var vision: [Element]
    /// `[textTokens, text width]` for each layer from `textStart` on.
    package var text: [Element]
    /// The first layers with prompts.
    package let visionStart: Int
    package let textStart: Int
    /// `PromptConfiguration.replacedWords`.
    package let replacedWords: String?
    /// `PromptConfiguration.mergedTokens`.
    package let mergedTokens: Int
    /// `PromptConfiguration.isBehindNorm`.
    package let isBehindNorm: Bool
    /// Learned words, `[words, text width]`, and where they stand.
    package let words: Words?
    /// What makes of each video what is added to the text prompts; nil where these are the same for all videos.
    package let metaNet: MetaNet<Element>?
    /// What is added to the pixels of every frame; nil for nothing.
    package let pixels: PixelPrompt<Element>?

    package struct Words: Sendable {
        package let table: Element
        package let places: LearnedWords

        package init(_ table: Element, places: LearnedWords) { (self.table, self.places) = (table, places) }
    }

    package init(
        vision: [Element], text: [Element], visionStart: Int = 0, textStart: Int = 0, replacedWords: String? = nil,
        mergedTokens: Int = 0, isBehindNorm: Bool = false, words: Words? = nil, metaNet: MetaNet<Element>? = nil,
        pixels: PixelPrompt<Element>? = nil
    ) {
        self.words = words
        self.metaNet = metaNet
        self.pixels = pixels
        self.replacedWords = replacedWords
        self.mergedTokens = mergedTokens
        self.isBehindNorm = isBehindNorm
        self.vision = vision
        self.text = text
        self.visionStart = visionStart
        self.textStart = textStart
    }

    /// The prompts of the vision tower, without those of the text tower.
    package var visionSide: PromptSet {
        PromptSet(
            vision: vision, text: [], visionStart: visionStart, mergedTokens: mergedTokens, isBehindNorm: isBehindNorm, pixels: pixels)
    }

    /// Every element under the name that prompt files use.
    package var named: [(name: String, element: Element)] {
        vision.enumerated().map { ("vision.\($0.offset + visionStart)", $0.element) }
            + text.enumerated().map { ("text.\($0.offset + textStart)", $0.element) } + (words.map { [(Self.wordsName, $0.table)] } ?? [])
            + (metaNet.map { Array(zip(MetaNetShape.names, $0.all)) } ?? []) + (pixels?.named ?? [])
    }

    static var wordsName: String { "text.words" }

    package var all: [Element] { vision + text + (words.map { [$0.table] } ?? []) + (metaNet?.all ?? []) + (pixels?.tensors ?? []) }

    /// The prompts of the text tower, without those of the vision tower.
    package var textSide: PromptSet {
        PromptSet(vision: [], text: text, textStart: textStart, replacedWords: replacedWords, words: words, metaNet: metaNet)
    }

    /// The same prompts with each element transformed.
    package func map<Other>(_ transform: (Element) -> Other) -> PromptSet<Other> {
        PromptSet<Other>(
            vision: vision.map(transform), text: text.map(transform), visionStart: visionStart, textStart: textStart,
            replacedWords: replacedWords, mergedTokens: mergedTokens, isBehindNorm: isBehindNorm,
            words: words.map { PromptSet<Other>.Words(transform($0.table), places: $0.places) }, metaNet: metaNet?.map(transform),
            pixels: pixels?.map(transform))
    }

    package var reading: PromptSet<Matrix> { map(\.reading) }

    package var configuration: PromptConfiguration {
        PromptConfiguration(
            visionTokens: vision.first?.rowCount ?? 0, visionLayers: visionStart..<visionStart + vision.count,
            textTokens: text.first?.rowCount ?? 0, textLayers: textStart..<textStart + text.count,
            replacedWords: replacedWords, mergedTokens: mergedTokens, isBehindNorm: isBehindNorm, words: words?.places,
            metaNetWidth: metaNet?.hiddenWidth, pixels: pixels?.area)
    }
}

extension PromptSet<MutableMatrix> {
    /// Zeros: gradients and moments start here.
    package init(zeros configuration: PromptConfiguration, architecture: CLIPArchitecture) {
        self.init(
            vision: configuration.visionLayers.map { _ in
                MutableMatrix(rows: configuration.visionTokens, columns: architecture.vision.width)
            },
            text: configuration.textLayers.map { _ in
                MutableMatrix(rows: configuration.textTokens, columns: architecture.text.width)
            },
            visionStart: configuration.visionLayers.lowerBound, textStart: configuration.textLayers.lowerBound,
            replacedWords: configuration.replacedWords, mergedTokens: configuration.mergedTokens, isBehindNorm: configuration.isBehindNorm,
            words: configuration.words.map { places in
                Words(
                    MutableMatrix(rows: places.count(contextLength: architecture.contextLength), columns: architecture.text.width),
                    places: places)
            },
            metaNet: configuration.metaNetWidth.map { MetaNet(zeros: architecture.metaNetShape(hiddenWidth: $0)) },
            pixels: configuration.pixels.map { PixelPrompt(zeros: $0) })
    }

    /// Prompts as training starts from: N(0, 0.02²), ViFi-CLIP trainers/vificlip.py; learned words, networks and pixels as
    /// their own authors do.
    package init(random configuration: PromptConfiguration, architecture: CLIPArchitecture, seed: UInt64) {
        self.init(zeros: configuration, architecture: architecture)
        func source(_ item: Int) -> RandomSource { RandomSource(seed: seed, purpose: .prompts, item: item) }
        let tokens = vision + text + (words.map { [$0.table] } ?? [])
        for (index, element) in tokens.enumerated() {
            var source = source(index)
            let isWords = words != nil && index == vision.count + text.count
            let deviation = isWords ? configuration.words?.deviation ?? 0.02 : 0.02
            element.fill(with: (0..<element.count).map { _ in deviation * source.normal() })
        }
        metaNet?.draw { source(tokens.count + $0) }
        pixels?.draw { source(tokens.count + $0) }
    }
}
