import Tensors

/// Classes that are known by several sentences each: a class's vector has the direction of the mean of its sentences' unit vectors.
package struct SentenceMeans: Sendable, Equatable {
    /// The class of each sentence.
    private let labels: [Int]
    package let classCount: Int

    /// - Parameter counts: for each kind of sentences, how many of them each class has; the classes of a kind one after the other.
    package init(counts: [[Int]]) {
        labels = counts.flatMap { classes in classes.enumerated().flatMap { Array(repeating: $0, count: $1) } }
        classCount = counts.first?.count ?? 0
    }

    /// The classes' vectors.
    ///
    /// - Parameter sentences: as `counts` has them.
    package func texts(of sentences: TextFeatures) -> TextFeatures {
        let sums = MutableMatrix(rows: classCount, columns: sentences.unit.columnCount)
        for (row, label) in labels.enumerated() { add(sentences.unit.row(row), to: sums.row(label)) }
        // A mean has the direction of its sum.
        return TextFeatures(sums)
    }

    /// The gradient of the sentences' unit vectors from that of the classes' sums.
    fileprivate func spread(_ sumGradient: MutableMatrix) -> MutableMatrix {
        let gradient = MutableMatrix(rows: labels.count, columns: sumGradient.columnCount)
        for (row, label) in labels.enumerated() { gradient.row(row).copy(sumGradient.row(label)) }
        return gradient
    }
}

/// The classes' texts of a step, and the way back to what the text tower said.
struct ClassTexts {
    private let sequences: TextFeatures
    private let means: SentenceMeans?
    let classes: TextFeatures

    /// - Parameters:
    ///   - features: of the text tower, a row for each sequence.
    ///   - means: nil where each class has one sequence.
    init(_ features: some Readable, means: SentenceMeans?) {
        sequences = TextFeatures(features)
        self.means = means
        classes = means?.texts(of: sequences) ?? sequences
    }

    /// The gradient of the features.
    ///
    /// - Parameter unitGradient: of the classes' unit vectors.
    func backward(unitGradient: MutableMatrix) -> MutableMatrix {
        let gradient = classes.backward(unitGradient: unitGradient)
        return means.map { sequences.backward(unitGradient: $0.spread(gradient)) } ?? gradient
    }
}
