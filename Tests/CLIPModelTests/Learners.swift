import CLIPModel
import Tensors
import Testing

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

/// Expects the gradient of each tensor, along itself, to be the slope of the loss there, by central differences.
///
/// - Parameters:
///   - gradients: of the tensors, one each; left behind by `loss`.
///   - loss: with the tensors as they are; it fills `gradients`, which hold zeros before.
func expectSlopes(of tensors: [MutableMatrix], gradients: [MutableMatrix], loss: () -> Double) {
    func filled() -> Double {
        for gradient in gradients { gradient.fill(0) }
        return loss()
    }
    _ = filled()
    let (starts, slopes) = (tensors.map(\.values), gradients.map(\.values))
    for (index, tensor) in tensors.enumerated() {
        let length = slopes[index].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
        func movedLoss(_ distance: Double) -> Double {
            tensor.fill(with: zip(starts[index], slopes[index]).map { $0 + Float(distance * Double($1) / length) })
            return filled()
        }
        let step = 0.1
        let slope = (movedLoss(step) - movedLoss(-step)) / (2 * step)
        tensor.fill(with: starts[index])
        #expect(abs(slope - length) < 0.02 * length, "tensor \(index): \(slope) beside \(length)")
    }
}

/// `count` layers of two prompts of random numbers.
func randomPrompts(_ tower: CLIPArchitecture.Tower, seed: UInt64, count: Int) -> [MutableMatrix] {
    (0..<count).map { layer in
        var source = RandomSource(seed: seed, purpose: .weights, item: layer)
        return MutableMatrix(rows: 2, columns: tower.width, (0..<2 * tower.width).map { _ in source.normal() })
    }
}
