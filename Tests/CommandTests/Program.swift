import Foundation
import TestSupport
import Testing

/// The built program, run in a folder of its own with an environment that says nothing.
struct Program {
    let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    struct Outcome {
        let status: Int32
        /// What it printed as results.
        let output: String
        /// What it said.
        let messages: String
    }

    /// Beside the bundle of these tests.
    private static let path: String = {
        var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        // `swift test` may start a helper of the toolchain: then the bundle is an argument.
        for argument in CommandLine.arguments where argument.contains(".xctest") {
            let bundle = argument.split(separator: ".xctest", omittingEmptySubsequences: false)[0] + ".xctest"
            folder = URL(fileURLWithPath: String(bundle)).deletingLastPathComponent()
            break
        }
        return folder.appendingPathComponent("vifi-prompt").path
    }()

    func callAsFunction(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        try run(arguments, sourceLocation: sourceLocation)
    }

    /// Both streams go to files: the program sees no terminal, and neither fills up.
    /// - Parameter environment: goes over what every run is given.
    func run(
        _ arguments: [String], environment: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        let streams = ["stdout", "stderr"].map { folder.path(".\($0)-\(UInt64.random(in: 0 ... .max))") }
        for stream in streams { try Data().write(to: URL(fileURLWithPath: stream)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.path)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.environment = [
            "VIFI_PROMPT_HOME": packageRoot, "VIFI_PROMPT_DATA": folder.path("data"), "COLUMNS": "100", "TERM": "xterm",
        ].merging(environment) { _, given in given }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: streams[0]))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: streams[1]))
        try process.run()
        process.waitUntilExit()
        let texts = try streams.map { String(decoding: try Data(contentsOf: URL(fileURLWithPath: $0)), as: UTF8.self) }
        #expect(process.terminationReason == .exit, "\(arguments) crashed: \(texts[1])", sourceLocation: sourceLocation)
        // Off a terminal nothing moves the cursor.
        for text in texts {
            #expect(!text.contains("\u{1B}") && !text.contains("\r"), "\(arguments)", sourceLocation: sourceLocation)
        }
        return Outcome(status: process.terminationStatus, output: texts[0], messages: texts[1])
    }
}

let packageRoot = URL(fileURLWithPath: fixturePath("../..")).standardizedFileURL.path
