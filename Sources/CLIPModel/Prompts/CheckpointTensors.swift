import Tensors
import WeightFiles

// Tensors as checkpoints of several programs keep them.

/// What stands before names in checkpoints that keep a model's state, with and without DataParallel.
let statePrefixes = ["state_dict.", "state_dict.module.", "", "module."]

extension PromptHeader {
    /// Programs that learn from pictures say nothing of frames: each picture is a clip for itself.
    static let pictureFrameCount = 16
}

/// A tensor that is written; its values are asked for then.
func tensorValue(_ matrix: some Readable, shape: [Int]) -> PyTorchValue { .tensor(shape: shape, values: { matrix.values }) }

extension Backbone {
    /// Every tensor of a checkpoint.
    ///
    /// - Parameter named: what the checkpoint calls a tensor of OpenAI's CLIP; nil for what it does not keep.
    func stateDict(named: (String) -> String?) -> [(key: String, value: PyTorchValue)] {
        zip(BackboneParameters<TensorSpecification>(of: architecture).all, parameters.all).compactMap { specification, matrix in
            named(specification.name).map { ($0, tensorValue(matrix, shape: specification.shape)) }
        }
    }
}

extension PromptHeader {
    /// What a checkpoint of another program leaves unsaid, whose pixels are normalized as CLIP's own.
    init(
        foreign configuration: PromptConfiguration, metadata: [String: String] = [:], frameCount: Int,
        template: String = PromptHeader.referenceTemplate, seed: UInt64 = 1, method: String? = nil
    ) {
        self.init(reference: configuration, metadata: metadata)
        (self.frameCount, self.template, self.seed, self.method) = (frameCount, template, seed, method)
        normalization = .clip
    }
}

// MARK: - Transformers over frames

extension TemporalFusion {
    /// Every tensor under another program's names, as `init(positions:blocks:…)` reads them.
    func stateDict(positions: String, blocks: String) -> [(key: String, value: PyTorchValue)] {
        named.map { (Self.foreignName($0.specification.name, positions: positions, blocks: blocks), tensorValue($0.value, shape: $0.specification.shape)) }
    }

    private static func foreignName(_ name: String, positions: String, blocks: String) -> String {
        name == FrameTransformer.positionsName ? positions : blocks + name
    }
}

extension TemporalFusion {
    /// Exactly the tensors that `configuration` calls for, and no others with our names' prefix.
    init(_ configuration: Configuration, in source: any WeightSource) throws {
        try self.init(configuration, in: source) { Self.prefix + $0 }
        let known = Set(named.map { Self.prefix + $0.specification.name })
        if let unknown = source.names.filter({ $0.hasPrefix(Self.prefix) && !known.contains($0) }).min() {
            throw ModelError.unexpectedTensor(name: unknown)
        }
    }

    /// What other programs keep under names of their own; sizes are those of the tensors.
    ///
    /// - Parameters:
    ///   - positions: name of the tensor.
    ///   - blocks: before `resblocks.N`.
    ///   - headCount: nil for heads of 64.
    init(
        positions: String, blocks: String, headCount: Int?, keepsFrames: Bool, normEpsilon: Float = usualNormEpsilon, scale: Float,
        in source: any WeightSource
    ) throws {
        let shape = try source.description(of: positions).shape
        guard shape.count == 2, (1...4096).contains(shape[0]), (1...1 << 14).contains(shape[1]) else {
            throw ModelError.unexpectedShape(name: positions, shape: shape, expected: "[frames, width]")
        }
        let heads = headCount ?? CLIPArchitecture.Tower.usualHeadCount(width: shape[1])
        guard heads > 0, shape[1] % heads == 0 else { throw ModelError.headCount(name: positions, width: shape[1], headCount: heads) }
        let prefix = blocks + "resblocks."
        let layers = Set(source.names.filter { $0.hasPrefix(prefix) }.compactMap { $0.dropFirst(prefix.count).split(separator: ".").first })
        guard (1...1000).contains(layers.count) else { throw ModelError.missingPrompts(name: prefix + "0.ln_1.weight") }
        let configuration = Configuration(
            frameCount: shape[0], layerCount: layers.count, headCount: heads, keepsFrames: keepsFrames, normEpsilon: normEpsilon, scale: scale)
        try self.init(configuration, in: source) { Self.foreignName($0, positions: positions, blocks: blocks) }
    }

