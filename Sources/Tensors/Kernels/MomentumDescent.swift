/// Gradient descent with momentum, as PyTorch's SGD computes it: the rate multiplies the whole velocity, and decay is part of the gradient.
///
///     velocity = momentum · velocity + gradient + weightDecay · value
///     value = value − rate · velocity
///
/// Source: Sutskever et al. 2013, "On the importance of initialization and momentum in deep learning", section 2.
package struct MomentumDescent: Sendable, Equatable {
    package var momentum: Double
    package var weightDecay: Double

    package init(momentum: Double = 0.9, weightDecay: Double) { (self.momentum, self.weightDecay) = (momentum, weightDecay) }

    /// One step on one tensor.
    ///
    /// - Parameters:
    ///   - value, velocity: changed in place; all of one shape, without gaps.
    ///   - gradient: the decay is added to it.
    package func update(_ value: MutableMatrix, gradient: MutableMatrix, velocity: MutableMatrix, rate: Double) {
        if weightDecay != 0 { add(value, times: Float(weightDecay), to: gradient) }
        scale(velocity, by: Float(momentum))
        add(gradient, to: velocity)
        add(velocity, times: Float(-rate), to: value)
    }
}
