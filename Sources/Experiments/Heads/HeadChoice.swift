import Evaluation
import Files
import Foundation
import Methods
import Tensors
import Training

/// Heads compared on the clips that they learn from, each clip scored by a head that has not seen it.
///
/// No validation or test list is looked at. Where a head has a closed form for leaving out one clip, every clip is left
/// out; else the clips are cut into folds, stratified by class. All views of a clip stay together. What a method's
/// authors choose on a validation list, such as Tip-Adapter's α and β, is chosen on the same held-out clips.
package struct HeadChoice {
    /// What one head reached, with the best of its settings.
    package struct Entry {
        /// Nil for the texts alone.
        package let kind: HeadKind?
        /// Prompts that the features and the texts went through; nil for the backbone as it is.
        let variant: PromptVariant?
        /// JSON; nil for the texts alone.
        package let settingsText: String?
        /// Of held-out clips, in percent: of all clips, and the mean of the classes' own.
        package let top1: Double
        package let meanClassAccuracy: Double
        /// Of `top1`, over the folds, or over the clips where each was left out.
        package let standardError: Double
        /// Mean negative log-likelihood of the held-out clips' classes, calibrated: what heads are told apart by. A few
        /// clips are right or wrong by chance; how probable their classes were says more.
        package let logLoss: Double
        /// What the head's logits are divided by when it is used. It holds a doubt of one clip, which `logLoss` does not: after
        /// a few right answers nothing is certain.
        package var temperature: Double
        package let seconds: Double
        /// Numbers that it learned or computed from clips.
        package let parameterCount: Int
        /// Of each clip.
        fileprivate let losses: [Double]
        /// What the held-out clips were given, class by class, as the head would say it in use; empty but of the best entry.
        package fileprivate(set) var heldOut: [[Float]] = []

        /// Whether it is more than the texts alone.
        fileprivate var isLearned: Bool { kind != nil || variant != nil }

        /// As tables call it.
        package var name: String {
            guard let variant else { return kind?.rawValue ?? "zero-shot" }
            return kind.map { "\($0.rawValue) on \(variant.rawValue)" } ?? variant.rawValue
        }
    }

    package let entries: [Entry]
    /// Of each clip in the sums that heads are told apart by.
    private let weights: [Double]

    /// Simplest first: of equals the first is taken.
    package static let order: [HeadKind] = [
        .nearestMean, .cosineMean, .rocchio, .tipAdapter, .gda, .kernelRidge, .proker, .logistic, .lpPlusPlus, .taskRes, .clipAdapter,
        .clap, .zsLP, .tipAdapterF, .prolip,
    ]
    /// For one clip of some class, where nothing can be held out: it stands on the texts and the clips alike.
    package static let anchored = HeadKind.rocchio

    /// - Parameter examples: whose clips the entries were scored on.
    init(_ entries: [Entry], of examples: HeadExamples, weighsClassesEqually: Bool) {
        self.init(entries, weights: Self.weights(of: examples, weighsClassesEqually: weighsClassesEqually))
    }

    private init(_ entries: [Entry], weights: [Double]) {
        self.entries = Self.keepingAnswersOfBest(entries)
        self.weights = weights
    }

    /// The answers of one entry are enough to show: those of all would be as many numbers as clips × classes × methods.
    private static func keepingAnswersOfBest(_ entries: [Entry]) -> [Entry] {
        let best = entries.indices.filter { entries[$0].isLearned }.min { precedes(entries[$0], entries[$1]) }
        return entries.enumerated().map { index, entry in
            var entry = entry
            if index != best { entry.heldOut = [] }
            return entry
        }
    }

    /// Of each clip.
    static func weights(of examples: HeadExamples, weighsClassesEqually: Bool) -> [Double] {
        examples.labelsOfClips.map { weighsClassesEqually ? 1 / Double(examples.clipCounts[$0]) : 1 }
    }

    /// - Parameters:
    ///   - kinds: to compare.
    ///   - given: settings of a kind without a closed form of leaving out, in the place of its candidates.
    ///   - weighsClassesEqually: whether a class of few clips says as much as one of many.
    ///   - report: told of each entry.
    /// - Throws: `HeadError`; `cancelled` after a signal.
    package init(
        of kinds: [HeadKind], given: String? = nil, _ examples: HeadExamples, weighsClassesEqually: Bool = false, context: HeadContext,
        report: (Entry) -> Void = { _ in }
    ) throws(HeadError) {
        let weights = Self.weights(of: examples, weighsClassesEqually: weighsClassesEqually)
        self.weights = weights
        let smallest = examples.clipCounts.filter { $0 > 0 }.min() ?? 0
        let foldOfClip = Self.folds(of: examples, count: max(2, min(5, smallest)), seed: context.seed)
        let all = Array(0..<examples.count)
        let start = ContinuousClock.now
        let texts = cosineScores(examples.unit, to: examples.unitTexts, scale: examples.logitScale)
        var entries = [try Held(texts, rows: all).entry(nil, settingsText: nil, examples, weights: weights, folds: nil, start: start)]
        report(entries[0])
        for kind in smallest > 1 ? kinds : [] {
            let start = ContinuousClock.now
            let isExact = kind.hasExactLeaveOneOut(of: examples)
            var best = BestSettings(kind, on: nil, examples, weights: weights, folds: isExact ? nil : foldOfClip, start: start)
            if isExact {
                for (settingsText, logits) in try kind.leaveOneOutCandidates(examples, context: context) {
                    try best.compare(Held(logits, rows: all), settingsText)
                }
            } else {
                let candidates = given.map { [$0] } ?? kind.candidates(rowCount: examples.count)
                try best.compare(candidates, foldCount: (foldOfClip.max() ?? 0) + 1, context: context) { fold throws(HeadError) in
                    try HeadFold(examples, held: foldOfClip.indices.filter { foldOfClip[$0] == fold })
                }
            }
            if let entry = try best.entry {
                entries = Self.keepingAnswersOfBest(entries + [entry])
                report(entry)
            }
        }
        self.entries = entries
    }

    /// That of the least log loss; nil where no head could be compared.
    ///
    /// Taking the simplest head within one standard error instead loses up to two points with eight clips per class on the
    /// pocket world's training clips (`docs/heads.md`).
    package var chosen: Entry? {
        entries.filter(\.isLearned).min(by: Self.precedes)
    }

    private static func precedes(_ left: Entry, _ right: Entry) -> Bool { (left.logLoss, place(left)) < (right.logLoss, place(right)) }

    /// Of each kind of prompts the prompts alone and the best head on them, and what needs no prompts.
    var bestOfEachVariant: HeadChoice {
        var seen: Set<String> = []
        let kept = entries.sorted { $0.logLoss < $1.logLoss }.filter { entry in
            guard let variant = entry.variant else { return true }
            return entry.kind == nil || seen.insert(variant.rawValue).inserted
        }
        return HeadChoice(kept, weights: weights)
    }

    /// Those whose log loss is within one standard error of the least, clip by clip: what is hard for one head is hard for
    /// another, so differences are surer than the losses themselves.
    package var undecided: [Entry] {
        guard let best = entries.min(by: { $0.logLoss < $1.logLoss }) else { return [] }
        let total = weights.reduce(0, +)
        return entries.filter { entry in
            let differences = zip(entry.losses, best.losses).map { $0 - $1 }
            let mean = zip(differences, weights).reduce(0) { $0 + $1.0 * $1.1 } / total
            let squares = zip(differences, weights).reduce(0) { $0 + $1.1 * $1.1 * ($1.0 - mean) * ($1.0 - mean) }
            return mean <= squares.squareRoot() / total
        }
    }

    private static func place(_ entry: Entry) -> Int { entry.kind.flatMap(order.firstIndex) ?? -1 }

    /// The fold of each clip: within a class the clips go round, in an order drawn by the seed.
    ///
    /// - Parameter count: of folds; fewer where there are too few clips for all. None is empty.
    static func folds(of examples: HeadExamples, count: Int, seed: UInt64) -> [Int] {
        var folds = [Int](repeating: 0, count: examples.clipCount)
        for label in 0..<examples.classCount {
            let members = examples.labelsOfClips.indices.filter { examples.labelsOfClips[$0] == label }
            var random = RandomSource(seed: seed, purpose: .shots, item: label)
            for (place, member) in random.permutation(of: members.count).map({ members[$0] }).enumerated() {
                // Classes begin in different folds, so that these are equally large.
                folds[member] = (place + label) % count
            }
        }
        let numbers = Dictionary(uniqueKeysWithValues: Set(folds).sorted().enumerated().map { ($1, $0) })
        return folds.map { numbers[$0] ?? 0 }
    }
}

