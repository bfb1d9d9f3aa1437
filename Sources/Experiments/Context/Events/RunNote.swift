import Files
import VideoData

/// What is said on the way: facts, which whoever watches a run may tell apart. The words of each are in its description.
package enum RunNote: Sendable, Equatable, CustomStringConvertible {
    case model(ModelNote)
    case data(DataNote)
    case features(FeatureNote)
    case head(HeadNote)
    case learning(LearningNote)
    case resuming(ResumingNote)
    case part(PartNote)
    case scoring(ScoringNote)
    /// What a lower module says of a file that it has read.
    case ofFile(path: String, note: String)
    /// What a part of an experiment came to: the experiment tells results of its own.
    case ofPart(ShownResult)

    package var description: String {
        switch self {
        case .model(let note): note.description
        case .data(let note): note.description
        case .features(let note): note.description
        case .head(let note): note.description
        case .learning(let note): note.description
        case .resuming(let note): note.description
        case .part(let note): note.description
        case .scoring(let note): note.description
        case .ofFile(let path, let note): "\(path.escapedForDisplay): \(note)"
        case .ofPart(let result): result.description
        }
    }
}

/// What is odd and does not end the work.
package enum RunWarning: Sendable, Equatable, CustomStringConvertible {
    case model(ModelWarning)
    /// Of a list or its classes.
    case list(DatasetWarning)
    case data(DataWarning)
    case features(FeatureWarning)
    case head(HeadWarning)
    case learning(LearningWarning)
    case resuming(ResumingWarning)
    /// What another process says of a file that it has read.
    case ofFile(path: String, warning: String)

    package var description: String {
        switch self {
        case .model(let warning): warning.description
        case .list(let warning): warning.description
        case .data(let warning): warning.description
        case .features(let warning): warning.description
        case .head(let warning): warning.description
        case .learning(let warning): warning.description
        case .resuming(let warning): warning.description
        case .ofFile(let path, let warning): "\(path.escapedForDisplay): \(warning)"
        }
    }
}
