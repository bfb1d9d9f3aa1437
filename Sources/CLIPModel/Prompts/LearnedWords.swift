import Tensors

/// Words of the text tower's input that are learned, wherever they stand among a class's tokens. In token sequences the ids
/// from the vocabulary's size on stand for them, one for each row of their table.
package enum LearnedWords: Sendable, Equatable, Codable {
    /// Words before and behind the class name, between start and end token, without template or full stop. There is one for
    /// each position of the context, so that which words follow a name depends on its length. Source: Ju et al., ECCV 2022,
    /// "Prompting Visual-Language Models for Efficient Video Understanding", src/model.py; `methods.md` 4.
    case around(before: Int, after: Int)

    /// Rows of the table.
    package func count(contextLength: Int) -> Int {
        switch self {
        case .around: contextLength
        }
    }

    /// Of the normal distribution that they are drawn from, as their authors do.
    var deviation: Float {
        switch self {
        case .around: 0.01
        }
    }

    /// For people.
    package var text: String {
        switch self {
        case .around(let before, let after): "\(before) words before and \(after) behind the class name"
        }
    }

    /// The sequences of class names or captions with the learned words in their places.
    ///
    /// - Parameters:
    ///   - sequences: start token, the name's own tokens, end token.
    ///   - vocabularySize: what the ids of learned words start at.
    package func sequences(around sequences: [[Int]], vocabularySize: Int) -> [[Int]] {
        switch self {
        case .around(let before, let after):
            sequences.map { sequence in
                let name = sequence.dropFirst().dropLast()
                let behind = 1 + before + name.count
                return sequence.prefix(1) + (1..<1 + before).map { vocabularySize + $0 } + name
                    + (behind..<behind + after).map { vocabularySize + $0 } + sequence.suffix(1)
            }
        }
    }

    /// Tokens that they take of a sequence.
    var takenCount: Int {
        switch self {
        case .around(let before, let after): before + after
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
