import ArgumentParser
import CLIPModel
import Files
import Tensors

extension PromptLayers {
    /// For flags; ArgumentParser's own words would not say what is wrong.
    static func parsed(_ argument: String) throws -> PromptLayers {
        guard let layers = PromptLayers(argument) else { throw ValidationError(complaint(about: argument)) }
        return layers
    }
}

/// Prompts that were learned before.
struct PromptOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Learned prompts: a prompt file, the folder of a run or of `export --to peft`, or a ViFi-CLIP .pth.", valueName: "path"))
    var prompts: String?

    @Flag(help: anyBackboneHelp)
    var anyBackbone = false
}

let anyBackboneHelp: ArgumentHelp = "Use prompts with another backbone than they were learned on, if only their shapes fit."

/// Prompts that learning goes on from.
struct InitialPromptOptions: ParsableArguments {
    @Option(
        name: .customLong("init"),
        help: ArgumentHelp(
            "Learned prompts to start from, in any form that predict reads; they decide on tokens and layers.",
            valueName: "path"))
    var path: String?

    @Flag(help: anyBackboneHelp)
    var anyBackbone = false

    func validate() throws {
        guard path != nil || !anyBackbone else { throw ValidationError("--any-backbone is about the prompts of --init.") }
    }

    /// The prompts to start from; nil where nobody named any.
    ///
    /// - Parameters:
    ///   - asked: numbers of tokens and layers that the command line names. What only a recipe says gives way.
    ///   - normalization: of the run's pixels.
    /// - Throws: `InitialPromptsError` where the file has other numbers; `ModelError` where it does not fit the backbone.
    func prompts(
        for backbone: Backbone, asked: Recipe.Prompts, normalization: PixelNormalization
    ) throws -> PromptSet<MutableMatrix>? {
        guard let path else { return nil }
        let name = path.escapedForDisplay
        let file = try PromptFile.load(path)
        let found = file.header.configuration
        let wanted: [(flag: String, asked: String?, found: String)] = [
            ("--vision-tokens", asked.visionTokens.map { "\($0)" }, "\(found.visionTokens)"),
            ("--vision-depth", found.visionTokens == 0 && asked.visionTokens == 0 ? nil : asked.visionDepth.map { "\($0)" }, "\(found.visionDepth)"),
            ("--vision-layers", asked.visionLayers?.text, PromptLayers(found.visionLayers).text),
            ("--text-tokens", asked.textTokens.map { "\($0)" }, "\(found.textTokens)"),
            ("--text-depth", found.textTokens == 0 && asked.textTokens == 0 ? nil : asked.textDepth.map { "\($0)" }, "\(found.textDepth)"),
            ("--text-layers", asked.textLayers?.text, PromptLayers(found.textLayers).text),
        ]
        let contradictions = wanted.compactMap { flag, asked, found in
            asked.flatMap { $0 == found ? nil : InitialPromptsError.Contradiction(flag: flag, asked: $0, found: found) }
        }
        guard contradictions.isEmpty else { throw InitialPromptsError(path: path, contradictions: contradictions) }
        for note in file.notes + [found.replacedWordsNote].compactMap(\.self) { Console.note("\(name): \(note)") }
        let checked = try file.checked(for: backbone, path: path, anyBackbone: anyBackbone)
        if checked.header.normalization != normalization {
            Console.warning(
                "\(name): the prompts are used to pixels normalized as \(checked.header.normalization.name), this run "
                    + "normalizes as \(normalization.name). Set model.normalization=\(checked.header.normalization.name) to keep to theirs.")
        }
        Console.note(
            "Starting from \(name): \(found.visionWords) of the vision tower, \(found.textWords) of the text tower")
        func copies(_ layers: [Matrix]) -> [MutableMatrix] {
            layers.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount, $0.values) }
        }
        return PromptSet(
            vision: copies(checked.prompts.vision), text: copies(checked.prompts.text),
            visionStart: checked.prompts.visionStart, textStart: checked.prompts.textStart,
            replacedWords: checked.prompts.replacedWords)
    }
}

/// The command line asks for other numbers of tokens or layers than the prompts of `--init` have.
struct InitialPromptsError: ReportableError {
    struct Contradiction {
        let flag: String
        let asked: String
        let found: String
    }

    let path: String
    let contradictions: [Contradiction]

    var exitStatus: ExitStatus { .usage }
    var description: String {
        let words = contradictions.map { "\($0.flag) is \($0.asked), the prompts have \($0.found)" }.joined(separator: "; ")
        return "\(path.escapedForDisplay): \(words). Leave the flags out: with --init the file decides."
    }
}
