import CLIPModel
import Files
import Foundation
import TestSupport
import Testing
import VideoData

/// The paper's settings on a few small videos, with a model of random numbers.
@Suite(.serialized) struct EvaluateTests {
    private let program: Program
    private let backbone: String
    private let prompts: String

    /// Four classes of six videos: the last two of each are test videos.
    init() throws {
        program = try Program()
        (backbone, prompts) = try SmallModel().write(to: program)
        var (train, val) = ("", "")
        for label in 0..<4 {
            for index in 0..<6 {
                let name = "\(label)-\(index).mp4"
                try Self.video(program.folder.path(name), label: label, index: index)
                if index < 4 { train += "\(name) \(label)\n" } else { val += "\(name) \(label)\n" }
            }
        }
        try program.folder.write(train, to: "train.txt")
        try program.folder.write(val, to: "val.txt")
        try program.folder.write("0-0.mp4 0\n3-1.mp4 3\n1-2.mp4 1\n", to: "val2.txt")
        try program.folder.write("id,name\n0,waving\n1,\"jumping, high\"\n2,clapping\n3,sitting\n", to: "labels.csv")
    }

    /// Six frames of stripes, of other widths and colors in each video.
    private static func video(_ path: String, label: Int, index: Int) throws {
        var writer = try VideoWriter(path: path, width: 48, height: 40, framesPerSecond: 10)
        for frame in 0..<6 {
            let pixels = (0..<40 * 48).flatMap { place -> [UInt8] in
                let bright = (place % 48 + place / 48 * label + frame * index) / (2 + label) % 2 == 0
                return [bright ? UInt8(60 * label + 20) : 30, bright ? UInt8(35 * index + 10) : 200, UInt8(40 * frame)]
            }
            try writer.append(pixels)
        }
        try DurableFile.write(writer.finishedBytes(), to: path)
    }

    private func evaluate(_ words: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(["evaluate"] + words + ["--frames", "2"], sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func json(_ name: String) throws -> [String: Any] {
        let data = try Data(contentsOf: URL(fileURLWithPath: program.folder.path(name)))
        return try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    }

    private func text(_ name: String) throws -> String { try String(contentsOfFile: program.folder.path(name), encoding: .utf8) }

    /// A result of summary.json.
    private func result(_ folder: String, _ measure: String, part: String? = nil, shots: Int? = nil, method: String? = nil) throws -> [String: Any] {
        let results = try #require(try json("\(folder)/summary.json")["results"] as? [[String: Any]])
        return try #require(
            results.first {
                $0["measure"] as? String == measure && $0["part"] as? String == part && $0["shots"] as? Int == shots
                    && (method == nil || $0["method"] as? String == method)
            })
    }

    /// Without a subcommand, and under its old name, a list is scored.
    @Test func listIsTheDefault() throws {
        let words = ["--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv", "--frames", "2", "--output"]
        for (index, command) in [["eval"], ["evaluate"], ["evaluate", "list"]].enumerated() {
            let outcome = try program.run(command + words + ["\(index)"])
            #expect(outcome.status == 0 && outcome.output.contains("mean of classes"), "\(outcome.messages)")
        }
        #expect(try text("0/predictions.jsonl") == text("1/predictions.jsonl"))
        #expect(try text("0/per_class.csv") == text("2/per_class.csv"))
        // Without --output it goes under runs/, like everything else.
        let outcome = try program.run(["eval"] + words.dropLast() + ["--json"])
        #expect(outcome.messages.contains("runs/eval"))
        let printed = try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
        let record = try json("runs/eval/evaluation.json")
        #expect(printed["top1"] as? Double == record["top1"] as? Double && printed["list_sha256"] as? String == record["list_sha256"] as? String)
        #expect((printed["per_class"] as? [Any])?.count == 4 && (printed["confusion"] as? [Any])?.count == 4)
    }

    /// Lines of `path start end label`: other frames than those of the whole video, also from the cache of features.
    @Test func partsOfVideosAreClipsOfTheirOwn() throws {
        try program.folder.write("0-0.mp4 0.0 0.2 0\n0-0.mp4 0.4 0.6 0\n0-0.mp4 0\n", to: "parts.txt")
        for folder in ["first", "again"] {
            let outcome = try evaluate("list", "--backbone", backbone, "--val", "parts.txt", "--labels", "labels.csv", "--output", folder)
            #expect(outcome.status == 0)
        }
        let lines = try text("first/predictions.jsonl").split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        }
        #expect(lines.map { $0["start"] as? Double } == [0, 0.4, nil] && lines.map { $0["end"] as? Double } == [0.2, 0.6, nil])
        #expect(Set(lines.compactMap { $0["probabilities"] as? [Double] }).count == 3)
        #expect(try text("first/predictions.jsonl") == text("again/predictions.jsonl"))
        // Beyond the end of 0.6 seconds.
        try program.folder.write("0-0.mp4 0.0 0.2 0\n0-0.mp4 0.7 0.8 0\n", to: "beyond.txt")
        let beyond = try evaluate("list", "--backbone", backbone, "--val", "beyond.txt", "--labels", "labels.csv", "--output", "none", status: 65)
        #expect(beyond.messages.contains("0-0.mp4: has no part from 0.7 to 0.8 seconds; its last frame ends at 0.600."), "\(beyond.messages)")
        let checked = try program("data", "check", "beyond.txt", "--write-good", "good.txt")
        #expect(checked.status == 65 && checked.output.hasSuffix("2 videos, 1 broken, 0 odd\n"), "\(checked.output)")
        #expect(try text("good.txt") == "0-0.mp4 0.0 0.2 0\n")
    }

