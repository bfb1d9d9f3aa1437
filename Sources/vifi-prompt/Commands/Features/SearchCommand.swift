import ArgumentParser
import Evaluation
import Experiments
import Files
import Foundation
import Reports
import VideoData

/// Videos by what they show.
struct SearchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "search",
        abstract: "Ranks the videos of a folder, or windows of them, by a text or by an example.",
        discussion: """
              vifi-prompt search "a person falls" clips/ --backbone clip.safetensors
              vifi-prompt search --like example.mp4 clips/ --window 2s --save hits.csv

            What the vision tower makes of the videos is kept in the feature cache: the first search looks at all of them, \
            later ones take seconds, whatever they look for. A cosine is no probability: it tells one video from another, \
            and says little by itself.
            """)

    @Argument(help: ArgumentHelp("What to look for, in words, and where: a folder of videos, a tar archive, a list or a video. With --like the place alone.", valueName: "text> <videos"))
    var words: [String]

    @Option(help: ArgumentHelp("Look for videos like this one, instead of a text.", valueName: "video"))
    var like: String?

    @Option(help: "Places to show.")
    var top = 10

    @Option(help: ArgumentHelp("Look at windows of this length, in time (2s, 500ms) or frames (48f), instead of whole videos.", valueName: "length"))
    var window: VideoSpan?

    @Option(help: ArgumentHelp("From the start of one window to that of the next; half a window by default.", valueName: "length"))
    var stride: VideoSpan?

    @Flag(help: "Print one JSON document, with all places.")
    var json = false

    @Option(
        name: .customLong("save"),
        help: ArgumentHelp(
            "All places as a table, .csv, or as JSON, .json; with --window the places shown as subtitles, .srt or .vtt, where {} stands for "
                + "the video's name and {dir} for its folder. May be repeated.",
            valueName: "file"))
    var saved: [String] = []

    @Flag(help: "Overwrite files of --save.")
    var force = false

    @OptionGroup(title: "Model") var look: FeatureOptions

    private var query: VideoSearch.Query { like.map { .video($0) } ?? .text(words[0]) }
    private var place: String { words[words.count - 1] }

    func validate() throws {
        guard words.count == (like == nil ? 2 : 1) else {
            throw ValidationError(
                like == nil ? "Pass what to look for and where: search \"a person falls\" clips/." : "With --like pass the place to look in alone: search --like example.mp4 clips/.")
        }
        try requireRange("--top", top, 1...1_000_000)
        if let stride {
            guard let window else { throw ValidationError("--stride is about windows: pass --window, such as --window 2s.") }
            guard stride.unit == window.unit else { throw ValidationError("--window and --stride are both times or both frames.") }
        }
        for path in saved {
            guard let form = SearchFile(path) else {
                throw ValidationError("--save \(path.escapedForDisplay): its ending is one of \(SearchFile.allCases.map { "." + $0.rawValue }.joined(separator: ", ")).")
            }
            guard !form.isSubtitles || window != nil else { throw ValidationError("--save \(path.escapedForDisplay): subtitles are of windows; pass --window, such as --window 2s.") }
        }
    }

    func run() throws {
        let context = RunContext.commandLine
        for path in saved where !path.contains("{") {
            guard force || !fileExists(path) else { throw TimelineFileError.exists(path: path) }
            try createDirectory(path.parentDirectory)
            try proveWritable(file: path)
        }
        if let like, FoundVideo(path: like) == nil { throw FileError(path: like, problem: .missing) }
        let inputs = VideoInputs(badVideoPolicy: .skip)
        let collection = try VideoCollection(place, labels: nil, videos: inputs, context: context)
        var (source, model) = try look.source(inputs, context: context)
        source.passOverBadVideos()
        let spans = window.map { (window: $0, stride: stride ?? $0.halved) }
        let search = try VideoSearch(query, in: collection, spans: spans, source: source, tokenizer: model.tokenizer)
        let result = SearchResult(query: like ?? words[0], isExample: like != nil, videos: place, hits: search.hits)
        if json { try Console.json(result) } else { Console.result(result.table(top: top)) }
        for path in saved {
            for file in try SearchFile(path)?.write(result, top: top, root: collection.list.root, to: path, force: force) ?? [] {
                Console.note("Wrote \(file.escapedForDisplay)")
            }
        }
    }
}
