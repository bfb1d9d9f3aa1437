import Tensors

/// ProKeR: kernel regression of what the text scores get wrong, with the correction scaled by λ.
///
///     (K/λ + I) a = Y − F,  logits = f̂ t̂ᵀ + K(f̂, v) a
///
/// Source: Bendou et al., CVPR 2025. Scores are cosines, without CLIP's scale: calibrate before reading them as
/// probabilities.
package struct ProKeR: LeaveOneOutHead {
    package static let kind = HeadKind.proker

    package let settings: KernelSettings
    let regression: KernelRegression
    /// `[rows, classes]`: a.
    package var coefficients: Matrix { regression.coefficients }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: KernelSettings, context: HeadContext
    ) throws(HeadError) -> ProKeR {
        ProKeR(
            settings: settings,
            regression: try KernelRegression(examples, head: kind, settings: settings, isScaled: true, context: context))
    }

    private init(settings: KernelSettings, regression: KernelRegression) {
        self.settings = settings
        self.regression = regression
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix { try regression.logits(of: features) }
    package var linear: LinearClassifier? { nil }
    package var parameterCount: Int { regression.coefficients.count + regression.vectors.count }
    package var tensors: [HeadTensor] { regression.tensors }

    package init(tensors: [String: HeadTensor], settings: KernelSettings) throws(HeadError) {
        self.init(settings: settings, regression: try KernelRegression(HeadTensorReader(tensors: tensors, head: Self.kind)))
    }

    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: KernelSettings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try KernelRegression.leaveOneOut(examples, head: kind, settings: settings, isScaled: true, context: context)
    }
}
