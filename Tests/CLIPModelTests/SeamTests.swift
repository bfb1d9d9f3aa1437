import CLIPModel
import Tensors
import TestSupport
import Testing

/// A toy method through each seam of a learner: whatever it does, its gradients are those of its loss.
@Suite struct SeamTests {
    private let fixtures: ModelFixtures

    init() throws { fixtures = try ModelFixtures() }

    private static let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 4, textDepth: 2)

    private var prompts: PromptSet<MutableMatrix> {
        PromptSet(random: Self.configuration, architecture: fixtures.backbone.architecture, seed: 5)
    }

    /// The mean loss of a step, whose gradients go to the part's tensors.
    private func loss<Part, Aim>(_ learner: Learner<Part, Aim>) -> Double {
        var result = StepResult()
        learner.begin()
        learner.add(clips: fixtures.clips, targets: fixtures.targets, weight: 0.5, to: &result)
        learner.finish()
        return result.lossSum / 2
    }

    /// Compares the gradients that `loss` leaves in zeroed tensors with its slope along a random direction.
    private func expectSlope(of tensors: [LearnedTensor], step: Float = 1e-3, _ name: String, loss: () -> Double) {
        for tensor in tensors { tensor.gradient.fill(0) }
        _ = loss()
        let gradients = tensors.map(\.gradient.values)
        var source = RandomSource(seed: 3, purpose: .test)
        let directions = tensors.map { tensor in (0..<tensor.value.count).map { _ in source.normal() } }
        let starts = tensors.map(\.value.values)
        func moved(by step: Float) -> Double {
            for (index, tensor) in tensors.enumerated() {
                tensor.value.fill(with: zip(starts[index], directions[index]).map { $0 + step * $1 })
            }
            return loss()
        }
        let slope = (moved(by: step) - moved(by: -step)) / Double(2 * step)
        for (tensor, start) in zip(tensors, starts) { tensor.value.fill(with: start) }
        let product = zip(gradients, directions).reduce(0.0) { sum, pair in
            sum + zip(pair.0, pair.1).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        }
        #expect(abs(product) > 1e-3, "\(name): the direction is too flat to compare, \(product)")
        #expect(abs(slope - product) < 0.02 * max(abs(product), 0.01), "\(name): slope \(slope), gradient \(product)")
    }

    private func learner<Aggregator: VideoAggregator, Aim: Objective>(
        _ source: any PromptSource, _ aggregator: Aggregator, _ objective: Aim
    ) -> Learner<PromptPart<Aggregator>, Aim> {
        Learner(
            PromptPart(source, aggregator: aggregator, on: fixtures.backbone), objective, frameCount: ModelFixtures.frameCount,
            pool: WorkerPool(threadCount: 2))
    }

    private var classes: SoftCrossEntropy { SoftCrossEntropy(sequences: fixtures.sequences) }

    // MARK: Prompt source

    @Test func promptsFromSharedParameters() {
        let source = ScaledPrompts(seeds: prompts)
        let learner = learner(source, Fusion.embedding, classes)
        #expect(source.tensors.count == 4)
        expectSlope(of: learner.part.tensors, "scaled prompts") { loss(learner) }
    }

    /// Prompts that learn are read where they are: no copy is made of them or of their gradients.
    @Test func theIdentityCopiesNothing() {
        let prompts = prompts
        let source = DirectPrompts(prompts, architecture: fixtures.backbone.architecture)
        let seen = source.forward()
        prompts.vision[0][0, 0] = 42
        #expect(seen.vision[0].values[0] == 42)
        source.tensors[0].gradient[0, 0] = 17
        #expect(source.promptGradients.vision[0].values[0] == 17)
    }

    // MARK: Video aggregator

    @Test func framesWithLearnedWeights() {
        let aggregator = WeighedFrames(frameCount: ModelFixtures.frameCount)
        let prompted = learner(DirectPrompts(prompts, architecture: fixtures.backbone.architecture), aggregator, classes)
        expectSlope(of: prompted.part.tensors, "prompts and frame weights") { loss(prompted) }
        // Alone, and beside weights that learn.
        expectSlope(of: aggregator.tensors, "frame weights") { loss(prompted) }
        let part = WeightPart(
            parameters: fixtures.backbone.parameters.mutableCopy(), gradients: fixtures.backbone.parameters.zeros(),
            architecture: fixtures.backbone.architecture, description: fixtures.backbone.description, aggregator: aggregator)
        let weights = Learner(part, classes, frameCount: ModelFixtures.frameCount, pool: WorkerPool(threadCount: 2))
        expectSlope(of: aggregator.tensors, "frame weights beside CLIP's") { loss(weights) }
    }

    /// The same aggregator where videos find their captions.
    @Test func framesWithLearnedWeightsAndCaptions() {
        let aggregator = WeighedFrames(frameCount: ModelFixtures.frameCount)
        let learner = learner(DirectPrompts(prompts, architecture: fixtures.backbone.architecture), aggregator, SymmetricContrastive())
        expectSlope(of: learner.part.tensors, step: 3e-4, "captions") {
            learner.begin()
            defer { learner.finish() }
            return learner.addTogether(clips: fixtures.clips, captions: Array(fixtures.sequences.prefix(2))).loss
        }
    }

    /// A classifier sees the weights as they were when it was made.
    @Test func classifiersKeepTheirAggregator() throws {
        let aggregator = WeighedFrames(frameCount: ModelFixtures.frameCount)
        let learner = learner(DirectPrompts(prompts, architecture: fixtures.backbone.architecture), aggregator, classes)
        let pool = WorkerPool(threadCount: 1)
        let classifier = learner.part.classifier(sequences: fixtures.sequences, frameCount: ModelFixtures.frameCount, pool: pool)
        let before = try classifier.logits(clips: fixtures.clips)
        aggregator.weights.fill(with: [0, 0, 1])
        #expect(try classifier.logits(clips: fixtures.clips) == before)
        let after = learner.part.classifier(sequences: fixtures.sequences, frameCount: ModelFixtures.frameCount, pool: pool)
        #expect(try after.logits(clips: fixtures.clips) != before)
    }

    // MARK: Objective

    @Test func anObjectiveWithMoreTerms() throws {
        let teacher = TextFeatures(try fixtures.forward.matrix("text_features", rows: ModelFixtures.classCount))
        let objective = AnchoredClasses(sequences: fixtures.sequences, teacher: teacher)
        let source = DirectPrompts(prompts, architecture: fixtures.backbone.architecture)
        let anchored = learner(source, Fusion.embedding, objective)
        expectSlope(of: source.tensors, "anchored classes") { loss(anchored) }

        // The optimizer's scale makes up for missing clips; what belongs to the step must not grow with it.
        func gradients(scale: Float) -> [Float] {
            for tensor in source.tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            anchored.begin()
            anchored.add(clips: [fixtures.clips[0]], targets: [fixtures.targets[0]], weight: 1 / scale, to: &result)
            anchored.finish(scale: scale)
            return source.tensors.flatMap { $0.gradient.values.map { $0 * scale } }
        }
        expectClose(gradients(scale: 2), gradients(scale: 1), tolerance: 1e-5, "scaled")
    }

    // MARK: Keys and values per group

    /// Groups with keys of their own come out as if each were alone with its keys, and so do the gradients. Products over
    /// other numbers of rows round in another way.
    @Test(arguments: [20, 4])
    func keysPerGroup(rowsOfGroup: Int) {
        let (groupCount, shared) = (3, 2)
        let architecture = fixtures.backbone.architecture
        let tower = architecture.vision
        let block = TransformerBlock(
            parameters: fixtures.backbone.parameters.vision.blocks[0], headCount: tower.headCount, activation: architecture.activation,
            isCausal: false, isLast: false, precision: .float32)
        var source = RandomSource(seed: 11, purpose: .test)
        func noise(_ rows: Int, _ columns: Int) -> MutableMatrix {
            MutableMatrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in source.normal() })
        }
        let input = noise(groupCount * rowsOfGroup, tower.width)
        let keyValue = noise(groupCount * shared, 2 * tower.width)
        let outputGradient = noise(groupCount * rowsOfGroup, tower.width)

        /// Output, input gradient and the shared rows' gradient.
        func run(_ groups: Range<Int>, _ keyValue: SharedRows<Matrix>) -> (MutableMatrix, MutableMatrix, MutableMatrix) {
            let rows = groups.lowerBound * rowsOfGroup..<groups.upperBound * rowsOfGroup
            let shape = BlockShape(
                groups: RowGroups(lengths: repeatElement(rowsOfGroup, count: groups.count)), sharedCount: shared, queries: .every)
            let saved = BlockActivations(shapes: [shape], tower: tower, keeping: .prompts)
            let scratch = BlockScratch(for: [shape], tower: tower, keeping: .prompts)
            saved.input.copy(input.rows(rows))
            let output = MutableMatrix(rows: rows.count, columns: tower.width)
            block.forward(saved: saved, shared: keyValue, output: output, scratch: scratch)
            let gradient = MutableMatrix(rows: rows.count, columns: tower.width)
            let sharedGradient = MutableMatrix(rows: groups.count * shared, columns: 2 * tower.width)
            let into: SharedRows<MutableMatrix> = groups.count == 1
                ? .everyGroup(sharedGradient) : .perGroup(sharedGradient, shared: shared)
            block.backward(
                outputGradient: outputGradient.rows(rows), saved: saved, shared: keyValue, sharedGradient: into,
                inputGradient: gradient, weights: FrozenBlock(), scratch: scratch)
            return (output, gradient, sharedGradient)
        }
        let (output, gradient, sharedGradient) = run(0..<groupCount, .perGroup(keyValue.reading, shared: shared))
        for group in 0..<groupCount {
            let rows = group * rowsOfGroup..<(group + 1) * rowsOfGroup
            let own = group * shared..<(group + 1) * shared
            let alone = run(group..<group + 1, .everyGroup(keyValue.rows(own).reading))
            expectClose(output.rows(rows).values, alone.0.values, tolerance: 1e-5, "output of group \(group)")
            expectClose(gradient.rows(rows).values, alone.1.values, tolerance: 1e-5, "input gradient of group \(group)")
            expectClose(sharedGradient.rows(own).values, alone.2.values, tolerance: 1e-5, "shared gradient of group \(group)")
        }
        #expect(sharedGradient.rows(0..<shared).values != sharedGradient.rows(shared..<2 * shared).values)
    }
}

