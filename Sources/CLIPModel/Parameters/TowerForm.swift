import Tensors

/// What the towers of a backbone do otherwise than those of OpenAI's CLIP. Sizes apart, this is all that tells families of
/// two-tower models from each other.
package struct TowerForm: Sendable, Equatable {
    /// Raw values are the names that backbone files use.
    package enum Family: String, Sendable, CaseIterable {
        case clip
        /// Bolya et al. 2025, PE-Core: rotary positions on top of learned ones, and attention that pools all tokens of a frame.
        case perceptionEncoder = "perception-encoder"
        /// Zhai et al. 2023, SigLIP, and SigLIP 2 of fixed size (Tschannen et al. 2025): attention that pools all patches of a frame,
        /// whose vector is not projected, and texts that are read without a mask and whose last place speaks for them.
        case sigLIP = "siglip"
    }

    package var family: Family
    /// Whether a class token stands before the patches. SigLIPs and PE-Core's largest have none.
    package var hasClassToken: Bool

    package init(_ family: Family, hasClassToken: Bool = true) {
        precondition(hasClassToken || family != .clip, "a CLIP has a class token")
        (self.family, self.hasClassToken) = (family, hasClassToken && family != .sigLIP)
    }

    package static let clip = TowerForm(.clip)

    /// Whether queries and keys of a frame's patches are turned by their places.
    var isRotary: Bool { family == .perceptionEncoder }

    /// Whether patches have a bias, the image tower has no norm before its blocks and no projection behind them, and what the text
    /// tower reads out has a bias.
    var hasSigLIPEnds: Bool { family == .sigLIP }

    /// Whether a token of a text sees those before it alone.
    package var isTextCausal: Bool { family != .sigLIP }

    /// Of every norm in both towers.
    package var normEpsilon: Float { family == .sigLIP ? 1e-6 : usualNormEpsilon }

    /// Whether texts that are too long lose their end, as with the tokenizers of these models, and are not refused.
    var cutsLongTexts: Bool { family != .clip }

    /// For messages: "a Perception Encoder".
    var name: String {
        switch family {
        case .clip: "a CLIP"
        case .perceptionEncoder: "a Perception Encoder (PE)"
        case .sigLIP: "a SigLIP"
        }
    }
}

extension CLIPArchitecture {
    /// Class token and patches of a frame.
    package var frameTokenCount: Int { patchCount + (form.hasClassToken ? 1 : 0) }

    /// Heads of the attention that pools the tokens of a frame, which no file says; nil where the class token is read.
    package var poolingHeadCount: Int? {
        switch form.family {
        case .clip: nil
        case .perceptionEncoder: 8
        case .sigLIP: vision.headCount
        }
    }

    /// Of the MLP behind that attention; PE-Core's largest has wider ones in its blocks.
    var poolingMLPWidth: Int { form.family == .perceptionEncoder ? 4 * vision.width : vision.mlpWidth }

    /// - Parameter what: is computed in towers of CLIP's form alone, as a subject: "tokens merge".
    package func requireForm(of family: TowerForm.Family = .clip, for what: String) throws(ModelError) {
        if form.family != family { throw .otherForm(form.name, what: what) }
    }
}
