import Methods
import Tensors
import TestSupport
import Testing

/// The closed forms of leaving a clip out, against learning anew without each clip.
@Suite struct LeaveOneOutTests {
    let fixture: HeadFixture
    let context = HeadFixture.context

    init() throws { fixture = try HeadFixture() }

    private func expectExact<H: LeaveOneOutHead>(_ type: H.Type, settings: H.Settings, shots: Int, views: Int) throws {
        let examples = try fixture.examples(shots: shots, views: views)
        let closed = try type.leaveOneOutLogits(examples, settings: settings, context: context)
        let refitted = MutableMatrix(rows: examples.count, columns: examples.classCount)
        for clip in 0..<examples.clipCount {
            let rest = try examples.subset(clips: (0..<examples.clipCount).filter { $0 != clip })
            let own = try examples.subset(clips: [clip])
            let logits = try type.fit(rest, validation: nil, settings: settings, context: context).logits(of: own.features)
            for (place, row) in examples.rowsOfClips[clip].enumerated() { refitted.row(row).copy(logits.row(place)) }
        }
        expectClose(closed.values, refitted.values, tolerance: 1e-5, "\(type.kind.rawValue) \(shots) × \(views)")
        #expect(try type.kind.leaveOneOutLogits(examples, settingsText: nil, context: context).rowCount == examples.count)
    }

    @Test(arguments: [(2, 1), (2, 3), (4, 3)])
    func isExact(shots: Int, views: Int) throws {
        try expectExact(NearestMean.self, settings: .init(), shots: shots, views: views)
        try expectExact(CosineMean.self, settings: .init(), shots: shots, views: views)
        try expectExact(Rocchio.self, settings: .init(), shots: shots, views: views)
        try expectExact(TipAdapter.self, settings: .init(), shots: shots, views: views)
        // β and λ depend on the number of clips: both sides use the same.
        var kernel = KernelSettings()
        kernel.beta = 2.6
        kernel.lambda = 0.05
        try expectExact(ProKeR.self, settings: kernel, shots: shots, views: views)
        try expectExact(KernelRidge.self, settings: kernel, shots: shots, views: views)
        try expectExact(ESZSL.self, settings: .init(), shots: shots, views: views)
        for alpha in [0.1, 10] {
            var settings = GaussianDiscriminant.Settings()
            settings.alpha = alpha
            try expectExact(GaussianDiscriminant.self, settings: settings, shots: shots, views: views)
        }
    }

    /// Classes that are added later give the head that all clips give at once, and so do its stored tensors.
    @Test func classesAreAddedExactly() throws {
        let all = try fixture.examples(shots: 4)
        func part(_ classes: Range<Int>) throws -> HeadExamples {
            let rows = all.labels.indices.filter { classes.contains(all.labels[$0]) }
            func rowsOf(_ matrix: Matrix, _ rows: [Int]) -> MutableMatrix {
                MutableMatrix(rows: rows.count, columns: matrix.columnCount, rows.flatMap { matrix.row($0).values })
            }
            return try HeadExamples(
                features: HeadFeatures(projected: rowsOf(all.features.projected, rows)), labels: rows.map { all.labels[$0] - classes.lowerBound },
                clips: rows.map { all.clips[$0] }, texts: rowsOf(all.texts, Array(classes)))
        }
        let (old, new, test) = (try part(0..<5), try part(5..<7), try fixture.test)
        func expectExact<H: ExtendableHead>(_ type: H.Type) throws {
            let first = try type.fit(old, context: context)
            let stored = Dictionary(uniqueKeysWithValues: first.tensors.map { ($0.name, $0) })
            let read = try type.init(tensors: stored, settings: first.settings)
            let whole = try type.fit(all, context: context).logits(of: test).values
            expectClose(try first.extended(by: new).logits(of: test).values, whole, tolerance: 1e-5, "\(type.kind.rawValue)")
            expectClose(try read.extended(by: new).logits(of: test).values, whole, tolerance: 1e-5, "\(type.kind.rawValue), stored")
        }
        try expectExact(NearestMean.self)
        try expectExact(CosineMean.self)
        try expectExact(Rocchio.self)
        try expectExact(TipAdapter.self)
        #expect(HeadKind.allCases.filter(\.isExtendable) == [.nearestMean, .cosineMean, .rocchio, .tipAdapter])
        // A file of before the sums were kept cannot take more.
        let rocchio = try Rocchio.fit(old, context: context)
        let bare = Dictionary(uniqueKeysWithValues: rocchio.tensors.filter { ["weight", "logit_scale"].contains($0.name) }.map { ($0.name, $0) })
        #expect(throws: HeadError.notExtendable(head: .rocchio)) { try Rocchio(tensors: bare, settings: rocchio.settings).extended(by: new) }
    }

