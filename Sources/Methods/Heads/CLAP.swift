/// CLAP: class vectors that start at the texts and are held near them, each by as much as the texts alone know the class.
///
///     loss = CE(s · f̂·p̂_c) + mean_c λ_c ‖p_c − t_c‖²
///
/// λ_c is the mean zero-shot probability of class c on its own views, and constant. Source: Silva-Rodríguez et al., CVPR 2024;
/// jusiro/CLAP. t is not of unit length. The authors concatenate 20 augmented views.
package struct CLAP: PrototypeHead {
    package static let kind = HeadKind.clap
    package static let isConstrained = true

    package let settings: PrototypeSettings
    package let core: Prototypes

    package init(settings: PrototypeSettings, core: Prototypes) {
        self.settings = settings
        self.core = core
    }
}
