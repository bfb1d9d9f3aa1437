import ArgumentParser
import Evaluation
import Experiments
import Files
import Foundation
import Synchronization
import Training
import VideoData

/// A live source: answered window by window while it comes in.
struct LivePrediction {
    let address: LiveAddress
    let models: [VideoModel]
    let pictures: PictureRules
    let style: AnswerStyle
    let windows: WindowOptions
    let options: LiveOptions
    let forms: AnswerFormOptions

    static let window = VideoSpan.seconds(2)

    /// The source among what the command line names; nil where these are files and folders.
    ///
    /// - Throws: `LiveError`; `ValidationError` where flags are about files.
    static func source(
        of names: [String], windows: WindowOptions, options: LiveOptions, forms: AnswerFormOptions, batch: BatchOptions
    ) throws -> LiveAddress? {
        let sources = try names.compactMap { name throws(LiveError) in try LiveAddress(name) }
        guard let source = sources.first else {
            if let flag = options.given.first { throw ValidationError("\(flag) is about live sources: standard input (-), cameras (/dev/video0), rtsp://… and http://…") }
            return nil
        }
        guard names.count == 1 else {
            throw ValidationError("\(source.shown): a live source is answered alone. Start a command for each, and one for files.")
        }
        let refused = [
            ("--output", batch.output != nil, "write --json > answers.jsonl"), ("--watch", batch.watch, "a live source is waited for anyway"),
            ("--recursive", batch.recursive, "leave it out"),
            ("--isolate", batch.isolate, "let ffmpeg decode in a process of its own: ffmpeg -i URL -f matroska - | vifi-prompt predict -"),
            ("--save", !forms.saved.isEmpty, "record the source first"), ("--smooth", windows.smooth != 1, "choose a longer window"),
            ("--min-length", windows.minLength != nil, "choose a longer window"),
        ]
        for (flag, isGiven, remedy) in refused where isGiven {
            throw ValidationError("\(flag) is about videos that have an end, and \(source.shown) is read live: \(remedy).")
        }
        if !options.camera.isEmpty, source.kind != .camera { throw ValidationError("--camera-size and --camera-rate are about cameras, such as /dev/video0.") }
        _ = try options.receivers()
        if windows.window?.unit == .frames { throw ValidationError("--window is a time for live sources, such as 2s.") }
        return source
    }

    /// Answers until the source ends, the time is over or a signal comes: all of these are its regular end.
    ///
    /// - Throws: `LiveError` where the source cannot be opened, was not there within the time, or broke off for good.
    func run() throws {
        Interruption.install()
        let spans = windows.spans ?? (Self.window, Self.window.halved)
        if windows.window == nil { Console.note("Windows of \(spans.window.text) every \(spans.stride.text); --window chooses others") }
        var request = LiveScorer.request(
            address, models: models, window: spans.window, stride: spans.stride, pictures: pictures,
            timeoutSeconds: options.timeout?.count ?? (address.kind == .hls ? 30 : 10))
        request.camera = options.camera
        // Before the source is: what it sends meanwhile would wait.
        let outboxes = try options.receivers().map { try $0.open() }
        let end = options.duration.map { ContinuousClock.now + .seconds($0.count) }
        let name = address.shown.escapedForDisplay
        let arrival = Arrival()
        let reader = try LiveReader(
            request, settings: LiveReader.Settings(reconnects: options.reconnect, dropsLate: options.late.map { $0 == .drop }),
            isCancelled: { Interruption.isRequested || end.map { ContinuousClock.now >= $0 } ?? false },
            report: { event in
                if event == .opened { arrival.hasCome.store(true, ordering: .relaxed) }
                Self.tell(event, of: name)
            })
        var summary = Summary()
        let outcome = Result { try answer(reader, outboxes, &summary) }
        let isMissing = !arrival.hasCome.load(ordering: .relaxed) && !Interruption.isRequested
        // A source that was never there needs none.
        if (try? outcome.get()) != nil && !isMissing || summary.count > 0 { summary.tell(dropped: reader.droppedCount) }
        for outbox in outboxes { Self.finish(outbox) }
        try outcome.get()
        if isMissing, let duration = options.duration {
            throw LiveError(source: address.shown, problem: .silent(seconds: duration.count))
        }
    }

    /// Whether the source was ever there; said by the thread that reads.
    private final class Arrival: Sendable {
        let hasCome = Atomic<Bool>(false)
    }

    /// What came of the source.
    private struct Summary {
        var count = 0
        var openings = 0

        func tell(dropped: Int) {
            Console.note(
                "\(counted(count, "window", "windows")) answered"
                    + (dropped > 0 ? ", \(dropped) dropped, since the model is slower than the source" : "")
                    + (openings > 0 ? ", opened again \(counted(openings, "time", "times"))" : ""))
        }
    }

    private func answer(_ reader: LiveReader, _ outboxes: [Outbox], _ summary: inout Summary) throws {
        var scorer = LiveScorer(models: models)
        var teller = LiveTeller(style: style, forms: forms)
        while let moment = try reader.next() {
            if Interruption.isRequested { return }
            if moment.opening != summary.openings { scorer.begin() }
            summary.openings = moment.opening
            let scores = try scorer.scores(of: moment.window)
            summary.count += 1
            for (index, model) in models.enumerated() {
                let answer = LiveAnswer(
                    source: address.shown, model: model, window: moment.window, scores: scores[index], droppedCount: reader.droppedCount)
                teller.tell(answer, model: index)
                guard !outboxes.isEmpty else { continue }
                let line = LiveLine(answer, style).text
                for outbox in outboxes { outbox.put(line) }
            }
        }
    }

    private static func tell(_ event: LiveEvent, of name: String) {
        switch event {
        case .opened: Console.note("Reading \(name == "-" ? "standard input" : name); Ctrl-C ends it")
        case .brokeOff(let error, let wait): Console.warning("\(error.description) It is opened again in \(NumberText.decimal(wait, places: 0)) s")
        case .openedAgain(let seconds): Console.note("\(name): is there again after \(NumberText.decimal(seconds, places: 0)) s")
        }
    }

    /// What was said last gets a little time to arrive.
    private static func finish(_ outbox: Outbox) {
        let isSettled = outbox.finish(withinSeconds: 5)
        let (delivered, lost) = (outbox.deliveredCount, outbox.lostCount)
        Console.note(
            "\(counted(delivered, "answer", "answers")) \(outbox.verb)" + (lost > 0 ? ", \(lost) lost" : "")
                + (isSettled ? "" : "; \(counted(outbox.waitingCount, "answer was", "answers were")) given up after 5 s"))
    }
}

/// Prints answers: each as JSON or CSV, for people where the label changes.
private struct LiveTeller {
    let style: AnswerStyle
    let forms: AnswerFormOptions
    private var hasHeader = false
    /// For each model the label that was told last; nil for none of the classes.
    private var told: [Int: Int?] = [:]

    init(style: AnswerStyle, forms: AnswerFormOptions) {
        self.style = style
        self.forms = forms
    }

    mutating func tell(_ answer: LiveAnswer, model: Int) {
        if forms.json {
            Console.result(LiveLine(answer, style).text)
        } else if forms.csv {
            if !hasHeader { Console.result(VideoAnswer.csvHeader) }
            hasHeader = true
            for row in answer.row.csvRows(style) { Console.result(row) }
        } else {
            let label = style.rule.answer(answer.scores)
            if let last = told[model], last == label { return }
            told[model] = .some(label)
            Console.result(answer.text(style))
        }
    }
}
