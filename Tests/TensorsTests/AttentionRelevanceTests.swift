import Glibc
import Tensors
import TestSupport
import Testing

@Suite struct AttentionRelevanceTests {
    private static let (queryCount, sharedCount, ownCount, heads, headWidth) = (5, 2, 7, 3, 4)

    private struct Case {
        let queries: MutableMatrix
        let shared: MutableMatrix
        let own: MutableMatrix
        let outputGradient: MutableMatrix
        let logSums: MutableMatrix
        let weights: MutableMatrix

        var sources: AttentionSources<Matrix> { AttentionSources(shared: shared.reading, own: own.reading) }

        init() {
            var source = RandomSource(seed: 4, purpose: .test)
            func chance(_ rows: Int, _ columns: Int) -> MutableMatrix {
                MutableMatrix(rows: rows, columns: columns, (0..<rows * columns).map { _ in source.normal() })
            }
            let width = heads * headWidth
            queries = chance(queryCount, width)
            shared = chance(sharedCount, 2 * width)
            own = chance(ownCount, 2 * width)
            outputGradient = chance(queryCount, width)
            weights = chance(1, queryCount)
            logSums = MutableMatrix(rows: 1, columns: heads * queryCount)
            let scratch = AttentionScratch(
                scoreCount: queryCount * (sharedCount + ownCount), keyCount: sharedCount + ownCount, headWidth: headWidth, forGradients: false)
            attention(
                queries: queries, sources: AttentionSources(shared: shared.reading, own: own.reading), headCount: heads, mask: .none,
                logSums: logSums, scratch: scratch, output: MutableMatrix(rows: queryCount, columns: width))
        }

        /// A row of keys or of values, shared ones first.
        func key(_ key: Int, head: Int, isValue: Bool) -> [Double] {
            let start = (isValue ? heads * headWidth : 0) + head * headWidth
            let row = key < sharedCount ? shared.row(key) : own.row(key - sharedCount)
            return row.columns(start..<start + headWidth).values.map(Double.init)
        }

        func query(_ row: Int, head: Int, of matrix: MutableMatrix) -> [Double] {
            matrix.row(row).columns(head * headWidth..<(head + 1) * headWidth).values.map(Double.init)
        }

        /// `[head][query][key]`, in double precision.
        var probabilities: [[[Double]]] {
            (0..<heads).map { head in
                (0..<queryCount).map { row in
                    let q = query(row, head: head, of: queries)
                    let scores = (0..<sharedCount + ownCount).map { key in
                        exp(zip(q, self.key(key, head: head, isValue: false)).reduce(0) { $0 + $1.0 * $1.1 } / Double(headWidth).squareRoot())
                    }
                    return scores.map { $0 / scores.reduce(0, +) }
                }
            }
        }

        /// Σ outputGradient · (P V): what the probabilities are differentiated of.
        func score(_ probabilities: [[[Double]]]) -> Double {
            var sum = 0.0
            for head in 0..<heads {
                for row in 0..<queryCount {
                    let gradient = query(row, head: head, of: outputGradient)
                    for key in 0..<sharedCount + ownCount {
                        let value = self.key(key, head: head, isValue: true)
                        sum += probabilities[head][row][key] * zip(gradient, value).reduce(0) { $0 + $1.0 * $1.1 }
                    }
                }
            }
            return sum
        }
    }

    /// Gradients of the probabilities by central differences.
    @Test func relevanceIsProbabilityTimesItsGradient() {
        let example = Case()
        var probabilities = example.probabilities
        var expected = [Float](repeating: 0, count: Self.sharedCount + Self.ownCount)
        for head in 0..<Self.heads {
            for row in 0..<Self.queryCount {
                for key in expected.indices {
                    let own = probabilities[head][row][key]
                    probabilities[head][row][key] = own + 1e-3
                    let up = example.score(probabilities)
                    probabilities[head][row][key] = own - 1e-3
                    let gradient = (up - example.score(probabilities)) / 2e-3
                    probabilities[head][row][key] = own
                    expected[key] += example.weights[0, row] * Float(max(0, own * gradient) / Double(Self.heads))
                }
            }
        }
        let seen = MutableMatrix(rows: 1, columns: expected.count)
        addRelevance(
            outputGradient: example.outputGradient.reading, queries: example.queries.reading, sources: example.sources, headCount: Self.heads,
            heads: 0..<Self.heads, logSums: example.logSums.reading, rowWeights: example.weights.reading, into: seen)
        expectClose(seen.values, expected, tolerance: 1e-5)
    }

    @Test func withoutGradientItIsTheProbability() {
        let example = Case()
        let probabilities = example.probabilities
        let seen = MutableMatrix(rows: 1, columns: Self.sharedCount + Self.ownCount)
        addRelevance(
            outputGradient: nil, queries: example.queries.reading, sources: example.sources, headCount: Self.heads, heads: 1..<2,
            logSums: example.logSums.reading, rowWeights: example.weights.reading, into: seen)
        let expected = seen.values.indices.map { key in
            (0..<Self.queryCount).reduce(Float(0)) { $0 + example.weights[0, $1] * Float(probabilities[1][$1][key]) }
        }
        expectClose(seen.values, expected, tolerance: 1e-5)
    }
}
