import Methods
import Tensors
import TestSupport
import Testing

/// Heads that learn what joins features and texts, against their authors' code.
@Suite struct ZeroShotLearnerTests {
    let fixture: HeadFixture
    let context = HeadFixture.context

    init() throws { fixture = try HeadFixture() }

    private func doubles(_ values: [Float]) -> [Double] { values.map(Double.init) }

    // MARK: ESZSL

    @Test(arguments: [(0.0, 0.0), (3, 0), (-1, 1)])
    func eszsl(featureExponent: Double, textExponent: Double) throws {
        let expected = try TensorFixture("heads/eszsl-sje")
        let name = "eszsl.alpha\(Int(featureExponent)).gamma\(Int(textExponent))."
        var settings = ESZSL.Settings()
        (settings.featureExponent, settings.textExponent) = (featureExponent, textExponent)
        let base = try ESZSL.fit(fixture.examples(shots: 4, views: 1), validation: nil, settings: settings, context: context)
        expectClose(base.map.values, try expected.floats(name + "W"), tolerance: headTolerance, "map")
        try expectHead(base, on: fixture.test, gives: expected.floats(name + "base_scores"))
        let all = try ESZSL.fit(
            fixture.examples(shots: 4, views: 1, newClasses: true), validation: nil, settings: settings, context: context)
        #expect(all.map.values == base.map.values, "texts of classes without clips are not learned from")
        expectClose(
            ofNewClasses(try all.logits(of: fixture.new)), try expected.floats(name + "new_scores"), tolerance: headTolerance, "new classes")
    }

    @Test func candidatesOfESZSL() {
        let few = ESZSL.candidates(rowCount: 1000)
        #expect(few.count == 49 && few[0] == ESZSL.Settings() && Set(few.map(\.featureExponent)) == Set([-3, -2, -1, 0, 1, 2, 3]))
        #expect(ESZSL.candidates(rowCount: 1001).count == 9)
    }

    // MARK: SJE

    private func sjeSettings(epochs: Int) -> SJE.Settings {
        var settings = SJE.Settings()
        (settings.epochs, settings.learningRate) = (epochs, 0.1)
        return settings
    }

    @Test func sje() throws {
        let expected = try TensorFixture("heads/eszsl-sje")
        let start = DoubleMatrix(rows: 32, columns: 32, doubles(try expected.floats("sje.W0")))
        let orders = try expected.integers("sje.orders")
        func order(_ epoch: Int) -> [Int] { Array(orders[epoch * 28..<(epoch + 1) * 28]) }
        let examples = try fixture.examples(shots: 4, views: 1)
        let one = try SJE.fit(
            examples, validation: nil, settings: sjeSettings(epochs: 1), start: start, order: { _ in [orders[0]] }, context: context)
        expectClose(one.map.values, try expected.floats("sje.W_after_one_sample"), tolerance: headTolerance, "one clip")
        for newClasses in [false, true] {
            let head = try SJE.fit(
                fixture.examples(shots: 4, views: 1, newClasses: newClasses), validation: nil, settings: sjeSettings(epochs: 3),
                start: start, order: order, context: context)
            expectClose(head.mean, try expected.floats("sje.mean"), tolerance: headTolerance, "mean")
            expectClose(head.deviation, try expected.floats("sje.std"), tolerance: headTolerance, "deviation")
            expectClose(head.map.values, try expected.floats("sje.W"), tolerance: headTolerance, "map")
            guard newClasses else { continue }
            let scores = try expected.floats("sje.new_scores")
            expectClose(ofNewClasses(try head.logits(of: fixture.new)) { $0 / 100 }, scores, tolerance: headTolerance, "new classes")
            try expectHead(head, on: fixture.new, gives: head.logits(of: fixture.new).values)
        }
    }

    /// Without a better accuracy learning ends; the head is the first of the best.
    @Test func sjeEndsOnValidation() throws {
        let examples = try fixture.examples(shots: 4, views: 1)
        var settings = sjeSettings(epochs: 60)
        settings.patience = 2
        let losses = HeadLosses()
        let head = try SJE.fit(examples, validation: fixture.validation, settings: settings, context: losses.context)
        let epochs = losses.values.count
        #expect(epochs > 2 && epochs < 60)
        settings.epochs = epochs - 2
        let last = try SJE.fit(examples, validation: nil, settings: settings, context: context)
        #expect(head.map.values == last.map.values)
        #expect(losses.values.allSatisfy { $0 >= 0 })
    }

