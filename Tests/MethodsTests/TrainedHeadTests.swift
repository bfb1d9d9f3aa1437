import Methods
import Tensors
import TestSupport
import Testing

/// Heads that learn by steps, against their authors' code.
@Suite struct TrainedHeadTests {
    let fixture: HeadFixture

    init() throws { fixture = try HeadFixture() }

    @Test(arguments: HeadFixture.shots)
    func tipAdapterF(shots: Int) throws {
        let expected = try TensorFixture("heads/tip-adapter")
        var settings = TipAdapterF.Settings()
        settings.alpha = 3
        settings.epochs = 8
        let losses = HeadLosses()
        let head = try TipAdapterF.fit(fixture.examples(shots: shots), validation: nil, settings: settings, context: losses.context)
        expectClose(losses.values, try expected.floats("S\(shots).F.losses"), tolerance: headTolerance, "losses")
        expectClose(head.core.keys.values, try expected.floats("S\(shots).F.final.keys_transposed"), tolerance: headTolerance, "keys")
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).F.test_logits_after_8_epochs"))
    }

    @Test(arguments: HeadFixture.shots)
    func lpPlusPlus(shots: Int) throws {
        let expected = try TensorFixture("heads/lp-plus-plus")
        var settings = LPPlusPlus.Settings()
        settings.epochs = 25
        let examples = try fixture.examples(shots: shots)
        let start = try LPPlusPlus.start(examples, settings: settings)
        expectClose(start.weight.values, try expected.floats("S\(shots).start.weight"), tolerance: headTolerance, "start")
        expectClose(start.alpha, try expected.floats("S\(shots).start.alpha")[0], tolerance: headTolerance, "alpha")
        expectClose(Float(start.weightRate), try expected.floats("S\(shots).lr_weight")[0], tolerance: headTolerance, "rate")
        expectClose(Float(start.alphaRate), try expected.floats("S\(shots).lr_alpha")[0], tolerance: headTolerance, "rate of alpha")
        let losses = HeadLosses()
        let head = try LPPlusPlus.fit(
            examples, validation: nil, settings: settings, bias: expected.floats("S\(shots).start.bias"), context: losses.context)
        expectClose(losses.values, try expected.floats("S\(shots).losses"), tolerance: headTolerance, "losses")
        expectClose(head.weight.values, try expected.floats("S\(shots).final.weight"), tolerance: headTolerance, "weight")
        expectClose(head.bias, try expected.floats("S\(shots).final.bias"), tolerance: headTolerance, "bias")
        expectClose(head.alpha, try expected.floats("S\(shots).final.alpha"), tolerance: headTolerance, "alpha")
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).test_logits"))
    }

    @Test(arguments: HeadFixture.shots)
    func prolip(shots: Int) throws {
        let expected = try TensorFixture("heads/prolip")
        var settings = ProLIP.Settings()
        settings.learningRate = 1e-3
        settings.steps = 8
        let losses = HeadLosses()
        let head = try ProLIP.fit(fixture.examples(shots: shots), validation: nil, settings: settings, context: losses.context)
        expectClose(losses.values, try expected.floats("S\(shots).cross_entropies"), tolerance: headTolerance, "losses")
        expectClose(try #require(head.projection).values, try expected.floats("S\(shots).final.projection"), tolerance: headTolerance, "projection")
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).test_logits"))
    }

    @Test(arguments: HeadFixture.shots)
    func clap(shots: Int) throws {
        let expected = try TensorFixture("heads/clap")
        var settings = PrototypeSettings()
        settings.epochs = 8
        let examples = try fixture.examples(shots: shots)
        let losses = HeadLosses()
        let clap = try CLAP.fit(examples, validation: nil, settings: settings, context: losses.context)
        expectClose(clap.core.multipliers, try expected.floats("S\(shots).multipliers"), tolerance: headTolerance, "multipliers")
        expectClose(losses.values, try expected.floats("S\(shots).clap.losses"), tolerance: headTolerance, "losses")
        expectClose(clap.core.values.values, try expected.floats("S\(shots).clap.final.prototypes"), tolerance: headTolerance, "prototypes")
        try expectHead(clap, on: fixture.test, gives: expected.floats("S\(shots).clap.test_logits"))
        let free = HeadLosses()
        let probe = try ZeroShotLinearProbe.fit(examples, validation: nil, settings: settings, context: free.context)
        expectClose(free.values, try expected.floats("S\(shots).zs_lp.losses"), tolerance: headTolerance, "losses")
        expectClose(probe.core.values.values, try expected.floats("S\(shots).zs_lp.final.prototypes"), tolerance: headTolerance, "prototypes")
        try expectHead(probe, on: fixture.test, gives: expected.floats("S\(shots).zs_lp.test_logits"))
    }

    @Test(arguments: HeadFixture.shots)
    func taskRes(shots: Int) throws {
        let expected = try TensorFixture("heads/taskres")
        var settings = TaskRes.Settings()
        settings.epochs = 8
        let losses = HeadLosses()
        let head = try TaskRes.fit(fixture.examples(shots: shots, views: 1), validation: nil, settings: settings, context: losses.context)
        expectClose(losses.values, try expected.floats("S\(shots).train.losses"), tolerance: headTolerance, "losses")
        // Adam divides by the root of a tiny gradient's square: the same formula in float64 is 6.3e-5 from their float32.
        expectClose(
            head.residuals.values, try expected.floats("S\(shots).train.final.prompt_learner.text_feature_residuals"),
            tolerance: 2 * headTolerance, "residuals")
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).train.test_logits"))
    }

    @Test(arguments: HeadFixture.shots)
    func clipAdapter(shots: Int) throws {
        let expected = try TensorFixture("heads/clip-adapter")
        var settings = CLIPAdapter.Settings()
        settings.epochs = 8
        let losses = HeadLosses()
        func tensor(_ name: String, rows: Int, columns: Int) throws -> Matrix {
            MutableMatrix(rows: rows, columns: columns, try expected.floats("S\(shots).\(name)")).reading
        }
        let head = try CLIPAdapter.fit(
            fixture.examples(shots: shots, views: 1), settings: settings,
            first: tensor("start.adapter.fc.0.weight", rows: 8, columns: 32),
            second: tensor("start.adapter.fc.2.weight", rows: 32, columns: 8), context: losses.context)
        expectClose(losses.values, try expected.floats("S\(shots).train.losses"), tolerance: headTolerance, "losses")
        expectClose(head.first.values, try expected.floats("S\(shots).train.final.adapter.fc.0.weight"), tolerance: headTolerance, "first")
        expectClose(head.second.values, try expected.floats("S\(shots).train.final.adapter.fc.2.weight"), tolerance: headTolerance, "second")
        try expectHead(head, on: fixture.test, gives: expected.floats("S\(shots).train.test_logits"))
    }

    @Test(arguments: HeadFixture.shots, [0.316, 10])
    func logisticRegression(shots: Int, strength: Double) throws {
        let expected = try TensorFixture("heads/linear-and-means")
        let name = "S\(shots).logistic_C\(strength)"
        var settings = LogisticRegression.Settings()
        settings.inverseStrength = strength
        let head = try LogisticRegression.fit(
            fixture.examples(shots: shots), validation: nil, settings: settings, context: HeadFixture.context)
        expectClose(head.weight.values, try expected.floats(name + ".weight"), tolerance: headTolerance, "weight")
        expectClose(head.bias, try expected.floats(name + ".bias"), tolerance: headTolerance, "bias")
        try expectHead(head, on: fixture.test, gives: expected.floats(name + ".test_logits"))
    }
}
