/// ProKeR: kernel regression of what the text scores get wrong, with the correction scaled by λ.
///
///     (K/λ + I) a = Y − F,  logits = f̂ t̂ᵀ + K(f̂, v) a
///
/// Source: Bendou et al., CVPR 2025. Scores are cosines, without CLIP's scale: calibrate before reading them as
/// probabilities.
package struct ProKeR: KernelHead {
    package static let kind = HeadKind.proker
    package static let isScaled = true

    package let settings: KernelSettings
    package let core: KernelRegression

    package init(settings: KernelSettings, core: KernelRegression) {
        self.settings = settings
        self.core = core
    }
}
