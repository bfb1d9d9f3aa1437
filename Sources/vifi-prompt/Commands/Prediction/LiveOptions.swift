import ArgumentParser
import Experiments
import Files
import VideoData

/// What becomes of windows that come faster than the model looks at them.
enum LateWindows: String, ExpressibleByArgument, CaseIterable {
    case drop, wait
}

/// A picture's size, `1280x720`.
struct CameraSize: ExpressibleByArgument {
    let size: FrameSize

    init?(argument: String) {
        let sides = argument.split(separator: "x", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
        guard sides.count == 2, sides.allSatisfy({ (1...16_384).contains($0) }) else { return nil }
        size = FrameSize(width: sides[0], height: sides[1])
    }
}

/// Sources that are read while they come in.
struct LiveOptions: ParsableArguments {
    @Option(name: .customLong("for"), help: ArgumentHelp("Of a live source: end after this time.", valueName: "time"))
    var duration: VideoSpan?

    @Option(
        help: ArgumentHelp("Of a live source: how long it may send nothing; 10s by default, 30s for HLS, which comes in pieces of seconds.", valueName: "time"))
    var timeout: VideoSpan?

    @Flag(inversion: .prefixedNo, help: "Of a live source: open it again where it breaks off, for five minutes.")
    var reconnect = true

    @Option(
        help: ArgumentHelp(
            "Of a live source: whether windows that come faster than the model looks at them are dropped and counted, or the source waits. By default "
                + "recordings and standard input wait.",
            valueName: "way"))
    var late: LateWindows?

    @Option(
        help: ArgumentHelp(
            "Of a live source: also post each answer as a line of JSON to this address, such as http://127.0.0.1:9000/hook.", valueName: "url"))
    var webhook: String?

    @Option(
        help: ArgumentHelp(
            "Of a live source: also publish each answer as a line of JSON under a topic of a broker, such as mqtt://127.0.0.1:1883/cameras/door. "
                + "\(mqttUserVariable) and \(mqttPasswordVariable) in the environment tell who asks.",
            valueName: "url"))
    var mqtt: String?

    @Option(help: ArgumentHelp("Of a camera: the size of its pictures, such as 1280x720, where it has it.", valueName: "size"))
    var cameraSize: CameraSize?

    @Option(help: ArgumentHelp("Of a camera: pictures a second, where it has this rate.", valueName: "number"))
    var cameraRate: Double?

    var camera: CameraSettings { CameraSettings(size: cameraSize?.size, framesPerSecond: cameraRate) }

    func validate() throws {
        if let cameraRate, !(cameraRate > 0 && cameraRate <= 1000) { throw ValidationError("--camera-rate must be above 0 and at most 1000.") }
        for (flag, span) in [("--for", duration), ("--timeout", timeout)] where span.map({ $0.unit != .seconds }) ?? false {
            throw ValidationError("\(flag) is a time, such as 60s.")
        }
    }

    /// Flags that were passed and say nothing about files.
    var given: [String] {
        [
            ("--for", duration != nil), ("--timeout", timeout != nil), ("--no-reconnect", !reconnect), ("--late", late != nil), ("--webhook", webhook != nil),
            ("--mqtt", mqtt != nil), ("--camera-size", cameraSize != nil), ("--camera-rate", cameraRate != nil),
        ].filter(\.1).map(\.0)
    }
}
