import Files
import Tensors
import WeightFiles

/// Learned prompts with what is needed to use them again. `docs/prompt-file.md` shows the forms they are kept in.
package struct PromptFile: Sendable {
    /// What a file of prompts was found to be, by its content.
    package enum Form: String, Sendable, CaseIterable {
        case safetensors = "vifi-prompt"
        /// A folder as PEFT lays it out.
        case adapter = "PEFT folder"
        /// A checkpoint with the names of ViFi-CLIP's modules.
        case checkpoint = "ViFi-CLIP checkpoint"
        /// A checkpoint of CoOp, MaPLe or another program that stands on Dassl.
        case dassl = "Dassl checkpoint"
        /// A checkpoint of Efficient-Prompt: A5 or A6.
        case efficientPrompt = "Efficient-Prompt checkpoint"
        case actionCLIP = "ActionCLIP checkpoint"
        /// A checkpoint of prompts in pixels, of Bahng et al.
        case visualPrompting = "visual prompting checkpoint"
    }

    package let prompts: PromptSet<Matrix>
    /// What stands between frames and their mean; nil where the header names none.
    package let video: TemporalFusion?
    package var header: PromptHeader
    package let form: Form
    /// What the file does not say and was taken for granted, for people.
    package let notes: [String]
    /// Where the file holds its backbone instead of naming it.
    let carriedBackbone: CarriedBackbone?

    /// Whether the file holds a backbone besides the prompts, all but the token table.
    package var carriesBackbone: Bool { carriedBackbone != nil }

    package init(prompts: PromptSet<Matrix>, video: TemporalFusion? = nil, header: PromptHeader) {
        self.init(prompts: prompts, video: video, header: header, form: .safetensors)
    }

    init(
        prompts: PromptSet<Matrix>, video: TemporalFusion? = nil, header: PromptHeader, form: Form, notes: [String] = [],
        carriedBackbone: CarriedBackbone? = nil
    ) {
        self.prompts = prompts
        self.video = video
        self.header = header
        self.header.video = video?.configuration
        self.form = form
        self.notes = notes
        self.carriedBackbone = carriedBackbone
    }

    /// Reads prompts of any form: a prompt file, the folder of a run, a PEFT folder, or a checkpoint of ViFi-CLIP or of programs that
    /// stand on Dassl. Every tensor's name and
    /// shape must be what header and layout say.
    ///
    /// - Throws: `ModelError` or `WeightFileError`, naming the file.
    package static func load(_ path: String) throws -> PromptFile {
        if let own = try RunPrompts.file(in: path) {
            let file = try load(own)
            return PromptFile(
                prompts: file.prompts, video: file.video, header: file.header, form: file.form, notes: file.notes + ["the run's prompts in \(own)"],
                carriedBackbone: file.carriedBackbone)
        }
        do {
            if isDirectory(path) { return try PromptAdapter.load(path) }
            let source = try openWeights(path)
            switch source.format {
            case .safetensors: return try PromptFile(source)
            case .pyTorch:
                return try EfficientPromptCheckpoint.prompts(in: source) ?? ActionCLIPCheckpoint.prompts(in: source)
                    ?? VisualPromptingCheckpoint.prompts(in: source) ?? DasslCheckpoint.prompts(in: source) ?? ReferenceCheckpoint.prompts(in: source)
            default: throw ModelError.notAPromptFile
            }
        } catch let error as ModelError {
            throw ModelError.inFile(path: path, error)
        }
    }

    /// Whether a folder stands for prompts, which `load` then reads or says why not: that of a run, of several runs, or of an
    /// adapter. Any other folder only holds files.
    package static func isNamed(byFolder path: String) -> Bool {
        guard !PromptAdapter.isAdapter(path), !isRegularFile(path.appendingPath("run.json")) else { return true }
        do {
            return try RunPrompts.file(in: path) != nil
        } catch {
            return true
        }
    }

    /// What the files of heads call themselves.
    package static let headFormat = "vifi-prompt head"

    private init(_ source: any WeightSource) throws {
        guard source.metadata["format"] != Self.headFormat else { throw ModelError.prompts(.head) }
        guard source.metadata[PromptHeader.Key.format] != nil || !PromptAdapter.isPart(source.path) else {
            throw ModelError.prompts(.partOfAdapter)
        }
        try self.init(tensorsOf: source, header: PromptHeader(metadata: source.metadata), form: .safetensors)
    }

    /// Exactly the tensors that `header` calls for.
    init(tensorsOf source: any WeightSource, header: PromptHeader, form: Form) throws {
        let video = try header.video.map { try TemporalFusion($0, in: source) }
        self.init(
            prompts: try PromptSet(in: source, as: header.configuration, besides: video == nil ? nil : TemporalFusion.prefix), video: video,
            header: header, form: form)
    }

    /// Prompts inside a file that holds more.
    ///
    /// - Parameters:
    ///   - prefix: of their tensors' names.
    ///   - metadata: of a prompt file.
    package init(in source: any WeightSource, prefix: String, metadata: [String: String]) throws {
        let header = try PromptHeader(metadata: metadata)
        self.init(prompts: try PromptSet(in: source, as: header.configuration, prefix: prefix), header: header)
    }

    /// Writes a prompt file durably. The same prompts and header give the same bytes. Returns its SHA-256.
    @discardableResult
    package func save(to path: String) throws(WeightFileError) -> String {
        try SafetensorsWriter.write(tensors, metadata: header.metadata, to: path)
    }

    /// Name, shape and values of everything that is learned.
    package var tensors: [NamedTensor] {
        prompts.tensors + (video?.named ?? []).map { (TemporalFusion.prefix + $0.specification.name, $0.specification.shape, $0.value.values) }
    }

    /// SHA-256 over all of these: `PromptSet.digest` where there are only prompts.
    package var tensorsDigest: String { digest(of: tensors) }

    /// Of all that decides what they answer: the tensors, and the sentences in which classes are read.
    package var useDigest: String { header.templates.isEmpty ? tensorsDigest : Digest.of(tensorsDigest + header.templates.joined(separator: "\n")) }
}

