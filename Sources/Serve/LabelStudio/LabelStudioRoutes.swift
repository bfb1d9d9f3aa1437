import Evaluation
import Experiments
import Foundation
import HTTPTypes
import Hummingbird
import VideoData

/// What Label Studio asks of a machine learning backend: predictions for its tasks.
///
/// Source: https://labelstud.io/guide/ml_create.html and `label_studio_ml/api.py` of
/// https://github.com/HumanSignal/label-studio-ml-backend.
struct LabelStudioRoutes: Sendable {
    let services: Services
    /// Nil where no place was allowed.
    let fetcher: VideoFetcher?
    private let predictions: PredictRoutes

    init(services: Services, fetcher: VideoFetcher?) {
        self.services = services
        self.fetcher = fetcher
        predictions = PredictRoutes(services: services)
    }

    func add(to router: Router<ServeContext>) {
        router.post("/setup") { request, _ in try await setUp(request) }
        router.post("/predict") { request, _ in try await predict(request) }
        // Nothing is learned from here: the page does that. Label Studio wants a yes to its news.
        router.post("/webhook") { request, _ in
            _ = try await request.document(Ignored.self, limit: services.limits.jsonBytes)
            return Response.json(Taken(status: "ok"))
        }
    }

    /// Tasks of one request.
    private static let taskLimit = 64

    private struct Ignored: Decodable {}

    private struct Taken: Encodable {
        let status: String
    }

    private struct Setup: Decodable {
        /// The labeling configuration.
        let schema: String?
    }

    private struct Version: Encodable {
        let modelVersion: String
    }

    /// Says who answers; a configuration that cannot be answered is refused here, before somebody waits for a task.
    private func setUp(_ request: Request) async throws -> Response {
        let setup = try await request.document(Setup.self, limit: services.limits.jsonBytes)
        await services.desk.lookIntoFolders()
        if let schema = setup.schema, !schema.isEmpty { _ = try await model(LabelingConfig(schema)) }
        return .json(Version(modelVersion: version))
    }

    private struct Question: Decodable {
        struct Task: Decodable {
            let data: [String: Field]?
        }

        /// A text; anything else is no address.
        struct Field: Decodable {
            let text: String?
            init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
        }

        let tasks: [Task]
        let labelConfig: String?
    }

    private struct Answer: Encodable {
        let results: [LabelStudioPrediction]
    }

    private func predict(_ request: Request) async throws -> Response {
        guard let fetcher else {
            throw RequestFault(.forbidden, "This server fetches no videos. Start it with --allow-fetch and the address of Label Studio, such as --allow-fetch http://127.0.0.1:8080.")
        }
        let question = try await request.document(Question.self, limit: services.limits.jsonBytes)
        guard question.tasks.count <= Self.taskLimit else { throw RequestFault(.badRequest, "These are \(question.tasks.count) tasks; at most \(Self.taskLimit) are answered at once.") }
        guard let text = question.labelConfig else { throw RequestFault(.badRequest, "label_config is missing.") }
        let config = try LabelingConfig(text)
        await services.desk.lookIntoFolders()
        let model = try await model(config)
        let settings = try TimelineSettings(config)
        var results: [LabelStudioPrediction] = []
        var faults: [RequestFault] = []
        for task in question.tasks {
            do {
                results.append(LabelStudioPrediction(try await answer(task, config, model, settings, fetcher), version: version))
            } catch let fault as RequestFault where fault.code == .unprocessable || fault.code == .forbidden || fault.code == .tooLarge {
                // One bad video is not to keep a whole page of tasks without predictions.
                services.logger.warning("POST /predict: \(fault.message)")
                faults.append(fault)
                results.append(LabelStudioPrediction([], version: version))
            }
        }
        if let first = faults.first, faults.count == question.tasks.count { throw first }
        return .json(Answer(results: results))
    }

    private var version: String { "vifi-prompt \(services.version)\(services.desk.answerers.first.map { ", \($0.name)" } ?? "")" }

