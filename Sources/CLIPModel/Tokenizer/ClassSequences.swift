import Foundation

extension Backbone {
    /// The tokenizer that the backbone was trained with.
    ///
    /// - Parameter vocabularyPath: CLIP's vocabulary, or a SigLIP's `tokenizer.json` or `spiece.model`; nil for the one beside the
    ///   backbone. One that reads bytes needs none.
    /// - Throws: `ModelError` where it is missing or of another size, `TokenizerError` where it is damaged.
    package func tokenizer(vocabularyPath: String?) throws -> any Tokenizer {
        let tokenizer: any Tokenizer
        switch (description.tokenizer, vocabularyPath ?? self.vocabularyPath) {
        case (.bytes, _): tokenizer = ByteTokenizer()
        case (.clipBPE, let path?):
            let vocabulary = try BPEVocabulary(path: path)
            if let digest = description.vocabularyDigest, digest != vocabulary.digest { throw ModelError.otherVocabulary(path: path) }
            tokenizer = BPETokenizer(vocabulary: vocabulary)
        case (.siglip, let path?), (.siglip2, let path?):
            let own = try SentencePieceTokenizer(path: path, isSecond: description.tokenizer == .siglip2)
            if let digest = description.vocabularyDigest, digest != own.digest { throw ModelError.otherVocabulary(path: path) }
            tokenizer = own
        case (.clipBPE, nil): throw ModelError.missingVocabulary(backbone: description.name)
        case (.siglip, nil), (.siglip2, nil): throw ModelError.missingTokenizer(backbone: description.name)
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
    ///   - replacedWords: `PromptConfiguration.replacedWords`.
    ///   - template: words with `{}` in the name's place; ViFi-CLIP's where nil.
    ///   - keepsUnderscores: the template takes names with their `_`, as in the reference (methods 1.1);
    ///     otherwise, and with learned prompts always, these are read as spaces.
    /// - Throws: `ModelError` without names, `TokenizerError` naming all classes that do not fit.
    package func sequences(
        of classNames: [String], textTokens: Int, replacedWords: String? = nil, template: String?, keepsUnderscores: Bool = false,
        tokenizer: any Tokenizer
    ) throws -> [[Int]] {
        guard !classNames.isEmpty else { throw ModelError.noClasses }
        let names = keepsUnderscores && textTokens == 0
            ? classNames : classNames.map { $0.replacingOccurrences(of: "_", with: " ") }
        return try TokenSequence.sequences(
            for: names, wording: wording(textTokens: textTokens, replacedWords: replacedWords, template: template),
            tokenizer: tokenizer, contextLength: architecture.contextLength, cutsLongTexts: architecture.form.cutsLongTexts
        ).map(\.tokens)
    }

    private func wording(textTokens: Int, replacedWords: String?, template: String?) -> TextWording {
        guard textTokens > 0 else { return template.map { .template($0) } ?? .photo }
        return replacedWords.map { .replacedWords($0, count: textTokens) } ?? .prompts(count: textTokens)
    }

    /// The token sequences of all classes for `prompts`, parameters as above.
    ///
    /// Where text prompts begin above the first layer, the layers below read words in their places: the last
    /// of those that `template` has before the name, as many as there are prompts. Where it has fewer, `X`
    /// stands in the places before them, as in the reference's placeholders (methods 1.2). What `template` says
    /// after the name is not used: name, full stop and end token follow, as with all text prompts.
    ///
    /// - Parameter learned: names of the classes that words were learned for, where these are others for each; nil for `classNames`.
    package func sequences(
        of classNames: [String], prompts: PromptConfiguration, template: String?, keepsUnderscores: Bool = false,
        learned: [String]? = nil, tokenizer: any Tokenizer
    ) throws -> [[Int]] {
        if let words = prompts.words {
            return try sequences(of: classNames, with: words, learned: learned, tokenizer: tokenizer)
        }
        let sequences = try sequences(
            of: classNames, textTokens: prompts.textTokens, replacedWords: prompts.replacedWords, template: template, keepsUnderscores: keepsUnderscores, tokenizer: tokenizer)
        return try withWords(sequences, in: prompts, of: template ?? TextWording.photoTemplate, tokenizer: tokenizer)
    }

    /// With learned words in the place of a template's.
    private func sequences(of classNames: [String], with words: LearnedWords, learned: [String]?, tokenizer: any Tokenizer) throws -> [[Int]] {
        guard !classNames.isEmpty else { throw ModelError.noClasses }
        let names = classNames.map { $0.replacingOccurrences(of: "_", with: " ") }
        let sequences = try TokenSequence.sequences(
            for: names, wording: .template(words.template), tokenizer: tokenizer, contextLength: architecture.contextLength - words.takenCount)
        let labels = try words.labels(of: classNames, learned: learned)
        return words.sequences(
            of: zip(names, zip(sequences, labels)).map { name, own in
                LearnedWords.Name(
                    tokens: own.0.tokens, length: min(tokenizer.encode(name).count, own.0.tokens.count - tokenizer.frameCount), label: own.1)
            }, vocabularySize: architecture.vocabularySize, startCount: tokenizer.startCount)
    }

    /// Sequences with room for prompts, with words in it where prompts begin above the first layer.
    func withWords(
        _ sequences: [[Int]], in prompts: PromptConfiguration, of template: String, tokenizer: any Tokenizer
    ) throws -> [[Int]] {
        guard prompts.textLayers.lowerBound > 0 else { return sequences }
        let words = try templateTokens(template, tokenizer: tokenizer).suffix(prompts.textTokens)
        let placeholder = tokenizer.encode("X").first ?? 0
        let fillers = Array(repeating: placeholder, count: prompts.textTokens - words.count) + words
        let start = tokenizer.startCount
        return sequences.map { $0.prefix(start) + fillers + $0.dropFirst(start + fillers.count) }
    }
}
