import Foundation
import TestSupport
import Testing

/// What the server answers about videos, and to whom.
@Suite struct ServeTests {
    private func query(_ names: [String]) -> String { names.joined(separator: ",").percentEncoded }

    /// The server's answers are the bytes that `predict --json` prints, but for the video's name.
    @Test(arguments: ["", "&window=1s&stride=500ms&smooth=3", "&window=8f&min_seconds=0.5", "&threshold=0.9&none=a%20tree&top=2"])
    func answersAreThoseOfPredict(_ settings: String) throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let video = ServedVideos.all[0]
        try program.folder.write("id,name\n" + ServedVideos.classNames.enumerated().map { "\($0),\($1)\n" }.joined(), to: "labels.csv")
        var flags: [String] = []
        for part in settings.split(separator: "&") {
            let pair = part.split(separator: "=")
            let names = ["window": "--window", "stride": "--stride", "smooth": "--smooth", "min_seconds": "--min-length", "threshold": "--threshold", "none": "--none-prompt", "top": "--top"]
            let value = String(pair[1]).removingPercentEncoding ?? ""
            flags += [try #require(names[String(pair[0])]), pair[0] == "min_seconds" ? value + "s" : value]
        }
        let expected = try program.run(
            ["predict", video.write(to: program), "--backbone", RunningServer.backbone, "--labels", "labels.csv", "--json"] + flags)
        #expect(expected.status == 0, "\(expected.messages)")
        let path = "/v1/predict?classes=\(query(ServedVideos.classNames))&name=\(query([video.name]))\(settings)"
        let answer = try server.client.post(path, video.bytes)
        #expect(answer.status == 200)
        #expect(answer.text == expected.output)
    }

    /// Requests that come at the same moment share passes, and are answered as if they were alone.
    @Test func manyAtOnceAreAnsweredAsAlone() throws {
        let server = try RunningServer.start(in: Program())
        let path = "/v1/predict?classes=\(query(ServedVideos.classNames))"
        let client = server.client
        let alone = try ServedVideos.all.map { try client.post(path, $0.bytes).text }
        #expect(Set(alone).count == alone.count)
        let together = Answers(count: alone.count)
        DispatchQueue.concurrentPerform(iterations: alone.count) { index in
            together.set((try? client.post(path, ServedVideos.all[index].bytes).text) ?? "", at: index)
        }
        #expect(together.all == alone)
        #expect(try server.metric("passed_videos_total") == 2 * alone.count)
        #expect(try server.metric("passes_total") <= 2 * alone.count)
    }

    @Test func eventsLeadToTheSameTimeline() throws {
        let server = try RunningServer.start(in: Program())
        let path = "/v1/predict?classes=\(query(ServedVideos.classNames))&window=500ms"
        let answer = try server.client.post(path, ServedVideos.all[3].bytes, ["Accept": "text/event-stream"])
        #expect(answer.headers["content-type"]?.hasPrefix("text/event-stream") == true)
        let told = events(answer.text)
        #expect(told.dropLast().allSatisfy { $0.name == "progress" } && told.count > 1)
        #expect(told.last?.name == "answer")
        #expect(told.last?.data == (try server.client.post(path, ServedVideos.all[3].bytes).text.trimmingCharacters(in: .newlines)))
    }

    @Test func formsAreThoseOfTheirNames() throws {
        let server = try RunningServer.start(in: Program())
        let path = "/v1/predict?classes=\(query(ServedVideos.classNames))&window=1s"
        let video = ServedVideos.all[0].bytes
        #expect(try server.client.post(path + "&format=srt", video).text.hasPrefix("1\n00:00:00,000 --> "))
        #expect(try server.client.post(path + "&format=vtt", video).text.hasPrefix("WEBVTT\n"))
        #expect(try server.client.post(path + "&format=csv", video).text.hasPrefix("video,prompts,start,end,answer,"))
        let embedding = try server.client.post("/v1/embeddings", video).json()["embedding"] as? [Double]
        let norm = try #require(embedding).reduce(0) { $0 + $1 * $1 }
        #expect(abs(norm - 1) < 1e-4)
    }

