import Glibc
import Tensors
import TestSupport
import Testing

/// Sizes of one attention: some queries, keys of their own, keys shared by all groups.
struct AttentionCase: Sendable, CustomTestStringConvertible {
    let name: String
    let queries: Int
    let own: Int
    /// nil: no shared keys at all; 0: an empty matrix of them.
    var shared: Int? = nil
    let heads: Int
    let headWidth: Int
    var mask = AttentionMask.none
    /// Whether own keys have a bias.
    var isBiased = false

    var testDescription: String { name }
    var width: Int { heads * headWidth }

    func isVisible(query: Int, key: Int) -> Bool {
        guard case .causal(let first) = mask, key >= shared ?? 0 else { return true }
        return key - (shared ?? 0) <= first + query
    }

    static let all = [
        AttentionCase(name: "one query, one key", queries: 1, own: 1, heads: 1, headWidth: 1),
        AttentionCase(name: "every row", queries: 5, own: 5, heads: 2, headWidth: 7),
        AttentionCase(name: "first row only", queries: 1, own: 17, heads: 3, headWidth: 5),
        AttentionCase(name: "shared keys", queries: 6, own: 6, shared: 3, heads: 2, headWidth: 16),
        AttentionCase(name: "shared keys, many", queries: 18, own: 18, shared: 17, heads: 1, headWidth: 9),
        AttentionCase(name: "shared keys, first row only", queries: 1, own: 4, shared: 2, heads: 2, headWidth: 3),
        AttentionCase(name: "no prompts among the shared keys", queries: 3, own: 3, shared: 0, heads: 2, headWidth: 4),
        AttentionCase(name: "causal", queries: 7, own: 7, heads: 2, headWidth: 5, mask: .causal(firstQueryRow: 0)),
        AttentionCase(name: "causal, long", queries: 20, own: 20, heads: 1, headWidth: 6, mask: .causal(firstQueryRow: 0)),
        AttentionCase(name: "causal, shared", queries: 5, own: 5, shared: 4, heads: 2, headWidth: 8, mask: .causal(firstQueryRow: 0)),
        AttentionCase(name: "causal, last row only", queries: 1, own: 6, heads: 2, headWidth: 3, mask: .causal(firstQueryRow: 5)),
        AttentionCase(
            name: "causal, shared, last row only", queries: 1, own: 6, shared: 3, heads: 2, headWidth: 3,
            mask: .causal(firstQueryRow: 5)),
        AttentionCase(name: "many, heads of 64", queries: 17, own: 17, shared: 4, heads: 2, headWidth: 64),
        AttentionCase(name: "few, heads of 64", queries: 4, own: 4, shared: 11, heads: 2, headWidth: 64, mask: .causal(firstQueryRow: 0)),
        AttentionCase(name: "causal, a later window", queries: 3, own: 8, shared: 1, heads: 1, headWidth: 4, mask: .causal(firstQueryRow: 2)),
        AttentionCase(name: "biased keys, few queries", queries: 3, own: 7, shared: 2, heads: 2, headWidth: 5, isBiased: true),
        AttentionCase(name: "biased keys, many queries", queries: 18, own: 18, shared: 3, heads: 2, headWidth: 6, isBiased: true),
        AttentionCase(name: "biased keys, nothing shared", queries: 17, own: 17, heads: 1, headWidth: 4, isBiased: true),
    ]
}

@Suite struct AttentionTests {
    @Test func byHand() {
        // One key: its value comes out. Two equal keys: the mean of their values.
        let queries = Table([[0.3, -2]]).matrix
        let output = MutableMatrix(rows: 1, columns: 2)
        attention(
            queries: queries, sources: AttentionSources(shared: nil, own: Table([[9, 9, 5, 7]]).matrix), headCount: 1, mask: .none,
            logSums: MutableMatrix(rows: 1, columns: 1), scratch: scratch(1, 1, headWidth: 2), output: output)
        #expect(output.values == [5, 7])
        attention(
            queries: queries, sources: AttentionSources(shared: Table([[1, 1, 2, 4]]).matrix, own: Table([[1, 1, 4, 8]]).matrix),
            headCount: 1, mask: .none, logSums: MutableMatrix(rows: 1, columns: 1), scratch: scratch(1, 2, headWidth: 2), output: output)
        expectClose(output.values, [3, 6], tolerance: 1e-6)
    }

