import ArgumentParser
import Experiments
import Files
import Foundation
import Recipes
import VideoData

/// What embed and search look with, and how.
struct FeatureOptions: ParsableArguments {
    @OptionGroup var model: ModelOptions
    @Option(help: "Frames of each video or window; as many as the model is used to by default.")
    var frames: Int?

    func validate() throws { try requireRange("--frames", frames, 1...1024) }

    /// The backbone that is named, else that of the newest run, else the pocket world's.
    func source(_ videos: VideoInputs, context: RunContext) throws -> (source: FeatureSource, model: LoadedModel) {
        let selection = try Selection(
            prompts: nil, backbone: model.backbone, namesData: false, without: true, context: context)
        let loaded = try LoadedModel(
            prompts: nil, backbone: selection.backbonePath(), vocabulary: model.vocabulary, activation: model.activation,
            precision: model.precision, context: context)
        try loaded.backbone.requireFramesAlone(for: "videos are embedded and searched")
        var settings = Recipe()
        videos.apply(to: &settings)
        settings.data.frames = frames
        return (FeatureSource(loaded, settings: settings, videos: videos, pool: model.pool, context: context), loaded)
    }
}

/// Features of videos for other programs.
struct EmbedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "embed",
        abstract: "Writes what the vision tower makes of videos to a NumPy archive, for other programs.",
        discussion: """
              vifi-prompt embed clips/ --backbone clip.safetensors --output clips.npz
              vifi-prompt embed train.txt --labels labels.csv --backbone clip.safetensors \\
                  --output train.npz

            Of each video there is the mean of its frames' features, not normalized: embeddings after the tower's projection, \
            unprojected before it; with them the videos' names, their labels where there are any, and what they were made \
            with. Features are those of the feature cache, which `learn --method`, `search` and `eval` share.
            """)

    @Argument(help: ArgumentHelp("A folder of videos, whose inner folders are their classes, a tar archive, a list or a video.", valueName: "videos"))
    var videos: String

    @Option(help: ArgumentHelp("Class names of a list: CSV with the header `id,name`.", valueName: "csv"))
    var labels: String?

    @Option(help: ArgumentHelp("Folder or tar archive that the paths in a list start from; the list's own folder by default.", valueName: "folder"))
    var root: String?

    @Option(
        name: .customLong("on-bad-video"),
        help: ArgumentHelp("Videos that cannot be decoded: fail (the default) or skip.", valueName: "policy"))
    var badVideoPolicy: BadVideoPolicy = .fail

    @Option(name: .shortAndLong, help: ArgumentHelp("The archive, which ends with .npz.", valueName: "npz"))
    var output: String

    @Flag(help: "Overwrite the output.")
    var force = false

    @Flag(help: jsonHelp)
    var json = false

    @OptionGroup(title: "Model") var look: FeatureOptions

    func validate() throws {
        guard output.lowercased().hasSuffix(".npz") else {
            throw ValidationError("--output \(output.escapedForDisplay): features go to a NumPy archive; give it a name that ends with .npz.")
        }
        guard badVideoPolicy != .replace else { throw ValidationError("--on-bad-video is fail or skip here: no video stands for another.") }
    }

    func run() throws {
        let context = RunContext.commandLine
        if fileExists(output) {
            try refuseOverInputs([output], inputs: [videos, labels, look.model.backbone].compactMap(\.self))
            guard force else { throw ExportError.exists(path: output) }
        }
        try createDirectory(output.parentDirectory)
        // Before videos are looked at, not after it.
        try proveWritable(file: output)
        let inputs = VideoInputs(root: root, badVideoPolicy: badVideoPolicy)
        let collection = try VideoCollection(videos, labels: labels, videos: inputs, context: context)
        var source = try look.source(inputs, context: context).source
        if badVideoPolicy == .skip { source.passOverBadVideos() }
        let embedded = try EmbeddedVideos(collection, pass: FeaturePass(source))
        for bad in embedded.unreadable { context.warning(.data(.unreadable(bad, .notEmbedded))) }
        let written = Embeddings(
            file: output, videos: embedded.names.count, width: embedded.vectors.projected.columnCount, unreadable: embedded.unreadable.map(\.name),
            sha256: try embedded.write(to: output))
        if json { try Console.json(written) } else { Console.result(written.text) }
    }
}

/// What was written. Keys as `--json` prints them.
private struct Embeddings: Encodable {
    let file: String
    let videos: Int
    let width: Int
    let unreadable: [String]
    let sha256: String

    var text: String { "\(file.escapedForDisplay): \(counted(videos, "video", "videos")) × \(width), SHA-256 \(sha256)" }
}