    @Test func mapsCoverTheFrames() throws {
        let server = try RunningServer.start(in: Program())
        let document = try server.client.post("/v1/attention?classes=\(query(ServedVideos.classNames))", ServedVideos.all[0].bytes).json()
        let (rows, columns) = (document["rows"] as? Int ?? 0, document["columns"] as? Int ?? 0)
        let frames = try #require(document["frames"] as? [[String: Any]])
        #expect(frames.count == 8 && rows > 1 && rows == columns)
        let seconds = frames.compactMap { $0["seconds"] as? Double }
        #expect(seconds == seconds.sorted() && Set(seconds).count == 8)
        for frame in frames {
            let heat = try #require(frame["heat"] as? [Double])
            #expect(heat.count == rows * columns && heat.allSatisfy { (0...1).contains($0) })
            let crop = try #require(frame["crop"] as? [Double])
            #expect(crop.count == 4 && crop[0] >= 0 && crop[0] + crop[2] <= 1.0001 && crop[1] + crop[3] <= 1.0001)
        }
    }

    // MARK: To whom

    @Test func onlyPagesOfItsOwnMayAsk() throws {
        let server = try RunningServer.start(in: Program())
        let client = server.client
        #expect(try client.get("/v1/server").status == 200)
        #expect(try client.get("/v1/server", ["Host": "evil.example:\(server.port)"]).status == 403)
        #expect(try client.get("/v1/server", ["Host": "localhost:\(server.port)"]).status == 200)
        #expect(try client.get("/v1/server", ["Origin": "http://evil.example"]).status == 403)
        #expect(try client.get("/v1/server", ["Origin": "http://127.0.0.1:\(server.port)"]).status == 200)
        #expect(try client.get("/v1/server", ["Sec-Fetch-Site": "cross-site"]).status == 403)
        let page = try client.get("/")
        #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
        #expect(page.headers["content-security-policy"]?.contains("default-src 'none'") == true)
        #expect(page.headers["access-control-allow-origin"] == nil)
    }