/// Examples of which some clips are held out.
struct HeadFold {
    let training: HeadExamples
    let held: HeadExamples
    /// Places of the held rows among all.
    let rows: [Int]

    /// - Parameter held: clips, counted as in `rowsOfClips`.
    init(_ examples: HeadExamples, held: [Int]) throws(HeadError) {
        let isHeld = Set(held)
        training = try examples.subset(clips: (0..<examples.clipCount).filter { !isHeld.contains($0) })
        self.held = try examples.subset(clips: held)
        rows = held.flatMap { examples.rowsOfClips[$0] }
    }

    /// What a head that is learned from the rest says of the held-out views.
    ///
    /// - Parameter kind: nil for the texts alone.
    func heldLogits(_ kind: HeadKind?, settingsText: String?, context: HeadContext) throws(HeadError) -> Matrix {
        guard let kind else { return cosineScores(held.unit, to: held.unitTexts, scale: held.logitScale) }
        return try kind.fit(training, settingsText: settingsText, context: context).logits(of: held.features)
    }
}

/// The best of one head's settings, by what each says of held-out clips.
struct BestSettings {
    private let kind: HeadKind?
    private let variant: PromptVariant?
    private let examples: HeadExamples
    private let weights: [Double]
    private let folds: [Int]?
    private let start: ContinuousClock.Instant
    private var best: (entry: HeadChoice.Entry, held: Held)?

