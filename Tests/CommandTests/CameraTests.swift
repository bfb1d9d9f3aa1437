import Foundation
import TestSupport
import Testing

/// `predict` on a camera of Video4Linux, through the libavdevice of this machine; the camera itself is made up.
@Suite(.serialized, .timeLimit(.minutes(5)), .enabled(if: FakeCamera.canBeMade, "no C compiler, no linux/videodev2.h or no libavdevice"))
struct CameraTests: LivePeers {
    let program: Program
    private let prompts: String
    private let camera: FakeCamera

    init() throws {
        program = try Program()
        prompts = try SmallModel().write(to: program).prompts
        camera = try FakeCamera(in: program.folder)
    }

    private func predict(_ arguments: [String], _ settings: [String: String] = [:]) throws -> Program.Outcome {
        try program.run(["predict", "--prompts", prompts, camera.path] + arguments, environment: camera.environment(settings))
    }

    /// Windows are those of a file with the same pictures, which FFmpeg made.
    @Test func picturesAreThoseOfTheCamera() throws {
        let count = 40
        var bytes = Data()
        for picture in 0..<count {
            for _ in 0..<FakeCamera.width * FakeCamera.height { bytes.append(contentsOf: [FakeCamera.luma(picture), 128]) }
        }
        try bytes.write(to: URL(fileURLWithPath: program.folder.path("pictures")))
        let made = try shell(
            "ffmpeg -nostdin -v error -y -f rawvideo -pixel_format yuyv422 -video_size \(FakeCamera.width)x\(FakeCamera.height) -framerate 10 -i pictures "
                + "-c copy a.mkv")
        #expect(made.status == 0, "\(made.messages)")
        let line = try #require(
            try objects(program.run(["predict", "--prompts", prompts, "a.mkv", "--window", "1s", "--json"]).output).first)
        let expected = try #require(line["windows"] as? [[String: Any]])

        let outcome = try predict(
            ["--window", "1s", "--json", "--late", "wait", "--no-reconnect", "--timeout", "3s", "--camera-size", "64x48", "--camera-rate", "10"],
            ["TEST_PICTURES": "\(count)"])
        #expect(outcome.status == 74 && outcome.messages.contains("nothing came for 3 s"), "\(outcome.messages)")
        let found = try objects(outcome.output)
        // The last window of the file is complete with its end, which a camera has not.
        #expect(found.count == expected.count - 1 && found.count >= 6, "\(found.count) of \(expected.count): \(outcome.messages)")
        for (one, other) in zip(found, expected) {
            for key in ["start", "end"] { #expect(abs((one[key] as? Double ?? -1) - (other[key] as? Double ?? -2)) < 0.002, "\(key)") }
            let (a, b) = (one["answer"] as? [String: Any], other["answer"] as? [String: Any])
            #expect(a?["label"] as? Int == b?["label"] as? Int)
            #expect(abs((a?["probability"] as? Double ?? 0) - (b?["probability"] as? Double ?? 1)) < 1e-6)
            #expect(one["video"] as? String == camera.path)
        }
    }

    @Test func theTimeIsOver() throws {
        let outcome = try predict(["--window", "1s", "--json", "--for", "12s"])
        #expect(outcome.status == 0 && outcome.messages.contains("answered"), "\(outcome.messages)")
        #expect(try objects(outcome.output).count > 0, "\(outcome.messages)")
    }

    /// Starts the program, and interrupts it once it has said something.
    private func interrupt(whenSaid words: String, _ arguments: [String], _ settings: [String: String]) throws -> (status: Int32, messages: String) {
        let (process, streams) = try program.start(
            Program.path, ["predict", "--prompts", prompts, camera.path, "--window", "1s"] + arguments, environment: camera.environment(settings))
        func messages() -> String { (try? String(contentsOfFile: streams[1], encoding: .utf8)) ?? "" }
        let deadline = Date(timeIntervalSinceNow: 60)
        while process.isRunning, Date() < deadline, !messages().contains(words) { usleep(20_000) }
        kill(process.processIdentifier, SIGINT)
        process.waitUntilExit()
        return (process.terminationStatus, messages())
    }

    /// Waiting for a picture that does not come ends with Ctrl-C.
    @Test func waitingCanBeInterrupted() throws {
        let start = ContinuousClock.now
        let (status, messages) = try interrupt(whenSaid: "Reading", ["--timeout", "200s"], ["TEST_PICTURES": "2"])
        #expect(status == 0 && ContinuousClock.now - start < .seconds(100), "\(messages)")
    }

    /// A camera that stops is opened again.
    @Test func camerasComeBack() throws {
        let (status, messages) = try interrupt(whenSaid: "is there again after", ["--timeout", "2s"], ["TEST_PICTURES": "25"])
        #expect(status == 0 && messages.contains("nothing came for 2 s") && messages.contains("It is opened again in 1 s"), "\(messages)")
        #expect(messages.contains("is there again after"), "\(messages)")
    }

    @Test func whatGivesNoPictures() throws {
        let outcome = try predict([], ["TEST_NO_PICTURES": "1"])
        #expect(outcome.status == 66 && outcome.messages.contains("\(camera.path): cannot be opened") && outcome.messages.contains("group video"), "\(outcome.messages)")
    }

    @Test func whereTheLibraryIsMissing() throws {
        let outcome = try predict([], ["TEST_NO_LIBRARY": "1"])
        #expect(outcome.status == 69 && outcome.messages.contains(#/apt-get install libavdevice\d+\. /#), "\(outcome.messages)")
        #expect(outcome.messages.contains("ffmpeg -f v4l2 -i \(camera.path) -f matroska - | vifi-prompt predict -"), "\(outcome.messages)")
    }

    /// Other devices are no cameras.
    @Test func otherDevices() throws {
        let outcome = try program.run(["predict", "--prompts", prompts, "/dev/null", "--window", "1s"], environment: camera.environment())
        #expect(outcome.status != 0 && outcome.output == "" && !outcome.messages.contains("Reading"), "\(outcome.messages)")
    }
}
