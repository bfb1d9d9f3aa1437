import Foundation
import TestSupport
import Testing

/// Videos that come in forms, as `curl -F` and pages send them.
@Suite struct FormTests {
    private static let type = ["Content-Type": "multipart/form-data; boundary=X-form"]

    /// A body of these parts.
    private func form(_ fields: [(name: String, value: String)], video: Data? = nil, fileName: String? = "a.mp4", isVideoFirst: Bool = false, end: String = "--\r\n") -> Data {
        var parts = fields.map { Data("Content-Disposition: form-data; name=\"\($0.name)\"\r\n\r\n\($0.value)".utf8) }
        if let video {
            let name = fileName.map { "; filename=\"\($0)\"" } ?? ""
            let part = Data("Content-Disposition: form-data; name=\"video\"\(name)\r\nContent-Type: video/mp4\r\n\r\n".utf8) + video
            parts.insert(part, at: isVideoFirst ? 0 : parts.count)
        }
        return parts.reduce(Data()) { $0 + Data("--X-form\r\n".utf8) + $1 + Data("\r\n".utf8) } + Data("--X-form\(end)".utf8)
    }

    private var classes: String { ServedVideos.classNames.joined(separator: ",") }
    private var query: String { "classes=\(classes.percentEncoded)" }

    @Test func formsAreAnsweredLikePlainBodies() throws {
        let server = try RunningServer.start(in: Program())
        let client = server.client
        let video = ServedVideos.all[0].bytes
        let settings = [[], [("top", "2")], [("window", "1s"), ("stride", "500ms"), ("format", "csv")], [("none", "a tree"), ("none", "a car"), ("threshold", "0.3")]]
        for fields in settings {
            let path = "/v1/predict?\(query)&name=a.mp4" + fields.map { "&\($0.0)=\($0.1.percentEncoded)" }.joined()
            let expected = try client.post(path, video)
            #expect(expected.status == 200)
            let named = [("classes", classes)] + fields
            // The file's own name, or another one that is given.
            for isVideoFirst in [true, false] {
                let answer = try client.post("/v1/predict", form(named, video: video, isVideoFirst: isVideoFirst), Self.type)
                #expect(answer.status == 200 && answer.body == expected.body, "\(fields): \(answer.text)")
            }
            #expect(try client.post("/v1/predict", form(named + [("name", "a.mp4")], video: video, fileName: "b.mp4"), Self.type).body == expected.body)
            // Fields that are left empty, parameters of the address, and both where they agree.
            #expect(try client.post(path, form([("smooth", ""), ("classes", classes)], video: video, fileName: nil), Self.type).body == expected.body)
        }
        #expect(try client.post("/v1/predict?\(query)", form([], video: video, fileName: nil), Self.type).body == client.post("/v1/predict?\(query)", video).body)
        #expect(try client.post("/v1/embeddings", form([], video: video), Self.type).body == client.post("/v1/embeddings?name=a.mp4", video).body)
        #expect(try client.post("/v1/attention", form([("classes", classes)], video: video), Self.type).body == client.post("/v1/attention?\(query)&name=a.mp4", video).body)
        let stream = try client.post("/v1/predict", form([("classes", classes), ("window", "500ms")], video: video), Self.type.merging(["Accept": "text/event-stream"]) { $1 })
        let told = try #require(events(stream.text).last)
        #expect(try told.name == "answer" && told.data == client.post("/v1/predict?\(query)&window=500ms&name=a.mp4", video).text.trimmingCharacters(in: .newlines))
    }

    /// In chunks, whose ends fall anywhere.
    @Test func chunkedFormsAreRead() throws {
        let server = try RunningServer.start(in: Program())
        let body = form([("classes", classes)], video: ServedVideos.all[1].bytes)
        let expected = try server.client.post("/v1/predict?\(query)&name=a.mp4", ServedVideos.all[1].bytes)
        let connection = try HTTPClient.Connection(port: server.port)
        connection.send(Data("POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\nContent-Type: multipart/form-data; boundary=\"X-form\"\r\n\r\n".utf8))
        for start in stride(from: 0, to: body.count, by: 97) {
            let part = body[start..<min(start + 97, body.count)]
            connection.send(Data("\(String(part.count, radix: 16))\r\n".utf8) + part + Data("\r\n".utf8))
        }
        connection.send(Data("0\r\n\r\n".utf8))
        let answer = try HTTPClient.parsed(connection.readToEnd())
        #expect(answer.status == 200 && answer.body == expected.body, "\(answer.text)")
    }

