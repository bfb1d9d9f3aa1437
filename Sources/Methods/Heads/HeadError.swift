import Files

/// Why a head cannot be learned from examples, or cannot score features.
package enum HeadError: ReportableError, Equatable {
    case noExamples
    /// A number of `what` that is NaN or infinite.
    case notNumbers(what: String, row: Int)
    /// A vector that has no direction.
    case zeroLength(what: String, row: Int)
    case sizes(what: String, found: Int, needed: Int)
    case label(Int, row: Int, classCount: Int)
    /// Rows that are said to be views of one clip, with different labels.
    case clipLabels(clip: Int, first: Int, second: Int)
    case classWithoutClips(label: Int, head: HeadKind)
    /// Leaving out the only clip of a class leaves nothing to learn the class from.
    case oneClip(label: Int, head: HeadKind)
    case needsUnprojected(head: HeadKind)
    case noLeaveOneOut(head: HeadKind)
    /// Classes cannot be added without the clips of all.
    case notExtendable(head: HeadKind)
    case setting(name: String, value: String, head: HeadKind)
    /// Settings, as they are stored, that cannot be read.
    case unreadableSettings(head: HeadKind, reason: String)
    /// A line of a graph's edges.
    case edge(line: Int, text: String)
    case missingTensor(name: String, head: HeadKind)
    case tensorShape(name: String, found: [Int], needed: [Int], head: HeadKind)
    /// - Parameter step: 0 where it shows in what was learned, not in a loss.
    case diverged(head: HeadKind, step: Int)
    case cancelled(head: HeadKind, step: Int, stepCount: Int)

    package var exitStatus: ExitStatus {
        switch self {
        case .noExamples, .notNumbers, .zeroLength, .sizes, .label, .clipLabels, .classWithoutClips, .oneClip: .badData
        case .needsUnprojected, .edge, .missingTensor, .tensorShape, .unreadableSettings: .badData
        case .noLeaveOneOut, .notExtendable, .setting, .diverged: .badConfiguration
        case .cancelled: .interrupted
        }
    }

    package var description: String {
        switch self {
        case .noExamples:
            "there are no clips to learn from."
        case .notNumbers(let what, let row):
            "row \(row + 1) of \(what) holds NaN or infinite numbers. Use a sound backbone."
        case .zeroLength(let what, let row):
            "row \(row + 1) of \(what) is zero, so it has no direction. Use a sound backbone."
        case .sizes(let what, let found, let needed):
            "\(what): \(found), but \(needed) are needed. Compute all features with one backbone and one list."
        case .label(let label, let row, let classCount):
            "row \(row + 1) has the label \(label), but there are \(classCount) classes, counted from 0."
        case .clipLabels(let clip, let first, let second):
            "two views of clip \(clip) have different labels, \(first) and \(second)."
        case .classWithoutClips(let label, let head):
            "class \(label) has no clips, but \(head.rawValue) learns every class from clips. Add clips of it, or use "
                + "\(HeadKind.allCases.filter(\.scoresClassesWithoutClips).map(\.rawValue).joined(separator: ", "))."
        case .oneClip(let label, let head):
            "class \(label) has one clip only, so \(head.rawValue) cannot be tried on a clip that it has not seen. Add a clip of it."
        case .needsUnprojected(let head):
            "\(head.rawValue) needs the features from before the projection, and the projection. Compute the features anew with both."
        case .noLeaveOneOut(let head):
            "\(head.rawValue) has no exact leave-one-out form. Use folds, or one of "
                + "\(HeadKind.allCases.filter(\.hasExactLeaveOneOut).map(\.rawValue).joined(separator: ", "))."
        case .notExtendable(let head):
            "\(head.rawValue) in this file cannot take more classes without the clips of the others. Learn it anew from the clips of all "
                + "classes: the features of those that were seen before are in the cache. Heads that take more classes: "
                + "\(HeadKind.allCases.filter(\.isExtendable).map(\.rawValue).joined(separator: ", "))."
        case .setting(let name, let value, let head):
            "the setting \(name) of \(head.rawValue) cannot be \(value.escapedForDisplay)."
        case .unreadableSettings(let head, let reason):
            "the settings of \(head.rawValue) cannot be read: \(reason.escapedForDisplay)"
        case .edge(let line, let text):
            "line \(line) of the graph, \"\(text.escapedForDisplay)\", does not name two of the classes. Write an edge a line: two class "
                + "names with a tab between them."
        case .missingTensor(let name, let head):
            "the tensor \"\(name)\" of \(head.rawValue) is missing. Learn the head again."
        case .tensorShape(let name, let found, let needed, let head):
            "the tensor \"\(name)\" of \(head.rawValue) is \(found), but must be \(needed). Learn the head again."
        case .diverged(let head, let step):
            "\(step > 0 ? "the loss of \(head.rawValue) is NaN or infinite at step \(step)" : "\(head.rawValue) holds NaN or infinite numbers"): "
                + "training has diverged. Lower its learning rate."
        case .cancelled(let head, let step, let stepCount):
            "stopped on request at step \(step) of \(stepCount) of \(head.rawValue). Nothing was saved."
        }
    }
}
