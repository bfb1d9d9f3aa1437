import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import HTTPTypes
import Hummingbird
import Synchronization
import VideoData

/// Answers about single videos.
struct PredictRoutes: Sendable {
    let services: Services

    func add(to router: Router<ServeContext>) {
        router.post("/v1/predict") { request, _ in try await predict(request) }
        router.post("/v1/embeddings") { request, _ in try await embedding(request) }
        router.post("/v1/attention") { request, _ in try await attention(request) }
    }

    /// Who is to answer, as far as it can be told before its texts are read.
    struct Target: Sendable {
        let answerer: Answerer?
        let classNames: [String]
        let noneTexts: [String]
    }

    /// How a time line is made of windows.
    struct TimelineLook: Sendable {
        let style: AnswerStyle
        let smooth: Int
        let minimumSeconds: Double
    }

    /// How it is to be told.
    private struct Question: Sendable {
        enum Form: String {
            case json, csv, srt, vtt
        }

        let look: TimelineLook
        let spans: (window: VideoSpan, stride: VideoSpan)?
        let form: Form

        var style: AnswerStyle { look.style }

        static let parameters = ["prompts", "classes", "top", "threshold", "none", "window", "stride", "smooth", "min_seconds", "format"]
    }

    /// Nil for the backbone as it is.
    private func answerer(_ query: QueryReader) throws -> Answerer? {
        try query.text("prompts").flatMap { $0 == "none" ? nil : try services.desk.answerer($0) }
    }

    func target(_ query: QueryReader) throws -> Target {
        let answerer = try answerer(query)
        let classes = try query.text("classes").map { try names($0) }
        let none = try query.all("none").map { try DataSetStore.checked($0, what: "text for none of the classes", limits: services.limits) }
        guard none.count <= 64 else { throw RequestFault(.badRequest, "none may be given 64 times, not \(none.count).") }
        guard let classes = classes ?? answerer?.model.learnedClassNames else {
            throw RequestFault(.badRequest, "No classes are named. Pass classes=a,b,c, or prompts=ID.")
        }
        return Target(answerer: answerer, classNames: classes, noneTexts: none)
    }

    /// The texts of new classes go through the text tower, which takes its time.
    func model(_ target: Target) async throws -> VideoModel {
        try await services.work.run { [desk = services.desk] in
            try desk.model(target.answerer, classNames: target.classNames, noneTexts: target.noneTexts)
        }
    }

    /// The id of a class set, or names with commas.
    private func names(_ text: String) throws -> [String] {
        if let set = services.desk.classSets.first(where: { $0.id == text }) { return set.names }
        let names = try DataSetStore.checked(classes: text.split(separator: ",", omittingEmptySubsequences: false).map(String.init), limits: services.limits)
        guard !names.isEmpty else { throw RequestFault(.badRequest, "classes is empty.") }
        return names
    }

    private func question(_ query: QueryReader) throws -> Question {
        let window = try query.span("window")
        let stride = try query.span("stride")
        guard window != nil || stride == nil else { throw RequestFault(.badRequest, "stride is about windows: pass window, such as window=2s.") }
        if let window, let stride, window.unit != stride.unit { throw RequestFault(.badRequest, "window and stride must both be times, or both frames.") }
        let smooth = try query.whole("smooth", in: 1...999, default: 1)
        guard smooth % 2 == 1 else { throw RequestFault(.badRequest, "smooth is \(smooth); it must be odd: a window and as many on each side.") }
        let text = try query.text("format") ?? "json"
        guard let form = Question.Form(rawValue: text) else { throw RequestFault(.badRequest, "format is \(text.prefix(40)); it must be json, csv, srt or vtt.") }
        guard window != nil || form == .json || form == .csv else { throw RequestFault(.badRequest, "Subtitles are of windows: pass window, such as window=2s.") }
        let style = try style(query)
        let minimum = try query.number("min_seconds", in: 0...86_400, default: 0)
        return Question(
            look: TimelineLook(style: style, smooth: smooth, minimumSeconds: minimum), spans: window.map { ($0, stride ?? $0.halved) }, form: form)
    }

    func style(_ query: QueryReader) throws -> AnswerStyle {
        AnswerStyle(
            rule: RejectionRule(threshold: Float(try query.number("threshold", in: 0...1, default: 0))), rejectLabel: "none of these",
            top: try query.whole("top", in: 1...services.limits.classCount, default: 5), namesModels: false, windows: nil)
    }

