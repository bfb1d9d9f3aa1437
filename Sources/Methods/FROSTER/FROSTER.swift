import CLIPModel
import Tensors

extension PromptRegularizer {
    /// Frames and texts are held near CLIP's own, but may differ by what two layers add that learn with them. Source: Huang et al.,
    /// ICLR 2024, "FROSTER: Frozen CLIP Is a Strong Teacher for Open-Vocabulary Action Recognition",
    /// slowfast/models/temporalclip_video_model.py; `methods_more.md` 4.
    package static let froster = PromptRegularizer("froster", seesVideos: true) { ResidualDistillation($0) }
}

/// Cross-entropy with a distribution over the classes, and how far frames and texts are from the teacher's behind residual layers.
///
///     loss = cross-entropy + 2 · mean over frames (1 − cos(frame + residual, teacher's))
///                          + 2 · mean over classes (1 − cos(text + residual, teacher's))
///
/// Each of the two is there where prompts of its tower learn. Classes are told by features without residuals, so that the layers
/// are of no use once the prompts are learned.
package struct ResidualDistillation: ClipObjective {
    private static let weight = 2.0

    private let sequences: [[Int]]
    private let teacher: PromptTeacher
    /// Nil where the teacher sees what the learner sees; so below.
    private let frames: ResidualLayers?
    private let texts: ResidualLayers?

    package init(_ learning: RegularizedLearning) {
        (sequences, teacher) = (learning.sequences, learning.teacher)
        let width = teacher.text.unit.columnCount
        func layers(_ name: String, item: Int) -> ResidualLayers {
            ResidualLayers(named: name, width: width, from: RandomSource(seed: learning.seed, purpose: .distillation, item: item))
        }
        frames = teacher.encoder.map { _ in layers("froster.frames", item: 0) }
        texts = learning.learnsText ? layers("froster.texts", item: 1) : nil
    }

    package var classes: [[Int]]? { sequences }
    package var clipTensors: [LearnedTensor] { frames?.tensors ?? [] }
    package var stepTensors: [LearnedTensor] { texts?.tensors ?? [] }

    package func teacherFeatures(of clips: [Matrix], input: ClipInput) -> [Matrix]? {
        teacher.frameFeatures(of: clips, input: input)
    }

    package func loss(logits: [Float], of clip: LearnedClip) -> (loss: Double, gradient: [Float]) {
        softCrossEntropy(logits: logits, target: clip.target)
    }

    package func stepTerm(text: TextFeatures) -> StepTerm? {
        guard let texts else { return nil }
        let tensorGradients = texts.tensors.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) }
        let (distance, gradient) = texts.distance(
            of: text.unit, from: teacher.text.unit, weight: Float(Self.weight), tensorGradients: tensorGradients)
        return StepTerm(loss: Self.weight * distance, unitTextGradient: gradient, tensorGradients: tensorGradients)
    }

    package func featureTerm(
        of clip: LearnedClip, weight: Float, addingTo featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) -> Double? {
        guard let frames, let taught = clip.teacherFeatures else { return nil }
        let own = TextFeatures(clip.features)
        let (distance, gradient) = frames.distance(
            of: own.unit, from: TextFeatures(taught).unit, weight: weight * Float(Self.weight), tensorGradients: tensorGradients)
        Tensors.add(own.backward(unitGradient: gradient), to: featureGradient)
        return Self.weight * distance
    }
}
