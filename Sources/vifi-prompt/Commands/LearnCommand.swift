import ArgumentParser
struct LearnCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "learn", abstract: "") }
