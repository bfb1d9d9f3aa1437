import CKernels

/// The function between the two layers of an MLP. Raw values are the names that files use.
package enum Activation: String, Sendable, CaseIterable {
    /// `x · σ(1.702 x)`, the approximation that OpenAI's CLIPs were trained with.
    case quickGELU = "quick_gelu"
    /// `x · Φ(x)`, Φ being the normal distribution: the exact GELU of most of open_clip's CLIPs.
    case gelu
    /// GELU with tanh in the place of Φ (Hendrycks and Gimpel 2016), as SigLIPs were trained with.
    case tanhGELU = "gelu_pytorch_tanh"
}

extension Activation {
    /// `output = activation(input)`, both without gaps between rows.
    package func callAsFunction(_ input: MutableMatrix, into output: MutableMatrix) {
        precondition(input.count == output.count && input.reading.isDense && output.reading.isDense, "activation shapes differ")
        switch self {
        case .quickGELU: unsafe vifi_quick_gelu(input.pointer, output.pointer, input.count)
        case .gelu: unsafe vifi_gelu(input.pointer, output.pointer, input.count)
        case .tanhGELU: unsafe vifi_tanh_gelu(input.pointer, output.pointer, input.count)
        }
    }

    /// Turns the gradient of the output into that of the input, in place.
    package func backward(input: MutableMatrix, gradient: MutableMatrix) {
        precondition(input.count == gradient.count && input.reading.isDense && gradient.reading.isDense, "activation shapes differ")
        switch self {
        case .quickGELU: unsafe vifi_quick_gelu_backward(input.pointer, gradient.pointer, input.count)
        case .gelu: unsafe vifi_gelu_backward(input.pointer, gradient.pointer, input.count)
        case .tanhGELU: unsafe vifi_tanh_gelu_backward(input.pointer, gradient.pointer, input.count)
        }
    }

    /// `output = activation(input)`, both in the same numbers.
    package func callAsFunction(_ input: Rows, into output: Rows) {
        switch (input, output) {
        case (.float32(let input), .float32(let output)): self(input, into: output)
        case (.bfloat16(let input), .bfloat16(let output)):
            precondition(input.count == output.count && input.isDense && output.isDense, "activation shapes differ")
            switch self {
            case .quickGELU: unsafe vifi_quick_gelu_bf16(input.pointer, output.pointer, input.count)
            case .gelu: unsafe vifi_gelu_bf16(input.pointer, output.pointer, input.count)
            case .tanhGELU: unsafe vifi_tanh_gelu_bf16(input.pointer, output.pointer, input.count)
            }
        default: preconditionFailure("activation from one kind of numbers to another")
        }
    }

    /// Turns the gradient of the output into that of the input, in place.
    package func backward(input: Rows, gradient: Rows) {
        switch (input, gradient) {
        case (.float32(let input), .float32(let gradient)): backward(input: input, gradient: gradient)
        case (.bfloat16(let input), .bfloat16(let gradient)):
            precondition(input.count == gradient.count && input.isDense && gradient.isDense, "activation shapes differ")
            switch self {
            case .quickGELU: unsafe vifi_quick_gelu_bf16_backward(input.pointer, gradient.pointer, input.count)
            case .gelu: unsafe vifi_gelu_bf16_backward(input.pointer, gradient.pointer, input.count)
            case .tanhGELU: unsafe vifi_tanh_gelu_bf16_backward(input.pointer, gradient.pointer, input.count)
            }
        default: preconditionFailure("activation from one kind of numbers to another")
        }
    }
}