extension TensorFixture {
    fileprivate func matrix(_ name: String, rows: Int) throws -> MutableMatrix {
        let values = try floats(name)
        return MutableMatrix(rows: rows, columns: values.count / rows, values)
    }
}

/// All layers of a tower share one set of prompts, each with a factor of its own.
private struct ScaledPrompts: PromptSource {
    let configuration: PromptConfiguration
    let promptGradients: PromptSet<MutableMatrix>
    private let shared: (vision: LearnedTensor, text: LearnedTensor)
    private let factors: (vision: LearnedTensor, text: LearnedTensor)
    private let made: PromptSet<MutableMatrix>

    /// - Parameter seeds: its first layers are what is shared.
    init(seeds: PromptSet<MutableMatrix>) {
        func zeros(_ matrix: MutableMatrix) -> MutableMatrix { MutableMatrix(rows: matrix.rowCount, columns: matrix.columnCount) }
        func zeros(_ set: PromptSet<MutableMatrix>) -> PromptSet<MutableMatrix> {
            PromptSet(vision: set.vision.map(zeros), text: set.text.map(zeros))
        }
        func tensor(_ name: String, _ value: MutableMatrix) -> LearnedTensor {
            LearnedTensor(name: name, value: value, gradient: zeros(value))
        }
        func factors(_ layers: [MutableMatrix]) -> MutableMatrix {
            MutableMatrix(rows: 1, columns: layers.count, layers.indices.map { 1 + Float($0) / 2 })
        }
        configuration = seeds.configuration
        promptGradients = zeros(seeds)
        made = zeros(seeds)
        shared = (tensor("shared.vision", seeds.vision[0]), tensor("shared.text", seeds.text[0]))
        self.factors = (tensor("factors.vision", factors(seeds.vision)), tensor("factors.text", factors(seeds.text)))
    }

