import Files
import Methods

/// What `learn --method` learns on features that are computed once.
package enum HeadMethod: Equatable, Sendable {
    /// The best of all, by clips that are held out in turn.
    case auto
    case head(HeadKind)

    package var name: String { if case .head(let kind) = self { kind.rawValue } else { "auto" } }

    /// The heads that it may come to.
    package var candidates: [HeadKind] { if case .head(let kind) = self { [kind] } else { HeadChoice.order } }

    /// - Parameter text: `auto` or a head's name.
    /// - Throws: `HeadUseError` for another word.
    package init(_ text: String) throws(HeadUseError) {
        if text == "auto" {
            self = .auto
        } else if let kind = HeadKind(rawValue: text) {
            self = .head(kind)
        } else {
            throw .noMethod(name: text, nearest: text.nearest(among: ["auto", "prompts"] + PromptMethods.names + HeadKind.allCases.map(\.rawValue)))
        }
    }
}
