import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import VideoData

/// The model, and whose lists and labels go with it, where a command line names one, or nothing.
///
/// With nothing named it is the newest run with its own lists. As soon as a model or data are named, nothing comes from
/// another run or from the pocket world.
package struct Selection {
    package let prompts: String?
    package let backbone: String?
    /// The run that the model is of: its own lists and labels are meant where none are named.
    package let run: KeptRun?
    /// Nothing was named and nothing was learned here.
    package let isPocket: Bool
    private let context: RunContext

    /// - Parameters:
    ///   - namesData: lists or labels are named.
    ///   - captions: whether the command is about captions instead of classes.
    ///   - needsPrompts: a backbone alone is no model for it.
    ///   - without: take the backbone alone, where there are prompts.
    ///   - newest: with nothing named, take the newest run; else the pocket world.
    package init(
        prompts: String?, backbone: String?, namesData: Bool, captions: Bool = false, needsPrompts: Bool = false, without isZeroShot: Bool = false,
        newest takesNewest: Bool = true, context: RunContext
    ) throws(UnnamedError) {
        self.context = context
        if prompts != nil || backbone != nil && !needsPrompts {
            (self.prompts, self.backbone, isPocket) = (prompts, backbone, false)
            run = namesData ? nil : (prompts ?? backbone).flatMap(KeptRun.holding)
            return
        }
        guard !namesData, backbone == nil else { throw .noModel(needsPrompts: needsPrompts) }
        guard takesNewest, let newest = KeptRun.newest(captions: captions, hasPrompts: needsPrompts) else {
            (self.prompts, self.backbone, run, isPocket) = (nil, nil, nil, true)
            return
        }
        self.prompts = isZeroShot ? nil : newest.prompts
        // A run of `learn` names the backbone that its prompts belong to; what a method of `bridge` keeps beside its backbone belongs to that.
        self.backbone = newest.prompts == nil ? newest.bridged : isZeroShot ? newest.bridged ?? newest.recordedBackbone : nil
        if self.prompts == nil, self.backbone == nil { throw .noModel(needsPrompts: false) }
        (run, isPocket) = (newest, false)
        context.note(.model(.newestRun(path: self.prompts ?? self.backbone ?? "", withClassNames: !captions)))
    }

    /// The prompts or the backbone, else the pocket world's bridged CLIP.
    package func backbonePath() throws -> String? {
        guard isPocket else { return backbone }
        let bridged = try BackboneFinder.bridgedBackbone()
        context.note(.model(.pocketBackbone(path: bridged)))
        return bridged
    }

    /// What the command line says, over how the run looked at videos.
    package func settings(_ given: Recipe) throws -> Recipe {
        // Prompts say themselves how they look at videos.
        guard prompts == nil, let run else { return given }
        return given.merged(over: try run.settings())
    }

    /// The list to score: the one that is named, else the run's own, else, with nothing named, the pocket world's.
    ///
    /// - Parameter list: `pocket` for that of the pocket world.
    package func testList(_ list: String?, labels: String?, root: String?, videos: VideoInputs, pool: WorkerPool) throws -> TestList {
        if list == PocketHome.name && !fileExists(PocketHome.name) || isPocket {
            let set = try PocketHome.dataSet(.small(), pool: pool, context: context)
            context.note(.data(.pocketTestList))
            return try TestList(set.testList, labels: labels ?? set.labels, videos: videos, root: nil, context: context)
        }
        if list == nil, labels == nil {
            guard let run else { throw UnnamedError.noVideos }
            return try run.testList(videos: videos, pool: pool, context: context)
        }
        guard let list else { throw SettingsError.incompleteData(missing: ["--test"]) }
        guard let labels else {
            // Prompts know the classes that they were learned for.
            guard let names = try EvaluationJob.learnedNames(prompts, context: context) else { throw SettingsError.incompleteData(missing: ["--labels"]) }
            return try TestList(list, classes: names, videos: videos, root: root, context: context)
        }
        return try TestList(list, labels: labels, videos: videos, root: root, context: context)
    }
}

/// What nobody named, where nothing may stand in for it.
package enum UnnamedError: ReportableError, Equatable {
    case noModel(needsPrompts: Bool)
    case noVideos
    case noCaptions
    case noList(run: String, name: String)

    package var exitStatus: ExitStatus {
        .usage
    }

    package var description: String {
        switch self {
        case .noModel(let needsPrompts):
            "no model is named. Pass --prompts FILE" + (needsPrompts ? "" : " or --backbone FILE")
                + ": where data or a part of a model are named, nothing is taken from a run or from the pocket world."
        case .noVideos:
            "no videos are named. Pass --test LIST --labels CSV, or --test pocket for the pocket world's: where a model is named, its videos are not guessed."
        case .noCaptions:
            "no captions are named. Pass --captions LIST, or --captions pocket for the pocket world's: where a model is named, its videos are not guessed."
        case .noList(let run, let name):
            "\(run.escapedForDisplay): this run has no \(name == "test" ? "test list" : "training list") of its own. Pass "
                + "\(name == "test" ? "--test LIST" : "LIST") --labels CSV with the model."
        }
    }
}
