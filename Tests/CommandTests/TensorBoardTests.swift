import Foundation
import TestSupport
import Testing

/// The event file of a run in TensorBoard's own reader.
@Suite(.serialized, .timeLimit(.minutes(15))) struct TensorBoardTests {
    /// The curves of a run that was stopped and went on, as TensorBoard reads them, are those of metrics.jsonl: each step once.
    @Test(.enabled(if: OtherRuntimes.areThere, OtherRuntimes.absence))
    func tensorBoardReadsTheCurvesOfARun() throws {
        let program = try Program.withVideos()
        let run = [
            "learn", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors",
            "--frames", "2", "--batch-size", "5", "--accumulation-steps", "1", "--epochs", "20", "--threads", "1", "--output", "run",
        ]
        #expect(try program.signal(SIGTERM, whenThere: "run/checkpoints", run) == 75, "\(program.lastMessages)")
        let resumed = try program("learn", "--resume", "run")
        #expect(resumed.status == 0, "\(resumed.messages)")
        var expected: [String: [[Double]]] = [:]
        var step = 0.0
        for line in try String(contentsOfFile: program.folder.path("run/metrics.jsonl"), encoding: .utf8).split(separator: "\n") {
            let fields = try JSONDecoder().decode([String: Double].self, from: Data(line.utf8))
            step = fields["step"] ?? step
            let group = fields["step"] == nil ? "epoch" : "step"
            for (key, value) in fields where key != "step" && !(group == "epoch" && key == "epoch") {
                expected["\(group)/\(key)", default: []].append([step, Double(Float(value))])
            }
        }
        #expect(expected["step/loss"]?.map { $0[0] } == (1...40).map(Double.init))
        #expect(expected["epoch/val_top1"]?.isEmpty == false)
        let read = try OtherRuntimes.run("read_events.py", [program.folder.path("run")])
        #expect(read.status == 0, "\(read.output)")
        // What its libraries say comes before.
        let printed = String(read.output.split(separator: "\n").last ?? "")
        #expect(try JSONDecoder().decode([String: [[Double]]].self, from: Data(printed.utf8)) == expected)
    }
}
