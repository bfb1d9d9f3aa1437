import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing

/// Prompts in a folder that is watched: they come, change and go while the server runs.
@Suite struct PromptFolderTests {
    private static let backbone = Result { try Backbone.load(RunningServer.backbone) }
    private static let names = ServedVideos.classNames

    /// Prompts that nobody learned, which change what the backbone says.
    ///
    /// - Parameter backbone: that they say they belong to.
    private static func prompts(seed: UInt64, backbone: Backbone? = nil) throws -> PromptFile {
        let backbone = try backbone ?? Self.backbone.get()
        let configuration = PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 2, textDepth: 1)
        let prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: seed)
        for element in prompts.all { Tensors.scale(element, by: 50) }
        let header = PromptHeader(
            backbone: backbone, configuration: configuration, classNames: names, frameCount: 8, fusion: .embedding, shots: 2, seed: seed, recipeDigest: "none")
        return PromptFile(prompts: prompts.reading, header: header)
    }

    private func bytes(_ file: PromptFile) throws -> [UInt8] {
        let folder = try TemporaryDirectory()
        try file.save(to: folder.path("prompts.safetensors"))
        return try InputFile.contents(of: folder.path("prompts.safetensors"), limit: 1 << 26)
    }

    private struct Listed {
        let prompts: [[String: Any]]
        /// By file.
        let faults: [String: String]

        var names: [String] { prompts.compactMap { $0["name"] as? String } }
        func id(_ name: String) -> String? { prompts.first { $0["name"] as? String == name }?["id"] as? String }
    }

    private func listed(_ client: HTTPClient) throws -> Listed {
        let document = try client.get("/v1/prompts").json()
        let faults = try #require(document["faults"] as? [[String: String]])
        return Listed(
            prompts: try #require(document["prompts"] as? [[String: Any]]), faults: Dictionary(uniqueKeysWithValues: faults.map { ($0["file"] ?? "", $0["message"] ?? "") }))
    }

    /// What is listed once it is as it should be.
    private func wait(_ client: HTTPClient, sourceLocation: SourceLocation = #_sourceLocation, until isSo: (Listed) throws -> Bool) throws -> Listed {
        let deadline = Date(timeIntervalSinceNow: 60)
        var last = try listed(client)
        while try !isSo(last), Date() < deadline {
            usleep(100_000)
            last = try listed(client)
        }
        #expect(try isSo(last), "\(last)", sourceLocation: sourceLocation)
        return last
    }

    private func scores(_ document: Any?) throws -> [NSDictionary] { try #require((document as? [String: Any])?["scores"] as? [NSDictionary]) }

    /// The scores of the command line's `predict`.
    private func expected(_ prompts: [UInt8], _ program: Program) throws -> [NSDictionary] {
        try program.folder.write(prompts, to: "expected.safetensors")
        let outcome = try program.run(
            ["predict", ServedVideos.all[0].write(to: program), "--prompts", "expected.safetensors", "--backbone", RunningServer.backbone, "--json"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try scores(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)))
    }

    private func answer(_ client: HTTPClient, _ name: String) throws -> [NSDictionary] {
        try scores(client.post("/v1/predict?prompts=\(name)", ServedVideos.all[0].bytes).json())
    }

    @Test func filesComeChangeAndGo() throws {
        let program = try Program()
        let versions = try (1...3).map { try bytes(Self.prompts(seed: $0)) }
        let scores = try versions.map { try expected($0, program) }
        #expect(Set(scores).count == 3)
        try program.folder.write(versions[0], to: "models/first.safetensors")
        let server = try RunningServer.start(in: program, ["--prompts", "models"])
        let client = server.client
        let start = try listed(client)
        #expect(start.names == ["first"] && start.faults.isEmpty && start.prompts[0]["origin"] as? String == "folder" && start.prompts[0]["kind"] as? String == "prompts")
        #expect(try answer(client, "first") == scores[0])
        let id = try #require(start.id("first"))
        #expect(try client.send("DELETE", "/v1/prompts/\(id)").status == 403)

        // One that comes is found by a request that names it, too.
        try program.folder.write(versions[1], to: "models/second.safetensors")
        let deadline = Date(timeIntervalSinceNow: 60)
        while try client.post("/v1/predict?prompts=second", ServedVideos.all[0].bytes).status != 200, Date() < deadline { usleep(100_000) }
        #expect(try answer(client, "second") == scores[1])
        #expect(try listed(client).names == ["first", "second"])

        // One that changes answers anew, under the id that it had.
        try program.folder.write(versions[2], to: "models/first.safetensors")
        while try answer(client, "first") == scores[0], Date() < deadline { usleep(100_000) }
        #expect(try answer(client, "first") == scores[2])
        #expect(try answer(client, id) == scores[2] && listed(client).id("first") == id)
        #expect(try [UInt8](client.get("/v1/prompts/\(id)/file").body) == versions[2])

        try removeFile(program.folder.path("models/first.safetensors"))
        _ = try wait(client) { $0.names == ["second"] && $0.faults.isEmpty }
        #expect(try client.post("/v1/predict?prompts=first", ServedVideos.all[0].bytes).status == 404)
        #expect(try client.get("/v1/prompts/\(id)/file").status == 404)

        try renameDirectory(program.folder.path("models"), to: program.folder.path("away"))
        let gone = try wait(client) { $0.names.isEmpty }
        #expect(gone.faults == ["models": "The folder is not there any more."])
        try renameDirectory(program.folder.path("away"), to: program.folder.path("models"))
        _ = try wait(client) { $0.names == ["second"] && $0.faults.isEmpty }
        #expect(try answer(client, "second") == scores[1])
        #expect(server.stop() == 0)
    }

    /// What does not fit or is not whole is told of, and disturbs nobody.
    @Test func faultsAreListed() throws {
        let program = try Program()
        let good = try bytes(Self.prompts(seed: 1))
        let foreign = try bytes(Self.prompts(seed: 1, backbone: Backbone.load(fixturePath("clip/clip-mini.safetensors"))))
        let folder = program.folder
        for name in ["good.safetensors", "within/inside.safetensors", "twin.ckpt", "twin.safetensors", "README.md", ".hidden.safetensors", "x.safetensors.tmp-12-34"] {
            try folder.write(good, to: "models/\(name)")
        }
        try folder.write(good, to: "outside.safetensors")
        try folder.write(foreign, to: "models/foreign.safetensors")
        try folder.write(Array(good.prefix(good.count - 100)), to: "models/half.safetensors")
        try folder.write("no tensors at all", to: "models/words.pth")
        for (target, name) in [
            ("within/inside.safetensors", "inside"), ("../outside.safetensors", "outside"), (folder.path("outside.safetensors"), "absolute"), ("nothing.safetensors", "dangling"),
        ] { try FileManager.default.createSymbolicLink(atPath: folder.path("models/\(name).safetensors"), withDestinationPath: target) }
        try createDirectory(folder.path("models/folder.safetensors"))
        #expect(mkfifo(folder.path("models/pipe.safetensors"), 0o600) == 0)
        let server = try RunningServer.start(in: program, ["--prompts", "models"])
        let client = server.client
        let start = try listed(client)
        #expect(start.names == ["good", "inside", "twin"])
        let words = [
            "absolute": "out of the folder", "dangling": "leads to nothing", "folder": "no file", "foreign": "", "half": "", "outside": "out of the folder", "pipe": "no file",
            "twin": "twin.ckpt has the same name", "words": "",
        ]
        #expect(Set(start.faults.keys) == Set(words.keys.map { $0 + ($0 == "words" ? ".pth" : ".safetensors") }), "\(start.faults)")
        for (file, message) in start.faults {
            let expected = words[file.components(separatedBy: ".")[0]] ?? "none"
            #expect(expected.isEmpty || message.contains(expected), "\(file): \(message)")
            #expect(!message.isEmpty && !message.contains("The server failed") && !message.contains(folder.path), "\(file): \(message)")
        }
        #expect(try answer(client, "good") == answer(client, "inside"))
        for name in ["half", "outside", "foreign"] { #expect(try client.post("/v1/predict?prompts=\(name)", ServedVideos.all[0].bytes).status == 404, "\(name)") }

        // The rest of a file that was being written.
        let half = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.path("models/half.safetensors")))
        try half.seekToEnd()
        try half.write(contentsOf: Data(good.suffix(100)))
        try half.close()
        _ = try wait(client) { $0.names == ["good", "half", "inside", "twin"] && $0.faults["half.safetensors"] == nil }
        #expect(try answer(client, "half") == answer(client, "good"))

        // What somebody puts in the place of a file that was read is not sent.
        let id = try #require(listed(client).id("good"))
        #expect(try [UInt8](client.get("/v1/prompts/\(id)/file").body) == good)
        try folder.write("a secret", to: "secret.txt")
        try removeFile(folder.path("models/good.safetensors"))
        try FileManager.default.createSymbolicLink(atPath: folder.path("models/good.safetensors"), withDestinationPath: folder.path("secret.txt"))
        let deadline = Date(timeIntervalSinceNow: 60)
        var status = 0
        while status != 404, Date() < deadline {
            let answer = try client.get("/v1/prompts/\(id)/file")
            #expect([404, 409].contains(answer.status) && !answer.text.contains("a secret"), "\(answer.text)")
            status = answer.status
            usleep(100_000)
        }
        #expect(status == 404)
        #expect(server.stop() == 0)
    }

    /// A request that has begun ends with the prompts that it began with.
    @Test func aRequestKeepsItsPrompts() throws {
        let program = try Program()
        let versions = try (1...2).map { try bytes(Self.prompts(seed: $0)) }
        try program.folder.write(versions[0], to: "models/mine.safetensors")
        let server = try RunningServer.start(in: program, ["--prompts", "models"])
        let client = server.client
        let body = ServedVideos.all[0].bytes
        let before = try client.post("/v1/predict?prompts=mine", body).text
        let connection = try HTTPClient.Connection(port: server.port)
        // The leave to send is given before the prompts are looked up; a byte more of the body shows nothing of it either. So
        // the server's own figure of bodies that are being received is waited for.
        connection.send(Data("POST /v1/predict?prompts=mine HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: \(body.count)\r\n\r\n".utf8) + body.prefix(10))
        let deadline = Date(timeIntervalSinceNow: 60)
        while try server.metric("uploads") == 0, Date() < deadline { usleep(20_000) }
        try program.folder.write(versions[1], to: "models/mine.safetensors")
        var sent = 10
        var after = before
        while after == before, Date() < deadline {
            after = try client.post("/v1/predict?prompts=mine", body).text
            // A body that rests too long is given up.
            if sent < body.count - 10 {
                connection.send(body[body.startIndex + sent..<body.startIndex + sent + 1])
                sent += 1
            }
        }
        #expect(after != before)
        connection.send(body[(body.startIndex + sent)...])
        #expect(try HTTPClient.parsed(connection.readToEnd()).text == before)
        #expect(try client.post("/v1/predict?prompts=mine", body).text == after)
    }

    /// The folder of a run is no folder to watch, and the file that is sent is the one in it.
    @Test func foldersOfRunsAreRead() throws {
        let program = try Program()
        let good = try bytes(Self.prompts(seed: 1))
        try program.folder.write(good, to: "runs/mine/prompts/best.safetensors")
        let server = try RunningServer.start(in: program, ["--prompts", "runs/mine"])
        let document = try server.client.get("/v1/prompts").json()
        let prompts = try #require(document["prompts"] as? [[String: Any]])
        #expect(prompts.count == 1 && prompts[0]["origin"] as? String == "given" && prompts[0]["bytes"] as? Int == good.count && document["faults"] == nil)
        let file = try server.client.get("/v1/prompts/\(prompts[0]["id"] as? String ?? "")/file")
        #expect(file.status == 200 && [UInt8](file.body) == good)
        // A folder of runs still has to be told apart, and what is not there is no folder.
        for (path, words) in [("runs", "holds several runs"), ("none", "no such file")] {
            let outcome = try program.run(["serve", "--port", "0", "--backbone", RunningServer.backbone, "--prompts", path, "--output", "other"])
            #expect(outcome.status != 0 && outcome.messages.contains(words), "\(path): \(outcome.messages)")
        }
        // An empty folder is watched, and needs a backbone.
        try createDirectory(program.folder.path("empty"))
        let empty = try RunningServer.start(in: Program(), ["--prompts", program.folder.path("empty")])
        #expect(try listed(empty.client).names.isEmpty)
        let nameless = try program.run(["serve", "--port", "0", "--prompts", "empty"])
        #expect(nameless.status == 64 && nameless.messages.contains("--backbone"), "\(nameless.messages)")
    }
}
