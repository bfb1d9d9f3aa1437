import Tensors

/// What a clip, or all clips of a step, leave behind for the prompts of both towers: one piece of memory, so
/// that it is added and sent in one go.
struct ClipAccumulator {
    /// `[1, count]`: the text features' gradient, then what the vision prompts' layers add up.
    let all: MutableMatrix
    var head: VideoHead.Sums
    let vision: VisionPromptAccumulator

    init(classes: Int, layout: VisionLayout) {
        let width = layout.architecture.embeddingWidth
        let visionCount = VisionPromptAccumulator.count(of: layout)
        all = MutableMatrix(rows: 1, columns: classes * width + visionCount)
        head = VideoHead.Sums(unitText: all.reshaped(rows: classes, columns: width))
        vision = VisionPromptAccumulator(layout: layout, in: all.columns(classes * width..<classes * width + visionCount))
    }
}
