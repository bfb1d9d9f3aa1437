import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

/// A test list with its class names, checked against the disk.
package struct TestList {
    package let list: AnnotationList
    package let classes: ClassNames
    /// Of the list's file.
    package let sha256: String
    /// The numbers that these classes have in the list, where they are only some of its classes.
    package var numbersInList: [Int]?

    /// - Throws: `DatasetError` naming file and line, before anything is scored.
    package init(_ path: String, labels: String, videos: VideoInputs, root: String?, context: RunContext) throws {
        try self.init(path, classes: ClassNames.readTold(labels, context: context), videos: videos, root: root, context: context)
    }

    package init(_ path: String, classes: ClassNames, videos: VideoInputs, root: String?, context: RunContext) throws {
        let list = try AnnotationList.read(path, root: root, classes: classes)
        for warning in list.warnings { context.warning(.list(warning)) }
        tellClassFaults(classes, list, context: context)
        try list.checkFiles(followsLinks: videos.followLinks)
        self.init(list: list, classes: classes, sha256: try Digest.ofFile(path))
    }

    /// - Parameter sha256: of the file that the list is kept in.
    package init(list: AnnotationList, classes: ClassNames, sha256: String) {
        self.list = list
        self.classes = classes
        self.sha256 = sha256
    }
}

extension TestList {
    /// - Throws: `repeatedList` where two lists name the same clips, in any order, under the same classes.
    package static func refuseRepeats(_ lists: [TestList]) throws(DatasetError) {
        var seen: [String: String] = [:]
        for test in lists {
            let lines = test.list.clips.map { "\($0.label) \(test.list.fullName($0))" }.sortedBytewise().joined(separator: "\n")
            let key = Digest.of("\(test.classes.digest)\n\(resolvedPath(test.list.root) ?? "")\n\(lines)")
            if let first = seen[key] { throw DatasetError(path: test.list.path, problem: .repeatedList(first: first)) }
            seen[key] = test.list.path
        }
    }
}

extension ClassNames {
    /// Reads class names and says what is odd about them.
    package static func readTold(_ path: String, context: RunContext) throws -> ClassNames {
        let classes = try read(path)
        for warning in classes.warnings { context.warning(.list(warning)) }
        return classes
    }
}

