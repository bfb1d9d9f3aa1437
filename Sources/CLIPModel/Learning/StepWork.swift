import Tensors

/// Floating-point operations that exact arithmetic cannot do without, two a multiplication and addition:
/// products with weights, and attention. Everything elementwise is left out.
///
/// What is not needed is counted nowhere: tokens after the end token, repeats of what all classes share,
/// outputs that nothing reads, gradients that nothing learns from (docs/architecture.md).
package struct StepWork: Sendable, Equatable {
    package var vision = 0
    package var text = 0

    package var total: Int { vision + text }

    /// One step of `learn` over `clipCount` clips, except a run's first: text layers below the first prompts are
    /// the same in all.
    ///
    /// - Parameter stage: of clips whose frozen part is kept, the rest is needed.
    package static func learning(
        prompts: PromptConfiguration, sequences: [[Int]], frameCount: Int, clipCount: Int, architecture: CLIPArchitecture,
        stage: ClipStage = .pixels
    ) -> StepWork {
        var work = StepWork()
        work.vision = frameCount * clipCount
            * frame(architecture, prompts: prompts, learning: prompts.visionDepth > 0 ? .prompts : .nothing, stage: stage)
            + sharedPrompts(architecture, prompts: prompts, forGradients: true)
        work.text = classes(architecture, prompts: prompts, sequences: sequences, learning: prompts.textDepth > 0 ? .prompts : .nothing)
        return work
    }

    /// One step of `bridge` over `clipCount` clips.
    package static func bridging(
        tuning: Tuning, sequences: [[Int]], frameCount: Int, clipCount: Int, architecture: CLIPArchitecture
    ) -> StepWork {
        var work = StepWork()
        work.vision = frameCount * clipCount * frame(architecture, prompts: .none, learning: tuning == .text ? .nothing : .weights)
        work.text = classes(architecture, prompts: .none, sequences: sequences, learning: tuning == .image ? .nothing : .weights)
        return work
    }

    /// Predicting `clipCount` clips once the class embeddings are there.
    package static func predicting(
        prompts: PromptConfiguration, frameCount: Int, clipCount: Int, architecture: CLIPArchitecture
    ) -> StepWork {
        var work = StepWork()
        work.vision = frameCount * clipCount * frame(architecture, prompts: prompts, learning: .nothing)
        return work
    }

    // MARK: Towers

    private enum Learning { case nothing, prompts, weights }

    /// One frame through the vision tower and back.
    private static func frame(
        _ architecture: CLIPArchitecture, prompts: PromptConfiguration, learning: Learning, stage: ClipStage = .pixels
    ) -> Int {
        if stage == .frozen, learning == .nothing { return 0 }
        let layout = VisionLayout(architecture: architecture, prompts: prompts)
        let tower = architecture.vision
        let patches = 2 * architecture.patchCount * architecture.patchWidth * tower.width
        let projection = 2 * tower.width * architecture.embeddingWidth
        var sum = (stage == .pixels ? patches : 0) + projection
        if learning != .nothing { sum += projection }
        if learning == .weights { sum += patches + projection }
        for layer in 0..<layout.layerCount {
            let block = BlockWork(shape: layout.shape(of: layer, frameCount: 1), tower: tower, isCausal: false)
            let isTrunk = layer < layout.trunkLayerCount
            if stage == .pixels || !isTrunk { sum += block.forward }
            guard learning != .nothing, !isTrunk else { continue }
            let needsInput = layer > layout.trunkLayerCount || learning == .weights || layout.mode(of: layer) == .own
            sum += block.backward(hasOutput: true, needsInput: needsInput)
            if learning == .weights { sum += block.weights(hasOutput: true) }
        }
        return sum
    }

    /// Keys and values of prompts that all frames share, once a step.
    private static func sharedPrompts(_ architecture: CLIPArchitecture, prompts: PromptConfiguration, forGradients: Bool) -> Int {
        let layout = VisionLayout(architecture: architecture, prompts: prompts)
        let width = architecture.vision.width
        let shared = layout.promptLayers.count { layout.mode(of: $0) == .shared }
        return shared * (forGradients ? 2 : 1) * 2 * layout.promptTokens * width * 2 * width
    }

    private static func classes(
        _ architecture: CLIPArchitecture, prompts: PromptConfiguration, sequences: [[Int]], learning: Learning
    ) -> Int {
        let layout = TextTowerLayout(
            batch: TextBatch(sequences: sequences, promptTokens: prompts.textTokens), promptLayers: prompts.textLayers,
            architecture: architecture)
        let tower = architecture.text
        let projection = 2 * layout.batch.classCount * tower.width * architecture.embeddingWidth
        var sum = projection * (learning == .nothing ? 1 : learning == .prompts ? 2 : 3)
        for layer in layout.trunkLayerCount..<layout.layerCount {
            let prefix = BlockWork(shape: layout.prefixShape(of: layer), tower: tower, isCausal: true)
            let goesOn = layout.prefixShape(of: layer).queries == .every
            sum += prefix.forward
            if learning != .nothing { sum += prefix.backward(hasOutput: goesOn, needsInput: true) }
            if learning == .weights { sum += prefix.weights(hasOutput: goesOn) }
            for chunk in layout.chunks.indices {
                let block = BlockWork(shape: layout.chunkShape(of: chunk, layer: layer), tower: tower, isCausal: true)
                sum += block.forward
                if learning != .nothing { sum += block.backward(hasOutput: true, needsInput: layer > layout.trunkLayerCount || learning == .weights) }
                if learning == .weights { sum += block.weights(hasOutput: true) }
            }
        }
        return sum
    }
}

/// The operations of one block on one batch of groups.
private struct BlockWork {
    let rows: Int
    let queries: Int
    let queriesAll: Bool
    let width: Int
    let mlpWidth: Int
    /// Pairs of a query and a key that it sees, shared keys and own.
    let sharedPairs: Int
    let ownPairs: Int

    init(shape: BlockShape, tower: CLIPArchitecture.Tower, isCausal: Bool) {
        rows = shape.groups.rowCount
        queries = shape.queryCount
        queriesAll = shape.queries == .every
        width = tower.width
        mlpWidth = tower.mlpWidth
        sharedPairs = shape.queryCount * shape.sharedCount
        ownPairs = (0..<shape.groups.count).reduce(0) { sum, group in
            let length = shape.groups.length(of: group)
            return sum + (0..<shape.queryRows(of: group).count).reduce(0) { pairs, query in
                guard isCausal else { return pairs + length }
                return pairs + (shape.queries == .last ? length : query + 1)
            }
        }
    }

    private var input: Int { queriesAll ? 6 * rows * width * width : 4 * rows * width * width + 2 * queries * width * width }
    private var output: Int { 2 * queries * width * width + 4 * queries * width * mlpWidth }

    var forward: Int { input + 4 * (sharedPairs + ownPairs) * width + output }

    func backward(hasOutput: Bool, needsInput: Bool) -> Int {
        var sum = 0
        if hasOutput {
            // The probabilities' gradient, then keys and values, then queries.
            sum += output + 2 * (sharedPairs + ownPairs) * width + 4 * sharedPairs * width
            if needsInput { sum += 4 * ownPairs * width + 2 * (sharedPairs + ownPairs) * width }
        }
        if needsInput { sum += hasOutput ? input : 4 * rows * width * width }
        return sum
    }

    func weights(hasOutput: Bool) -> Int { hasOutput ? input + output : 4 * rows * width * width }
}
