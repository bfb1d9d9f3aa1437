/// The token sequences of captions, and how many of them had to be cut.
package struct CaptionSequences: Sendable, Equatable {
    package let sequences: [[Int]]
    /// Captions that lost their end.
    package let cutCount: Int
    /// Most tokens of a caption, with start and end token and without learned prompts.
    package let tokenLimit: Int
}

extension Backbone {
    /// Tokens of captions as training and retrieval take them. Unlike class names, captions that are too long are
    /// cut, as CLIP does; the end token stays.
    ///
    /// - Parameters:
    ///   - prompts: learned prompts, which take the place of the template's words before `{}`.
    ///   - template: words with `{}` in the caption's place; the caption alone where nil.
    ///   - maxWords: most tokens of a caption, start and end token included, as CLIP4Clip counts its "words"
    ///     (dataloader_msrvtt_retrieval.py, `_get_text`); the context length where nil.
    /// - Throws: `TokenizerError` naming captions that are empty or spell a start or end token, a template without
    ///   `{}`, or where no room is left.
    package func sequences(
        ofCaptions captions: [String], prompts: PromptConfiguration, template: String?, maxWords: Int? = nil,
        tokenizer: any Tokenizer
    ) throws -> CaptionSequences {
        if let words = prompts.words {
            // The sentences stand where names do.
            if case .context(_, _, .some) = words { throw ModelError.prompts(.classWordsWithoutNames) }
            let limit = min(maxWords ?? .max, architecture.contextLength - words.takenCount)
            let own = try sequences(ofCaptions: captions, textTokens: 0, template: nil, maxWords: limit, tokenizer: tokenizer)
            let names = own.sequences.map { tokens in
                let end = tokens.firstIndex(of: tokenizer.endToken) ?? tokens.count - 1
                // The words take the place of padding.
                return LearnedWords.Name(
                    tokens: tokenizer.paddingToken == nil ? tokens : Array(tokens.dropLast(words.takenCount)), length: end - tokenizer.startCount, label: 0)
            }
            return CaptionSequences(
                sequences: words.sequences(of: names, vocabularySize: architecture.vocabularySize, startCount: tokenizer.startCount),
                cutCount: own.cutCount, tokenLimit: own.tokenLimit)
        }
        let made = try sequences(
            ofCaptions: captions, textTokens: prompts.textTokens, replacedWords: prompts.replacedWords, template: template, maxWords: maxWords, tokenizer: tokenizer)
        return CaptionSequences(
            sequences: try withWords(made.sequences, in: prompts, of: template ?? "{}", tokenizer: tokenizer),
            cutCount: made.cutCount, tokenLimit: made.tokenLimit)
    }

    /// The same with room for prompts that nothing stands in yet.
    package func sequences(
        ofCaptions captions: [String], textTokens: Int, replacedWords: String? = nil, template: String?, maxWords: Int? = nil, tokenizer: any Tokenizer
    ) throws(TokenizerError) -> CaptionSequences {
        let (words, suffix, _) = try TokenSequence.parts(of: .template(template ?? "{}"))
        let prefix = textTokens > 0 ? replacedWords.map { $0 + " " } ?? "" : words
        let droppedCount = textTokens > 0 ? min(textTokens, tokenizer.encode(prefix).count) : 0
        let limit = min(architecture.contextLength - textTokens, maxWords ?? .max)
        guard limit > tokenizer.frameCount else { throw .noRoomForCaptions(tokens: limit + textTokens, promptTokens: textTokens) }
        let prompts = [Int](repeating: 0, count: textTokens)
        var faults: [TokenizerError.ClassNameFault] = []
        var sequences: [[Int]] = []
        var cutCount = 0
        for (index, caption) in captions.enumerated() {
            let ids = Array(tokenizer.encode(prefix + caption + suffix).dropFirst(droppedCount))
            if tokenizer.isEmpty(caption) {
                faults.append(.init(index: index, name: caption, problem: .empty))
            } else if tokenizer.holdsSpecialToken(ids) {
                faults.append(.init(index: index, name: caption, problem: .holdsSpecialToken))
            }
            let kept = ids.prefix(limit - tokenizer.frameCount)
            if kept.count < ids.count { cutCount += 1 }
            // Padding reaches to the context length, however many words are kept.
            sequences.append(tokenizer.sequence(of: Array(kept), prompts: prompts, length: architecture.contextLength))
        }
        guard faults.isEmpty else { throw .captions(faults) }
        return CaptionSequences(sequences: sequences, cutCount: cutCount, tokenLimit: limit)
    }
}
