import ArgumentParser

/// Pictures of what a model sees, of what it learned and of how it errs.
struct VizCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "viz",
        abstract: "Draws attention maps, t-SNE, confusion, learning curves and class frequencies.",
        discussion: """
            Without arguments each draws the newest run with its own lists, and where there is none the pocket world. Charts are written as SVG and PNG, video \
            strips as PNG, videos as MP4; into the folder pictures/ unless -o says otherwise.

              vifi-prompt viz attention CLIP.mp4 \\
                  --prompts runs/learn/prompts/best.safetensors -o attention.png
              vifi-prompt viz tsne --test val.txt --labels labels.csv \\
                  --prompts prompts.safetensors
              vifi-prompt viz curves runs/learn runs/learn-2
            """,
        subcommands: [
            VizAttentionCommand.self, VizTSNECommand.self, VizConfusionCommand.self, VizCurvesCommand.self, VizClassesCommand.self,
        ])
}