    /// The start's columns have unit length, and the seed names it.
    @Test func sjeDrawsItsStart() throws {
        let examples = try fixture.examples(shots: 4, views: 1)
        var settings = sjeSettings(epochs: 1)
        settings.learningRate = 0
        let start = try SJE.fit(examples, validation: nil, settings: settings, context: context).map
        #expect(start.values.allSatisfy { $0 >= 0 })
        for column in 0..<32 {
            expectClose(start.columns(column..<column + 1).values.reduce(0) { $0 + $1 * $1 }, 1, tolerance: 1e-5, "length")
        }
        let other = try SJE.fit(
            examples, validation: nil, settings: settings, context: HeadContext(pool: WorkerPool(threadCount: 1), seed: 2)).map
        #expect(start.values != other.values)
    }

    /// A feature that is the mean of all fits every class equally; with one clip all features are.
    @Test func sjeOfOneClip() throws {
        let one = try HeadExamples(
            features: HeadFeatures(projected: MutableMatrix(rows: 1, columns: 2, [1, 1])), labels: [0], clips: [0],
            texts: MutableMatrix(rows: 2, columns: 2, [1, 0, 0, 1]))
        let head = try SJE.fit(one, context: context)
        #expect(try head.logits(of: one.features).values == [0, 0])
    }

    // MARK: DEM

    @Test(arguments: [1, 2])
    func dem(layerCount: Int) throws {
        let expected = try TensorFixture("heads/dem")
        let name = layerCount == 1 ? "one_layer" : "two_layer"
        func names(_ part: String, _ letter: String) -> [String] { (1...layerCount).map { "\(name).\(part).\(letter)\($0)" } }
        func start() throws -> EmbeddingNetwork {
            EmbeddingNetwork(layers: try zip(names("start", "w"), names("start", "b")).map { try layer(expected, weight: $0, bias: $1) })
        }
        let examples = try fixture.examples(shots: 4, views: 1, newClasses: true)
        let ofRows = MutableMatrix(rows: 28, columns: 32, examples.labels.flatMap { examples.unitTexts.row($0).values })
        let network = try start()
        let loss = network.loss(
            texts: ofRows.reading, features: examples.unit, strength: layerCount == 1 ? 1e-3 : 1e-2, pool: context.pool)
        let expectedLosses = try expected.floats("\(name).losses")
        expectClose(Float(loss), expectedLosses[0], tolerance: headTolerance, "loss")
        try expectLayers(network.layers.map(\.gradients), expected, weights: names("grad", "w"), biases: names("grad", "b"))

        var settings = DEM.Settings()
        (settings.layers, settings.steps) = (layerCount, 10)
        let losses = HeadLosses()
        let learned = try DEM.learned(examples, settings: settings, start: start(), context: losses.context)
        expectClose(losses.values, expectedLosses, tolerance: headTolerance, "losses")
        try expectLayers(learned.layers.map(\.values), expected, weights: names("final", "w"), biases: names("final", "b"))
        let embeddings = learned.embeddings(of: examples.unitTexts, pool: context.pool)
        expectClose(
            embeddings.rows(7..<11).values, try expected.floats("\(name).new_embeddings"), tolerance: headTolerance, "embeddings")
        for usesCosine in [false, true] {
            settings.usesCosine = usesCosine
            let stored = [HeadTensor(name: "embeddings", shape: [11, 32], values: embeddings.values), HeadTensor(name: "logit_scale", shape: [1], values: [100])]
            let head = try DEM(tensors: Dictionary(uniqueKeysWithValues: stored.map { ($0.name, $0) }), settings: settings)
            let logits = try head.logits(of: fixture.new)
            let (theirs, ours) = usesCosine
                ? ("new_cosine_distance", ofNewClasses(logits) { 1 - $0 / 100 }) : ("new_euclidean", ofNewClasses(logits) { (-$0).squareRoot() })
            expectClose(ours, try expected.floats("\(name).\(theirs)"), tolerance: headTolerance, theirs)
            try expectHead(head, on: fixture.new, gives: logits.values)
        }
    }