    /// - Parameters:
    ///   - kind: nil for the texts alone.
    ///   - variant: of prompts that features and texts went through.
    ///   - examples: whose labels, clips and rows are held out.
    ///   - weights: of the clips.
    ///   - folds: of each clip; nil where each is left out by itself.
    ///   - start: of the whole work on this head.
    init(
        _ kind: HeadKind?, on variant: PromptVariant?, _ examples: HeadExamples, weights: [Double], folds: [Int]?,
        start: ContinuousClock.Instant
    ) {
        (self.kind, self.variant, self.examples) = (kind, variant, examples)
        (self.weights, self.folds, self.start) = (weights, folds, start)
    }

    mutating func compare(_ held: Held, _ settingsText: String?) throws(HeadError) {
        let entry = try held.entry(kind, on: variant, settingsText: settingsText, examples, weights: weights, folds: folds, start: start)
        if best.map({ entry.logLoss < $0.entry.logLoss }) ?? true { best = (entry, held) }
    }

    /// Compares heads that are learned from the rest of each fold, with each of the settings.
    ///
    /// - Parameter fold: makes one; no two are in memory at once.
    mutating func compare(
        _ settings: [String?], foldCount: Int, context: HeadContext, fold: (Int) throws(HeadError) -> HeadFold
    ) throws(HeadError) {
        var rows: [Int] = []
        var values = settings.map { _ in [Float]() }
        for number in 0..<foldCount {
            let fold = try fold(number)
            rows += fold.rows
            for (place, settingsText) in settings.enumerated() {
                values[place] += try fold.heldLogits(kind, settingsText: settingsText, context: context).values
            }
        }
        for (settingsText, values) in zip(settings, values) {
            try compare(Held(MutableMatrix(rows: rows.count, columns: examples.classCount, values).reading, rows: rows), settingsText)
        }
    }

    /// With a doubt of one clip in its temperature; nil where nothing was compared.
    var entry: HeadChoice.Entry? {
        get throws(HeadError) {
            guard var best else { return nil }
            best.entry.temperature = try best.held.doubtedTemperature(examples)
            best.entry.heldOut = best.held.probabilities(examples, temperature: best.entry.temperature)
            return best.entry
        }
    }
}

