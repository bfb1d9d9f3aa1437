import ArgumentParser

@main
struct VifiPromptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vifi-prompt", abstract: "Adapts CLIP to video on CPUs.")
}