    @Test func aTokenIsAskedFor() throws {
        let token = "a-token-of-many-characters"
        let server = try RunningServer.start(in: Program(), ["--token", token])
        let client = server.client
        #expect(server.address.hasSuffix("/?token=\(token)"))
        #expect(try client.get("/health").status == 200)
        // The page asks for the token by itself.
        for path in ["/", "/app.js"] { #expect(try client.get(path).status == 200, "\(path)") }
        for path in ["/v1/server", "/metrics", "/v1/datasets", "/?token=another-token-of-some-length"] { #expect(try client.get(path).status == 401, "\(path)") }
        #expect(try client.get("/v1/server", ["Authorization": "Bearer \(token)"]).status == 200)
        let entered = try client.get("/?token=\(token)")
        #expect(entered.status == 303 && entered.headers["location"] == "/")
        let cookie = try #require(entered.headers["set-cookie"]?.split(separator: ";").first.map(String.init))
        #expect(entered.headers["set-cookie"]?.contains("HttpOnly; SameSite=Strict") == true)
        #expect(try client.get("/v1/server", ["Cookie": cookie]).status == 200)
        let refused = try Program().run(["serve", "--host", "0.0.0.0"])
        #expect(refused.status == 64 && refused.messages.contains("--token"))
    }

    /// It is neither in the list of processes nor in what the server prints.
    @Test func aTokenOfTheEnvironmentIsKept() throws {
        let token = "a-token-of-many-characters"
        let others = ["LABEL_STUDIO_API_KEY": "key-of-label-studio", "VIFI_PROMPT_MQTT_PASSWORD": "password-of-a-broker"]
        let server = try RunningServer.start(in: Program(), environment: others.merging(["VIFI_PROMPT_TOKEN": token]) { $1 })
        #expect(server.address.hasSuffix(":\(server.port)/"))
        #expect(try server.client.get("/v1/server").status == 401)
        #expect(try server.client.get("/v1/server", ["Authorization": "Bearer \(token)"]).status == 200)
        // What decodes videos does not learn it, nor any other secret.
        _ = try server.client.post("/v1/predict?classes=a,b", ServedVideos.all[0].bytes, ["Authorization": "Bearer \(token)"])
        let workers = server.workers
        #expect(!workers.isEmpty)
        for worker in workers {
            let variables = FileManager.default.contents(atPath: "/proc/\(worker)/environ") ?? Data()
            #expect(!variables.isEmpty && ([token] + others.values).allSatisfy { variables.range(of: Data($0.utf8)) == nil })
        }
        let refused = try Program().run(["serve"], environment: ["VIFI_PROMPT_TOKEN": "short"])
        #expect(refused.status == 64 && refused.messages.contains("VIFI_PROMPT_TOKEN"))
    }

    // MARK: Refusals

    @Test func whatCannotBeAskedIsNamed() throws {
        let server = try RunningServer.start(in: Program())
        let cases = [
        ("/v1/predict", 400, "classes"), ("/v1/predict?classes=a,b&windw=2s", 400, "windw"), ("/v1/predict?classes=a,a", 400, "twice"),
        ("/v1/predict?classes=a,b&top=0", 400, "top"), ("/v1/predict?classes=a,b&top=-5", 400, "top"), ("/v1/predict?classes=a,b&threshold=nan", 400, "threshold"),
        ("/v1/predict?classes=a,b&window=-1s", 400, "window"), ("/v1/predict?classes=a,b&window=1e400s", 400, "window"), ("/v1/predict?classes=a,b&stride=1s", 400, "window"),
        ("/v1/predict?prompts=p1", 404, "prompts"), ("/v1/predict?classes=a,b&data_set=../../etc&clip=passwd", 404, "data set"), ("/v1/predict?classes=a,b&data_set=x", 400, "together"),
        ("/v1/predict?classes=a,b&format=srt", 400, "window"), ("/v1/nothing", 404, "nothing"), ("/v1/predict?classes=a%00b,c", 400, "control"), ("/v1/predict?classes=a,b&window=1s&stride=1f", 400, "both"), ("/v1/predict?classes=%ZZ", 400, "encoded"),
        ]
        for (path, status, words) in cases {
            let answer = try server.client.post(path, ServedVideos.all[0].bytes)
            #expect(answer.status == status, "\(path)")
            #expect(answer.fault.message.contains(words), "\(path): \(answer.text)")
        }
    }

    /// The shortest windows have no room for half of one between them; so many answers are too many.
    @Test func shortWindowsAreBounded() throws {
        let server = try RunningServer.start(in: Program())
        let video = ServedVideos.all[0].bytes
        #expect(try server.client.post("/v1/predict?classes=a,b&window=1500us", video).status == 400)
        let answer = try server.client.post("/v1/predict?classes=a,b&window=1ms", video)
        #expect(try answer.status == 200 && (answer.json()["windows"] as? [Any])?.count == 2000)
        let many = try #require(server.client.json("POST", "/v1/classes", ["names": (0..<1000).map { "class \($0)" }]).json()["id"] as? String)
        let refused = try server.client.post("/v1/predict?classes=\(many)&window=1ms", video)
        #expect(refused.status == 400 && refused.fault.message.contains("longer stride"), "\(refused.text.prefix(300))")
    }

    /// A head is answered like the whole, without the body.
    @Test func headsHaveNoBody() throws {
        let server = try RunningServer.start(in: Program())
        for (path, status) in [("/health", 200), ("/", 200), ("/nothing", 404)] {
            let answer = try server.client.send("HEAD", path)
            #expect(answer.status == status && answer.body.isEmpty, "\(path)")
        }
    }

    @Test func whatIsNoVideoIsSaidByItsName() throws {
        let server = try RunningServer.start(in: Program())
        let client = server.client
        let broken = Data(ServedVideos.all[0].bytes.prefix(3000))
        for body in [Data("not a video at all, only some words".utf8), broken, Data(count: 5000)] {
            let answer = try client.post("/v1/predict?classes=a,b&name=my%20clip.mp4", body)
            #expect(answer.status == 422 && answer.fault.code == "unprocessable")
            #expect(answer.fault.message.contains("my clip.mp4") && !answer.fault.message.contains("/proc/"), "\(answer.text)")
        }
        #expect(try client.post("/v1/predict?classes=a,b").status == 400)
        #expect(try client.post("/v1/predict?classes=a,b", ServedVideos.all[0].bytes, ["Content-Encoding": "gzip"]).status == 415)
    }

    /// Ten gigabytes are refused by their announcement, without a byte of them.
    @Test func whatIsTooLargeIsNotReceived() throws {
        let server = try RunningServer.start(in: Program())
        let connection = try HTTPClient.Connection(port: server.port)
        connection.send(Data("POST /v1/predict?classes=a,b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10737418240\r\n\r\n".utf8))
        let answer = try HTTPClient.parsed(connection.readToEnd(until: "}}"))
        #expect(answer.status == 413 && answer.fault.code == "too_large")
        #expect(connection.isClosed(within: 10))
        let heads = try HTTPClient.Connection(port: server.port)
        heads.send(Data(("GET / HTTP/1.1\r\nHost: localhost\r\n" + String(repeating: "X-A: " + String(repeating: "a", count: 1000) + "\r\n", count: 20) + "\r\n").utf8))
        #expect(!String(decoding: heads.readToEnd(until: "\r\n"), as: UTF8.self).contains(" 200 "))
        let both = try HTTPClient.Connection(port: server.port)
        both.send(Data("POST /v1/predict?classes=a,b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8))
        #expect(String(decoding: both.readToEnd(until: "\r\n"), as: UTF8.self).contains(" 400 "))
    }

    @Test func aClientThatWaitsForLeaveGetsIt() throws {
        let server = try RunningServer.start(in: Program())
        let connection = try HTTPClient.Connection(port: server.port)
        let body = ServedVideos.all[0].bytes
        connection.send(Data("POST /v1/predict?classes=a,b HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: \(body.count)\r\nConnection: close\r\n\r\n".utf8))
        #expect(String(decoding: connection.readToEnd(until: "\r\n\r\n"), as: UTF8.self) == "HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(body)
        #expect(try HTTPClient.parsed(connection.readToEnd()).status == 200)
    }

    // MARK: Load

    /// Slow clients, clients that vanish, and videos that are none: afterwards the server has what it had before.
    @Test func nothingStaysBehind() throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let client = server.client
        let path = "/v1/predict?classes=\(query(ServedVideos.classNames))"
        let expected = try client.post(path, ServedVideos.all[0].bytes).text
        let before = server.openFiles
        var slow: [HTTPClient.Connection] = []
        for index in 0..<100 {
            let connection = try HTTPClient.Connection(port: server.port)
            connection.send(Data((index % 5 != 0 ? "GET / HT" : "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nabc").utf8))
            slow.append(connection)
        }
        #expect(try client.post(path, ServedVideos.all[0].bytes).text == expected, "others are served meanwhile")
        let garbage = Data((0..<4000).map { UInt8(truncatingIfNeeded: $0 * 31) })
        let statuses = Answers(count: 40)
        DispatchQueue.concurrentPerform(iterations: 40) { index in
            let body = index % 2 == 0 ? garbage : Data(ServedVideos.all[index % 12].bytes.prefix(1000 + 100 * index))
            statuses.set((try? "\(client.post(path, body).status)") ?? "none", at: index)
        }
        #expect(Set(statuses.all).isSubset(of: ["200", "422", "503"]), "\(statuses.all)")
        for _ in 0..<20 {
            let connection = try HTTPClient.Connection(port: server.port)
            connection.send(Data("POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n".utf8) + ServedVideos.all[1].bytes)
        }
        #expect(slow.allSatisfy { $0.isClosed(within: 20) }, "slow clients are let go")
        let deadline = Date(timeIntervalSinceNow: 20)
        // Decoders that wait for the next video stay, with their pipes.
        while server.openFiles > before + 4 * 8, Date() < deadline { usleep(200_000) }
        #expect(server.openFiles <= before + 4 * 8)
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder.path("runs/serve/uploads")).isEmpty)
        #expect(try server.metric("uploads") == 0)
        #expect(try client.post(path, ServedVideos.all[0].bytes).text == expected)
        #expect(server.stop() == 0)
    }

    @Test func portsThatAreTakenAreNamed() throws {
        let server = try RunningServer.start(in: Program())
        let outcome = try Program().run(["serve", "--port", "\(server.port)", "--backbone", RunningServer.backbone])
        #expect(outcome.status == 69 && outcome.messages.contains("--port"), "\(outcome.messages)")
    }

    /// What the compiler has put into the program is what the folder holds.
    @Test func thePageIsWhole() throws {
        let server = try RunningServer.start(in: Program())
        let folder = packageRoot + "/Sources/CPage/page"
        let files = try FileManager.default.contentsOfDirectory(atPath: folder)
        for file in files {
            let answer = try server.client.get(file == "index.html" ? "/" : "/" + file)
            #expect(answer.status == 200, "\(file)")
            #expect(answer.body == FileManager.default.contents(atPath: folder + "/" + file), "\(file)")
        }
    }
}

/// Texts of several threads.
private final class Answers: @unchecked Sendable {
    private let lock = NSLock()
    private var texts: [String]

    init(count: Int) { texts = [String](repeating: "", count: count) }
    func set(_ text: String, at index: Int) { lock.withLock { texts[index] = text } }
    var all: [String] { lock.withLock { texts } }
}
