import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Reports
import VideoData

extension VideoSpan: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
    /// As it is typed.
    public var defaultValueDescription: String { text }
}

extension ViewedRegion: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

/// What answers, and which classes it knows.
struct PredictedModelOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Learned prompts: a prompt file, the folder of a run or of `export --to peft`, or a ViFi-CLIP .pth. May be repeated.", valueName: "path"))
    var prompts: [String] = []

    @Flag(help: anyBackboneHelp)
    var anyBackbone = false

    @Option(
        help: ArgumentHelp(
            "Class names: CSV with the header `id,name`; they may be other classes than those that the prompts were learned with. With several "
                + "--prompts one list for all, or one for each.",
            valueName: "csv"))
    var labels: [String] = []

    @Flag(help: "Allow the same --prompts twice, or a copy of them.")
    var allowRepeats = false

    @Option(help: ArgumentHelp("Words around a class name where no text prompts were learned, with {} in its place.", valueName: "words"))
    var template: String?

    @Option(help: "Frames of each video or window; as many as the prompts were learned with by default.")
    var frames: Int?

    @Option(help: ArgumentHelp("Clips in time × crops in space of each video, such as 4x3; windows take 1x1 or 1x3.", valueName: "views"))
    var views: Views?

    @Option(
        help: ArgumentHelp(
            "Look at this part of the pictures alone, counted from the upper left corner as they are shown, in pixels or percent: 320,180,640,360 or "
                + "25%,25%,50%,50%.",
            valueName: "x,y,w,h"))
    var region: ViewedRegion?

    @Option(help: "How frames come together; the prompt file's way by default.")
    var fusion: Fusion?

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        guard labels.count <= 1 || labels.count == prompts.count else {
            throw ValidationError("\(labels.count) --labels and \(prompts.count) --prompts: pass one class list for all, or one for each.")
        }
    }
}

/// Windows that slide over long videos.
struct WindowOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Label windows of this length, in time (2s, 500ms, 1.5min) or frames (48f), and join them to a time line.", valueName: "length"))
    var window: VideoSpan?

    @Option(help: ArgumentHelp("From the start of one window to that of the next; half a window by default.", valueName: "length"))
    var stride: VideoSpan?

    @Option(help: ArgumentHelp("Average each window with its neighbors: over how many, an odd number.", valueName: "windows"))
    var smooth = 1

    @Option(help: ArgumentHelp("Shortest segment of the time line, in time; shorter ones go to the longer neighbor.", valueName: "length"))
    var minLength: VideoSpan?

    func validate() throws {
        guard let window else {
            for (flag, isGiven) in [("--stride", stride != nil), ("--smooth", smooth != 1), ("--min-length", minLength != nil)] where isGiven {
                throw ValidationError("\(flag) is about windows: pass --window, such as --window 2s.")
            }
            return
        }
        if let stride, stride.unit != window.unit { throw ValidationError("--window and --stride are both times or both frames.") }
        guard smooth >= 1, smooth % 2 == 1, smooth < 10_000 else {
            throw ValidationError("--smooth is \(smooth); an odd number: a window and as many on each side.")
        }
        if let minLength, minLength.unit != .seconds { throw ValidationError("--min-length is a time, such as 1.5s.") }
    }

    /// Nil where whole videos are asked for.
    var spans: (window: VideoSpan, stride: VideoSpan)? {
        guard let window else { return nil }
        return (window, stride ?? window.halved)
    }

    var minimumSeconds: Double { minLength?.count ?? 0 }
}

/// When the answer is none of the classes.
struct AnswerOptions: ParsableArguments {
    @Option(name: [.customLong("top"), .customLong("top-k")], help: "Classes to show of each video or window.")
    var top = 5

    @Option(help: ArgumentHelp("Least probability of an answer, 0 to 1; below it the video shows none of the classes.", valueName: "probability"))
    var threshold: Float?

    @Option(help: ArgumentHelp("What videos of none of the classes are called.", valueName: "name"))
    var rejectLabel = "none of these"

