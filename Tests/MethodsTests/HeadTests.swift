import Foundation
import Methods
import Tensors
import TestSupport
import Testing

/// What holds for all heads: the catalog, storing, refusing and stopping.
@Suite struct HeadTests {
    let fixture: HeadFixture
    let context = HeadFixture.context

    init() throws { fixture = try HeadFixture() }

    @Test(arguments: HeadKind.allCases)
    func catalog(kind: HeadKind) throws {
        #expect(kind.type.kind == kind)
        #expect(HeadKind(rawValue: kind.rawValue) == kind)
        #expect(!kind.summary.isEmpty && !kind.summary.contains("\n"))
        let examples = try fixture.examples(shots: 2)
        let settings = try HeadFixture.shortSettings(kind)
        let head = try kind.fit(examples, settingsText: settings, context: context)
        #expect(head.parameterCount > 0)
        let size = kind.parameterCount(classes: 7, width: 32, innerWidth: 48, clips: 14, rows: 42)
        #expect(head.parameterCount == size, "what a plan says is what the head has")
        #expect((head.linear != nil) == kind.isLinear)
        let test = try fixture.test
        let logits = try head.logits(of: test)
        #expect(logits.rowCount == 21 && logits.columnCount == 7 && logits.values.allSatisfy(\.isFinite))
        // The same seed, the same numbers, whatever the number of threads; stored and read back too.
        let again = try kind.fit(examples, settingsText: settings, context: HeadContext(pool: WorkerPool(threadCount: 1)))
        #expect(again.tensors == head.tensors)
        #expect(try kind.load(tensors: head.tensors, settingsText: head.settingsText).logits(of: test).values == logits.values)
        // A head that needs the vectors before the projection says so; the others do without.
        let projectedOnly = HeadFeatures(projected: test.projected)
        if kind.needsUnprojected {
            #expect(throws: HeadError.needsUnprojected(head: kind)) { try head.logits(of: projectedOnly) }
        } else {
            #expect(try head.logits(of: projectedOnly).values == logits.values)
        }
        #expect(throws: HeadError.self) { try kind.load(tensors: Array(head.tensors.dropFirst()), settingsText: head.settingsText) }
        #expect(throws: HeadError.self) { try kind.load(tensors: head.tensors, settingsText: "{\"epochs\": \"many\", \"beta\": [1]") }
    }

    /// A feature's length plays no part where it is brought to unit length.
    @Test(arguments: HeadKind.allCases.filter { ![.tipAdapter, .tipAdapterF, .clipAdapter, .prolip].contains($0) })
    func lengthsOfFeaturesPlayNoPart(kind: HeadKind) throws {
        let examples = try fixture.examples(shots: 2)
        let projected = examples.features.projected
        let longer = MutableMatrix(rows: projected.rowCount, columns: projected.columnCount, projected.values.map { 4 * $0 })
        let other = try HeadExamples(
            features: HeadFeatures(projected: longer), labels: examples.labels, clips: examples.clips, texts: examples.texts)
        let settings = try HeadFixture.shortSettings(kind)
        let test = try fixture.test
        expectClose(
            try kind.fit(other, settingsText: settings, context: context).logits(of: test).values,
            try kind.fit(examples, settingsText: settings, context: context).logits(of: test).values, tolerance: 1e-5)
    }

