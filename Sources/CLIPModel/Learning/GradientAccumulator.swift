import Tensors

/// What a clip, or all clips of a step, leave behind for the text tower, the vision prompts and the aggregator: one
/// piece of memory, so that it is added and sent in one go.
package struct ClipAccumulator {
    /// `[1, count]`: the text features' gradient, the vision prompts' layers, the aggregator's tensors, text prompts that follow
    /// videos, the objective's tensors.
    package let all: MutableMatrix
    package internal(set) var head: HeadAccumulator
    package let vision: VisionPromptAccumulator

    init(
        classes: Int, layout: VisionLayout, aggregator: [LearnedTensor], textPrompts: PromptSet<MutableMatrix>?, objective: [LearnedTensor]
    ) {
        let width = layout.architecture.embeddingWidth
        let visionCount = VisionPromptAccumulator.count(of: layout)
        let ownCount = (aggregator + objective).reduce(0) { $0 + $1.value.count } + (textPrompts?.all ?? []).reduce(0) { $0 + $1.count }
        let all = MutableMatrix(rows: 1, columns: classes * width + visionCount + ownCount)
        vision = VisionPromptAccumulator(layout: layout, in: all.columns(classes * width..<classes * width + visionCount))
        var start = classes * width + visionCount
        func next(like tensor: MutableMatrix) -> MutableMatrix {
            defer { start += tensor.count }
            return all.columns(start..<start + tensor.count).reshaped(rows: tensor.rowCount, columns: tensor.columnCount)
        }
        let (aggregatorSums, promptSums) = (aggregator.map { next(like: $0.value) }, textPrompts?.map(next))
        head = HeadAccumulator(
            unitText: all.columns(0..<classes * width).reshaped(rows: classes, columns: width),
            aggregator: aggregatorSums, objective: objective.map { next(like: $0.value) }, textPrompts: promptSums)
        self.all = all
    }
}

/// Adds up, over the clips of a step, what is turned into gradients of parameters once, at its end.
package final class GradientAccumulator {
    package enum Order: Sendable {
        /// By the clips' places in the step: the same bits for any number of ranks. Each clip in flight has memory of
        /// its own.
        case byPlace
        /// As the clips come.
        case running
    }

    /// Of the whole step; complete once `complete` was called.
    package private(set) var step: ClipAccumulator
    private var clips: [ClipAccumulator]
    /// One per chunk of the clips in flight.
    private let chunks: [VisionPromptAccumulator]
    private let chunksPerClip: Int
    private let ordered: OrderedSum?
    private var isComplete = false

    /// - Parameters:
    ///   - classes: whose texts all clips of a step share; 0 for none.
    ///   - textPrompts: as many as learn clip by clip, whatever their values; nil for none.
    init(
        _ order: Order, classes: Int, aggregator: [LearnedTensor], textPrompts: PromptSet<MutableMatrix>? = nil,
        objective: [LearnedTensor] = [], pass: VisionPass, learnsVisionPrompts: Bool
    ) {
        let layout = pass.layout
        chunksPerClip = pass.keptChunkCount
        chunks = learnsVisionPrompts
            ? (0..<pass.clipsInFlight * chunksPerClip).map { _ in VisionPromptAccumulator(layout: layout) } : []
        func memory() -> ClipAccumulator {
            ClipAccumulator(
                classes: classes, layout: layout, aggregator: aggregator, textPrompts: textPrompts, objective: objective)
        }
        clips = order == .byPlace ? (0..<pass.clipsInFlight).map { _ in memory() } : []
        step = memory()
        ordered = order == .byPlace ? OrderedSum(length: step.all.count) : nil
    }

    /// Numbers of a step.
    var count: Int { step.all.count }

    /// - Parameter clip: the place in the step of the first clip that is added here.
    func begin(at clip: Int) {
        isComplete = ordered == nil
        guard let ordered else {
            step.all.fill(0)
            step.head.logitScale = 0
            return
        }
        ordered.begin(at: clip)
    }

    /// What the head of a clip in flight adds to.
    ///
    /// - Parameter clip: among those in flight.
    subscript(clip: Int) -> HeadAccumulator {
        get { ordered == nil ? step.head : clips[clip].head }
        set { if ordered == nil { step.head = newValue } else { clips[clip].head = newValue } }
    }

    /// Clears what is of clips in flight.
    func beginClips(_ count: Int) {
        guard ordered != nil else { return }
        for clip in 0..<count { clips[clip].all.fill(0) }
    }

    /// Cleared memory for the chunks of the clips in flight; none where no vision prompts learn.
    package func beginChunks(ofClips count: Int) -> [VisionPromptAccumulator] {
        let used = Array(chunks.prefix(count * chunksPerClip))
        for chunk in used { chunk.reset() }
        return used
    }

    /// Adds the chunks, in their order.
    package func endChunks(ofClips count: Int) {
        for (index, chunk) in chunks.prefix(count * chunksPerClip).enumerated() {
            (ordered == nil ? step : clips[index / chunksPerClip]).vision.add(chunk)
        }
    }

    /// Adds the clips in flight, in their order.
    func endClips(_ count: Int) {
        guard let ordered else { return }
        for clip in 0..<count { ordered.add(clips[clip].all) }
    }

    /// Adds up the clips of all ranks.
    package func combineByPlace(_ shares: Shares, over group: any ProcessGroup) throws(ProcessGroupError) {
        try ordered?.total(into: step.all, shares: shares, over: group)
        isComplete = true
    }

    /// Adds up the clips of the step, unless ranks did.
    func complete() {
        if !isComplete { ordered?.total(into: step.all) }
        isComplete = true
    }

    package func setLogitScale(_ value: Double) { step.head.logitScale = value }
}
