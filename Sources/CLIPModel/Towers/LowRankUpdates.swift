import Tensors

/// Low-rank updates of the weights that make queries, keys and values, in every block of both towers (LoRA).
///
///     W' = W + alpha / √rank · B · A
///
/// Source: Zanella and Ben Ayed, CVPR workshops 2024, "Low-Rank Few-Shot Adaptation of Vision-Language Models";
/// `methods_more.md` 2. Theirs divides by √rank, not by the rank as LoRA's authors do.
package struct LowRankUpdates: Sendable {
    /// The factors of one weight's update.
    package struct Factors: Sendable {
        /// `[rank, width]`
        package let a: MutableMatrix
        /// `[width, rank]`
        package let b: MutableMatrix

        package init(a: MutableMatrix, b: MutableMatrix) { (self.a, self.b) = (a, b) }

        var zeros: Factors {
            Factors(a: MutableMatrix(rows: a.rowCount, columns: a.columnCount), b: MutableMatrix(rows: b.rowCount, columns: b.columnCount))
        }
    }

    package static let parts = ["q_proj", "k_proj", "v_proj"]

    package static let standardRank = 2

    package let rank: Int
    package let alpha: Float
    /// Of each block those of queries, keys and values.
    package let text: [[Factors]]
    package let vision: [[Factors]]

    package init(rank: Int, alpha: Float, text: [[Factors]], vision: [[Factors]]) {
        (self.rank, self.alpha, self.text, self.vision) = (rank, alpha, text, vision)
    }

    /// As the authors start: A uniform in ±1/√width, as PyTorch starts linear layers, and B zero, so that nothing changes yet.
    package init(rank: Int, alpha: Float = 1, architecture: CLIPArchitecture, seed: UInt64) {
        var item = 0
        func blocks(_ tower: CLIPArchitecture.Tower) -> [[Factors]] {
            (0..<tower.layerCount).map { _ in
                Self.parts.map { _ in
                    var source = RandomSource(seed: seed, purpose: .projections, item: item)
                    item += 1
                    let bound = 1 / Float(tower.width).squareRoot()
                    return Factors(
                        a: MutableMatrix(
                            rows: rank, columns: tower.width, (0..<rank * tower.width).map { _ in source.uniform(in: -bound...bound) }),
                        b: MutableMatrix(rows: tower.width, columns: rank))
                }
            }
        }
        let text = blocks(architecture.text)
        self.init(rank: rank, alpha: alpha, text: text, vision: blocks(architecture.vision))
    }

    package var scale: Float { alpha / Float(rank).squareRoot() }

    package var zeros: LowRankUpdates {
        LowRankUpdates(rank: rank, alpha: alpha, text: text.map { $0.map(\.zeros) }, vision: vision.map { $0.map(\.zeros) })
    }

    /// Every factor under the name of the weight that it updates, with the authors' names behind it.
    package var named: [(name: String, value: MutableMatrix)] {
        [("transformer", text), ("visual.transformer", vision)].flatMap { tower, blocks in
            blocks.enumerated().flatMap { layer, factors in
                zip(Self.parts, factors).flatMap { part, factors in
                    let name = "\(tower).resblocks.\(layer).attn.\(part)"
                    return [("\(name).w_lora_A", factors.a), ("\(name).w_lora_B", factors.b)]
                }
            }
        }
    }

    /// Numbers that learn, of this rank on an architecture.
    package static func parameterCount(rank: Int, architecture: CLIPArchitecture) -> Int {
        [architecture.text, architecture.vision].reduce(0) { $0 + $1.layerCount * parts.count * 2 * rank * $1.width }
    }
}

// MARK: Merging

extension LowRankUpdates {
    /// What is updated: of each block of the text tower, then of the vision tower, `[3 × width, width]`.
    static func adaptedWeights(of parameters: BackboneParameters<Matrix>) -> [Matrix] {
        (parameters.text.blocks + parameters.vision.blocks).map(\.attentionInput.weight)
    }

