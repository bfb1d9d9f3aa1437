import Evaluation
import Files
import Foundation
import Training
import VideoData

/// What one model says of one video.
package struct VideoAnswer {
    package let video: String
    package let model: VideoModel
    package let content: Content
    /// When the video's frames begin, in seconds, for forms that count frames; empty where nobody asked for these.
    package let frameTimes: [Double]

    package init(video: String, model: VideoModel, content: Content, frameTimes: [Double] = []) {
        self.video = video
        self.model = model
        self.content = content
        self.frameTimes = frameTimes
    }

    package enum Content {
        case whole(VideoScores)
        case timeline(Timeline, segments: [TimelineSegment])
    }
}

/// How answers are told.
package struct AnswerStyle {
    package let rule: RejectionRule
    package let rejectLabel: String
    package let top: Int
    /// Whether to name the prompts.
    package let namesModels: Bool
    /// Such as "windows of 2s every 1s".
    package let windows: String?
    /// The part of the pictures that was looked at; nil for all.
    package let region: String?

    package init(rule: RejectionRule, rejectLabel: String, top: Int, namesModels: Bool, windows: String?, region: String? = nil) {
        self.rule = rule
        self.rejectLabel = rejectLabel
        self.top = top
        self.namesModels = namesModels
        self.windows = windows
        self.region = region
    }

    package func name(_ label: Int?, of model: VideoModel) -> String { label.map { model.classNames[$0] } ?? rejectLabel }
}

// MARK: - For people

extension VideoAnswer {
    package func text(_ style: AnswerStyle) -> String {
        let title = video.escapedForDisplay + (style.namesModels ? ", \(model.name.escapedForDisplay)" : "")
        switch content {
        case .whole(let scores):
            var lines = [title]
            if style.rule.answer(scores) == nil {
                lines.append("  \(Self.column(scores.none > 0 ? scores.none : nil))  \(style.rejectLabel.escapedForDisplay)")
            }
            lines += scores.ranking.prefix(style.top).map { "  \(Self.column(scores.classes[$0]))  \(model.classNames[$0].escapedForDisplay)" }
            return lines.joined(separator: "\n")
        case .timeline(let timeline, let segments):
            let width = TimelineText.time(timeline.seconds).count
            func time(_ seconds: Double) -> String {
                let text = TimelineText.time(seconds)
                return String(repeating: " ", count: max(0, width - text.count)) + text
            }
            let count = counted(timeline.windows.count, "window", "windows")
            let lines = segments.map { segment in
                "  \(time(segment.start)) – \(time(segment.end))  \(Self.column(segment.probability))  "
                    + style.name(segment.label, of: model).escapedForDisplay
            }
            return (["\(title), \(TimelineText.time(timeline.seconds)), \(count)\(style.windows.map { " of \($0)" } ?? "")"] + lines)
                .joined(separator: "\n")
        }
    }

    /// Nine characters: `   42.9 %`, or blanks.
    private static func column(_ probability: Float?) -> String {
        guard let probability else { return String(repeating: " ", count: 7) }
        let text = percent(100 * Double(probability))
        return String(repeating: " ", count: max(0, 7 - text.count)) + text
    }
}

// MARK: - CSV

extension VideoAnswer {
    package static let csvHeader = "video,prompts,start,end,answer,probability,best_class,best_probability"

    /// A row a video, or a row a window.
    package func csvRows(_ style: AnswerStyle) -> [String] {
        func row(_ start: String, _ end: String, _ scores: VideoScores) -> String {
            let label = style.rule.answer(scores)
            let best = scores.best
            func number(_ label: Int?) -> String { label.map { "\(scores.classes[$0])" } ?? "" }
            return [
                video.csvField, model.name.csvField, start, end, style.name(label, of: model).csvField,
                number(label), (best.map { model.classNames[$0] } ?? "").csvField, number(best),
            ].joined(separator: ",")
        }
        switch content {
        case .whole(let scores): return [row("", "", scores)]
        case .timeline(let timeline, _):
            return timeline.windows.map { row("\($0.start.inMilliseconds)", "\($0.end.inMilliseconds)", $0.scores) }
        }
    }
}

// MARK: - JSON

/// An answer as a JSON object; also what `--output` holds, a line each.
package struct VideoLine: Codable {
    package struct Score: Codable {
        package var label: Int
        package var name: String
        package var probability: Float

        private enum CodingKeys: String, CodingKey {
            case label, probability
            case name = "class"
        }
    }

    /// Without a label: none of the classes.
    package struct Answer: Codable {
        package var label: Int?
        package var name: String
        package var probability: Float?

        private enum CodingKeys: String, CodingKey {
            case label, probability
            case name = "class"
        }
    }

    package struct Window: Codable {
        package var start: Double
        package var end: Double
        package var answer: Answer
        package var scores: [Score]
        package var none: Float?
    }

    package struct Segment: Codable {
        package var start: Double
        package var end: Double
        package var answer: Answer
    }

    package var video: String
    /// As named on the command line; missing without prompts.
    package var prompts: String?
    /// The part of the pictures that was looked at, where that is not all.
    package var region: String?
    package var answer: Answer?
    /// Of the texts that stand for none of the classes.
    package var none: Float?
    package var scores: [Score]?
    /// Length of the video, with windows.
    package var seconds: Double?
    package var segments: [Segment]?
    package var windows: [Window]?
    /// Why the video could not be read.
    package var error: String?
    package var status: Int32?
    /// In `--output`: what the answer depends on, and the file as it was.
    package var settings: String?
    package var bytes: Int?
    package var modified: Double?

    /// On one line.
    package var text: String {
        // Strings and numbers always encode.
        (try? ResultJSON.text(self, isOneLine: true)).map { String($0.dropLast()) } ?? "{}"
    }
}

extension VideoLine {
    package init(_ answer: VideoAnswer, _ style: AnswerStyle) {
        let model = answer.model
        func scored(_ scores: VideoScores) -> [Score] {
            scores.ranking.prefix(style.top).map { Score(label: $0, name: model.classNames[$0], probability: scores.classes[$0]) }
        }
        func named(_ label: Int?, _ probability: Float?) -> Answer {
            Answer(label: label, name: style.name(label, of: model), probability: probability)
        }
        func answered(_ scores: VideoScores) -> Answer {
            let label = style.rule.answer(scores)
            return named(label, label.map { scores.classes[$0] })
        }
        func none(_ scores: VideoScores) -> Float? { model.noneCount > 0 ? scores.none : nil }
        video = answer.video
        prompts = model.name.isEmpty ? nil : model.name
        region = style.region
        switch answer.content {
        case .whole(let scores):
            self.answer = answered(scores)
            self.scores = scored(scores)
            self.none = none(scores)
        case .timeline(let timeline, let segments):
            seconds = timeline.seconds.inMilliseconds
            self.segments = segments.map {
                Segment(start: $0.start.inMilliseconds, end: $0.end.inMilliseconds, answer: named($0.label, $0.probability))
            }
            windows = timeline.windows.map {
                Window(
                    start: $0.start.inMilliseconds, end: $0.end.inMilliseconds, answer: answered($0.scores), scores: scored($0.scores),
                    none: none($0.scores))
            }
        }
    }

    package init(video: String, prompts: String?, region: String? = nil, failure: any Error) {
        self.video = video
        self.prompts = prompts
        self.region = region
        let reportable = failure as? any ReportableError
        error = reportable?.description ?? "\(failure)"
        status = (reportable?.exitStatus ?? .software).rawValue
    }
}
