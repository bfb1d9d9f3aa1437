import ArgumentParser
import CLIPModel
import Files
import Foundation
import Training

@main
struct VifiPromptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vifi-prompt",
        abstract: "Adapts CLIP to video with very little data, on CPUs.",
        discussion: """
            Two stages: `bridge` fine-tunes CLIP on videos (or takes a CLIP that was), `learn` freezes it and \
            learns prompt tokens from a few clips per class. The prompt file is small and works with the \
            backbone that it was learned on.

            Without files of your own, every command works on the built-in pocket world and says so.
            """,
        version: vifiPromptVersion,
        subcommands: [
            ImportCommand.self, BridgeCommand.self, LearnCommand.self, EvaluateCommand.self, PredictCommand.self, ServeCommand.self, SearchCommand.self, EmbedCommand.self, ThresholdsCommand.self, ExportCommand.self,
            InspectCommand.self, DataCommand.self, DemoCommand.self, RecipeCommand.self, PlanCommand.self, SummarizeCommand.self,
            BenchCommand.self, ProfileCommand.self, AblateCommand.self, VizCommand.self, ReportCommand.self, CacheCommand.self, DoctorCommand.self,
        ])

    /// Runs the command; what a person or a file can cause ends with its own words and exit status.
    static func main() {
        AddressSpace.startWithoutThreadsOfBLAS()
        AddressSpace.endWithoutWaiting()
        StandardStream.reserveDescriptors()
        Interruption.useOwnThread()
        // A file size limit then fails the write, which is reported, instead of ending the process.
        signal(SIGXFSZ, SIG_IGN)
        Ranks.quieten(processArguments)
        let words = CommandWords.joiningNegativeNumbers(Array(processArguments.dropFirst()))
        do {
            var command = try parsed(words)
            do {
                try command.run()
            } catch let error as ValidationError {
                // The parser would show the usage of the whole program.
                throw CommandWords.Unknown(problem: error.message, command: CommandWords()?.path(of: words) ?? ["vifi-prompt"])
            }
            Ranks.leave()
        } catch let error as any ReportableError {
            if words.contains(where: ["--json", "--jsonl"].contains) { Console.jsonFailure(error) }
            Ranks.end(error)
        } catch let error as CommandWords.Unknown {
            Ranks.leave()
            if !Console.isQuiet.load(ordering: .relaxed) { StandardStream.error.write(error.text) }
            Foundation.exit(Files.ExitStatus.usage.rawValue)
        } catch {
            Ranks.leave()
            // Of several processes the first says it.
            if Console.isQuiet.load(ordering: .relaxed) { Foundation.exit(exitCode(for: error).rawValue) }
            exit(withError: error)
        }
    }

    /// What the parser answers by itself, for shells and for the manual.
    private static let generators = ["--generate-completion-script", "--experimental-dump-help"]

    private static func parsed(_ words: [String]) throws -> any ParsableCommand {
        if let first = words.first, generators.contains(where: first.hasPrefix) { return try parseAsRoot(words) }
        // Asked for help about a command that is not there, the parser would show the help of all.
        if words.contains(where: ["help", "--help", "-h"].contains) { try CommandWords()?.check(words) }
        do {
            return try parseAsRoot(words)
        } catch {
            let commandWords = CommandWords()
            try commandWords?.check(words)
            try commandWords?.checkValue(words, message: message(for: error))
            throw error
        }
    }
}
