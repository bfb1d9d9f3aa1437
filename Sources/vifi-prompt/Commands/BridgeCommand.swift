import ArgumentParser
struct BridgeCommand: ParsableCommand { static let configuration = CommandConfiguration(commandName: "bridge", abstract: "") }
