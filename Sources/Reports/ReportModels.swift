import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Tensors
import Training
import VideoData

/// Pictures for which the model of an evaluation is asked again.
package struct ReportModels {
    package let material: ReportMaterial
    package let model: ModelInputs
    package let pool: WorkerPool
    package let context: RunContext

    package init(material: ReportMaterial, model: ModelInputs, pool: WorkerPool, context: RunContext) {
        self.material = material
        self.model = model
        self.pool = pool
        self.context = context
    }

    /// Embedded pictures that lie in the folders already.
    private static let pictureLimit = 24
    /// Evaluations whose videos are laid out anew.
    private static let layoutLimit = 3

    // MARK: Attention

    /// - Parameter videos: whose maps are drawn now.
    package func attention(of videos: [ReportVideos.WorstVideo]) throws -> ReportSection {
        var blocks = try drawn(videos)
        for picture in material.attention.prefix(Self.pictureLimit) {
            blocks.append(
                ReportPage.figure(
                    try ReportFiles.png(picture.path), type: "image/png", words: "Attention maps, \(picture.name)", caption: picture.name, kind: "strip"))
        }
        if material.attention.count > Self.pictureLimit {
            blocks.append(.paragraph("The first \(Self.pictureLimit) of \(material.attention.count) pictures of attention are shown.", "note"))
        }
        return ReportSection("Attention maps", blocks)
    }

    private func drawn(_ videos: [ReportVideos.WorstVideo]) throws -> [HTML] {
        var blocks: [HTML] = []
        var models: [Bytewise: (LoadedModel, EvaluationJob, CLIPClassifier)] = [:]
        for entry in videos {
            let evaluation = entry.evaluation
            let video = entry.video
            let path = evaluation.videoPath(video.video)
            guard fileExists(path) else {
                blocks.append(.paragraph("\(video.name): the video is not there any more, so no map of it can be drawn.", "note"))
                continue
            }
            let (subject, job, classifier) = try models[evaluation.path] ?? model(of: evaluation)
            models[evaluation.path] = (subject, job, classifier)
            let transform = job.transform(for: subject)
            let names = evaluation.classes.map(\.name)
            let views = [video.predicted, video.label].map { label in
                AttentionModel(
                    title: subject.backbone.displayName + (subject.prompts == nil ? "" : " with prompts"), classifier: classifier,
                    transform: transform, names: names, label: label, blocks: classifier.blockCount - 1, kind: .relevance, isByBlock: false)
            }
            do {
                let reading = try SampledVideo(
                    path: path, part: video.part, frameCount: classifier.frameCount, transforms: [transform],
                    sampler: job.settings.sampler(frameCount: classifier.frameCount))
                let strip = reading.strip(of: try views.map { try $0.look(at: reading.clips[0], of: reading.size) })
                blocks.append(
                    ReportPage.figure(
                        try strip.png(), type: "image/png", words: "Relevance of places in \(video.name)",
                        caption: "\(video.name): relevance in the last block for the class that it was taken for, \"\(video.predictedClass)\", and below for the "
                            + "true one, \"\(video.class)\".", kind: "strip"))
            } catch let error as VideoError {
                blocks.append(.paragraph("\(video.name): \(error.description)", "note"))
            }
        }
        return blocks
    }

    /// The model of an evaluation, its settings and its classifier.
    private func model(of evaluation: ReportEvaluation) throws -> (LoadedModel, EvaluationJob, CLIPClassifier) {
        guard !evaluation.classes.isEmpty else { throw FileError(path: evaluation.path.appendingPath(EvaluationFolder.perClassName), problem: .missing) }
        let (subject, job) = try subject(of: evaluation)
        return (subject, job, try job.classifier(of: subject, classNames: evaluation.classes.map(\.name)))
    }

    /// The model that an evaluation was made with, or an error: another one would explain nothing.
    private func subject(of evaluation: ReportEvaluation) throws -> (LoadedModel, EvaluationJob) {
        let record = evaluation.record.model
        // The evaluation has seen these videos, wherever they lie.
        let videos = VideoInputs(followLinks: true)
        let job = EvaluationJob(
            evaluationProtocol: evaluation.record.evaluationProtocol, settings: try evaluation.record.settings(), videos: videos, model: model,
            template: evaluation.record.setting.template, pool: pool, context: context)
        let missing = ReportError.noBackbone(evaluation: evaluation.path, name: record.backbone, digest: record.backboneSha256)
        if let path = record.prompts {
            guard fileExists(path) else { throw FileError(path: path, problem: .missing) }
            let subject = try job.subject(prompts: path, backbone: model.backbone)
            guard subject.backbone.isNamed(by: record.backboneSha256, weights: nil) else { throw missing }
            guard subject.prompts?.useDigest == record.promptsSha256 else { throw ReportError.otherPrompts(path: path, evaluation: evaluation.path) }
            return (subject, job)
        }
        let runs = material.runs.compactMap { KeptRun($0.path) }.flatMap { [$0.bridged, $0.recordedBackbone].compactMap(\.self) }
        let candidates = try model.backbone.map { [$0] } ?? runs + [BackboneFinder.bridgedBackbone(), BackboneFinder.imageBackbone()]
        for path in candidates {
            let subject = try job.subject(prompts: nil, backbone: path)
            if subject.backbone.isNamed(by: record.backboneSha256, weights: nil) { return (subject, job) }
        }
        throw missing
    }

    // MARK: t-SNE

    /// - Parameter computes: whether evaluated videos are laid out now.
    package func layouts(computes: Bool) throws -> ReportSection {
        var blocks = try material.clusters.compactMap { entry -> HTML? in
            let file = entry.path.appendingPath("tsne.svg")
            guard fileExists(file) else { return nil }
            return try figure(file, entry.metrics, name: entry.name)
        }
        if computes {
            // Seeds and methods share a list: one layout each would fill the page.
            var seen: Set<[String]> = []
            let different = material.evaluations.filter { seen.insert([$0.record.list, $0.record.classListSha256, $0.record.model.backboneSha256, $0.record.model.promptsSha256 ?? ""]).inserted }
            guard !different.isEmpty else { throw ReportError.noEvaluation(option: "--tsne") }
            for evaluation in different.prefix(Self.layoutLimit) { blocks.append(try layout(evaluation)) }
            if different.count > Self.layoutLimit {
                blocks.append(.paragraph("The videos of the first \(Self.layoutLimit) of \(different.count) evaluations are laid out.", "note"))
            }
        }
        return ReportSection("Videos in the plane (t-SNE)", blocks)
    }

    private func figure(_ svg: String, _ metrics: TSNEReport, name: String) throws -> HTML {
        let words = "\(metrics.videos) videos of \(metrics.clusters) classes, perplexity \(NumberText.decimal(metrics.perplexity, places: 0)): V-measure "
            + "\(NumberText.decimal(metrics.embedding.vMeasure, places: 3)) among the embeddings, "
            + "\(NumberText.decimal(metrics.plane.vMeasure, places: 3)) in the plane."
        return ReportPage.figure(try ReportFiles.svg(svg), type: "image/svg+xml", words: "t-SNE, \(name). \(words)", caption: "\(name): \(words)")
    }

    /// `viz tsne` of an evaluation's videos, in a folder that goes again.
    private func layout(_ evaluation: ReportEvaluation) throws -> HTML {
        let record = evaluation.record
        guard fileExists(record.list) else { throw ReportError.videosGone(list: record.list, option: "--tsne") }
        guard try Digest.ofFile(record.list) == record.listSha256 else { throw ReportError.otherList(list: record.list, evaluation: evaluation.path) }
        let (subject, job) = try subject(of: evaluation)
        let names = ClassNames(evaluation.classes.map(\.name))
        let test: TestList
        if let chosen = record.classSubset {
            let all = try AnnotationList.read(record.list, root: record.root)
            let clips = ClassSubset(members: chosen.map(\.label)).clips(of: all.clips)
            test = TestList(list: AnnotationList(path: all.path, root: all.root, clips: clips), classes: names, sha256: record.listSha256)
        } else {
            test = try TestList(record.list, classes: names, videos: job.videos, root: record.root, context: context)
        }
        let folder = NSTemporaryDirectory().appendingPath("vifi-prompt-report-\(UUID().uuidString)")
        try createDirectory(folder)
        defer { removeTree(folder) }
        // A layout takes an empty folder.
        let output = folder.appendingPath("tsne")
        try TSNEDrawing(folder: output, context: context.ofPart).layOut(PictureData(test, by: subject, as: job), pool: pool)
        return try figure(
            output.appendingPath("tsne.svg"), try ReportFiles.decode(TSNEReport.self, output.appendingPath("metrics.json")), name: evaluation.name)
    }
}
