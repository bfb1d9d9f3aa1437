import ArgumentParser
import Experiments
import Files
import Foundation
import Recipes
import Serve
import Training
import VideoData

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Opens a page to collect clips, learn from them and try what was learned; and answers programs over HTTP.",
        discussion: """
              vifi-prompt serve
              vifi-prompt serve --backbone clip.safetensors --prompts runs/mine --port 9000
              curl --data-binary @a.mp4 'http://127.0.0.1:8080/v1/predict?classes=walking,running'

            Open the address that it prints in a browser of this machine. Nothing leaves the machine, and nobody else can ask: \
            other addresses than 127.0.0.1 need --token. With --allow-fetch it is a machine learning backend of Label Studio. Data sets and what is learned from them are kept in the folder of --output. \
            Ctrl-C ends the server. docs/serve.md explains the page, the HTTP interface and its limits.
            """)

    @Option(help: ArgumentHelp("Learned prompts or heads that answer: files, folders of runs, or any other folder, whose files answer while they are there. May be repeated.", valueName: "path"))
    var prompts: [String] = []

    @Option(
        name: .shortAndLong, help: ArgumentHelp("The folder for data sets, runs and what they learn.", valueName: "folder"))
    var output = "runs/serve"

    @Option(help: ArgumentHelp("The port; 0 takes any that is free.", valueName: "number"))
    var port = 8080

    @Option(help: ArgumentHelp("The address to listen at. Any but this machine's own needs --token.", valueName: "address"))
    var host = "127.0.0.1"

    @Option(
        help: ArgumentHelp(
            "What clients must know: at least 16 characters, or `new` for one that is drawn and printed. \(serverTokenVariable) in the environment says it where other users of the machine do not see it.",
            valueName: "token"))
    var token: String?

    @Option(
        name: .customLong("allow-host"),
        help: ArgumentHelp("A further name by which clients may call the server, such as that of a proxy. May be repeated.", valueName: "name"))
    var hosts: [String] = []

    @Option(
        help: ArgumentHelp(
            "Fetch the videos of Label Studio's tasks from this one place, such as http://127.0.0.1:8080; from nowhere by default. The environment variable "
                + "LABEL_STUDIO_API_KEY is sent along.", valueName: "origin"))
    var allowFetch: String?

    @Option(
        name: .customLong("source"),
        help: ArgumentHelp(
            "A live source under a name, such as gate=rtsp://camera/stream: clients of the server follow what is seen there, and are told the name alone. May be repeated.",
            valueName: "name=address"))
    var sources: [String] = []

    @Option(help: "Frames of each video; as many as prompts were learned with, else 16, by default.")
    var frames: Int?

    @OptionGroup(title: "Model") var model: ModelOptions

    func validate() throws {
        try requireRange("--port", port, 0...65_535)
        try requireRange("--frames", frames, 1...1024)
        _ = try namedSources()
        let (token, source) = givenToken
        if let token, token != "new", token.utf8.count < 16 { throw ValidationError("\(source) has \(token.utf8.count) characters; it must have 16 at least. --token new draws one.") }
        let marks = Array("-._~".utf8)
        if let token, !token.utf8.allSatisfy({ (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || marks.contains($0) }) {
            throw ValidationError("\(source) may hold letters, digits, hyphens, dots, underscores and tildes, which need no code in an address.")
        }
        guard token != nil || ["127.0.0.1", "localhost", "::1"].contains(host) else {
            throw ValidationError("--host \(host) lets other machines ask: pass --token, such as --token new.")
        }
    }

    private var givenToken: (token: String?, source: String) {
        if let token { return (token, "--token") }
        let variable = ProcessInfo.processInfo.environment[serverTokenVariable] ?? ""
        return (variable.isEmpty ? nil : variable, serverTokenVariable)
    }

    func run() throws {
        Interruption.install()
        let context = RunContext.commandLine
        let selection = try Selection(
            prompts: prompts.first, backbone: model.backbone, namesData: false, context: context)
        let named = prompts.first.flatMap { model.backbone == nil ? KeptRun.holding($0)?.recordedBackbone : nil }
        guard let backbone = try model.backbone ?? named ?? selection.backbonePath() ?? selection.run?.recordedBackbone else {
            throw ServeError.noBackbone(prompts: prompts.first ?? "")
        }
        var settings = ServerSettings(folder: output, model: model.inputs)
        settings.host = host
        settings.port = port
        let token = givenToken.token
        settings.token = token == "new" ? Self.drawnToken() : token
        settings.hosts = hosts
        settings.sources = try namedSources()
        settings.fetchOrigin = allowFetch
        settings.fetchKey = allowFetch == nil ? nil : ProcessInfo.processInfo.environment[labelStudioKeyVariable].flatMap { $0.isEmpty ? nil : $0 }
        settings.prompts = prompts.isEmpty ? [selection.prompts].compactMap(\.self) : prompts
        settings.frames = frames
        let server = try PromptServer(settings, backbone: backbone, logger: Console.logger(label: "serve"), context: context)
        // A token of the environment is kept out of logs, where a service's output goes; one that was drawn is told nowhere else.
        let (host, shown) = (host.contains(":") ? "[\(host)]" : host, self.token == nil && token != "new" ? nil : settings.token)
        let ending = Ending()
        Task.detached {
            do {
                try await server.run(
                    onStart: { port in
                        let address = "http://\(host):\(port)/"
                        Console.result(address + (shown.map { "?token=\($0)" } ?? ""))
                        Console.note("Open this address in a browser. Ctrl-C ends the server.")
                    }, isStopped: { Interruption.isRequested })
                ending.end(nil)
            } catch {
                ending.end(error)
            }
        }
        // What was cut off when the time to end was over is no fault.
        if let error = ending.wait(), !Interruption.isRequested { throw ServeError(error, host: self.host, port: port) }
    }

    private func namedSources() throws -> [(name: String, address: LiveAddress)] {
        var found: [(name: String, address: LiveAddress)] = []
        for text in sources {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2, (1...64).contains(parts[0].utf8.count), parts[0].utf8.allSatisfy({ (48...57).contains($0) || (65...90).contains($0) || (97...122).contains($0) || $0 == 45 || $0 == 95 })
            else { throw ValidationError("--source takes a name of letters, digits, hyphens and underscores, and an address, such as gate=rtsp://camera/stream.") }
            guard let address = try LiveAddress(parts[1]), address.kind != .standardInput else {
                throw ValidationError("--source \(parts[0])=…: is no address of a live source. Such begin with rtsp://, http:// or https://; a camera of this machine is /dev/video0 and the like.")
            }
            guard !found.contains(where: { $0.name == parts[0] }) else { throw ValidationError("--source \(parts[0])=… is given twice. Choose another name.") }
            found.append((parts[0], address))
        }
        return found
    }

    /// 128 bits.
    private static func drawnToken() -> String {
        (0..<2).map { _ in String(format: "%016llx", UInt64.random(in: .min ... .max)) }.joined()
    }
}

/// Waits for work that another thread does.
private final class Ending: @unchecked Sendable {
    private let isOver = DispatchSemaphore(value: 0)
    private var error: (any Error)?

    func end(_ error: (any Error)?) {
        self.error = error
        isOver.signal()
    }

    func wait() -> (any Error)? {
        isOver.wait()
        return error
    }
}