    @Test func scoresAreDividedByTheRootOfTheHeadWidth() {
        // q · k is 4 ln 3 against 0, headWidth 16: a quarter of it is left, probabilities 3 : 1.
        var query = Table.zeros(1, 16)
        query[0, 0] = 4 * log(3)
        let sources = Table(rows: 2, columns: 32) { row, column in column == 0 && row == 0 ? 1 : column >= 16 && row == 0 ? 1 : 0 }
        let logSums = MutableMatrix(rows: 1, columns: 1)
        let output = MutableMatrix(rows: 1, columns: 16)
        attention(
            queries: query.matrix, sources: AttentionSources(shared: nil, own: sources.matrix), headCount: 1, mask: .none,
            logSums: logSums, scratch: scratch(1, 2, headWidth: 16), output: output)
        expectClose(logSums.values, [log(Float(4))], tolerance: 1e-6)
        expectClose(output.values, [Float](repeating: 0.75, count: 16), tolerance: 1e-6)
    }

    private func scratch(_ queries: Int, _ keys: Int, headWidth: Int) -> AttentionScratch {
        AttentionScratch(scoreCount: queries * keys, keyCount: keys, headWidth: headWidth, forGradients: true)
    }

    private func scratch(_ sizes: AttentionCase) -> AttentionScratch {
        // Larger than needed, as for the largest of several groups.
        scratch(sizes.queries + 1, sizes.own + (sizes.shared ?? 0) + 2, headWidth: sizes.headWidth)
    }

    private struct Inputs {
        var queries: Table
        var shared: Table
        var own: Table
        let bias: Table?

        init(_ sizes: AttentionCase) {
            queries = .random(sizes.queries, sizes.width, seed: 71, scale: 1.5)
            shared = .random(sizes.shared ?? 0, 2 * sizes.width, seed: 72, scale: 1.5)
            own = .random(sizes.own, 2 * sizes.width, seed: 73, scale: 1.5)
            bias = sizes.isBiased ? .random(1, sizes.own, seed: 79, scale: 3) : nil
        }

        func sources(_ sizes: AttentionCase) -> AttentionSources<MutableMatrix> {
            AttentionSources(
                shared: sizes.shared == nil ? nil : Framed(shared).window, own: Framed(own).window, keyBias: bias?.matrix.reading)
        }
    }

    /// Attention written out: one query, one head, one key at a time.
    private func forward(_ inputs: Inputs, _ sizes: AttentionCase) -> (output: Table, logSums: Table) {
        let keys = inputs.shared.rows + inputs.own.rows
        func source(_ key: Int, _ column: Int) -> Double {
            key < inputs.shared.rows ? inputs.shared[key, column] : inputs.own[key - inputs.shared.rows, column]
        }
        var output = Table.zeros(sizes.queries, sizes.width)
        var logSums = Table.zeros(1, sizes.heads * sizes.queries)
        for head in 0..<sizes.heads {
            let columns = head * sizes.headWidth..<(head + 1) * sizes.headWidth
            for query in 0..<sizes.queries {
                let visible = (0..<keys).filter { sizes.isVisible(query: query, key: $0) }
                let scores = visible.map { key in
                    let bias = key < inputs.shared.rows ? 0 : inputs.bias?[0, key - inputs.shared.rows] ?? 0
                    return columns.reduce(bias) { $0 + inputs.queries[query, $1] * source(key, $1) } / sqrt(Double(sizes.headWidth))
                }
                let largest = scores.max() ?? 0
                let sum = scores.reduce(0) { $0 + exp($1 - largest) }
                logSums[0, head * sizes.queries + query] = largest + log(sum)
                for (key, score) in zip(visible, scores) {
                    let probability = exp(score - largest) / sum
                    for column in columns { output[query, column] += probability * source(key, sizes.width + column) }
                }
            }
        }
        return (output, logSums)
    }

