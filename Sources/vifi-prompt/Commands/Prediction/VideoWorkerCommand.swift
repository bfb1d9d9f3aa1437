import ArgumentParser
import Experiments

/// Decodes videos for a process that does not trust them; `predict --isolate` starts it.
struct VideoWorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: VideoWorker.commandName, abstract: "Decodes videos for `predict --isolate`.", shouldDisplay: false)

    func run() throws { try VideoWorker().serve() }
}
