import ArgumentParser
import Experiments
import Recipes

/// Sentences in place of class names.
struct DescriptionOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Descriptions of every class in place of its name: JSON or YAML, `class name: [sentence, …]`. May be repeated, a file for each kind of them.",
            valueName: "file"))
    var descriptions: [String] = []

    @Option(
        help: ArgumentHelp(
            "How videos are compared with descriptions: mean, with their mean vector (the default), or transport, frames matched with descriptions as OST does.",
            valueName: "way"))
    var match: Recipe.DescriptionMatch?

    func validate() throws {
        guard match == nil || !descriptions.isEmpty else { throw ValidationError("--match is for --descriptions.") }
    }

    /// Nil for names.
    var read: ClassDescriptions? {
        get throws { descriptions.isEmpty ? nil : try ClassDescriptions(descriptions, match: match ?? .mean) }
    }
}

extension Recipe.DescriptionMatch: ExpressibleByArgument {}
