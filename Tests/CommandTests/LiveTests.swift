import Files
import Foundation
import TestSupport
import Testing

/// `predict` on sources that come in while they are read, from other programs on this machine: a pipe, `ffmpeg` as an HTTP
/// server, Python's HTTP server.
@Suite(.serialized, .timeLimit(.minutes(5))) struct LiveTests: LivePeers {
    let program: Program
    private let prompts: String

    init() throws {
        program = try Program()
        prompts = try SmallModel().write(to: program).prompts
    }

    /// Python's HTTP server of the folder.
    private func server() throws -> (port: Int, peer: Peer) {
        let port = try freePort()
        let server = try peer("python3", "-m", "http.server", "--bind", "127.0.0.1", "\(port)")
        waitForPort(port)
        return (port, server)
    }

    private func predict(_ arguments: String...) throws -> Program.Outcome { try program.run(["predict", "--prompts", prompts] + arguments) }

    /// Windows of a source as those of the same video read as a file.
    private func expectWindows(of file: String, in outcome: Program.Outcome, tolerance: Double = 1e-3) throws {
        #expect(outcome.status == 0, "\(outcome.messages)")
        let line = try #require(try objects(predict(file, "--window", "1s", "--json").output).first)
        let expected = try #require(line["windows"] as? [[String: Any]])
        let found = try objects(outcome.output)
        #expect(found.count == expected.count && found.count > 8, "\(found.count) of \(expected.count): \(outcome.messages)")
        for (one, other) in zip(found, expected) {
            for key in ["start", "end"] {
                let (a, b) = (one[key] as? Double ?? -1, other[key] as? Double ?? -2)
                #expect(abs(a - b) < 0.11, "\(key)")
            }
            let (a, b) = (one["answer"] as? [String: Any], other["answer"] as? [String: Any])
            #expect(a?["label"] as? Int == b?["label"] as? Int)
            #expect(abs((a?["probability"] as? Double ?? 0) - (b?["probability"] as? Double ?? 1)) < tolerance)
            #expect(one["dropped_windows"] as? Int == 0 && (one["time"] as? String)?.hasSuffix("Z") == true)
        }
    }

    // MARK: Standard input

    @Test(arguments: ["-f matroska -c copy", "-f mpegts -c copy", "-f nut -c copy", "-f mp4 -c copy -movflags frag_keyframe+empty_moov"])
    func pipes(_ container: String) throws {
        try video("a.mp4")
        let outcome = try shell("ffmpeg -nostdin -v error -i a.mp4 \(container) - | vifi-prompt predict - --prompts \(prompts) --window 1s --json")
        try expectWindows(of: "a.mp4", in: outcome)
        #expect(outcome.messages.contains("Reading standard input") && outcome.messages.contains("11 windows answered"))
    }

    /// A file can be read again from its end, where this one has its table of contents.
    @Test func filesAsStandardInput() throws {
        try video("a.mp4")
        try expectWindows(of: "a.mp4", in: try shell("vifi-prompt predict - --prompts \(prompts) --window 1s --json < a.mp4"))
    }

    /// Its keys are those of the page, all of them but those that need what is not here.
    @Test func keysAreDocumented() throws {
        try video("a.mp4", seconds: 3)
        let outcome = try shell("vifi-prompt predict - --prompts \(prompts) --none-prompt nobody --region 0,0,50%,50% --json < a.mp4")
        let found = try objects(outcome.output).reduce(into: Set<JSONPage.Place>()) { $0.formUnion(JSONPage.leaves($1)) }
        let page = try JSONPage().places(of: "predict - --json")
        #expect(!found.isEmpty && found == Set(page), "\(outcome.messages)")
    }

    @Test func whatIsNoVideoIsSaid() throws {
        for (source, words) in [("printf ''", "ended before a picture came"), ("yes", "is not a video that vifi-prompt reads as a stream")] {
            let outcome = try shell("\(source) | vifi-prompt predict - --prompts \(prompts)")
            #expect(outcome.status == 65 && outcome.output == "" && outcome.messages.contains(words), "\(outcome.status) \(outcome.messages)")
        }
        // A list of other files opens none of them.
        try program.folder.write("ffconcat version 1.0\nfile a.mp4\n", to: "list")
        try video("a.mp4", seconds: 1)
        #expect(try shell("vifi-prompt predict - --prompts \(prompts) < list").status == 65)
    }

    /// Pictures that stand for long are looked at as in a file.
    @Test func slidesArePiped() throws {
        let made = try shell(
            "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=64x48:rate=1/10:duration=40 -c:v libx264 -g 1 -pix_fmt yuv420p a.mp4")
        #expect(made.status == 0, "\(made.messages)")
        let piped = "ffmpeg -nostdin -v error -i a.mp4 -f matroska -c copy - | vifi-prompt predict - --prompts \(prompts) --window 1s --json"
        try expectWindows(of: "a.mp4", in: shell(piped))
    }

    /// In text a line comes where the label changes.
    @Test func textTellsChanges() throws {
        try video("a.mp4")
        let lines = try objects(shell("vifi-prompt predict - --prompts \(prompts) --window 1s --json < a.mp4").output)
        let labels = lines.map { ($0["answer"] as? [String: Any])?["label"] as? Int }
        let changes = labels.indices.count { $0 == 0 || labels[$0] != labels[$0 - 1] }
        let text = try shell("vifi-prompt predict - --prompts \(prompts) --window 1s < a.mp4")
        #expect(text.status == 0 && text.output.split(separator: "\n").count == changes, "\(text.output)")
        #expect(text.output.contains(#/(?m)^\d\d:\d\d:\d\d  0:00\.0  /#))
    }

    // MARK: Late windows

    /// What cannot be kept up with is dropped and counted where the source goes on by itself. Here whoever takes the answers
    /// sleeps, and a pipe holds 64 KiB of them.
    @Test func lateWindowsAreDroppedAndCounted() throws {
        try video("a.mp4", seconds: 240)
        let command = "ffmpeg -nostdin -v error -i a.mp4 -f matroska -c copy - | vifi-prompt predict - --prompts \(prompts) --window 1s --json"
        let lines = try objects(shell(command + " --late drop | (sleep 8; cat)").output)
        let dropped = try #require(lines.last?["dropped_windows"] as? Int)
        #expect(dropped > 0 && lines.count + dropped == 479, "\(lines.count) and \(dropped)")
        // The last windows are there, and counts only grow.
        #expect(abs((lines.last?["end"] as? Double ?? 0) - 240) < 0.2)
        let counts = lines.compactMap { $0["dropped_windows"] as? Int }
        #expect(counts == counts.sorted())
        // A pipe waits, unless it is told otherwise.
        #expect(try objects(shell(command + " | (sleep 8; cat)").output).count == 479)
    }

    // MARK: Network

    @Test func httpFromFFmpeg() throws {
        try video("a.mp4")
        let port = try freePort()
        let server = try peer("ffmpeg", "-nostdin", "-v", "error", "-re", "-i", "a.mp4", "-c", "copy", "-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(port)/live")
        try waitForListener(port)
        // What was sent before the source is open comes at once.
        try expectWindows(of: "a.mp4", in: try predict("http://127.0.0.1:\(port)/live", "--window", "1s", "--json", "--for", "60s", "--late", "wait"))
        _ = server
    }

    /// A camera's JPEG pictures have no times: they count from when they come, here two a second.
    @Test func picturesWithoutTimes() throws {
        #expect(try shell("ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=64x48 -frames:v 1 a.jpg").status == 0)
        let port = try freePort()
        try program.folder.write(
            #"""
            import http.server, time
            class Camera(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    self.send_response(200)
                    self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=x')
                    self.end_headers()
                    data = open('a.jpg', 'rb').read()
                    while True:
                        self.wfile.write(b'--x\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(data) + data + b'\r\n')
                        time.sleep(0.5)
            http.server.ThreadingHTTPServer(('127.0.0.1', \#(port)), Camera).serve_forever()
            """#, to: "jpegs.py")
        let server = try peer("python3", "jpegs.py")
        waitForPort(port)
        let outcome = try predict("http://127.0.0.1:\(port)/", "--window", "1s", "--json", "--for", "9s")
        // At 25 a second they would last less than one window.
        let last = try objects(outcome.output).last?["end"] as? Double ?? 0
        #expect(outcome.status == 0 && last > 2.5 && last < 10, "\(last) \(outcome.messages)")
        _ = server
    }

    @Test func recordingsOverHTTP() throws {
        try video("a.mp4")
        let (port, server) = try server()
        try expectWindows(of: "a.mp4", in: try predict("http://127.0.0.1:\(port)/a.mp4", "--window", "1s", "--json"))
        let missing = try predict("http://127.0.0.1:\(port)/b.mp4")
        #expect(missing.status == 66 && missing.messages.contains("cannot be opened"), "\(missing.messages)")
        _ = server
    }

    /// Playlists are read where they are named, and lead to nothing but their own server.
    @Test func playlists() throws {
        try video("a.mp4")
        _ = try shell("ffmpeg -nostdin -v error -i a.mp4 -c copy -f hls -hls_time 2 -hls_list_size 0 list.m3u8")
        let (port, server) = try server()
        let root = "http://127.0.0.1:\(port)"
        try expectWindows(of: "a.mp4", in: try predict("\(root)/list.m3u8", "--window", "1s", "--json"))
        // By another name it is refused, as are playlists that lead elsewhere.
        let text = try String(contentsOfFile: program.folder.path("list.m3u8"), encoding: .utf8)
        try program.folder.write(text, to: "list.txt")
        let unnamed = try predict("\(root)/list.txt")
        #expect(unnamed.status == 65 && unnamed.messages.contains("ends with .m3u8"), "\(unnamed.messages)")
        for (name, segment) in [("file", "file://\(program.folder.path("list0.ts"))"), ("other", "http://localhost:\(port)/list0.ts")] {
            try program.folder.write(text.replacing(#/(?m)^list\d\.ts$/#, with: segment), to: name + ".m3u8")
            let outcome = try predict("\(root)/\(name).m3u8", "--timeout", "3s")
            #expect(outcome.status != 0 && outcome.output == "", "\(name): \(outcome.status) \(outcome.messages)")
            if name == "other" { #expect(outcome.messages.contains("another server"), "\(outcome.messages)") }
        }
        _ = server
    }

    /// One that takes connections and says nothing.
    private func silentServer() throws -> (port: Int, server: Peer) {
        let port = try freePort()
        let server = try peer(
            "python3", "-c", "import socket,time; s=socket.create_server(('127.0.0.1',\(port))); c=[s.accept() for _ in range(9)]; time.sleep(60)")
        waitForPort(port)
        return (port, server)
    }

    @Test func silenceEnds() throws {
        let (port, server) = try silentServer()
        let start = ContinuousClock.now
        let outcome = try predict("http://127.0.0.1:\(port)/x", "--timeout", "2s")
        #expect(outcome.status == 74 && outcome.messages.contains("nothing came for 2 s"), "\(outcome.messages)")
        #expect(ContinuousClock.now - start < .seconds(20))
        _ = server
    }

    /// The end of --for is a regular one only of a source that was there.
    @Test func nothingBeforeTheTimeIsOver() throws {
        let (port, server) = try silentServer()
        let outcome = try predict("http://127.0.0.1:\(port)/x", "--for", "2s")
        #expect(outcome.status == 74 && outcome.output == "" && outcome.messages.contains("nothing came for 2 s"), "\(outcome.messages)")
        _ = server
    }

    /// Ctrl-C is a regular end of a source that has none.
    @Test func stoppingIsTheEnd() throws {
        let port = try freePort()
        let server = try peer(
            "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10", "-c:v", "libx264", "-g", "5", "-tune", "zerolatency",
            "-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(port)/")
        try waitForListener(port)
        let status = try program.signal(SIGINT, whenSaid: "Reading http", ["predict", "--prompts", prompts, "http://127.0.0.1:\(port)/", "--window", "1s"])
        #expect(status == 0 && program.lastMessages.contains("answered"), "\(program.lastMessages)")
        _ = server
    }

    // MARK: Breaks

    /// Whether GStreamer's RTSP server can be started here.
    private static let hasRTSPServer: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/python3")
        process.arguments = ["-c", """
            import gi; gi.require_version('GstRtspServer', '1.0')
            from gi.repository import Gst, GstRtspServer
            Gst.init(None); exit(0 if Gst.ElementFactory.find('x264enc') and Gst.ElementFactory.find('rtph264pay') else 1)
            """]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    private func camera(_ port: Int) throws -> Peer {
        try program.folder.write(
            """
            import gi, sys
            gi.require_version('Gst', '1.0'); gi.require_version('GstRtspServer', '1.0')
            from gi.repository import Gst, GstRtspServer, GLib
            Gst.init(None)
            server = GstRtspServer.RTSPServer()
            server.set_address('127.0.0.1'); server.set_service('\(port)')
            factory = GstRtspServer.RTSPMediaFactory()
            factory.set_launch('( videotestsrc is-live=true ! video/x-raw,width=64,height=48,framerate=10/1 ! x264enc tune=zerolatency key-int-max=10 '
                '! rtph264pay name=pay0 pt=96 )')
            factory.set_shared(True)
            server.get_mount_points().add_factory('/cam', factory); server.attach(None)
            GLib.MainLoop().run()
            """, to: "camera.py")
        let peer = try peer("/usr/bin/python3", "camera.py")
        waitForPort(port)
        return peer
    }

    /// A camera that goes away and comes back: windows go on with the clock, and none spans the break.
    @Test(.enabled(if: hasRTSPServer, "no RTSP server of GStreamer is installed")) func camerasComeBack() throws {
        let port = try freePort()
        var server: Peer? = try camera(port)
        let (process, streams) = try program.start(
            Program.path,
            ["predict", "--prompts", prompts, "rtsp://127.0.0.1:\(port)/cam", "--window", "1s", "--json", "--timeout", "3s", "--for", "40s"])
        func output() throws -> [[String: Any]] { try objects(String(contentsOfFile: streams[0], encoding: .utf8)) }
        func wait(for count: Int) throws {
            let deadline = Date(timeIntervalSinceNow: 30)
            while process.isRunning, Date() < deadline, try output().count < count { usleep(50_000) }
        }
        try wait(for: 4)
        server = nil
        let before = try output().count
        server = try camera(port)
        try wait(for: before + 4)
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        let messages = try String(contentsOfFile: streams[1], encoding: .utf8)
        #expect(process.terminationStatus == 0 && messages.contains("It is opened again in 1 s") && messages.contains("opened again 1 time"), "\(messages)")
        let lines = try output()
        #expect(lines.count >= before + 4, "\(messages)")
        let starts = lines.compactMap { $0["start"] as? Double }
        #expect(starts == starts.sorted() && zip(lines, starts).allSatisfy { abs(($0["end"] as? Double ?? 0) - $1 - 1) < 0.01 })
        #expect(zip(starts, starts.dropFirst()).contains { $1 - $0 > 1 })
        _ = server
    }

    // MARK: Webhook

    /// Each line arrives once and in order, also through a receiver that fails at first.
    @Test func answersArePosted() throws {
        try video("a.mp4")
        let port = try freePort()
        try program.folder.write(
            """
            import http.server
            class Hook(http.server.BaseHTTPRequestHandler):
                count = 0
                def do_POST(self):
                    body = self.rfile.read(int(self.headers['Content-Length']))
                    Hook.count += 1
                    if Hook.count == 2:
                        self.send_response(503)
                    else:
                        self.send_response(204)
                        open('posted', 'ab').write(body)
                    self.end_headers()
            http.server.HTTPServer(('127.0.0.1', \(port)), Hook).serve_forever()
            """, to: "hook.py")
        let receiver = try peer("python3", "hook.py")
        waitForPort(port)
        let outcome = try shell("vifi-prompt predict - --prompts \(prompts) --window 1s --json --webhook http://127.0.0.1:\(port)/hook?key=1 < a.mp4")
        #expect(outcome.status == 0 && outcome.messages.contains("11 answers posted"), "\(outcome.messages)")
        #expect(try String(contentsOfFile: program.folder.path("posted"), encoding: .utf8) == outcome.output)
        _ = receiver
    }

    /// Answers go on where nobody listens, and what was lost is said.
    @Test func nobodyListens() throws {
        try video("a.mp4", seconds: 2)
        let port = try freePort()
        let outcome = try shell("vifi-prompt predict - --prompts \(prompts) --window 1s --json --webhook http://127.0.0.1:\(port)/ < a.mp4")
        #expect(outcome.status == 0 && outcome.output.split(separator: "\n").count == 3, "\(outcome.messages)")
        #expect(outcome.messages.contains("0 answers posted") && outcome.messages.contains("given up after 5 s"), "\(outcome.messages)")
    }

    // MARK: Refusals

    @Test(arguments: [
        (["ftp://h/x"], 64, "is no kind of source that is read live"), (["http://h/a b"], 64, "is no address"), (["-", "a.mp4"], 64, "is answered alone"),
        (["-", "--output", "a.jsonl"], 64, "--output is about videos that have an end"), (["-", "--save", "a.srt", "--window", "1s"], 64, "--save is about"),
        (["-", "--window", "8f"], 64, "--window is a time"), (["a.mp4", "--for", "3s"], 64, "--for is about live sources"),
        (["-", "--webhook", "https://h/x"], 64, "over HTTP alone"), (["-", "--webhook", "http://u:secret@h/x"], 64, "is no address such as"),
        (["-", "--webhook", "https://h/secret"], 64, "https://h/…"), (["rtsp://user:#secret@h/x"], 64, "rtsp://user:***@h/x"),
        (["rtsp://user:secret@127.0.0.1:1/x"], 66, "rtsp://user:***@127.0.0.1:1/x"), (["http://127.0.0.1:1/x"], 66, "cannot be opened"),
        (["/dev/video4095"], 66, "there is no such camera"), (["-", "--camera-size", "64x48"], 64, "are about cameras"),
        (["http://h/x", "--camera-rate", "10"], 64, "are about cameras"), (["-", "--camera-size", "64"], 64, "--camera-size"),
        (["-", "--camera-rate", "0"], 64, "--camera-rate must be above 0"),
    ] as [([String], Int32, String)])
    func refusals(_ words: [String], _ status: Int32, _ message: String) throws {
        let outcome = try program.run(["predict", "--prompts", prompts] + words)
        #expect(outcome.status == status && outcome.messages.contains(message) && !outcome.messages.contains("secret"), "\(outcome.messages)")
    }
}
