import CLIPModel
import Evaluation
import Experiments
import Files
import Recipes
import Tensors
import Training
import VideoData

/// Which videos a picture shows: a list and its class names, or nothing for those of the newest run.
package struct PictureVideos {
    package var list: String?
    package var labels: String?
    package var videos: VideoInputs

    package init(list: String? = nil, labels: String? = nil, videos: VideoInputs = VideoInputs()) {
        self.list = list
        self.labels = labels
        self.videos = videos
    }
}

/// The test videos that a picture shows, and the model that sees them.
package struct PictureData {
    package let classes: ClassNames
    package let list: AnnotationList
    package let subject: LoadedModel
    package let classifier: CLIPClassifier
    package let loader: ClipLoader

    /// - Parameters:
    ///   - data, model, prompts: with none of them named, the newest run with its own list.
    package init(
        data: PictureVideos, model: ModelInputs, prompts: String?, anyBackbone: Bool, template: String?, pool: WorkerPool, context: RunContext
    ) throws {
        let selection = try Selection(
            prompts: prompts, backbone: model.backbone, namesData: data.list != nil || data.labels != nil, context: context)
        let test = try selection.testList(data.list, labels: data.labels, root: data.videos.root, videos: data.videos, pool: pool)
        (classes, list) = (test.classes, test.list)
        subject = try LoadedModel(
            prompts: selection.prompts, backbone: selection.backbonePath(), vocabulary: model.vocabulary, activation: model.activation,
            anyBackbone: anyBackbone, precision: model.precision, context: context)
        let own = try selection.settings(Recipe())
        subject.warn(ofUnused: template)
        classifier = try subject.classifier(
            classNames: classes.names, template: template ?? own.template, fusion: own.fusion, frameCount: data.videos.frames ?? own.data.frames, pool: pool)
        loader = ClipLoader(
            list: list, reader: VideoFileReader.reporting(context), sampler: FrameSampler(sampleCount: classifier.frameCount), transform: subject.testTransform,
            seed: 1, configuration: data.videos.loading())
    }

    /// Videos that were scored, seen as they were then.
    package init(_ test: TestList, by subject: LoadedModel, as job: EvaluationJob) throws {
        (classes, list) = (test.classes, test.list)
        self.subject = subject
        classifier = try job.classifier(of: subject, classNames: test.classes.names)
        loader = try job.loader(of: test.list, for: subject, frameCount: classifier.frameCount)
    }

    /// Tells of videos that were left out.
    package func tellBadVideos(_ context: RunContext) {
        for bad in loader.badVideos.all { context.warning(.data(.unreadable(bad, .notCounted))) }
    }
}

extension LoadedModel {
    /// The center of each picture, in the pixels that the model is used to.
    package var testTransform: ClipTransform {
        var configuration = ClipTransform.Configuration()
        configuration.normalization = Normalization(normalization)
        return .testing(side: backbone.architecture.imagePixels, configuration)
    }
}
