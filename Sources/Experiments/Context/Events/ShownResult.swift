import Evaluation
import Files
import Training

/// What somebody asked for.
package enum ShownResult: Sendable, Equatable, CustomStringConvertible {
    case file(Role, path: String)
    /// Scores of a run that took steps, on its validation list.
    case validation(last: Scores, best: Scores)
    /// - Parameter isBest: whether the validation list chose the epoch.
    case test(Scores, isBest: Bool)
    /// - Parameter list: `validation` or `test`.
    case head(Scores, list: String, method: String)
    /// Heads and the texts alone, the best first.
    case compared([RunResult.ComparedMethod])
    case comparedWithPrompts([RunResult.ComparedMethod], folds: Int)
    /// - Parameter undecided: what it cannot be told from.
    case taken(named: String, undecided: [String], clips: Int)
    /// No prompts are better than this head.
    case headStays(named: String)
    case seeds(SeedSummary)
    case grid(name: String, title: String)
    case cells(AblationSummary)
    /// Of cells that can be compared; nothing without any.
    case differences(AblationSummary)
    /// How well clusters and classes agree, among embeddings of `width` numbers and in the plane.
    case clusters(count: Int, width: Int, embeddings: ClusterAgreement, plane: ClusterAgreement)

    /// What a file is.
    package enum Role: Sendable, Equatable {
        case backbone, prompts, head, transformer, lowRankUpdates, summary, chart
        /// Told by its path alone.
        case output
    }

    package var description: String {
        switch self {
        case .file(.output, let path): path.escapedForDisplay
        case .file(let role, let path): "\(role.name): \(path)"
        case .validation(let last, let best):
            "validation \(last.title) \(percent(last.top1)) after the last epoch, \(percent(best.top1)) after the best, which is kept"
                + last.behind
        case .test(let scores, let isBest):
            "test \(scores.title) \(percent(scores.top1)) of \(isBest ? "the epoch that was best on the validation list" : "the last epoch")"
                + scores.behind
        case .head(let scores, let list, let method):
            "\(list) top-1 \(percent(scores.top1)) of \(method); \(scores.clips) clips of \(scores.classes) classes"
        case .compared(let methods): Self.table(methods)
        case .comparedWithPrompts(let methods, let folds):
            "Learned without each of \(folds) parts of the clips in turn, and scored on that part:\n\(Self.table(methods))"
        case .taken(let name, let undecided, let clips):
            "\(name) is taken"
                + (undecided.isEmpty
                    ? "." : "; within the noise of \(counted(clips, "clip", "clips")) it cannot be told from \(undecided.joined(separator: ", ")).")
        case .headStays(let name): "\(name) is taken: no prompts do better on held-out clips."
        case .seeds(let summary): summary.table
        case .grid(let name, let title): name + (title.isEmpty ? "" : ": " + title)
        case .cells(let summary): summary.table
        case .differences(let summary): summary.differenceTable ?? ""
        case .clusters(let count, let width, let embeddings, let plane):
            alignedTable([
                ["clusters, k = \(count)", "homogeneity", "completeness", "V-measure"],
                ["embeddings, \(width) dimensions"] + embeddings.cells, ["t-SNE, 2 dimensions"] + plane.cells,
            ])
        }
    }

    /// A row per method.
    private static func table(_ methods: [RunResult.ComparedMethod]) -> String {
        func decimal(_ value: Double, _ places: Int = 1) -> String { NumberText.decimal(value, places: places) }
        let rows = methods.map { entry in
            [
                entry.method, decimal(entry.logLoss, 3), "\(decimal(entry.top1)) ± \(decimal(entry.standardError))",
                decimal(entry.meanClassAccuracy), decimal(entry.seconds, 2), bytes(4 * entry.parameters),
            ]
        }
        return alignedTable([["method", "log loss", "held-out top-1 % ± standard error", "mean of classes %", "seconds", "size"]] + rows)
    }
}

extension ShownResult.Role {
    fileprivate var name: String {
        switch self {
        case .backbone: "backbone"
        case .prompts: "prompts"
        case .head: "head"
        case .transformer: "transformer over frames"
        case .lowRankUpdates: "updates alone"
        case .summary: "summary"
        case .chart: "chart"
        case .output: "output"
        }
    }
}

extension Scores {
    /// What was scored, behind what came out.
    fileprivate var behind: String { retrieval.map { "\n" + $0.table } ?? "; \(clips) clips of \(classes) classes" }
}

extension ClusterAgreement {
    fileprivate var cells: [String] { [homogeneity, completeness, vMeasure].map { NumberText.decimal($0, places: 4) } }
}
