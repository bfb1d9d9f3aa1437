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

            With --blend two of them are mixed weight by weight: a fine-tuned CLIP that is half the original knows more of \
            what it was not tuned on.

              vifi-prompt import --blend 0.5 clip.safetensors bridged.safetensors

            With --lora low-rank updates are merged into the backbone that they were learned on: those of bridge --tuning lora, or \
            CLIP-LoRA's.

              vifi-prompt import clip.safetensors --lora lora_weights.pt

            The file goes to Checkpoints/NAME.safetensors. docs/checkpoints.md says what can be read.
            """)

    @Argument(help: ArgumentHelp("A file, or a folder of Hugging Face or open_clip; two with --blend.", valueName: "path"))
    var sources: [String]

    @OptionGroup(title: "Mixing") var mixing: BlendOptions

    @Option(help: ArgumentHelp("Low-rank updates that are merged into the backbone.", valueName: "file"))
    var lora: String?

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
            "The vocabulary, to be kept beside the backbone: CLIP's bpe_simple_vocab_16e6.txt.gz, merges.txt or tokenizer.json; of a SigLIP "
                + "its own tokenizer.json or spiece.model.",
            valueName: "file"))
    var vocabulary: String?

    @Option(help: "The MLPs' activation, for CLIPs that do not say it.")
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
        guard lora == nil || mixing.blend == nil && clip == nil && prefix == nil && heads == nil else {
            throw ValidationError("--lora is for one backbone: leave out --blend, --clip, --prefix and --heads.")
        }
        guard mixing.blend != nil else {
            guard sources.count == 1 else { throw ValidationError("import takes one CLIP, or two with --blend.") }
            return
        }
        guard sources.count == 2 else { throw ValidationError("--blend takes two backbones: the original, then what it was fine-tuned to.") }
        guard clip == nil, prefix == nil, heads == nil else {
            throw ValidationError("--clip, --prefix and --heads are for one CLIP: import each of the two first, then mix their files.")
        }
    }

    func run() throws {
        guard mixing.blend == nil else {
            return try BlendImport(
                original: sources[0], tuned: sources[1], options: mixing, name: name, output: output, vocabulary: vocabulary,
                activation: activation, isHalf: half, force: force, json: json
            ).run()
        }
        if let lora {
            return try LowRankImport(
                source: sources[0], updates: lora, name: name, output: output, vocabulary: vocabulary, activation: activation, isHalf: half,
                force: force, json: json
            ).run()
        }
        try BridgeImport(
            source: sources[0], clip: clip, prefix: prefix, vocabulary: vocabulary, name: name, output: output, activation: activation,
            heads: heads, isHalf: half, force: force, json: json
        ).run()
    }
}
