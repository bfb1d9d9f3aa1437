import Foundation
import Tensors

/// What a prompt file says of itself: the backbone it belongs to, how its prompts enter, and how
/// they were learned. `docs/prompt-file.md` explains every key.
package struct PromptHeader: Sendable, Equatable {
    /// `Backbone.digest` of the backbone that the prompts were learned on.
    package var backboneDigest: String
    /// `Backbone.weightsDigest` of it, and its heads; nil in files of before these were written.
    package var backboneWeightsDigest: String?
    package var backboneHeads: HeadCounts?
    package var backboneName: String
    /// Sizes in words, for people.
    package var architecture: String
    package var configuration: PromptConfiguration
    /// The classes at training time. Other names may be used: vectors are not tied to them.
    package var classNames: [String]
    package var frameCount: Int
    /// Words around a class name, with `{}` in its place: for layers of the text tower without prompts.
    package var template: String
    /// Sentences in which each class is read, where these are several: their probabilities are averaged. None for the template alone.
    package var templates: [String] = []
    package var fusion: Fusion
    /// What stands between frames and their mean, in place of a fusion without parameters; nil for none.
    package var video: TemporalFusion.Configuration?
    /// How pixels were normalized while learning; usually as for the backbone.
    package var normalization: PixelNormalization
    /// Of the backbone's MLPs.
    package var activation: Activation
    /// Clips per class that were learned from; nil for the whole list.
    package var shots: Int?
    package var seed: UInt64
    /// SHA-256 of the resolved recipe.
    package var recipeDigest: String
    /// Accuracies and losses by name.
    package var metrics: [String: Double]
    package var toolVersion: String
    /// `PromptSet.digest` of the prompts that learning started from, where these came from a file.
    package var initialDigest: String?
    /// Frames of each clip that the backward pass went through; nil for all.
    package var backwardFrameCount: Int?
    /// What the prompts were learned by, where it is not ViFi-CLIP's way, and what held them near CLIP: both as a person
    /// types them. The prompts are used alike.
    package var method: String?
    package var regularizer: String?
    /// Of the descriptions that stood in the place of class names while learning; nil for names.
    package var descriptionsDigest: String?
    /// How videos were compared with these.
    package var descriptionMatch: String?

    /// Stands for what a file from elsewhere does not say.
    static let unknown = "unknown"
    /// Whether texts have words of their own, which leave no room for a template.
    package var bringsWords: Bool { configuration.learnsText || !templates.isEmpty }
    /// Whether the file says which backbone it belongs to.
    package var namesBackbone: Bool { backboneDigest != Self.unknown }

    package init(
        backbone: Backbone, configuration: PromptConfiguration, classNames: [String], frameCount: Int, fusion: Fusion,
        normalization: PixelNormalization? = nil,
        template: String = "a photo of a {}.",
        shots: Int?, seed: UInt64, recipeDigest: String, metrics: [String: Double] = [:]
    ) {
        backboneDigest = backbone.digest
        backboneWeightsDigest = backbone.weightsDigest
        backboneHeads = backbone.architecture.headCounts
        backboneName = backbone.description.name
        architecture = backbone.architecture.summary
        self.configuration = configuration
        self.classNames = classNames
        self.frameCount = frameCount
        self.template = template
        self.fusion = fusion
        self.normalization = normalization ?? backbone.description.normalization
        activation = backbone.architecture.activation
        self.shots = shots
        self.seed = seed
        self.recipeDigest = recipeDigest
        self.metrics = metrics
        toolVersion = vifiPromptVersion
    }
}

/// The version of the library and the program.
package let vifiPromptVersion = "0.1.0"

// MARK: - As string metadata

