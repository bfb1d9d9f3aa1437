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
        let logits = matcher.logits(ofUnit: frames).flatMap { $0.map { Float($0) } }
        expectClose(logits, try fixture.floats("logits"), tolerance: 1e-4, "logits")
        #expect(matcher.classCount == 5)
    }

    @Test(arguments: ["spatial", "temporal"]) func plansAreTheAuthors(kind: String) throws {
        let classes = try classes(kind)
        let plans = OptimalTransport().plans(frames.flatMap { clip in classes.map { product(clip, .asStored, $0.unit, .transposed) } })
        expectClose(plans.flatMap { $0.values.map { Float($0) } }, try fixture.floats("plan_\(kind)"), tolerance: 1e-4, kind)
        for plan in plans { #expect(abs(plan.values.reduce(0, +) - 1) < 1e-6) }
    }

    /// What a class's logit changes by with each number of the frames, while the plan stays.
    @Test func theGradientIsThatOfAConstantPlan() throws {
        let kinds = [try classes("spatial"), try classes("temporal")]
        let matcher = TransportMatcher(kinds: kinds, scale: 100)
        let (clip, label) = (frames[1], 3)
        let gradient = matcher.gradient(ofUnit: clip, label: label)
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