    @Test(arguments: HeadKind.allCases)
    func classesWithoutClips(kind: HeadKind) throws {
        let examples = try fixture.examples(shots: 2, newClasses: true)
        let settings = try HeadFixture.shortSettings(kind)
        guard kind.scoresClassesWithoutClips else {
            #expect(throws: HeadError.classWithoutClips(label: 7, head: kind)) {
                try kind.fit(examples, settingsText: settings, context: context)
            }
            return
        }
        let logits = try kind.fit(examples, settingsText: settings, context: context).logits(of: fixture.new)
        #expect(logits.columnCount == 11 && logits.values.allSatisfy(\.isFinite))
    }

    @Test(arguments: HeadKind.allCases)
    func oneClipInAClass(kind: HeadKind) throws {
        let examples = try fixture.examples(shots: 1, views: 1)
        let head = try kind.fit(examples, settingsText: try HeadFixture.shortSettings(kind), context: context)
        #expect(try head.logits(of: fixture.test).values.allSatisfy(\.isFinite))
    }

    @Test(arguments: HeadKind.allCases)
    func stopsOnRequest(kind: HeadKind) throws {
        let stopping = HeadContext(pool: WorkerPool(threadCount: 1)) { $0.step < 2 && $0.stepCount > 1 }
        let examples = try fixture.examples(shots: 2)
        let settings = try HeadFixture.shortSettings(kind)
        // In closed form there is nothing to stop, but for the choice of a number.
        guard ![.nearestMean, .cosineMean, .rocchio, .tipAdapter].contains(kind) else { return }
        #expect {
            try kind.fit(examples, settingsText: settings, context: stopping)
        } throws: {
            guard case .cancelled(kind, _, _) = $0 as? HeadError else { return false }
            return true
        }
    }

    // MARK: Bad input

    private func examples(
        features: [Float] = [1, 0, 0, 1], labels: [Int] = [0, 1], clips: [Int] = [0, 1], texts: [Float] = [1, 0, 0, 1], width: Int = 2,
        unprojected: MutableMatrix? = nil, projection: MutableMatrix? = nil
    ) throws(HeadError) -> HeadExamples {
        try HeadExamples(
            features: HeadFeatures(
                projected: MutableMatrix(rows: features.count / 2, columns: 2, features), unprojected: unprojected),
            labels: labels, clips: clips, texts: MutableMatrix(rows: texts.count / width, columns: width, texts), projection: projection)
    }

    @Test func refusesBadExamples() throws {
        #expect(throws: Never.self) { try examples() }
        #expect(throws: HeadError.noExamples) { try examples(features: [], labels: [], clips: []) }
        #expect(throws: HeadError.notNumbers(what: "the features", row: 1)) { try examples(features: [1, 0, .nan, 1]) }
        #expect(throws: HeadError.notNumbers(what: "the features", row: 0)) { try examples(features: [3e38, 3e38, 0, 1]) }
        #expect(throws: HeadError.zeroLength(what: "the features", row: 1)) { try examples(features: [1, 0, 0, 0]) }
        #expect(throws: HeadError.notNumbers(what: "the class texts", row: 0)) { try examples(texts: [.infinity, 0, 0, 1]) }
        #expect(throws: HeadError.label(2, row: 1, classCount: 2)) { try examples(labels: [0, 2]) }
        #expect(throws: HeadError.label(-1, row: 0, classCount: 2)) { try examples(labels: [-1, 1]) }
        #expect(throws: HeadError.sizes(what: "labels of the features", found: 1, needed: 2)) { try examples(labels: [0]) }
        #expect(throws: HeadError.sizes(what: "columns of the features", found: 2, needed: 4)) { try examples(width: 4) }
        #expect(throws: HeadError.clipLabels(clip: 5, first: 0, second: 1)) { try examples(clips: [5, 5]) }
        #expect(throws: HeadError.sizes(what: "rows before the projection", found: 1, needed: 2)) {
            try examples(unprojected: MutableMatrix(rows: 1, columns: 3))
        }
        #expect(throws: HeadError.sizes(what: "rows of the projection", found: 4, needed: 3)) {
            try examples(unprojected: MutableMatrix(rows: 2, columns: 3), projection: MutableMatrix(rows: 4, columns: 2))
        }
        let sound = try examples()
        #expect(throws: HeadError.needsUnprojected(head: .prolip)) { try HeadKind.prolip.fit(sound, context: context) }
        let head = try HeadKind.rocchio.fit(sound, context: context)
        #expect(throws: HeadError.sizes(what: "columns of the features", found: 3, needed: 2)) {
            try head.logits(of: HeadFeatures(projected: MutableMatrix(rows: 1, columns: 3, [1, 2, 3])))
        }
    }

    @Test func refusesBadSettings() throws {
        let examples = try fixture.examples(shots: 1)
        for (kind, text) in [
            (HeadKind.gda, "{\"neighbors\":0}"), (.logistic, "{\"epochs\":5}"), (.proker, "{\"lambda\":0}"),
            (.kernelRidge, "{\"beta\":-1}"),
        ] {
            #expect {
                try kind.fit(examples, settingsText: text, context: context)
            } throws: {
                guard case .setting(_, _, kind) = $0 as? HeadError else { return false }
                return true
            }
        }
        #expect {
            try HeadKind.clap.fit(examples, settingsText: "{\"epochs\":\"many\"}", context: context)
        } throws: {
            guard case .unreadableSettings(.clap, _) = $0 as? HeadError else { return false }
            return true
        }
        var settings = PrototypeSettings()
        settings.learningRate = 1e30
        #expect(throws: HeadError.setting(name: "learningRate", value: "1e+30", head: .clap)) {
            try CLAP.fit(examples, validation: nil, settings: settings, context: context)
        }
    }

    /// Steps that are too large end in an error, not in a head that holds NaN.
    @Test func divergingIsAnError() throws {
        let examples = try fixture.examples(shots: 2)
        #expect {
            try HeadKind.clipAdapter.fit(examples, settingsText: "{\"learningRate\":1000,\"weightDecay\":1000}", context: context)
        } throws: {
            guard case .diverged(.clipAdapter, _) = $0 as? HeadError else { return false }
            return true
        }
    }

    @Test func errorsAreWorded() {
        #expect(
            HeadError.classWithoutClips(label: 3, head: .clap).description
                == "class 3 has no clips, but clap learns every class from clips. Add clips of it, or use rocchio, tip-adapter, "
                + "tip-adapter-f, gda, prolip, clip-adapter, proker, kernel-ridge, eszsl, sje, dem, gcn.")
        #expect(
            HeadError.notNumbers(what: "the features", row: 4).description
                == "row 5 of the features holds NaN or infinite numbers. Use a sound backbone.")
    }

    // MARK: Temperature

    /// Logits that are three times those of the right distribution.
    @Test func temperatureIsFound() throws {
        var random = RandomSource(seed: 3, purpose: .test)
        var logits: [Float] = []
        var labels: [Int] = []
        for _ in 0..<4000 {
            let row = (0..<5).map { _ in random.normal() }
            let probabilities = softmax(of: row)
            var rest = random.uniform()
            labels.append(probabilities.firstIndex { rest -= $0; return rest < 0 } ?? 4)
            logits += row.map { 3 * $0 }
        }
        let matrix = MutableMatrix(rows: 4000, columns: 5, logits)
        let found = try Temperature(logits: matrix, labels: labels)
        #expect(abs(found.value - 3) < 0.3)
        #expect(found.loss < found.lossBefore)
        // Nothing nearby is better.
        for factor in [0.99, 1.01] {
            let other = MutableMatrix(rows: 4000, columns: 5, logits.map { Float(Double($0) / (found.value * factor)) })
            #expect(try Temperature(logits: other, labels: labels).lossBefore > found.loss)
        }
        #expect(abs(try Temperature(logits: found.applied(to: matrix), labels: labels).value - 1) < 1e-4)
    }

    @Test func temperatureAtItsBounds() throws {
        let right = MutableMatrix(rows: 2, columns: 2, [1, 0, 0, 1])
        #expect(try Temperature(logits: right, labels: [0, 1]).value < 0.01)
        #expect(try Temperature(logits: right, labels: [1, 0]).value > 1000)
        // With the doubt of one clip, two right answers of two classes leave the least of −(2 log p + ½ log p + ½ log (1 − p)).
        let doubted = try Temperature(logits: right, labels: [0, 1], doubt: 1).applied(to: right)
        expectClose(1 / (1 + exp(doubted[0, 1] - doubted[0, 0])), 2.5 / 3, tolerance: 1e-4, "probability")
        #expect(try Temperature(logits: MutableMatrix(rows: 1, columns: 2), labels: [0]).value.isFinite)
        #expect(throws: HeadError.noExamples) { try Temperature(logits: right.rows(0..<0), labels: []) }
        #expect(throws: HeadError.label(2, row: 0, classCount: 2)) { try Temperature(logits: right, labels: [2, 0]) }
    }
}
