import Tensors

/// How far a clip has been computed that is to be learned from or classified.
package enum ClipInput: Sendable {
    /// `[frames, 3 × side × side]`, normalized pixels.
    case pixels
    /// Up to where the first vision prompts enter, `[frames × rows, width]`; without vision prompts the frames'
    /// features, `[frames, embeddingWidth]`. The same in every step, as long as a clip's pixels are.
    case cachedPrefix
}

/// Clips that go through a learner together.
package struct ClipBatch {
    /// As `input` has them.
    package let clips: [Matrix]
    package let input: ClipInput
    /// One per clip: its class or, where captions are learned from, its place in the list of captions.
    package let labels: [Int]
    /// One distribution over the classes per clip; none where there are captions.
    package let targets: [[Float]]

    package init(clips: [Matrix], input: ClipInput = .pixels, labels: [Int] = [], targets: [[Float]]) {
        self.clips = clips
        self.input = input
        self.labels = labels
        self.targets = targets
    }
}

/// What a step over some clips came to.
package struct StepResult: Sendable {
    package var lossSum = 0.0
    package var clipCount = 0
    /// Of each clip, in order.
    package private(set) var losses: [Double] = []
    /// Logits of each clip, in order.
    package private(set) var logits: [[Float]] = []

    package init() {}

    mutating func note(_ clip: (loss: Double, logits: [Float])) {
        lossSum += clip.loss
        losses.append(clip.loss)
        logits.append(clip.logits)
    }
}
