import CLIPModel
import Files
import Methods
import Recipes
import Tensors

extension InitialPrompts {
    /// The prompts to start from.
    ///
    /// - Parameters:
    ///   - asked: numbers of tokens and layers that the command line names. What only a recipe says gives way.
    ///   - method: that learns; nil for ViFi-CLIP's prompts.
    ///   - normalization: of the run's pixels.
    /// - Throws: `InitialPromptsError` where the file has other numbers; `ModelError` where it does not fit the backbone.
    package func prompts(
        for backbone: Backbone, asked: Recipe.Prompts, method: PromptMethod?, normalization: PixelNormalization, context: RunContext
    ) throws -> PromptSet<MutableMatrix> {
        let file = try PromptFile.load(path)
        let found = file.header.configuration
        if let method, method.pixels != nil, found.pixels == nil { throw PromptMethodUseError.startsWithoutPixels(path: path, method: method.name) }
        guard found.words == nil, !found.followsVideos, file.video == nil, found.pixels == nil || method?.pixels != nil else {
            throw PromptMethodUseError.startsFromMethod(
                path: path, method: file.header.method ?? (found.followsVideos ? "cocoop" : found.pixels != nil ? "pixel" : "a5"))
        }
        let wanted: [(flag: String, asked: String?, found: String)] = [
            ("--vision-tokens", asked.visionTokens.map { "\($0)" }, "\(found.visionTokens)"),
            ("--vision-depth", found.visionTokens == 0 && asked.visionTokens == 0 ? nil : asked.visionDepth.map { "\($0)" }, "\(found.visionDepth)"),
            ("--vision-layers", asked.visionLayers?.text, PromptLayers(found.visionLayers).text),
            ("--text-tokens", asked.textTokens.map { "\($0)" }, "\(found.textTokens)"),
            ("--text-depth", found.textTokens == 0 && asked.textTokens == 0 ? nil : asked.textDepth.map { "\($0)" }, "\(found.textDepth)"),
            ("--text-layers", asked.textLayers?.text, PromptLayers(found.textLayers).text),
            ("--prompts-behind-norm", asked.behindNorm.map { "\($0)" }, "\(found.isBehindNorm)"),
            ("--merge-tokens", asked.mergeTokens.map { "\($0)" }, "\(found.mergedTokens)"),
            ("--pixel-form", asked.pixelForm?.rawValue, found.pixels?.form.rawValue ?? "none"),
            ("--pixel-width", asked.pixelWidth.map { "\($0)" }, "\(found.pixels?.width ?? 0)"),
        ]
        let contradictions = wanted.compactMap { flag, asked, found in
            asked.flatMap { $0 == found ? nil : InitialPromptsError.Contradiction(flag: flag, asked: $0, found: found) }
        }
        guard contradictions.isEmpty else { throw InitialPromptsError(path: path, contradictions: contradictions) }
        for note in file.notes + [found.replacedWordsNote].compactMap(\.self) { context.note(.ofFile(path: path, note: note)) }
        let checked = try file.checked(for: backbone, path: path, anyBackbone: anyBackbone, context: context)
        if checked.header.normalization != normalization {
            context.warning(.model(.otherNormalization(path: path, learned: checked.header.normalization, used: normalization)))
        }
        context.note(.model(.startingFrom(path: path, found)))
        return checked.prompts.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount, $0.values) }
    }
}

/// The command line asks for other numbers of tokens or layers than the prompts of `--init` have.
package struct InitialPromptsError: ReportableError {
    package struct Contradiction {
        package let flag: String
        package let asked: String
        package let found: String
    }

    package let path: String
    package let contradictions: [Contradiction]

    package var exitStatus: ExitStatus { .usage }
    package var description: String {
        let words = contradictions.map { "\($0.flag) is \($0.asked), the prompts have \($0.found)" }.joined(separator: "; ")
        return "\(path.escapedForDisplay): \(words). Leave the flags out: with --init the file decides."
    }
}
