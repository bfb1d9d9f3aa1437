import Foundation
import TestSupport
import Testing

/// Live sources that the server was started with, from other programs on this machine.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: Program.installed("ffmpeg") != nil, "ffmpeg is not installed"))
struct SourceTests {
    private let program: Program

    init() throws { program = try Program() }

    private static let path = ["PATH": (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin") + ":/usr/bin:/bin"]
    private var query: String { "classes=\(ServedVideos.classNames.joined(separator: ",").percentEncoded)" }

    /// A test pattern of so many seconds, whose length its beginning tells.
    private func video(seconds: Int) throws -> Data {
        let (process, streams) = try program.start(
            "/usr/bin/env",
            ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10:duration=\(seconds)", "-c:v", "libx264", "-g", "10", "-pix_fmt", "yuv420p", "a.mkv"],
            environment: Self.path)
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\((try? String(contentsOfFile: streams[1], encoding: .utf8)) ?? "")")
        return try Data(contentsOf: URL(fileURLWithPath: program.folder.path("a.mkv")))
    }

    private func listen(_ server: RunningServer, _ name: String, _ more: String = "") throws -> HTTPClient.Connection {
        let connection = try HTTPClient.Connection(port: server.port)
        connection.send(Data("GET /v1/sources/\(name)/events?\(query)\(more) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8))
        return connection
    }

    private func object(_ text: String) throws -> [String: Any] { try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any], "\(text)") }

    /// Window by window what `predict` says of the same video as a file.
    @Test func answersAreThoseOfPredict() throws {
        let files = try FileServer(["/a.mkv": FileServer.answer("200 OK", video(seconds: 8))])
        try program.folder.write("id,name\n" + ServedVideos.classNames.enumerated().map { "\($0),\($1)\n" }.joined(), to: "labels.csv")
        let outcome = try program.run(["predict", "a.mkv", "--backbone", RunningServer.backbone, "--labels", "labels.csv", "--window", "2s", "--json"])
        let expected = try #require(try object(outcome.output)["windows"] as? [[String: Any]], "\(outcome.messages)")
        let server = try RunningServer.start(in: program, ["--source", "gate=http://127.0.0.1:\(files.port)/a.mkv"])
        let answer = try HTTPClient.parsed(listen(server, "gate", "&top=3").readToEnd())
        #expect(answer.status == 200 && answer.headers["content-type"]?.hasPrefix("text/event-stream") == true, "\(answer.text)")
        let told = events(answer.text)
        #expect(told.last?.name == "end" && told.dropLast().allSatisfy { $0.name == "answer" }, "\(answer.text.prefix(1000))")
        let found = try told.dropLast().map { try object($0.data) }
        #expect(found.count == expected.count && found.count > 5)
        for (one, other) in zip(found, expected) {
            #expect(one["video"] as? String == "gate" && (one["scores"] as? [Any])?.count == 3 && one["dropped_windows"] as? Int == 0)
            #expect(abs((one["start"] as? Double ?? -1) - (other["start"] as? Double ?? -2)) < 0.11)
            let (a, b) = (one["answer"] as? [String: Any], other["answer"] as? [String: Any])
            #expect(a?["label"] as? Int == b?["label"] as? Int && abs((a?["probability"] as? Double ?? 0) - (b?["probability"] as? Double ?? 1)) < 1e-3)
        }
        // Only its name is told.
        #expect(!answer.text.contains("\(files.port)"))
        let list = try server.client.get("/v1/sources")
        #expect(try !list.text.contains("\(files.port)") && (list.json()["sources"] as? [[String: Any]])?.compactMap { $0["name"] as? String } == ["gate"])
        // Whoever listens later hears it anew: nobody reads it meanwhile.
        #expect(try events(HTTPClient.parsed(listen(server, "gate").readToEnd()).text).count == told.count)
        #expect(files.asked.count >= 2)
    }

    /// It sends to a single connection, and everybody hears it.
    @Test func listenersShareAReader() throws {
        _ = try video(seconds: 20)
        let port = try FileServer([:]).port
        let (sender, _) = try program.start(
            "/usr/bin/env", ["ffmpeg", "-nostdin", "-v", "error", "-re", "-i", "a.mkv", "-c", "copy", "-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(port)/live"], environment: Self.path)
        defer {
            kill(sender.processIdentifier, SIGKILL)
            sender.waitUntilExit()
        }
        // A connection would be the one that it takes.
        let digits = String(port, radix: 16, uppercase: true)
        let line = ":" + String(repeating: "0", count: 4 - digits.count) + digits + " 00000000:0000 0A"
        let deadline = Date(timeIntervalSinceNow: 60)
        while !((try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8))?.contains(line) ?? false), Date() < deadline { usleep(20_000) }
        let server = try RunningServer.start(in: program, ["--source", "yard=http://127.0.0.1:\(port)/live"])
        let first = try listen(server, "yard")
        var heard = first.readToEnd(until: "event: answer")
        let second = try listen(server, "yard")
        var overheard = second.readToEnd(until: "event: answer")
        heard += first.readToEnd()
        overheard += second.readToEnd()
        let told = try [heard, overheard].map { try events(HTTPClient.parsed($0).text) }
        for events in told { #expect(events.last?.name == "end" && events.count > 1, "\(events)") }
        let lines = told.map { Set($0.filter { $0.name == "answer" }.map(\.data)) }
        #expect(lines[1].isSubset(of: lines[0]))
        #expect(server.stop() == 0)
    }

    @Test func whatCannotBeFollowedIsSaid() throws {
        let port = try FileServer([:]).port
        let server = try RunningServer.start(in: program, ["--source", "gone=http://user:secret@127.0.0.1:\(port)/a.mkv"])
        let told = try events(HTTPClient.parsed(listen(server, "gone").readToEnd()).text)
        #expect(told.count == 1 && told[0].name == "error" && told[0].data.contains("The source gone cannot be read"), "\(told)")
        #expect(!told[0].data.contains("secret") && !told[0].data.contains("\(port)"))
        let client = server.client
        #expect(try client.get("/v1/sources/other/events?\(query)").status == 404)
        #expect(try client.get("/v1/sources/gone/events").fault.message.contains("classes"))
        #expect(try client.get("/v1/sources/gone/events?\(query)&window=3s").fault.message.contains("window"))
        #expect(try client.get("/v1/sources/gone/events?\(query)", ["Sec-Fetch-Site": "cross-site"]).status == 403)
        for source in ["gate", "=http://127.0.0.1/a", "a b=http://127.0.0.1/a", "a=-", "a=file.mp4", "a=ftp://127.0.0.1/a", "a=/dev/video0"] {
            let outcome = try program.run(["serve", "--port", "0", "--backbone", RunningServer.backbone, "--source", source])
            #expect(outcome.status != 0 && outcome.output.isEmpty, "\(source): \(outcome.status)")
        }
        #expect(try program.run(["serve", "--port", "0", "--backbone", RunningServer.backbone, "--source", "a=http://127.0.0.1/a", "--source", "a=http://127.0.0.1/b"]).status == 64)
    }
}
