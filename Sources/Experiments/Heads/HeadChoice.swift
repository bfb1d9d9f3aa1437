import Evaluation
import Files
import Foundation
import Methods
import Tensors
import Training

/// Heads compared on the clips that they learn from, each clip scored by a head that has not seen it.
///
/// No validation or test list is looked at. Where a head has a closed form for leaving out one clip, every clip is left
/// out; else the clips are cut into folds, stratified by class. All views of a clip stay together.
package struct HeadChoice {
    /// What one head reached.
    package struct Entry {
        /// Nil for the texts alone.
        package let kind: HeadKind?
        /// Of held-out clips, in percent: of all clips, and the mean of the classes' own.
        package let top1: Double
        package let meanClassAccuracy: Double
        /// Of `top1`, over the folds, or over the clips where each was left out.
        package let standardError: Double
        package let seconds: Double
        package let temperature: Double
    }

    package let entries: [Entry]
    package let foldCount: Int
    private let examples: HeadExamples
    private let context: HeadContext

    /// Simplest first: of heads within one standard error of the best the first is taken.
    package static let order: [HeadKind] = [
        .nearestMean, .cosineMean, .rocchio, .tipAdapter, .gda, .kernelRidge, .proker, .logistic, .lpPlusPlus, .taskRes, .clipAdapter,
        .clap, .zsLP, .tipAdapterF,
    ]
    /// For one clip of some class, where nothing can be held out: it stands on the texts.
    package static let anchored = HeadKind.tipAdapter

    /// - Parameters:
    ///   - kinds: to compare.
    ///   - report: told of each entry.
    /// - Throws: `HeadError`; `cancelled` after a signal.
    package init(
        of kinds: [HeadKind], _ examples: HeadExamples, context: HeadContext, report: (Entry) -> Void = { _ in }
    ) throws(HeadError) {
        self.examples = examples
        self.context = context
        let smallest = examples.clipCounts.filter { $0 > 0 }.min() ?? 0
        foldCount = min(5, smallest)
        let folds = Self.folds(of: examples, count: max(2, foldCount), seed: context.seed)
        var entries: [Entry] = []
        func add(_ kind: HeadKind?, _ start: ContinuousClock.Instant, _ held: (logits: Matrix, rows: [Int]), byClip: Bool) throws(HeadError) {
            let entry = try Self.entry(
                kind, held, examples, folds: byClip ? nil : folds, seconds: (ContinuousClock.now - start) / .seconds(1))
            entries.append(entry)
            report(entry)
        }
        let start = ContinuousClock.now
        try add(nil, start, (cosineScores(examples.unit, to: examples.unitTexts, scale: examples.logitScale), Array(0..<examples.count)), byClip: true)
        guard smallest > 1 else {
            self.entries = entries
            return
        }
        for kind in kinds {
            let start = ContinuousClock.now
            if kind.hasExactLeaveOneOut {
                try add(kind, start, (kind.leaveOneOutLogits(examples, context: context), Array(0..<examples.count)), byClip: true)
            } else {
                try add(kind, start, Self.heldOut(kind, examples, folds: folds, context: context), byClip: false)
            }
        }
        self.entries = entries
    }

    /// The simplest of those within one standard error of the best; nil where nothing could be compared.
    package var chosen: Entry? {
        let heads = entries.filter { $0.kind != nil }
        guard let best = heads.max(by: { $0.top1 < $1.top1 }) else { return nil }
        let within = heads.filter { $0.top1 >= best.top1 - best.standardError }
        return within.min { Self.place($0) < Self.place($1) }
    }

    /// Those that cannot be told from the best.
    package var undecided: [Entry] {
        guard let best = entries.max(by: { $0.top1 < $1.top1 }) else { return [] }
        return entries.filter { $0.top1 >= best.top1 - best.standardError }
    }

    private static func place(_ entry: Entry) -> Int { entry.kind.flatMap(order.firstIndex) ?? -1 }

    // MARK: Holding out

    /// The fold of each clip: within a class the clips go round, in an order drawn by the seed.
    private static func folds(of examples: HeadExamples, count: Int, seed: UInt64) -> [Int] {
        var folds = [Int](repeating: 0, count: examples.clipCount)
        for label in 0..<examples.classCount {
            let members = examples.labelsOfClips.indices.filter { examples.labelsOfClips[$0] == label }
            var random = RandomSource(seed: seed, purpose: .shots, item: label)
            for (place, member) in random.permutation(of: members.count).map({ members[$0] }).enumerated() {
                // Classes begin in different folds, so that these are equally large.
                folds[member] = (place + label) % count
            }
        }
        return folds
    }

    private static func heldOut(
        _ kind: HeadKind, _ examples: HeadExamples, folds: [Int], context: HeadContext
    ) throws(HeadError) -> (logits: Matrix, rows: [Int]) {
        var (values, rows): ([Float], [Int]) = ([], [])
        for fold in Set(folds).sorted() {
            let (left, held) = (folds.indices.filter { folds[$0] != fold }, folds.indices.filter { folds[$0] == fold })
            let head = try kind.fit(examples.subset(clips: left), context: context)
            values += try head.logits(of: examples.subset(clips: held).features).values
            rows += held.flatMap { examples.rowsOfClips[$0] }
        }
        return (MutableMatrix(rows: rows.count, columns: examples.classCount, values).reading, rows)
    }

    /// - Parameter folds: nil where each clip was left out by itself.
    private static func entry(
        _ kind: HeadKind?, _ held: (logits: Matrix, rows: [Int]), _ examples: HeadExamples, folds: [Int]?, seconds: Double
    ) throws(HeadError) -> Entry {
        // The first view of each clip is the one that it is scored by later.
        let firsts = Set(examples.rowsOfClips.map { $0[0] })
        var clipOfRow = [Int](repeating: 0, count: examples.count)
        for (clip, rows) in examples.rowsOfClips.enumerated() { for row in rows { clipOfRow[row] = clip } }
        var hits = [Bool](repeating: false, count: examples.clipCount)
        for (place, row) in held.rows.enumerated() where firsts.contains(row) {
            let scores = held.logits.row(place).values
            let answer = scores.indices.max { (scores[$0], $1) < (scores[$1], $0) }
            hits[clipOfRow[row]] = answer == examples.labels[row]
        }
        func share(_ clips: [Int]) -> Double { clips.isEmpty ? 0 : 100 * Double(clips.count { hits[$0] }) / Double(clips.count) }
        let all = Array(hits.indices)
        let classes = Dictionary(grouping: all) { examples.labelsOfClips[$0] }
        let groups = folds.map { folds in Dictionary(grouping: all) { folds[$0] }.values.map(share) } ?? all.map { hits[$0] ? 100 : 0 }
        let deviation = RunStatistics(Array(groups)).deviation ?? 0
        let temperature = try Temperature(logits: held.logits, labels: held.rows.map { examples.labels[$0] })
        return Entry(
            kind: kind, top1: share(all), meanClassAccuracy: classes.values.map(share).reduce(0, +) / Double(max(1, classes.count)),
            standardError: deviation / Double(max(1, groups.count)).squareRoot(), seconds: seconds, temperature: temperature.value)
    }
}
