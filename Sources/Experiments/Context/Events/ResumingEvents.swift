import Files

/// What is said of going on where something was stopped.
package enum ResumingNote: Sendable, Equatable, CustomStringConvertible {
    /// The newest unfinished run, as none was named.
    case newest(path: String)
    case finished(path: String, steps: Int?)
    case checkpoint(path: String, step: Int)
    case noCheckpoint
    case otherThreads(began: Int, now: Int)
    /// An evaluation.
    case continuing(path: String)

    package var description: String {
        switch self {
        case .newest(let path): "Resuming \(path.escapedForDisplay)"
        case .finished(let path, let steps):
            "\(path.escapedForDisplay) is finished\(steps.map { " after \($0) steps" } ?? ""): there is nothing left to do."
        case .checkpoint(let path, let step): "Going on after step \(step), from \(path.escapedForDisplay)."
        case .noCheckpoint: "There is no checkpoint yet: the run starts from its beginning."
        case .otherThreads(let began, let now):
            "\(now) threads instead of \(began): sums are made in the same order, so the result stays the same."
        case .continuing(let path): "Continuing in \(path.escapedForDisplay): finished parts are not repeated."
        }
    }
}

/// What differs from when something began.
package enum ResumingWarning: Sendable, Equatable, CustomStringConvertible {
    case otherVersion(began: String, now: String)
    /// Of an evaluation.
    case otherVersionOfFolder(path: String, began: String, now: String)
    case otherProcessor(began: String, now: String)
    case otherRanks(began: Int, now: Int)
    case damagedCheckpoint(path: String, reason: String)

    package var description: String {
        switch self {
        case .otherVersion(let began, let now):
            "the run began with vifi-prompt \(began), this is \(now): results may differ by rounding."
        case .otherVersionOfFolder(let path, let began, let now):
            "\(path.escapedForDisplay) was begun by vifi-prompt \(began), this is \(now): results may differ by rounding."
        case .otherProcessor(let began, let now):
            "the run began on \(began), this is \(now): other instructions are used, so results agree up to rounding only."
        case .otherRanks(let began, let now):
            "the run began on \(began) ranks, this is \(now): gradients are added in another order, so results agree up to rounding only."
        case .damagedCheckpoint(let path, let reason):
            "\(path.escapedForDisplay) is damaged (\(reason)): the one before it is looked at."
        }
    }
}
