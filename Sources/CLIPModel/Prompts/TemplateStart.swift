import Tensors

extension Backbone {
    /// The tokens that a template puts before each class name, such as those of "a photo of a".
    package func templateTokens(_ template: String, tokenizer: any Tokenizer) throws -> [Int] {
        func tokens(_ wording: String) throws -> [Int] {
            try sequences(of: ["x"], textTokens: 0, template: wording, tokenizer: tokenizer).first ?? []
        }
        // A padded sequence does not tell where its text ends.
        if tokenizer.paddingToken != nil { return tokenizer.encode(String(template.prefix { $0 != "{" })) }
        let ending = template.drop { $0 != "{" }
        let behind = try tokens(String(ending)).count
        let whole = try tokens(template)
        return Array(whole.dropFirst().prefix(max(0, whole.count - behind)))
    }

    /// Text prompts that leave every class's features as the template's words make them: the words' embeddings
    /// for the first layer, the hidden states of these words for deeper ones.
    ///
    /// Random prompts (`methods.md` 1.2) put the words out of place until training has found others. A large
    /// text tower bears that; a small one that has read a single template falls far below zero-shot.
    ///
    /// - Returns: `[words, width]` for each of `layers`.
    /// - Throws: `ModelError` for deeper layers where texts are not masked: the hidden states of words then depend on the name.
    package func templatePrompts(tokens: [Int], layers: Range<Int>, pool: WorkerPool) throws(ModelError) -> [MutableMatrix] {
        let embeddings = MutableMatrix(rows: tokens.count, columns: architecture.text.width)
        for (row, token) in tokens.enumerated() { embeddings.row(row).copy(parameters.text.tokenEmbedding.row(token)) }
        if layers == 0..<1 { return [embeddings] }
        guard architecture.form.isTextCausal else { throw .prompts(.templateInDeepLayers(architecture.form.name)) }
        let words = 1..<1 + tokens.count
        // Start token and words are what two sequences with different ends share.
        let sequences = [0, 1].map { [startToken] + tokens + [$0, $0] }
        let layout = TextTowerLayout(sequences: sequences, architecture: architecture)
        let memory = TextActivations(layout: layout, architecture: architecture, keeping: .nothing, threadCount: pool.threadCount)
        text.forward(prompts: [], saved: memory, pool: pool)
        return layers.map { layer in
            if layer == 0 { return embeddings }
            let prompts = MutableMatrix(rows: tokens.count, columns: architecture.text.width)
            prompts.copy(memory.prefix[layer].input.rows(words))
            return prompts
        }
    }

    /// CLIP's vocabularies end with start and end token.
    private var startToken: Int { architecture.vocabularySize - 2 }
}
