import Files
import Foundation
import TestSupport
import Testing

/// Grids of the real program on videos of a few frames, and `profile`.
@Suite(.serialized, .timeLimit(.minutes(15))) struct AblateTests {
    private static let grid = """
        # Ablation: a small grid.
        training: {epochs: 2, batch_size: 2, accumulation_steps: 1}
        prompts: {text_tokens: 2, text_depth: 1}
        grid:
          command: learn
          axis: vision tokens
          cells:
            one token: {at: 1, prompts: {vision_tokens: 1, vision_depth: 1}}
            two tokens: {at: 2, prompts: {vision_tokens: 2, vision_depth: 1}}
            all weights: {at: 3, command: bridge, recipe: whole.yaml, tuning: image}

        """

    private func world() throws -> Program {
        let program = try Program.withVideos()
        try program.folder.write(Self.grid, to: "grid.yaml")
        try program.folder.write("training: {epochs: 2, batch_size: 2, accumulation_steps: 1, learning_rate: 1e-4}\n", to: "whole.yaml")
        return program
    }

    private func arguments(_ more: String...) -> [String] {
        ["ablate", "grid.yaml", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors",
            "--frames", "2", "--threads", "1", "--output", "out"] + more
    }

    private func lines(_ program: Program, _ file: String) throws -> [String] {
        try String(contentsOfFile: program.folder.path(file), encoding: .utf8).split(separator: "\n").map(String.init)
    }

    /// What cannot begin is not in the way of the right command.
    @Test func forgottenFlagsLeaveNothing() throws {
        let program = try world()
        for words in [["ablate", "grid.yaml"], ["learn", "--seeds", "1,2"]] {
            let outcome = try program.run(words + ["--train", "list.txt", "--output", "out"])
            #expect(outcome.status == 64 && outcome.messages.contains("--labels"), "\(outcome.messages)")
            #expect(!fileExists(program.folder.path("out")))
        }
    }

    @Test func cellsAreRunOnceAndSummedUp() throws {
        let program = try world()
        let dry = try program.run(arguments("--dry-run", "--no-timing", "--seeds", "1,2"))
        #expect(dry.status == 0 && !fileExists(program.folder.path("out")), "\(dry.messages)")
        #expect(dry.output.contains("| two tokens ") && dry.output.contains("| left to run "), "\(dry.output)")

        let whole = try program.run(arguments())
        #expect(whole.status == 0, "\(whole.messages)")
        #expect(whole.output.hasPrefix("grid: a small grid.\n| vision tokens | last top-1 % |"), "\(whole.output)")
        // What single runs have to say goes with the other messages.
        #expect(!whole.output.contains("prompts:") && whole.messages.contains("prompts: out/one-token/seed1/prompts/best.safetensors"))
        let csv = try lines(program, "out/summary.csv")
        #expect(csv.count == 4 && csv[0].hasPrefix("cell,series,at,command,settings,n,last_top1_mean,last_top1_deviation,"))
        #expect(csv[1].hasPrefix("one token,,1.0,learn,prompts.vision_tokens=1 prompts.vision_depth=1,1,"))
        #expect(csv[3].hasPrefix("all weights,,3.0,bridge,tuning=image,1,"))
        for chart in ["chart.svg", "chart.png"] { #expect(fileExists(program.folder.path("out/" + chart))) }

        // The same numbers as the run by itself.
        let alone = try program.run([
            "learn", "--recipe", "grid.yaml", "--train", "list.txt", "--val", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone",
            "clip.safetensors", "--frames", "2", "--threads", "1", "--set", "prompts.vision_tokens=2", "--set", "prompts.vision_depth=1",
            "--seed", "1", "--output", "alone",
        ])
        #expect(alone.status == 0, "\(alone.messages)")
        #expect(
            try Digest.ofFile(program.folder.path("alone/prompts/last.safetensors"))
                == Digest.ofFile(program.folder.path("out/two-tokens/seed1/prompts/last.safetensors")))

        // Again: nothing is run. With a seed more: only that.
        let again = try program.run(arguments())
        #expect(again.output == whole.output && !again.messages.contains("Seed 1"), "\(again.messages)")
        let more = try program.run(arguments("--seeds", "1,2"))
        #expect(more.status == 0 && !more.messages.contains("Seed 1,") && more.messages.contains("Seed 2, 2 of 2"), "\(more.messages)")
        #expect(more.output.contains("Mean ± deviation of 2 seeds; last and best: epochs on the validation list; GFLOPs: of a view"), "\(more.output)")
        // Other settings do not belong into this folder.
        let other = try program.run(arguments("--shots", "1"))
        #expect(other.status == 78 && other.messages.contains("was started with other settings"), "\(other.messages)")
    }

    /// Methods × shots × seeds, with what each learns and costs.
    @Test func methodsAreComparedWithTheirCost() throws {
        let program = try Program.withVideos()
        let arguments = [
            "ablate", "methods", "--methods", "zero-shot,cosine-mean,coop", "--shots", "1,2", "--seeds", "1,2", "--epochs", "1", "--train", "list.txt",
            "--test", "list.txt", "--allow-shared-videos", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--threads", "1",
            "--output", "out",
        ]
        let dry = try program.run(arguments + ["--dry-run", "--no-timing"])
        #expect(dry.status == 0 && dry.output.contains("| coop, 2 shots ") && dry.output.contains("scored once"), "\(dry.output)\(dry.messages)")
        let whole = try program.run(arguments)
        #expect(whole.status == 0, "\(whole.messages)")
        for title in ["| method ", "| test top-1 % |", "| learned ", "| GFLOPs ", "| needed ", "| seconds ", "| peak memory |"] {
            #expect(whole.output.contains(title), "\(title) in \(whole.output)")
        }
        struct Summary: Decodable {
            struct Cell: Decodable {
                struct Measure: Decodable {
                    let name: String
                    let values: [Double]
                }
                let name: String
                let method: String
                let command: String
                let at: Double?
                let seeds: [Int]
                let measures: [Measure]
                let learned_parameters: Int
                let view_gflops: Double
                let needed_view_gflops: Double
                let peak_bytes: Int
                let seconds: Double
            }
            struct Difference: Decodable {
                let first: String
                let second: String
                let seeds: [Int]
            }
            let cells: [Cell]
            let differences: [Difference]
            let is_finished: Bool
        }
        let bytes = try Data(contentsOf: URL(fileURLWithPath: program.folder.path("out/summary.json")))
        let summary = try JSONDecoder().decode(Summary.self, from: bytes)
        #expect(summary.is_finished)
        #expect(summary.cells.map(\.name) == ["zero-shot", "cosine-mean, 1 shot", "cosine-mean, 2 shots", "coop, 1 shot", "coop, 2 shots"])
        #expect(summary.cells.map(\.command) == ["evaluate", "learn", "learn", "learn", "learn"])
        #expect(summary.cells.map(\.seeds) == [[], [1, 2], [1, 2], [1, 2], [1, 2]])
        // A frame: 2 layers of 5 tokens, 12 × 64² products each and 2 × 5² × 64 of attention; 4 patches of 16² × 3; the projection.
        let frame = 2 * (5 * 12 * 64 * 64 + 2 * 25 * 64) + 4 * 768 * 64 + 64 * 32
        for cell in summary.cells {
            #expect(cell.view_gflops == Double(2 * frame) / 1e9 && cell.needed_view_gflops <= cell.view_gflops && cell.needed_view_gflops > 0)
            #expect(cell.peak_bytes > 1 << 20 && cell.seconds > 0 && cell.measures.contains { $0.name == "test_top1" })
        }
        // CoOp's 16 words of 64 numbers.
        #expect(summary.cells.map(\.learned_parameters).prefix(1) == [0] && summary.cells.suffix(2).allSatisfy { $0.learned_parameters == 16 * 64 })
        // Each with what learns nothing, and with the first method that learns, from as many shots.
        #expect(summary.differences.map { "\($0.first) – \($0.second)" } == [
            "zero-shot – cosine-mean, 1 shot", "zero-shot – cosine-mean, 2 shots", "zero-shot – coop, 1 shot", "zero-shot – coop, 2 shots",
            "cosine-mean, 1 shot – coop, 1 shot", "cosine-mean, 2 shots – coop, 2 shots",
        ])
        #expect(summary.differences.allSatisfy { $0.seeds == [1, 2] })
        let csv = try lines(program, "out/summary.csv")
        #expect(csv.count == 6 && csv[0].hasSuffix(",seconds,learned_parameters,view_gflops,needed_view_gflops,peak_bytes"))
        #expect(csv[1].hasPrefix("zero-shot,zero-shot,,evaluate,,1,") && csv[2].hasPrefix("\"cosine-mean, 1 shot\",cosine-mean,1.0,learn,training.shots=1,2,"))
        #expect(fileExists(program.folder.path("out/chart.svg")))

        // The backbone as it is scores what evaluate says.
        let alone = try program.run([
            "evaluate", "few-shot", "--methods", "zero-shot", "--train", "list.txt", "--test", "list.txt", "--allow-shared-videos", "--labels", "labels.csv",
            "--backbone", "clip.safetensors", "--frames", "2", "--output", "alone", "--json",
        ])
        struct Protocol: Decodable {
            struct Result: Decodable {
                let measure: String
                let mean: Double
            }
            let results: [Result]
        }
        let few = try JSONDecoder().decode(Protocol.self, from: Data(alone.output.utf8))
        let top1 = summary.cells[0].measures.first { $0.name == "test_top1" }?.values
        #expect(top1 == few.results.filter { $0.measure == "top1" }.map(\.mean))

        let again = try program.run(arguments)
        #expect(again.output == whole.output && again.messages.contains("zero-shot: finished already"), "\(again.messages)")
        // Other grids say themselves what they learn.
        let other = try program.run(["ablate", "depth", "--methods", "coop"] + arguments.dropFirst(8))
        #expect(other.status == 64 && other.messages.contains("vifi-prompt ablate methods"), "\(other.messages)")
    }

    @Test func aStoppedGridGoesOn() throws {
        let program = try world()
        let start = arguments("--set", "training.epochs=60")
        #expect(try program.signal(SIGINT, whenThere: "out/one-token/seed1/metrics.jsonl", start) == 75)
        #expect(program.lastMessages.contains("ablate grid.yaml "), "\(program.lastMessages)")
        #expect(!fileExists(program.folder.path("out/two-tokens")))
        let resumed = try program.run(start)
        #expect(resumed.status == 0, "\(resumed.messages)")
        #expect(try lines(program, "out/summary.csv").count == 4)
    }

    @Test func ownGridsStandOnRecipesOfTheProgram() throws {
        let program = try world()
        try program.folder.write(
            "base: few-shot/prompt\ngrid:\n  command: learn\n  axis: rate\n  cells:\n    slow: {at: 1, training: {learning_rate: 1e-3}}\n", to: "grid.yaml")
        let dry = try program.run(arguments("--dry-run", "--no-timing", "--set", "prompts.vision_depth=1", "--set", "prompts.text_depth=1"))
        // Without a first comment there is no title.
        #expect(dry.status == 0 && dry.output.hasPrefix("grid\n|"), "\(dry.messages)\(dry.output)")
        try program.folder.write("base: few-shot/promt\ngrid:\n  command: learn\n  cells:\n    a: {tuning: image}\n", to: "grid.yaml")
        #expect(try program.run(arguments("--dry-run")).status == 78)
    }

    @Test func foldersOfSomethingElseAreLeftAlone() throws {
        let program = try world()
        try createDirectory(program.folder.path("out"))
        try program.folder.write("mine", to: "out/notes.txt")
        let outcome = try program.run(arguments())
        #expect(outcome.status == 74 && outcome.messages.contains("out: holds notes.txt"), "\(outcome.messages)")
        #expect(try directoryEntries(program.folder.path("out")) == ["notes.txt"])
    }

    @Test func whatIsMissingIsNamed() throws {
        let program = try Program()
        let unknown = try program("ablate", "deph")
        #expect(unknown.status == 66 && unknown.messages.contains("Did you mean \"depth\"?"), "\(unknown.messages)")
        let image = try program.run([
            "ablate", "bridged", "--train", "a.txt", "--val", "a.txt", "--labels", "b.csv", "--backbone", "c.safetensors",
        ])
        #expect(image.status == 64 && image.messages.contains("--image-backbone"), "\(image.messages)")
        #expect(try program("ablate", "depth", "--no-timing").status == 64)
    }

    // MARK: Profile

    @Test func profileCountsAndCompares() throws {
        let program = try Program()
        let text = try program("profile", "--no-timing")
        #expect(text.status == 0 && text.messages == "", "\(text.messages)")
        for words in ["124,323,841", "168,574,465", "3,555,072", "281.0 / 562.0", "| 562.64 |", "| 286.63 |", "| 284.05 |", "| 71.1 "] {
            #expect(text.output.contains(words), "\(words)")
        }
        let csv = try program("profile", "--no-timing", "--csv", "--architecture", "l14").output.split(separator: "\n")
        let titles = csv[0].split(separator: ",", omittingEmptySubsequences: false)
        #expect(csv.dropFirst().allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == titles.count || $0.contains("\"") })
        #expect(csv[1].hasPrefix("vifi-clip,ViFi-CLIP,both towers,true,427616513,"))
        #expect(try program("profile", "--architecture", "ViT-H/14").status == 64)
    }

    /// Every row that runs here gets a number, others none.
    @Test func profileTimesWhatRuns() throws {
        let program = try Program()
        let path = try SmallModel().write(to: program).backbone
        let outcome = try program.run(["profile", "--backbone", path, "--frames", "2", "--classes", "3", "--views", "1", "--json"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        struct Report: Decodable {
            struct Row: Decodable {
                let id: String
                let runs_here: Bool
                let views_per_second: Double?
            }
            let rows: [Row]
        }
        let rows = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8)).rows
        #expect(rows.count > 10)
        for row in rows { #expect((row.views_per_second != nil) == row.runs_here, "\(row.id)") }
    }
}