    /// The prompts of the start, else the backbone, among the configuration's labels; a head knows its own classes only.
    private func model(_ config: LabelingConfig) async throws -> VideoModel {
        let answerer = services.desk.answerers.first
        let labels = try DataSetStore.checked(classes: config.labels, limits: services.limits)
        let classes = answerer?.model.head == nil ? labels : answerer?.model.learnedClassNames ?? labels
        guard classes.contains(where: labels.contains) else {
            throw RequestFault(.badRequest, "None of the configuration's labels is a class of \(answerer?.name ?? "the model"), which knows \(classes.prefix(10).joined(separator: ", ")).")
        }
        return try await services.work.run { [desk = services.desk] in try desk.model(answerer, classNames: classes) }
    }

    /// How time lines are made, by attributes of the tag with the labels: `model_window="2s"`.
    private struct TimelineSettings: Sendable {
        var spans: (window: VideoSpan, stride: VideoSpan)
        var minimumSeconds = 0.0
        var threshold = 0.0

        init(_ config: LabelingConfig) throws(RequestFault) {
            func span(_ name: String) throws(RequestFault) -> VideoSpan? {
                guard let text = config.settings[name] else { return nil }
                guard let span = VideoSpan(text) else { throw RequestFault(.badRequest, "\(name) of the labeling configuration is no length such as 2s or 48f.") }
                return span
            }
            func number(_ name: String, upTo limit: Double) throws(RequestFault) -> Double {
                guard let text = config.settings[name] else { return 0 }
                guard let number = Double(text), (0...limit).contains(number) else {
                    throw RequestFault(.badRequest, "\(name) of the labeling configuration must be between 0 and \(limit).")
                }
                return number
            }
            let window = try span("model_window") ?? .seconds(2)
            spans = (window, try span("model_stride") ?? window.halved)
            guard spans.window.unit == spans.stride.unit else { throw RequestFault(.badRequest, "model_window and model_stride must both be times, or both frames.") }
            minimumSeconds = try number("model_min_seconds", upTo: 86_400)
            threshold = try number("model_score_threshold", upTo: 1)
        }
    }

    private func answer(
        _ task: Question.Task, _ config: LabelingConfig, _ model: VideoModel, _ settings: TimelineSettings, _ fetcher: VideoFetcher
    ) async throws -> [LabelStudioResult] {
        guard let address = task.data?[config.key]?.text, !address.isEmpty else {
            throw RequestFault(.unprocessable, "A task has no address of a video in \"\(config.key)\" of its data.")
        }
        let place = try services.uploads.take()
        defer { withExtendedLifetime(place) {} }
        let limits = services.limits
        let upload = try await withDeadline(limits.bodySeconds) { [services] in
            try await fetcher.fetch(address, in: services.folder, limit: limits.videoBytes, metrics: services.metrics)
        }
        let source = VideoSource(upload, name: "video")
        let style = AnswerStyle(rule: RejectionRule(threshold: Float(settings.threshold)), rejectLabel: "none of these", top: 1, namesModels: false, windows: nil)
        switch config.kind {
        case .choice:
            let answer = try await withDeadline(limits.inferenceSeconds) { try await predictions.whole(source, model) }
            guard case .whole(let scores) = answer.content, let label = style.rule.answer(scores), config.labels.contains(model.classNames[label]) else { return [] }
            return [LabelStudioResult(choice: model.classNames[label], from: config.name, to: config.video, score: scores.classes[label])]
        case .timeline:
            let looking = PredictRoutes.TimelineLook(style: style, smooth: 1, minimumSeconds: settings.minimumSeconds)
            let answer = try await withDeadline(limits.timelineSeconds) { try await predictions.timeline(of: source, looking, model, settings.spans) { _, _ in } }
            guard case .timeline(let timeline, let segments) = answer.content else { return [] }
            let shown = segments.filter { $0.label.map { config.labels.contains(model.classNames[$0]) } ?? false }
            // Label Studio's frames are moments of its own clock, not the video's frames.
            let count = Int((timeline.seconds * config.frameRate).rounded(.up))
            return TimelineAnnotations(shown, names: model.classNames, video: source.name)
                .labelStudioResults(times: (0..<max(1, count)).map { Double($0) / config.frameRate }, from: config.name, to: config.video)
        }
    }
}
