import Tensors

/// What the towers of a backbone do otherwise than those of OpenAI's CLIP. Sizes apart, this is all that tells families of
/// two-tower models from each other.
package struct TowerForm: Sendable, Equatable {
    /// Raw values are the names that backbone files use.
    package enum Family: String, Sendable, CaseIterable {
        case clip
        /// Bolya et al. 2025, PE-Core: rotary positions on top of learned ones, and attention that pools all tokens of a frame.
        case perceptionEncoder = "perception-encoder"
    }

    package var family: Family
    /// Whether a class token stands before the patches. PE-Core's largest has none.
    package var hasClassToken: Bool

    package init(_ family: Family, hasClassToken: Bool = true) {
        (self.family, self.hasClassToken) = (family, hasClassToken)
    }

    package static let clip = TowerForm(.clip)

    /// Whether queries and keys of a frame's patches are turned by their places.
    var isRotary: Bool { family == .perceptionEncoder }

    /// Heads of the attention that pools the tokens of a frame, which no file says; nil where the class token is read.
    package var poolingHeadCount: Int? { family == .perceptionEncoder ? 8 : nil }

    /// Whether texts that are too long lose their end, as with the tokenizers of these models, and are not refused.
    var cutsLongTexts: Bool { family != .clip }

    /// For messages: "a Perception Encoder".
    var name: String {
        switch family {
        case .clip: "a CLIP"
        case .perceptionEncoder: "a Perception Encoder (PE)"
        }
    }
}

extension CLIPArchitecture {
    /// Class token and patches of a frame.
    package var frameTokenCount: Int { patchCount + (form.hasClassToken ? 1 : 0) }

    /// - Parameter what: is computed in towers of CLIP's form alone, as a subject: "tokens merge".
    package func requireForm(of family: TowerForm.Family = .clip, for what: String) throws(ModelError) {
        if form.family != family { throw .otherForm(form.name, what: what) }
    }
}
