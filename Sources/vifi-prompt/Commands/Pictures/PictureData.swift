import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// The test films that a picture shows, and the model that sees them.
struct PictureData {
    let classes: ClassNames
    let list: AnnotationList
    let subject: Subject
    let classifier: VideoClassifier
    let loader: ClipLoader

    /// - Parameters:
    ///   - data: without `--val` the pocket world's small test list.
    ///   - prompts: without prompts and backbone the newest prompts learned here.
    init(data: DataOptions, model: ModelOptions, prompts: PromptOptions, template: String?, pool: WorkerPool) throws {
        let isPocket = data.val == nil
        var (val, labels) = (data.val, data.labels)
        let path = prompts.prompts ?? (isPocket && model.backbone == nil ? BackboneFinder.newestPrompts() : nil)
        if let path, prompts.prompts == nil { Console.note("Prompts: \(path.escapedForDisplay). For your own pass --prompts FILE.") }
        subject = try Subject(
            prompts: path, backbone: model.backbone, vocabulary: model.vocabulary, activation: model.activation,
            anyBackbone: prompts.anyBackbone, precision: model.precision)
        if isPocket {
            let set = try PocketHome.dataSet(.small(), pool: pool)
            val = set.testList
            labels = labels ?? set.labels
            Console.note("This is the pocket world's small test list. For your own films pass --val LIST --labels CSV.")
        }
        guard let val, let labels else { throw SettingsError.incompleteData(missing: ["--labels"]) }
        classes = try ClassNames.read(labels)
        for warning in classes.warnings { Console.warning(warning.description) }
        list = try RunData.list(val, root: data.root, classes: classes, options: data)
        try list.checkFiles(followsLinks: data.followLinks)
        subject.warn(ofUnused: template)
        classifier = try subject.classifier(
            classNames: classes.names, template: template, fusion: nil, frameCount: data.frames, pool: pool)
        loader = ClipLoader(
            list: list, reader: data.reader, sampler: FrameSampler(sampleCount: classifier.frameCount), transform: subject.testTransform,
            seed: 1, configuration: data.loading())
    }

    /// Tells of films that were left out.
    func tellBadVideos() {
        for bad in loader.badVideos.all { Console.warning("not counted: \(bad.reason)") }
    }
}

extension Subject {
    /// The centre of each picture, in the pixels that the model is used to.
    var testTransform: ClipTransform {
        var configuration = ClipTransform.Configuration()
        configuration.normalisation = Normalisation(normalisation)
        return .testing(side: backbone.architecture.imagePixels, configuration)
    }
}
