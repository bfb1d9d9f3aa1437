import Tensors

/// A backbone with or without prompts, ready to score clips against class names.
///
/// The text tower runs once, when it is made.
package final class VideoClassifier: Sendable {
    package let backbone: Backbone
    package let frameCount: Int
    /// Unit vectors of the classes.
    package let text: TextFeatures
    private let head: VideoHead
    private let pass: VisionPass
    private let context: VisionPromptContext?

    /// - Parameters:
    ///   - prompts: none for plain CLIP.
    ///   - sequences: one token sequence a class, with room for the text prompts.
    ///   - frameCount: frames of every clip.
    package init(
        backbone: Backbone, prompts: PromptSet<Matrix> = PromptSet(vision: [], text: []), sequences: [[Int]],
        fusion: Fusion = .embedding, frameCount: Int, pool: WorkerPool
    ) {
        let configuration = prompts.configuration
        let layout = TextTowerLayout(
            batch: TextBatch(sequences: sequences, promptTokens: configuration.textTokens),
            promptLayers: configuration.textLayers, architecture: backbone.architecture)
        let memory = TextActivations(layout: layout, architecture: backbone.architecture, keeping: .nothing, threadCount: pool.threadCount)
        backbone.text.forward(prompts: prompts.text, saved: memory, pool: pool)
        self.backbone = backbone
        self.frameCount = frameCount
        text = TextFeatures(memory.features)
        head = VideoHead(fusion: fusion, scale: backbone.logitScale, text: text)
        pass = VisionPass(
            tower: backbone.vision, prompts: configuration, frameCount: frameCount, keeping: .nothing, pool: pool)
        context = configuration.visionDepth > 0
            ? backbone.vision.promptContext(for: prompts.vision, layout: pass.layout) : nil
    }

    package var classCount: Int { text.classCount }

    /// The logits of each clip, one a class.
    ///
    /// - Parameter clips: as `stage` has them: normalised pixels, or what a learner of the same backbone and layers
    ///   froze. Not for two threads at once.
    /// - Throws: `ModelError` where weights or prompts are so large that the logits are no numbers.
    package func logits(clips: [Matrix], stage: ClipStage = .pixels) throws(ModelError) -> [[Float]] {
        let features = stage == .frozen && context == nil
            ? clips : pass.forward(clips: clips, stage: stage, context: context).map(\.reading)
        let logits = features.map { head.logits(features: $0) }
        guard logits.allSatisfy({ $0.allSatisfy(\.isFinite) }) else { throw .notNumbers(what: "the logits") }
        return logits
    }
}
