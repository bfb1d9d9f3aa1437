import Tensors

/// Where the text tower's backward pass leaves the gradients of its weights. Items are the chunks of
/// classes in order, then the prefix.
package protocol TextGradientSink: Sendable {
    associatedtype Block: BlockGradientSink
    var learns: Bool { get }
    func block(_ layer: Int, item: Int) -> Block
    func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, endRows: MutableMatrix, normalized: MutableMatrix,
        statistics: LayerNormStatistics, item: Int)
    /// - Parameter gradient: one row a token of `suffixes`, packed; each suffix starts at `firstPosition`.
    func addInput(gradient: MutableMatrix, suffixes: [[Int]], firstPosition: Int, item: Int)
}

extension TextGradientSink {
    func addInput(gradient: MutableMatrix, tokens: [Int], firstPosition: Int, item: Int) {
        addInput(gradient: gradient, suffixes: [tokens], firstPosition: firstPosition, item: item)
    }
}

/// The prompt path: no weight of the text tower learns.
package struct FrozenText: TextGradientSink {
    package init() {}
    package var learns: Bool { false }
    package func block(_ layer: Int, item: Int) -> FrozenBlock { FrozenBlock() }
    package func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, endRows: MutableMatrix, normalized: MutableMatrix,
        statistics: LayerNormStatistics, item: Int
    ) {}
    package func addInput(gradient: MutableMatrix, suffixes: [[Int]], firstPosition: Int, item: Int) {}
}

/// The bridge path: every weight of the text tower learns.
package struct LearningText: TextGradientSink {
    let gradients: TextParameters<MutableMatrix>
    private let blockGateCount: Int
    let turnstile: Turnstile

    /// - Parameter pool: that runs the backward pass.
    package init(gradients: TextParameters<MutableMatrix>, architecture: CLIPArchitecture, pool: WorkerPool) {
        self.gradients = gradients
        blockGateCount = architecture.text.layerCount * BlockContribution.gateCount
        turnstile = Turnstile(gateCount: blockGateCount + 2, pool: pool)
    }

    package var learns: Bool { true }

    package func block(_ layer: Int, item: Int) -> LearningBlock {
        LearningBlock(gradients: gradients.blocks[layer], turn: Turn(turnstile: turnstile, layer: layer, item: item))
    }

    package func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, endRows: MutableMatrix, normalized: MutableMatrix,
        statistics: LayerNormStatistics, item: Int
    ) {
        turnstile.pass(gate: blockGateCount, item: item) {
            multiply(normalized, .transposed, featureGradient, .asStored, into: gradients.projection, adding: true)
            if let bias = gradients.projectionBias { sumRows(of: featureGradient, into: bias) }
            gradients.outputNorm.add(outputGradient: normGradient, input: endRows, saved: statistics)
        }
    }

    package func addInput(gradient: MutableMatrix, suffixes: [[Int]], firstPosition: Int, item: Int) {
        turnstile.pass(gate: blockGateCount + 1, item: item) {
            var start = 0
            for suffix in suffixes {
                let rows = gradient.rows(start..<start + suffix.count)
                add(rows, to: gradients.positionalEmbedding.rows(firstPosition..<firstPosition + suffix.count))
                for (row, token) in suffix.enumerated() { add(rows.row(row), to: gradients.tokenEmbedding.row(token)) }
                start += suffix.count
            }
        }
    }
}
