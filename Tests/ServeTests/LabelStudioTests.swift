import Foundation
import TestSupport
import Testing

/// The server as a machine learning backend of Label Studio, asked as `label_studio_ml/api.py` of
/// https://github.com/HumanSignal/label-studio-ml-backend is.
@Suite(.serialized) struct LabelStudioTests {
    private let names = ServedVideos.classNames

    private func timeline(_ attributes: String = "model_window=\"1s\" model_stride=\"500ms\"") -> String {
        "<View><TimelineLabels name=\"actions\" toName=\"film\" \(attributes)>" + names.map { "<Label value=\"\($0)\" background=\"red\"/>" }.joined()
            + "</TimelineLabels><Video name=\"film\" value=\"$clip\" frameRate=\"25\"/></View>"
    }

    private var choices: String {
        "<View><Header value=\"What?\"/><Video name=\"video\" value=\"$video\"/><Choices name=\"c\" toName=\"video\">"
            + names.map { "<Choice value=\"\($0)\"/>" }.joined() + "</Choices></View>"
    }

    private func question(_ config: String, _ tasks: [[String: Any]]) -> [String: Any] {
        ["tasks": tasks.enumerated().map { ["id": $0 + 1, "data": $1, "annotations": []] as [String: Any] }, "project": "1.1714550000", "label_config": config, "params": [:]]
    }

    private func query(_ more: String) -> String {
        "/v1/predict?classes=" + (names.joined(separator: ",").addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "") + more
    }

    @Test func tasksAreAnswered() throws {
        let video = ServedVideos.all[0].bytes
        let files = try FileServer([
            "/data/upload/1/a.mp4?x=1": FileServer.answer("200 OK", video), "/b.mp4": FileServer.chunked(video),
            "/moved.mp4": FileServer.answer("302 Found", Data(), "Location: /b.mp4\r\n"), "/text.mp4": FileServer.answer("200 OK", Data("no video".utf8)),
        ])
        let server = try RunningServer.start(
            in: Program(), ["--allow-fetch", "http://127.0.0.1:\(files.port)"], environment: ["LABEL_STUDIO_API_KEY": "a-key"])
        let client = server.client
        #expect(try client.get("/health").json()["status"] as? String == "UP")
        let setup = try client.json("POST", "/setup", ["project": "1.1714550000", "schema": timeline(), "hostname": "http://127.0.0.1:\(files.port)", "access_token": "x"])
        #expect(setup.status == 200, "\(setup.text)")
        #expect((try setup.json()["model_version"] as? String)?.hasPrefix("vifi-prompt ") == true)

        // The segments of `predict`, in Label Studio's frames: from 1 on, both ends in.
        let expected = try client.post(query("&window=1s&stride=500ms"), video).json()
        let segments = try #require(expected["segments"] as? [[String: Any]])
        let base = "http://127.0.0.1:\(files.port)"
        let tasks: [[String: Any]] = [["clip": "/data/upload/1/a.mp4?x=1"], ["clip": base + "/b.mp4"], ["clip": base + "/moved.mp4"], ["clip": base + "/text.mp4"], ["other": 3]]
        let answer = try client.json("POST", "/predict", question(timeline(), tasks))
        #expect(answer.status == 200, "\(answer.text)")
        let results = try #require(try answer.json()["results"] as? [[String: Any]])
        #expect(results.count == 5)
        for prediction in results.prefix(3) {
            let found = try #require(prediction["result"] as? [[String: Any]])
            #expect(found.count == segments.count, "\(server.log)")
            for (result, segment) in zip(found, segments) {
                let value = try #require(result["value"] as? [String: Any])
                let range = try #require((value["ranges"] as? [[String: Int]])?.first)
                let (start, end) = (segment["start"] as? Double ?? -1, segment["end"] as? Double ?? -1)
                #expect(abs(Double((range["start"] ?? 0) - 1) / 25 - start) <= 0.0401 && abs(Double(range["end"] ?? 0) / 25 - end) <= 0.0401, "\(range) \(start) \(end)")
                let said = try #require(segment["answer"] as? [String: Any])
                #expect(value["timelinelabels"] as? [String] == [said["class"] as? String ?? ""])
                #expect(result["from_name"] as? String == "actions" && result["to_name"] as? String == "film" && result["type"] as? String == "timelinelabels")
            }
        }
        // A bad video has no result, and keeps nobody else from theirs.
        #expect(results.suffix(2).allSatisfy { ($0["result"] as? [Any])?.isEmpty == true })
        #expect(files.asked.allSatisfy { $0.contains("Authorization: Token a-key\r\n") } && files.asked.count == 5)

        let whole = try #require(try client.post(query(""), video).json()["answer"] as? [String: Any])
        let chosen = try client.json("POST", "/predict", question(choices, [["video": base + "/b.mp4"]])).json()["results"] as? [[String: Any]]
        let choice = try #require((chosen?.first?["result"] as? [[String: Any]])?.first)
        #expect((choice["value"] as? [String: Any])?["choices"] as? [String] == [whole["class"] as? String ?? ""] && choice["type"] as? String == "choices")
        #expect(try client.json("POST", "/webhook", ["action": "ANNOTATION_CREATED", "project": ["id": 1]]).status == 200)
    }

