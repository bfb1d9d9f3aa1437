import Foundation
import TestSupport
import Testing

/// `predict --mqtt` with a broker of its own: Mosquitto, and its subscriber.
@Suite(.serialized, .timeLimit(.minutes(5))) struct MQTTTests: LivePeers {
    let program: Program
    private let prompts: String

    init() throws {
        program = try Program()
        prompts = try SmallModel().write(to: program).prompts
    }

    private static let isBuilt = (try? Program().run(["doctor"]).output.contains("libmosquitto ")) == true

    private static let hasBroker = isBuilt && ["mosquitto", "mosquitto_sub", "mosquitto_pub", "mosquitto_passwd", "openssl"].allSatisfy { name in
        searchPath.split(separator: ":").contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(name)") }
    }

    private static let missing: Comment = "Mosquitto or its clients are not installed, or the build has no MQTT"

    // MARK: Peers

    private func broker(_ port: Int, _ settings: String...) throws -> Peer {
        let anonymous = settings.isEmpty ? ["allow_anonymous true"] : settings
        // As root it would become another user, who sees no folders of tests.
        let lines = ["user root", "listener \(port) 127.0.0.1"] + anonymous
        try program.folder.write(lines.joined(separator: "\n") + "\n", to: "broker.conf")
        let peer = try peer("mosquitto", "-c", program.folder.path("broker.conf"))
        waitForPort(port)
        return peer
    }

    /// Writes what it receives into a file, a line each: topic, QoS, whether the broker had kept it, message. The first one, which is
    /// kept, shows that it listens.
    private func subscriber(_ port: Int) throws -> Peer {
        #expect(try shell("mosquitto_pub -h 127.0.0.1 -p \(port) -t cameras/ready -r -m here").status == 0)
        let peer = try peer("bash", "-c", "exec mosquitto_sub -h 127.0.0.1 -p \(port) -t 'cameras/#' -q 1 -F '%t|%q|%r|%p' > received")
        try wait { try received().first == "cameras/ready|0|1|here" }
        return peer
    }

    private func received() throws -> [String] { lines(of: program.folder.path("received")) }

    private func text(of path: String) -> String { (try? String(contentsOfFile: path, encoding: .utf8)) ?? "" }

    private func lines(of path: String) -> [String] { text(of: path).split(separator: "\n").map(String.init) }

    private func wait(sourceLocation: SourceLocation = #_sourceLocation, until isReached: () throws -> Bool) throws {
        let deadline = Date(timeIntervalSinceNow: 60)
        while Date() < deadline {
            if try isReached() { return }
            usleep(20_000)
        }
        Issue.record("waited in vain", sourceLocation: sourceLocation)
    }

    /// Answers for a video of three seconds, as a pipe.
    private func predict(_ address: String, environment: String = "") throws -> Program.Outcome {
        try video("a.mp4", seconds: 3)
        return try shell("\(environment) vifi-prompt predict - --prompts \(prompts) --window 1s --json --mqtt '\(address)' < a.mp4")
    }

    // MARK: Messages

    /// Each line is a message, once and in order, acknowledged and not kept.
    @Test(.enabled(if: hasBroker, missing)) func answersArePublished() throws {
        let port = try freePort()
        let broker = try broker(port)
        let subscriber = try subscriber(port)
        let outcome = try predict("mqtt://127.0.0.1:\(port)/cameras/front%20door")
        let expected = outcome.output.split(separator: "\n").map { "cameras/front door|1|0|\($0)" }
        #expect(outcome.status == 0 && expected.count == 5 && outcome.messages.contains("5 answers published"), "\(outcome.messages)")
        try wait { try received().count > expected.count }
        #expect(try received().dropFirst() == expected[...])
        withExtendedLifetime((broker, subscriber)) {}
    }

    @Test(.enabled(if: hasBroker, missing)) func brokersAskWhoItIs() throws {
        #expect(try shell("mosquitto_passwd -b -c passwords me secret").status == 0)
        try program.folder.write("user me\ntopic write cameras/#\n", to: "rights")
        let port = try freePort()
        let broker = try broker(
            port, "allow_anonymous false", "password_file \(program.folder.path("passwords"))", "acl_file \(program.folder.path("rights"))")
        let root = "mqtt://127.0.0.1:\(port)"
        func me(_ password: String) -> String { "VIFI_PROMPT_MQTT_USER=me VIFI_PROMPT_MQTT_PASSWORD=\(password)" }
        for environment in ["", me("other-secret")] {
            let outcome = try predict(root + "/cameras/x", environment: environment)
            #expect(outcome.status == 69 && !outcome.output.contains("\"answer\"") && outcome.messages.contains("the broker refuses: Not authorized"), "\(outcome.messages)")
            #expect(outcome.messages.contains("VIFI_PROMPT_MQTT_USER") && !outcome.messages.contains("secret"), "\(outcome.messages)")
        }
        let allowed = try predict(root + "/cameras/x", environment: me("secret"))
        #expect(allowed.status == 0 && allowed.messages.contains("5 answers published") && !allowed.messages.contains("lost"), "\(allowed.messages)")
        // What the broker takes from this user and drops is no answer that arrived.
        let forbidden = try predict(root + "/doors/x", environment: me("secret"))
        #expect(forbidden.status == 0 && forbidden.messages.contains("0 answers published, 5 lost"), "\(forbidden.messages)")
        #expect(forbidden.messages.contains("the broker refuses it: Not authorized"), "\(forbidden.messages)")
        withExtendedLifetime(broker) {}
    }

    /// A broker's certificate is looked at, and its name.
    @Test(.enabled(if: hasBroker, missing)) func connectionsAreEncrypted() throws {
        let made = try shell(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out certificate.pem -days 2 -subj /CN=localhost "
                + "-addext subjectAltName=DNS:localhost")
        #expect(made.status == 0, "\(made.messages)")
        let port = try freePort()
        let broker = try broker(
            port, "allow_anonymous true", "certfile \(program.folder.path("certificate.pem"))", "keyfile \(program.folder.path("key.pem"))")
        let trusting = "SSL_CERT_FILE=\(program.folder.path("certificate.pem"))"
        let trusted = try predict("mqtts://localhost:\(port)/cameras/x", environment: trusting)
        #expect(trusted.status == 0 && trusted.messages.contains("5 answers published"), "\(trusted.messages)")
        for (address, environment) in [("mqtts://localhost:\(port)/x", ""), ("mqtts://127.0.0.1:\(port)/x", trusting)] {
            let outcome = try predict(address, environment: environment)
            #expect(outcome.status == 69 && outcome.messages.contains("must trust the broker's certificate"), "\(address): \(outcome.messages)")
        }
        withExtendedLifetime(broker) {}
    }

    // MARK: Breaks

    /// The program on a source that does not end, which publishes to a port.
    private func watching(_ port: Int) throws -> (process: Process, streams: [String], source: Peer) {
        let place = try freePort()
        let source = try peer(
            "ffmpeg", "-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=64x48:rate=10", "-c:v", "libx264", "-g", "5", "-tune", "zerolatency",
            "-f", "mpegts", "-listen", "1", "http://127.0.0.1:\(place)/")
        try waitForListener(place)
        let (process, streams) = try program.start(
            Program.path,
            ["predict", "--prompts", prompts, "http://127.0.0.1:\(place)/", "--window", "1s", "--json", "--mqtt", "mqtt://127.0.0.1:\(port)/cameras/x"])
        return (process, streams, source)
    }

    /// Answers wait for a broker that goes away and comes back, and none is lost.
    @Test(.enabled(if: hasBroker, missing)) func brokersComeBack() throws {
        let port = try freePort()
        var broker: Peer? = try broker(port)
        let (process, streams, source) = try watching(port)
        try wait { lines(of: streams[0]).count >= 2 }
        broker = nil
        try wait { text(of: streams[1]).contains("answers wait meanwhile") }
        broker = try self.broker(port)
        try wait { text(of: streams[1]).contains("the broker is there again") }
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        let messages = text(of: streams[1])
        #expect(process.terminationStatus == 0 && messages.contains("\(lines(of: streams[0]).count) answers published"), "\(messages)")
        #expect(!messages.contains("lost") && !messages.contains("given up"), "\(messages)")
        withExtendedLifetime((broker, source)) {}
    }

    /// Answers go on without the broker, and those that did not arrive are counted.
    @Test(.enabled(if: hasBroker, missing)) func whatDoesNotArriveIsCounted() throws {
        let port = try freePort()
        var broker: Peer? = try broker(port)
        let (process, streams, source) = try watching(port)
        try wait { lines(of: streams[0]).count >= 2 }
        broker = nil
        try wait { text(of: streams[1]).contains("answers wait meanwhile") }
        let count = lines(of: streams[0]).count
        try wait { lines(of: streams[0]).count >= count + 2 }
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        let messages = text(of: streams[1])
        let summary = try #require(messages.firstMatch(of: #/(\d+) answers? published; (\d+) answers? were given up after 5 s/#), "\(messages)")
        #expect(process.terminationStatus == 0 && (Int(summary.1) ?? 0) + (Int(summary.2) ?? 0) == lines(of: streams[0]).count, "\(messages)")
        withExtendedLifetime((broker, source)) {}
    }

    /// A first connection that does not come about ends the command before anything is read.
    @Test(.enabled(if: isBuilt, "the build has no MQTT")) func nobodyListens() throws {
        let outcome = try predict("mqtt://127.0.0.1:\(try freePort())/x")
        #expect(outcome.status == 69 && !outcome.output.contains("\"answer\"") && !outcome.messages.contains("Reading"), "\(outcome.messages)")
        #expect(outcome.messages.contains("the broker cannot be reached: Connection refused. Check host and port"), "\(outcome.messages)")
    }

    // MARK: Refusals

    @Test(arguments: [
        ("http://h/x", "is no address such as mqtt://"), ("mqtt://u:secret@h/x", "--mqtt mqtt://***: holds a user or a password"), ("mqtt://h", "names no topic"),
        ("mqtt://h/a/%23", "names no topic"), ("mqtt://h/a+b", "names no topic"), ("mqtt://h:0/x", "is no address such as mqtt://"),
        ("secret@h", "is no address such as mqtt://"),
    ])
    func refusals(_ address: String, _ words: String) throws {
        let outcome = try program.run(["predict", "--prompts", prompts, "-", "--mqtt", address])
        #expect(outcome.status == 64 && outcome.messages.contains(words) && !outcome.messages.contains("secret"), "\(outcome.messages)")
    }

    @Test func files() throws {
        let outcome = try program.run(["predict", "--prompts", prompts, "a.mp4", "--mqtt", "mqtt://h/x"])
        #expect(outcome.status == 64 && outcome.messages.contains("--mqtt is about live sources"), "\(outcome.messages)")
    }

    @Test(.enabled(if: !isBuilt, "the build has MQTT")) func buildsWithoutItSaySo() throws {
        let outcome = try program.run(["predict", "--prompts", prompts, "-", "--mqtt", "mqtt://h/x"])
        #expect(outcome.status == 69 && outcome.messages.contains("--mqtt mqtt://h/x: this vifi-prompt was built without MQTT"), "\(outcome.messages)")
        #expect(outcome.messages.contains("--traits MQTT"), "\(outcome.messages)")
    }

    @Test(.enabled(if: isBuilt, "the build has no MQTT")) func aPasswordHasAUser() throws {
        let outcome = try program.run(
            ["predict", "--prompts", prompts, "-", "--mqtt", "mqtt://h/x"], environment: ["VIFI_PROMPT_MQTT_PASSWORD": "secret"])
        #expect(outcome.status == 64 && outcome.messages.contains("without VIFI_PROMPT_MQTT_USER") && !outcome.messages.contains("secret"), "\(outcome.messages)")
    }

    /// What variables of the program hold is shown, but for secrets.
    @Test func theDoctorKeepsSecrets() throws {
        let secrets = ["VIFI_PROMPT_TOKEN": "secret-of-servers", "VIFI_PROMPT_MQTT_USER": "secret-user", "VIFI_PROMPT_MQTT_PASSWORD": "secret-of-brokers"]
        let outcome = try program.run(["doctor"], environment: secrets.merging(["VIFI_PROMPT_LOG": "info"]) { $1 })
        for name in secrets.keys { #expect(outcome.output.contains(name)) }
        #expect(outcome.output.contains("VIFI_PROMPT_LOG") && !outcome.output.contains("secret-"), "\(outcome.output)")
    }
}