    /// A smaller closed set: only videos of these classes, among these names, numbered anew.
    @Test func someClassesAlone() throws {
        let words = ["list", "--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv"]
        func run(_ more: String..., status: Int32 = 0) throws -> Program.Outcome {
            let outcome = try program.run(["evaluate"] + words + more + ["--frames", "2"])
            #expect(outcome.status == status, "\(outcome.messages)")
            return outcome
        }
        let some = try run("--classes", "sitting, jumping, high", "--output", "some")
        #expect(some.output.contains("val.txt, 4 videos of 2 classes alone (jumping, high, sitting), 2 frames"), "\(some.output)")
        let record = try json("some/evaluation.json")
        #expect(record["classes"] as? Int == 2 && record["videos"] as? Int == 4 && record["listed"] as? Int == 4)
        let chosen = try #require(record["class_subset"] as? [[String: Any]])
        #expect(chosen.map { $0["class"] as? String } == ["jumping, high", "sitting"] && chosen.map { $0["label"] as? Int } == [1, 3])
        // As of a list that holds no others.
        let lines = try text("val.txt").split(separator: "\n").compactMap { line in
            line.hasSuffix(" 1") ? line.dropLast() + "0\n" : line.hasSuffix(" 3") ? line.dropLast() + "1\n" : nil
        }
        try program.folder.write(lines.joined(), to: "two.txt")
        try program.folder.write("id,name\n0,\"jumping, high\"\n1,sitting\n", to: "two.csv")
        let alone = try program.run(
            ["evaluate", "list", "--backbone", backbone, "--val", "two.txt", "--labels", "two.csv", "--frames", "2", "--output", "alone"])
        #expect(alone.status == 0, "\(alone.messages)")
        for name in ["predictions.jsonl", "per_class.csv", "confusion.csv"] { #expect(try text("some/\(name)") == text("alone/\(name)")) }
        #expect(try json("alone/evaluation.json")["class_subset"] == nil)
        // With prompts, and all classes.
        let prompted = try run("--prompts", prompts, "--classes", "waving,clapping", "--json", "--output", "p")
        #expect(prompted.output.contains("\"class_subset\""))
        let page = try program("report", "some", "--tsne", "-o", "page.html")
        #expect(page.status == 0, "\(page.messages)")
        #expect(try run("--classes", "waving,siting", status: 64).messages.contains("\"siting\" is not one of the 4 classes. Did you mean \"sitting\"?"))
        #expect(try run("--classes", "waving,waving", status: 64).messages.contains("\"waving\" is given twice"))
        #expect(try run("--classes", "waving,", status: 64).messages.contains("a member is empty"))
        try program.folder.write("0-4.mp4 0\n", to: "one.txt")
        let none = try program.run(["eval", "--backbone", backbone, "--val", "one.txt", "--labels", "labels.csv", "--classes", "sitting"])
        #expect(none.status == 65 && none.messages.contains("holds no video of \"sitting\""), "\(none.messages)")
    }

    @Test func mistakesLeaveNothingBehind() throws {
        let misspelt = try program.run(["evaluate", "zeroshot"])
        #expect(misspelt.status == 64 && misspelt.messages.contains("Did you mean 'zero-shot'?"), "\(misspelt.messages)")
        let words = ["--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv", "--template", "no place", "--output", "t"]
        let template = try program.run(["evaluate", "zero-shot"] + words)
        #expect(template.status == 78 && template.messages.contains("must contain {} exactly once"), "\(template.messages)")
        #expect(!fileExists(program.folder.path("t")))
    }

    @Test func zeroShotAveragesSplits() throws {
        try program.folder.write("id,name\n0,a\n1,b\n2,c\n3,d\n", to: "other.csv")
        _ = try evaluate(
            "zero-shot", "--backbone", backbone, "--val", "val.txt", "--val", "val2.txt", "--labels", "labels.csv", "--labels", "other.csv",
            "--output", "z")
        let records = try ["val", "val2"].map { try json("z/evaluations/\($0)/evaluation.json") }
        #expect(records.map { $0["videos"] as? Int } == [8, 3])
        #expect(records[0]["class_list_sha256"] as? String != records[1]["class_list_sha256"] as? String)
        #expect(records[0]["protocol"] as? String == "zero-shot")
        let shares = records.compactMap { $0["top1"] as? Double }
        let top1 = try result("z", "top1")
        let mean = (shares[0] + shares[1]) / 2
        #expect(abs((top1["mean"] as? Double ?? -1) - mean) < 1e-9)
        #expect(abs((top1["deviation"] as? Double ?? -1) - abs(shares[0] - shares[1]) / 2.0.squareRoot()) < 1e-9)
        // Four classes: the best four.
        #expect(try result("z", "top5")["mean"] as? Double == 100)
        // Bare names say another thing than the template.
        _ = try evaluate("zero-shot", "--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv", "--names-only", "--output", "n")
        #expect((try json("n/evaluations/val/evaluation.json")["setting"] as? [String: Any])?["template"] as? String == "{}")
        #expect(try text("n/evaluations/val/predictions.jsonl") != text("z/evaluations/val/predictions.jsonl"))
        let compat = try evaluate(
            "list", "--zero-shot", "--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv", "--compat", "bare-names", "--output", "c")
        #expect(compat.status == 0)
        #expect(try text("n/evaluations/val/predictions.jsonl") == text("c/predictions.jsonl"))
    }

    @Test func drawsAreKeptAndRepeat() throws {
        let words = ["zero-shot", "--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv", "--classes-per-draw", "2"]
        func run(_ more: String..., status: Int32 = 0) throws -> Program.Outcome {
            let outcome = try program.run(["evaluate"] + words + more + ["--frames", "2"])
            #expect(outcome.status == status, "\(outcome.messages)")
            return outcome
        }
        _ = try run("--draws", "3", "--output", "a")
        _ = try run("--draws", "3", "--output", "b")
        let lists = try (1...3).map { try text("a/lists/draw\($0).txt") + text("a/lists/draw\($0)-labels.csv") }
        let again = try (1...3).map { try text("b/lists/draw\($0).txt") + text("b/lists/draw\($0)-labels.csv") }
        #expect(lists == again)
        #expect(Set(lists).count > 1)
        for draw in 1...3 {
            let videos = try text("a/lists/draw\(draw).txt").split(separator: "\n")
            #expect(videos.count == 4)
            // Renumbered, with the right names.
            let names = try text("a/lists/draw\(draw)-labels.csv").split(separator: "\n").dropFirst().map(String.init)
            let all = ["waving", "\"jumping, high\"", "clapping", "sitting"]
            for video in videos {
                let label = video.last.flatMap { $0.wholeNumberValue } ?? -1
                let old = video.first.flatMap { $0.wholeNumberValue } ?? -1
                #expect(names[label] == "\(label),\(all[old])")
            }
            #expect(try json("a/evaluations/draw\(draw)/evaluation.json")["classes"] as? Int == 2)
        }
        _ = try run("--draws", "3", "--seed", "2", "--output", "c")
        let (other, own) = (try (1...3).map { try text("c/lists/draw\($0).txt") }, try (1...3).map { try text("a/lists/draw\($0).txt") })
        #expect(other != own)
        // One more draw adds to what is there.
        let more = try run("--draws", "4", "--output", "a")
        #expect(more.messages.contains("scoring draw4") && !more.messages.contains("scoring draw3"))
        #expect(try result("a", "top1")["n"] as? Int == 4)
        #expect(try run("--draws", "1", "--seed", "5", "--output", "a", status: 78).messages.contains("seed differs"))
        // What is left out is not drawn.
        try program.folder.write("id,name\n0,Waving\n1,CLAPPING\n", to: "known.csv")
        _ = try run("--draws", "1", "--without", "known.csv", "--output", "d")
        #expect(try text("d/lists/draw1-labels.csv") == "id,name\n0,\"jumping, high\"\n1,sitting\n")
        try program.folder.write("id,name\n0,waving\n1,clapping\n2,sitting\n", to: "known.csv")
        #expect(try run("--draws", "1", "--without", "known.csv", status: 78).messages.contains("1 class to draw from, 2 are asked for"))
    }

    @Test func supervisedSeesTwelveViews() throws {
        let words = ["supervised", "--backbone", backbone, "--val", "val.txt", "--labels", "labels.csv", "--frames", "2"]
        func predictions(_ more: String...) throws -> String {
            let folder = "s\(UInt32.random(in: 0 ... .max))"
            let outcome = try program.run(["evaluate"] + words + more + ["--output", folder])
            #expect(outcome.status == 0, "\(outcome.messages)")
            return try text("\(folder)/evaluations/val/predictions.jsonl")
        }
        let plain = try predictions()
        #expect(try predictions("--views", "4x3") == plain)
        #expect(try predictions("--views", "1x1") != plain)
        let drawn = try predictions("--compat", "random-views")
        #expect(drawn != plain)
        #expect(try predictions("--compat", "random-views") == drawn)
        #expect(try predictions("--compat", "random-views", "--seed", "2") != drawn)
    }

    /// Methods learn one list and are scored on others, whose classes they have not seen; what the tables average is lists and seeds.
    @Test func methodsLearnBeforeZeroShot() throws {
        try program.folder.write("id,name\n0,running\n1,singing\n2,cooking\n3,reading\n", to: "others.csv")
        try program.folder.write("0-4.mp4 0\n2-5.mp4 2\n3-4.mp4 3\n", to: "few.txt")
        let source = ["--train", "train.txt", "--train-labels", "labels.csv", "--backbone", backbone]
        let lists = ["--test", "val.txt", "--test", "few.txt", "--labels", "others.csv", "--frames", "2"]
        let short = ["--set", "training.steps=2", "--set", "training.batch_size=2", "--set", "training.accumulation_steps=1"]
        let outcome = try program.run(
            ["evaluate", "zero-shot", "--methods", "zero-shot,coop,lora", "--seeds", "1,2", "--output", "z"] + source + lists + short)
        #expect(outcome.status == 0, "\(outcome.messages)")
        for (method, count) in [("zero-shot", 2), ("coop", 4), ("lora", 4)] {
            let result = try result("z", "top1", method: method)
            let values = try #require(result["values"] as? [Double])
            #expect(result["n"] as? Int == count && values.count == count)
            #expect(abs((result["mean"] as? Double ?? -1) - values.reduce(0, +) / Double(count)) < 1e-9)
        }
        let table = try text("z/table.csv").split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        #expect(table.map(\.first) == ["method", "nothing learned", "coop", "lora"])
        #expect(table[0] == ["method", "val", "few", "top-1 %", "mean of classes %"] && table.allSatisfy { $0.count == 5 })
        #expect(try text("z/runs/coop-seed2/split/train.txt").split(separator: "\n").count == 16)
        // What was learned is scored the same when it is named.
        let prompts = try program.run(
            ["evaluate", "zero-shot", "--prompts", "z/runs/coop-seed2/prompts/last.safetensors", "--backbone", backbone, "--output", "p"] + lists)
        #expect(prompts.status == 0, "\(prompts.messages)")
        for list in ["val", "few"] {
            #expect(try text("p/evaluations/\(list)/predictions.jsonl") == text("z/evaluations/coop-seed2-\(list)/predictions.jsonl"))
        }
        // What cannot be asked is named.
        for (words, message) in [
            (["--methods", "gda"] + source + lists, "gda scores the classes that it learned from"),
            (["--methods", "coop", "--backbone", backbone] + lists, "--train and --train-labels are needed too"),
            (["--methods", "coop", "--checkpoint", "best"] + source + lists, "--train-val"),
            (["--methods", "coop", "--prompts", "p.safetensors"] + source + lists, "--methods learn"),
            (source + lists, "are for --methods"),
            (["--methods", "coop", "--test", "train.txt", "--labels", "others.csv"] + source, "--allow-shared-videos"),
        ] {
            let refused = try program.run(["evaluate", "zero-shot"] + words)
            #expect([64, 65].contains(refused.status) && refused.messages.contains(message), "\(words): \(refused.messages)")
        }
    }

    /// The classes that are learned are those that are scored, in twelve views.
    @Test func methodsLearnBeforeSupervised() throws {
        let words = ["evaluate", "supervised", "--methods", "gda,coop", "--seeds", "1,2", "--train", "train.txt", "--test", "val.txt", "--labels", "labels.csv"]
        let outcome = try program.run(
            words + ["--backbone", backbone, "--frames", "2", "--set", "training.steps=2", "--set", "training.batch_size=2", "--set",
                "training.accumulation_steps=1", "--output", "s"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        #expect(try text("s/table.csv").hasPrefix("method,top-1 %,mean of classes %\ngda,"))
        for method in ["gda", "coop"] { #expect(try result("s", "top1", method: method)["n"] as? Int == 2) }
        let setting = try json("s/evaluations/gda-seed1-val/evaluation.json")["setting"] as? [String: Any]
        #expect(setting?["views"] as? String == "4x3")
    }

    @Test func baseToNovelScoresEachHalfAlone() throws {
        let words = ["base-to-novel", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", backbone]
        let learning = ["--set", "training.steps=2", "--set", "prompts.vision_tokens=1", "--set", "prompts.text_tokens=1", "--set", "prompts.vision_depth=2",
            "--set", "prompts.text_depth=2", "--shots", "2", "--frames", "2", "--set", "training.batch_size=2", "--set", "training.accumulation_steps=1"]
        func run(_ more: String..., status: Int32 = 0) throws -> Program.Outcome {
            let outcome = try program.run(["evaluate"] + words + learning + more)
            #expect(outcome.status == status, "\(outcome.messages)")
            return outcome
        }
        _ = try run("--seeds", "1,2", "--methods", "zero-shot,prompt,fine-tune", "--output", "b")
        // Equally frequent classes: the later two are base.
        #expect(try text("b/lists/base-test-labels.csv") == "id,name\n0,clapping\n1,sitting\n")
        #expect(try text("b/lists/novel-test.txt") == "0-4.mp4 0\n0-5.mp4 0\n1-4.mp4 1\n1-5.mp4 1\n")
        let learned = try json("b/evaluations/prompt-seed2-novel/evaluation.json")
        #expect(learned["classes"] as? Int == 2 && learned["videos"] as? Int == 4)
        #expect(try text("b/runs/prompt-seed2/split/train.txt").split(separator: "\n").count == 4)
        // Two draws, and the mean of means.
        for method in ["prompt", "fine-tune"] {
            let (base, novel) = (
                try result("b", "top1", part: "base", shots: 2, method: method), try result("b", "top1", part: "novel", shots: 2, method: method)
            )
            #expect(base["n"] as? Int == 2 && (base["values"] as? [Double])?.count == 2)
            let (b, n) = (base["mean"] as? Double ?? 0, novel["mean"] as? Double ?? 0)
            let mean = try result("b", "top1", part: "harmonic_mean", shots: 2, method: method)["mean"] as? Double ?? -1
            #expect(abs(mean - (b + n > 0 ? 2 * b * n / (b + n) : 0)) < 1e-9)
        }
        // Everything is there: nothing is done again.
        let again = try run("--seeds", "1,2", "--methods", "zero-shot,prompt,fine-tune", "--output", "b")
        #expect(again.messages.contains("Continuing in b") && !again.messages.contains("Part "))
        #expect(try run("--seeds", "1,2", "--set", "training.steps=3", "--output", "b", status: 78).messages.contains("recipe of prompt (now steps: 3, before steps: 2) differs"))
        // What was learned is scored the same when it is named.
        let prompts = (1...2).flatMap { ["--prompts", "b/runs/prompt-seed\($0)/prompts/last.safetensors"] }
        let named = try program.run(["evaluate"] + words + prompts + ["--output", "n"])
        #expect(named.status == 0 && !named.messages.contains("steps"), "\(named.messages)")
        for part in ["base", "novel"] {
            #expect(try text("n/evaluations/draw2-\(part)/predictions.jsonl") == text("b/evaluations/prompt-seed2-\(part)/predictions.jsonl"))
        }
        // Halves from a folder of `data split`: the same draws.
        let split = try program(
            "data", "split", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--base-novel", "--shots", "2", "--draws", "2",
            "--output", "halves")
        #expect(split.status == 0, "\(split.messages)")
        let folder = try program.run(
            ["evaluate", "base-to-novel", "--halves", "halves", "--root", ".", "--backbone", backbone, "--seeds", "1,2", "--output", "h"] + learning)
        #expect(folder.status == 0, "\(folder.messages)")
        #expect(try text("h/runs/prompt-s2/split/train.txt") == text("b/runs/prompt-seed2/split/train.txt"))
        #expect(try text("h/evaluations/prompt-s2-novel/predictions.jsonl") == text("b/evaluations/prompt-seed2-novel/predictions.jsonl"))
        // Other halves.
        _ = try run("--seeds", "1", "--methods", "zero-shot", "--base-classes", "alphabet-first", "--output", "o")
        #expect(try text("o/lists/base-test-labels.csv") == "id,name\n0,\"jumping, high\"\n1,clapping\n")
        try program.folder.write("id,name\n0,waving\n", to: "base.csv")
        _ = try run("--seeds", "1", "--methods", "zero-shot", "--base-classes", "base.csv", "--output", "g")
        #expect(try text("g/lists/novel-test-labels.csv") == "id,name\n0,\"jumping, high\"\n1,clapping\n2,sitting\n")
        try program.folder.write("id,name\n0,wavin\n", to: "base.csv")
        #expect(try run("--base-classes", "base.csv", status: 65).messages.contains("Did it mean \"waving\"?"))
    }

    /// What `learn` and `bridge` take as methods stands side by side, each with a recipe of its own kind.
    @Test func methodsStandSideBySide() throws {
        let words = ["few-shot", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", backbone, "--frames", "2",
            "--set", "training.steps=2", "--set", "training.batch_size=2", "--set", "training.accumulation_steps=1", "--shots", "1"]
        // A head takes no steps.
        let plan = try program.run(["evaluate"] + words + ["--methods", "gda", "--dry-run", "--no-timing"])
        #expect(plan.status == 0 && plan.output.contains("gda-1-shot-seed1024") && !plan.output.contains("2 steps"), "\(plan.output)\(plan.messages)")
        let outcome = try program.run(["evaluate"] + words + ["--methods", "zero-shot,coop,gda,lora,actionclip", "--output", "f"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        let table = try text("f/table.csv").split(separator: "\n").map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
        #expect(table.map(\.first) == ["top-1 %", "nothing learned", "coop", "gda", "lora", "actionclip"])
        #expect(table.dropFirst(2).allSatisfy { $0.last?.isEmpty == false }, "\(table)")
        let runs = "f/runs/NAME-1-shot-seed1024/"
        func file(_ method: String, _ name: String) -> String { program.folder.path(runs.replacingOccurrences(of: "NAME", with: method) + name) }
        #expect(try PromptFile.load(file("coop", "prompts/last.safetensors")).header.method == "coop")
        #expect(try PromptFile.load(file("actionclip", "prompts/last.safetensors")).header.method == "actionclip")
        #expect(fileExists(file("gda", "head.safetensors")) && fileExists(file("lora", "lora-last.safetensors")))
        let temporal = try program.run(
            ["evaluate"] + words + ["--methods", "a5", "--set", "prompts.words_before=1", "--set", "prompts.words_after=1", "--output", "g"])
        #expect(temporal.status == 0, "\(temporal.messages)")
        // What recipe and flags say of prompts and fine-tuning stays so.
        let plain = try program.run(
            ["evaluate"] + words + ["--methods", "prompt,fine-tune", "--tuning", "lora", "--set", "prompts.method=vpt", "--output", "h"])
        #expect(plain.status == 0, "\(plain.messages)")
        #expect(try PromptFile.load(program.folder.path("h/runs/prompt-1-shot-seed1024/prompts/last.safetensors")).header.method == "vpt")
        #expect(fileExists(program.folder.path("h/runs/fine-tune-1-shot-seed1024/lora-last.safetensors")))
        let head = try program("evaluate", "base-to-novel", "--train", "train.txt", "--test", "val.txt", "--labels", "labels.csv", "--backbone", backbone, "--methods", "gda")
        #expect(head.status == 64 && head.messages.contains("gda scores the classes that it learned from"), "\(head.messages)")
    }

    @Test func fewShotGoesOn() throws {
        let words = ["few-shot", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", backbone, "--frames", "2",
            "--set", "training.steps=3", "--set", "prompts.vision_tokens=1", "--set", "prompts.text_tokens=1", "--set", "prompts.vision_depth=2",
            "--set", "prompts.text_depth=2", "--set", "training.batch_size=2", "--set", "training.accumulation_steps=1"]
        func run(_ more: String..., status: Int32 = 0) throws -> Program.Outcome {
            let outcome = try program.run(["evaluate"] + words + more)
            #expect(outcome.status == status, "\(outcome.messages)")
            return outcome
        }
        let plan = try run("--shots", "1,2", "--dry-run", "--output", "f")
        #expect(plan.output.contains("prompt-2-shot-seed1024") && plan.output.contains("4 steps") && plan.output.contains("in all"))
        #expect(!FileManager.default.fileExists(atPath: program.folder.path("f")))
        _ = try run("--shots", "1,2", "--output", "f")
        #expect(try text("f/table.csv").hasPrefix("top-1 %,K = 1,K = 2\nprompts,"))
        #expect(try text("f/runs/fine-tune-2-shot-seed1024/split/train.txt") == text("f/runs/prompt-2-shot-seed1024/split/train.txt"))
        let first = try text("f/summary.csv")
        // What is missing is made anew, and is the same.
        let weights = try Data(contentsOf: URL(fileURLWithPath: program.folder.path("f/runs/prompt-1-shot-seed1024/prompts/last.safetensors")))
        for name in ["f/evaluations/prompt-1-shot-seed1024", "f/runs/prompt-1-shot-seed1024"] {
            try FileManager.default.removeItem(atPath: program.folder.path(name))
        }
        let again = try run("--shots", "1,2", "--output", "f")
        #expect(again.messages.contains("scoring prompt-1-shot-seed1024") && !again.messages.contains("scoring prompt-2-shot"))
        #expect(try text("f/summary.csv") == first)
        #expect(try Data(contentsOf: URL(fileURLWithPath: program.folder.path("f/runs/prompt-1-shot-seed1024/prompts/last.safetensors"))) == weights)
        // Another K is added.
        let more = try run("--shots", "1,2,4", "--methods", "prompt", "--output", "f")
        #expect(more.messages.contains("prompt-4-shot") && !more.messages.contains("scoring prompt-2-shot"))
        // As JSON, nothing else is printed.
        let printed = try run("--shots", "1", "--methods", "prompt", "--output", "f", "--json")
        #expect(try JSONSerialization.jsonObject(with: Data(printed.output.utf8)) is [String: Any])
        // Stopped in the middle of a run, it goes on to the same end.
        let status = try program.signal(
            SIGINT, whenThere: "g/runs/prompt-1-shot-seed1024/metrics.jsonl", ["evaluate"] + words + ["--shots", "1,2", "--output", "g"])
        #expect(status == 75, "\(program.lastMessages)")
        #expect(program.lastMessages.contains("Resume with: ") && program.lastMessages.contains("--output g"))
        _ = try run("--shots", "1,2", "--output", "g")
        #expect(try text("g/summary.csv") == first)
        #expect(try Data(contentsOf: URL(fileURLWithPath: program.folder.path("g/runs/prompt-1-shot-seed1024/prompts/last.safetensors"))) == weights)
    }

    /// One video, classes without videos, and what is not there.
    @Test func smallListsAndFaults() throws {
        try program.folder.write("2-0.mp4 2\n", to: "one.txt")
        _ = try evaluate("zero-shot", "--backbone", backbone, "--val", "one.txt", "--labels", "labels.csv", "--output", "one")
        let record = try json("one/evaluations/one/evaluation.json")
        #expect(record["videos"] as? Int == 1 && record["classes"] as? Int == 4 && record["top5"] as? Double == 100)
        #expect(try text("one/evaluations/one/per_class.csv").split(separator: "\n")[1].hasPrefix("waving,0,0,,"))
        #expect(try result("one", "top1")["deviation"] == nil)
        // A video that cannot be read is said, listed, and not counted.
        try program.folder.write("no video", to: "bad.mp4")
        try program.folder.write("2-0.mp4 2\nbad.mp4 1\n3-0.mp4 3\n", to: "bad.txt")
        let failed = try evaluate("zero-shot", "--backbone", backbone, "--val", "bad.txt", "--labels", "labels.csv", "--output", "bad", status: 65)
        #expect(failed.messages.contains("bad.mp4"))
        _ = try evaluate(
            "zero-shot", "--backbone", backbone, "--val", "bad.txt", "--labels", "labels.csv", "--on-bad-video", "skip", "--output", "skipped")
        let skipped = try json("skipped/evaluations/bad/evaluation.json")
        #expect(skipped["videos"] as? Int == 2 && skipped["listed"] as? Int == 3)
        #expect((skipped["unreadable"] as? [String])?.first?.hasSuffix("bad.mp4") == true)
        for (words, status, message) in [
            (["zero-shot", "--val", "val.txt"], 64, "--labels is needed too"),
            (["zero-shot", "--draws", "3"], 64, "--draws and --classes-per-draw go together"),
            (["zero-shot", "--val", "val.txt", "--val", "val2.txt", "--labels", "labels.csv", "--draws", "1", "--classes-per-draw", "1"], 64, "pass --test once"),
            (["zero-shot", "--val", "gone.txt", "--labels", "labels.csv"], 66, "gone.txt: no such file"),
            (["few-shot", "--train", "train.txt", "--labels", "labels.csv", "--backbone", backbone], 64, "--test is needed too"),
            (["few-shot", "--train", "train.txt", "--test", "val.txt", "--labels", "labels.csv"], 64, "no backbone is named"),
            (["few-shot", "--shots", "2,x"], 64, "'x' is not a number of clips"),
            (["few-shot", "--methods", "prompts"], 64, "'prompts' is not a method. Did you mean 'prompt'?"),
            (["base-to-novel", "--halves", ".", "--backbone", backbone], 66, "there is no base-labels.csv"),
            (["base-to-novel", "--base-val", "val.txt"], 64, "--novel-test, --base-labels, --novel-labels too"),
            (["base-to-novel", "--prompts", prompts, "--seeds", "1"], 64, "nothing is learned"),
            (["supervised", "--val", "val.txt", "--labels", "labels.csv", "--backbone", backbone, "--output", "."], 74, "is no part of an evaluation"),
        ] as [([String], Int32, String)] {
            let outcome = try program.run(["evaluate"] + words)
            #expect(outcome.status == status && outcome.messages.contains(message), "\(words): \(outcome.status) \(outcome.messages)")
        }
    }
}
