import Files
import Tensors

/// Frames that see each other in a transformer before their mean is taken: what A5, A6 and ActionCLIP put behind CLIP's image
/// tower (`methods.md` 4 and 5).
///
///     pooled = mean over frames of transformer(frames) [+ frames]
package struct TemporalFusion: VideoAggregator {
    package struct Configuration: Sendable, Equatable, Codable {
        /// Most frames of a clip: each has a position of its own.
        package var frameCount: Int
        package var layerCount: Int
        package var headCount: Int
        /// Whether the frames' own features are added to what the transformer makes of them.
        package var keepsFrames: Bool
        package var normEpsilon: Float
        /// The factor on cosine similarities; the backbone's where nil.
        package var scale: Float?

        package init(frameCount: Int, layerCount: Int, headCount: Int, keepsFrames: Bool, normEpsilon: Float = usualNormEpsilon, scale: Float? = nil) {
            (self.frameCount, self.layerCount, self.headCount) = (frameCount, layerCount, headCount)
            (self.keepsFrames, self.normEpsilon, self.scale) = (keepsFrames, normEpsilon, scale)
        }

        /// For people: "1 layer, 8 heads, at most 16 frames".
        package var text: String {
            "\(counted(layerCount, "layer", "layers")), \(counted(headCount, "head", "heads")), at most \(counted(frameCount, "frame", "frames"))"
        }

        /// Name and shape of every tensor.
        ///
        /// - Parameter width: of the frames' features.
        package func specifications(width: Int) -> [TensorSpecification] {
            FrameTransformer.specifications(frameCount: frameCount, width: width, layerCount: layerCount).all
        }

        /// Numbers that learn.
        package func parameterCount(width: Int) -> Int { specifications(width: width).reduce(0) { $0 + $1.count } }
    }

    package let configuration: Configuration
    let transformer: FrameTransformer
    /// Nil where nothing learns.
    private let gradients: FrameTransformer.Parameters<MutableMatrix>?
    private let rateFactor: Double

    /// - Parameters:
    ///   - values: as `Configuration.specifications` has them; read anew in each pass.
    ///   - learns: whether there is a gradient for each.
    ///   - rateFactor: of the learning rate.
    package init(_ configuration: Configuration, values: [MutableMatrix], learns: Bool, rateFactor: Double = 1) {
        self.rateFactor = rateFactor
        self.configuration = configuration
        transformer = FrameTransformer(
            parameters: FrameTransformer.Parameters(values), headCount: configuration.headCount, normEpsilon: configuration.normEpsilon)
        gradients = learns
            ? FrameTransformer.Parameters(values.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }) : nil
    }

    package var mixesFrames: Bool { true }
    package var scale: Float? { configuration.scale }

    /// Name and values of every tensor.
    package var named: [(specification: TensorSpecification, value: MutableMatrix)] {
        let width = transformer.parameters.positions.columnCount
        return Array(zip(configuration.specifications(width: width), transformer.parameters.all))
    }

    /// Numbers of the frames' features.
    package var width: Int { transformer.parameters.positions.columnCount }

    package var tensors: [LearnedTensor] {
        guard let gradients else { return [] }
        return zip(named, gradients.all).map { LearnedTensor(name: Self.prefix + $0.specification.name, value: $0.value, gradient: $1, rateFactor: rateFactor) }
    }

    /// Before the names of its tensors in files and checkpoints.
    static let prefix = "video."

    package var snapshot: TemporalFusion {
        TemporalFusion(
            configuration,
            values: transformer.parameters.all.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount, $0.values) }, learns: false)
    }

    package func pooled(_ features: Matrix) -> (rows: Matrix, saved: FrameTransformer.Activations) {
        let saved = transformer.forward(features)
        let mean = MutableMatrix(rows: 1, columns: features.columnCount)
        if configuration.keepsFrames { add(features, to: saved.output) }
        meanRow(of: saved.output, into: mean)
        return (mean.reading, saved)
    }

    package func pooledBackward(
        _ rowGradient: MutableMatrix, saved: FrameTransformer.Activations, into featureGradient: MutableMatrix,
        tensorGradients: [MutableMatrix]
    ) {
        let outputGradient = MutableMatrix(rows: featureGradient.rowCount, columns: featureGradient.columnCount)
        meanRowBackward(rowGradient, into: outputGradient)
        if configuration.keepsFrames { featureGradient.copy(outputGradient) } else { featureGradient.fill(0) }
        transformer.backward(
            outputGradient, saved: saved, addingTo: featureGradient,
            gradients: tensorGradients.isEmpty ? nil : FrameTransformer.Parameters(tensorGradients))
    }
}

extension TemporalFusion {
    /// How a method's authors draw what learning starts from.
    package enum Start: Sendable {
        /// PyTorch's defaults for linear layers and attention, with positions of this deviation (Efficient-Prompt).
        case usual(positions: Float)
        /// All weights and positions of this deviation, but for the weight of queries, keys and values, which is PyTorch's default
        /// (ActionCLIP).
        case normal(Float)
    }

    /// Tensors to start from.
    ///
    /// - Parameters:
    ///   - width: of the frames' features.
    ///   - seed: names the random streams.
    ///   - rateFactor: of the learning rate.
    package init(_ configuration: Configuration, start: Start, width: Int, seed: UInt64, rateFactor: Double = 1) {
        let values = configuration.specifications(width: width).enumerated().map { item, specification in
            let matrix = MutableMatrix(rows: specification.rowCount, columns: specification.columnCount)
            var source = RandomSource(seed: seed, purpose: .temporal, item: item)
            let (rows, columns) = (matrix.rowCount, matrix.columnCount)
            func uniform(_ bound: Float) { matrix.fill(with: (0..<matrix.count).map { _ in source.uniform(in: -bound...bound) }) }
            func normal(_ deviation: Float) { matrix.fill(with: (0..<matrix.count).map { _ in deviation * source.normal() }) }
            let name = specification.name
            let isWeight = name.hasSuffix("weight")
            switch (name, start) {
            case let (name, _) where name.contains(".ln_"): if isWeight { matrix.fill(1) }
            case let (name, _) where name.hasSuffix("in_proj_weight"): uniform((6 / Float(rows + columns)).squareRoot())
            case let (name, _) where name.contains(".attn.") && !isWeight: break
            case (FrameTransformer.positionsName, .usual(let deviation)), (FrameTransformer.positionsName, .normal(let deviation)):
                normal(deviation)
            case (_, .usual):
                // Biases in the bound of their weights: those of the MLP's second layer read four times the width.
                let inputs = isWeight ? columns : name.contains("c_proj") ? 4 * width : width
                uniform(1 / Float(inputs).squareRoot())
            case (_, .normal(let deviation)): if isWeight { normal(deviation) }
            }
            return matrix
        }
        self.init(configuration, values: values, learns: true, rateFactor: rateFactor)
    }
}
