import Foundation
import TestSupport
import Testing

/// Data sets, and what is learned from them, over HTTP.
@Suite struct ServedRunTests {
    /// A data set with twelve clips of three classes.
    private func dataSet(_ client: HTTPClient) throws -> (id: String, clips: [(id: String, video: ServedVideos.Video)]) {
        let id = try #require(client.json("POST", "/v1/datasets", ["name": "moves"]).json()["id"] as? String)
        let clips = try ServedVideos.all.map { video in
            let answer = try client.post("/v1/datasets/\(id)/clips?name=\(video.name)&class=\(video.label.percentEncoded)", video.bytes)
            #expect(answer.status == 201, "\(answer.text)")
            return (id: try #require(answer.json()["id"] as? String), video: video)
        }
        return (id, clips)
    }

    /// The run, once it has ended.
    private func ended(_ id: String, _ client: HTTPClient) throws -> [String: Any] {
        let deadline = Date(timeIntervalSinceNow: 240)
        while Date() < deadline {
            let run = try client.get("/v1/runs/\(id)").json()
            if let state = run["state"] as? String, !["waiting", "running"].contains(state) { return run }
            usleep(100_000)
        }
        throw HTTPClient.NoAnswer(bytes: Data())
    }

    @Test func clipsAreKeptAndShown() throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let client = server.client
        let (id, clips) = try dataSet(client)
        let (clip, video) = clips[0]
        let place = "/v1/datasets/\(id)/clips/\(clip)"
        #expect(try client.get(place + "/video").body == video.bytes)
        let part = try client.get(place + "/video", ["Range": "bytes=10-19"])
        #expect(part.status == 206 && part.body == video.bytes[10..<20] && part.headers["content-range"] == "bytes 10-19/\(video.bytes.count)")
        #expect(try client.get(place + "/video", ["Range": "bytes=-5"]).body == video.bytes.suffix(5))
        #expect(try client.get(place + "/video", ["Range": "bytes=99999999-"]).status == 416)
        #expect(try client.get(place + "/video", ["Range": "bytes=5-9223372036854775807"]).body == video.bytes[5...])
        for other in ["seconds=1-2", "bytes=0-1,3-4", "bytes=x-"] { #expect(try client.get(place + "/video", ["Range": other]).status == 200, "\(other)") }
        #expect(try client.get(place + "/picture").body.prefix(4) == Data([0x89, 0x50, 0x4E, 0x47]))
        // The same bytes twice would count twice.
        #expect(try client.post("/v1/datasets/\(id)/clips?name=again.mp4", video.bytes).status == 409)
        let broken = try client.post("/v1/datasets/\(id)/clips?name=broken.mp4", Data("nothing".utf8))
        #expect(broken.status == 422 && broken.fault.message.contains("broken.mp4"), "\(broken.text)")
        let renamed = try client.json("PATCH", "/v1/datasets/\(id)", ["renamed": [video.label: "first"]]).json()
        #expect((renamed["classes"] as? [String])?.first == "first")
        // Two who add classes do not undo each other's.
        for name in ["second", "third", "second"] { _ = try client.json("PATCH", "/v1/datasets/\(id)", ["added": [name]]) }
        let changed = try client.json("PATCH", "/v1/datasets/\(id)", ["removed": ["second"]]).json()
        #expect((changed["classes"] as? [String])?.suffix(1) == ["third"] && (changed["classes"] as? [String])?.count == ServedVideos.classNames.count + 1)
        #expect(try client.json("PATCH", place, ["class": NSNull()]).json()["class"] is NSNull || client.json("PATCH", place, ["class": NSNull()]).json()["class"] == nil)
        #expect(try client.send("DELETE", place).status == 204)
        #expect(try client.get(place + "/video").status == 404)
        let before = try client.get("/v1/datasets/\(id)").text
        #expect(server.stop() == 0)
        let again = try RunningServer.start(in: program)
        #expect(try again.client.get("/v1/datasets/\(id)").text == before)
        #expect(try again.client.send("DELETE", "/v1/datasets/\(id)").status == 204)
        #expect(try FileManager.default.contentsOfDirectory(atPath: program.folder.path("runs/serve/data-sets")).isEmpty)
    }

    @Test func aClassifierIsLearnedAndAnswers() throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let client = server.client
        let (id, clips) = try dataSet(client)
        let started = try client.json("POST", "/v1/runs", ["data_set": id, "method": "auto", "name": "mine"])
        #expect(started.status == 202, "\(started.text)")
        let run = try ended(try #require(started.json()["id"] as? String), client)
        #expect(run["state"] as? String == "finished", "\(run)")
        let result = try #require(run["result"] as? [String: Any])
        let heldOut = try #require(result["held_out"] as? [String: Any])
        // Each of the clips, once, under its own class.
        let told = try #require(heldOut["clips"] as? [[String: Any]])
        #expect(Set(told.compactMap { $0["clip"] as? String }) == Set(clips.map(\.id)))
        for clip in told { #expect(clip["class"] as? String == clips.first { $0.id == clip["clip"] as? String }?.video.label) }
        let confusion = try #require(heldOut["confusion"] as? [[Int]])
        #expect(confusion.map { $0.reduce(0, +) } == [4, 4, 4])
        let correct = told.count { $0["class"] as? String == $0["predicted"] as? String }
        #expect(confusion.indices.reduce(0) { $0 + confusion[$1][$1] } == correct)
        #expect(abs((heldOut["top1"] as? Double ?? 0) - 100 * Double(correct) / 12) < 1e-9)
        #expect(correct >= 6, "three classes that differ: \(told)")
        let thresholds = try #require(heldOut["thresholds"] as? [[String: Any]])
        #expect(thresholds.first?["answered"] as? Int == 12 && thresholds.first?["correct"] as? Int == correct)
        // The library's own command says the same of the same clips.
        let folder = "runs/serve/runs/\(run["id"] as? String ?? "")/learned"
        let table = try program.run(["thresholds", folder + "/held-out.jsonl", "--json"])
        #expect(table.status == 0 && table.output.contains("\"correct\" : \(correct)"), "\(table.output)\(table.messages)")

        let prompts = try #require(result["prompts"] as? String)
        let listed = try #require(client.get("/v1/prompts").json()["prompts"] as? [[String: Any]])
        #expect(listed.map { $0["id"] as? String } == [prompts] && listed[0]["kind"] as? String == "head")
        let file = try client.get("/v1/prompts/\(prompts)/file")
        #expect(file.headers["content-disposition"] == "attachment; filename=\"mine.safetensors\"")
        try program.folder.write([UInt8](file.body), to: "mine.safetensors")
        let expected = try program.run(
            ["predict", clips[5].video.write(to: program), "--prompts", "mine.safetensors", "--backbone", RunningServer.backbone, "--json"])
        #expect(expected.status == 0, "\(expected.messages)")
        let answer = try client.post("/v1/predict?prompts=\(prompts)&data_set=\(id)&clip=\(clips[5].id)")
        // The names of the video and of the prompts differ; what is said of it does not.
        let (own, theirs) = (try answer.json(), try JSONSerialization.jsonObject(with: Data(expected.output.utf8)) as? [String: Any])
        #expect((own["scores"] as? [NSDictionary]) == (theirs?["scores"] as? [NSDictionary]) && own["scores"] != nil)

        #expect(server.stop() == 0)
        let again = try RunningServer.start(in: program)
        #expect(try again.client.get("/v1/prompts").json()["prompts"] as? [NSDictionary] == listed as [NSDictionary])
        #expect(try again.client.post("/v1/predict?prompts=\(prompts)&data_set=\(id)&clip=\(clips[5].id)").text == answer.text)
        #expect(try again.client.send("DELETE", "/v1/prompts/\(prompts)").status == 204)
        #expect(try again.client.get("/v1/prompts").json()["prompts"] as? [NSDictionary] == [])
        #expect(again.stop() == 0)
        let last = try RunningServer.start(in: program)
        #expect(try last.client.get("/v1/prompts").json()["prompts"] as? [NSDictionary] == [], "what was deleted stays so")
    }

    /// One run learns, others wait; each can be stopped, and events tell of it.
    @Test func runsWaitAndStop() throws {
        let program = try Program()
        let server = try RunningServer.start(in: program)
        let client = server.client
        let (id, _) = try dataSet(client)
        let wish: [String: Any] = ["data_set": id, "method": "prompts", "steps": 2000]
        let first = try #require(client.json("POST", "/v1/runs", wish).json()["id"] as? String)
        let second = try client.json("POST", "/v1/runs", wish).json()
        #expect(second["state"] as? String == "waiting" && second["place"] as? Int == 1)
        #expect(try client.send("DELETE", "/v1/datasets/\(id)").status == 409)
        let deadline = Date(timeIntervalSinceNow: 120)
        while try (client.get("/v1/runs/\(first)").json()["losses"] as? [[Double]])?.count ?? 0 < 3, Date() < deadline { usleep(100_000) }
        let connection = try HTTPClient.Connection(port: server.port)
        connection.send(Data("GET /v1/runs/\(first)/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".utf8))
        _ = connection.readToEnd(until: "\"state\":\"running\"")
        #expect(try client.send("DELETE", "/v1/runs/\(try #require(second["id"] as? String))").json()["state"] as? String == "cancelled")
        #expect(try client.send("DELETE", "/v1/runs/\(first)").status == 202)
        let last = try #require(events(String(decoding: connection.readToEnd(), as: UTF8.self)).last)
        #expect(last.data.contains("\"state\":\"cancelled\""))
        let run = try ended(first, client)
        #expect((run["losses"] as? [[Double]])?.isEmpty == false)
        #expect(try client.send("DELETE", "/v1/runs/\(first)").status == 409)
        #expect(try client.send("DELETE", "/v1/datasets/\(id)").status == 204)
    }

    @Test func tooLittleIsNamed() throws {
        let server = try RunningServer.start(in: Program())
        let client = server.client
        let id = try #require(client.json("POST", "/v1/datasets", ["name": "few"]).json()["id"] as? String)
        let none = try client.json("POST", "/v1/runs", ["data_set": id, "method": "auto"])
        #expect(none.status == 422 && none.fault.message.contains("two classes"))
        for (document, words) in [
            (["data_set": id, "method": "magic"], "method"), (["method": "auto"], "data_set"), (["data_set": id, "method": "prompts", "steps": -1], "steps"),
        ] as [([String: Any], String)] {
            let answer = try client.json("POST", "/v1/runs", document)
            #expect([400, 422].contains(answer.status) && answer.fault.message.contains(words), "\(answer.text)")
        }
        #expect(try client.send("POST", "/v1/runs", [:], Data("{".utf8)).fault.message.contains("JSON"))
        #expect(try client.json("POST", "/v1/datasets", ["name": String(repeating: "x", count: 2000)]).status == 400)
        #expect(try client.send("POST", "/v1/datasets", ["Content-Length": "2000000"]).status == 413)
    }
}
