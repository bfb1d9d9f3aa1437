import Foundation

extension Backbone {
    /// The tokenizer that the backbone was trained with.
    ///
    /// - Parameter vocabularyPath: CLIP's vocabulary; nil for the one beside the backbone. One that reads bytes needs none.
    /// - Throws: `ModelError` where it is missing or of another size, `TokenizerError` where it is damaged.
    package func tokenizer(vocabularyPath: String?) throws -> any Tokenizer {
        let tokenizer: any Tokenizer
        switch (description.tokenizer, vocabularyPath ?? self.vocabularyPath) {
        case (.bytes, _): tokenizer = ByteTokenizer()
        case (.clipBPE, let path?):
            let vocabulary = try BPEVocabulary(path: path)
            if let digest = description.vocabularyDigest, digest != vocabulary.digest { throw ModelError.otherVocabulary(path: path) }
            tokenizer = BPETokenizer(vocabulary: vocabulary)
        case (.clipBPE, nil): throw ModelError.missingVocabulary(backbone: description.name)
        }
        guard tokenizer.vocabularySize == architecture.vocabularySize else {
            throw ModelError.vocabularySize(tokenizer: tokenizer.vocabularySize, backbone: architecture.vocabularySize)
        }
        return tokenizer
    }

    /// The token sequences of all classes: room for prompts where these are learned, else the template.
    ///
    /// - Parameters:
    ///   - textTokens: learned prompts before each name.
    ///   - template: words with `{}` in the name's place; ViFi-CLIP's where nil.
    /// - Throws: `ModelError` without names, `TokenizerError` naming all classes that do not fit.
    package func sequences(
        of classNames: [String], textTokens: Int, template: String?, tokenizer: any Tokenizer
    ) throws -> [[Int]] {
        guard !classNames.isEmpty else { throw ModelError.noClasses }
        // As in the reference (methods 1.1): learned prompts read names with spaces, the template takes them as they are.
        let names = textTokens > 0 ? classNames.map { $0.replacingOccurrences(of: "_", with: " ") } : classNames
        return try TokenSequence.sequences(
            for: names, wording: textTokens > 0 ? .prompts(count: textTokens) : template.map { .template($0) } ?? .photo,
            tokenizer: tokenizer, contextLength: architecture.contextLength
        ).map(\.tokens)
    }
}