/// Scores of views by heads that have not seen their clips.
struct Held {
    /// `[rows, classes]`.
    let logits: Matrix
    /// Places of the rows among the examples'.
    let rows: [Int]

    init(_ logits: Matrix, rows: [Int]) {
        self.logits = logits
        self.rows = rows
    }

    /// With a doubt of one clip, whatever number of views it has.
    func doubtedTemperature(_ examples: HeadExamples) throws(HeadError) -> Double {
        try Temperature(
            logits: logits, labels: rows.map { examples.labels[$0] }, doubt: Double(rows.count) / Double(examples.clipCount)).value
    }

    /// The first view of each clip is the one that it is scored by later.
    private static func clipsOfFirstRows(_ examples: HeadExamples) -> [Int: Int] {
        Dictionary(uniqueKeysWithValues: examples.rowsOfClips.enumerated().map { ($1[0], $0) })
    }

    /// Of each clip, one per class.
    func probabilities(_ examples: HeadExamples, temperature: Double) -> [[Float]] {
        let clipOfFirst = Self.clipsOfFirstRows(examples)
        var result = [[Float]](repeating: [], count: examples.clipCount)
        for (place, row) in rows.enumerated() {
            guard let clip = clipOfFirst[row] else { continue }
            result[clip] = softmax(of: logits.row(place).values.map { $0 / Float(temperature) })
        }
        return result
    }

    /// With the temperature that `logLoss` is calibrated by.
    ///
    /// - Parameters:
    ///   - examples: whose labels, clips and rows these are.
    ///   - weights: of the clips.
    ///   - folds: nil where each clip was left out by itself.
    ///   - start: of the whole work on this head.
    func entry(
        _ kind: HeadKind?, on variant: PromptVariant? = nil, settingsText: String?, _ examples: HeadExamples, weights: [Double], folds: [Int]?,
        start: ContinuousClock.Instant
    ) throws(HeadError) -> HeadChoice.Entry {
        let temperature = try Temperature(logits: logits, labels: rows.map { examples.labels[$0] }).value
        let clipOfFirst = Self.clipsOfFirstRows(examples)
        var hits = [Bool](repeating: false, count: examples.clipCount)
        var losses = [Double](repeating: 0, count: examples.clipCount)
        for (place, row) in rows.enumerated() {
            guard let clip = clipOfFirst[row] else { continue }
            let scores = logits.row(place).values
            let label = examples.labels[row]
            let answer = scores.indices.max { (scores[$0], $1) < (scores[$1], $0) } ?? 0
            hits[clip] = answer == label
            let sum = scores.reduce(0) { $0 + exp(Double($1 - scores[answer]) / temperature) }
            losses[clip] = log(sum) - Double(scores[label] - scores[answer]) / temperature
        }
        func share(_ clips: [Int]) -> Double { clips.isEmpty ? 0 : 100 * Double(clips.count { hits[$0] }) / Double(clips.count) }
        let all = Array(hits.indices)
        let classes = Dictionary(grouping: all) { examples.labelsOfClips[$0] }
        let groups = folds.map { folds in Dictionary(grouping: all) { folds[$0] }.values.map(share) } ?? all.map { hits[$0] ? 100 : 0 }
        let deviation = RunStatistics(Array(groups)).deviation ?? 0
        return HeadChoice.Entry(
            kind: kind, variant: variant, settingsText: settingsText, top1: share(all),
            meanClassAccuracy: classes.values.map(share).reduce(0, +) / Double(max(1, classes.count)),
            standardError: deviation / Double(max(1, groups.count)).squareRoot(),
            logLoss: zip(losses, weights).reduce(0) { $0 + $1.0 * $1.1 } / weights.reduce(0, +), temperature: temperature,
            seconds: (ContinuousClock.now - start) / .seconds(1),
            parameterCount: kind?.parameterCount(
                classes: examples.classCount, width: examples.width, innerWidth: examples.projection?.rowCount ?? 0, clips: examples.clipCount,
                rows: examples.count) ?? 0, losses: losses)
    }
}