    private func predict(_ request: Request) async throws -> Response {
        // A client that sends must not wait for others' videos before anybody listens to it.
        let ((question, target), source) = try await VideoSource.of(request, known: Question.parameters, services) { (try self.question($0), try self.target($0)) }
        guard let spans = question.spans else {
            return try await withDeadline(services.limits.inferenceSeconds) {
                let model = try await model(target)
                return try response(try await whole(source, model), question)
            }
        }
        if request.headers[.accept]?.contains("text/event-stream") == true {
            guard question.form == .json else { throw RequestFault(.badRequest, "Events carry JSON: leave out format.") }
            return EventStream.response(holding: try services.streams.take(), events(of: source, question, target, spans))
        }
        return try await withDeadline(services.limits.timelineSeconds) {
            try response(try await timeline(of: source, question.look, try await model(target), spans) { _, _ in }, question)
        }
    }

    func whole(_ source: VideoSource, _ model: VideoModel) async throws -> VideoAnswer {
        let video = try await source.looking(services) { [videos = services.videos] path in
            try PreparedVideo(path: path, models: [model], reader: videos)
        }
        let scores = try await services.scoring.scores(of: video, by: [model])
        return VideoAnswer(video: source.name, model: model, content: .whole(scores[0]))
    }

    /// - Parameter report: told the seconds of video that are done, and how many there are, where that is known.
    func timeline(
        of source: VideoSource, _ look: TimelineLook, _ model: VideoModel, _ spans: (window: VideoSpan, stride: VideoSpan),
        report: @escaping @Sendable (Double, Double?) throws -> Void
    ) async throws -> VideoAnswer {
        let timelines = VideoTimelines(models: [model], window: spans.window, stride: spans.stride, pictures: services.desk.pictures)
        let most = services.limits.timelineScores / model.classifier.classCount
        @Sendable func check(_ windows: Double) throws {
            guard windows <= Double(most) else {
                throw RequestFault(.badRequest, "These are more than \(most) windows of \(model.classifier.classCount) classes, the most of one answer. Pass a longer stride.")
            }
        }
        let isWanted = Flag()
        let timeline = try await withTaskCancellationHandler {
            try await source.looking(services, onLongWork: true) { [videos = services.videos] path in
                let stream = try videos.stream(timelines.request(path))
                if spans.stride.unit == .seconds, let seconds = stream.outlook.seconds { try check(seconds / spans.stride.count) }
                return try timelines.timelines(of: path, stream: stream) { part in
                    guard isWanted.isUp else { throw CancellationError() }
                    if spans.stride.unit == .seconds { try check(part.seconds / spans.stride.count) }
                    try report(part.seconds, stream.outlook.seconds)
                }.timelines[0]
            }
        } onCancel: {
            isWanted.lower()
        }
        try check(Double(timeline.windows.count))
        let smoothed = timeline.smoothed(over: look.smooth)
        return VideoAnswer(
            video: source.name, model: model,
            content: .timeline(smoothed, segments: smoothed.segments(look.style.rule, minimumSeconds: look.minimumSeconds)))
    }

    private struct Progress: Encodable {
        let seconds: Double
        let of: Double?
    }