extension PromptHeader {
    enum Key {
        static let format = "vifi_prompt_format"
        static let backboneDigest = "backbone_sha256"
        static let backboneWeightsDigest = "backbone_weights_sha256"
        static let visionHeads = ArchitectureMetadata.visionHeads
        static let textHeads = ArchitectureMetadata.textHeads
        static let backboneName = "backbone_name"
        static let architecture = "architecture"
        static let visionTokens = "vision_tokens"
        static let visionDepth = "vision_depth"
        static let textTokens = "text_tokens"
        static let textDepth = "text_depth"
        /// In place of depths, from format 2 on.
        static let visionLayers = "vision_layers"
        static let textLayers = "text_layers"
        static let replacedWords = "replaced_words"
        static let classNames = "class_names"
        static let frameCount = "frames"
        static let fusion = "fusion"
        static let normalization = "normalization"
        /// As files of before the American spelling have it.
        static let formerNormalization = "normalisation"
        static let activation = "activation"
        static let template = "template"
        static let shots = "shots"
        static let seed = "seed"
        static let recipeDigest = "recipe_sha256"
        static let metrics = "metrics"
        static let toolVersion = "tool_version"
        static let initialDigest = "initial_prompts_sha256"
        static let backwardFrameCount = "backward_frames"
        static let mergedTokens = "merge_tokens"
        static let behindNorm = "behind_norm"
        static let method = "method"
        static let regularizer = "regularize"
        static let descriptionsDigest = "descriptions_sha256"
        static let descriptionMatch = "match"
        static let wordsBefore = "words_before"
        static let wordsAfter = "words_after"
        static let wordCount = "words"
        static let namePlace = "name_place"
        static let wordClasses = "words_classes"
        static let videoFrames = "video_frames"
        static let videoLayers = "video_layers"
        static let videoHeads = "video_heads"
        static let videoKeepsFrames = "video_keeps_frames"
        static let videoNormEpsilon = "video_norm_epsilon"
        static let videoScale = "video_scale"
        static let templates = "templates"
        static let metaNetWidth = "meta_net_width"
        static let pixelForm = "pixel_form"
        static let pixelWidth = "pixel_width"
        static let pixelSide = "pixel_side"

        static let all: Set = [
            format, backboneDigest, backboneName, architecture, visionTokens, visionDepth, textTokens, textDepth, classNames,
            frameCount, fusion, normalization, activation, template, shots, seed, recipeDigest, metrics, toolVersion, initialDigest,
            visionLayers, textLayers, backboneWeightsDigest, visionHeads, textHeads, replacedWords, backwardFrameCount,
            mergedTokens, method, regularizer, descriptionsDigest, descriptionMatch, wordsBefore, wordsAfter, videoFrames, videoLayers, videoHeads, videoKeepsFrames,
            videoNormEpsilon, videoScale, templates, wordCount, namePlace,
            wordClasses, metaNetWidth, behindNorm, pixelForm, pixelWidth, pixelSide,
        ]
    }

    /// Prompts from the first layers on are written as ever, so that older programs read them. Those that begin
    /// later have a format of their own, which these refuse.
    private static let depthFormat = "1"
    private static let layerFormat = "2"
    /// As format 2, with words behind the text prompts, which an older program would leave out.
    private static let wordsFormat = "2.1"
    /// As format 2, with tokens that merge in the vision tower, which an older program would leave apart.
    private static let mergingFormat = "2.2"
    /// As format 2, with learned words, with a network that moves prompts for each video, with what stands behind the image tower,
    /// with prompts behind its input norm, or with prompts in pixels: none of these means anything to an older program.
    private static let methodFormat = "3"
    private static let allFormats = [depthFormat, layerFormat, wordsFormat, mergingFormat, methodFormat]

