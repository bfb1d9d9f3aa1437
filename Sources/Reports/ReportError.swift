import Files

/// What keeps a report from being made.
package enum ReportError: ReportableError, Equatable {
    case nothingFound(path: String)
    case exists(path: String)
    case tooManyFolders(path: String, limit: Int)
    /// The place is a key, or a line counted from 1.
    case damaged(path: String, place: String, reason: String)
    case noBackbone(evaluation: String, name: String, digest: String)
    case otherPrompts(path: String, evaluation: String)
    case otherList(list: String, evaluation: String)
    case noEvaluation(option: String)
    case videosGone(list: String, option: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .nothingFound, .noBackbone, .noEvaluation, .videosGone: .missingInput
        case .exists: .inputOutput
        case .tooManyFolders: .usage
        case .damaged: .badData
        case .otherPrompts, .otherList: .badConfiguration
        }
    }

    package var description: String {
        switch self {
        case .nothingFound(let path):
            "\(path.escapedForDisplay): holds nothing to report on: no run (metrics.jsonl), evaluation (evaluation.json), protocol or grid "
                + "(summary.json), nor retrieval or t-SNE (metrics.json). Name a folder that `vifi-prompt learn`, `evaluate`, `ablate` or "
                + "`viz tsne` wrote, or one above it."
        case .exists(let path):
            "\(path.escapedForDisplay): already exists. Pass --force to replace it, or another -o."
        case .tooManyFolders(let path, let limit):
            "\(path.escapedForDisplay): more than \(limit) folders below it. Name the folders of the runs themselves."
        case .damaged(let path, let place, let reason):
            "\(path.escapedForDisplay), \(place.escapedForDisplay): \(reason.escapedForDisplay). Put the file back from a copy, or make it anew."
        case .noBackbone(let evaluation, let name, let digest):
            "\(evaluation.escapedForDisplay): its backbone \(name.escapedForDisplay) (SHA-256 over weights \(digest.prefix(12))…) was not "
                + "found. Pass it with --backbone, or leave out --attention and --tsne."
        case .otherPrompts(let path, let evaluation):
            "\(path.escapedForDisplay): holds other prompts than those that \(evaluation.escapedForDisplay) is about. Put them back, or "
                + "leave out --attention and --tsne."
        case .otherList(let list, let evaluation):
            "\(list.escapedForDisplay): has changed since \(evaluation.escapedForDisplay) scored it. Put it back, or leave out --tsne."
        case .noEvaluation(let option):
            "\(option) needs an evaluation with predictions.jsonl; there is none. `vifi-prompt evaluate list --output FOLDER` makes one."
        case .videosGone(let list, let option):
            "\(list.escapedForDisplay): neither the list nor its videos exist any more, so \(option) has nothing to show."
        }
    }
}