// MARK: - Frames

extension PromptFile {
    /// How the frames of a clip come together.
    ///
    /// - Parameters:
    ///   - fusion: in place of the one that the prompts were learned with.
    ///   - frameCount: of a clip.
    /// - Throws: `ModelError` where a transformer over frames was learned, which leaves no room for another fusion or more frames, or
    ///   a network that follows the mean of a video's frames.
    package func aggregator(asked fusion: Fusion?, frameCount: Int) throws(ModelError) -> any VideoAggregator {
        if header.configuration.followsVideos, let fusion, fusion != .embedding { throw .prompts(.followsVideos(.fusion(fusion))) }
        guard let video else { return fusion ?? header.fusion }
        if let fusion, fusion != .embedding { throw .prompts(.otherFusion(fusion)) }
        let most = video.configuration.frameCount
        guard frameCount <= most else { throw .prompts(.tooManyFrames(frameCount, most: most)) }
        return video
    }
}

// MARK: - The backbone

extension PromptFile {
    /// Whether these prompts belong to `backbone`.
    ///
    /// - Parameter anyBackbone: takes another backbone than the prompts were learned on, if only the shapes fit.
    /// - Returns: with `anyBackbone`, what a person must be warned of.
    /// - Throws: `ModelError` naming both digests, or the prompts whose shape does not fit; `WeightFileError`
    ///   where the backbone that a checkpoint holds cannot be read.
    @discardableResult
    package func check(against backbone: Backbone, anyBackbone: Bool = false) throws -> ForeignBackbone? {
        let foreign = try foreignness(of: backbone)
        if let foreign, !anyBackbone { throw foreign.error }
        guard header.activation == backbone.architecture.activation || anyBackbone else {
            throw ModelError.otherActivation(
                prompts: header.activation.rawValue, backbone: backbone.architecture.activation.rawValue)
        }
        try header.configuration.check(against: backbone.architecture)
        for (name, element) in prompts.named where !name.hasPrefix(MetaNetShape.prefix) && !name.hasPrefix(PixelPrompt<Matrix>.prefix) {
            let width = name.hasPrefix("vision") ? backbone.architecture.vision.width : backbone.architecture.text.width
            guard element.columnCount == width else {
                throw ModelError.promptShape(
                    name: name, shape: [element.rowCount, element.columnCount], expected: [element.rowCount, width])
            }
        }
        if let words = prompts.words {
            let expected = [words.places.count(contextLength: backbone.architecture.contextLength), backbone.architecture.text.width]
            guard words.table.rowCount == expected[0] else {
                throw ModelError.promptShape(name: PromptSet<Matrix>.wordsName, shape: [words.table.rowCount, words.table.columnCount], expected: expected)
            }
        }
        if let net = prompts.metaNet {
            let expected = backbone.architecture.metaNetShape(hiddenWidth: net.hiddenWidth).all
            for (name, (element, size)) in zip(MetaNetShape.names, zip(net.all, expected)) where (element.rowCount, element.columnCount) != size {
                throw ModelError.promptShape(name: name, shape: [element.rowCount, element.columnCount], expected: [size.rows, size.columns])
            }
        }
        if let first = video?.named.first, video?.width != backbone.architecture.embeddingWidth {
            throw ModelError.promptShape(
                name: TemporalFusion.prefix + first.specification.name, shape: first.specification.shape,
                expected: [first.specification.shape[0], backbone.architecture.embeddingWidth])
        }
        return foreign
    }

