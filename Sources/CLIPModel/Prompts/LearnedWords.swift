import Files
import Tensors

/// Words of the text tower's input that are learned, wherever they stand among a class's tokens. In token sequences the ids
/// from the vocabulary's size on stand for them, one for each row of their table.
package enum LearnedWords: Sendable, Equatable, Codable {
    /// Words before and behind the class name, before the end token, without template or full stop. There is one for
    /// each position of the context, so that which words follow a name depends on its length. Source: Ju et al., ECCV 2022,
    /// "Prompting Visual-Language Models for Efficient Video Understanding", src/model.py; `methods.md` 4.
    case around(before: Int, after: Int)
    /// The same words for all classes, or others for each of so many. Source: Zhou et al., IJCV 2022, "Learning to Prompt for
    /// Vision-Language Models", trainers/coop.py; `methods_more.md` 1.
    case context(count: Int, place: NamePlace, classCount: Int?)

    /// Where the class name stands among the words.
    package enum NamePlace: String, Sendable, Codable, CaseIterable {
        /// Behind them.
        case end
        /// Behind the first half of them.
        case middle
        /// Before them.
        case front
    }

    /// A class name as tokens.
    package struct Name {
        /// Start token where texts have one, the name, what follows it, end token, and padding where texts have that.
        package let tokens: [Int]
        package let length: Int
        /// Its class, where words are others for each.
        package let label: Int

        package init(tokens: [Int], length: Int, label: Int) { (self.tokens, self.length, self.label) = (tokens, length, label) }
    }

    /// Rows of the table.
    package func count(contextLength: Int) -> Int {
        switch self {
        case .around: contextLength
        case .context(let count, _, let classCount): count * (classCount ?? 1)
        }
    }

    /// Of the normal distribution that they are drawn from, as their authors do.
    var deviation: Float {
        switch self {
        case .around: 0.01
        case .context: 0.02
        }
    }

    /// For people.
    package var text: String {
        switch self {
        case .around(let before, let after): "\(before) words before and \(after) behind the class name"
        case .context(let count, let place, let classCount):
            "\(counted(count, "word", "words")), the class name \(place == .end ? "behind" : place == .front ? "before" : "in the middle of") them"
                + (classCount.map { ", others for each of \(counted($0, "class", "classes"))" } ?? "")
        }
    }

    /// What stands behind a name: the words take the place of what a template would say before it.
    var template: String {
        switch self {
        case .around: "{}"
        case .context: "{}."
        }
    }

    /// The sequences of names with the learned words in their places.
    ///
    /// - Parameters:
    ///   - vocabularySize: what the ids of learned words start at.
    ///   - startCount: tokens before a name.
    package func sequences(of names: [Name], vocabularySize: Int, startCount: Int) -> [[Int]] {
        names.map { name in
            let start = name.tokens.prefix(startCount)
            let own = name.tokens.dropFirst(startCount).prefix(name.length)
            let rest = name.tokens.dropFirst(startCount + name.length)
            func learned(_ rows: Range<Int>) -> [Int] { rows.map { vocabularySize + $0 } }
            switch self {
            case .around(let before, let after):
                let behind = startCount + before + own.count
                return start + learned(startCount..<startCount + before) + own + learned(behind..<behind + after) + rest
            case .context(let count, let place, let classCount):
                let first = classCount == nil ? 0 : name.label * count
                let beforeCount = switch place {
                case .end: count
                case .middle: count / 2
                case .front: 0
                }
                return start + learned(first..<first + beforeCount) + own + learned(first + beforeCount..<first + count) + rest
            }
        }
    }

    /// Tokens that they take of a sequence.
    var takenCount: Int {
        switch self {
        case .around(let before, let after): before + after
        case .context(let count, _, _): count
        }
    }
}

/// Learned words while they learn, and no weight of the text tower.
struct LearningWords: TextGradientSink {
    /// `[words, width]`
    private let gradient: MutableMatrix
    private let vocabularySize: Int
    private let turnstile: Turnstile

    /// - Parameters:
    ///   - gradient: added to.
    ///   - pool: that runs the backward pass.
    init(gradient: MutableMatrix, vocabularySize: Int, pool: WorkerPool) {
        (self.gradient, self.vocabularySize) = (gradient, vocabularySize)
        turnstile = Turnstile(gateCount: 1, pool: pool)
    }

    var learns: Bool { true }

    func block(_ layer: Int, item: Int) -> FrozenBlock { FrozenBlock() }

    func addOutput(
        featureGradient: Matrix, normGradient: MutableMatrix, endRows: MutableMatrix, normalized: MutableMatrix,
        statistics: LayerNormStatistics, item: Int
    ) {}

    func addInput(gradient rows: MutableMatrix, suffixes: [[Int]], firstPosition: Int, item: Int) {
        turnstile.pass(gate: 0, item: item) {
            for (row, token) in suffixes.joined().enumerated() where token >= vocabularySize {
                add(rows.row(row), to: gradient.row(token - vocabularySize))
            }
        }
    }
}

extension LearnedWords {
    /// The place of each name among the classes that words were learned for.
    ///
    /// - Parameter learned: their names; none or nil where a file does not say them and these are all, in their order.
    /// - Throws: `ModelError` for a class that there are no words for.
    func labels(of classNames: [String], learned: [String]?) throws(ModelError) -> [Int] {
        guard case .context(_, _, let classCount?) = self else { return classNames.map { _ in 0 } }
        guard let learned, !learned.isEmpty else {
            guard classNames.count == classCount else { throw .prompts(.classWords(count: classCount, names: classNames.count)) }
            return Array(classNames.indices)
        }
        var labels: [Int] = []
        for name in classNames {
            guard let label = learned.firstIndex(of: name), label < classCount else {
                throw .prompts(.noWordsFor(name: name, nearest: name.nearest(among: learned)))
            }
            labels.append(label)
        }
        return labels
    }
}
