import CLIPModel
import Files
import Recipes

/// What is said of the model that is taken.
package enum ModelNote: Sendable, Equatable, CustomStringConvertible {
    case backbone(path: String, name: String, architecture: CLIPArchitecture)
    /// What a method of a protocol learns on.
    case backboneOfMethod(LearningMethod, path: String, name: String, architecture: CLIPArchitecture)
    /// Found where nobody named one.
    case backboneFound(path: String, by: BackboneMark)
    case backboneUnchanged(digest: String)
    case precision(PrecisionNote)
    /// For class names, where the sentences of a prompt file are not in it.
    case sentences(path: String, count: Int, bundled: String)
    case startingFrom(path: String, PromptConfiguration)
    case newestRun(path: String, withClassNames: Bool)
    case pocketBackbone(path: String)
    /// Whose prompts and heads answer while they are there.
    case folderWatched(path: String, answering: Int, faults: Int)

    /// What a backbone was known by.
    package enum BackboneMark: Sendable, Equatable {
        case digest, weights
    }

    package var description: String {
        switch self {
        case .backbone(let path, let name, let architecture):
            "Backbone: \(path.escapedForDisplay) (\(Backbone.displayed(name)), \(architecture.summary))"
        case .backboneOfMethod(let method, let path, let name, let architecture):
            "Backbone of \(method.title): \(path.escapedForDisplay) (\(Backbone.displayed(name)), \(architecture.summary))"
        case .backboneFound(let path, let mark):
            "Backbone: \(path) (by its \(mark == .digest ? "digest" : "weights"))"
        case .backboneUnchanged(let digest):
            "The backbone's SHA-256 is \(digest.prefix(12))… as before: only prompts have changed."
        case .precision(let note): note.description
        case .sentences(let path, let count, let bundled):
            "\(path.escapedForDisplay): class names are read in the \(count) sentences of \(bundled)"
        case .startingFrom(let path, let configuration):
            "Starting from \(path.escapedForDisplay): \(configuration.visionWords) of the vision tower, \(configuration.textWords) of the text tower"
        case .newestRun(let path, let withClassNames):
            "The newest run is taken: \(path.escapedForDisplay), with its own lists\(withClassNames ? " and class names" : ""). "
                + "Name a model and data for others."
        case .pocketBackbone(let path):
            "The pocket world's CLIP is taken: \(path.escapedForDisplay). For your own pass --prompts or --backbone."
        case .folderWatched(let path, let answering, let faults):
            "\(path.escapedForDisplay) is watched: \(answering) of its files answer, \(faults) do not."
        }
    }
}

/// What is odd about a model, or not done as somebody asked.
package enum ModelWarning: Sendable, Equatable, CustomStringConvertible {
    case checkpoint(path: String, CheckpointWarning)
    case foreignBackbone(path: String, ForeignBackbone)
    case otherNormalization(path: String, learned: PixelNormalization, used: PixelNormalization)
    /// - Parameter path: nil where prompts come from no file; so in the next ones.
    case otherMatch(path: String?, learned: String, used: Recipe.DescriptionMatch)
    case needsDescriptions(path: String?)
    case templateNotUsed(path: String?)
    /// Prompts of later layers, which were learned above these words.
    case templateFixed(firstLayer: Int, template: String)
    case textTokensNotUsed(Int)

    package var description: String {
        switch self {
        case .checkpoint(let path, let warning): "\(path.escapedForDisplay): \(warning)"
        case .foreignBackbone(let path, let foreign): "\(path.escapedForDisplay): \(foreign.warning)"
        case .otherNormalization(let path, let learned, let used):
            "\(path.escapedForDisplay): the prompts are used to pixels normalized as \(learned.name), this run "
                + "normalizes as \(used.name). Set model.normalization=\(learned.name) to keep to theirs."
        case .otherMatch(let path, let learned, let used):
            "\(Self.prompts(path)) was learned with --match \(learned), not \(used.rawValue)."
        case .needsDescriptions(let path):
            "\(Self.prompts(path)) was learned with descriptions of the classes, here it reads their names. Pass --descriptions FILE."
        case .templateNotUsed(let path): "--template is not used: \(Self.prompts(path)) has text prompts in its place."
        case .templateFixed(let firstLayer, let template):
            "the text prompts begin at layer \(firstLayer) and were learned above the words of "
                + "\"\(template.escapedForDisplay)\": these are used, no other template."
        case .textTokensNotUsed(let count):
            "--text-tokens \(count) is not used: prompts.start is template, which has its own number of tokens."
        }
    }

    private static func prompts(_ path: String?) -> String { path?.escapedForDisplay ?? "the prompts" }
}
