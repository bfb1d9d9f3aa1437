import Files
import Methods

/// What is said while heads are learned.
package enum HeadNote: Sendable, Equatable, CustomStringConvertible {
    case begins(TrainingAmount, frames: Int, run: String)
    case extended(HeadKind, classes: Int, new: Int)
    case learned(HeadKind, parameters: Int, clips: Int, throughPrompts: Bool)
    case measuringFeatures(clips: Int)
    case measuringPrompts
    case noTimeForPrompts(secondsLeft: Double, secondsNeeded: Double)

    package var description: String {
        switch self {
        case .begins(let amount, let frames, let run): "\(amount), \(frames) frames each. Run: \(run)"
        case .extended(let kind, let classes, let new):
            "\(kind.rawValue): \(counted(classes, "class", "classes")), of which \(new) are new. Probabilities are calibrated as before."
        case .learned(let kind, let parameters, let clips, let throughPrompts):
            "\(kind.rawValue): \(parameters) numbers, learned from \(clips) clips" + (throughPrompts ? " that went through prompts." : " in one pass.")
        case .measuringFeatures(let clips): "Measuring the features of \(counted(clips, "clip", "clips")). Nothing is kept."
        case .measuringPrompts: "Measuring what prompts would take, to see what fits into the budget. Nothing is kept."
        case .noTimeForPrompts(let left, let needed):
            "Of the budget \(duration(left)) are left: too little for prompts, whose comparison takes \(duration(needed)) at least. The head stays."
        }
    }
}

/// What cannot be told of a head, or is better than it.
package enum HeadWarning: Sendable, Equatable, CustomStringConvertible {
    /// - Parameter label: of the class that has one clip; nil where none is pointed at.
    case notCompared(label: Int?, taken: HeadKind)
    case textsAreBetter
    case promptsNotTried
    case budgetSpent(stays: String)

    package var description: String {
        switch self {
        case .notCompared(let label, let taken):
            "\(label.map { "class \($0)" } ?? "a class") has one clip only, so no clip can be held out: nothing was compared, and "
                + "\(taken.rawValue) is taken with its authors' settings. Its accuracy is unknown, its probabilities are not calibrated."
        case .textsAreBetter: "the texts alone do better on held-out clips than every head: use the backbone without a head, or add clips."
        case .promptsNotTried: "prompts are not tried: with one clip of some class nothing could tell whether they are better."
        case .budgetSpent(let name):
            "the budget is spent before prompts were learned: \(name) stays. What was learned of them lies in the run's folder."
        }
    }
}
