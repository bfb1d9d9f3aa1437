import Files
import VideoData

/// What is said of the videos and classes that are taken.
package enum DataNote: Sendable, Equatable, CustomStringConvertible {
    case pocketWorld(folders: [String], PocketUse)
    case drawingPocketVideos(count: Int, set: String, folder: String)
    case pocketTestList
    case pocketClasses
    case classesOfPrompts(path: String)
    /// The same tokens as the names of a prompt file, in other words.
    case namesDiffer(prompts: String, first: NamePair?)
    /// Where relative paths start that do not start here.
    case paths(from: String)

    /// What the pocket world's videos stand in for.
    package enum PocketUse: Sendable, Equatable {
        case learning, learningCaptions, scoring, learningAndScoring, retrieval
    }

    /// The name of a class in two places.
    package struct NamePair: Sendable, Equatable {
        package let here: String
        package let there: String
    }

    package var description: String {
        switch self {
        case .pocketWorld(let folders, let use):
            "This is the pocket world: drawn videos in \(folders.joined(separator: " and ")). For your own" + use.remedy
        case .drawingPocketVideos(let count, let set, let folder): "Drawing the \(count) videos of \(set) into \(folder)"
        case .pocketTestList: "This is the pocket world's small test list. For your own videos pass --test LIST --labels CSV."
        case .pocketClasses: "Classes: the pocket world's small set. For your own pass --labels CSV."
        case .classesOfPrompts(let path): "Classes: those of \(path.escapedForDisplay). For others pass --labels."
        case .namesDiffer(let prompts, let first):
            "class names are written otherwise than in \(prompts.escapedForDisplay)"
                + (first.map { ", such as '\($0.here.escapedForDisplay)' for '\($0.there.escapedForDisplay)'" } ?? "") + "; their tokens are the same."
        case .paths(let folder): "Paths are taken from \(folder.escapedForDisplay), where the run was started."
        }
    }
}

extension DataNote.PocketUse {
    /// Behind "For your own".
    fileprivate var remedy: String {
        switch self {
        case .learning:
            ", pass --train LIST --labels CSV --backbone FILE, with --val LIST to choose the best epoch on and --test LIST to score at the end."
        case .learningCaptions: ", pass --captions LIST and --backbone FILE."
        case .scoring: " pass --test LIST --labels CSV --backbone FILE."
        case .learningAndScoring: " pass --train LIST --test LIST --labels CSV --backbone FILE."
        case .retrieval: " pass --train-captions LIST --captions LIST --backbone FILE."
        }
    }
}

/// What is odd about videos, classes and texts.
package enum DataWarning: Sendable, Equatable, CustomStringConvertible {
    case video(path: String, VideoWarning)
    /// No more videos are named.
    case moreOddVideos
    case unreadable(BadVideo, Consequence)
    case closedFolder(path: String)
    case equalTokens(first: Class, second: Class)
    /// The classes of a prompt file in another order; `label` is the first that differs.
    case otherOrder(prompts: String, label: Int, names: DataNote.NamePair, list: String)
    case captionsCut(list: String, count: Int, total: Int, tokenLimit: Int)
    case descriptionsCut(count: Int, tokenLimit: Int)
    /// A text that is searched for.
    case queryCut(tokenLimit: Int)
    case noFrameRate(path: String, taken: Int)

    /// What becomes of a video that cannot be read.
    package enum Consequence: Sendable, Equatable {
        case notUsed, notCounted, notEmbedded
    }

    package struct Class: Sendable, Equatable {
        package let label: Int
        package let name: String
    }

    package var description: String {
        switch self {
        case .video(let path, let warning): "\(path.escapedForDisplay): \(warning)"
        case .moreOddVideos: "more videos are like these; they are not named. `vifi-prompt data check` names all damaged ones."
        case .unreadable(let video, .notUsed): "not used: \(video.reason)"
        case .unreadable(let video, .notCounted): "not counted: \(video.reason)"
        case .unreadable(let video, .notEmbedded): "not in it: \(video.reason)"
        case .closedFolder(let path): "\(path.escapedForDisplay): may not be read; its videos are passed over"
        case .equalTokens(let first, let second):
            "classes \(first.label) '\(first.name.escapedForDisplay)' and \(second.label) '\(second.name.escapedForDisplay)' become the same tokens: "
                + "no model can tell them apart. Reword one of them."
        case .otherOrder(let prompts, let label, let names, let list):
            "the classes are those of \(prompts.escapedForDisplay) in another order: class \(label) is "
                + "'\(names.here.escapedForDisplay)' here and '\(names.there.escapedForDisplay)' there. If \(list.escapedForDisplay) "
                + "is numbered as there, every answer is counted wrongly; leave --labels out to take the names of the prompts."
        case .captionsCut(let list, let count, let total, let tokenLimit):
            "\(list.escapedForDisplay): \(count) of \(counted(total, "caption", "captions")) \(count == 1 ? "has" : "have") more than "
                + "\(tokenLimit) tokens and \(count == 1 ? "loses its end" : "lose their end")."
        case .descriptionsCut(let count, let tokenLimit):
            "\(counted(count, "description", "descriptions")) of more than \(tokenLimit) tokens \(count == 1 ? "loses its" : "lose their") end."
        case .queryCut(let tokenLimit): "the text is longer than \(tokenLimit) tokens; its end is not read."
        case .noFrameRate(let path, let taken): "\(path.escapedForDisplay): says no frame rate; \(taken) a second are taken."
        }
    }
}

/// What is said of features that are kept on disk.
package enum FeatureNote: Sendable, Equatable, CustomStringConvertible {
    case lockedByOther(folder: String)
    case cached(count: Int, of: Int)
    case cachedVideos(count: Int, of: Int)

    package var description: String {
        switch self {
        case .lockedByOther(let folder):
            "Another process writes features to \(folder.escapedForDisplay): those that are there are used, new ones are not kept."
        case .cached(let count, let total): "\(count) of \(total) features are in the cache."
        case .cachedVideos(let count, let total): "\(count) of \(total) videos are in the cache."
        }
    }
}

/// Why features have to be computed again another time.
package enum FeatureWarning: Sendable, Equatable, CustomStringConvertible {
    /// - Parameter reason: of the file system, in an error's words; so in the next ones.
    case notKept(reason: String)
    case notKeptAnyMore(reason: String)
    case perhapsNotKept(reason: String)

    package var description: String {
        switch self {
        case .notKept(let reason): "features are not kept: \(reason)"
        case .notKeptAnyMore(let reason): "features are not kept any more: \(reason)"
        case .perhapsNotKept(let reason): "features may not be kept: \(reason)"
        }
    }
}