    /// - Parameter weights: in the order of `adaptedWeights`.
    static func replaceAdaptedWeights(of parameters: inout BackboneParameters<Matrix>, with weights: [Matrix]) {
        let textCount = parameters.text.blocks.count
        for layer in 0..<textCount { parameters.text.blocks[layer].attentionInput.weight = weights[layer] }
        for layer in parameters.vision.blocks.indices { parameters.vision.blocks[layer].attentionInput.weight = weights[textCount + layer] }
    }

    /// - Parameter merged: in the order of `adaptedWeights`, overwritten.
    func merge(with parameters: BackboneParameters<Matrix>, into merged: [MutableMatrix], pool: WorkerPool) {
        let weights = Self.adaptedWeights(of: parameters)
        let factors = text + vision
        pool.parallelFor(merged.count) { [scale] _, index in
            let width = weights[index].columnCount
            merged[index].copy(weights[index])
            for (part, factors) in factors[index].enumerated() {
                multiply(
                    factors.b, .asStored, factors.a, .asStored, into: merged[index].rows(part * width..<(part + 1) * width), scale: scale, adding: true)
            }
        }
    }

    /// A backbone with these updates in its weights.
    package func merged(with backbone: Backbone, described description: BackboneDescription, pool: WorkerPool) -> Backbone {
        let weights = Self.adaptedWeights(of: backbone.parameters).map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
        merge(with: backbone.parameters, into: weights, pool: pool)
        var parameters = backbone.parameters
        Self.replaceAdaptedWeights(of: &parameters, with: weights.map(\.reading))
        return Backbone(architecture: backbone.architecture, parameters: parameters, description: description).computing(in: backbone.precision)
    }
}

// MARK: Learning

/// Where the backward pass of a block leaves the gradients of its updates.
package struct LowRankBlock: BlockGradientSink {
    let updates: [LowRankUpdates.Factors]
    let gradients: [LowRankUpdates.Factors]
    let scale: Float
    let turn: Turn

    package func add(_ contribution: BlockContribution) {
        contribution.eachAttentionInputGradient(turn: turn) { part, weightGradient in
            // dA = scale · Bᵀ · dW, dB = scale · dW · Aᵀ
            multiply(updates[part].b, .transposed, weightGradient, .asStored, into: gradients[part].a, scale: scale, adding: true)
            multiply(weightGradient, .asStored, updates[part].a, .transposed, into: gradients[part].b, scale: scale, adding: true)
        }
    }
}

/// Low-rank updates of the vision tower learn, and nothing else of it. `item` is the batch's place in the step.
package struct LowRankVision: VisionGradientSink {
    let updates: LowRankUpdates
    let gradients: LowRankUpdates
    let turnstile: Turnstile
    let item: Int

    package var learns: Bool { true }

    package func block(_ layer: Int) -> LowRankBlock {
        LowRankBlock(
            updates: updates.vision[layer], gradients: gradients.vision[layer], scale: updates.scale,
            turn: Turn(turnstile: turnstile, layer: layer, item: item))
    }

    package func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, pooled: AttentionPooling.Contribution?, saved: VisionActivations
    ) {}
    package func addInput(
        normGradient: MutableMatrix, embeddedGradient: MutableMatrix, frames: Matrix, saved: VisionActivations, scratch: VisionScratch
    ) {}
}

/// Low-rank updates of the text tower learn, and nothing else of it.
package struct LowRankText: TextGradientSink {
    let updates: LowRankUpdates
    let gradients: LowRankUpdates
    let turnstile: Turnstile

    package var learns: Bool { true }

    package func block(_ layer: Int, item: Int) -> LowRankBlock {
        LowRankBlock(
            updates: updates.text[layer], gradients: gradients.text[layer], scale: updates.scale,
            turn: Turn(turnstile: turnstile, layer: layer, item: item))
    }

    package func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, endRows: MutableMatrix, normalized: MutableMatrix,
        statistics: LayerNormStatistics, item: Int
    ) {}
    package func addInput(gradient: MutableMatrix, suffixes: [[Int]], firstPosition: Int, item: Int) {}
}