    @Test(.enabled(if: Program.installed("curl") != nil, "curl is not installed"))
    func curlSendsForms() throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let video = ServedVideos.all[2]
        let file = try video.write(to: program)
        func curl(_ arguments: [String]) throws -> String {
            let (process, streams) = try program.start(try #require(Program.installed("curl")), ["-sS", "--noproxy", "*"] + arguments)
            process.waitUntilExit()
            #expect(process.terminationStatus == 0, "\((try? String(contentsOfFile: streams[1], encoding: .utf8)) ?? "")")
            return try String(contentsOfFile: streams[0], encoding: .utf8)
        }
        let path = "\(server.url)/v1/predict"
        let plain = try curl(["--data-binary", "@\(file)", "\(path)?\(query)&top=3&name=\(file)"])
        #expect(plain.contains("\"scores\""))
        #expect(try curl(["-F", "video=@\(file)", "-F", "classes=\(classes)", "-F", "top=3", path]) == plain)
        // From a stream, which curl sends in chunks.
        #expect(try curl(["-H", "Transfer-Encoding: chunked", "-F", "video=@\(file)", "-F", "top=3", "\(path)?\(query)"]) == plain)
    }

    @Test func clipsComeInForms() throws {
        let server = try RunningServer.start(in: Program())
        let client = server.client
        let id = try #require(client.json("POST", "/v1/datasets", ["name": "moves"]).json()["id"] as? String)
        let video = ServedVideos.all[0].bytes
        let answer = try client.post("/v1/datasets/\(id)/clips", form([("class", "spät")], video: video, fileName: "C:\\x\\one.mp4"), Self.type)
        let clip = try answer.json()
        #expect(answer.status == 201 && clip["name"] as? String == "one.mp4" && clip["class"] as? String == "spät" && clip["bytes"] as? Int == video.count, "\(answer.text)")
        let clipID = try #require(clip["id"] as? String)
        let kept = try client.get("/v1/datasets/\(id)/clips/\(clipID)/video")
        #expect(kept.body == video && kept.headers["content-type"] == "video/mp4")
        #expect(try client.post("/v1/datasets/\(id)/clips", form([("class", "a")]), Self.type).status == 400)
        // A stored clip, named by fields.
        let stored = [("classes", classes), ("data_set", id), ("clip", clipID)]
        #expect(try client.post("/v1/predict", form(stored), Self.type).body == client.post("/v1/predict?\(query)&data_set=\(id)&clip=\(clipID)").body)
        #expect(try client.post("/v1/predict", form(stored, video: Data(), fileName: ""), Self.type).status == 200, "a page's form where no file was chosen")
        #expect(try client.post("/v1/predict", form(stored, video: video), Self.type).status == 400)
    }

