import Files
import Foundation
import Recipes
import Training
import VideoData

/// The data of a run: lists checked against labels and disk, ready to be loaded.
package struct RunData {
    package let classes: ClassNames
    /// What is learned from, after drawing shots.
    package let train: AnnotationList
    /// What the best epoch is chosen on.
    package let val: AnnotationList?
    /// What is scored once, at the end, with what was chosen.
    package let test: AnnotationList?
    /// SHA-256 over the training list that shots are drawn from.
    package let sourceSHA256: String
    /// What labels stand for where these are captions; there are no classes then, and `val` and `test` hold each video once.
    package var captions: (train: CaptionList, val: CaptionList?, test: CaptionList?)?

    /// - Throws: `DatasetError` naming list and line, before anything is trained.
    package init(settings: Settings, kind: RunKind, options: VideoInputs, resumed: ResumedRun? = nil, context: RunContext) throws {
        if settings.hasCaptions {
            try self.init(captionsOf: settings, kind: kind, options: options, resumed: resumed, context: context)
        } else if let resumed {
            try self.init(resuming: resumed, settings: settings, kind: kind, options: options, context: context)
        } else {
            try self.init(newOf: settings, kind: kind, options: options, context: context)
        }
    }

    /// The lists in the run's folder, checked against the videos that are there now.
    private init(
        resuming run: ResumedRun, settings: Settings, kind: RunKind, options: VideoInputs, context: RunContext
    ) throws {
        if settings.isPocket { _ = try PocketHome.dataSet(kind == .bridge ? .large() : .small(), pool: settings.pool, context: context) }
        let split = run.path.appendingPath("split")
        let classes = try ClassNames.read(split.appendingPath("labels.csv"))
        func list(_ name: String) throws -> AnnotationList? {
            guard let record = run.record.lists[name] else { return nil }
            let list = try AnnotationList.read(split.appendingPath("\(name).txt"), root: run.record.request.placed(record.root), classCount: classes.count)
            try Self.checkUnchanged(list, name: name, split: split, options: options)
            return list
        }
        guard let train = try list("train"), let source = run.record.lists["train"]?.sourceSHA256 else {
            throw RunError.notARun(path: run.path)
        }
        sourceSHA256 = source
        self.classes = classes
        self.train = train
        val = try list("val")
        test = try list("test")
    }

    private init(newOf settings: Settings, kind: RunKind, options: VideoInputs, context: RunContext) throws {
        var recipe = settings.placedRecipe
        if settings.isPocket {
            let catalog: PocketCatalog = kind == .bridge ? .large() : .small()
            let set = try PocketHome.dataSet(catalog, pool: settings.pool, context: context)
            set.apply(to: &recipe)
            context.note(.data(.pocketWorld(folders: [set.root], .learning)))
        }
        let classes = try ClassNames.read(recipe.data.labels ?? "")
        let root = recipe.data.root
        for warning in classes.warnings { context.warning(.list(warning)) }
        self.classes = classes
        let all = try Self.list(recipe.data.train ?? "", root: recipe.data.root, classes: classes, context: context)
        sourceSHA256 = Digest.of(AnnotationList.bytes(of: all.clips))
        if let shots = recipe.training.shots {
            let split = try FewShotSplit(of: all, shotCount: shots, classes: classes, seed: settings.seed)
            for warning in split.warnings { context.warning(.list(warning)) }
            train = AnnotationList(path: all.path, root: all.root, clips: split.clips)
            if !options.allowances.allowRepeats { try train.refuseRepeatedDraws() }
        } else {
            train = all
        }
        try train.checkFiles(followsLinks: options.followLinks)
        // Draws have told which classes are empty.
        if recipe.training.shots == nil { tellClassFaults(classes, train, context: context) } else { tellClassFaults(classes, context: context) }
        func scored(_ path: String) throws -> AnnotationList {
            let list = try Self.list(path, root: root, classes: classes, context: context)
            try list.checkFiles(followsLinks: options.followLinks)
            if let warning = list.emptyClassWarning(classes) { context.warning(.list(warning)) }
            try options.allowances.check(train: all, validation: list, classes: classes, context: context)
            return list
        }
        val = try recipe.data.val.map(scored)
        test = try recipe.data.test.map(scored)
        if !options.allowances.allowSharedVideos {
            for warning in try ListChecks.refuseSharedVideos(among: [val, test].compactMap(\.self)) { context.warning(.list(warning)) }
        }
    }

    /// - Throws: where a video of a run that goes on is gone or another one.
    private static func checkUnchanged(_ list: AnnotationList, name: String, split: String, options: VideoInputs) throws {
        do {
            try list.checkFiles(followsLinks: options.followLinks)
        } catch {
            // Paths and lists are the run's own here: the usual remedies would break it.
            guard case .missingFiles(let first, let count, _, let root) = error.problem else { throw error }
            throw RunError.videosGone(first: root.appendingPath(first.first ?? ""), count: count, list: name)
        }
        let before = split.appendingPath(RunDirectory.marksName(list: name))
        let marks = String(decoding: try InputFile.contents(of: before, limit: 1 << 30), as: UTF8.self)
        if let video = VideoMarks(of: list).firstDifference(from: marks) {
            throw RunError.videoChanged(path: list.root.appendingPath(video), list: name)
        }
    }

    /// Captions of videos, new or of a run that goes on.
    private init(
        captionsOf settings: Settings, kind: RunKind, options: VideoInputs, resumed: ResumedRun?, context: RunContext
    ) throws {
        let given = settings.placedRecipe.data
        var paths = (train: given.captions, val: given.valCaptions, test: given.testCaptions)
        if settings.isPocket {
            let set = try PocketHome.captionedSet(kind == .bridge ? .large() : .small(), pool: settings.pool, context: context)
            paths = (set.trainCaptions, paths.val ?? set.validationCaptions, paths.test ?? set.testCaptions)
            if resumed == nil {
                context.note(.data(.pocketWorld(folders: [set.root], .learningCaptions)))
            }
        }
        func list(_ name: String, _ given: String?) throws -> CaptionList? {
            if let resumed {
                guard let record = resumed.record.lists[name] else { return nil }
                let split = resumed.path.appendingPath("split")
                let list = try CaptionList.read(split.appendingPath("\(name).csv"), root: resumed.record.request.placed(record.root))
                try Self.checkUnchanged(list.videoList, name: name, split: split, options: options)
                return list
            }
            guard let given else { return nil }
            let list = try CaptionList.read(given, root: settings.placedRecipe.data.root)
            for warning in list.warnings { context.warning(.list(warning)) }
            try list.videoList.checkFiles(followsLinks: options.followLinks)
            return list
        }
        guard let train = try list("train", paths.train) else { throw RunError.notARun(path: resumed?.path ?? "") }
        let val = try list("val", paths.val)
        let test = try list("test", paths.test)
        if resumed == nil, !options.allowances.allowSharedVideos {
            try ListChecks.refuseSharedVideos(among: [train, val, test].compactMap { $0?.videoList })
        }
        captions = (train, val, test)
        classes = ClassNames([])
        self.train = train.pairs
        self.val = val?.videoList
        self.test = test?.videoList
        sourceSHA256 = Digest.of(train.bytes)
    }

    package static func list(_ path: String, root: String?, classes: ClassNames, context: RunContext) throws -> AnnotationList {
        let list = try AnnotationList.read(path, root: root, classes: classes)
        for warning in list.warnings { context.warning(.list(warning)) }
        return list
    }
}
