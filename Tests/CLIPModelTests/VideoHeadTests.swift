import CLIPModel
import Foundation
import Tensors
import Testing

/// The three ways in which frames come together (methods 2), written out again in `Double`, with derivatives
/// by central differences: what `bridge --fusion` learns from.
@Suite struct VideoHeadTests {
    private static let frames = 3
    private static let classes = 4
    private static let width = 5

    private struct Scene {
        var features: [Double]
        var text: [Double]
        var logScale = log(7.0)
        let target = [0.625, 0.025, 0.325, 0.025]

        init() {
            var source = RandomSource(seed: 3, purpose: .test)
            features = (0..<VideoHeadTests.frames * VideoHeadTests.width).map { _ in Double(source.normal()) }
            text = (0..<VideoHeadTests.classes * VideoHeadTests.width).map { _ in Double(source.normal()) }
        }

        private func unit(_ row: [Double]) -> [Double] {
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / length }
        }

        private func logits(_ vector: [Double]) -> [Double] {
            let v = unit(vector)
            return (0..<VideoHeadTests.classes).map { label in
                let t = unit(Array(text[label * VideoHeadTests.width..<(label + 1) * VideoHeadTests.width]))
                return exp(logScale) * zip(v, t).reduce(0) { $0 + $1.0 * $1.1 }
            }
        }

        private func crossEntropy(_ logits: [Double]) -> Double {
            let sum = log(logits.reduce(0) { $0 + exp($1) })
            return -zip(target, logits).reduce(0) { $0 + $1.0 * ($1.1 - sum) }
        }

        private func mean(_ rows: [[Double]]) -> [Double] {
            rows[0].indices.map { column in rows.reduce(0) { $0 + $1[column] } / Double(rows.count) }
        }

        private var rows: [[Double]] {
            (0..<VideoHeadTests.frames).map { Array(features[$0 * VideoHeadTests.width..<($0 + 1) * VideoHeadTests.width]) }
        }

        /// What videos are classified by.
        func logits(_ fusion: Fusion) -> [Double] { fusion == .embedding ? logits(mean(rows)) : mean(rows.map(logits)) }

        func loss(_ fusion: Fusion) -> Double {
            switch fusion {
            case .embedding, .decision: crossEntropy(logits(fusion))
            case .image: rows.map { crossEntropy(logits($0)) }.reduce(0, +) / Double(VideoHeadTests.frames)
            }
        }
    }

    private func matrix(_ values: [Double], rows: Int) -> MutableMatrix {
        MutableMatrix(rows: rows, columns: Self.width, values.map(Float.init))
    }

    @Test(arguments: Fusion.allCases)
    func lossesAndGradientsAreThePapers(fusion: Fusion) {
        let scene = Scene()
        let text = TextFeatures(matrix(scene.text, rows: Self.classes))
        let head = VideoHead(fusion, scale: Float(exp(scene.logScale)), text: text)
        let features = matrix(scene.features, rows: Self.frames)
        let gradient = MutableMatrix(rows: Self.frames, columns: Self.width)
        var accumulator = HeadAccumulator(unitText: MutableMatrix(rows: Self.classes, columns: Self.width))
        let weight = 0.25
        let result = head.loss(
            of: LearnedClip(frames: features.reading, features: features.reading, target: scene.target.map(Float.init)),
            by: SoftCrossEntropy(sequences: []), weight: Float(weight), featureGradient: gradient, accumulator: &accumulator)

        #expect(abs(result.loss - scene.loss(fusion)) < 1e-5)
        for (found, expected) in zip(head.logits(features: features.reading), scene.logits(fusion)) {
            #expect(abs(Double(found) - expected) < 1e-4)
        }
        func slope(_ change: (inout Scene, Double) -> Void) -> Double {
            var (up, down) = (scene, scene)
            change(&up, 1e-5)
            change(&down, -1e-5)
            return weight * (up.loss(fusion) - down.loss(fusion)) / 2e-5
        }
        for (index, found) in gradient.values.enumerated() {
            #expect(abs(Double(found) - slope { $0.features[index] += $1 }) < 1e-5, "feature \(index)")
        }
        #expect(abs(accumulator.logitScale - slope { $0.logScale += $1 }) < 1e-5)
    }
}
