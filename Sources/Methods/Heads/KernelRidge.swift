/// Kernel ridge regression of what the text scores get wrong.
///
///     (K + λI) a = Y − F,  logits = f̂ t̂ᵀ + K(f̂, v) a
///
/// ProKeR without its scaling of the correction, so the clips weigh more. Scores are cosines, without CLIP's scale.
package struct KernelRidge: KernelHead {
    package static let kind = HeadKind.kernelRidge
    package static let isScaled = false

    package let settings: KernelSettings
    package let core: KernelRegression

    package init(settings: KernelSettings, core: KernelRegression) {
        self.settings = settings
        self.core = core
    }
}
