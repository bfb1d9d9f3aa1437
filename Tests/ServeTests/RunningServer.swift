import Foundation
import TestSupport
import Testing

/// `vifi-prompt serve` on the pocket world's CLIP, in a folder of its own, at a port that was free.
///
/// Unchecked Sendable: nothing of it changes.
final class RunningServer: @unchecked Sendable {
    let program: Program
    let port: Int
    /// Without a slash at its end.
    let url: String
    /// As it was printed.
    let address: String
    let process: Process
    private let messages: String

    /// The pocket world's CLIP, which answers.
    static let backbone = packageRoot + "/Checkpoints/pocket-bridged.safetensors"

    /// - Parameters:
    ///   - program: whose folder it runs in.
    ///   - arguments: of `serve`, besides the port.
    static func start(in program: Program, _ arguments: [String] = [], environment: [String: String] = [:]) throws -> RunningServer {
        try RunningServer(program, ["--backbone", backbone] + arguments, environment)
    }

    private init(_ program: Program, _ arguments: [String], _ environment: [String: String]) throws {
        self.program = program
        let (process, streams) = try program.start(Program.path, ["serve", "--port", "0"] + arguments, environment: environment)
        (self.process, messages) = (process, streams[1])
        func text(_ stream: Int) -> String { (try? String(contentsOfFile: streams[stream], encoding: .utf8)) ?? "" }
        let deadline = Date(timeIntervalSinceNow: 120)
        var printed = ""
        while process.isRunning, !printed.hasSuffix("\n"), Date() < deadline {
            usleep(20_000)
            printed = text(0)
        }
        address = printed.trimmingCharacters(in: .newlines)
        let found = URL(string: address)
        port = try #require(found?.port, "the server printed \(printed), and said \(text(1))")
        url = "http://127.0.0.1:\(port)"
    }

    deinit { if process.isRunning { process.terminate() } }

    /// What it has said so far.
    var log: String { (try? String(contentsOfFile: messages, encoding: .utf8)) ?? "" }

    var client: HTTPClient { HTTPClient(port: port) }

    /// Asks for the end, and waits for it.
    func stop() -> Int32 {
        if process.isRunning { process.terminate() }
        process.waitUntilExit()
        return process.terminationStatus
    }

    /// The value of a metric without labels.
    func metric(_ name: String) throws -> Int {
        let lines = try client.get("/metrics").text.split(separator: "\n")
        return try #require(lines.first { $0.hasPrefix("vifi_prompt_\(name) ") }?.split(separator: " ").last.flatMap { Int($0) }, "\(name)")
    }

    var openFiles: Int { ((try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.processIdentifier)/fd"))?.count) ?? 0 }

    /// Processes that it has started and that have not ended; the kernel lists them by the thread that did.
    var workers: [Int32] {
        let threads = "/proc/\(process.processIdentifier)/task"
        return ((try? FileManager.default.contentsOfDirectory(atPath: threads)) ?? []).flatMap { thread in
            ((try? String(contentsOfFile: "\(threads)/\(thread)/children", encoding: .utf8)) ?? "").split(separator: " ").compactMap { Int32($0) }
        }
    }

    /// Memory of a process that is in use at the moment.
    static func residentKibibytes(_ process: Int32) -> Int {
        let lines = ((try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)) ?? "").split(separator: "\n")
        return lines.first { $0.hasPrefix("VmRSS:") }.flatMap { Int($0.split(whereSeparator: { $0 == " " || $0 == "\t" })[1]) } ?? 0
    }
}
