import Evaluation
import Files
import Foundation
import VideoData

/// What one model says of one window of a live source.
package struct LiveAnswer {
    package let source: String
    package let model: VideoModel
    package let window: LiveWindow
    package let scores: VideoScores
    /// Windows that were dropped so far.
    package let droppedCount: Int

    package init(source: String, model: VideoModel, window: LiveWindow, scores: VideoScores, droppedCount: Int) {
        self.source = source
        self.model = model
        self.window = window
        self.scores = scores
        self.droppedCount = droppedCount
    }
}

/// The answer for a window as a JSON object on its line.
package struct LiveLine: Codable {
    package var video: String
    package var prompts: String?
    package var region: String?
    /// When the window was complete here, by this machine's clock: ISO 8601 in UTC.
    package var time: String
    package var start: Double
    package var end: Double
    package var answer: VideoLine.Answer
    package var scores: [VideoLine.Score]
    package var none: Float?
    package var droppedWindows: Int

    package init(_ answer: LiveAnswer, _ style: AnswerStyle) {
        let (model, scores) = (answer.model, answer.scores)
        let label = style.rule.answer(scores)
        video = answer.source
        prompts = model.name.isEmpty ? nil : model.name
        region = style.region
        time = answer.window.date.formatted(.iso8601.year().month().day().time(includingFractionalSeconds: true).timeZone(separator: .omitted))
        start = answer.window.start.inMilliseconds
        end = answer.window.end.inMilliseconds
        self.answer = VideoLine.Answer(label: label, name: style.name(label, of: model), probability: label.map { scores.classes[$0] })
        self.scores = scores.ranking.prefix(style.top).map { VideoLine.Score(label: $0, name: model.classNames[$0], probability: scores.classes[$0]) }
        none = model.noneCount > 0 ? scores.none : nil
        droppedWindows = answer.droppedCount
    }

    /// On one line.
    package var text: String {
        // Strings and numbers always encode.
        (try? ResultJSON.text(self, isOneLine: true)).map { String($0.dropLast()) } ?? "{}"
    }
}

extension LiveAnswer {
    /// Times of day and of the source, probability and label: `12:03:14  0:18.0   53.3 %  waving`.
    package func text(_ style: AnswerStyle) -> String {
        let label = style.rule.answer(scores)
        let share = label.map { percent(100 * Double(scores.classes[$0])) } ?? ""
        let clock = window.date.formatted(Date.ISO8601FormatStyle(timeZone: .current).time(includingFractionalSeconds: false))
        return [
            clock, TimelineText.time(window.start), String(repeating: " ", count: max(0, 7 - share.count)) + share,
            style.name(label, of: model).escapedForDisplay + (style.namesModels ? ", \(model.name.escapedForDisplay)" : ""),
        ].joined(separator: "  ")
    }

    /// For tables.
    package var row: VideoAnswer {
        let scored = ScoredWindow(start: window.start, end: window.end, scores: scores)
        return VideoAnswer(video: source, model: model, content: .timeline(Timeline(seconds: window.end, windows: [scored]), segments: []))
    }
}