    /// Candidates that are scored together get the scores that each gets by itself; the first is the authors'.
    @Test func candidatesAreScoredAsTheyAreAlone() throws {
        let examples = try fixture.examples(shots: 4, views: 3)
        func expectAlike<H: LeaveOneOutHead>(_ type: H.Type) throws {
            let together = try type.leaveOneOutCandidates(examples, context: context)
            #expect(together.count > 1 && together.map(\.settings) == type.candidates(rowCount: examples.count))
            for (settings, logits) in together {
                let alone = try type.leaveOneOutLogits(examples, settings: settings, context: context)
                expectClose(logits.values, alone.values, tolerance: 1e-6, "\(type.kind.rawValue) \(settings)")
            }
        }
        try expectAlike(TipAdapter.self)
        try expectAlike(GaussianDiscriminant.self)
        try expectAlike(Rocchio.self)
        try expectAlike(KernelRidge.self)
        try expectAlike(ESZSL.self)
        #expect(Set(HeadKind.tipAdapter.candidates(rowCount: 10)).count == 20)
        #expect(HeadKind.proker.candidates(rowCount: 5000).count == 1)
    }

    /// Two clips of one view per class leave one: the last of their scatter goes with the first.
    @Test func discriminantOfTwoClips() throws {
        let features: [Float] = [1, 0, 0, 1, 1, 1, 1, 2]
        let examples = try HeadExamples(
            features: HeadFeatures(projected: MutableMatrix(rows: 4, columns: 2, features)), labels: [0, 0, 1, 1], clips: [0, 1, 2, 3],
            texts: MutableMatrix(rows: 2, columns: 2, [1, 0, 0, 1]))
        var settings = GaussianDiscriminant.Settings()
        settings.alpha = 1
        let closed = try GaussianDiscriminant.leaveOneOutLogits(examples, settings: settings, context: context)
        for clip in 0..<4 {
            let rest = try examples.subset(clips: (0..<4).filter { $0 != clip })
            let head = try GaussianDiscriminant.fit(rest, validation: nil, settings: settings, context: context)
            let logits = try head.logits(of: examples.subset(clips: [clip]).features)
            expectClose(closed.row(clip).values, logits.values, tolerance: 1e-5, "clip \(clip)")
        }
    }

    /// Without validation clips α is the first best by leaving clips out.
    @Test func alphaIsChosenByLeavingOut() throws {
        let examples = try fixture.examples(shots: 4)
        var settings = GaussianDiscriminant.Settings()
        // The last three are equally good.
        settings.candidates = [1e-4, 1e-2, 1e3, 1e4, 1e5]
        let head = try GaussianDiscriminant.fit(examples, validation: nil, settings: settings, context: context)
        let labels = examples.rows(ofView: 0).map { examples.labels[$0] }
        let shares = try head.settings.candidates.map { alpha in
            var settings = GaussianDiscriminant.Settings()
            settings.alpha = alpha
            let logits = try GaussianDiscriminant.leaveOneOutLogits(examples, settings: settings, context: context)
            let answers = examples.rows(ofView: 0).map { row in
                let values = logits.row(row).values
                return values.indices.max { values[$0] < values[$1] }
            }
            return zip(answers, labels).count { $0 == $1 }
        }
        #expect(head.settings.candidates.first { shares[head.settings.candidates.firstIndex(of: $0) ?? 0] == shares.max() } == head.alpha)
    }

    @Test func oneClipCannotBeLeftOut() throws {
        let examples = try fixture.examples(shots: 1)
        for kind in [HeadKind.nearestMean, .cosineMean, .gda, .eszsl] {
            #expect(throws: HeadError.oneClip(label: 0, head: kind)) { try kind.leaveOneOutLogits(examples, context: context) }
        }
        #expect(throws: HeadError.noLeaveOneOut(head: .clap)) { try HeadKind.clap.leaveOneOutLogits(examples, context: context) }
        // These score a class without clips, so one clip is enough.
        for kind in [HeadKind.rocchio, .proker, .kernelRidge] {
            #expect(try kind.leaveOneOutLogits(examples, context: context).values.allSatisfy(\.isFinite))
        }
    }
}
