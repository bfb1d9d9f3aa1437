import ArgumentParser
import CLIPModel
import Tensors

/// Somebody's CLIP as a backbone file; `bridge --import` is another way to write it.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Makes a backbone file of somebody's CLIP: OpenAI, open_clip, ViFi-CLIP, Hugging Face.",
        discussion: """
              vifi-prompt import ViT-B-16.pt
              vifi-prompt import vifi_clip.pth --clip ViT-B-16.pt --name vifi-clip

            The file goes to Checkpoints/NAME.safetensors. docs/checkpoints.md says what can be read.
            """)

    @Argument(help: ArgumentHelp("A file, or a folder of Hugging Face or open_clip.", valueName: "path"))
    var source: String

    @Option(help: ArgumentHelp("The CLIP with the token table that ViFi-CLIP's checkpoints lack.", valueName: "path"))
    var clip: String?

    @Option(help: ArgumentHelp("Name of the backbone, recorded in its file; the source's by default.", valueName: "name"))
    var name: String?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Where the backbone goes; Checkpoints/NAME.safetensors by default.", valueName: "file"))
    var output: String?

    @Flag(help: "Keep the weights in half precision: a file of half the size.")
    var half = false

    @Option(
        help: ArgumentHelp(
            "CLIP's vocabulary, to be kept beside the backbone: bpe_simple_vocab_16e6.txt.gz, merges.txt or tokenizer.json.",
            valueName: "file"))
    var vocabulary: String?

    @Option(help: "The MLPs' activation, for CLIPs that do not say it: quick_gelu or gelu.")
    var activation: Activation?

    @Option(
        help: ArgumentHelp(
            "Attention heads of the image and the text tower, such as 12,8, for CLIPs that do not say it.", valueName: "numbers"),
        transform: HeadCounts.parsed)
    var heads: HeadCounts?

    @Option(
        help: ArgumentHelp(
            "Where a file holds several CLIPs, such as a model and its average: what the names of the one that is meant start with.",
            valueName: "prefix"))
    var prefix: String?

    @Flag(help: "Overwrite the backbone file.")
    var force = false

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        try BridgeImport.check(name: name)
    }

    func run() throws {
        try BridgeImport(
            source: source, clip: clip, prefix: prefix, vocabulary: vocabulary, name: name, output: output, activation: activation,
            heads: heads, isHalf: half, force: force, json: json
        ).run()
    }
}
