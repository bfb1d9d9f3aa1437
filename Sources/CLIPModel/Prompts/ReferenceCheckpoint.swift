import Files
import Tensors
import WeightFiles

/// Prompts in checkpoints of the reference implementation, ViFi-CLIP (`methods.md` 1.7): a dict whose `model` is
/// a state dict under the names of its modules, with `module.` before them when it was trained in parallel.
package enum ReferenceCheckpoint {
    /// The reference's loader drops class-dependent buffers only under names with this prefix, and loads nothing
    /// at all from names without it.
    private static let written = "module."
    /// `_orig_mod.` is what `torch.compile` puts around a model.
    private static let readPrefixes = ["model.", "", "state_dict."].flatMap { outer in
        ["", "_orig_mod."].flatMap { [outer + written + $0, outer + $0 + written, outer + $0] }
    }
    private static let headerKey = "vifi_prompt"
    /// Long texts of the header in pieces: a list of 400 class names is longer than what is read of one text.
    private static let pieceKey = "vifi_prompt_pieces"
    private static let pieceLength = 200
    /// What tensors do not show of the backbone that is in the file.
    private static let backboneKey = "vifi_backbone"
    private static let shallowName = "VPT_shallow"
    private static let towers = CheckpointLayout.vifiTowers
    /// Buffers that follow from the class names.
    private static let buffers = ["token_prefix", "token_suffix", "complete_text_embeddings"].map { "prompt_learner." + $0 }

    static func visionName(_ layer: Int) -> String {
        towers.vision + (layer == 0 ? "VPT" : "transformer.resblocks.\(layer).\(shallowName)")
    }

    static func textName(_ layer: Int) -> String {
        layer == 0 ? "prompt_learner.ctx" : towers.text + "transformer.resblocks.\(layer).\(shallowName)"
    }

    /// What the reference calls a tensor of OpenAI's CLIP; nil for the token table, which it does not keep.
    @Sendable static func backboneName(_ name: String) -> String? {
        if name == CheckpointNames.tokenEmbedding { return nil }
        if name == CheckpointNames.logitScale { return name }
        let visual = "visual."
        return name.hasPrefix(visual) ? towers.vision + name.dropFirst(visual.count) : towers.text + name
    }

    // MARK: Reading

    static func prompts(in source: any WeightSource) throws -> PromptFile {
        let first = [visionName(0), textName(0)]
        guard let prefix = readPrefixes.first(where: { prefix in first.contains { source.contains(prefix + $0) } }) else {
            let isBridged = readPrefixes.contains { source.contains($0 + towers.vision + "class_embedding") }
            throw ModelError.prompts(.noPrompts(isBridged: isBridged))
        }
        let own = source.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .filter { !DasslCheckpoint.isLeftOut($0) }
        let prompts = PromptSet<Matrix>(
            vision: try layers(own, name: visionName, prefix: prefix, source: source),
            text: try layers(own, name: textName, prefix: prefix, source: source), replacedWords: try replacedWords(own, prefix: prefix, source: source))
        let known = prompts.vision.indices.map(visionName) + prompts.text.indices.map(textName) + buffers
        let backboneNames = Set(own).subtracting(known)
        // A layer with a number like "-1" or "01" is nobody's.
        if let unknown = backboneNames.sorted().first(where: { !isBackbone($0) || $0.hasSuffix("." + shallowName) }) {
            throw ModelError.unexpectedTensor(name: prefix + unknown)
        }
        let carried = backboneNames.isEmpty ? nil : CarriedBackbone(source: source, prefix: prefix, names: backboneNames, named: backboneName)
        if let header = try header(in: source, prompts: prompts) {
            let told = PromptSet<Matrix>(
                vision: prompts.vision, text: prompts.text, replacedWords: header.configuration.replacedWords,
                mergedTokens: header.configuration.mergedTokens, isBehindNorm: header.configuration.isBehindNorm)
            return PromptFile(
                prompts: told, header: header, form: DasslCheckpoint.isPrefix(prefix) ? .dassl : .checkpoint, notes: source.warnings,
                carriedBackbone: carried)
        }
        if DasslCheckpoint.isPrefix(prefix) { return DasslCheckpoint.file(prompts, source: source, carried: carried) }
        let classCount = try source.contains(prefix + buffers[0]) ? source.description(of: prefix + buffers[0]).shape.first : nil
        return PromptFile(
            prompts: prompts, header: PromptHeader(reference: prompts.configuration, metadata: source.metadata),
            form: .checkpoint, notes: source.warnings + notes(classCount: classCount),
            carriedBackbone: carried)
    }

    /// With at most four text tokens the reference starts from the words of its setting CTX_INIT, and what these leave
    /// of the words stays behind the prompts (methods 1.2). The setting itself is not in a file, but where the text
    /// behind the prompts is kept for each class, it shows whether all classes begin with the same tokens.
    private static func replacedWords(_ names: [String], prefix: String, source: any WeightSource) throws -> String? {
        guard names.contains(textName(0)) else { return nil }
        let tokens = try source.description(of: prefix + textName(0)).shape.first ?? 0
        // Four tokens replace all of the words.
        guard tokens < wordLimit else { return nil }
        let suffix = prefix + buffers[1]
        guard source.contains(suffix) else { return templateWords }
        let shape = try source.description(of: suffix).shape
        guard shape.count == 3, shape[0] > 1, shape[1] >= wordLimit, shape.reduce(1, *) <= 1 << 28 else { return templateWords }
        let values = try source.floats(named: suffix, shape: shape)
        let (kept, length) = ((wordLimit - tokens) * shape[2], shape[1] * shape[2])
        let first = values[..<kept]
        guard first.contains(where: { $0 != 0 && $0.isFinite }) else { return templateWords }
        let isShared = (1..<shape[0]).allSatisfy { values[($0 * length)..<($0 * length + kept)].elementsEqual(first) }
        return isShared ? templateWords : nil
    }

    /// CTX_INIT of the reference's utils/config.py, and the most text tokens with which it has effect.
    package static let templateWords = "a photo of a"
    private static let wordLimit = 4

    private static func isBackbone(_ name: String) -> Bool {
        name == CheckpointNames.logitScale || name.hasPrefix(towers.vision) || name.hasPrefix(towers.text)
    }

    /// The prompts of one tower: the first layer's, and those that later layers put in their place.
    private static func layers(
        _ names: [String], name: (Int) -> String, prefix: String, source: any WeightSource
    ) throws -> [Matrix] {
        // The name of a deeper layer's prompts, cut where the layer's number stands.
        let pieces = name(7).split(separator: "7", maxSplits: 1)
        let numbers = names.compactMap { candidate -> Int? in
            guard candidate.hasPrefix(pieces[0]), candidate.hasSuffix(pieces[1]) else { return nil }
            let number = Int(candidate.dropFirst(pieces[0].count).dropLast(pieces[1].count))
            return number.flatMap { (1..<1000).contains($0) ? $0 : nil }
        }
        let present = Set(names)
        let depth = max(present.contains(name(0)) ? 1 : 0, (numbers.max() ?? -1) + 1)
        var tokens = 0
        return try (0..<depth).map { layer in
            guard present.contains(name(layer)) else { throw ModelError.prompts(.missingLayer(name: prefix + name(layer))) }
            if layer == 0 { tokens = try promptTokenCount(named: prefix + name(0), in: source) }
            return try promptMatrix(named: prefix + name(layer), in: source, tokens: tokens)
        }
    }

    /// The header that `export` put beside the tensors; nil in a checkpoint of another program.
    static func header(in source: any WeightSource) throws -> PromptHeader? {
        var members = members(of: headerKey, in: source)
        guard !members.isEmpty else { return nil }
        for key in members.keys {
            let pieces = self.members(of: "\(pieceKey).\(key)", in: source)
            if !pieces.isEmpty { members[key] = (0..<pieces.count).compactMap { pieces["\($0)"] }.joined() }
        }
        return try PromptHeader(metadata: members)
    }

    /// The same, which must say of tokens and layers what the tensors show.
    private static func header(in source: any WeightSource, prompts: PromptSet<Matrix>) throws -> PromptHeader? {
        guard let header = try header(in: source) else { return nil }
        let (said, found) = (header.configuration, prompts.configuration)
        for (key, said, found) in [
            (PromptHeader.Key.visionTokens, said.visionTokens, found.visionTokens),
            (PromptHeader.Key.visionDepth, said.visionDepth, found.visionDepth),
            (PromptHeader.Key.textTokens, said.textTokens, found.textTokens),
            (PromptHeader.Key.textDepth, said.textDepth, found.textDepth),
            (PromptHeader.Key.visionLayers, said.visionLayers.lowerBound, found.visionLayers.lowerBound),
            (PromptHeader.Key.textLayers, said.textLayers.lowerBound, found.textLayers.lowerBound),
            (PromptHeader.Key.metaNetWidth, said.metaNetWidth ?? 0, found.metaNetWidth ?? 0),
        ] where said != found {
            throw ModelError.prompts(.headerDiffers(key: key, header: said, found: found))
        }
        return header
    }

    private static func notes(classCount: Int?) -> [String] {
        let classes = classCount.map { "; it was trained on \($0) classes, whose names it does not hold" } ?? ""
        return [
            "a ViFi-CLIP checkpoint, which names no frames, normalization or template: the reference's are assumed "
                + "(\(PromptHeader.referenceFrameCount) frames, imagenet, \"\(PromptHeader.referenceTemplate)\")\(classes)"
        ]
    }

    // MARK: Writing

    /// Writes a checkpoint that the reference's loader takes, with the header as strings under `vifi_prompt`.
    ///
    /// - Parameter backbone: also written, except its token table; else the reference keeps the CLIP it started with.
    /// - Returns: the file's SHA-256.
    /// - Throws: `ModelError` for prompts that the reference would silently complete with random ones.
    @discardableResult
    package static func write(_ file: PromptFile, backbone: Backbone?, to path: String) throws -> String {
        let configuration = file.header.configuration
        guard configuration.words == nil, file.video == nil else { throw ModelError.prompts(.beyondPrompts) }
        guard !configuration.followsVideos else { throw ModelError.prompts(.followsVideos(.reference)) }
        guard configuration.pixels == nil else { throw ModelError.prompts(.pixelsBeyondReference) }
        guard configuration.textDepth > 0 else { throw ModelError.prompts(.noTextPrompts) }
        guard configuration.mergedTokens == 0 else { throw ModelError.prompts(.mergedTokens(configuration.mergedTokens)) }
        guard !configuration.isBehindNorm else { throw ModelError.prompts(.behindNorm) }
        for (tower, layers) in [("vision", configuration.visionLayers), ("text", configuration.textLayers)] where layers.lowerBound > 0 {
            throw ModelError.prompts(.lateLayers(tower: tower, layers: PromptLayers(layers).text))
        }
        try backbone?.architecture.requireForm(for: "ViFi-CLIP computes")
        var model = backbone?.stateDict { name in backboneName(name).map { written + $0 } } ?? []
        let layers = file.prompts.vision.enumerated().map { (visionName($0.offset), $0.element) }
            + file.prompts.text.enumerated().map { (textName($0.offset), $0.element) }
        for (name, matrix) in layers {
            model.append((written + name, tensorValue(matrix, shape: [matrix.rowCount, matrix.columnCount])))
        }
        return try PyTorchWriter.write(.dictionary([("model", .ordered(model))] + facts(of: file.header, on: backbone)), to: path)
    }

    /// What tensors do not show, for a place beside them: the header, and what is to be known of a backbone among them.
    static func facts(of header: PromptHeader, on backbone: Backbone?) -> [(key: String, value: PyTorchValue)] {
        let metadata = header.metadata
        let members = metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: PyTorchValue.text($0.value)) }
        return [(headerKey, .dictionary(members)), (pieceKey, .dictionary(pieces(of: metadata)))]
            + (backbone.map { [(backboneKey, .dictionary(facts(of: $0)))] } ?? [])
    }

    private static func pieces(of metadata: [String: String]) -> [(key: String, value: PyTorchValue)] {
        metadata.filter { $0.value.utf8.count > 1000 }.sorted { $0.key < $1.key }.map { key, value in
            let scalars = Array(value.unicodeScalars)
            let pieces = stride(from: 0, to: scalars.count, by: pieceLength).enumerated().map { number, start in
                var view = String.UnicodeScalarView()
                view.append(contentsOf: scalars[start..<min(start + pieceLength, scalars.count)])
                return (key: "\(number)", value: PyTorchValue.text(String(view)))
            }
            return (key: key, value: .dictionary(pieces))
        }
    }

    /// As in a backbone file of ours, with the heads told in any case.
    private static func facts(of backbone: Backbone) -> [(key: String, value: PyTorchValue)] {
        let heads = backbone.architecture.headCounts
        let facts = backbone.description.metadata.merging(backbone.architecture.metadata) { $1 }.merging([
            ArchitectureMetadata.visionHeads: "\(heads.vision)", ArchitectureMetadata.textHeads: "\(heads.text)",
        ]) { $1 }
        return facts.sorted { $0.key < $1.key }.map { (key: $0.key, value: PyTorchValue.text($0.value)) }
    }

    // MARK: The backbone inside

    /// What `write` put beside a backbone's tensors; nil in a checkpoint of the reference.
    static func keptBackbone(in source: any WeightSource) -> [String: String]? {
        let facts = members(of: backboneKey, in: source)
        return facts.isEmpty ? nil : facts
    }

    /// The activation that prompts in the file were learned with: that of the backbone beside them.
    static func keptActivation(in source: any WeightSource) throws(ModelError) -> Activation? {
        guard let name = members(of: headerKey, in: source)[PromptHeader.Key.activation] else { return nil }
        return try Activation(named: name)
    }

    private static func members(of key: String, in source: any WeightSource) -> [String: String] {
        let prefix = key + "."
        return Dictionary(
            source.metadata.filter { $0.key.hasPrefix(prefix) }.map { (String($0.key.dropFirst(prefix.count)), $0.value) },
            uniquingKeysWith: { first, _ in first })
    }
}

