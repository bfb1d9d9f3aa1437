import CLIPModel
import Tensors

/// A learner of prompts from classes.
func promptLearner(
    backbone: Backbone, prompts: PromptSet<MutableMatrix>, sequences: [[Int]], fusion: Fusion, frameCount: Int,
    backwardFrames: BackwardFrames? = nil, pool: WorkerPool, budget: MemoryBudget = .standard
) -> Learner<PromptPart<Fusion>, SoftCrossEntropy> {
    Learner(
        PromptPart(DirectPrompts(prompts, architecture: backbone.architecture), aggregator: fusion, on: backbone),
        SoftCrossEntropy(sequences: sequences), frameCount: frameCount, backwardFrames: backwardFrames, pool: pool, budget: budget)
}

/// A learner of all of CLIP's weights from classes.
func weightLearner(
    _ parameters: BackboneParameters<MutableMatrix>, of backbone: Backbone, sequences: [[Int]], frameCount: Int, pool: WorkerPool,
    budget: MemoryBudget = .standard, rounding: Float16Rounding = [], precision: Precision = .float32
) -> Learner<WeightPart<Fusion>, SoftCrossEntropy> {
    Learner(
        weightPart(parameters, of: backbone, rounding: rounding, precision: precision), SoftCrossEntropy(sequences: sequences),
        frameCount: frameCount, pool: pool, budget: budget)
}

/// A backbone's weights as a part that learns.
func weightPart(
    _ parameters: BackboneParameters<MutableMatrix>, of backbone: Backbone, tuning: Tuning = .both, rounding: Float16Rounding = [],
    precision: Precision = .float32
) -> WeightPart<Fusion> {
    WeightPart(
        parameters: parameters, gradients: parameters.zeros(), architecture: backbone.architecture, description: backbone.description,
        tuning: tuning, aggregator: Fusion.embedding, rounding: rounding, precision: precision)
}

extension Learner where Part == PromptPart<Fusion> {
    var gradients: PromptSet<MutableMatrix> { part.source.promptGradients }
}

extension Learner where Part == WeightPart<Fusion> {
    var gradients: BackboneParameters<MutableMatrix> { part.gradients }
}

extension Learner {
    func add(clips: [Matrix], input: ClipInput = .pixels, targets: [[Float]], weight: Float, to result: inout StepResult) {
        add(ClipBatch(clips: clips, input: input, targets: targets), weight: weight, to: &result)
    }
}