    /// The keys that Label Studio gives today are exchanged before they are shown with a request (its `api/token/refresh`, version 1.23).
    @Test func personalAccessTokensAreExchanged() throws {
        let key = "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.c2lnbmF0dXJl"
        func answers(_ token: Data) throws -> (reply: HTTPClient.Answer, asked: [String]) {
            let files = try FileServer(["/a.mp4": FileServer.answer("200 OK", ServedVideos.all[0].bytes), "/api/token/refresh": token])
            let server = try RunningServer.start(
                in: Program(), ["--allow-fetch", "http://127.0.0.1:\(files.port)"], environment: ["LABEL_STUDIO_API_KEY": key])
            return (try server.client.json("POST", "/predict", question(choices, [["video": "/a.mp4"]])), files.asked)
        }
        let (reply, asked) = try answers(FileServer.answer("200 OK", Data("{\"access\":\"for-minutes\"}".utf8)))
        #expect(reply.status == 200 && asked.count == 2, "\(reply.text)")
        #expect(asked[0].hasPrefix("POST /api/token/refresh HTTP/1.1\r\n") && asked[0].hasSuffix("{\"refresh\":\"\(key)\"}") && !asked[0].contains("Authorization"))
        #expect(asked[1].contains("Authorization: Bearer for-minutes\r\n") && !asked[1].contains(key))

        for (token, words) in [
            (FileServer.answer("401 Unauthorized", Data()), "with 401"), (FileServer.answer("200 OK", Data("{}".utf8)), "no access token"),
            (FileServer.answer("200 OK", Data("{\"access\":\"a\\r\\nX: y\"}".utf8)), "no access token"),
            (FileServer.answer("200 OK", Data(repeating: 32, count: 100_000)), "no access token"),
        ] {
            let (reply, asked) = try answers(token)
            #expect(reply.status == 422 && reply.fault.message.contains(words) && asked.count == 1, "\(reply.text)")
        }
    }

    @Test func nothingElseIsFetched() throws {
        let other = try FileServer(["/a.mp4": FileServer.answer("200 OK", ServedVideos.all[0].bytes)])
        let files = try FileServer([
            "/away.mp4": FileServer.answer("302 Found", Data(), "Location: http://127.0.0.1:\(other.port)/a.mp4\r\n"),
            "/round.mp4": FileServer.answer("302 Found", Data(), "Location: /round.mp4\r\n"), "/secret.mp4": FileServer.answer("401 Unauthorized", Data()),
            "/large.mp4": Data("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n".utf8), "/cut.mp4": Data("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc".utf8),
            "/empty.mp4": FileServer.answer("200 OK", Data()), "/noise.mp4": Data("no HTTP\r\n\r\n".utf8),
        ])
        let server = try RunningServer.start(in: Program(), ["--allow-fetch", "http://127.0.0.1:\(files.port)"])
        let base = "http://127.0.0.1:\(files.port)"
        let cases = [
            ("http://127.0.0.1:\(other.port)/a.mp4", 403, "lies elsewhere"), ("http://localhost:\(files.port)/a.mp4", 403, "lies elsewhere"),
            ("https://127.0.0.1:\(files.port)/a.mp4", 403, "lies elsewhere"), ("file:///etc/passwd", 403, "lies elsewhere"), ("//127.0.0.1:\(other.port)/a.mp4", 403, "lies elsewhere"),
            ("http://127.0.0.1:\(files.port)@127.0.0.1:\(other.port)/a.mp4", 403, "lies elsewhere"), ("s3://bucket/a.mp4", 403, "lies elsewhere"),
            (base + "/away.mp4", 403, "lies elsewhere"), (base + "/round.mp4", 422, "leads on more than 3 times"), (base + "/secret.mp4", 422, "LABEL_STUDIO_API_KEY"),
            (base + "/large.mp4", 413, "larger than"), (base + "/cut.mp4", 422, "no whole answer"), (base + "/empty.mp4", 422, "is empty"), (base + "/noise.mp4", 422, "no whole answer"),
            (base + "/gone.mp4", 422, "answers with 404"), ("/a.mp4\r\nX: y", 422, "answers with 404"), ("", 422, "no address"),
        ]
        for (address, status, words) in cases {
            let answer = try server.client.json("POST", "/predict", question(choices, [["video": address]]))
            #expect(answer.status == status && answer.fault.message.contains(words), "\(address): \(answer.status) \(answer.text)")
        }
        #expect(other.asked.isEmpty)
        #expect(files.asked.last { $0.contains("a.mp4") }?.hasPrefix("GET /a.mp4%0D%0AX:%20y HTTP/1.1\r\n") == true)
        #expect(try server.metric("uploads") == 0)
    }

