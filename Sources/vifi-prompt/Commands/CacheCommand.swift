import ArgumentParser
import Experiments
import Files
import Foundation

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

        @Flag(help: jsonHelp)
        var json = false

        /// What `--json` prints.
        private struct Report: Encodable {
            struct Entry: Encodable {
                let folder: String
                /// Nil where the folder does not say what its features are of.
                let backbone: String?
                let backboneSha256: String?
                let frames: Int?
                let precision: String?
                let bytes: Int
                /// In seconds since 1970.
                let modified: Double
            }
            let folder: String
            let limitBytes: Int
            let entries: [Entry]
        }

        func run() throws {
            let entries = FeatureCache.entries()
            guard !json else { return try Console.json(report(entries)) }
            guard !entries.isEmpty else { return Console.result("\(FeatureCache.root): no features.") }
            let rows = entries.map { entry in
                [
                    entry.space?.backbone.escapedForDisplay ?? "unknown", entry.space.map { "\($0.frames)" } ?? "", entry.space?.precision ?? "",
                    bytes(entry.byteCount), entry.folder,
                ]
            }
            Console.result(alignedTable([["backbone", "frames", "precision", "size", "folder"]] + rows))
        }

        private func report(_ entries: [FeatureCache.Entry]) -> Report {
            Report(
                folder: FeatureCache.root, limitBytes: FeatureCache.standardLimit,
                entries: entries.map { entry in
                    .init(
                        folder: entry.folder, backbone: entry.space?.backbone, backboneSha256: entry.space?.backboneSHA256,
                        frames: entry.space?.frames, precision: entry.space?.precision, bytes: entry.byteCount,
                        modified: entry.lastUse.timeIntervalSince1970)
                })
        }
    }

    struct Clear: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Removes all that no other process is using.")

        @Flag(help: jsonHelp)
        var json = false

        /// What `--json` prints.
        private struct Report: Encodable {
            let folder: String
            let freedBytes: Int
        }

        func run() throws {
            let freed = FeatureCache.clear()
            if json { return try Console.json(Report(folder: FeatureCache.root, freedBytes: freed)) }
            Console.result("\(bytes(freed)) freed.")
        }
    }
}
