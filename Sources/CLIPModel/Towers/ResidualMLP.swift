import Tensors

/// A norm and an MLP whose outcome is added to what went in, behind an attention that is no block of a tower.
///
///     output = input + W_p · activation(W_f · LN(input) + b_f) + b_p
struct ResidualMLP<Element: Readable>: Sendable {
    let parameters: ResidualMLPParameters<Element>
    let activation: Activation
    var normEpsilon = usualNormEpsilon

    /// - Parameter output: like `saved.input`, `[rows, width]`.
    func forward(saved: ResidualMLPActivations, output: MutableMatrix) {
        let p = parameters
        layerNorm(saved.input, weight: p.norm.weight, bias: p.norm.bias, into: saved.normalized, saving: saved.norm, epsilon: normEpsilon)
        linear(saved.normalized, weight: p.input.weight, bias: p.input.bias, into: saved.hidden)
        activation(saved.hidden, into: saved.activated)
        add(p.output.bias, toRowsOf: saved.input, into: output)
        multiply(saved.activated, .asStored, p.output.weight, .transposed, into: output, adding: true)
    }

    /// The gradient of `forward`.
    ///
    /// - Parameter outputGradient: `[rows, width]`.
    /// - Returns: the gradient of the input, with what the parameters' own are made of.
    func backward(_ outputGradient: MutableMatrix, saved: ResidualMLPActivations) -> ResidualMLPContribution {
        let (rows, width) = (outputGradient.rowCount, outputGradient.columnCount)
        let hiddenGradient = MutableMatrix(rows: rows, columns: saved.hidden.columnCount)
        multiply(outputGradient, .asStored, parameters.output.weight, .asStored, into: hiddenGradient)
        activation.backward(input: saved.hidden, gradient: hiddenGradient)
        let (normGradient, inputGradient) = (MutableMatrix(rows: rows, columns: width), MutableMatrix(rows: rows, columns: width))
        multiply(hiddenGradient, .asStored, parameters.input.weight, .asStored, into: normGradient)
        inputGradient.copy(outputGradient)
        layerNormBackward(
            outputGradient: normGradient, input: saved.input, weight: parameters.norm.weight, saved: saved.norm, inputGradient: inputGradient)
        return ResidualMLPContribution(
            saved: saved, outputGradient: outputGradient, hiddenGradient: hiddenGradient, normGradient: normGradient, inputGradient: inputGradient)
    }
}

/// What the gradients of a `ResidualMLP`'s parameters are made of, right after a backward pass.
struct ResidualMLPContribution {
    fileprivate let saved: ResidualMLPActivations
    fileprivate let outputGradient, hiddenGradient, normGradient: MutableMatrix
    /// `[rows, width]`
    let inputGradient: MutableMatrix

    func add(to gradients: ResidualMLPParameters<MutableMatrix>) {
        gradients.output.add(outputGradient: outputGradient, input: saved.activated)
        gradients.input.add(outputGradient: hiddenGradient, input: saved.normalized)
        gradients.norm.add(outputGradient: normGradient, input: saved.input, saved: saved.norm)
    }
}

/// What `ResidualMLP` keeps for the backward pass.
struct ResidualMLPActivations: Sendable {
    /// `[rows, width]`, whoever is before it writes its output there; and behind the norm.
    let input, normalized: MutableMatrix
    let norm: LayerNormStatistics
    /// `[rows, mlpWidth]`
    let hidden, activated: MutableMatrix

    init(rows: Int, width: Int, mlpWidth: Int) {
        func memory(_ columns: Int) -> MutableMatrix { MutableMatrix(rows: rows, columns: columns) }
        (input, normalized, norm) = (memory(width), memory(width), LayerNormStatistics(rows: rows))
        (hidden, activated) = (memory(mlpWidth), memory(mlpWidth))
    }

    /// The memory of the first rows.
    func prefix(_ rowCount: Int) -> ResidualMLPActivations { ResidualMLPActivations(memory: self, rows: 0..<rowCount) }

    private init(memory: ResidualMLPActivations, rows: Range<Int>) {
        (input, normalized, norm) = (memory.input.rows(rows), memory.normalized.rows(rows), memory.norm)
        (hidden, activated) = (memory.hidden.rows(rows), memory.activated.rows(rows))
    }
}
