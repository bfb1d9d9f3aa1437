import CLIPModel
import Evaluation
import Files
import Recipes
import Tensors
import Training
import VideoData

/// How models look at videos and read class names: for `predict` and whatever answers as it does.
package struct VideoModelSettings: Sendable {
    package let settings: Recipe
    /// Stand for none of the classes.
    package let noneTexts: [String]
    /// Words around class names; nil for those of the settings.
    package let template: String?
    package let pool: WorkerPool

    package init(_ settings: Recipe, noneTexts: [String] = [], template: String? = nil, pool: WorkerPool) {
        self.settings = settings
        self.noneTexts = noneTexts
        self.template = template
        self.pool = pool
    }

    fileprivate func words(of subject: LoadedModel) -> String? { template ?? settings.testTemplate(hasPrompts: subject.prompts != nil) }

    /// - Parameters:
    ///   - name: tells it from others in what is printed.
    ///   - classNames: to choose from.
    /// - Throws: `ModelError` for names that the model cannot read, `SettingsError` for too many views.
    package func model(of subject: LoadedModel, name: String, classNames: [String]) throws -> VideoModel {
        let views = settings.evaluation.views ?? .single
        let classifier = try subject.classifier(
            classNames: classNames + noneTexts, template: words(of: subject), fusion: settings.fusion, frameCount: settings.data.frames,
            keepsUnderscores: settings.repeats(.keptUnderscores), rounding: settings.rounding, pool: pool)
        guard views == .single || views.clips * views.crops * classifier.frameCount <= 1024 else {
            throw SettingsError.tooManyViews(views, frames: classifier.frameCount)
        }
        return VideoModel(
            name: name, classNames: classNames, noneCount: noneTexts.count, classifier: classifier, transform: transform(of: subject),
            sampler: settings.sampler(frameCount: classifier.frameCount), viewCount: views.clips,
            drawsViews: views.clips > 1 && settings.repeats(.randomViews), seed: UInt64(settings.training.seed ?? 1))
    }

    /// What becomes of a video's frames before the model sees them.
    package func transform(of subject: LoadedModel) -> ClipTransform {
        var transform = ClipTransform.Configuration()
        settings.apply(to: &transform, own: subject.normalization)
        return .testing(side: subject.backbone.architecture.imagePixels, crops: (settings.evaluation.views ?? .single).crops, transform)
    }
}

extension LoadedModel {
    /// The classes that its head or its prompts were learned with; nil where these name none.
    package var learnedClassNames: [String]? {
        if let head { return head.header.classNames }
        return prompts.flatMap { $0.header.classNames.isEmpty ? nil : $0.header.classNames }
    }
}

/// The models of one `predict`: one backbone, read once, with each of the prompts.
package struct PredictionModels {
    package let models: [VideoModel]
    package let pictures: PictureRules
    /// What answers depend on besides videos: weights, prompts, classes and the words around them.
    package let identity: String
    /// How videos are looked at: all of it, whether a flag, a recipe or the prompts say so.
    package let lookingAtVideos: String

    /// - Parameters:
    ///   - prompts: paths; none for plain CLIP.
    ///   - labels: class lists: none for those of the prompts, one for all, or one for each.
    ///   - noneTexts: stand for none of the classes.
    ///   - descriptions: in place of class names.
    ///   - region: the part of the pictures that is looked at.
    package init(
        settings: Recipe, model: ModelInputs, prompts: [String], labels: [String], noneTexts: [String], template: String?, descriptions: ClassDescriptions? = nil,
        region: ViewedRegion? = nil, anyBackbone: Bool, pool: WorkerPool, context: RunContext
    ) throws {
        if descriptions != nil, !noneTexts.isEmpty { throw DescriptionError.notWith(what: "--none-prompt, which is no class with descriptions") }
        let labels = labels.isEmpty ? settings.data.labels.map { [$0] } ?? [] : labels
        let selection = try Selection(prompts: prompts.first, backbone: settings.model.checkpoint, namesData: !labels.isEmpty, context: context)
        let settings = try selection.settings(settings)
        let first = try LoadedModel(
            prompts: selection.prompts, backbone: selection.backbonePath(), vocabulary: model.vocabulary, activation: model.activation,
            anyBackbone: anyBackbone, precision: model.precision ?? settings.model.precision, context: context)
        let side = first.backbone.architecture.imagePixels
        if let wanted = settings.data.side, wanted != side { throw SettingsError.otherSide(wanted: wanted, backbone: side) }
        let others = try prompts.dropFirst().map { try LoadedModel(prompts: $0, sharing: first, anyBackbone: anyBackbone, context: context) }
        let subjects = try ([first] + others).map { try $0.described(by: descriptions) }
        let look = VideoModelSettings(settings, noneTexts: noneTexts, template: template, pool: pool)
        let lists = try Self.classLists(labels, context)
        var built: [VideoModel] = []
        var parts = ["compat \(Quirk.text(of: settings.compat ?? []))"]
        for (index, subject) in subjects.enumerated() {
            let names = try Self.classNames(of: subject, list: lists.count > 1 ? lists[index] : lists.first, selection, context)
            subject.warn(ofUnused: template)
            built.append(try look.model(of: subject, name: subject.promptPath ?? "", classNames: names))
            parts.append(
                "\(subject.backbone.digest) \(subject.promptsDigest ?? "") \(subject.prompts?.header.fusion.rawValue ?? "") "
                    + "\(settings.fusion?.rawValue ?? "") \(look.words(of: subject) ?? "") \(PrecisionChoice(subject.backbone.precision).rawValue) "
                    + ClassNames(names + noneTexts).digest + " \(noneTexts.count)" + (descriptions.map { " \($0.digest)" } ?? ""))
        }
        models = built
        var pictures = settings.pictures
        pictures.region = region
        self.pictures = pictures
        identity = parts.joined(separator: "\n")
        // Where all of a picture is looked at, no region is named.
        lookingAtVideos = (built.map { model in
            // The seed draws random views, and nothing else here.
            "\(model.transform) \(model.sampler) \(model.viewCount) \(model.drawsViews ? "seed \(model.seed)" : "")"
        } + (region.map { ["region \($0.text)"] } ?? [])).joined(separator: "\n")
    }

    private static func classLists(_ paths: [String], _ context: RunContext) throws -> [ClassNames] {
        try paths.map { path in
            let classes = try ClassNames.read(path)
            for warning in classes.warnings { context.warning(.list(warning)) }
            tellClassFaults(classes, context: context)
            return classes
        }
    }

    private static func classNames(of subject: LoadedModel, list: ClassNames?, _ selection: Selection, _ context: RunContext) throws -> [String] {
        if let list { return list.names }
        if let learned = subject.learnedClassNames { return learned }
        if let own = try selection.run?.classes() { return own.names }
        guard selection.isPocket else { throw SettingsError.noSource }
        context.note(.data(.pocketClasses))
        return PocketCatalog.small().classes.map(\.name)
    }
}
