import CLIPModel
import Methods
import Tensors
import TestSupport
import Testing

/// Clips that are compared with the classes of their batch: OST's own numbers, and how prompts learn so.
@Suite struct ClassMatchingTests {
    /// A training step of the authors' from the features of frames and sentences on: logits, loss and both gradients. A class that two
    /// clips share has a column for each there, whose gradients are its own together.
    @Test func equalsItsAuthorsCode() throws {
        let fixture = try TensorFixture("descriptions/ost")
        let shape = try fixture.shape("spatial")
        let (classCount, sentenceCount, width) = (shape[0], shape[1], shape[2])
        let kinds = ["spatial", "temporal"]
        let sentences = try kinds.flatMap { try fixture.floats($0) }
        let text = TextFeatures(MutableMatrix(rows: 2 * classCount * sentenceCount, columns: width, sentences))
        let frames = try fixture.floats("frame_features")
        let labels = try fixture.integers("train_labels")
        let size = frames.count / labels.count
        let clips = labels.indices.map { MutableMatrix(rows: size / width, columns: width, Array(frames[$0 * size..<($0 + 1) * size])) }
        let counts = [Int](repeating: sentenceCount, count: classCount)
        let head = VideoHead(TransportFusion(counts: [counts, counts]), scale: 100, text: text)

        let logits = BatchLogits(head, clips: clips.map(\.reading), labels: labels)
        expectClose(logits.values.flatMap(\.self), try fixture.floats("train_logits"), tolerance: 1e-4, "logits")
        let (loss, gradient) = ClassMatching.loss(logits: logits.values, labels: labels)
        expectClose(Float(loss), try fixture.floats("train_loss")[0], tolerance: 1e-4, "loss")

        var accumulator = HeadAccumulator(unitText: MutableMatrix(rows: text.classCount, columns: width))
        let expectedFrames = try fixture.floats("grad_frame_features")
        var ofFrames: (found: [Float], expected: [Float]) = ([], [])
        for (index, clip) in clips.enumerated() {
            let found = MutableMatrix(rows: clip.rowCount, columns: width)
            logits.backward(gradient[index], ofClip: index, into: found, accumulator: &accumulator)
            // The fixture has that of the unit vectors, which features are brought to.
            let unit = MutableMatrix(rows: clip.rowCount, columns: width, Array(expectedFrames[index * size..<(index + 1) * size]))
            ofFrames.found += found.values
            ofFrames.expected += TextFeatures(clip).backward(unitGradient: unit).values
        }
        expectClose(ofFrames.found, ofFrames.expected, tolerance: 1e-4, "frames")
        for (kind, name) in kinds.enumerated() {
            let columns = try fixture.floats("grad_\(name)")
            let classSize = sentenceCount * width
            var expected = [Float](repeating: 0, count: classCount * classSize)
            for (column, label) in labels.enumerated() {
                for place in 0..<classSize { expected[label * classSize + place] += columns[column * classSize + place] }
            }
            let rows = accumulator.unitText.rows(kind * classCount * sentenceCount..<(kind + 1) * classCount * sentenceCount)
            expectClose(rows.values, expected, tolerance: 1e-4, name)
        }
    }

    private let fixture: PromptMethodFixture
    private let prompts: PromptSet<MutableMatrix>
    private let clips: [Matrix]
    /// The first class has sentences 0, 1 and 3, the second 2 and 4: two kinds of them.
    private let counts = [[2, 1], [1, 1]]

    init() throws {
        fixture = try PromptMethodFixture("ivlp")
        prompts = try PromptSet(
            vision: fixture.matrices(Array(PromptMethodTests.visionNames.prefix(2))), text: fixture.matrices(PromptMethodTests.textNames))
        clips = fixture.clips(ofFrames: 2)
    }

    /// Five steps of prompts of both towers against another program (`Tests/Fixtures/scripts/make_batches.py`): the gradients of the
    /// first, the losses of all, and what they come to.
    @Test(arguments: ["names", "means", "transport"]) func stepsOfPrompts(_ variant: String) throws {
        let expected = try TensorFixture("descriptions/batches")
        let names = Array(PromptMethodTests.visionNames.prefix(2)) + PromptMethodTests.textNames
        let (source, backbone) = (DirectPrompts(prompts, architecture: fixture.backbone.architecture), fixture.backbone)
        let objective = ClassMatching(sequences: fixture.sequences)
        func expect<Part: LearningPart>(_ part: Part, labels: [Int]) throws {
            let learner = Learner(part, objective, frameCount: 2, pool: fixture.pool)
            #expect(part.tensors.count == names.count)
            var losses: [Float] = []
            for step in 0..<5 {
                for tensor in part.tensors { tensor.gradient.fill(0) }
                var result = StepResult()
                learner.begin()
                learner.add(ClipBatch(clips: clips, labels: labels, targets: []), weight: 1 / 3, to: &result)
                learner.finish()
                losses.append(Float(result.lossSum / 3))
                for (tensor, name) in zip(part.tensors, names) {
                    if step == 0 { expectClose(tensor.gradient.values, try expected.floats("\(variant).grad.\(name)"), tolerance: 1e-4, name) }
                    tensor.value.fill(with: zip(tensor.value.values, tensor.gradient.values).map { $0 - 0.005 * $1 })
                }
            }
            expectClose(losses, try expected.floats("\(variant).losses"), tolerance: 1e-4, "losses")
            for (tensor, name) in zip(part.tensors, names) {
                expectClose(tensor.value.values, try expected.floats("\(variant).final.\(name)"), tolerance: 1e-4, name)
            }
        }
        switch variant {
        case "names": try expect(PromptPart(source, aggregator: Fusion.embedding, on: backbone), labels: [1, 4, 1])
        case "means":
            try expect(PromptPart(source, aggregator: Fusion.embedding, on: backbone, means: SentenceMeans(counts: counts)), labels: [0, 1, 1])
        default: try expect(PromptPart(source, aggregator: TransportFusion(counts: counts), on: backbone), labels: [0, 1, 1])
        }
    }

