import Files

/// Why points cannot be laid out in the plane.
package enum EmbeddingError: ReportableError, Equatable {
    case tooFewPoints(count: Int, needed: Int)
    case perplexity(Double, count: Int)
    /// Row of the first point with a number that is NaN or infinite.
    case notNumbers(row: Int)

    package var exitStatus: ExitStatus {
        switch self {
        case .tooFewPoints, .notNumbers: .badData
        case .perplexity: .usage
        }
    }

    package var description: String {
        switch self {
        case .tooFewPoints(let count, let needed):
            "t-SNE needs at least \(needed) points, but there are only \(count). Use a longer list."
        case .perplexity(let perplexity, let count):
            "the perplexity is \(perplexity), but for \(count) points it must be between 1 and "
                + "\(count - 1), and at most a third of that is recommended."
        case .notNumbers(let row):
            "the embedding of video \(row + 1) holds NaN or infinite numbers. Use a sound backbone and prompt file."
        }
    }
}
