import Tensors

/// ZS-LP: a linear probe on cosines that starts from the texts. CLAP without its constraints.
///
/// Source: Silva-Rodríguez et al., CVPR 2024; jusiro/CLAP.
package struct ZeroShotLinearProbe: Head {
    package static let kind = HeadKind.zsLP

    package let settings: PrototypeSettings
    let prototypes: Prototypes
    /// `[classes, width]`, not of unit length.
    package var values: Matrix { prototypes.values }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: PrototypeSettings, context: HeadContext
    ) throws(HeadError) -> ZeroShotLinearProbe {
        ZeroShotLinearProbe(
            settings: settings,
            prototypes: try Prototypes(examples, head: kind, settings: settings, isConstrained: false, context: context))
    }

    private init(settings: PrototypeSettings, prototypes: Prototypes) {
        self.settings = settings
        self.prototypes = prototypes
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix { try prototypes.logits(of: features) }
    package var linear: LinearClassifier? { prototypes.linear }
    package var parameterCount: Int { prototypes.values.count }
    package var tensors: [HeadTensor] { prototypes.tensors }

    package init(tensors: [String: HeadTensor], settings: PrototypeSettings) throws(HeadError) {
        self.init(settings: settings, prototypes: try Prototypes(HeadTensorReader(tensors: tensors, head: Self.kind)))
    }
}
