import CLIPModel
import Files
import Foundation
import Recipes
import Tensors
import VideoData

extension Activation: Codable {}
extension BadVideoPolicy: Codable {}

/// One run that is asked for: all that decides what it computes, and how it is computed here.
///
/// The command line, `run.json`, `--resume`, seeds, protocols, ablations, plans, ranks and the library pass this value.
package struct RunRequest: Codable, Equatable, Sendable {
    package var kind: RunKind
    /// What is asked for; what it leaves open is filled in by `Settings`.
    package var recipe: Recipe
    /// The part of it that nothing may override, not even prompts to start from: flags, and not what a recipe file says.
    package var asked: Recipe
    package var videos: VideoInputs
    package var model: ModelInputs
    package var memory: MemoryBound
    /// Prompts that learning starts from.
    package var initial: InitialPrompts?
    /// Language prompts only, on features that are computed once.
    package var isQuick = false
    /// A head on features that are computed once, by the name of its method or `auto`; nil for prompts.
    package var method: String?
    /// A head that takes the clips' classes beside its own; nil for a new head.
    package var extended: String?
    /// Of each clip that a head learns from; nil for one.
    package var views: Int?
    /// Whether heads are compared with each class counting alike, however many clips it has.
    package var weighsClassesEqually: Bool?
    /// The edges of the classes' graph, for the head that takes one; nil for nearest texts.
    package var graph: String?
    /// Seconds in which the best is looked for, prompts among it; nil for heads alone.
    package var budget: Double?
    /// What the bridged backbone is called in its file.
    package var backboneName: String?
    /// Whether the bridged backbone is kept in half precision.
    package var keepsHalf = false
    /// Seconds between two checkpoints.
    package var saveInterval: Double
    /// Where relative paths start.
    package var directory: String

    package static let standardSaveInterval = 600.0

    package init(
        _ kind: RunKind, recipe: Recipe, asked: Recipe = Recipe(), videos: VideoInputs = VideoInputs(), model: ModelInputs = ModelInputs(),
        memory: MemoryBound = MemoryBound(), initial: InitialPrompts? = nil, saveInterval: Double = standardSaveInterval,
        directory: String = currentDirectory
    ) {
        self.kind = kind
        self.recipe = recipe
        self.asked = asked
        self.videos = videos
        self.model = model
        self.memory = memory
        self.initial = initial
        self.saveInterval = saveInterval
        self.directory = directory
    }

    /// Language prompts only, on features that are computed once, as `--quick` asks for.
    package mutating func learnQuickly() {
        isQuick = true
        recipe.prompts.visionLayers = PromptLayers.none
        recipe.augmentation.fixedFrames = true
    }

    /// Whether a head is learned, and not prompts.
    package var isAboutHead: Bool { method != nil || extended != nil }

    /// The same run with another seed.
    package func withSeed(_ seed: Int) -> RunRequest {
        var request = self
        request.recipe.training.seed = seed
        return request
    }

    /// The same run with other threads; nil leaves them as they are.
    package func withThreads(_ threads: Int?) -> RunRequest {
        guard let threads else { return self }
        var request = self
        request.model.threads = threads
        return request
    }

    // MARK: Paths

    /// Whether relative paths do not start here.
    package var isElsewhere: Bool { directory != currentDirectory && isDirectory(directory) }

    /// A path of the request as it is written from here.
    package func placed(_ path: String) -> String {
        path.isEmpty || path.hasPrefix("/") || !isElsewhere ? path : directory.appendingPath(path)
    }

    /// The vocabulary as it is written from here.
    package var vocabulary: String? { model.vocabulary.map(placed) }

    package func tellPlace(_ context: RunContext) {
        if isElsewhere { context.note(.data(.paths(from: directory))) }
    }

    // MARK: Comparing

    /// What decides the result, by name. What is left out changes no bit of it: seeds are told apart elsewhere; threads,
    /// memory and the time between checkpoints only change how it is computed.
    private var decisions: [String: String] {
        var result = Dictionary(uniqueKeysWithValues: recipe.settings.map { ($0.key, $0.value) })
        result["training.seed"] = nil
        result["command"] = kind.rawValue
        result["init"] = initial?.path
        result["quick"] = isQuick ? "asked for" : nil
        result["method"] = method
        result["extend"] = extended
        result["views"] = views.map { "\($0)" }
        result["equal-classes"] = weighsClassesEqually == true ? "asked for" : nil
        result["graph"] = graph
        result["budget"] = budget.map { "\($0) s" }
        result["name"] = backboneName
        result["half"] = keepsHalf ? "asked for" : nil
        result["vocabulary"] = model.vocabulary
        result["activation"] = model.activation?.rawValue
        result["follow-links"] = videos.followLinks ? "asked for" : nil
        return result
    }

    /// The first setting, by name, that is not the same in both, with the values it has.
    package func firstDifference(from other: RunRequest) -> String? {
        let (mine, theirs) = (decisions, other.decisions)
        guard let key = Set(mine.keys).union(theirs.keys).sorted().first(where: { mine[$0] != theirs[$0] }) else { return nil }
        return "\(key) (\(mine[key] ?? "not set") in it, \(theirs[key] ?? "not set") in the group)"
    }
}

/// Prompts that learning starts from.
package struct InitialPrompts: Codable, Equatable, Sendable {
    /// Of any form that prompts are read in.
    package var path: String
    /// Whether they may belong to another backbone.
    package var anyBackbone = false

    package init(path: String, anyBackbone: Bool = false) {
        self.path = path
        self.anyBackbone = anyBackbone
    }
}