    /// Why `backbone` is not the one that the prompts were learned on; nil where it is.
    package func foreignness(of backbone: Backbone) throws -> ForeignBackbone? {
        if header.namesBackbone {
            let weights = header.backboneWeightsDigest ?? header.backboneDigest
            guard header.backboneDigest == backbone.digest || weights == backbone.weightsDigest else {
                return .digest(expected: header.backboneDigest, name: header.backboneName, actual: backbone.digest)
            }
            return headDifference(from: backbone, usual: nil)
        }
        guard let carriedBackbone else { return .unnamed(actual: backbone.digest) }
        if let tensor = try carriedBackbone.firstDifference(from: backbone) { return .weights(tensor: tensor, actual: backbone.digest) }
        // The reference's own code takes heads of 64, whatever the CLIP was trained with.
        let usual = CLIPArchitecture.Tower.usualHeadCount
        return headDifference(
            from: backbone,
            usual: HeadCounts(vision: usual(backbone.architecture.vision.width), text: usual(backbone.architecture.text.width)))
    }

    /// The same weights cut into other heads compute something else. Pixels are normalized as the header says, and
    /// `check` compares activations, so that nothing else is left to differ.
    ///
    /// - Parameter usual: the heads where the header names none; nil where they cannot be known.
    private func headDifference(from backbone: Backbone, usual: HeadCounts?) -> ForeignBackbone? {
        guard let heads = header.backboneHeads ?? usual, heads != backbone.architecture.headCounts else { return nil }
        return .heads(expected: heads, actual: backbone.architecture.headCounts)
    }

    /// The same prompts with a header that names `backbone`, where the file itself names none.
    package func naming(_ backbone: Backbone) -> PromptFile {
        guard !header.namesBackbone else { return self }
        var result = self
        result.header.backboneDigest = backbone.digest
        result.header.backboneWeightsDigest = backbone.weightsDigest
        result.header.backboneHeads = backbone.architecture.headCounts
        result.header.backboneName = backbone.description.name
        result.header.architecture = backbone.architecture.summary
        return result
    }
}

/// A backbone that prompts are used with although they were learned on another one.
package enum ForeignBackbone: Sendable, Equatable, CustomStringConvertible {
    case digest(expected: String, name: String, actual: String)
    /// The checkpoint holds another backbone; `tensor` is the first that differs.
    case weights(tensor: String, actual: String)
    /// The weights are the same, the towers' heads are not.
    case heads(expected: HeadCounts, actual: HeadCounts)
    /// The file neither names nor holds a backbone.
    case unnamed(actual: String)

    /// The refusal where nobody asked for it.
    var error: ModelError {
        switch self {
        case .digest(let expected, let name, let actual):
            .otherBackbone(expected: expected, expectedName: name, actual: actual)
        case .weights, .heads, .unnamed: .prompts(.foreignBackbone(self))
        }
    }

    /// Names both backbones.
    package var description: String {
        switch self {
        case .digest(let expected, let name, let actual):
            "the prompts were learned on backbone \(ModelError.excerpt(name)) "
                + "(\(ModelError.excerpt(String(expected.prefix(12))))…), but this one is \(actual.prefix(12))…"
        case .weights(let tensor, let actual):
            "the prompts were learned on the backbone in their own file, whose \"\(ModelError.excerpt(tensor))\" is not "
                + "that of this one (\(actual.prefix(12))…)"
        case .heads(let expected, let actual):
            "the prompts were learned on these weights with \(expected.vision) heads in the image tower and \(expected.text) in the "
                + "text tower, but here the backbone is read with \(actual.vision) and \(actual.text) (a bare file does not say how many; "
                + "`vifi-prompt bridge --import FILE --heads \(expected.vision),\(expected.text)` records them)"
        case .unnamed(let actual):
            "the prompts name no backbone; whether they were learned on this one (\(actual.prefix(12))…) is unknown"
        }
    }

    /// For those who asked for it.
    package var warning: String { description + ". They are used as requested, but accuracies may be far from those measured." }
}

// MARK: - Tensors

/// Name, shape and values of a tensor that is written.
package typealias NamedTensor = (name: String, shape: [Int], values: [Float])

