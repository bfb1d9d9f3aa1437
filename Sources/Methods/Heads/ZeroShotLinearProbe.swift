/// ZS-LP: a linear probe on cosines that starts from the texts. CLAP without its constraints.
///
/// Source: Silva-Rodríguez et al., CVPR 2024; jusiro/CLAP.
package struct ZeroShotLinearProbe: PrototypeHead {
    package static let kind = HeadKind.zsLP
    package static let isConstrained = false

    package let settings: PrototypeSettings
    package let core: Prototypes

    package init(settings: PrototypeSettings, core: Prototypes) {
        self.settings = settings
        self.core = core
    }
}