    package var metadata: [String: String] {
        var result = [
            Key.format: Self.layerFormat, Key.backboneDigest: backboneDigest, Key.backboneName: backboneName,
            Key.architecture: architecture, Key.visionTokens: "\(configuration.visionTokens)",
            Key.textTokens: "\(configuration.textTokens)", Key.classNames: Self.json(classNames),
            Key.frameCount: "\(frameCount)", Key.fusion: fusion.rawValue, Key.normalization: normalization.name,
            Key.activation: activation.rawValue, Key.template: template,
            Key.seed: "\(seed)", Key.recipeDigest: recipeDigest,
            Key.metrics: Self.json(metrics.filter { $0.value.isFinite }), Key.toolVersion: toolVersion,
        ]
        if let words = configuration.replacedWords {
            result[Key.format] = Self.wordsFormat
            result[Key.replacedWords] = words
        }
        if configuration.mergedTokens > 0 {
            result[Key.format] = Self.mergingFormat
            result[Key.mergedTokens] = "\(configuration.mergedTokens)"
        }
        let methodMetadata = methodMetadata
        result.merge(methodMetadata) { $1 }
        if configuration.startsAtFirstLayers, configuration.replacedWords == nil, configuration.mergedTokens == 0, methodMetadata.isEmpty {
            result[Key.format] = Self.depthFormat
            result[Key.visionDepth] = "\(configuration.visionDepth)"
            result[Key.textDepth] = "\(configuration.textDepth)"
        } else {
            result[Key.visionLayers] = PromptLayers(configuration.visionLayers).text
            result[Key.textLayers] = PromptLayers(configuration.textLayers).text
        }
        result[Key.backboneWeightsDigest] = backboneWeightsDigest
        if let heads = backboneHeads {
            result[Key.visionHeads] = "\(heads.vision)"
            result[Key.textHeads] = "\(heads.text)"
        }
        if let shots { result[Key.shots] = "\(shots)" }
        result[Key.initialDigest] = initialDigest
        if let backwardFrameCount { result[Key.backwardFrameCount] = "\(backwardFrameCount)" }
        result[Key.method] = method
        result[Key.regularizer] = regularizer
        result[Key.descriptionsDigest] = descriptionsDigest
        result[Key.descriptionMatch] = descriptionMatch
        return result
    }

    /// What only files of `methodFormat` say.
    private var methodMetadata: [String: String] {
        var result: [String: String] = [:]
        switch configuration.words {
        case .around(let before, let after):
            result[Key.wordsBefore] = "\(before)"
            result[Key.wordsAfter] = "\(after)"
        case .context(let count, let place, let classCount):
            result[Key.wordCount] = "\(count)"
            result[Key.namePlace] = place.rawValue
            result[Key.wordClasses] = classCount.map { "\($0)" }
        case nil: break
        }
        if let video {
            result[Key.videoFrames] = "\(video.frameCount)"
            result[Key.videoLayers] = "\(video.layerCount)"
            result[Key.videoHeads] = "\(video.headCount)"
            result[Key.videoKeepsFrames] = "\(video.keepsFrames)"
            result[Key.videoNormEpsilon] = "\(video.normEpsilon)"
            result[Key.videoScale] = video.scale.map { "\($0)" }
        }
        if configuration.isBehindNorm { result[Key.behindNorm] = "true" }
        if !templates.isEmpty { result[Key.templates] = Self.json(templates) }
        if let width = configuration.metaNetWidth { result[Key.metaNetWidth] = "\(width)" }
        if let pixels = configuration.pixels {
            result[Key.pixelForm] = pixels.form.rawValue
            result[Key.pixelWidth] = "\(pixels.width)"
            result[Key.pixelSide] = "\(pixels.side)"
        }
        if !result.isEmpty { result[Key.format] = Self.methodFormat }
        return result
    }