    var tensors: [LearnedTensor] { [shared.vision, shared.text, factors.vision, factors.text] }

    func forward() -> PromptSet<Matrix> {
        func scale(_ shared: LearnedTensor, _ factors: LearnedTensor, into layers: [MutableMatrix]) {
            for (layer, matrix) in layers.enumerated() { matrix.fill(with: shared.value.values.map { $0 * factors.value[0, layer] }) }
        }
        scale(shared.vision, factors.vision, into: made.vision)
        scale(shared.text, factors.text, into: made.text)
        for gradient in promptGradients.all { gradient.fill(0) }
        return made.reading
    }

    func backward() {
        func pull(_ gradients: [MutableMatrix], _ shared: LearnedTensor, _ factors: LearnedTensor) {
            for (layer, gradient) in gradients.enumerated() {
                let factor = factors.value[0, layer]
                shared.gradient.fill(with: zip(shared.gradient.values, gradient.values).map { $0 + factor * $1 })
                factors.gradient[0, layer] += zip(shared.value.values, gradient.values).reduce(0) { $0 + $1.0 * $1.1 }
            }
        }
        pull(promptGradients.vision, shared.vision, factors.vision)
        pull(promptGradients.text, shared.text, factors.text)
    }
}

/// A video is the sum of its frames, each times a learned weight.
private struct WeighedFrames: VideoAggregator {
    let weights: MutableMatrix
    private let gradient: MutableMatrix

