import CLIPModel
import Tensors

/// What a bench of the model does at each step.
package struct BenchWork: Sendable, Equatable {
    package enum Kind: String, Sendable, Codable {
        case learn, bridge, predict
    }

    package var kind: Kind
    package var frameCount = 16
    package var clipCount = 1
    package var classCount = 51
    /// Prompts a layer of each tower; none under `bridge`.
    package var promptTokens = 10
    package var promptDepth = 12
    /// In place of `promptDepth` layers from the first.
    package var visionLayers: Range<Int>?
    package var textLayers: Range<Int>?
    /// Frames are the same in each step, so that what prompts do not change is computed once, before.
    package var hasFixedFrames = false
    package var architecture = CLIPArchitecture.vitB16
    package var precision = Precision.float32
    /// Of each clip, those that the backward pass goes through; nil for all.
    package var backwardFrameCount: Int?
    /// Pairs of a frame's tokens that merge in each layer but the last.
    package var mergedTokens = 0
    /// With numbers of its own, in the place of `promptTokens` and layers, or of both towers; nil for these.
    package var method: BenchMethod?

    package init(_ kind: Kind) { self.kind = kind }

    /// What learns; the prompts alone under `predict`.
    package var learned: LearnedPart {
        if let method {
            guard case .prompts(var prompts) = method.learned else { return method.learned }
            prompts.mergedTokens = mergedTokens
            return .prompts(prompts)
        }
        guard kind != .bridge else { return .backbone(.both) }
        return .prompts(
            PromptConfiguration(
                visionTokens: promptTokens, visionLayers: visionLayers ?? 0..<min(promptDepth, architecture.vision.layerCount),
                textTokens: promptTokens, textLayers: textLayers ?? 0..<min(promptDepth, architecture.text.layerCount),
                mergedTokens: mergedTokens))
    }

    package var prompts: PromptConfiguration { learned.prompts }

    /// Class names of one to three words, among the words that are learned around them, or after prompts or template words, then a full
    /// stop.
    package var sequences: [[Int]] {
        let end = architecture.vocabularySize - 1
        let names = (0..<classCount).map { index in [Int](repeating: (500 + index) % max(1, end - 2), count: 1 + index % 3) }
        if let words = prompts.words {
            return words.sequences(
                of: names.enumerated().map { LearnedWords.Name(tokens: [end - 1] + $1 + [end], length: $1.count, label: $0) },
                vocabularySize: architecture.vocabularySize, startCount: 1)
        }
        // A method without prompts of the text tower reads names after as many words as "a photo of a" has.
        let before = method == nil ? promptTokens : prompts.textTokens > 0 ? prompts.textTokens : 4
        return names.map { [end - 1] + [Int](repeating: 1, count: before) + $0 + [2, end] }
    }

    /// Prompts a layer and layers that have some; as asked for, or of the tower that has more.
    var reportedTokens: Int { method == nil && kind != .bridge ? promptTokens : max(prompts.visionTokens, prompts.textTokens) }
    var reportedDepth: Int { method == nil && kind != .bridge ? promptDepth : max(prompts.visionDepth, prompts.textDepth) }

    /// The class of each clip.
    var labels: [Int] { (0..<clipCount).map { $0 % classCount } }

    /// Bytes of copies of the weights that products in bfloat16 are made from.
    package var packedWeightBytes: Int { architecture.packedWeightBytes(precision: precision, hasBackward: kind != .predict) }

    /// Operations that each step needs, two a multiply-add. Class embeddings are there before `predict` starts.
    package var operationsNeeded: Int {
        let sizes = method.map { MethodCost.architecture(of: $0.form, on: architecture, frameCount: frameCount) } ?? architecture
        let texts = method?.comparesBatches == true ? labels.map { sequences[$0] } : sequences
        let count = OperationCount(
            sizes, learned: learned, sequences: texts, frameCount: frameCount, backwardFrameCount: backwardFrameCount,
            head: method.map { MethodCost.headWork($0.form, architecture: sizes, frameCount: frameCount, classCount: classCount) } ?? 0)
        let step = kind == .predict
            ? count.evaluation(clips: clipCount) : count.step(clips: clipCount, input: hasFixedFrames ? .cachedPrefix : .pixels)
        let teacher = OperationCount(architecture, learned: .prompts(.none), sequences: Array(sequences.prefix(1)), frameCount: frameCount)
        return 2 * (step + (method?.looksTwice == true ? teacher.evaluation(clips: clipCount) : 0))
    }
}

