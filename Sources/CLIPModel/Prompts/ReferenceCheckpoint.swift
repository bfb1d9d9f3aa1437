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
    static func backboneName(_ name: String) -> String? {
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
        let prompts = PromptSet<Matrix>(
            vision: try layers(own, name: visionName, prefix: prefix, source: source),
            text: try layers(own, name: textName, prefix: prefix, source: source))
        let known = prompts.vision.indices.map(visionName) + prompts.text.indices.map(textName) + buffers
        let backboneNames = Set(own).subtracting(known)
        // A layer with a number like "-1" or "01" is nobody's.
        if let unknown = backboneNames.sorted().first(where: { !isBackbone($0) || $0.hasSuffix("." + shallowName) }) {
            throw ModelError.unexpectedTensor(name: prefix + unknown)
        }
        let carried = backboneNames.isEmpty ? nil : CarriedBackbone(source: source, prefix: prefix, names: backboneNames)
        if let header = try header(in: source, prompts: prompts) {
            return PromptFile(
                prompts: prompts, header: header, form: .checkpoint, notes: source.warnings, carriedBackbone: carried)
        }
        let classCount = try source.contains(prefix + buffers[0]) ? source.description(of: prefix + buffers[0]).shape.first : nil
        return PromptFile(
            prompts: prompts, header: PromptHeader(reference: prompts.configuration, metadata: source.metadata),
            form: .checkpoint, notes: source.warnings + notes(classCount: classCount),
            carriedBackbone: carried)
    }

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
            if layer == 0 {
                tokens = try source.description(of: prefix + name(0)).shape.first ?? 0
                guard (1...4096).contains(tokens) else {
                    throw ModelError.unexpectedShape(
                        name: prefix + name(0), shape: try source.description(of: prefix + name(0)).shape,
                        expected: "[1 to 4096 tokens, width]")
                }
            }
            return try promptMatrix(named: prefix + name(layer), in: source, tokens: tokens)
        }
    }

    /// The header that `export` put beside the tensors.
    private static func header(in source: any WeightSource, prompts: PromptSet<Matrix>) throws -> PromptHeader? {
        let prefix = headerKey + "."
        let members = source.metadata.filter { $0.key.hasPrefix(prefix) }
        guard !members.isEmpty else { return nil }
        let header = try PromptHeader(
            metadata: Dictionary(uniqueKeysWithValues: members.map { (String($0.key.dropFirst(prefix.count)), $0.value) }))
        let (said, found) = (header.configuration, prompts.configuration)
        for (key, said, found) in [
            (PromptHeader.Key.visionTokens, said.visionTokens, found.visionTokens),
            (PromptHeader.Key.visionDepth, said.visionDepth, found.visionDepth),
            (PromptHeader.Key.textTokens, said.textTokens, found.textTokens),
            (PromptHeader.Key.textDepth, said.textDepth, found.textDepth),
            (PromptHeader.Key.visionLayers, said.visionLayers.lowerBound, found.visionLayers.lowerBound),
            (PromptHeader.Key.textLayers, said.textLayers.lowerBound, found.textLayers.lowerBound),
        ] where said != found {
            throw ModelError.prompts(.headerDiffers(key: key, header: said, found: found))
        }
        return header
    }

    private static func notes(classCount: Int?) -> [String] {
        let classes = classCount.map { "; it was trained on \($0) classes, whose names it does not hold" } ?? ""
        return [
            "a ViFi-CLIP checkpoint, which names no frames, normalisation or template: the reference's are taken "
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
        guard configuration.textDepth > 0 else { throw ModelError.prompts(.noTextPrompts) }
        for (tower, layers) in [("vision", configuration.visionLayers), ("text", configuration.textLayers)] where layers.lowerBound > 0 {
            throw ModelError.prompts(.lateLayers(tower: tower, layers: PromptLayers(layers).text))
        }
        func value(_ matrix: Matrix, shape: [Int]) -> PyTorchValue { .tensor(shape: shape, values: { matrix.values }) }
        var model: [(key: String, value: PyTorchValue)] = []
        if let backbone {
            let specifications = BackboneParameters<TensorSpecification>(of: backbone.architecture).all
            for (specification, matrix) in zip(specifications, backbone.parameters.all) {
                guard let name = backboneName(specification.name) else { continue }
                model.append((written + name, value(matrix, shape: specification.shape)))
            }
        }
        let layers = file.prompts.vision.enumerated().map { (visionName($0.offset), $0.element) }
            + file.prompts.text.enumerated().map { (textName($0.offset), $0.element) }
        for (name, matrix) in layers {
            model.append((written + name, value(matrix, shape: [matrix.rowCount, matrix.columnCount])))
        }
        let header = file.header.metadata.sorted { $0.key < $1.key }.map { (key: $0.key, value: PyTorchValue.text($0.value)) }
        return try PyTorchWriter.write(
            .dictionary([("model", .ordered(model)), (headerKey, .dictionary(header))]), to: path)
    }
}

/// The backbone that a checkpoint holds besides its prompts, in the reference's names.
struct CarriedBackbone: Sendable {
    let source: any WeightSource
    let prefix: String
    /// Without the prefix.
    let names: Set<String>

    /// The first tensor in which it differs from `backbone`, by its name in the checkpoint; nil where all that
    /// both have are equal. One tensor at a time is read.
    func firstDifference(from backbone: Backbone) throws -> String? {
        var unknown = names
        for (specification, matrix) in zip(
            BackboneParameters<TensorSpecification>(of: backbone.architecture).all, backbone.parameters.all)
        {
            guard let name = ReferenceCheckpoint.backboneName(specification.name) else { continue }
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
        normalisation = .imageNet
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
