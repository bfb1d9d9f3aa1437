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
            "t-SNE of \(count) points says nothing; it takes at least \(needed). Use a longer list."
        case .perplexity(let perplexity, let count):
            "a perplexity of \(perplexity) is about so many neighbors of each point: of \(count) points it must be from 1 to "
                + "\(count - 1), and up to a third of that makes sense."
        case .notNumbers(let row):
            "the embedding of video \(row + 1) holds NaN or infinite numbers. Use a sound backbone and prompt file."
        }
    }
}
