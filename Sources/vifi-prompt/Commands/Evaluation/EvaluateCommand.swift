import ArgumentParser
import Experiments

/// Scores models on lists of videos, in the settings of the paper.
struct EvaluateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "evaluate",
        abstract: "Scores a test list, or runs one of the paper's four settings.",
        discussion: """
            Without a subcommand it scores one list. The others are the paper's settings: what to score, what to learn \
            before, and what to average.

              vifi-prompt eval --prompts p.safetensors --test val.txt --labels labels.csv
              vifi-prompt evaluate zero-shot --test val1.txt --test val2.txt \\
                --test val3.txt --labels labels.csv --backbone clip.safetensors
              vifi-prompt evaluate base-to-novel --train train.txt --test val.txt \\
                --labels labels.csv --backbone clip.safetensors
              vifi-prompt evaluate few-shot --shots 2,4,8,16 --train train.txt \\
                --test val.txt --labels labels.csv --backbone clip.safetensors
              vifi-prompt evaluate supervised --test val.txt --labels labels.csv \\
                --backbone bridged.safetensors

            Without lists each runs on the built-in pocket world. docs/settings.md explains them and what they leave behind.
            """,
        subcommands: [
            EvaluateListCommand.self, EvaluateZeroShotCommand.self, EvaluateBaseToNovelCommand.self, EvaluateFewShotCommand.self,
            EvaluateSupervisedCommand.self, EvaluateRetrievalCommand.self,
        ],
        defaultSubcommand: EvaluateListCommand.self,
        aliases: ["eval"])
}
