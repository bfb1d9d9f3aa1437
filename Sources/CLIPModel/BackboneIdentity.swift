import Files

// What makes two backbones the same one: their weights, and everything that changes what these compute.

extension Backbone {
    /// A backbone's digest: that of its weights alone for a CLIP as OpenAI built it, so that the same weights have one
    /// digest wherever they come from; otherwise SHA-256 over that digest and what differs.
    ///
    /// OpenAI's have QuickGELU, heads of 64, CLIP's own normalization of pixels, and its byte-pair vocabulary.
    static func digest(
        ofWeights weights: String, architecture: CLIPArchitecture, description: BackboneDescription
    ) -> String {
        let facts = facts(of: architecture, description)
        guard !facts.isEmpty else { return weights }
        return Digest.of(([weights] + facts).map { $0 + "\n" }.joined())
    }

    private static func facts(of architecture: CLIPArchitecture, _ description: BackboneDescription) -> [String] {
        var facts: [String] = []
        if architecture.activation != .quickGELU { facts.append("activation \(architecture.activation.rawValue)") }
        if let activation = architecture.otherTextActivation { facts.append("\(ArchitectureMetadata.textActivation) \(activation.rawValue)") }
        for (key, tower) in [(ArchitectureMetadata.visionHeads, architecture.vision), (ArchitectureMetadata.textHeads, architecture.text)]
        where tower.headCount != CLIPArchitecture.Tower.usualHeadCount(width: tower.width) {
            facts.append("\(key) \(tower.headCount)")
        }
        facts += (architecture.crossFrame?.metadata(width: architecture.embeddingWidth) ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
        facts += architecture.form.metadata.map { "\($0.key) \($0.value)" }
        if description.normalization != .clip { facts.append("normalisation \(description.normalization.name)") }
        if description.tokenizer != .clipBPE { facts.append("tokenizer \(description.tokenizer.rawValue)") }
        return facts
    }

    /// Whether a file that names a backbone by `digest` means this one.
    ///
    /// - Parameter weights: the digest of the weights alone that the file names beside it. Files of before the two were
    ///   told apart have none: what they call the digest is that of the weights.
    package func isNamed(by digest: String, weights: String?) -> Bool {
        digest == self.digest || (weights == nil && digest == weightsDigest)
    }
}

/// How many heads both towers have.
package struct HeadCounts: Sendable, Equatable {
    package var vision: Int
    package var text: Int

    package init(vision: Int, text: Int) {
        self.vision = vision
        self.text = text
    }
}

extension CLIPArchitecture {
    package var headCounts: HeadCounts { HeadCounts(vision: vision.headCount, text: text.headCount) }
}

extension Backbone {
    /// - Parameter what: needs frames that are seen alone, as `ModelError.framesSeeEachOther` says it.
    package func requireFramesAlone(for what: String) throws(ModelError) {
        if architecture.crossFrame != nil { throw .framesSeeEachOther(what: what) }
    }

    /// - Parameter frameCount: of every clip.
    package func check(frameCount: Int) throws(ModelError) {
        if let own = architecture.crossFrame?.frameCount, own != frameCount { throw .otherFrames(asked: frameCount, own: own) }
    }
}
