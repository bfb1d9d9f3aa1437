import Files

/// What keeps a run from going on.
package enum RunError: ReportableError, Equatable {
    case notARun(path: String)
    case otherKind(path: String, kind: String)
    case changed(file: String)
    case videoChanged(path: String, list: String)
    case videosGone(first: String, count: Int, list: String)
    case otherTokens
    case otherInGroup(path: String, input: String)
    /// - Parameter setting: what differs, and how.
    case otherSettings(path: String, setting: String)
    case otherBackbone(path: String, expected: String, actual: String)
    case noneUnfinished(kind: String)
    case noneFinished(folder: String)

    package var exitStatus: Files.ExitStatus {
        switch self {
        case .notARun, .noneUnfinished, .noneFinished, .videosGone: .missingInput
        case .otherKind: .usage
        case .changed, .videoChanged, .otherTokens, .otherInGroup, .otherSettings, .otherBackbone: .badConfiguration
        }
    }

    package var description: String {
        switch self {
        case .notARun(let path):
            "\(path.escapedForDisplay): holds no run that can be resumed (there is no run.json). Name the folder that --output of a run named."
        case .otherKind(let path, let kind):
            "\(path.escapedForDisplay): is a \(kind.escapedForDisplay) run; resume it with `vifi-prompt \(kind.escapedForDisplay) --resume`."
        case .changed(let file):
            "\(file.escapedForDisplay): was changed after the run began; a resumed run must end as if it had never stopped. "
                + "Put it back, or start a new run with the changed file."
        case .videoChanged(let path, let list):
            "\(path.escapedForDisplay): this video of the \(list.escapedForDisplay) list has changed since the run began. "
                + "Put it back, or start a new run."
        case .videosGone(let first, let count, let list):
            "\(first.escapedForDisplay): \(count == 1 ? "this video" : "this and \(count - 1) more videos") of the "
                + "\(list.escapedForDisplay) list cannot be found any more. Put back what was moved, or start a new run."
        case .otherTokens:
            "the class names become other tokens than when the run began. Was the vocabulary replaced? "
                + "Put it back, or start a new run."
        case .otherInGroup(let path, let input):
            "\(path.escapedForDisplay): the \(input.escapedForDisplay) differs from that of the first seed, so their mean would be meaningless. "
                + "Put it back, or start all seeds anew with another --output."
        case .otherSettings(let path, let setting):
            "\(path.escapedForDisplay): holds a run with other settings than this group: \(setting.escapedForDisplay). "
                + "Their mean would be meaningless. Move that run away, or choose another --output."
        case .otherBackbone(let path, let expected, let actual):
            "\(path.escapedForDisplay): its SHA-256 over weights is \(actual.prefix(12))…, the run began with \(expected.prefix(12))…. "
                + "Put that backbone back, or start a new run."
        case .noneFinished(let folder):
            "\(folder.escapedForDisplay): holds no finished run in a folder seed1, seed2, …. `learn --seeds 1,2,3` and `plan --emit slurm-array` make such runs."
        case .noneUnfinished(let kind):
            "no unfinished \(kind) run in \(BackboneFinder.runsFolder)/. Name one: `vifi-prompt \(kind) --resume RUN`."
        }
    }
}
