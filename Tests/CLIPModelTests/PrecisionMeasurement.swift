import CLIPModel
import Foundation
import Tensors
import TestSupport
import Testing

/// The errors of `docs/precision.md`, at the sizes of ViT-B/16 with random weights:
///
///     VIFI_PROMPT_MEASURE=1 swift test -c release --filter PrecisionMeasurement
@Suite(.enabled(if: ProcessInfo.processInfo.environment["VIFI_PROMPT_MEASURE"] != nil && Precision.bfloat16.isAvailable))
struct PrecisionMeasurement {
    @Test func errorsAtTheSizeOfViTB16() throws {
        let architecture = CLIPArchitecture(
            vision: .init(width: 768, layerCount: 12), text: .init(width: 512, layerCount: 12), imagePixels: 224, patchPixels: 16,
            embeddingWidth: 512, contextLength: 77, vocabularySize: 600)
        let full = Backbone(
            architecture: architecture,
            parameters: BackboneParameters<MutableMatrix>(random: architecture, seed: 1).map(\.reading),
            description: BackboneDescription(name: "random", normalization: .clip, tokenizer: .bytes, provenance: "random numbers"))
        let configuration = PromptConfiguration(visionTokens: 10, visionDepth: 12, textTokens: 10, textDepth: 12)
        let prompts = PromptSet<MutableMatrix>(random: configuration, architecture: architecture, seed: 1)
        let sequences = (0..<10).map { [598] + Array(repeating: 1, count: 10) + Array(repeating: 20 + $0, count: 1 + $0 % 3) + [2, 599] }
        var source = RandomSource(seed: 1, purpose: .test)
        let clip = MutableMatrix(rows: 4, columns: 3 * 224 * 224, (0..<4 * 3 * 224 * 224).map { _ in source.normal() }).reading

        func step(_ precision: Precision) -> (loss: Double, logits: [Float], text: [Float], vision: [[Float]], language: [[Float]]) {
            let backbone = full.computing(in: precision)
            let pool = WorkerPool(threadCount: 2)
            let learner = promptLearner(
                backbone: backbone, prompts: prompts, sequences: sequences, fusion: .embedding, frameCount: 4, pool: pool)
            var result = StepResult()
            learner.begin()
            learner.add(clips: [clip], targets: [(0..<10).map { $0 == 3 ? 1 : 0 }], weight: 1, to: &result)
            learner.finish()
            let gradients = learner.gradients
            let classifier = CLIPClassifier(
                backbone: backbone, prompts: prompts.reading, sequences: sequences, frameCount: 4, pool: pool)
            return (result.lossSum, result.logits[0], classifier.text.unit.values, gradients.vision.map(\.values), gradients.text.map(\.values))
        }
        let expected = step(.float32)
        let actual = step(.bfloat16)
        func error(_ actual: [Float], _ expected: [Float]) -> String {
            let difference = zip(actual, expected).reduce(0.0) { $0 + Double($1.0 - $1.1) * Double($1.0 - $1.1) }
            let length = expected.reduce(0.0) { $0 + Double($1) * Double($1) }
            return String(format: "%.4f", (difference / length).squareRoot())
        }
        print("loss \(expected.loss) → \(actual.loss)")
        print("logits \(error(actual.logits, expected.logits)), text features \(error(actual.text, expected.text))")
        print("vision gradients", zip(actual.vision, expected.vision).map(error).joined(separator: " "))
        print("text gradients", zip(actual.language, expected.language).map(error).joined(separator: " "))
        print("all gradients", error((actual.vision + actual.language).flatMap { $0 }, (expected.vision + expected.language).flatMap { $0 }))
    }

    /// Each block of a random ViT-B/16 on the rows that float32 brings to it, and on those that its own numbers brought.
    @Test(.enabled(if: Precision.int8.isAvailable, "int8 products are not available on this machine"))
    func errorsOfTheFrozenPassByLayer() throws {
        let architecture = CLIPArchitecture.vitB16
        let tower = architecture.vision
        let parameters = BackboneParameters<MutableMatrix>(random: architecture, seed: 1).map(\.reading).vision
        let (frames, rows) = (2, architecture.patchCount + 1)
        let shape = BlockShape(groups: RowGroups(lengths: Array(repeating: rows, count: frames)), sharedCount: 0, queries: .every)
        var source = RandomSource(seed: 2, purpose: .test)
        let start = MutableMatrix(rows: frames * rows, columns: tower.width, (0..<frames * rows * tower.width).map { _ in source.normal() })

        func passed(_ input: MutableMatrix, layer: Int, _ precision: Precision) -> MutableMatrix {
            let block = TransformerBlock(
                parameters: parameters.blocks[layer], headCount: tower.headCount, activation: architecture.activation, isCausal: false,
                isLast: false, precision: precision)
            let numbers = shape.rowPrecision(precision, headWidth: tower.headWidth)
            let saved = BlockActivations(shapes: [shape], tower: tower, keeping: .nothing, precision: numbers)
            saved.input.copy(input)
            let output = MutableMatrix(rows: input.rowCount, columns: tower.width)
            block.forward(
                saved: saved, shared: nil, output: output,
                scratch: BlockScratch(for: [shape], tower: tower, keeping: .nothing, precision: precision))
            return output
        }
        /// What a block adds to the residual stream.
        func update(_ output: MutableMatrix, _ input: MutableMatrix) -> [Float] { zip(output.values, input.values).map { $0 - $1 } }

        var exact = start
        var streams: [Precision: MutableMatrix] = [.bfloat16: start, .int8: start]
        for layer in 0..<tower.layerCount {
            let next = passed(exact, layer: layer, .float32)
            var words: [String] = []
            for precision in [Precision.bfloat16, .int8] {
                let own = relativeError(update(passed(exact, layer: layer, precision), exact), update(next, exact))
                let stream = passed(try #require(streams[precision]), layer: layer, precision)
                streams[precision] = stream
                words.append(String(format: "%@ own %.4f, summed %.4f", precision.rawValue, own, relativeError(stream.values, next.values)))
            }
            print("layer", layer, words.joined(separator: "; "))
            exact = next
        }
    }
}