/// SHA-256 over names, shapes and float32 bytes, as `Backbone.digest` is made.
private func digest(of tensors: [NamedTensor]) -> String {
    var digest = Digest()
    for (name, shape, values) in tensors.sorted(by: { $0.name < $1.name }) {
        digest.update(Array("\(name) \(shape)\n".utf8))
        unsafe values.withUnsafeBytes { unsafe digest.update($0) }
    }
    return digest.hexadecimal
}

extension PromptSet<Matrix> {
    /// Name, shape and values of every element.
    package var tensors: [NamedTensor] {
        named.map { ($0.name, [$0.element.rowCount, $0.element.columnCount], $0.element.values) }
    }

    package var digest: String { CLIPModel.digest(of: tensors) }

    /// Reads exactly the tensors `vision.N …` and `text.N …` that `configuration` calls for.
    ///
    /// - Parameters:
    ///   - prefix: of all their names; what has another name is not theirs.
    ///   - others: begins the names of what else the file holds; nil for nothing.
    init(in source: any WeightSource, as configuration: PromptConfiguration, prefix: String = "", besides others: String? = nil) throws {
        let visionNames = configuration.visionLayers.map { "\(prefix)vision.\($0)" }
        let textNames = configuration.textLayers.map { "\(prefix)text.\($0)" }
        let wordsName = configuration.words == nil ? nil : prefix + Self.wordsName
        let names = source.names.filter { name in name.hasPrefix(prefix) && others.map { !name.hasPrefix($0) } ?? true }
        let netNames = configuration.metaNetWidth == nil ? [] : MetaNetShape.names.map { prefix + $0 }
        let pixelNames = (configuration.pixels?.names ?? []).map { prefix + PixelPrompt<Matrix>.prefix + $0 }
        if let unknown = names.sorted().first(where: {
            !visionNames.contains($0) && !textNames.contains($0) && $0 != wordsName && !netNames.contains($0) && !pixelNames.contains($0)
        }) {
            throw ModelError.unexpectedTensor(name: unknown)
        }
        func matrices(_ wanted: [String], tokens: Int) throws -> [Matrix] {
            try wanted.map { name in
                guard source.contains(name) else { throw ModelError.missingPrompts(name: name) }
                return try promptMatrix(named: name, in: source, tokens: tokens)
            }
        }
        self.init(
            vision: try matrices(visionNames, tokens: configuration.visionTokens),
            text: try matrices(textNames, tokens: configuration.textTokens),
            visionStart: configuration.visionLayers.lowerBound, textStart: configuration.textLayers.lowerBound,
            replacedWords: configuration.replacedWords, mergedTokens: configuration.mergedTokens, isBehindNorm: configuration.isBehindNorm,
            words: try configuration.words.map { places in
                let name = prefix + Self.wordsName
                guard source.contains(name) else { throw ModelError.missingPrompts(name: name) }
                return Words(try promptMatrix(named: name, in: source, tokens: promptTokenCount(named: name, in: source)), places: places)
            },
            metaNet: try configuration.metaNetWidth.map { try MetaNet(hiddenWidth: $0, in: source) { prefix + $0 } },
            pixels: try configuration.pixels.map { try PixelPrompt($0, in: source) { prefix + PixelPrompt<Matrix>.prefix + $0 } })
    }
}

/// The prompts of one layer, finite numbers.
///
/// - Parameter tokens: how many there must be.
func promptMatrix(named name: String, in source: any WeightSource, tokens: Int) throws -> Matrix {
    let shape = try source.description(of: name).shape
    guard shape.count == 2, shape[0] == tokens, shape[1] > 0 else {
        throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[\(tokens), width]")
    }
    return try finiteMatrix(named: name, in: source, shape: shape).reading
}

/// How many prompts a first layer has, as its tensor shows.
func promptTokenCount(named name: String, in source: any WeightSource) throws -> Int {
    let shape = try source.description(of: name).shape
    guard let tokens = shape.first, (1...4096).contains(tokens) else {
        throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[1 to 4096 tokens, width]")
    }
    return tokens
}

/// A tensor as rows of its last dimension, a vector as one row; NaN and infinite numbers are refused.
///
/// - Parameter shape: the tensor's own, which was checked.
func finiteMatrix(named name: String, in source: any WeightSource, shape: [Int]) throws -> MutableMatrix {
    let matrix = MutableMatrix(rows: shape.dropLast().reduce(1, *), columns: shape.last ?? 1, try source.floats(named: name, shape: shape))
    let nonFinite = nonFiniteCount(in: matrix)
    guard nonFinite == 0 else { throw ModelError.nonFinite(name: name, count: nonFinite) }
    return matrix
}
