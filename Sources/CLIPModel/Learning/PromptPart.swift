import Tensors

/// A part whose prompts follow from a source.
package protocol PromptSourcePart: LearningPart {
    var source: any PromptSource { get }
}

/// Stage two: prompts learn, and nothing of the backbone does. The temperature is the backbone's.
package final class PromptPart<Aggregator: VideoAggregator>: PromptSourcePart {
    package let source: any PromptSource
    package let aggregator: Aggregator
    package let prompts: PromptConfiguration
    private let backbone: Backbone
    private let rounding: Float16Rounding
    package let means: SentenceMeans?
    package private(set) var textPrompts: [Matrix] = []
    package private(set) var textWords: Matrix?
    package private(set) var metaNet: MetaNet<Matrix>?
    package private(set) var context: VisionPromptContext?
    private let seed: UInt64

    /// - Parameters:
    ///   - source: what learns; read anew at each step.
    ///   - rounding: the towers see rounded prompts; gradients go to the unrounded ones.
    ///   - means: where each class has several sentences.
    ///   - seed: by which the place of a patch in the frames is drawn, where one is.
    package init(
        _ source: any PromptSource, aggregator: Aggregator, on backbone: Backbone, rounding: Float16Rounding = [], means: SentenceMeans? = nil,
        seed: UInt64 = 1
    ) {
        precondition(means == nil || !source.configuration.followsVideos, "texts that follow videos are of one sentence")
        self.source = source
        self.rounding = rounding
        self.means = means
        self.aggregator = aggregator
        self.backbone = backbone
        self.seed = seed
        prompts = source.configuration
    }

    package var vision: VisionTower { backbone.vision }
    package var text: TextTower { backbone.text }
    package var visionKeeping: Keeping { prompts.promptsVision ? .prompts : .nothing }
    package var textKeeping: Keeping { prompts.learnsText ? .prompts : .nothing }
    package var keepsWeights: Bool { true }
    package var order: GradientAccumulator.Order { .byPlace }
    package var tensors: [LearnedTensor] { source.tensors + aggregator.tensors }
    package var scale: Float { backbone.logitScale }
    package var logitBias: LogitBias? { backbone.parameters.logitBias.map { LogitBias(value: $0) } }

    package func begin(step: Int, layout: VisionLayout, pool: WorkerPool) {
        var values = source.forward()
        if rounding.contains(.prompts) { values = values.rounded(rounding).reading }
        textPrompts = values.text
        textWords = values.words?.table
        metaNet = values.metaNet
        context = prompts.promptsVision
            ? vision.promptContext(for: values, layout: layout, pixelPlace: prompts.pixels?.place(seed: seed, step: step)) : nil
    }

    package func visionBackward(
        _ pass: VisionPass, clips: [Matrix], input: ClipInput, draws: [FrameDraw], featureGradients: [MutableMatrix],
        accumulator: GradientAccumulator
    ) {
        pass.backward(
            clips: clips, input: input, draws: draws, featureGradients: featureGradients, context: context,
            promptAccumulators: accumulator.beginChunks(ofClips: clips.count), weights: { _ in FrozenVision() })
        accumulator.endChunks(ofClips: clips.count)
    }

    package func textBackward(featureGradient: Matrix, saved: TextActivations, pool: WorkerPool) {
        let gradients = source.promptGradients
        if let words = gradients.words {
            let sink = LearningWords(gradient: words.table, vocabularySize: text.architecture.vocabularySize, pool: pool)
            text.backward(
                featureGradient: featureGradient, saved: saved, promptGradients: gradients.text, words: textWords, weights: sink, pool: pool)
        } else {
            text.backward(
                featureGradient: featureGradient, saved: saved, promptGradients: gradients.text, weights: FrozenText(), pool: pool)
        }
    }

    package func add(logitScale gradient: Double) {}

    package func finish(_ accumulator: GradientAccumulator, layout: VisionLayout) {
        if let context {
            vision.promptBackward(
                accumulator: accumulator.step.vision, context: context, layout: layout, into: source.promptGradients)
        }
        if let sums = accumulator.step.head.textPrompts {
            for (gradient, sum) in zip(sums.all, source.promptGradients.textSide.all) { Tensors.add(gradient, to: sum) }
        }
        source.backward()
        finishAggregator(accumulator)
    }

    package func shared(_ accumulator: GradientAccumulator) -> [MutableMatrix] { [accumulator.step.all] }

    package func combine(
        _ accumulator: GradientAccumulator, shares: Shares, over group: any ProcessGroup
    ) throws(ProcessGroupError) { try accumulator.combineByPlace(shares, over: group) }

    package func limitScale() {}

    package func classifier(sequences: [[Int]], frameCount: Int, pool: WorkerPool) -> CLIPClassifier {
        // A copy: the classifier stays as it is while the prompts go on learning.
        let (aggregator, scale) = (aggregator.snapshot, backbone.logitScale)
        return CLIPClassifier(
            backbone: backbone, prompts: source.forward().rounded(rounding).reading, sequences: sequences, frameCount: frameCount, pool: pool
        ) { [means] text in VideoHead(aggregator, scale: scale, text: means?.texts(of: text) ?? text) }
    }
}
