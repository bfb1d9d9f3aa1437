import Foundation
import Testing

/// The built program, run in a folder of its own with an environment that says nothing.
package struct Program {
    package let folder: TemporaryDirectory
    /// Where it finds what comes with it.
    package var home = packageRoot
    /// Where the pocket world's videos lie; nil for a folder of its own.
    package var videos: String?

    package init() throws { folder = try TemporaryDirectory() }

    package struct Outcome {
        package let status: Int32
        /// What it printed as results.
        package let output: String
        /// What it said.
        package let messages: String
    }

    /// Beside the bundle of these tests.
    package static let path: String = {
        var folder = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        // `swift test` may start a helper of the toolchain: then the bundle is an argument.
        for argument in CommandLine.arguments where argument.contains(".xctest") {
            let bundle = argument.split(separator: ".xctest", omittingEmptySubsequences: false)[0] + ".xctest"
            folder = URL(fileURLWithPath: String(bundle)).deletingLastPathComponent()
            break
        }
        return folder.appendingPathComponent("vifi-prompt").path
    }()

    /// Where the program was built.
    package static var builtFolder: String { URL(fileURLWithPath: path).deletingLastPathComponent().path }

    package func callAsFunction(_ arguments: String..., sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        try run(arguments, sourceLocation: sourceLocation)
    }

    /// Runs the program to its end.
    ///
    /// - Parameter environment: goes over what every run is given.
    package func run(
        _ arguments: [String], environment: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> Outcome {
        let (process, streams) = try start(Self.path, arguments, environment: environment)
        return try end(of: process, streams: streams, arguments, sourceLocation)
    }

    // MARK: Other programs

    private static var searchPath: String { ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin" }

    /// The path of another program; nil where it is not installed.
    package static func installed(_ name: String) -> String? {
        searchPath.split(separator: ":").map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    // MARK: Ranks

    /// Open MPI's launcher; nil where it is not installed.
    package static let mpirun: String? = installed("mpirun")

    /// Whether ranks can be started here by a program that was built for them.
    package static let hasRanks: Bool = mpirun != nil && (try? Program().run(["doctor"], environment: launcherEnvironment).output.contains("ranks are started by")) == true

    /// More ranks than processors, as root.
    private static let launcher = ["--oversubscribe", "--allow-run-as-root", "--bind-to", "none"]

    package static var launcherEnvironment: [String: String] {
        ["PATH": searchPath, "OMPI_MCA_plm_rsh_agent": "/bin/false"]
    }

    /// Runs several processes of it together.
    package func ranks(_ count: Int, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        let all = Self.launcher + ["-n", "\(count)", Self.path] + arguments
        let (process, streams) = try start(Self.mpirun ?? "mpirun", all, environment: Self.launcherEnvironment)
        return try end(of: process, streams: streams, arguments, sourceLocation)
    }

    /// Starts ranks; once a file of the folder is there, signals the launcher or one of them.
    ///
    /// - Parameter rank: nil for the launcher.
    package func stopRanks(
        _ count: Int, _ arguments: [String], whenThere file: String, signal number: Int32, rank: Int? = nil
    ) throws -> Outcome {
        let all = Self.launcher + ["-n", "\(count)", Self.path] + arguments
        let (process, streams) = try start(Self.mpirun ?? "mpirun", all, environment: Self.launcherEnvironment)
        let deadline = Date(timeIntervalSinceNow: 60)
        while process.isRunning, !FileManager.default.fileExists(atPath: folder.path(file)), Date() < deadline { usleep(5000) }
        let launcher = process.processIdentifier
        let children = ((try? String(contentsOfFile: "/proc/\(launcher)/task/\(launcher)/children", encoding: .utf8)) ?? "")
            .split(separator: " ").compactMap { Int32($0) }
        if let rank {
            #expect(children.count == count, "mpirun's children are the ranks")
            if rank < children.count { kill(children[rank], number) }
        } else {
            kill(launcher, number)
        }
        return try end(of: process, streams: streams, arguments, #_sourceLocation)
    }

    /// Runs a script of the shell.
    package func script(_ path: String, environment: [String: String], sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        let (process, streams) = try start("/bin/bash", [path], environment: environment)
        return try end(of: process, streams: streams, [path], sourceLocation)
    }

    /// Runs it with a limit on the size of a file, in blocks of 1 KiB.
    package func limited(fileBlocks: Int, _ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        let script = "ulimit -f \(fileBlocks); exec \"$0\" \"$@\""
        let (process, streams) = try start("/bin/bash", ["-c", script, Self.path] + arguments)
        return try end(of: process, streams: streams, arguments, sourceLocation)
    }

    /// Runs a line as a shell takes it; `vifi-prompt` in it is the built program.
    package func shell(_ line: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> Outcome {
        let (process, streams) = try start("/bin/bash", ["-c", line], environment: ["PATH": Self.builtFolder + ":/usr/bin:/bin"])
        return try end(of: process, streams: streams, [line], sourceLocation)
    }

    /// Sends a signal after a while, once a file of the folder is there, or once the program has said something.
    ///
    /// - Returns: the exit status, or nil where the signal killed it.
    package func signal(
        _ number: Int32, afterMilliseconds: Int = 0, whenThere file: String? = nil, whenSaid words: String? = nil, _ arguments: [String]
    ) throws -> Int32? {
        let (process, streams) = try start(Self.path, arguments)
        if file != nil || words != nil {
            func isReached() -> Bool {
                if let file { return FileManager.default.fileExists(atPath: folder.path(file)) }
                return words.map { ((try? String(contentsOfFile: streams[1], encoding: .utf8)) ?? "").contains($0) } ?? true
            }
            let deadline = Date(timeIntervalSinceNow: 60)
            while process.isRunning, !isReached(), Date() < deadline { usleep(5000) }
        } else {
            usleep(UInt32(afterMilliseconds) * 1000)
        }
        if process.isRunning { kill(process.processIdentifier, number) }
        process.waitUntilExit()
        try? FileManager.default.removeItem(atPath: folder.path(Self.messagesName))
        try FileManager.default.copyItem(atPath: streams[1], toPath: folder.path(Self.messagesName))
        return process.terminationReason == .exit ? process.terminationStatus : nil
    }

    private static let messagesName = ".messages"

    /// What the program said before the last `signal`.
    package var lastMessages: String { (try? String(contentsOfFile: folder.path(Self.messagesName), encoding: .utf8)) ?? "" }

    /// Starts a process. Both streams go to files: the program sees no terminal, and neither fills up.
    ///
    /// - Returns: the files of what it prints and of what it says, too.
    package func start(
        _ executable: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (Process, [String]) {
        let streams = ["stdout", "stderr"].map { folder.path(".\($0)-\(UInt64.random(in: 0 ... .max))") }
        for stream in streams { try Data().write(to: URL(fileURLWithPath: stream)) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.currentDirectoryURL = URL(fileURLWithPath: folder.path)
        process.environment = [
            "VIFI_PROMPT_HOME": home, "VIFI_PROMPT_DATA": videos ?? folder.path("data"), "COLUMNS": "100", "TERM": "xterm",
        ].merging(environment) { _, given in given }
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = try FileHandle(forWritingTo: URL(fileURLWithPath: streams[0]))
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: streams[1]))
        try process.run()
        return (process, streams)
    }

    private func end(
        of process: Process, streams: [String], _ arguments: [String], _ sourceLocation: SourceLocation
    ) throws -> Outcome {
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

package let packageRoot = URL(fileURLWithPath: fixturePath("../..")).standardizedFileURL.path