    /// - Parameter fileName: what the file calls a tensor.
    init(_ configuration: Configuration, in source: any WeightSource, named fileName: (String) -> String) throws {
        let positions = fileName(FrameTransformer.positionsName)
        guard source.contains(positions) else { throw ModelError.missingPrompts(name: positions) }
        let shape = try source.description(of: positions).shape
        guard shape.count == 2, (1...1 << 14).contains(shape[1]), shape[1] % configuration.headCount == 0 else {
            throw ModelError.unexpectedShape(
                name: positions, shape: shape, expected: "[\(configuration.frameCount), a multiple of \(configuration.headCount)]")
        }
        let specifications = configuration.specifications(width: shape[1])
        let values = try specifications.map { specification in
            let name = fileName(specification.name)
            guard source.contains(name) else { throw ModelError.missingPrompts(name: name) }
            let shape = try source.description(of: name).shape
            guard shape == specification.shape else {
                throw ModelError.unexpectedShape(name: name, shape: shape, expected: "\(specification.shape)")
            }
            return try finiteMatrix(named: name, in: source, shape: shape)
        }
        self.init(configuration, values: values, learns: false)
    }
}

// MARK: - Networks that follow videos

extension MetaNet<Matrix> {
    /// Reads a network with so many hidden units, whose other sizes are those of its tensors; a bias is a vector or one row.
    ///
    /// - Parameter fileName: what the file calls a tensor.
    init(hiddenWidth: Int, in source: any WeightSource, named fileName: (String) -> String) throws {
        func tensor(_ index: Int, rows: Int? = nil, columns: Int? = nil) throws -> Matrix {
            let name = fileName(MetaNetShape.names[index])
            guard source.contains(name) else { throw ModelError.missingPrompts(name: name) }
            let shape = try source.description(of: name).shape
            let sizes = rows == 1 && shape.count == 1 ? [1] + shape : shape
            guard sizes.count == 2, sizes.allSatisfy({ (1...1 << 14).contains($0) }), rows ?? sizes[0] == sizes[0], columns ?? sizes[1] == sizes[1] else {
                throw ModelError.unexpectedShape(
                    name: name, shape: shape, expected: "[\(rows.map { "\($0)" } ?? "width"), \(columns.map { "\($0)" } ?? "width")]")
            }
            return try finiteMatrix(named: name, in: source, shape: shape).reading
        }
        let hiddenWeight = try tensor(0, rows: hiddenWidth)
        let weight = try tensor(2, columns: hiddenWidth)
        self.init(
            hiddenWeight: hiddenWeight, hiddenBias: try tensor(1, rows: 1, columns: hiddenWidth), weight: weight,
            bias: try tensor(3, rows: 1, columns: weight.rowCount))
    }
}

// MARK: - Prompts in pixels

extension PixelPrompt<Matrix> {
    /// Exactly the numbers that `area` calls for; whatever stands before rows and columns of a tensor, it is three channels.
    ///
    /// - Parameter fileName: what the file calls a tensor.
    init(_ area: PixelArea, in source: any WeightSource, named fileName: (String) -> String) throws {
        self.init(
            try zip(area.names, area.shapes).map { name, expected in
                let name = fileName(name)
                guard source.contains(name) else { throw ModelError.missingPrompts(name: name) }
                let shape = try source.description(of: name).shape
                let own = [expected.rows, expected.columns]
                guard shape == own || shape == [1, 3, expected.rows / 3, expected.columns] else {
                    throw ModelError.unexpectedShape(name: name, shape: shape, expected: "\(own)")
                }
                return try finiteMatrix(named: name, in: source, shape: shape).reading
            }, area: area)
    }
}
