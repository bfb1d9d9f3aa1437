import CKernels

/// `output = x · σ(1.702 x)`, CLIP's approximation of GELU.
package func quickGELU(_ input: MutableMatrix, into output: MutableMatrix) {
    precondition(input.count == output.count && input.reading.isDense && output.reading.isDense, "quickGELU shapes differ")
    unsafe vifi_quick_gelu(input.pointer, output.pointer, input.count)
}

/// Turns the gradient of the output into that of the input, in place.
package func quickGELUBackward(input: MutableMatrix, gradient: MutableMatrix) {
    precondition(input.count == gradient.count && input.reading.isDense && gradient.reading.isDense, "quickGELU shapes differ")
    unsafe vifi_quick_gelu_backward(input.pointer, gradient.pointer, input.count)
}
