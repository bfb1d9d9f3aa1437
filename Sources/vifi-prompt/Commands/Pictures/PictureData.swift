import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// The test videos that a picture shows, and the model that sees them.
struct PictureData {
    let classes: ClassNames
    let list: AnnotationList
    let subject: Subject
    let classifier: CLIPClassifier
    let loader: ClipLoader

    /// - Parameters:
    ///   - data, model, prompts: with none of them named, the newest run with its own list.
    init(data: DataOptions, model: ModelOptions, prompts: PromptOptions, template: String?, pool: WorkerPool) throws {
        let selection = try Selection(
            prompts: prompts.prompts, backbone: model.backbone, namesData: data.val != nil || data.labels != nil)
        let test = try selection.testList(val: data.val, labels: data.labels, root: data.root, videos: data.videos, pool: pool)
        (classes, list) = (test.classes, test.list)
        subject = try Subject(
            prompts: selection.prompts, backbone: selection.backbonePath(), vocabulary: model.vocabulary, activation: model.activation,
            anyBackbone: prompts.anyBackbone, precision: model.precision)
        let own = try selection.settings(Recipe())
        subject.warn(ofUnused: template)
        classifier = try subject.classifier(
            classNames: classes.names, template: template ?? own.template, fusion: own.fusion, frameCount: data.frames ?? own.data.frames, pool: pool)
        loader = ClipLoader(
            list: list, reader: data.reader, sampler: FrameSampler(sampleCount: classifier.frameCount), transform: subject.testTransform,
            seed: 1, configuration: data.loading())
    }

    /// Videos that were scored, seen as they were then.
    init(_ test: TestList, by subject: Subject, as job: EvaluationJob) throws {
        (classes, list) = (test.classes, test.list)
        self.subject = subject
        classifier = try job.classifier(of: subject, classNames: test.classes.names)
        loader = try job.loader(of: test.list, for: subject, frameCount: classifier.frameCount)
    }

    /// Tells of videos that were left out.
    func tellBadVideos() {
        for bad in loader.badVideos.all { Console.warning("not counted: \(bad.reason)") }
    }
}

extension Subject {
    /// The center of each picture, in the pixels that the model is used to.
    var testTransform: ClipTransform {
        var configuration = ClipTransform.Configuration()
        configuration.normalization = Normalization(normalization)
        return .testing(side: backbone.architecture.imagePixels, configuration)
    }
}