    init(frameCount: Int) {
        self.init(weights: MutableMatrix(rows: 1, columns: frameCount, (0..<frameCount).map { 0.2 + 0.3 * Float($0) }))
    }

    private init(weights: MutableMatrix) {
        self.weights = weights
        gradient = MutableMatrix(rows: 1, columns: weights.columnCount)
    }

    var mixesFrames: Bool { true }
    var tensors: [LearnedTensor] { [LearnedTensor(name: "frame_weights", value: weights, gradient: gradient, rateFactor: 10)] }

    var snapshot: WeighedFrames {
        WeighedFrames(weights: MutableMatrix(rows: 1, columns: weights.columnCount, weights.values))
    }

    func pooled(_ features: Matrix) -> (rows: Matrix, saved: Matrix) {
        let row = MutableMatrix(rows: 1, columns: features.columnCount)
        multiply(weights, .asStored, features, .asStored, into: row)
        return (row.reading, features)
    }

    func pooledBackward(
        _ rowGradient: MutableMatrix, saved features: Matrix, into featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) {
        multiply(weights, .transposed, rowGradient, .asStored, into: featureGradient)
        multiply(rowGradient, .asStored, features, .transposed, into: tensorGradients[0], adding: true)
    }
}

/// Cross-entropy; texts that stay near a teacher's, once per step; and frames whose features stay small.
private struct AnchoredClasses: ClipObjective {
    let sequences: [[Int]]
    let teacher: TextFeatures
    private let strength: Float = 8
    private let decay: Float = 0.05

    init(sequences: [[Int]], teacher: TextFeatures) {
        self.sequences = sequences
        self.teacher = teacher
    }

    var classes: [[Int]]? { sequences }

    func loss(logits: [Float], of clip: LearnedClip) -> (loss: Double, gradient: [Float]) {
        softCrossEntropy(logits: logits, target: clip.target)
    }

    /// 8 · (1 − mean over classes of the cosine with the teacher): KgCoOp.
    func stepTerm(text: TextFeatures) -> StepTerm? {
        let count = Float(text.classCount)
        let cosines = zip(text.unit.values, teacher.unit.values).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        let gradient = MutableMatrix(
            rows: text.unit.rowCount, columns: text.unit.columnCount, teacher.unit.values.map { -strength / count * $0 })
        return StepTerm(loss: Double(strength) * (1 - cosines / Double(count)), unitTextGradient: gradient)
    }

    /// Half the decay times the squared length of the features.
    func featureTerm(
        of clip: LearnedClip, weight: Float, addingTo featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) -> Double? {
        featureGradient.fill(with: zip(featureGradient.values, clip.features.values).map { $0 + weight * decay * $1 })
        return Double(decay) / 2 * clip.features.values.reduce(0.0) { $0 + Double($1) * Double($1) }
    }
}