    @Test func demDrawsItsStart() throws {
        var random = RandomSource(seed: 1, purpose: .test)
        let drawn = (0..<4000).map { _ in random.truncatedNormal() }
        #expect(drawn.allSatisfy { abs($0) < 2 })
        let deviation = (drawn.reduce(0) { $0 + $1 * $1 } / 4000).squareRoot()
        // That of a normal cut off at 2.
        expectClose(deviation, 0.8796, tolerance: 0.03, "deviation")
        let candidates = DEM.candidates(rowCount: 1)
        #expect(candidates[0] == DEM.Settings() && candidates.map(\.layers) == [1, 2])
        // A rate of 0 leaves the start: from unit texts, embeddings stay about the biases' 0.1.
        var settings = DEM.Settings()
        (settings.steps, settings.learningRate) = (1, 0)
        let values = try DEM.fit(fixture.examples(shots: 1, views: 1), validation: nil, settings: settings, context: context).embeddings.values
        #expect(values.allSatisfy { $0 >= 0 })
        expectClose(values.reduce(0, +) / Float(values.count), 0.1, tolerance: 0.3, "mean")
    }

    /// Batches go through all clips before one comes again: those of an epoch have the mean loss of all clips at once.
    @Test func demGoesThroughAllClips() throws {
        let examples = try fixture.examples(shots: 4, views: 1)
        var settings = DEM.Settings()
        (settings.steps, settings.batchSize, settings.learningRate) = (6, 10, 0)
        func losses() throws -> [Float] {
            let losses = HeadLosses()
            _ = try DEM.fit(examples, validation: nil, settings: settings, context: losses.context)
            return losses.values
        }
        let batches = try losses()
        settings.batchSize = 28
        let all = try losses()
        for epoch in [0, 3] {
            let mean = (10 * batches[epoch] + 10 * batches[epoch + 1] + 8 * batches[epoch + 2]) / 28
            expectClose(mean, all[0], tolerance: 1e-5, "epoch")
        }
        #expect(batches[0] != batches[3])
    }

    @Test func demLearns() throws {
        let examples = try fixture.examples(shots: 4)
        var settings = DEM.Settings()
        (settings.layers, settings.hiddenWidth, settings.strength) = (2, 64, 1e-4)
        (settings.steps, settings.batchSize, settings.learningRate) = (200, 10, 1e-3)
        let losses = HeadLosses()
        let head = try DEM.fit(examples, validation: nil, settings: settings, context: losses.context)
        #expect(losses.values.count == 200)
        expectFall(losses.values)
        let again = try DEM.fit(examples, validation: nil, settings: settings, context: HeadContext(pool: WorkerPool(threadCount: 1), seed: 9))
        #expect(head.embeddings.values != again.embeddings.values)
    }

    // MARK: Bad input

    @Test(arguments: [
        (HeadKind.eszsl, "featureExponent", "10"), (.eszsl, "textExponent", "-7"), (.sje, "patience", "0"), (.sje, "margin", "-1"),
        (.dem, "layers", "3"), (.dem, "hiddenWidth", "0"), (.dem, "hiddenWidth", "1000000"), (.dem, "strength", "-1"), (.dem, "steps", "0"),
        (.gcn, "dropout", "1"), (.gcn, "slope", "-1"), (.gcn, "neighbors", "0"), (.gcn, "hiddenWidths", "[0]"), (.gcn, "epochs", "0"),
    ])
    func refusesSettings(kind: HeadKind, name: String, value: String) throws {
        let examples = try fixture.examples(shots: 1)
        #expect {
            try kind.fit(examples, settingsText: "{\"\(name)\":\(value)}", context: context)
        } throws: {
            guard case .setting(name, _, kind) = $0 as? HeadError else { return false }
            return true
        }
    }

    @Test func refusesTensors() throws {
        let head = try SJE.fit(fixture.examples(shots: 2), validation: nil, settings: sjeSettings(epochs: 1), context: context)
        let zero = HeadTensor(name: "deviation", shape: [32], values: [Float](repeating: 0, count: 32))
        #expect(throws: HeadError.notNumbers(what: "the tensor \"deviation\"", row: 0)) {
            try HeadKind.sje.load(tensors: [zero] + head.tensors, settingsText: head.settingsText)
        }
        let wide = HeadTensor(name: "map", shape: [31, 32], values: [Float](repeating: 0, count: 31 * 32))
        for kind in [HeadKind.sje, .eszsl] {
            #expect(throws: HeadError.tensorShape(name: "map", found: [31, 32], needed: [32, 32], head: kind)) {
                try kind.load(tensors: [wide] + head.tensors, settingsText: "{}")
            }
        }
        #expect {
            try HeadKind.gcn.load(tensors: [], settingsText: "{\"form\":\"circles\"}")
        } throws: {
            guard case .unreadableSettings(.gcn, _) = $0 as? HeadError else { return false }
            return true
        }
    }
}
