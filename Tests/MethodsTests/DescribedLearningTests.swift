import CLIPModel
import Methods
import Tensors
import TestSupport
import Testing

/// Prompts that learn against several sentences of each class.
@Suite struct DescribedLearningTests {
    private let fixture: PromptMethodFixture
    private let prompts: PromptSet<MutableMatrix>
    /// The first class has sentences 0, 1 and 3, the second 2 and 4: two kinds of them.
    private let means = SentenceMeans(counts: [[2, 1], [1, 1]])
    private static let sentences = [[0, 1, 3], [2, 4]]

    init() throws {
        fixture = try PromptMethodFixture("ivlp")
        prompts = try PromptSet(
            vision: fixture.matrices(Array(PromptMethodTests.visionNames.prefix(2))), text: fixture.matrices(PromptMethodTests.textNames))
    }

    /// Put together by hand, and with one sentence a class as without.
    @Test func aClassIsTheMeanOfItsSentences() throws {
        let (backbone, clips) = (fixture.backbone, Array(fixture.clips(ofFrames: 2).prefix(2)))
        func part(_ means: SentenceMeans?) -> PromptPart<Fusion> {
            PromptPart(DirectPrompts(prompts, architecture: backbone.architecture), aggregator: .embedding, on: backbone, means: means)
        }
        func logits(_ means: SentenceMeans?, classCount: Int) throws -> [[Float]] {
            let part = part(means)
            let learner = Learner(part, SoftCrossEntropy(sequences: fixture.sequences), frameCount: 2, pool: fixture.pool)
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips, targets: clips.map { _ in [1] + [Float](repeating: 0, count: classCount - 1) }), weight: 0.5, to: &result)
            let classifier = part.classifier(sequences: fixture.sequences, frameCount: 2, pool: fixture.pool)
            #expect(classifier.classCount == classCount)
            expectClose(try classifier.logits(clips: clips).flatMap(\.self), result.logits.flatMap(\.self), tolerance: 1e-5, "classifier")
            return result.logits
        }
        let texts = try TextEncoder(backbone: backbone, prompts: prompts.reading, pool: fixture.pool).embeddings(of: fixture.sequences)
        let videos = try VideoEncoder(backbone: backbone, prompts: prompts.reading, frameCount: 2, pool: fixture.pool).embeddings(of: clips)
        for (video, found) in try logits(means, classCount: 2).enumerated() {
            let expected = Self.sentences.map { sentences -> Float in
                let mean = (0..<texts.columnCount).map { column in sentences.reduce(0.0) { $0 + Double(texts[$1, column]) } }
                let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
                return backbone.logitScale * Float(zip(mean, videos.row(video).values).reduce(0) { $0 + $1.0 * Double($1.1) } / length)
            }
            expectClose(found, expected, tolerance: 1e-4, "video \(video)")
        }
        expectClose(
            try logits(SentenceMeans(counts: [[1, 1, 1, 1, 1]]), classCount: 5).flatMap(\.self),
            try logits(nil, classCount: 5).flatMap(\.self), tolerance: 1e-5, "one sentence a class")
    }

    /// Frames that are matched with sentences, whose plans are constants: a step says what a classifier says, and gradients reach both
    /// towers by way of the features that they leave.
    @Test func framesAreMatched() throws {
        let (backbone, clips) = (fixture.backbone, Array(fixture.clips(ofFrames: 2).prefix(2)))
        let fusion = TransportFusion(counts: [[2, 1], [1, 1]])
        let part = PromptPart(DirectPrompts(prompts, architecture: backbone.architecture), aggregator: fusion, on: backbone)
        let learner = Learner(part, SoftCrossEntropy(sequences: fixture.sequences), frameCount: 2, pool: fixture.pool)
        func step(of pieces: [Range<Int>]) -> (gradients: [[Float]], logits: [[Float]]) {
            for tensor in part.tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            for piece in pieces {
                learner.add(ClipBatch(clips: Array(clips[piece]), targets: piece.map { [Float($0), Float(1 - $0)] }), weight: 0.5, to: &result)
            }
            learner.finish()
            return (part.tensors.map(\.gradient.values), result.logits)
        }
        let whole = step(of: [0..<2])
        let pieces = step(of: [0..<1, 1..<2])
        #expect(whole.gradients == pieces.gradients && whole.logits == pieces.logits)
        #expect(whole.gradients.allSatisfy { $0.contains { $0 != 0 } })
        let classifier = part.classifier(sequences: fixture.sequences, frameCount: 2, pool: fixture.pool)
        #expect(classifier.classCount == 2)
        expectClose(try classifier.logits(clips: clips).flatMap(\.self), whole.logits.flatMap(\.self), tolerance: 1e-5, "classifier")
    }

    /// Through unit length, along the gradient of frames and texts with the plans as they are.
    @Test func gradientsOfAMatching() throws {
        let fusion = TransportFusion(counts: [[2, 1], [1, 1]])
        func random(_ rows: Int, item: Int) -> MutableMatrix {
            var source = RandomSource(seed: 5, purpose: .test, item: item)
            return MutableMatrix(rows: rows, columns: 8, (0..<rows * 8).map { _ in source.normal() })
        }
        let (features, sentences) = (random(3, item: 0), random(5, item: 1))
        let text = TextFeatures(sentences)
        let logits = fusion.logits(features.reading, text: text, scale: 10)
        let logitGradient = MutableMatrix(rows: 1, columns: 2, [0.7, -0.4])
        let featureGradient = MutableMatrix(rows: 3, columns: 8)
        var accumulator = HeadAccumulator(unitText: MutableMatrix(rows: 5, columns: 8))
        fusion.logitsBackward(logitGradient, of: logits, text: text, scale: 10, into: featureGradient, accumulator: &accumulator)
        // The matcher itself, whose gradients the fixture holds, between the normalizations.
        let kinds = [[0..<2, 2..<3], [3..<4, 4..<5]].map { classes in classes.map { ClassDescription(unit: text.unit.rows($0)) } }
        let matcher = TransportMatcher(kinds: kinds, scale: 10)
        let frames = TextFeatures(features)
        let clip = DoubleMatrix(frames.unit)
        let expected = matcher.backward([[0.7, -0.4]], ofUnit: [clip], matcher.matching(ofUnit: [clip]))
        expectClose(
            accumulator.unitText.values, expected.kinds.flatMap { $0.flatMap { $0.values.map { Float($0) } } }, tolerance: 1e-5, "sentences")
        expectClose(
            featureGradient.values, frames.backward(unitGradient: expected.clips[0].matrix).values, tolerance: 1e-5, "frames")
    }

    @Test func gradientsReachEverySentence() throws {
        fixture.expectSlopes(
            of: SoftCrossEntropy(sequences: fixture.sequences), prompts: prompts, fusion: .decision,
            clips: Array(fixture.clips(ofFrames: 2).prefix(2)), targets: [[1, 0], [0.3, 0.7]], means: means)
    }
}
