import Tensors

/// A backbone with or without prompts, ready to score clips against class names.
///
/// The text tower runs once, when it is made, and once more for each video where prompts follow it.
package final class CLIPClassifier: Sendable {
    package let backbone: Backbone
    package var frameCount: Int { encoder.frameCount }
    /// Unit vectors of the texts: of the classes, or of several descriptions of each. Where prompts follow videos, without any.
    package let text: TextFeatures
    let head: any ClassifierHead
    package let encoder: VideoEncoder
    var pass: VisionPass { encoder.pass }
    var context: VisionPromptContext? { encoder.context }

    /// - Parameters:
    ///   - prompts: none for plain CLIP.
    ///   - sequences: one token sequence a class, with room for the text prompts.
    ///   - fusion: an X-CLIP has a head of its own in its place.
    ///   - frameCount: frames of every clip.
    package convenience init(
        backbone: Backbone, prompts: PromptSet<Matrix> = PromptSet(vision: [], text: []), sequences: [[Int]],
        fusion: Fusion = .embedding, frameCount: Int, pool: WorkerPool
    ) {
        self.init(backbone: backbone, prompts: prompts, sequences: sequences, frameCount: frameCount, pool: pool) { text in
            backbone.aggregator(fusion: fusion).head(text: text, scale: backbone.logitScale)
        }
    }

    /// With any aggregator, whose parameters must not change any more.
    package convenience init(
        backbone: Backbone, prompts: PromptSet<Matrix> = PromptSet(vision: [], text: []), sequences: [[Int]],
        aggregator: some VideoAggregator, frameCount: Int, pool: WorkerPool
    ) {
        self.init(backbone: backbone, prompts: prompts, sequences: sequences, frameCount: frameCount, pool: pool) { text in
            VideoHead(aggregator, scale: backbone.logitScale, text: text)
        }
    }

    /// With any head.
    ///
    /// - Parameter makeHead: from the classes' texts.
    package init(
        backbone: Backbone, prompts: PromptSet<Matrix> = PromptSet(vision: [], text: []), sequences: [[Int]], frameCount: Int, pool: WorkerPool,
        makeHead: @escaping @Sendable (TextFeatures) -> any ClassifierHead
    ) {
        let configuration = prompts.configuration
        let layout = TextTowerLayout(
            sequences: sequences, promptTokens: configuration.textTokens, promptLayers: configuration.textLayers, architecture: backbone.architecture)
        let memory = TextActivations(layout: layout, architecture: backbone.architecture, keeping: .nothing, threadCount: pool.threadCount)
        backbone.text.forward(prompts: prompts.text, words: prompts.words?.table, saved: memory, pool: pool)
        self.backbone = backbone
        let text = TextFeatures(memory.features)
        self.text = text
        head = OwnTexts(tower: backbone.text, prompts: prompts, memory: memory, pool: pool)
            .map { OwnTextHead($0, plain: text, makeHead: makeHead) } ?? makeHead(text)
        encoder = VideoEncoder(backbone: backbone, prompts: prompts, frameCount: frameCount, pool: pool)
    }

    package var classCount: Int { head.classCount }

    /// The logits of each clip, one per class.
    ///
    /// - Parameter clips: as `input` has them: normalized pixels, or what a learner of the same backbone and layers
    ///   froze. Threads that share a classifier take turns.
    /// - Throws: `ModelError` where weights or prompts are so large that the logits are not numbers.
    package func logits(clips: [Matrix], input: ClipInput = .pixels) throws(ModelError) -> [[Float]] {
        let features = input == .cachedPrefix && context == nil
            ? clips : encoder.frameFeatures(of: clips, input: input).map(\.reading)
        let logits = features.map { head.logits(features: $0) }
        guard logits.allSatisfy({ $0.allSatisfy(\.isFinite) }) else { throw .notNumbers(what: "the logits") }
        return logits
    }

    /// Each clip's place among the texts, of unit length: what the logits are made of. Where frames are classified one
    /// by one, the mean of theirs.
    ///
    /// - Parameter clips: as in `logits`.
    /// - Throws: `ModelError` where weights or prompts are so large that these are not numbers.
    package func embeddings(clips: [Matrix]) throws(ModelError) -> [[Float]] {
        let embeddings = encoder.frameFeatures(of: clips).map { head.embedding(features: $0.reading) }
        guard embeddings.allSatisfy({ $0.allSatisfy(\.isFinite) }) else { throw .notNumbers(what: "the embeddings") }
        return embeddings
    }

    /// The logits of a clip of any length from its frames' features, one per class.
    ///
    /// - Parameter features: `[frames, embeddingWidth]`, not normalized, at least one frame.
    package func logits(features: some Readable) throws(ModelError) -> [Float] {
        let logits = head.logits(features: features.reading)
        guard logits.allSatisfy(\.isFinite) else { throw .notNumbers(what: "the logits") }
        return logits
    }
}
