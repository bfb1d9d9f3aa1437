import Foundation
import Methods
import Tensors
import TestSupport
import Testing

/// Frames matched with descriptions, against numbers of OST's own code.
@Suite struct DescriptionTests {
    private let fixture: TensorFixture
    private let frames: [DoubleMatrix]

    init() throws {
        fixture = try TensorFixture("descriptions/ost")
        frames = try Self.matrices(fixture, "frame_features")
    }

    /// The matrices of a tensor `[count, rows, columns]`.
    private static func matrices(_ fixture: TensorFixture, _ name: String) throws -> [DoubleMatrix] {
        let (shape, values) = (try fixture.shape(name), try fixture.floats(name).map(Double.init))
        let size = shape[1] * shape[2]
        return (0..<shape[0]).map { DoubleMatrix(rows: shape[1], columns: shape[2], Array(values[$0 * size..<($0 + 1) * size])) }
    }

    private func classes(_ kind: String) throws -> [ClassDescription] {
        try Self.matrices(fixture, kind).map { ClassDescription(unit: $0.matrix) }
    }

    @Test func logitsAreTheAuthors() throws {
        let matcher = TransportMatcher(kinds: [try classes("spatial"), try classes("temporal")], scale: 100)
        let logits = matcher.matching(ofUnit: frames).logits.flatMap { $0.map { Float($0) } }
        expectClose(logits, try fixture.floats("logits"), tolerance: 1e-4, "logits")
        #expect(matcher.classCount == 5)
    }

    @Test(arguments: ["spatial", "temporal"]) func plansAreTheAuthors(kind: String) throws {
        let classes = try classes(kind)
        let plans = OptimalTransport().plans(frames.flatMap { clip in classes.map { product(clip, .asStored, $0.unit, .transposed) } })
        expectClose(plans.flatMap { $0.values.map { Float($0) } }, try fixture.floats("plan_\(kind)"), tolerance: 1e-4, kind)
        for plan in plans { #expect(abs(plan.values.reduce(0, +) - 1) < 1e-6) }
    }

    /// A training step of the authors': the classes are those of the batch's clips, repeated where clips share one, and each clip finds
    /// its texts as each text finds its clips.
    @Test func trainingLossAndGradientsAreTheAuthors() throws {
        let labels = try fixture.integers("train_labels")
        let count = labels.count
        let kinds = try ["spatial", "temporal"].map { kind in
            let all = try classes(kind)
            return labels.map { all[$0] }
        }
        let matcher = TransportMatcher(kinds: kinds, scale: 100)
        let matching = matcher.matching(ofUnit: frames)
        expectClose(matching.logits.flatMap { $0.map { Float($0) } }, try fixture.floats("train_logits"), tolerance: 1e-4, "logits")
        func probabilities(_ logits: [Double]) -> [Double] {
            let highest = logits.max() ?? 0
            let powers = logits.map { exp($0 - highest) }
            let sum = powers.reduce(0, +)
            return powers.map { $0 / sum }
        }
        // KL(q ‖ p) of rows and of columns, each a mean, and their sum; q = softmax(10 · [same class]).
        var loss = 0.0
        var gradient = labels.map { _ in [Double](repeating: 0, count: count) }
        for index in 0..<count {
            let target = probabilities(labels.map { $0 == labels[index] ? 10 : 0 })
            let row = probabilities(matching.logits[index])
            let column = probabilities(matching.logits.map { $0[index] })
            for other in 0..<count {
                loss += target[other] * (2 * log(target[other]) - log(row[other]) - log(column[other])) / Double(count)
                gradient[index][other] += (row[other] - target[other]) / Double(count)
                gradient[other][index] += (column[other] - target[other]) / Double(count)
            }
        }
        expectClose(Float(loss), try fixture.floats("train_loss")[0], tolerance: 1e-4, "loss")
        let gradients = matcher.backward(gradient, ofUnit: frames, matching)
        func flat(_ matrices: [DoubleMatrix]) -> [Float] { matrices.flatMap { $0.values.map { Float($0) } } }
        expectClose(flat(gradients.clips), try fixture.floats("grad_frame_features"), tolerance: 1e-4, "frames")
        for (kind, found) in zip(["spatial", "temporal"], gradients.kinds) {
            expectClose(flat(found), try fixture.floats("grad_\(kind)"), tolerance: 1e-4, kind)
        }
    }

    /// What a class's logit changes by with each number of the frames, while the plan stays.
    @Test func theGradientIsThatOfAConstantPlan() throws {
        let kinds = [try classes("spatial"), try classes("temporal")]
        let matcher = TransportMatcher(kinds: kinds, scale: 100)
        let (clip, label) = (frames[1], 3)
        let logitGradient = (0..<5).map { $0 == label ? 1.0 : 0 }
        let gradient = matcher.backward([logitGradient], ofUnit: [clip], matcher.matching(ofUnit: [clip])).clips[0]
        func logit(_ moved: DoubleMatrix) -> Double {
            kinds.reduce(0) { sum, kind in
                let plan = OptimalTransport().plans(kind.map { product(clip, .asStored, $0.unit, .transposed) })[label]
                let similarity = product(moved, .asStored, kind[label].unit, .transposed)
                let carried = zip(plan.values, similarity.values).reduce(0) { $0 + $1.0 * $1.1 }
                let means = (0..<moved.columnCount).map { column in (0..<moved.rowCount).reduce(0) { $0 + moved[$1, column] } / Double(moved.rowCount) }
                return sum + 50 * (carried + zip(means, kind[label].mean).reduce(0) { $0 + $1.0 * $1.1 })
            }
        }
        for (row, column) in [(0, 0), (2, 7), (5, 31)] {
            var (above, below) = (clip, clip)
            above[row, column] += 1e-4
            below[row, column] -= 1e-4
            #expect(abs((logit(above) - logit(below)) / 2e-4 - gradient[row, column]) < 1e-5 * max(1, abs(gradient[row, column])))
        }
    }
}
