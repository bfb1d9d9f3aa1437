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
            learns prompt tokens from a few clips a class. The prompt file is small and works with the \
            backbone that it was learned on.

            Without files of your own, every command works on the built-in pocket world and says so.
            """,
        version: vifiPromptVersion,
        subcommands: [
            BridgeCommand.self, LearnCommand.self, EvaluateCommand.self, PredictCommand.self, ThresholdsCommand.self, ExportCommand.self,
            InspectCommand.self, DataCommand.self, DemoCommand.self, RecipeCommand.self, PlanCommand.self, SummariseCommand.self,
            BenchCommand.self, ProfileCommand.self, AblateCommand.self, VizCommand.self, ReportCommand.self, DoctorCommand.self,
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
        do {
            var command = try parseAsRoot(Array(processArguments.dropFirst()))
            try command.run()
            Ranks.leave()
        } catch let error as any ReportableError {
            Ranks.end(error)
        } catch {
            Ranks.leave()
            // Of several processes the first says it.
            if Console.isQuiet.load(ordering: .relaxed) { Foundation.exit(exitCode(for: error).rawValue) }
            exit(withError: error)
        }
    }
}
