import Foundation
import Methods
import Tensors
import TestSupport
import Testing

/// Heads in closed form, against their authors' code.
@Suite struct ClosedFormTests {
    let fixture: HeadFixture
    let context = HeadFixture.context

    init() throws { fixture = try HeadFixture() }

    @Test(arguments: HeadFixture.shots)
    func means(shots: Int) throws {
        let expected = try TensorFixture("heads/linear-and-means")
        let examples = try fixture.examples(shots: shots)
        let nearest = try NearestMean.fit(examples, context: context)
        expectClose(nearest.means.values, try expected.floats("S\(shots).means"), tolerance: headTolerance, "means")
        try expectHead(nearest, on: fixture.test, gives: expected.floats("S\(shots).nearest_mean.test_squared_distances").map { -$0 })
        try expectHead(
            CosineMean.fit(examples, context: context), on: fixture.test, gives: expected.floats("S\(shots).cosine_mean.test_logits"))
        let rocchio = try Rocchio.fit(examples, context: context)
        expectClose(rocchio.weight.values, try expected.floats("S\(shots).rocchio.weight"), tolerance: headTolerance, "weight")
        try expectHead(rocchio, on: fixture.test, gives: expected.floats("S\(shots).rocchio.test_logits"))
    }

    @Test(arguments: HeadFixture.shots)
    func tipAdapter(shots: Int) throws {
        let expected = try TensorFixture("heads/tip-adapter")
        var settings = TipAdapter.Settings()
        settings.alpha = 3
        let examples = try fixture.examples(shots: shots)
        let head = try TipAdapter.fit(examples, validation: nil, settings: settings, context: context)
        let keys = try expected.floats("S\(shots).keys")
        let count = 7 * shots
        expectClose(
            head.core.keys.values, (0..<count).flatMap { clip in (0..<32).map { keys[$0 * count + clip] } }, tolerance: headTolerance, "keys")
        #expect(head.core.values.values == (try expected.floats("S\(shots).values")))
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).logits"))
        let searched = try TipAdapter.fit(examples, validation: fixture.validation, settings: settings, context: context)
        expectClose([Float(searched.beta), Float(searched.alpha)], try expected.floats("S\(shots).searched_beta_alpha"), tolerance: 1e-6, "search")
        try expectHead(searched, on: fixture.test, gives: expected.floats("S\(shots).searched_logits"))
    }

    @Test(arguments: HeadFixture.shots)
    func gaussianDiscriminant(shots: Int) throws {
        let expected = try TensorFixture("heads/gda")
        let examples = try fixture.examples(shots: shots)
        var settings = GaussianDiscriminant.Settings()
        settings.alpha = 1
        let head = try GaussianDiscriminant.fit(examples, validation: nil, settings: settings, context: context)
        expectClose(head.weight.values, try expected.floats("S\(shots).weight"), tolerance: headTolerance, "weight")
        expectClose(head.bias, try expected.floats("S\(shots).bias"), tolerance: headTolerance, "bias")
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).test_logits_alpha1"))
        let chosen = try GaussianDiscriminant.fit(examples, validation: fixture.validation, settings: .init(), context: context)
        #expect([Float(chosen.alpha)] == (try expected.floats("S\(shots).best_alpha")))
        try expectHead(chosen, on: fixture.test, gives: expected.floats("S\(shots).test_logits"))
    }

    /// The authors score the new classes alone, so their constant is −log 4; ours counts all eleven.
    @Test func gaussianDiscriminantWithoutClips() throws {
        let expected = try TensorFixture("heads/gda")
        let examples = try fixture.examples(shots: 4, newClasses: true)
        var settings = GaussianDiscriminant.Settings()
        settings.alpha = Double(try expected.floats("base_to_new.best_alpha")[0])
        let head = try GaussianDiscriminant.fit(examples, validation: nil, settings: settings, context: context)
        expectClose(head.weight.rows(7..<11).values, try expected.floats("new.weight"), tolerance: headTolerance, "weight")
        let shift = Float(log(11.0 / 4))
        expectClose(head.bias[7...].map { $0 + shift }, try expected.floats("new.bias"), tolerance: headTolerance, "bias")
        let logits = try head.logits(of: fixture.new)
        expectClose(
            (0..<12).flatMap { row in (7..<11).map { logits[row, $0] + Float(settings.alpha ?? 0) * shift } },
            try expected.floats("new.test_logits"), tolerance: headTolerance, "logits")
    }

    /// With fewer clips than neighbors all of them serve; with one, its own difference is the covariance.
    @Test func gaussianDiscriminantTakesTheNeighborsThereAre() throws {
        for shots in HeadFixture.shots {
            let head = try GaussianDiscriminant.fit(fixture.examples(shots: shots, views: 1, newClasses: true), context: context)
            #expect(try head.logits(of: fixture.new).values.allSatisfy(\.isFinite))
        }
        let one = try HeadExamples(
            features: HeadFeatures(projected: MutableMatrix(rows: 1, columns: 2, [1, 1])), labels: [0], clips: [0],
            texts: MutableMatrix(rows: 2, columns: 2, [1, 0, 0, 1]))
        let head = try GaussianDiscriminant.fit(one, context: context)
        // One clip has no covariance: class 0 is scored by its text alone.
        #expect(head.weight.row(0).values == [0, 0])
        #expect(head.weight.row(1).values.allSatisfy { $0.isFinite && $0 != 0 })
    }

    @Test(arguments: HeadFixture.shots)
    func kernels(shots: Int) throws {
        let expected = try TensorFixture("heads/kernel")
        let examples = try fixture.examples(shots: shots)
        let proker = try ProKeR.fit(examples, context: context)
        try expectHead(proker, on: fixture.test, gives: expected.floats("S\(shots).test_logits"))
        let ridge = try KernelRidge.fit(examples, context: context)
        try expectHead(ridge, on: fixture.test, gives: expected.floats("S\(shots).kernel_ridge.test_logits"))
        /// Theirs are ordered by view first.
        func ours(_ theirs: [Float]) -> [Float] {
            let clipCount = 7 * shots
            var rows: [Float] = []
            for clip in 0..<clipCount {
                for view in 0..<3 {
                    let start = (view * clipCount + clip) * 7
                    rows += theirs[start..<start + 7]
                }
            }
            return rows
        }
        expectClose(proker.core.coefficients.values, ours(try expected.floats("S\(shots).alpha")), tolerance: headTolerance, "ProKeR")
        expectClose(
            ridge.core.coefficients.values, ours(try expected.floats("S\(shots).kernel_ridge.coefficients")), tolerance: headTolerance, "ridge")
    }
}