/// The backbone that a checkpoint holds besides its prompts, in the reference's names.
struct CarriedBackbone: Sendable {
    let source: any WeightSource
    let prefix: String
    /// Without the prefix.
    let names: Set<String>
    /// What the checkpoint calls a tensor of OpenAI's CLIP; nil for what it does not keep.
    let named: @Sendable (String) -> String?

    /// The first tensor in which it differs from `backbone`, by its name in the checkpoint; nil where all that
    /// both have are equal. One tensor at a time is read.
    func firstDifference(from backbone: Backbone) throws -> String? {
        var unknown = names
        for (specification, matrix) in zip(
            BackboneParameters<TensorSpecification>(of: backbone.architecture).all, backbone.parameters.all)
        {
            guard let name = named(specification.name) else { continue }
            guard unknown.remove(name) != nil else { return prefix + name }
            let shape = try source.description(of: prefix + name).shape
            guard shape == specification.shape || (specification.shape.isEmpty && shape == [1]) else { return prefix + name }
            let stored = MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount)
            try unsafe stored.withMutableValues {
                try unsafe source.readFloats(named: prefix + name, shape: shape, into: $0)
            }
            guard unsafe stored.withValues({ stored in unsafe matrix.withValues { unsafe stored.elementsEqual($0) } }) else {
                return prefix + name
            }
        }
        return unknown.min().map { prefix + $0 }
    }
}

