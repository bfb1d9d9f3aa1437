import Foundation
import TestSupport
import Testing

/// The help of every command, compared whole with `Tests/Fixtures/help`.
///
/// After a change that is meant: `VIFI_PROMPT_RECORD_HELP=1 swift test -c release --filter HelpTests`,
/// then read the difference before it is committed.
@Suite(.serialized) struct HelpTests {
    static let commands = [
        "", "import", "bridge", "learn", "evaluate", "evaluate list", "evaluate zero-shot", "evaluate base-to-novel", "evaluate few-shot",
        "evaluate supervised", "evaluate retrieval", "predict", "serve", "search", "embed", "thresholds", "export", "inspect", "demo", "demo videos",
        "demo pretrain", "demo late",
        "demo report", "demo table", "recipe", "recipe list", "recipe show", "recipe check",
        "recipe import", "data", "data init", "data import", "data split", "data stats", "data check",
        "plan", "plan learn", "plan bridge", "plan evaluate", "plan evaluate list", "plan evaluate zero-shot", "plan evaluate base-to-novel",
        "plan evaluate few-shot", "plan evaluate supervised", "plan evaluate retrieval", "plan ablate",
        "plan demo", "plan demo pretrain", "plan demo table", "plan demo late", "plan demo report", "doctor", "bench", "bench learn",
        "bench bridge", "bench predict", "bench features", "bench threads", "bench decode",
        "profile", "ablate", "viz", "viz attention", "viz tsne", "viz confusion", "viz curves", "viz classes", "report", "summarize",
        "cache", "cache list", "cache clear",
    ]

    @Test(arguments: commands)
    func helpIsAsRecorded(_ command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let outcome = try Program().run(words + ["--help"])
        #expect(outcome.status == 0)
        #expect(outcome.messages == "")
        let name = (["vifi-prompt"] + words).joined(separator: "-")
        let file = URL(fileURLWithPath: fixturePath("help/\(name).txt"))
        if ProcessInfo.processInfo.environment["VIFI_PROMPT_RECORD_HELP"] == "1" {
            try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try outcome.output.write(to: file, atomically: true, encoding: .utf8)
        }
        let recorded = try? String(contentsOf: file, encoding: .utf8)
        #expect(outcome.output == recorded, "if this is meant, record it as described above")
    }

    @Test(arguments: ["", "bench", "demo", "recipe", "data", "plan", "plan evaluate", "plan demo", "evaluate", "viz", "cache"])
    func everySubcommandIsAmongThem(_ command: String) throws {
        let help = try Program().run(command.split(separator: " ").map(String.init) + ["--help"]).output
        let list = help.components(separatedBy: "SUBCOMMANDS:\n").last?.components(separatedBy: "\n\n").first ?? ""
        // Descriptions that go on in a second line stand further in.
        let names = list.split(separator: "\n").filter { !$0.hasPrefix("   ") }.compactMap { $0.split { " ,".contains($0) }.first }
        let prefix = command.isEmpty ? "" : command + " "
        let known = Self.commands.filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count) }
        #expect(Set(names) == Set(known.filter { !$0.isEmpty && !$0.contains(" ") }))
    }

    /// In a terminal of 80 columns no example is wrapped, and none leaves anything out.
    @Test(arguments: commands) func examplesCanBePasted(_ command: String) throws {
        let words = command.split(separator: " ").map(String.init)
        let help = try Program().run(words + ["--help"], environment: ["COLUMNS": "80"]).output
        let lines = help.components(separatedBy: "\n")
        var isExample = false
        for (line, next) in zip(lines, lines.dropFirst()) {
            isExample = line.hasPrefix("  vifi-prompt ") && !line.hasPrefix("  vifi-prompt  ") || isExample && line.hasPrefix("   ")
            guard isExample else { continue }
            #expect(!line.contains("…") && !line.contains("FILE"), "\(line)")
            #expect(next.isEmpty || next.hasPrefix(" "), "\(line) is wrapped: \(next)")
            if next.hasPrefix("   ") { #expect(line.hasSuffix(" \\"), "\(line) goes on without a backslash: \(next)") }
        }
    }

    @Test func version() throws {
        #expect(try Program()("--version").output == "0.1.0\n")
    }
}