    @Test(arguments: AttentionCase.all)
    func matchesTheDoubleForward(sizes: AttentionCase) {
        let inputs = Inputs(sizes)
        let expected = forward(inputs, sizes)
        let output = Framed(rows: sizes.queries, columns: sizes.width)
        let logSums = MutableMatrix(rows: 1, columns: sizes.heads * sizes.queries)
        attention(
            queries: Framed(inputs.queries).window,
            sources: inputs.sources(sizes), headCount: sizes.heads, mask: sizes.mask, logSums: logSums, scratch: scratch(sizes),
            output: output.window)
        expectClose(logSums, expected.logSums, "log sums")
        expectClose(output.window, expected.output, "output")
        output.expectFrameIntact()
    }

    @Test(arguments: AttentionCase.all, [true, false])
    func gradientsMatchFiniteDifferences(sizes: AttentionCase, queriesLearn: Bool) {
        let inputs = Inputs(sizes)
        let outputGradient = Table.random(sizes.queries, sizes.width, seed: 74)
        func loss(_ change: (inout Inputs) -> Void) -> Double {
            var changed = inputs
            change(&changed)
            return forward(changed, sizes).output.dot(outputGradient)
        }

        let sources = inputs.sources(sizes)
        let logSums = MutableMatrix(rows: 1, columns: sizes.heads * sizes.queries)
        attention(
            queries: Framed(inputs.queries).window, sources: sources, headCount: sizes.heads, mask: sizes.mask,
            logSums: logSums, scratch: scratch(sizes), output: MutableMatrix(rows: sizes.queries, columns: sizes.width))

        let startShared = Table.random(inputs.shared.rows, inputs.shared.columns, seed: 75)
        let startOwn = Table.random(inputs.own.rows, inputs.own.columns, seed: 76)
        let sharedGradient = Framed(startShared)
        let ownGradient = Framed(startOwn)
        let queryGradient = Framed(rows: sizes.queries, columns: sizes.width)
        attentionBackward(
            outputGradient: Framed(outputGradient).window, queries: Framed(inputs.queries).window, sources: sources,
            headCount: sizes.heads, mask: sizes.mask, logSums: logSums, scratch: scratch(sizes),
            queryGradient: queriesLearn ? queryGradient.window : nil,
            sourceGradients: AttentionSources(shared: sizes.shared == nil ? nil : sharedGradient.window, own: ownGradient.window))

        expectClose(
            sharedGradient.window, startShared + numericalGradient(at: inputs.shared) { table in loss { $0.shared = table } },
            "shared gradient")
        if queriesLearn {
            expectClose(
                queryGradient.window, numericalGradient(at: inputs.queries) { table in loss { $0.queries = table } }, "query gradient")
            expectClose(
                ownGradient.window, startOwn + numericalGradient(at: inputs.own) { table in loss { $0.own = table } }, "own gradient")
        } else {
            #expect(ownGradient.window.values == startOwn.floats, "own gradients are skipped")
        }
        for framed in [sharedGradient, ownGradient, queryGradient] { framed.expectFrameIntact() }
    }

    @Test func staysFiniteAtExtremeScores() {
        let queries = Table.random(3, 8, seed: 77, scale: 100).matrix
        let sources = AttentionSources(shared: nil, own: Table.random(5, 16, seed: 78, scale: 100).matrix)
        let logSums = MutableMatrix(rows: 1, columns: 6)
        let memory = scratch(3, 5, headWidth: 4)
        let output = MutableMatrix(rows: 3, columns: 8)
        attention(queries: queries, sources: sources, headCount: 2, mask: .none, logSums: logSums, scratch: memory, output: output)
        let gradients = (0..<2).map { MutableMatrix(rows: $0 == 0 ? 3 : 5, columns: $0 == 0 ? 8 : 16) }
        attentionBackward(
            outputGradient: output, queries: queries, sources: sources, headCount: 2, mask: .none, logSums: logSums,
            scratch: memory, queryGradient: gradients[0],
            sourceGradients: AttentionSources(shared: nil, own: gradients[1]))
        for matrix in [logSums, output] + gradients { expectFinite(matrix, "attention") }
    }
}