    @Test func withoutTheFlagNothingIsFetched() throws {
        let server = try RunningServer.start(in: Program())
        let answer = try server.client.json("POST", "/predict", question(choices, [["video": "http://127.0.0.1:1/a.mp4"]]))
        #expect(answer.status == 403 && answer.fault.message.contains("--allow-fetch http://127.0.0.1:8080"))
        for origin in ["127.0.0.1:8080", "http://host/path", "http://", "http://a@host", "ftp://host", "http://host:99999"] {
            #expect(try Program().run(["serve", "--port", "0", "--backbone", packageRoot + "/Checkpoints/pocket-bridged.safetensors", "--allow-fetch", origin]).status == 64, "\(origin)")
        }
        let https = try Program().run(["serve", "--port", "0", "--backbone", packageRoot + "/Checkpoints/pocket-bridged.safetensors", "--allow-fetch", "https://host"])
        #expect(https.status == 64 && https.messages.contains("fetches by http alone"))
    }

    @Test func configurationsAreChecked() throws {
        let server = try RunningServer.start(in: Program(), ["--allow-fetch", "http://127.0.0.1:1"])
        let cases = [
            ("<View/>", "has no <TimelineLabels> and no <Choices>"), ("<View>", "cannot be read: line 1"), ("<!DOCTYPE a><View/>", "declares a document type"),
            ("<View><Choices name=\"c\" toName=\"text\"><Choice value=\"a\"/></Choices><Text name=\"text\" value=\"$text\"/></View>", "has no <TimelineLabels>"),
            ("<View><Choices name=\"c\" toName=\"v\"/><Video name=\"v\" value=\"$v\"/></View>", "has no labels"),
            (timeline("model_window=\"2x\""), "model_window of the labeling configuration"), (timeline("model_window=\"2s\" model_stride=\"4f\""), "must both be times"),
            (timeline("model_score_threshold=\"2\""), "model_score_threshold"), (timeline().replacing("\"25\"", with: "\"0\""), "frameRate"),
        ]
        for (config, words) in cases {
            let answer = try server.client.json("POST", "/predict", question(config, [["clip": "/a.mp4"]]))
            #expect(answer.status == 400 && answer.fault.message.contains(words), "\(config): \(answer.text)")
        }
        let many = try server.client.json("POST", "/predict", question(choices, [[String: Any]](repeating: ["video": "/a.mp4"], count: 65)))
        #expect(many.status == 400 && many.fault.message.contains("at most 64"))
    }

    /// Label Studio knows names and passwords alone.
    @Test func theTokenIsAPassword() throws {
        let token = "a-token-of-many-characters"
        let server = try RunningServer.start(in: Program(), ["--token", token])
        func basic(_ text: String) -> [String: String] { ["Authorization": "Basic " + Data(text.utf8).base64EncodedString()] }
        #expect(try server.client.json("POST", "/setup", ["project": "1"], basic("anybody:\(token)")).status == 200)
        for wrong in ["anybody:another-token-of-some-length", token, ":"] { #expect(try server.client.json("POST", "/setup", ["project": "1"], basic(wrong)).status == 401) }
        #expect(try server.client.json("POST", "/setup", ["project": "1"]).status == 401)
    }
}