    init(metadata: [String: String]) throws(ModelError) {
        func text(_ key: String) throws(ModelError) -> String {
            guard let value = metadata[key] else { throw .badMetadata(key: key, value: nil, expected: "a value") }
            return value
        }
        func number(_ key: String, in range: ClosedRange<Int>) throws(ModelError) -> Int {
            let value = try text(key)
            guard let number = Int(value), range.contains(number) else {
                throw .badMetadata(key: key, value: value, expected: "a whole number in \(range)")
            }
            return number
        }
        func decoded<Value: Decodable>(_ key: String, as type: Value.Type, expected: String) throws(ModelError) -> Value {
            let value = try text(key)
            guard let decoded = try? JSONDecoder().decode(type, from: Data(value.utf8)) else {
                throw .badMetadata(key: key, value: value, expected: expected)
            }
            return decoded
        }
        guard let format = metadata[Key.format] else { throw .notAPromptFile }
        guard Self.allFormats.contains(format) else { throw .newerFormat(format) }
        func layers(_ layersKey: String, depth depthKey: String) throws(ModelError) -> Range<Int> {
            if format == Self.depthFormat { return 0..<(try number(depthKey, in: 0...1000)) }
            let value = try text(layersKey)
            guard let layers = PromptLayers(value) else { throw .badMetadata(key: layersKey, value: value, expected: PromptLayers.form) }
            return layers.range
        }
        func fraction(_ key: String, in range: ClosedRange<Float>) throws(ModelError) -> Float {
            let value = try text(key)
            guard let number = Float(value), range.contains(number) else {
                throw .badMetadata(key: key, value: value, expected: "a number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        var words: LearnedWords?
        if format == Self.methodFormat, metadata[Key.wordsBefore] != nil || metadata[Key.wordsAfter] != nil {
            words = .around(before: try number(Key.wordsBefore, in: 0...4096), after: try number(Key.wordsAfter, in: 0...4096))
        } else if format == Self.methodFormat, metadata[Key.wordCount] != nil {
            let placeName = try text(Key.namePlace)
            guard let place = LearnedWords.NamePlace(rawValue: placeName) else {
                throw .badMetadata(key: Key.namePlace, value: placeName, expected: "end, middle or front")
            }
            words = .context(
                count: try number(Key.wordCount, in: 1...4096), place: place,
                classCount: metadata[Key.wordClasses] == nil ? nil : try number(Key.wordClasses, in: 1...1_000_000))
        }
        if format == Self.methodFormat, metadata[Key.videoFrames] != nil {
            let keeps = try text(Key.videoKeepsFrames)
            guard let keepsFrames = Bool(keeps) else { throw .badMetadata(key: Key.videoKeepsFrames, value: keeps, expected: "true or false") }
            video = TemporalFusion.Configuration(
                frameCount: try number(Key.videoFrames, in: 1...4096), layerCount: try number(Key.videoLayers, in: 1...1000),
                headCount: try number(Key.videoHeads, in: 1...1024), keepsFrames: keepsFrames,
                normEpsilon: try fraction(Key.videoNormEpsilon, in: 0...0.1),
                scale: metadata[Key.videoScale] == nil ? nil : try fraction(Key.videoScale, in: 0...10_000))
        }
        templates = format == Self.methodFormat && metadata[Key.templates] != nil
            ? try decoded(Key.templates, as: [String].self, expected: "a JSON list of sentences") : []
        if let bad = templates.first(where: { $0.components(separatedBy: "{}").count != 2 || $0.unicodeScalars.count > 1000 }) ?? (templates.count > 1000 ? "" : nil) {
            throw .badMetadata(key: Key.templates, value: bad, expected: "at most 1000 sentences with {} in each")
        }
        let behindNorm = metadata[Key.behindNorm]
        guard behindNorm == nil || (format == Self.methodFormat && behindNorm.flatMap(Bool.init) != nil) else {
            throw .badMetadata(key: Key.behindNorm, value: behindNorm, expected: "true or false, in format \(Self.methodFormat)")
        }
        backboneDigest = try text(Key.backboneDigest)
        backboneWeightsDigest = metadata[Key.backboneWeightsDigest]
        if metadata[Key.visionHeads] != nil || metadata[Key.textHeads] != nil {
            backboneHeads = HeadCounts(
                vision: try number(Key.visionHeads, in: 1...1024), text: try number(Key.textHeads, in: 1...1024))
        }
        backboneName = try text(Key.backboneName)
        architecture = try text(Key.architecture)
        let visionTokens = try number(Key.visionTokens, in: 0...4096)
        let visionLayers = try layers(Key.visionLayers, depth: Key.visionDepth)
        let textTokens = try number(Key.textTokens, in: 0...4096)
        let textLayers = try layers(Key.textLayers, depth: Key.textDepth)
        guard words == nil || textTokens == 0 || textLayers.isEmpty else {
            throw .badMetadata(key: Key.textTokens, value: "\(textTokens)", expected: "0, as words are learned in their place")
        }
        let metaNetWidth = format == Self.methodFormat && metadata[Key.metaNetWidth] != nil ? try number(Key.metaNetWidth, in: 1...1 << 14) : nil
        if let metaNetWidth, textTokens == 0 || textLayers != 0..<1 || (visionTokens > 0 && !visionLayers.isEmpty) || words != nil {
            throw .badMetadata(key: Key.metaNetWidth, value: "\(metaNetWidth)", expected: "to stand beside text tokens of layer 0 and nothing else")
        }
        var pixels: PixelArea?
        if format == Self.methodFormat, let formName = metadata[Key.pixelForm] {
            guard let form = PixelArea.Form(rawValue: formName) else {
                throw .badMetadata(
                    key: Key.pixelForm, value: formName, expected: PixelArea.Form.allCases.map(\.rawValue).joined(separator: ", "))
            }
            let side = try number(Key.pixelSide, in: 3...4096)
            pixels = PixelArea(form, width: try number(Key.pixelWidth, in: PixelArea.widths(of: form, side: side)), side: side)
            guard (visionTokens == 0 || visionLayers.isEmpty) && (textTokens == 0 || textLayers.isEmpty) && words == nil else {
                throw .badMetadata(key: Key.pixelForm, value: formName, expected: "to stand beside no tokens and no words")
            }
        }
        configuration = PromptConfiguration(
            visionTokens: visionTokens, visionLayers: visionLayers, textTokens: textTokens, textLayers: textLayers,
            replacedWords: format == Self.wordsFormat || ([Self.mergingFormat, Self.methodFormat].contains(format) && metadata[Key.replacedWords] != nil)
                ? try text(Key.replacedWords) : nil,
            mergedTokens: metadata[Key.mergedTokens] == nil && format != Self.mergingFormat ? 0 : try number(Key.mergedTokens, in: 0...4096),
            isBehindNorm: behindNorm == "true", words: words, metaNetWidth: metaNetWidth, pixels: pixels)
        classNames = try decoded(Key.classNames, as: [String].self, expected: "a JSON list of names")
        frameCount = try number(Key.frameCount, in: 1...4096)
        template = try text(Key.template)
        if let video, frameCount > video.frameCount {
            throw .badMetadata(key: Key.frameCount, value: "\(frameCount)", expected: "at most \(video.frameCount), as \(Key.videoFrames) says")
        }
        let fusionName = try text(Key.fusion)
        guard let fusion = Fusion(rawValue: fusionName) else {
            throw .badMetadata(key: Key.fusion, value: fusionName, expected: "embedding, decision or image")
        }
        self.fusion = fusion
        let normalizationKey = metadata[Key.normalization] == nil && metadata[Key.formerNormalization] != nil
            ? Key.formerNormalization : Key.normalization
        normalization = try PixelNormalization(named: try text(normalizationKey))
        activation = try Activation(named: try text(Key.activation))
        shots = metadata[Key.shots] == nil ? nil : try number(Key.shots, in: 1...1_000_000)
        let seedText = try text(Key.seed)
        guard let seed = UInt64(seedText) else {
            throw .badMetadata(key: Key.seed, value: seedText, expected: "a whole number")
        }
        self.seed = seed
        recipeDigest = try text(Key.recipeDigest)
        metrics = try decoded(Key.metrics, as: [String: Double].self, expected: "a JSON object of numbers")
        toolVersion = try text(Key.toolVersion)
        initialDigest = metadata[Key.initialDigest]
        backwardFrameCount = metadata[Key.backwardFrameCount] == nil ? nil : try number(Key.backwardFrameCount, in: 1...4096)
        method = metadata[Key.method]
        regularizer = metadata[Key.regularizer]
        descriptionsDigest = metadata[Key.descriptionsDigest]
        descriptionMatch = metadata[Key.descriptionMatch]
    }

    private static func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Lists of strings and finite numbers always encode; NaN would not, and the file could not be read again.
        guard let data = try? encoder.encode(value) else { return "" }
        return String(decoding: data, as: UTF8.self)
    }
}
