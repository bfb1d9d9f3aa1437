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

    @Test func gradientsReachEverySentence() throws {
        fixture.expectSlopes(
            of: SoftCrossEntropy(sequences: fixture.sequences), prompts: prompts, fusion: .decision,
            clips: Array(fixture.clips(ofFrames: 2).prefix(2)), targets: [[1, 0], [0.3, 0.7]], means: means)
    }
}
