import CLIPModel
import Evaluation
import Files
import Training
import VideoData

/// Says what is odd about the classes of lists: one class alone, and classes that a list has no video of.
package func tellClassFaults(_ classes: ClassNames, _ lists: AnnotationList..., context: RunContext) {
    if classes.count == 1 { context.warning(.list(.oneClass(name: classes[0]))) }
    for list in lists {
        if let warning = list.emptyClassWarning(classes) { context.warning(.list(warning)) }
    }
}

/// Says which class names cannot be told apart by what the model reads of them.
///
/// - Parameter sequences: the names' tokens.
package func tellEqualTokens(_ names: [String], _ sequences: [[Int]], _ context: RunContext) {
    var first: [[Int]: Int] = [:]
    for (label, tokens) in sequences.enumerated() where label < names.count {
        guard let other = first[tokens] else {
            first[tokens] = label
            continue
        }
        // The same text twice is told where the names are read.
        guard names[other] != names[label] else { continue }
        context.warning(.data(.equalTokens(first: .init(label: other, name: names[other]), second: .init(label: label, name: names[label]))))
    }
}

extension LoadedModel {
    /// Says where the classes of a list are those of the prompt file in another order or in other words.
    package func tellDifferences(of classes: ClassNames, list: String, context: RunContext) throws {
        guard let learned = prompts?.header.classNames, learned != classes.names, learned.count == classes.count, let path = promptPath else { return }
        func tokens(_ names: [String]) throws -> [[Int]] { try backbone.sequences(of: names, textTokens: 0, template: "{}", tokenizer: tokenizer) }
        let (ours, theirs) = (try tokens(classes.names), try tokens(learned))
        if ours == theirs {
            let other = zip(learned, classes.names).first { $0 != $1 }
            context.note(.data(.namesDiffer(prompts: path, first: other.map { .init(here: $1, there: $0) })))
        } else if Set(ours) == Set(theirs), let label = ours.indices.first(where: { ours[$0] != theirs[$0] }) {
            context.warning(
                .data(.otherOrder(prompts: path, label: label, names: .init(here: classes[label], there: learned[label]), list: list)))
        }
    }
}

extension EvaluationJob {
    /// The class names that prompts were learned with; nil where they name none.
    package static func learnedNames(_ prompts: String?, context: RunContext) throws -> ClassNames? {
        guard let prompts else { return nil }
        let names = try HeadFile.file(at: prompts).map { try HeadFile.load($0).header.classNames } ?? PromptFile.load(prompts).header.classNames
        guard !names.isEmpty else { return nil }
        context.note(.data(.classesOfPrompts(path: prompts)))
        return ClassNames(names)
    }
}
