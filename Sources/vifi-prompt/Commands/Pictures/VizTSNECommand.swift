import ArgumentParser
import Charts
import Evaluation
import Experiments
import Files
import Reports
import Tensors
import Training
import VideoData

struct VizTSNECommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tsne",
        abstract: "Lays videos out in the plane by their embeddings, and says how well clusters are classes.",
        discussion: """
              vifi-prompt viz tsne --test val.txt --labels labels.csv \\
                  --prompts prompts.safetensors -o tsne/

            Writes tsne.svg, tsne.png, tsne.csv (place and cluster of each video) and metrics.json: homogeneity, \
            completeness and V-measure (paper, table 11) of k-means clusters, as many as classes, among the embeddings \
            and in the plane. The same videos and seed give the same places on one machine.
            """)

    @OptionGroup(title: "Videos") var data: VideoListOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @Option(help: "Effective number of neighbors of a video; 30 by default, or a third of the videos if there are few.")
    var perplexity: Double?
    @Option(help: "Steps of t-SNE.")
    var iterations = 1000
    @Option(help: "Seed of k-means, and of t-SNE's start where videos do not spread.")
    var seed = 1
    @Option(help: ArgumentHelp("Up to this many videos all pairs are computed; beyond that the Barnes-Hut approximation is used.", valueName: "videos"))
    var exactLimit = 2000
    @Option(name: .shortAndLong, help: ArgumentHelp("Folder for what is written.", valueName: "folder"))
    var output = PictureOutput.folder.appendingPath("tsne")

    func validate() throws {
        try OutputFolder.check(output)
        try requireRange("--iterations", iterations, 1...100_000)
        guard seed >= 0 else { throw ValidationError("--seed is \(seed); it must be at least 0.") }
        try requireRange("--exact-limit", exactLimit, 0...20_000)
        if let perplexity, !(perplexity >= 1 && perplexity.isFinite) {
            throw ValidationError("--perplexity is \(perplexity); it must be at least 1.")
        }
    }

    func run() throws {
        // What cannot be written is said before videos are looked for.
        let drawing = TSNEDrawing(
            folder: output, perplexity: perplexity, iterations: iterations, seed: seed, exactLimit: exactLimit, context: .commandLine)
        try drawing.check()
        let inputs = model.inputs
        let pool = inputs.pool(.commandLine)
        try drawing.layOut(
            PictureData(
                data: data.inputs, model: inputs, prompts: prompts.prompts, anyBackbone: prompts.anyBackbone, template: data.template, pool: pool,
                context: .commandLine), pool: pool)
    }
}

/// The test videos of a picture.
struct VideoListOptions: ParsableArguments {
    @Option(
        name: [.customLong("test"), .customLong("val")],
        help: ArgumentHelp("Videos: lines `path label`, labels counted from 0; those of the newest run by default, `pocket` for the pocket world's.", valueName: "list"))
    var test: String?

    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON; the row is the label.", valueName: "csv"))
    var labels: String?

    @Option(help: ArgumentHelp("Folder that the paths in the list start from; the list's own folder by default.", valueName: "folder"))
    var root: String?

    @Option(help: "Frames of a video; as many as the prompts were learned with by default.")
    var frames: Int?

    @Option(help: ArgumentHelp("Words around a class name where no text prompts are learned, with {} in its place.", valueName: "words"))
    var template: String?

    @Flag(help: "Allow the list to reach videos outside the root through symbolic links.")
    var followLinks = false

    @Option(
        name: .customLong("on-bad-video"),
        help: ArgumentHelp("Videos that cannot be decoded: fail (the default) or skip.", valueName: "policy"))
    var badVideoPolicy: BadVideoPolicy?

    func validate() throws {
        try requireRange("--frames", frames, 1...1024)
        guard test == nil || labels != nil || test == PocketHome.name else { throw ValidationError("The list's class names are missing; pass --labels CSV.") }
    }

    var inputs: PictureVideos {
        PictureVideos(
            list: test, labels: labels,
            videos: VideoInputs(root: root, frames: frames, followLinks: followLinks, badVideoPolicy: badVideoPolicy))
    }
}
