import Tensors

/// CLAP: class vectors that start at the texts and are held near them, each by as much as the texts alone know the class.
///
///     loss = CE(s · f̂·p̂_c) + mean_c λ_c ‖p_c − t_c‖²
///
/// λ_c is the mean zero-shot probability of class c on its own views, and constant. Source: Silva-Rodríguez et al., CVPR 2024;
/// jusiro/CLAP. t is not of unit length. The authors concatenate 20 augmented views.
package struct CLAP: Head {
    package static let kind = HeadKind.clap

    package let settings: PrototypeSettings
    let prototypes: Prototypes
    /// `[classes, width]`, not of unit length.
    package var values: Matrix { prototypes.values }
    package var multipliers: [Float] { prototypes.multipliers }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: PrototypeSettings, context: HeadContext
    ) throws(HeadError) -> CLAP {
        CLAP(
            settings: settings,
            prototypes: try Prototypes(examples, head: kind, settings: settings, isConstrained: true, context: context))
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
