import Files
import Foundation
import TestSupport
import Testing

/// `--dry-run` behind a command and `plan` before it are the same, and start nothing.
@Suite(.serialized) struct DryRunTests {
    private static let data = ["--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
    private static let test = ["--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
    private static let captions = ["--captions", "captions.csv", "--backbone", "clip.safetensors", "--frames", "2"]

    private static let shallow = ["--set", "prompts.vision_depth=2", "--set", "prompts.text_depth=2"]

    static let commands: [[String]] = [
        ["learn", "--epochs", "1"] + data, ["learn", "--epochs", "1", "--seeds", "1,2"] + data, ["bridge", "--epochs", "1"] + data,
        ["evaluate", "list"] + test, ["eval"] + test, ["evaluate", "zero-shot"] + test,
        ["evaluate", "zero-shot", "--draws", "2", "--classes-per-draw", "2"] + test, ["evaluate", "supervised"] + test,
        ["evaluate", "few-shot", "--shots", "1"] + data + shallow,
        ["evaluate", "base-to-novel", "--shots", "1", "--seeds", "1", "--methods", "zero-shot,prompt,fine-tune"] + data + shallow,
        ["learn", "--method", "gda", "--views", "2"] + data, ["learn", "--method", "auto", "--seeds", "1,2"] + data,
        ["evaluate", "retrieval"] + captions, ["ablate", "fusion"] + Array(data.dropLast(2)),
    ]

    private func world() throws -> Program {
        let program = try Program.withVideos()
        try program.folder.write("video,caption\nvideo0.mp4,somebody waves\nvideo1.mp4,somebody claps\n", to: "captions.csv")
        return program
    }

    @Test(arguments: commands) func planAndDryRunAreTheSame(_ command: [String]) throws {
        let program = try world()
        let before = try Set(FileManager.default.contentsOfDirectory(atPath: program.folder.path("")).filter { !$0.hasPrefix(".") })
        for form in [["--no-timing"], ["--no-timing", "--json"]] {
            let dry = try program.run(command + ["--dry-run"] + form)
            let plan = try program.run(["plan"] + command + form)
            #expect(dry.status == 0 && !dry.output.isEmpty, "\(dry.messages)")
            #expect(plan.status == 0, "\(plan.messages)")
            #expect(Self.lasting(plan.output) == Self.lasting(dry.output))
            #expect(dry.output.contains("not measured") || dry.output.contains("–") || form.count == 2, "\(dry.output)")
            if form.count == 2 {
                let object = try #require(try JSONSerialization.jsonObject(with: Data(dry.output.utf8)) as? [String: Any])
                #expect(object["schema"] as? Int == ResultJSON.schema)
            }
        }
        let after = try Set(FileManager.default.contentsOfDirectory(atPath: program.folder.path("")).filter { !$0.hasPrefix(".") })
        #expect(after == before)
    }

    /// Without what the machine has left at the moment.
    private static func lasting(_ text: String) -> String {
        text.replacing(#/\d[\d.]* \w+ are (?:available|free)|"(?:available|free)" : \d+/#, with: "")
    }

    @Test func timesAreMeasured() throws {
        let program = try world()
        for command in Self.commands where ["list", "zero-shot", "retrieval"].contains(command[1]) {
            let plan = try program.run(command + ["--dry-run"])
            #expect(plan.status == 0 && !plan.output.contains("not measured") && plan.output.contains("in all"), "\(plan.messages)")
        }
    }

    @Test func whatIsForPlansAlone() throws {
        let program = try world()
        for (words, message) in [
            (["learn", "--no-timing"], "--no-timing is for --dry-run."), (["learn", "--dry-run", "--resume"], "there is nothing to plan"),
            (["bridge", "--import", "clip.safetensors", "--dry-run"], "there is nothing to plan"),
            (["plan", "--emit", "slurm-array", "evaluate", "list"], "--emit is for plan learn and plan bridge."),
            (["evaluate", "few-shot", "--plan"], "Unknown option '--plan'"),
        ] as [([String], String)] {
            let outcome = try program.run(words)
            #expect(outcome.status == 64 && outcome.messages.contains(message), "\(words): \(outcome.messages)")
        }
    }
}