/// Scores test lists: the same models, videos and settings for every `evaluate` command.
package struct EvaluationJob {
    /// What the evaluation is part of, as it is recorded: `list`, `zero-shot`, ….
    package let evaluationProtocol: String
    /// Flags over a recipe: frames, fusion, views, template, faults to repeat.
    package let settings: Recipe
    package let videos: VideoInputs
    package let model: ModelInputs
    package var anyBackbone = false
    /// Words around class names that the command line asks for: these go over everything.
    package var template: String?
    /// Of classes, in place of names with words around them.
    package var descriptions: ClassDescriptions?
    /// Where neither settings nor prompts say it; the pocket world's CLIP has its own number.
    package var defaultFrames: Int?
    package let pool: WorkerPool
    package let context: RunContext

    package init(
        evaluationProtocol: String, settings: Recipe, videos: VideoInputs, model: ModelInputs, anyBackbone: Bool = false,
        template: String? = nil, defaultFrames: Int? = nil, pool: WorkerPool, context: RunContext
    ) {
        self.evaluationProtocol = evaluationProtocol
        self.settings = settings
        self.videos = videos
        self.model = model
        self.anyBackbone = anyBackbone
        self.template = template
        self.defaultFrames = defaultFrames
        self.pool = pool
        self.context = context
    }

    package struct Result {
        package let record: EvaluationRecord
        package let metrics: ClassificationMetrics
        package let predictions: [Prediction]
        package let classes: ClassNames

        package func write(to folder: String) throws {
            try EvaluationFolder(folder).write(record, metrics: metrics, predictions: predictions, classes: classes)
        }
    }

    /// A backbone with or without prompts, checked to belong together.
    ///
    /// - Parameters:
    ///   - prompts: nil for a backbone as it is.
    ///   - backbone: nil for the settings', else the one that the prompts belong to.
    package func subject(prompts: String?, backbone: String? = nil) throws -> LoadedModel {
        let subject = try LoadedModel(
            prompts: prompts, backbone: backbone ?? settings.model.checkpoint, vocabulary: model.vocabulary,
            activation: model.activation, anyBackbone: anyBackbone, precision: model.precision ?? settings.model.precision,
            context: context)
        let side = subject.backbone.architecture.imagePixels
        if let wanted = settings.data.side, wanted != side { throw SettingsError.otherSide(wanted: wanted, backbone: side) }
        return try subject.described(by: descriptions)
    }

    package var views: Views { settings.evaluation.views ?? .single }

    /// Frames of a clip.
    package func frameCount(of subject: LoadedModel) -> Int {
        subject.frameCount(asked: settings.data.frames, standard: defaultFrames ?? Recipe.Data.standardFrames)
    }

    /// Words around class names; nil where text prompts are learned or descriptions stand for names.
    package func template(of subject: LoadedModel) -> String? {
        if subject.descriptions != nil { return nil }
        if subject.prompts?.header.bringsWords == true { return nil }
        return template ?? settings.testTemplate(hasPrompts: subject.prompts != nil) ?? subject.prompts?.header.template
            ?? "a photo of a {}."
    }

    /// Scores every video of a list.
    ///
    /// - Throws: `EvaluationStopped` after a signal, where signals only ask.
    package func evaluate(_ test: TestList, with subject: LoadedModel, title: String) throws -> Result {
        let frames = frameCount(of: subject)
        let words = template(of: subject)
        let classifier = try classifier(of: subject, classNames: test.classes.names)
        try subject.tellDifferences(of: test.classes, list: test.list.path, context: context)
        let loader = try loader(of: test.list, for: subject, frameCount: frames)
        let clock = ContinuousClock()
        let start = clock.now
        let (predictions, unreadable) = looksAtMeans(subject)
            ? try scoredByMeans(test.list, with: subject, classifier, title: title) : try scored(loader, classifier, title: title)
        for bad in unreadable { context.warning(.data(.unreadable(bad, .notCounted))) }
        let metrics = ClassificationMetrics(predictions: predictions, classNames: test.classes.names)
        let record = EvaluationRecord(
            evaluationProtocol: evaluationProtocol, list: test.list.path, root: test.list.root, listSha256: test.sha256,
            classListSha256: test.classes.digest, listed: test.list.clips.count, unreadable: unreadable.map(\.name),
            model: .init(
                backbone: subject.backbone.description.name, backboneSha256: subject.backbone.digest, prompts: subject.promptPath,
                promptsSha256: subject.promptsDigest),
            setting: .init(
                template: words, frames: frames, views: views.text,
                fusion: (settings.fusion ?? subject.prompts?.header.fusion ?? .embedding).rawValue,
                normalization: settings.normalization(insteadOf: subject.normalization).name,
                precision: PrecisionChoice(subject.backbone.precision).rawValue, compat: Quirk.text(of: settings.compat ?? []),
                seed: loader.seed, descriptionsSha256: subject.descriptions?.digest, match: subject.descriptions?.match.rawValue),
            metrics: metrics, classSubset: test.numbersInList.map { zip($0, test.classes.names).map { .init(label: $0, name: $1) } }, seconds: (clock.now - start) / .seconds(1),
            version: vifiPromptVersion)
        return Result(record: record, metrics: metrics, predictions: predictions, classes: test.classes)
    }

    private func scored(_ loader: ClipLoader, _ classifier: CLIPClassifier, title: String) throws -> ([Prediction], [BadVideo]) {
        let progress = context.progress(title, total: loader.list.clips.count, unit: "videos")
        defer { progress.finish() }
        let predictions = try Evaluator(classifier).predictions(of: loader) { done in
            progress.show(done)
            if context.isCancelled { throw EvaluationStopped() }
        }
        return (predictions, loader.badVideos.all)
    }

    /// Whether the mean of a clip's features, which the feature cache keeps, is all that the model looks at.
    private func looksAtMeans(_ subject: LoadedModel) -> Bool {
        subject.prompts == nil && subject.backbone.architecture.crossFrame == nil && subject.head?.prompts == nil && subject.descriptions?.match != .transport && views == .single && (settings.fusion ?? .embedding) == .embedding
            && (settings.data.onBadVideo ?? videos.badVideoPolicy) != .replace
    }

    /// The same as from pixels, which are looked at where the feature cache has nothing of them.
    private func scoredByMeans(
        _ list: AnnotationList, with subject: LoadedModel, _ classifier: CLIPClassifier, title: String
    ) throws -> ([Prediction], [BadVideo]) {
        let features = try FeaturePass(FeatureSource(self, of: subject)).features(of: list, title: title)
        let means = subject.head?.head.projection.map { features.vectors.projected(through: $0) } ?? features.vectors.projected
        return (try Evaluator(classifier).predictions(of: list, at: features.clips, means: means), features.unreadable)
    }

    package func classifier(of subject: LoadedModel, classNames: [String]) throws -> CLIPClassifier {
        try subject.classifier(
            classNames: classNames, template: template(of: subject), fusion: settings.fusion, frameCount: frameCount(of: subject),
            keepsUnderscores: settings.repeats(.keptUnderscores), rounding: settings.rounding, pool: pool)
    }

    /// How pictures become what the model sees.
    package func transform(for subject: LoadedModel) -> ClipTransform {
        var transform = ClipTransform.Configuration()
        settings.apply(to: &transform, own: subject.normalization)
        return .testing(side: subject.backbone.architecture.imagePixels, crops: views.crops, transform)
    }

    /// Test clips in the order of their list.
    package func loader(of list: AnnotationList, for subject: LoadedModel, frameCount: Int) throws -> ClipLoader {
        // All views of a video are in memory together: at 224 pixels these are 0.6 GB.
        guard views == .single || views.clips * views.crops * frameCount <= 1024 else {
            throw SettingsError.tooManyViews(views, frames: frameCount)
        }
        var loading = videos.loading(badVideoPolicy: settings.data.onBadVideo)
        settings.apply(toTests: &loading)
        return ClipLoader(
            list: list, reader: VideoFileReader.reporting(context).following(settings.pictures), sampler: settings.sampler(frameCount: frameCount),
            transform: transform(for: subject),
            seed: UInt64(settings.training.seed ?? 1), configuration: loading)
    }
}

/// A signal asked for the end while a list was scored.
package struct EvaluationStopped: Error {}

extension EvaluationRecord {
    /// The settings that it was made with, for one view of each video.
    package func settings() throws -> Recipe {
        var recipe = Recipe()
        recipe.template = setting.template
        recipe.data.frames = setting.frames
        recipe.fusion = Fusion(rawValue: setting.fusion)
        recipe.model.normalization = Recipe.Normalization(rawValue: setting.normalization)
        recipe.model.precision = PrecisionChoice(rawValue: setting.precision).map(\.wherePossible) ?? .fp32
        recipe.training.seed = Int(exactly: setting.seed)
        recipe.data.onBadVideo = .skip
        if !setting.compat.isEmpty { try recipe.set("compat=\(setting.compat)", source: "compat") }
        return recipe
    }
}
