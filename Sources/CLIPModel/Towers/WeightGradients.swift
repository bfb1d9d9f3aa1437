import Tensors

/// Where a block's backward pass leaves the gradients of its weights.
///
/// The two stages of training differ in this type, not in a flag: the prompt path carries
/// `FrozenBlock`, which has no memory to write to.
package protocol BlockGradientSink: Sendable {
    func add(_ contribution: BlockContribution)
}

/// Weights that do not learn.
package struct FrozenBlock: BlockGradientSink {
    package init() {}
    package func add(_ contribution: BlockContribution) {}
}

/// Weights that learn; items add in their order, so that sums do not depend on the number of threads.
package struct LearningBlock: BlockGradientSink {
    let gradients: BlockParameters<MutableMatrix>
    let turn: Turn

    package func add(_ contribution: BlockContribution) {
        turn.take { contribution.addWeightGradients(to: gradients) }
    }
}

/// One item's place at one gate of a turnstile.
package struct Turn: Sendable {
    let turnstile: Turnstile
    let gate: Int
    let item: Int

    func take(_ body: () -> Void) { turnstile.pass(gate: gate, item: item, body) }
}

/// What a block's weight gradients are made of, right after its backward pass on one batch.
package struct BlockContribution {
    let block: TransformerBlock
    let saved: BlockActivations
    let outputGradient: MutableMatrix?
    let scratch: BlockScratch

    /// Adds the gradients of all weights and biases. Normalized and activated rows are computed anew,
    /// which is cheaper than keeping them.
    func addWeightGradients(to gradients: BlockParameters<MutableMatrix>) {
        let shape = saved.shape
        let p = block.parameters
        let precision = block.weights.precision
        let width = saved.input.columnCount
        if let outputGradient {
            let rows = 0..<shape.queryCount
            let activated = saved.view(scratch.activated, rows: shape.queryCount)
            block.activation(saved.hidden ?? saved.view(scratch.hidden, rows: shape.queryCount), into: activated)
            linearWeightBackward(
                outputGradient: .float32(outputGradient), input: activated,
                weightGradient: gradients.mlpOutput.weight, biasGradient: gradients.mlpOutput.bias, precision: precision)

            let normalized = saved.view(scratch.normalized, rows: shape.queryCount)
            layerNorm(saved.middle, weight: p.mlpNorm.weight, bias: p.mlpNorm.bias, into: normalized, saving: saved.mlpNorm)
            linearWeightBackward(
                outputGradient: saved.view(scratch.hiddenGradient, rows: shape.queryCount), input: normalized,
                weightGradient: gradients.mlpInput.weight, biasGradient: gradients.mlpInput.bias, precision: precision)
            layerNormWeightBackward(
                outputGradient: scratch.mlpNormGradient.rows(rows), input: saved.middle, saved: saved.mlpNorm,
                weightGradient: gradients.mlpNorm.weight, biasGradient: gradients.mlpNorm.bias)
            guard let attended = saved.attended else { preconditionFailure("activations were kept for prompts only") }
            linearWeightBackward(
                outputGradient: .float32(scratch.middleGradient.rows(rows)), input: attended,
                weightGradient: gradients.attentionOutput.weight, biasGradient: gradients.attentionOutput.bias, precision: precision)
        }

        let rows = 0..<shape.groups.rowCount
        let normalized = saved.view(scratch.normalized, rows: shape.groups.rowCount)
        let inputGradient = saved.view(scratch.queryKeyValueGradient, rows: shape.groups.rowCount)
        let weight = gradients.attentionInput.weight
        let bias = gradients.attentionInput.bias
        layerNorm(saved.input, weight: p.attentionNorm.weight, bias: p.attentionNorm.bias, into: normalized, saving: saved.attentionNorm)
        if outputGradient != nil && shape.queries == .every {
            linearWeightBackward(outputGradient: inputGradient, input: normalized, weightGradient: weight, biasGradient: bias, precision: precision)
        } else {
            linearWeightBackward(
                outputGradient: inputGradient.columns(width..<3 * width), input: normalized,
                weightGradient: weight.rows(width..<3 * width), biasGradient: bias.columns(width..<3 * width), precision: precision)
            if outputGradient != nil {
                linearWeightBackward(
                    outputGradient: scratch.queryGradient.rows(0..<shape.queryCount),
                    input: saved.selectedRows(of: normalized.float32, scratch: scratch.selected),
                    weightGradient: weight.rows(0..<width), biasGradient: bias.columns(0..<width), precision: precision)
            }
        }
        layerNormWeightBackward(
            outputGradient: scratch.attentionNormGradient.rows(rows), input: saved.input, saved: saved.attentionNorm,
            weightGradient: gradients.attentionNorm.weight, biasGradient: gradients.attentionNorm.bias)
    }
}
