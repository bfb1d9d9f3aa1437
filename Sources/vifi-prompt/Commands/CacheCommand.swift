import ArgumentParser
import Experiments
import Files

/// The features that `learn --method` keeps.
struct CacheCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cache",
        abstract: "Lists or removes the features of clips that `learn --method` keeps on disk.",
        discussion: """
              vifi-prompt cache list
              vifi-prompt cache clear

            Features are computed anew where they are missing; nothing else is lost. docs/heads.md explains them.
            """,
        subcommands: [List.self, Clear.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What is kept, the newest first.")

        func run() throws {
            let entries = FeatureCache.entries()
            guard !entries.isEmpty else { return Console.result("\(FeatureCache.root): no features.") }
            let rows = entries.map { entry in
                [
                    entry.space?.backbone.escapedForDisplay ?? "unknown", entry.space.map { "\($0.frames)" } ?? "", entry.space?.precision ?? "",
                    bytes(entry.byteCount), entry.folder,
                ]
            }
            Console.result(alignedTable([["backbone", "frames", "precision", "size", "folder"]] + rows))
        }
    }

    struct Clear: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Removes all that no other process is using.")

        func run() throws { Console.result("\(bytes(FeatureCache.clear())) freed.") }
    }
}