    @Option(
        name: .customLong("none-prompt"),
        help: ArgumentHelp("A text for what is none of the classes, such as \"a person standing still\"; may be repeated.", valueName: "text"))
    var noneTexts: [String] = []

    func validate() throws {
        guard top >= 1 else { throw ValidationError("--top is \(top); it must be at least 1.") }
        if let threshold, !(0...1).contains(threshold) { throw ValidationError("--threshold is \(threshold); it must be between 0 and 1.") }
        guard !rejectLabel.isEmpty else { throw ValidationError("--reject-label is empty.") }
        guard noneTexts.allSatisfy({ !$0.trimmingCharacters(in: .whitespaces).isEmpty }) else {
            throw ValidationError("--none-prompt is empty.")
        }
    }

    var rule: RejectionRule { RejectionRule(threshold: threshold ?? 0) }
}

/// Many videos, and where their answers go.
struct BatchOptions: ParsableArguments {
    @Flag(help: "Also search folders inside folders.")
    var recursive = false

    @Flag(help: "Keep waiting for new videos in the folders until Ctrl-C.")
    var watch = false

    @Option(help: ArgumentHelp("With --watch: how often to look.", valueName: "time"))
    var every: VideoSpan = .seconds(2)

    @Option(help: ArgumentHelp("With --watch: a file is complete when it has not been written to for this long.", valueName: "time"))
    var settle: VideoSpan = .seconds(3)

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("File for the answers, one JSON object per line, such as answers.jsonl; videos that it already answers are skipped.", valueName: "jsonl"))
    var output: String?

    @Flag(help: "With --output: try videos again that could not be read the last time.")
    var retryFailed = false

    @Option(
        name: .customLong("on-bad-video"),
        help: ArgumentHelp("Videos that cannot be decoded: skip (report them and continue; the default) or fail.", valueName: "policy"))
    var badVideoPolicy: BadVideoPolicy = .skip

    @Flag(help: "Decode in separate processes, for untrusted videos: one that crashes the decoder affects no other.")
    var isolate = false

    func validate() throws {
        guard badVideoPolicy != .replace else { throw ValidationError("--on-bad-video is skip or fail here: no video stands for another.") }
        if let output {
            let ending = output.lastPathComponent.split(separator: ".").dropFirst().last.map { $0.lowercased() } ?? ""
            guard ["jsonl", "ndjson", "json"].contains(ending), !isDirectory(output) else {
                throw ValidationError(
                    "--output \(output.escapedForDisplay): the answers go to a file with one JSON object per line, so that the same command resumes where it "
                        + "stopped. Give it a name that ends with .jsonl. For a table write --csv > answers.csv.")
            }
        }
        guard output != nil || !retryFailed else { throw ValidationError("--retry-failed is about the videos in --output.") }
        for (flag, span) in [("--every", every), ("--settle", settle)] where span.unit != .seconds {
            throw ValidationError("\(flag) is a time, such as 2s.")
        }
    }
}

/// Forms of the answers.
struct AnswerFormOptions: ParsableArguments {
    @Flag(name: [.customLong("json"), .customLong("jsonl")], help: "Print one JSON object per video and line, with all windows.")
    var json = false

    @Flag(help: "Print a CSV table with a row per video or window.")
    var csv = false

    @Option(
        name: .customLong("save"),
        help: ArgumentHelp(
            "With --window: the time line as a file whose ending says its form: .srt, .vtt, .svg, .png, .csv or .json, .eaf (ELAN), .xml (CVAT), "
                + ".label-studio.json or .createml.json, or as .mp4 the video with its labels drawn on; {} stands for the video's name, {dir} for its folder. May be repeated.",
            valueName: "file"))
    var saved: [String] = []

    @Flag(help: "Overwrite files of --save.")
    var force = false

    func validate() throws {
        guard !(json && csv) else { throw ValidationError("--json and --csv exclude each other.") }
        for path in saved where TimelineFile(path) == nil && !LabeledVideo.isName(path) {
            let endings = TimelineFile.allCases.map(\.rawValue) + [LabeledVideo.ending]
            throw ValidationError("--save \(path): its ending is one of \(endings.map { "." + $0 }.joined(separator: ", ")).")
        }
    }
}
