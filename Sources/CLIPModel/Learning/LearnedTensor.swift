import Tensors

/// A tensor that learns, as an optimizer takes it.
package struct LearnedTensor: Sendable {
    package let name: String
    package let value: MutableMatrix
    /// The optimizer's step reads it and leaves zeros.
    package let gradient: MutableMatrix
    /// All tensors decay in ViFi-CLIP (`methods.md` 1.4).
    package let decays: Bool
    /// The learning rate of each step is multiplied by this.
    package let rateFactor: Double

    package init(
        name: String, value: MutableMatrix, gradient: MutableMatrix, decays: Bool = true, rateFactor: Double = 1
    ) {
        self.name = name
        self.value = value
        self.gradient = gradient
        self.decays = decays
        self.rateFactor = rateFactor
    }
}