extension PromptConfiguration {
    /// What the reference would put behind these prompts of words that they do not replace, in its default setting.
    ///
    /// Its tokenizer makes one token of each of the words.
    private var leftWords: String? {
        let words = ReferenceCheckpoint.templateWords.split(separator: " ")
        guard (1..<words.count).contains(textTokens), !textLayers.isEmpty else { return nil }
        return words.dropFirst(textTokens).joined(separator: " ")
    }

    /// For who reads prompts of the reference: what stands behind them.
    package var replacedWordsNote: String? {
        guard let replacedWords, let leftWords else { return nil }
        return "with \(counted(textTokens, "text token", "text tokens")) ViFi-CLIP keeps \"\(leftWords)\" of its CTX_INIT "
            + "\"\(replacedWords)\" between prompts and class name; so it is done here"
    }

    /// For who exports prompts: the setting of the reference that gives them the meaning that they have here, where its
    /// default would not.
    package var neededSetting: (name: String, warning: String)? {
        guard replacedWords == nil, let leftWords else { return nil }
        return (
            "CTX_INIT ''",
            "ViFi-CLIP must be run with TRAINER.ViFi_CLIP.CTX_INIT '': with its default \"\(ReferenceCheckpoint.templateWords)\" it "
                + "puts \"\(leftWords)\" behind prompts of at most 3 text tokens, which these were learned without.")
    }
}

extension PromptHeader {
    static let referenceFrameCount = 32
    static let referenceTemplate = "a photo of a {}."

    /// What the reference's checkpoints leave unsaid: its own settings for prompting (`methods.md` 1.1, 1.5, 1.6).
    init(reference configuration: PromptConfiguration, metadata: [String: String]) {
        backboneDigest = Self.unknown
        backboneName = "its own"
        architecture = Self.unknown
        self.configuration = configuration
        classNames = []
        frameCount = Self.referenceFrameCount
        template = Self.referenceTemplate
        fusion = .embedding
        normalization = .imageNet
        activation = .quickGELU
        shots = nil
        seed = 1024
        recipeDigest = Self.unknown
        metrics = [:]
        for (key, name) in [("epoch", "epoch"), ("max_accuracy", "val_top1")] {
            if let value = metadata[key].flatMap(Double.init), value.isFinite { metrics[name] = value }
        }
        toolVersion = Self.unknown
    }
}