    @Test func whatCannotBeTakenIsNamed() throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let video = ServedVideos.all[0].bytes
        let named = [("classes", classes)]
        let file = "--X-form\r\nContent-Disposition: form-data; name=\"video\"; filename=\"a.mp4\"\r\n"
        let cases: [(String, Data, String, Int, String)] = [
            ("", form(named, video: video, end: ""), "X-form", 400, "last boundary"), ("", Data(), "X-form", 400, "last boundary"), ("", form(named), "X-form", 400, "no video"),
            ("", form(named, video: Data()), "X-form", 400, "no video"), ("", form(named + [("windw", "2s")], video: video), "X-form", 400, "no parameter windw"),
            ("", form(named + [("top", "2"), ("top", "2")], video: video), "X-form", 400, "top is given twice"), ("?top=2", form(named + [("top", "3")], video: video), "X-form", 400, "different values"),
            ("?none=a", form(named + [("none", "a"), ("none", "b")], video: video), "X-form", 400, "different values"), ("", form(named + [("top", "0")], video: video), "X-form", 400, "top is 0"),
            ("", form(named + [("none", "a\u{0}b")], video: video), "X-form", 400, "control"), ("", form(named, video: video, fileName: "a\tb.mp4"), "X-form", 400, "control"),
            ("", Data((file + "\r\n1\r\n" + file + "\r\n2\r\n--X-form--").utf8), "X-form", 400, "two videos"), ("", Data((file + "Content-Type: multipart/mixed; boundary=c\r\n\r\n1\r\n--X-form--").utf8), "X-form", 415, "multipart of its own"),
            ("", Data((file + "Content-Transfer-Encoding: base64\r\n\r\nMQ==\r\n--X-form--").utf8), "X-form", 415, "base64"),
            ("", Data("--X-form\r\nContent-Disposition: form-data; name=top; filename=a\r\n\r\n1\r\n--X-form--".utf8), "X-form", 400, "is a file"),
            ("", Data("--X-form\r\nContent-Disposition: form-data; name=none\r\n\r\n".utf8) + Data([0xE4]) + Data("\r\n--X-form--".utf8), "X-form", 400, "not UTF-8"),
            ("", form(named, video: Data("no video at all".utf8), fileName: "my clip.mp4"), "X-form", 422, "my clip.mp4"),
            ("", form([("classes", "a,b")] + (0..<128).map { ("none", "text \($0)") }, video: video), "X-form", 400, "more than 128 fields"),
            ("", form([("classes", String(repeating: "a", count: 1 << 20))], video: video), "X-form", 413, "besides the video"),
            ("", form(named, video: video), "", 400, "boundary"), ("", form(named, video: video), String(repeating: "x", count: 71), 400, "boundary"), ("", form(named, video: video), "a@b", 400, "boundary"),
            ("", form(named, video: video), "X-form; boundary=Y", 400, "cannot be read"),
        ]
        for (parameters, body, boundary, status, words) in cases {
            let answer = try server.client.post("/v1/predict\(parameters)", body, ["Content-Type": "multipart/form-data; boundary=\(boundary)"])
            #expect(answer.status == status && answer.fault.message.contains(words), "\(words): \(answer.status) \(answer.text)")
        }
        #expect(try server.client.post("/v1/predict?\(query)", form([], video: video), ["Content-Type": "multipart/mixed; boundary=X-form"]).status == 415)
        #expect(try server.client.post("/v1/predict?\(query)", video, ["Content-Type": "multipart/form-data"]).status == 400)
        #expect(try server.metric("uploads") == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder.path("runs/serve/uploads")).isEmpty)
    }

    /// Browsers send forms to other places without asking first.
    @Test func onlyPagesOfItsOwnSendForms() throws {
        let server = try RunningServer.start(in: Program())
        let body = form([("classes", classes)], video: ServedVideos.all[0].bytes)
        let id = try #require(server.client.json("POST", "/v1/datasets", ["name": "moves"]).json()["id"] as? String)
        for path in ["/v1/predict", "/v1/embeddings", "/v1/attention", "/v1/datasets/\(id)/clips"] {
            for header in [("Origin", "http://evil.example"), ("Origin", "null"), ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "same-site"), ("Host", "evil.example")] {
                let answer = try server.client.post(path, body, Self.type.merging([header.0: header.1]) { $1 })
                #expect(answer.status == 403 && answer.fault.code == "forbidden", "\(path) \(header): \(answer.text)")
            }
        }
        #expect(try server.metric("uploaded_bytes_total") == 0)
        #expect(try server.client.post("/v1/predict", body, Self.type.merging(["Origin": server.url, "Sec-Fetch-Site": "same-origin"]) { $1 }).status == 200)
    }

    /// By its announcement, without a byte of it; and where it does not say how long it is, once it has become too long.
    @Test func whatIsTooLargeIsRefused() throws {
        let server = try RunningServer.start(in: Program())
        let type = "Content-Type: multipart/form-data; boundary=X-form\r\n"
        let announced = try HTTPClient.Connection(port: server.port)
        announced.send(Data("POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n\(type)Content-Length: \(258 << 20)\r\n\r\n".utf8))
        let refused = try HTTPClient.parsed(announced.readToEnd(until: "}}"))
        #expect(refused.status == 413 && refused.fault.code == "too_large")
        let connection = try HTTPClient.Connection(port: server.port)
        connection.send(Data("POST /v1/predict HTTP/1.1\r\nHost: localhost\r\n\(type)Transfer-Encoding: chunked\r\n\r\n".utf8))
        let part = Data(count: 1 << 20)
        let head = Data("--X-form\r\nContent-Disposition: form-data; name=\"video\"\r\n\r\n".utf8)
        for data in [head] + [Data](repeating: part, count: 256) + [Data(count: 1 << 10)] {
            connection.send(Data("\(String(data.count, radix: 16))\r\n".utf8) + data + Data("\r\n".utf8))
        }
        let answer = try HTTPClient.parsed(connection.readToEnd(until: "}}"))
        #expect(answer.status == 413 && answer.fault.code == "too_large", "\(answer.text)")
        let deadline = Date(timeIntervalSinceNow: 20)
        while try server.metric("uploads") > 0, Date() < deadline { usleep(100_000) }
        #expect(try server.metric("uploads") == 0)
    }
}
