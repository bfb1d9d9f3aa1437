import CLIPModel
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
        try expectSamePlan(command, world())
    }

    /// The demo's commands, on videos that are there.
    @Test(arguments: [["pretrain"], ["table", "--seeds", "1,2"], ["late", "--shots", "2", "--seeds", "1"], ["report"]])
    func planAndDryRunOfTheDemoAreTheSame(_ command: [String]) throws {
        var program = try Program()
        program.videos = try ShortPocketWorld.folder.get()
        try expectSamePlan(["demo"] + command, program)
    }

    private func expectSamePlan(_ command: [String], _ program: Program) throws {
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

    private struct Plan: Decodable {
        struct Part: Decodable {
            let name: String
            let steps: Int?
            let videos: Int?
            let seconds: Double?
        }
        let parts: [Part]
        let seconds: Double?
    }

    private struct Arithmetic: Decodable {
        struct Numbers: Decodable {
            let step: Double
            let stepWithoutSavings: Double
        }
        let arithmetic: Numbers
    }

    private func arithmetic(_ program: Program, _ words: [String]) throws -> Arithmetic.Numbers {
        let outcome = try program.run(
            ["plan", "bridge", "--no-timing", "--json", "--epochs", "1", "--batch-size", "5", "--accumulation-steps", "1"] + Self.data + words)
        #expect(outcome.status == 0, "\(outcome.messages)")
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Arithmetic.self, from: Data(outcome.output.utf8)).arithmetic
    }

    private struct Totals: Decodable {
        struct Numbers: Decodable {
            let total: Double
            let savings: [String]
        }
        let arithmetic: Numbers
    }

    /// Half of the epochs with one frame and half with two take the mean of what both take for all epochs.
    @Test func plansCountFewFramesFirst() throws {
        let program = try world()
        func plan(_ words: String...) throws -> Totals.Numbers {
            let outcome = try program.run(
                ["plan", "learn", "--no-timing", "--json", "--epochs", "2", "--train", "train.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors"]
                    + words)
            #expect(outcome.status == 0, "\(outcome.messages)")
            return try JSONDecoder().decode(Totals.self, from: Data(outcome.output.utf8)).arithmetic
        }
        let one = try plan("--frames", "1").total
        let two = try plan("--frames", "2").total
        let few = try plan("--frames", "2", "--frames-schedule", "1,2")
        #expect(few.total == (one + two) / 2)
        #expect(few.savings.contains("clips have few frames first, 1 in 1, 2 in 1 epochs, which changes what is learned"), "\(few.savings)")
    }

    /// What X-CLIP adds to a step of five clips of two frames, counted by hand: messages and their place in each block, a layer over the
    /// frames, and two layers in which five texts look at the patches; all of it forward, and twice as much back.
    @Test func plansCountWhatXCLIPAdds() throws {
        let program = try world()
        let sizes = try Backbone.load(program.folder.path("clip.safetensors")).architecture
        let (wide, width, frames, clips, classes, patches) = (sizes.vision.width, sizes.embeddingWidth, 2, 5, 5, sizes.patchCount)
        // Before each block a message passes a layer, is a query, a key, a value and an output among two, and then a key and a value.
        let message = 7 * wide * wide + 2 * frames * wide
        // In the block every token sees one more row: in the last one every token asks, as the patches come out, and not the class token alone.
        let tokens = patches + 1
        let seen = sizes.vision.layerCount * 2 * tokens * wide
        let others = (tokens - 1) * (10 * wide * wide + 2 * tokens * wide)
        let overFrames = frames * 12 * width * width + 2 * frames * frames * width
        let looking = 2 * (2 * patches * width * width + classes * (10 * width * width + 2 * patches * width))
        let behind = patches * wide * width + overFrames + looking
        let added = 3 * clips * (frames * (sizes.vision.layerCount * message + seen + others) + behind)
        let (image, method) = (try arithmetic(program, ["--tuning", "image"]), try arithmetic(program, ["--method", "x-clip"]))
        #expect(method.step - image.step == 2 * Double(added))
        #expect(method.stepWithoutSavings > image.stepWithoutSavings)
    }

    /// ActionCLIP's six layers over the frames, forward and twice as much back; a step reads the five texts of its clips.
    @Test func plansCountWhatActionCLIPAdds() throws {
        let program = try world()
        try program.folder.write("{}\n", to: "sentences.txt")
        let sizes = try Backbone.load(program.folder.path("clip.safetensors")).architecture
        let (width, frames, clips) = (sizes.embeddingWidth, 2, 5)
        let layers = 6 * (frames * 12 * width * width + 2 * frames * frames * width)
        let whole = try arithmetic(program, ["--tuning", "both", "--set", "template={}"])
        let method = try arithmetic(program, ["--method", "actionclip", "--templates", "sentences.txt"])
        // The five training clips are of five classes: their texts in one sentence are those of all classes.
        #expect(method.step - whole.step == 2 * Double(3 * clips * layers))
        #expect(method.stepWithoutSavings - whole.stepWithoutSavings == 2 * Double(3 * clips * layers))
    }

    /// What is finished or measured already is not planned again.
    @Test func demosPlanWhatIsLeft() throws {
        var program = try Program()
        program.videos = try ShortPocketWorld.folder.get()
        func plan(_ words: String...) throws -> Plan {
            let outcome = try program.run(["plan", "demo"] + words + ["--json"])
            #expect(outcome.status == 0, "\(outcome.messages)")
            return try ResultJSON.decoder.decode(Plan.self, from: Data(outcome.output.utf8))
        }
        let table = try plan("table", "--seeds", "1,2", "--no-timing")
        let all = [
            "prompts, 2 shots: 2 of 2 runs left", "prompts, 8 shots: 2 of 2 runs left", "fine-tuning, 2 shots: 2 of 2 runs left",
            "prompts, 2 shots, base classes: 2 of 2 runs left", "fine-tuning, 2 shots, base classes: 2 of 2 runs left", "bridge: 1 of 1 run left",
            "scoring, 10 times a seed",
        ]
        #expect(table.parts.map(\.name) == all)
        // Of 16 classes with one video each, five measures are of all, five of a half.
        #expect(table.parts.last?.videos == 2 * (5 * 16 + 5 * 8) && table.seconds == nil)
        for run in ["bridge-seed2", "learn-all-2shots-seed1"] {
            try createDirectory(program.folder.path("runs/pocket-table/\(run)"))
            try program.folder.write(#"{"steps": 1, "epochs": 1, "trainingLoss": 1, "seconds": 1}"#, to: "runs/pocket-table/\(run)/finished.json")
        }
        let left = try plan("table", "--seeds", "1,2", "--no-timing")
        #expect(left.parts.map(\.name) == ["prompts, 2 shots: 1 of 2 runs left"] + all[1..<5] + all[6...])
        #expect(try #require(left.parts[0].steps) * 2 == table.parts[0].steps)

        try program.folder.write("variant,shots,seed,top1,seconds\nquick,2,1,50,3\nall,2,1,50,3\nall,2,2,50,3\n", to: "late-prompts.csv")
        let late = try plan("late", "--shots", "2", "--seeds", "1,2", "--no-timing")
        #expect(late.parts.count == 5 && late.parts.last?.name == "--quick, 2 shots: 1 of 2 runs left", "\(late.parts)")
        let pretraining = try plan("pretrain", "--steps", "7")
        #expect(pretraining.parts.map(\.steps) == [7] && (pretraining.seconds ?? 0) > 0)
        #expect(try plan("report").parts.allSatisfy { $0.videos == 16 && ($0.seconds ?? 0) > 0 })
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
            (["learn", "--no-timing"], "--no-timing is for --dry-run."), (["demo", "table", "--json"], "--json is for --dry-run"),
            (["demo", "pretrain", "--json"], "--json is for --dry-run"), (["learn", "--dry-run", "--resume"], "there is nothing to plan"),
            (["bridge", "--import", "clip.safetensors", "--dry-run"], "there is nothing to plan"),
            (["plan", "--emit", "slurm-array", "evaluate", "list"], "--emit is for plan learn and plan bridge."),
            (["plan", "--emit", "slurm-array", "demo", "table"], "--emit is for plan learn and plan bridge."),
            (["evaluate", "few-shot", "--plan"], "Unknown option '--plan'"),
        ] as [([String], String)] {
            let outcome = try program.run(words)
            #expect(outcome.status == 64 && outcome.messages.contains(message), "\(words): \(outcome.messages)")
        }
    }
}