    /// Class names, one of which two clips share, and sentences of two classes.
    @Test(arguments: [Fusion.embedding, .decision])
    func gradientsOfPrompts(_ fusion: Fusion) {
        let objective = ClassMatching(sequences: fixture.sequences)
        fixture.expectSlopes(of: objective, prompts: prompts, fusion: fusion, clips: clips, labels: [1, 4, 1])
        fixture.expectSlopes(
            of: objective, prompts: prompts, fusion: fusion, clips: clips, labels: [0, 1, 1], means: SentenceMeans(counts: counts))
    }

    /// A step by any number of threads, with all clips in flight together or one after the other.
    @Test func stepsDoNotDependOnThreads() {
        func step(threads: Int, budget: MemoryBudget = .standard, batches: [Range<Int>] = [0..<3]) -> [UInt32] {
            let part = PromptPart(
                DirectPrompts(prompts, architecture: fixture.backbone.architecture), aggregator: TransportFusion(counts: counts), on: fixture.backbone)
            let learner = Learner(
                part, ClassMatching(sequences: fixture.sequences), frameCount: 2, pool: WorkerPool(threadCount: threads), budget: budget)
            for tensor in part.tensors { tensor.gradient.fill(0) }
            let labels = [0, 1, 1]
            var result = StepResult()
            learner.begin()
            for batch in batches {
                learner.add(ClipBatch(clips: Array(clips[batch]), labels: Array(labels[batch]), targets: []), weight: 1 / 3, to: &result)
            }
            learner.finish()
            #expect(result.clipCount == 3 && !learner.sharesClips)
            #expect(part.tensors.allSatisfy { $0.gradient.values.contains { $0 != 0 } })
            return ([Float(result.lossSum)] + part.tensors.flatMap(\.gradient.values)).map(\.bitPattern)
        }
        let one = step(threads: 1)
        for threads in 2...3 { #expect(step(threads: threads) == one, "\(threads) threads") }
        for threads in 1...2 { #expect(step(threads: threads, budget: .activations(1)) == one, "\(threads) threads in turn") }
        // Other clips to compare with are another loss; a clip alone has none.
        #expect(step(threads: 1, batches: [0..<2, 2..<3]) != one)
    }

    /// From what was computed before of frames that stay the same, where text prompts alone learn.
    @Test func cachedFeaturesLearnTheSame() throws {
        let texts = PromptSet(vision: [], text: prompts.text)
        let part = PromptPart(DirectPrompts(texts, architecture: fixture.backbone.architecture), aggregator: Fusion.embedding, on: fixture.backbone)
        let learner = Learner(part, ClassMatching(sequences: fixture.sequences), frameCount: 2, pool: fixture.pool)
        func step(_ clips: [Matrix], _ input: ClipInput) -> [[Float]] {
            for tensor in part.tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips, input: input, labels: [1, 4, 1], targets: []), weight: 1 / 3, to: &result)
            learner.finish()
            return part.tensors.map(\.gradient.values)
        }
        #expect(step(clips, .pixels) == step(learner.cachedPrefix(of: clips), .cachedPrefix))
    }

    /// Where every clip says its class with certainty there is nothing to learn but the share that targets leave to others.
    @Test func theLossIsADivergence() {
        func loss(_ logits: [[Float]], _ labels: [Int]) -> Double { ClassMatching.loss(logits: logits, labels: labels).loss }
        // Clips of one class should say both of it alike, which a difference of 0 does and logits of 10 against 0 do of two classes.
        #expect(abs(loss([[3, 3], [3, 3]], [2, 2])) < 1e-6 && abs(loss([[10, 0], [0, 10]], [0, 1])) < 1e-6)
        // ln 2 less the entropy of (σ(10), σ(−10)), in both directions.
        #expect(abs(loss([[0, 0], [0, 0]], [0, 1]) - 2 * (0.693_147 - 0.000_499_4)) < 1e-5)
        #expect(loss([[7]], [3]) == 0)
    }
}