/// A model with random weights and random clips, to be stepped against the clock.
package final class BenchModel {
    package let work: BenchWork
    private let task: (any LearningTask)?
    private let classifier: CLIPClassifier?
    private let clips: [Matrix]
    private let input: ClipInput
    /// Where clips come from, so many at a time; nil for random ones that stay the same.
    private let source: ((Int) throws -> [Matrix])?
    private let labels: [Int]
    private let targets: [[Float]]
    /// Weights of a block, for measuring the machine.
    package let block: BlockParameters<Matrix>
    private let backbone: Backbone
    /// Bytes of the matrices that are kept from step to step, beside the backbone: activations, scratch memory, what learns.
    package let taskBytes: Int

    /// The same model at other work, on the same weights.
    ///
    /// - Parameter budget: of either model, as if the other were not there.
    package convenience init(_ work: BenchWork, like other: BenchModel, pool: WorkerPool, budget: MemoryBudget) throws {
        try self.init(work, on: other.backbone, pool: pool, budget: budget.besides(other.taskBytes))
    }

    package convenience init(
        _ work: BenchWork, pool: WorkerPool, budget: MemoryBudget = .standard, source: ((Int) throws -> [Matrix])? = nil
    ) throws {
        try work.prompts.check(against: work.architecture)
        try self.init(work, on: Self.backbone(of: work.architecture).computing(in: work.precision), pool: pool, budget: budget, source: source)
    }

    private init(
        _ work: BenchWork, on backbone: Backbone, pool: WorkerPool, budget: MemoryBudget, source: ((Int) throws -> [Matrix])? = nil
    ) throws {
        self.work = work
        self.source = source
        let architecture = work.architecture
        let prompts = work.prompts
        self.backbone = backbone
        block = backbone.parameters.vision.blocks[0]
        let rule = work.method?.rule ?? BenchMethod.Rule(weightDecay: 1e-3)
        let setting = TaskSetting(
            sequences: work.sequences, fusion: .embedding, frameCount: work.frameCount, pool: pool, weightDecay: rule.weightDecay,
            beta2: rule.beta2, descends: rule.descends, budget: budget,
            backwardFrames: work.backwardFrameCount.map { BackwardFrames(count: $0, seed: 1) })
        let bytesBefore = WorkMeter.reading.liveBytes
        func start() -> PromptSet<MutableMatrix> { PromptSet(random: prompts, architecture: architecture, seed: 1) }
        let own = try work.method?.makeTask(.init(backbone: backbone, setting: setting, mergedTokens: work.mergedTokens))
        switch work.kind {
        case .learn:
            task = own ?? (PromptTask(backbone: backbone, prompts: start(), setting: setting) as any LearningTask)
            classifier = nil
        case .bridge:
            task = own ?? (BridgeTask(backbone: backbone, tuning: .both, setting: setting) as any LearningTask)
            classifier = nil
        case .predict:
            task = nil
            classifier = CLIPClassifier(
                backbone: backbone, prompts: start().reading, sequences: work.sequences, frameCount: work.frameCount, pool: pool)
        }
        taskBytes = WorkMeter.reading.liveBytes - bytesBefore
        let noise = Self.noise
        let pixels = source != nil ? [] : (0..<work.clipCount).map {
            Self.clip(of: architecture, frameCount: work.frameCount, number: $0, noise: noise)
        }
        let prefix = work.hasFixedFrames ? (task as? any PromptLearning)?.cachedPrefix : nil
        (clips, input) = prefix.map { ($0(pixels), .cachedPrefix) } ?? (pixels, .pixels)
        labels = work.labels
        targets = labels.map { label in (0..<work.classCount).map { $0 == label ? 1 : 0 } }
    }

    /// Bytes that the memory budget is too small by.
    package var memoryShortfall: Int { task?.memoryShortfall ?? 0 }

    /// Numbers that learn.
    package var learningCount: Int { task?.parameterCount ?? 0 }

    /// One step.
    ///
    /// - Returns: the mean loss over the clips; for `predict` the first clip's largest logit.
    @discardableResult
    package func step() throws -> Double {
        let clips = try source?(work.clipCount) ?? clips
        if let classifier { return Double(try classifier.logits(clips: clips)[0].max() ?? 0) }
        guard let task else { return 0 }
        var result = StepResult()
        task.begin()
        task.add(ClipBatch(clips: clips, input: input, labels: labels, targets: targets), weight: 1 / Float(clips.count), to: &result)
        try task.finish(rate: 1e-6, scale: 1)
        return result.lossSum / Double(result.clipCount)
    }

    // MARK: Random numbers

    /// A CLIP of random weights, where only its sizes matter.
    package static func backbone(of architecture: CLIPArchitecture) -> Backbone {
        Backbone(
            architecture: architecture, parameters: weights(of: architecture),
            description: BackboneDescription(name: "random", normalization: .clip, tokenizer: .clipBPE, provenance: "random weights"))
    }

    /// A clip of random pixels, `[frames, 3 × side × side]`.
    package static func clip(of architecture: CLIPArchitecture, frameCount: Int, number: Int) -> Matrix {
        clip(of: architecture, frameCount: frameCount, number: number, noise: noise)
    }

    private static func clip(of architecture: CLIPArchitecture, frameCount: Int, number: Int, noise: [Float]) -> Matrix {
        let side = architecture.imagePixels
        let matrix = MutableMatrix(rows: frameCount, columns: 3 * side * side)
        fill(matrix, from: noise, deviation: 1, start: 7919 * (number + 1))
        return matrix.reading
    }

    /// Weights of the magnitudes that a CLIP starts from. Drawing 150 million normal numbers takes longer
    /// than many a bench, so all tensors are cut from one run of them.
    private static func weights(of architecture: CLIPArchitecture) -> BackboneParameters<Matrix> {
        let noise = Self.noise
        var start = 0
        return BackboneParameters<TensorSpecification>(of: architecture).map { specification in
            let matrix = MutableMatrix(rows: specification.rowCount, columns: specification.columnCount)
            start += 104_729
            switch specification.shape.count {
            case 0: matrix.fill(2.66)
            case 1 where specification.name.hasSuffix("weight"): matrix.fill(1)
            case 1: fill(matrix, from: noise, deviation: 0.02, start: start)
            default: fill(matrix, from: noise, deviation: 1 / Float(specification.columnCount).squareRoot(), start: start)
            }
            return matrix.reading
        }
    }

    private static var noise: [Float] {
        var source = RandomSource(seed: 1, purpose: .test)
        return (0..<1 << 18).map { _ in source.normal() }
    }

    private static func fill(_ matrix: MutableMatrix, from noise: [Float], deviation: Float, start: Int) {
        for row in 0..<matrix.rowCount {
            let first = (start + row * 997) % noise.count
            let values = (0..<matrix.columnCount).map { deviation * noise[(first + $0) & (noise.count - 1)] }
            matrix.row(row).fill(with: values)
        }
    }
}