    /// Once nobody listens any more, the task is cancelled and the video is let go.
    private func events(
        of source: VideoSource, _ question: Question, _ target: Target, _ spans: (window: VideoSpan, stride: VideoSpan)
    ) -> AsyncStream<(name: String, json: String)> {
        AsyncStream { continuation in
            let task = Task {
                do {
                    let answer = try await timeline(of: source, question.look, try await model(target), spans) { seconds, total in
                        continuation.yield(("progress", JSONText.of(Progress(seconds: seconds, of: total))))
                    }
                    continuation.yield(("answer", VideoLine(answer, question.style).text))
                } catch is CancellationError {
                } catch {
                    let fault = RequestFault(error)
                    fault.log("POST /v1/predict", services.logger)
                    continuation.yield(("error", fault.text))
                }
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }

    private func response(_ answer: VideoAnswer, _ question: Question) throws -> Response {
        switch (question.form, answer.content) {
        case (.json, _): return .json(VideoLine(answer, question.style).text + "\n")
        case (.csv, _):
            let rows = [VideoAnswer.csvHeader] + answer.csvRows(question.style)
            return .bytes(Array((rows.joined(separator: "\n") + "\n").utf8), type: "text/csv; charset=utf-8")
        case (.srt, .timeline(_, let segments)):
            return .bytes(Array(TimelineText.subRip(segments, names: answer.model.classNames).utf8), type: "application/x-subrip; charset=utf-8")
        case (.vtt, .timeline(_, let segments)):
            return .bytes(Array(TimelineText.webVTT(segments, names: answer.model.classNames).utf8), type: "text/vtt; charset=utf-8")
        case (.srt, .whole), (.vtt, .whole): throw RequestFault(.badRequest, "Subtitles are of windows: pass window, such as window=2s.")
        }
    }

    // MARK: Embeddings

    private struct EmbeddingDocument: Encodable {
        let video: String
        let embedding: [Float]
        let backboneSha256: String
    }

    private func embedding(_ request: Request) async throws -> Response {
        let (answerer, source) = try await VideoSource.of(request, known: ["prompts"], services) { try self.answerer($0) }
        let digest = services.desk.backbone.digest
        let values = try await withDeadline(services.limits.inferenceSeconds) {
            try await source.looking(services) { [desk = services.desk, videos = services.videos] path in
                // Which classes there are does not change what a video looks like.
                let model = try desk.model(answerer, classNames: answerer?.model.learnedClassNames ?? ["video"])
                let video = try PreparedVideo(path: path, models: [model], reader: videos)
                return try model.classifier.embeddings(clips: video.views[0].map(\.matrix))[0]
            }
        }
        return .json(EmbeddingDocument(video: source.name, embedding: values, backboneSha256: digest))
    }

    // MARK: Attention

    private struct AttentionDocument: Encodable {
        struct Frame: Encodable {
            let seconds: Double
            let crop: [Double]
            let heat: [Float]
        }
        let video: String
        let rows: Int
        let columns: Int
        let `class`: String
        let frames: [Frame]
    }

    private func attention(_ request: Request) async throws -> Response {
        let ((target, label), source) = try await VideoSource.of(request, known: ["prompts", "classes", "class"], services) { query in
            let target = try self.target(query)
            let label = try query.text("class").map { name in
                guard let label = target.classNames.firstIndex(of: name) else { throw RequestFault(.badRequest, "There is no class \"\(name.prefix(100))\" here.") }
                return label
            }
            return (target, label)
        }
        let document = try await withDeadline(services.limits.inferenceSeconds) {
            let model = try await model(target)
            return try await source.looking(services) { [videos = services.videos] path in
                let glance = try videos.glance(at: path, shortSide: 32)
                let video = try PreparedVideo(path: path, models: [model], reader: videos)
                let maps = try model.classifier.attention(in: video.views[0][0].matrix, of: .relevance, label: label, from: model.classifier.blockCount - 1)
                let side = maps.gridSide
                let region = model.transform.seenRegion(of: FrameSize(width: glance.width, height: glance.height))
                let crop = [
                    region.left / Double(glance.width), region.top / Double(glance.height), region.width / Double(glance.width), region.height / Double(glance.height),
                ]
                let places = model.sampler.testIndices(frameCount: glance.frameCount)
                let frames = zip(places, maps.blocks.last ?? []).map { place, map in
                    let overlay = HeatOverlay(map: map, gridSide: side, side: model.transform.side)
                    let heat = (0..<side * side).map { cell in
                        overlay.value(x: (Double(cell % side) + 0.5) / Double(side), y: (Double(cell / side) + 0.5) / Double(side))
                    }
                    return AttentionDocument.Frame(
                        seconds: glance.seconds * (Double(place) + 0.5) / Double(glance.frameCount), crop: crop, heat: heat)
                }
                return AttentionDocument(video: source.name, rows: side, columns: side, class: model.classNames[maps.label], frames: frames)
            }
        }
        return .json(document)
    }
}

/// A flag that one side lowers and the other sees.
private final class Flag: Sendable {
    private let value = Atomic<Bool>(true)
    var isUp: Bool { value.load(ordering: .relaxed) }
    func lower() { value.store(false, ordering: .relaxed) }
}

/// - Throws: `RequestFault` of code `busy` where it takes longer; what has begun then ends unheard.
func withDeadline<Result: Sendable>(_ seconds: Double, _ body: @escaping @Sendable () async throws -> Result) async throws -> Result {
    let results = AsyncThrowingStream<Result, any Error> { continuation in
        let work = Task {
            do {
                continuation.yield(try await body())
                continuation.finish()
            } catch {
                continuation.finish(throwing: error)
            }
        }
        let clock = Task {
            try await Task.sleep(for: .seconds(seconds))
            continuation.finish(throwing: RequestFault(.busy, "This took longer than \(Int(seconds)) seconds. Try again later, or with a shorter video."))
        }
        continuation.onTermination = { _ in
            work.cancel()
            clock.cancel()
        }
    }
    for try await result in results { return result }
    throw CancellationError()
}
