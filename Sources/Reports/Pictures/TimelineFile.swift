import CLIPModel
import Charts
import Evaluation
import Experiments
import Files
import Foundation
import Training

/// What `--save` writes of a video's time line, by the file's ending.
package enum TimelineFile: String, CaseIterable {
    case srt, vtt, svg, png, csv, json
    // Of annotation programs.
    case elan = "eaf"
    case cvat = "xml"
    case labelStudio = "label-studio.json"
    case createML = "createml.json"

    package init?(_ path: String) {
        let name = path.lastPathComponent.lowercased()
        // The longest ending that fits: `.createml.json` is no `.json`.
        guard let form = Self.allCases.filter({ name.hasSuffix("." + $0.rawValue) }).max(by: { $0.rawValue.count < $1.rawValue.count }) else { return nil }
        self = form
    }

    /// Whether it names frames by number, so that their times are needed.
    package var countsFrames: Bool { self == .cvat || self == .labelStudio }

    /// Where the time line of one video and model goes.
    ///
    /// - Parameters:
    ///   - pattern: with `{}` in the place of the video's name and `{dir}` in that of its folder.
    ///   - suffix: tells several models apart.
    package static func path(_ pattern: String, video: String, suffix: String) -> String {
        return pattern.replacing("{dir}", with: video.parentDirectory).replacing("{}", with: video.pathStem + suffix)
    }

    /// What tells the files of several models apart: `-learn-2` for `runs/learn-2/prompts/best.safetensors`, where that is
    /// enough; nothing for one model.
    package static func suffixes(of models: [VideoModel]) -> [String] {
        guard models.count > 1 else { return [""] }
        let stems = models.map { model in
            let parts = model.name.split(separator: "/").suffix(3).filter { $0 != "prompts" }
            return "-" + parts.suffix(2).joined(separator: "-").replacing(".safetensors", with: "").replacing(".pth", with: "")
        }
        return stems.enumerated().map { index, stem in stems.count { $0 == stem } > 1 ? "\(stem)-\(index + 1)" : stem }
    }

    /// - Throws: `FileError` or `ChartError`, naming the file.
    package func write(_ answer: VideoAnswer, timeline: Timeline, segments: [TimelineSegment], style: AnswerStyle, to path: String) throws {
        let names = answer.model.classNames
        if !isDirectory(path.parentDirectory) { try createDirectory(path.parentDirectory) }
        switch self {
        case .srt: try DurableFile.write(TimelineText.subRip(segments, names: names), to: path)
        case .vtt: try DurableFile.write(TimelineText.webVTT(segments, names: names), to: path)
        case .svg, .png: try Self.chart(answer, timeline: timeline, segments: segments, style: style).write(to: path)
        case .csv:
            try DurableFile.write(([VideoAnswer.csvHeader] + answer.csvRows(style)).joined(separator: "\n") + "\n", to: path)
        case .json: try DurableFile.write(VideoLine(answer, style).text + "\n", to: path)
        case .elan, .cvat, .labelStudio, .createML:
            let annotations = TimelineAnnotations(segments, names: names, video: answer.video)
            try DurableFile.write(text(annotations, answer, folder: path.parentDirectory), to: path)
        }
    }

    private func text(_ annotations: TimelineAnnotations, _ answer: VideoAnswer, folder: String) throws -> String {
        switch self {
        case .cvat: return annotations.cvat(times: answer.frameTimes)
        case .labelStudio: return try annotations.labelStudio(times: answer.frameTimes, version: "vifi-prompt \(vifiPromptVersion)")
        case .createML: return try annotations.createML()
        default:
            let changed = (try? FileManager.default.attributesOfItem(atPath: answer.video))?[.modificationDate] as? Date
            return annotations.elan(in: folder, date: changed ?? Date(timeIntervalSince1970: 0))
        }
    }

    /// Whether the file at `path` holds what `write` would write.
    package func isWritten(
        _ answer: VideoAnswer, timeline: Timeline, segments: [TimelineSegment], style: AnswerStyle, at path: String
    ) throws -> Bool {
        let draft = path.parentDirectory.appendingPath(".draft-\(path.lastPathComponent)")
        defer { _ = unsafe unlink(draft) }
        try write(answer, timeline: timeline, segments: segments, style: style, to: draft)
        return try InputFile.contents(of: path, limit: .max) == InputFile.contents(of: draft, limit: .max)
    }

    /// A row a class that is answered somewhere, the most shown on top; none of the classes last.
    private static func chart(
        _ answer: VideoAnswer, timeline: Timeline, segments: [TimelineSegment], style: AnswerStyle
    ) -> Chart {
        var lengths: [Int: Double] = [:]
        for segment in segments { lengths[segment.label ?? -1, default: 0] += segment.end - segment.start }
        let rows = lengths.keys.sorted { ($0 < 0 ? 1 : 0, -(lengths[$0] ?? 0), $0) < ($1 < 0 ? 1 : 0, -(lengths[$1] ?? 0), $1) }
        let bars = segments.compactMap { segment in
            rows.firstIndex(of: segment.label ?? -1).map {
                Lanes.Bar(lane: $0, start: segment.start, end: segment.end, value: Double(segment.probability ?? 0))
            }
        }
        return Chart(
            title: answer.video.lastPathComponent + (style.namesModels ? ", \(answer.model.name)" : ""),
            summary: segments.prefix(200).map {
                "\(TimelineText.time($0.start)) – \(TimelineText.time($0.end)) \(style.name($0.label, of: answer.model))"
            }.joined(separator: "; "),
            horizontal: Axis("time from the start; numbers and shades: mean probability in %"),
            content: .lanes(
                Lanes(labels: rows.map { style.name($0 < 0 ? nil : $0, of: answer.model) }, bars: bars, seconds: timeline.seconds)))
    }
}

/// Why time lines cannot be saved.
package enum TimelineFileError: ReportableError {
    case severalVideos(path: String)
    case exists(path: String)
    /// Of videos with the same name in different folders, or with another ending.
    case twice(path: String, videos: [String])
    case overAnswers(path: String)
    case overVideo(path: String)
    /// A video that the next look into the folder would find.
    case amongVideos(path: String)

    package var exitStatus: ExitStatus {
        switch self {
        case .severalVideos, .twice, .overAnswers, .overVideo, .amongVideos: .usage
        case .exists: .inputOutput
        }
    }

    package var description: String {
        switch self {
        case .severalVideos(let path):
            "--save \(path.escapedForDisplay): several time lines would go to one file. Put {} in its name for the video's, such as out/{}.srt."
        case .twice(let path, let videos):
            "\(path.escapedForDisplay): two videos would be saved there: \(videos.map(\.escapedForDisplay).joined(separator: " and ")). "
                + (Set(videos.map(\.parentDirectory)).count > 1
                    ? "Tell them apart by their folders: --save '{dir}/{}.\(TimelineFile(path)?.rawValue ?? LabeledVideo.ending)'."
                    : "Rename one of them, or label them with two commands.")
        case .overAnswers(let path): "\(path.escapedForDisplay): is the file of --output, too. Name another one with --save."
        case .overVideo(let path): "\(path.escapedForDisplay): is one of the videos. Name another file with --save, such as --save '{dir}/{}-labeled.mp4'."
        case .amongVideos(let path):
            "\(path.escapedForDisplay): would be found among the videos of its folder, and be labeled itself. Save into another folder, such as "
                + "--save 'labeled/{}.mp4'."
        case .exists(let path):
            "\(path.escapedForDisplay): already exists. Name another file with --save, or pass --force to overwrite it."
        }
    }
}
