import Methods
import Synchronization
import Tensors
import TestSupport
import Testing

/// What the authors' numbers leave open: gradients away from their settings, batches, and choices on validation clips.
@Suite struct HeadLearningTests {
    let fixture: HeadFixture
    let context = HeadFixture.context

    init() throws { fixture = try HeadFixture() }

    /// Central differences with β and α that are not 1.
    @Test func gradientOfTipAdapterF() throws {
        let examples = try fixture.examples(shots: 2)
        var settings = TipAdapter.Settings()
        (settings.beta, settings.alpha) = (2.5, 1.3)
        let cache = try TipAdapter.fit(examples, validation: nil, settings: settings, context: context).core
        let keys = MutableMatrix(rows: cache.keys.rowCount, columns: cache.keys.columnCount, cache.keys.values)
        let features = MutableMatrix(rows: examples.count, columns: 32, examples.unit.values)
        let gradient = MutableMatrix(rows: keys.rowCount, columns: keys.columnCount)
        func loss(into gradient: MutableMatrix) -> Double {
            TipAdapterF.loss(features: features, labels: examples.labels, cache: cache, keys: keys, gradient: gradient)
        }
        _ = loss(into: gradient)
        let unused = MutableMatrix(rows: keys.rowCount, columns: keys.columnCount)
        let step: Float = 1e-2
        let places = [(0, 0), (3, 7), (13, 31), (8, 16)]
        let differences = places.map { row, column in
            let start = keys[row, column]
            keys[row, column] = start + step
            let above = loss(into: unused)
            keys[row, column] = start - step
            let below = loss(into: unused)
            keys[row, column] = start
            return Float((above - below) / Double(2 * step))
        }
        expectClose(places.map { gradient[$0.0, $0.1] }, differences, tolerance: 1e-2, "gradient")
    }

    /// 14 clips in batches of 4 are four steps an epoch, the last one short; another seed takes them in another order.
    @Test func batchesCoverAnEpoch() throws {
        let examples = try fixture.examples(shots: 2)
        var settings = TipAdapterF.Settings()
        (settings.epochs, settings.batchSize) = (3, 4)
        let steps = Mutex<[HeadProgress]>([])
        func keys(seed: UInt64) throws -> [Float] {
            steps.withLock { $0 = [] }
            let context = HeadContext(pool: WorkerPool(threadCount: 1), seed: seed) { progress in
                steps.withLock { $0.append(progress) }
                return true
            }
            return try TipAdapterF.fit(examples, validation: nil, settings: settings, context: context).core.keys.values
        }
        let first = try keys(seed: 1)
        #expect(steps.withLock { $0.map(\.step) } == Array(1...12))
        #expect(steps.withLock { $0.allSatisfy { $0.stepCount == 12 && $0.head == .tipAdapterF && $0.loss != nil } })
        #expect(try keys(seed: 1) == first)
        #expect(try keys(seed: 2) != first)
    }

    private func share<H: Head>(_ head: H, of validation: HeadExamples) throws -> Double {
        let logits = try head.logits(of: validation.features)
        let right = validation.labels.indices.count { row in
            let values = logits.row(row).values
            return values.indices.max { values[$0] < values[$1] } == validation.labels[row]
        }
        return Double(right) / Double(validation.count)
    }

    /// With validation clips the best epoch is kept, so it is at least as good on them as the last.
    @Test(arguments: HeadFixture.shots)
    func theBestEpochIsKept(shots: Int) throws {
        let examples = try fixture.examples(shots: shots)
        let validation = try fixture.validation
        // Steps that are too large make the last epoch a bad one.
        var tip = TipAdapterF.Settings()
        (tip.epochs, tip.learningRate) = (15, 0.3)
        let last = try share(TipAdapterF.fit(examples, validation: nil, settings: tip, context: context), of: validation)
        #expect(try share(TipAdapterF.fit(examples, validation: validation, settings: tip, context: context), of: validation) >= last)
        var probe = LPPlusPlus.Settings()
        (probe.epochs, probe.momentum) = (30, 0.99)
        let lastProbe = try share(LPPlusPlus.fit(examples, validation: nil, settings: probe, context: context), of: validation)
        #expect(try share(LPPlusPlus.fit(examples, validation: validation, settings: probe, context: context), of: validation) >= lastProbe)
    }

    /// The search is as good as the best C of its own list.
    @Test func strengthIsSearched() throws {
        let examples = try fixture.examples(shots: 2)
        let validation = try fixture.validation
        var settings = LogisticRegression.Settings()
        settings.bisections = 3
        let found = try LogisticRegression.fit(examples, validation: validation, settings: settings, context: context)
        #expect((1e-8...1e8).contains(found.inverseStrength))
        let listed = try [1e-4, 1e-2, 1, 100].map { strength in
            var settings = LogisticRegression.Settings()
            settings.inverseStrength = strength
            return try share(LogisticRegression.fit(examples, validation: nil, settings: settings, context: context), of: validation)
        }
        #expect(try share(found, of: validation) >= (listed.max() ?? 1) - 0.1)
        settings.searches = false
        #expect(try LogisticRegression.fit(examples, validation: validation, settings: settings, context: context).inverseStrength == 0.316)
    }

    /// At the minimum the gradient is zero: W is C · Σ (onehot − p) f̂ᵀ.
    @Test func logisticRegressionIsAtItsMinimum() throws {
        let examples = try fixture.examples(shots: 4, views: 1)
        let head = try LogisticRegression.fit(examples, context: context)
        let logits = try head.logits(of: examples.features)
        var weight = [Double](repeating: 0, count: 7 * 32)
        for row in 0..<examples.count {
            let probabilities = softmax(of: logits.row(row).values)
            for label in 0..<7 {
                let error = (label == examples.labels[row] ? 1 : 0) - Double(probabilities[label])
                for column in 0..<32 { weight[label * 32 + column] += 0.316 * error * Double(examples.unit[row, column]) }
            }
        }
        expectClose(head.weight.values, weight.map { Float($0) }, tolerance: 1e-5, "weight")
    }
}
