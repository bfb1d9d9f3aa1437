import Files
import Foundation
import TestSupport
import Testing

/// Every document of `--json` has the keys of `docs/json.md`, and the page has no others.
@Suite(.serialized, .timeLimit(.minutes(5))) struct JSONTests {
    private static let clip = ["--backbone", "clip.safetensors"]
    private static let lists = ["--val", "val.txt", "--labels", "labels.csv"]
    private static let test = lists + clip + ["--frames", "2"]
    private static let learn = ["--train", "train.txt"] + test
    private static let short = learn + [
        "--set", "training.steps=1", "--set", "training.batch_size=2", "--set", "training.accumulation_steps=1", "--set", "prompts.vision_tokens=1",
        "--set", "prompts.text_tokens=1", "--set", "prompts.vision_depth=2", "--set", "prompts.text_depth=2",
    ]
    private static let prompts = ["--prompts", "prompts.safetensors"]
    private static let tested = short + ["--test", "list.txt", "--allow-shared-videos"]
    private static let head = ["learn", "--method", "cosine-mean", "--train", "list.txt", "--frames", "2", "--labels", "labels.csv"] + clip
    private static let budget = [
        "learn", "--method", "auto", "--budget", "1h", "--epochs", "1", "--train", "list.txt", "--frames", "2", "--labels", "labels.csv",
    ] + clip
    private static let captions =
        ["learn", "--captions", "captions.csv", "--val-captions", "captions.csv", "--test-captions", "captions.csv", "--allow-shared-videos", "--epochs", "1", "--frames", "2"] + clip

    struct Section: CustomTestStringConvertible, Sendable {
        /// As its heading has it.
        let name: String
        /// What is done before.
        var before: [[String]] = []
        /// Whose output, without `--json`, is looked at.
        var runs: [[String]] = []
        /// Files that are looked at.
        var files: [String] = []
        /// Keys that need what no test has here.
        var rare: [String] = []
        /// Other statuses than 0 that are meant.
        var statuses: Set<Int32> = [0]
        var testDescription: String { name }
    }

    static let sections: [Section] = [
        Section(
            name: "evaluate list --json",
            runs: [
                ["eval", "--classes", "waving,turning"] + test, ["eval"] + lists + clip + prompts, ["eval", "--descriptions", "said.json"] + test,
                ["eval", "--val", "bad.txt", "--labels", "labels.csv", "--on-bad-video", "skip"] + clip,
                ["eval", "--val", "bad.txt", "--labels", "many.csv", "--on-bad-video", "skip", "--frames", "1"] + clip,
            ]),
        Section(
            name: "evaluation.json",
            before: [
                ["eval", "--classes", "waving,turning", "--output", "a"] + test, ["eval", "--output", "b"] + lists + clip + prompts,
                ["eval", "--descriptions", "said.json", "--output", "d"] + test,
                ["eval", "--val", "bad.txt", "--labels", "labels.csv", "--on-bad-video", "skip", "--output", "c"] + clip,
            ], files: ["a", "b", "c", "d"].map { $0 + "/evaluation.json" }),
        Section(
            name: "predictions.jsonl",
            before: [
                ["eval", "--output", "a"] + test,
                ["eval", "--val", "parts.txt", "--labels", "labels.csv", "--on-bad-video", "skip", "--frames", "2", "--output", "b"] + clip,
            ], files: ["a/predictions.jsonl", "b/predictions.jsonl"]),
        Section(
            name: "evaluate PROTOCOL --json",
            runs: [
                ["evaluate", "base-to-novel", "--shots", "1", "--seeds", "1,2", "--methods", "prompt", "--output", "b"] + short,
                ["evaluate", "zero-shot", "--output", "z", "--val", "bad.txt", "--labels", "labels.csv", "--on-bad-video", "skip", "--frames", "2"] + clip,
                ["evaluate", "zero-shot", "--output", "p"] + lists + clip + prompts,
            ],
            files: ["b/summary.json"], rare: ["class_subset[].label", "class_subset[].class", "setting.descriptions_sha256", "setting.match"].map { "evaluations[].evaluation." + $0 }),
        Section(
            name: "evaluate retrieval --json",
            runs: [["evaluate", "retrieval", "--captions", "captions.csv", "--max-words", "20", "--output", "r"] + clip + prompts], files: ["r/metrics.json"]),
        Section(
            name: "evaluate retrieval --methods --json",
            runs: [
                ["evaluate", "retrieval", "--methods", "zero-shot,prompt", "--train-captions", "captions.csv", "--captions", "more.csv", "--epochs", "1",
                    "--seeds", "1,2", "--frames", "2", "--output", "side"] + clip,
            ],
            rare: ["cells[].at", "cells[].settings[]", "differences[].first", "differences[].second", "differences[].seeds[]"].map { "summary." + $0 }
                + ["mean", "low", "high"].map { "summary.differences[].top1." + $0 }),
        Section(name: "top.jsonl", before: [["evaluate", "retrieval", "--captions", "captions.csv", "--output", "r"] + clip], files: ["r/top.jsonl"]),
        Section(
            name: "predict --json",
            runs: [
                ["predict", "video0.mp4", "bad.mp4", "--none-prompt", "nothing", "--threshold", "0.01", "--output", "log.jsonl"] + clip + prompts,
                ["predict", "video0.mp4", "--window", "0.1s", "--none-prompt", "nothing", "--region", "0,0,50%,50%"] + clip + prompts,
            ], files: ["log.jsonl"], statuses: [0, 65]),
        Section(
            name: "thresholds --json",
            before: [["eval", "--output", "a"] + test],
            runs: [["thresholds", "a/predictions.jsonl", "--accuracy", "1", "--outsiders", "a/predictions.jsonl", "--at", "0,0.2,1"]],
            rare: ["threshold", "answered", "coverage", "correct", "accuracy", "outsiders_answered"].map { "failing." + $0 } + ["most_right.accuracy"]),
        Section(
            name: "inspect --json",
            before: [
                ["learn", "--backward-frames", "1", "--method", "ivlp", "--regularize", "kgcoop", "--output", "some"] + short,
                ["learn", "--method", "a5", "--words-before", "1", "--words-after", "1", "--epochs", "1", "--output", "words"] + learn,
                ["learn", "--method", "pixel", "--epochs", "1", "--output", "pixels"] + learn,
            ],
            runs: [
                ["inspect", "clip.safetensors", "--tensors"], ["inspect", "prompts.safetensors"], ["inspect", "some/prompts/last.safetensors"], ["inspect", "words/prompts/last.safetensors"],
                ["inspect", "pixels/prompts/last.safetensors"], ["inspect", "video0.mp4"],
                ["inspect", fixturePath("formats/vifi-prompt-style.pth"), "--clip", fixturePath("formats/state-dict.pt"), "--activation", "quick_gelu"],
                ["inspect", fixturePath("videos/bikes.mp4")],
            ], rare: ["video.transfer", "video.high_dynamic_range", "video.warnings[]"]),
        Section(name: "data check --json", runs: [["data", "check", "bad.txt", "--labels", "labels.csv"], ["data", "check", "parts.txt"]], statuses: [65]),
        Section(name: "data stats --json", runs: [["data", "stats", "list.txt", "--labels", "labels.csv", "--videos"], ["data", "stats", "list.txt", "--labels", "labels.csv"]]),
        Section(name: "plan learn --json", runs: [["plan", "learn", "--quick", "--epochs", "2", "--early-stop", "2"] + learn, ["bridge", "--dry-run", "--no-timing", "--epochs", "1"] + learn]),
        Section(name: "plan learn --method --json", runs: [["plan", "learn", "--method", "gda"] + learn, ["plan", "learn", "--method", "auto", "--budget", "1h", "--epochs", "1"] + learn]),
        Section(name: "plan evaluate --json", runs: [["plan", "evaluate", "few-shot", "--shots", "1", "--methods", "prompt"] + short]),
        Section(
            name: "plan ablate --json", runs: [["plan", "ablate", "fusion"] + learn.dropLast(2)],
            rare: ["arithmetic.cached_prefix", "time.caching_clip", "work.early_stop"].map { "grids[].cells[].plan." + $0 }),
        Section(
            name: "summarize --json",
            before: [
                ["learn", "--seeds", "1,2", "--output", "group"] + tested, captions + ["--seeds", "1", "--output", "texts"], head + ["--seeds", "1", "--output", "heads"],
            ], runs: [["summarize", "group", "texts", "heads"]]),
        Section(
            name: "summary.json of seeds",
            before: [["learn", "--seeds", "1,2", "--output", "group"] + tested, head + ["--seeds", "1", "--output", "heads"]],
            files: ["group/summary.json", "heads/summary.json"], rare: JSONTests.retrieval(of: "runs[].")),
        Section(
            name: "learn --json",
            runs: [["learn", "--output", "run"] + tested, captions + ["--output", "texts"], head + ["--output", "head"], budget + ["--output", "best"], ["learn", "--resume", "run"]]),
        Section(
            name: "learn --seeds --json", runs: [["learn", "--seeds", "1,2", "--output", "group"] + tested, head + ["--seeds", "1", "--output", "heads"]],
            rare: JSONTests.retrieval(of: "summary.runs[].")),
        Section(
            name: "ablate --json", runs: [["ablate", "mine.yaml", "--seeds", "1,2", "--output", "grid"] + learn.dropLast(2)],
            rare: ["grids[].summary.cells[].method"]),
        Section(
            name: "import --json",
            runs: [
                ["import", fixturePath("formats/state-dict.pt"), "--activation", "quick_gelu", "--output", "a.safetensors"],
                ["bridge", "--import", fixturePath("formats/vifi-prompt-style.pth"), "--clip", fixturePath("formats/state-dict.pt"), "--activation", "quick_gelu",
                    "--output", "b.safetensors"],
            ], rare: ["vocabulary_file"]),
        Section(
            name: "import --blend --json",
            runs: [["import", "--blend", "0,0.5", "clip.safetensors", "clip.safetensors", "--output", "blend.safetensors", "--frames", "2"] + lists],
            rare: ["vocabulary_file"]),
        Section(
            name: "import --lora --json",
            before: [["bridge", "--tuning", "lora", "--epochs", "1", "--output", "tuned"] + learn],
            runs: [["import", "clip.safetensors", "--lora", "tuned/lora.safetensors", "--output", "merged.safetensors"]], rare: ["vocabulary_file"]),
        Section(
            name: "export --json",
            runs: [
                ["export", "--output", "e.safetensors"] + clip + prompts, ["export", "--to", "classes", "--output", "c.safetensors"] + clip + prompts,
                ["export", "--to", "huggingface", "--output", "f"] + clip,
            ]),
        Section(name: "search --json", runs: [["search", "waving", "list.txt", "--window", "4f"] + clip, ["search", "--like", "video0.mp4", "list.txt"] + clip]),
        Section(name: "embed --json", runs: [["embed", "bad.txt", "--on-bad-video", "skip", "--output", "e.npz"] + clip]),
        Section(
            name: "data init --json",
            runs: [
                ["data", "init", "sets"], ["data", "split", "--train", "list.txt", "--labels", "labels.csv", "--shots", "1", "--output", "draws"],
                ["data", "import", "list.txt", "labels.csv", "--output", "lists"],
            ]),
        Section(name: "cache clear --json", before: [head + ["--output", "head"]], runs: [["cache", "clear"]]),
        Section(name: "recipe list --json", runs: [["recipe", "list", "pocket"]]),
        Section(name: "recipe show --json", runs: [["recipe", "show", "few-shot/prompt"]]),
        Section(name: "recipe check --json", runs: [["recipe", "check", "few-shot/prompt"], ["recipe", "check", "wrong.yaml"]], statuses: [0, 78]),
        Section(name: "cache list --json", before: [head + ["--output", "head"]], runs: [["cache", "list"]]),
        Section(
            name: "summary.json of a grid",
            before: [
                ["ablate", "mine.yaml", "--seeds", "1,2", "--output", "grid"] + learn.dropLast(2),
                ["ablate", "methods", "--methods", "zero-shot,cosine-mean", "--shots", "1", "--seeds", "1", "--output", "methods"] + learn,
            ], files: ["grid/summary.json", "methods/summary.json"]),
        Section(name: "doctor --json", runs: [["doctor"]]),
        Section(
            name: "bench --json",
            runs: [
                ["bench", "learn", "--backward-frames", "1", "--frames", "2", "--classes", "2", "--steps", "1"],
                ["bench", "learn", "--method", "coop", "--frames", "1", "--classes", "2", "--steps", "1"],
            ], rare: ["waiting_for_videos"]),
        Section(name: "bench features --json", runs: [["bench", "features", "--frames", "1", "--rounds", "1"]]),
        Section(name: "bench threads --json", runs: [["bench", "threads", "--work", "predict", "--frames", "1", "--clips", "1", "--classes", "2", "--threads", "2"]]),
        Section(name: "bench decode --json", runs: [["bench", "decode", "video0.mp4", "--frames", "2"]]),
        Section(name: "profile --json", runs: [["profile", "--no-timing"], ["profile", "--backbone", "clip.safetensors", "--views", "1", "--frames", "2"]]),
        Section(name: "Errors", runs: [["eval", "--val", "gone.txt", "--labels", "labels.csv"] + clip], statuses: [66]),
    ]

    private static func retrieval(of prefix: String) -> [String] {
        ["last", "best", "test"].flatMap { scores in
            ["text_to_video", "video_to_text"].flatMap { direction in
                ["queries", "r1", "r5", "r10", "median_rank", "mean_rank", "tied"].map { "\(prefix)\(scores).retrieval.\(direction).\($0)" }
            }
        }
    }

    private func world() throws -> Program {
        let program = try Program.withVideos()
        try SmallModel().prompts.save(to: program.folder.path("prompts.safetensors"))
        try program.folder.write("video,caption\n" + (0..<6).map { "video\($0).mp4,caption \($0)\n" }.joined(), to: "captions.csv")
        try program.folder.write("video,caption\n" + (6..<10).map { "video\($0).mp4,caption \($0)\n" }.joined(), to: "more.csv")
        for (video, name) in ["waving", "waving", "clapping", "clapping"].enumerated() {
            try createDirectory(program.folder.path("sets/\(name)"))
            try FileManager.default.copyItem(atPath: program.folder.path("video\(video).mp4"), toPath: program.folder.path("sets/\(name)/\(video).mp4"))
        }
        try program.folder.write("training: {epoch: 3}\n", to: "wrong.yaml")
        try program.folder.write("no video", to: "bad.mp4")
        try program.folder.write("video0.mp4 0\nbad.mp4 1\n", to: "bad.txt")
        try program.folder.write("video0.mp4 0.0 0.12 0\nbad.mp4 0.0 0.12 1\n", to: "parts.txt")
        let said = ["waving", "clapping", "jumping", "sitting", "turning"].map { "\"\($0)\": [\"someone is \($0)\"]" }
        try program.folder.write("{\(said.joined(separator: ", "))}", to: "said.json")
        try program.folder.write("id,name\n" + (0..<1001).map { "\($0),\($0)\n" }.joined(), to: "many.csv")
        try program.folder.write(
            """
            training: {steps: 1, batch_size: 2, accumulation_steps: 1}
            data: {frames: 2}
            grid:
              command: learn
              axis: tokens
              cells:
                one: {at: 1, series: prompts, prompts: {vision_tokens: 1, text_tokens: 1}}
                two: {at: 2, series: prompts, prompts: {vision_tokens: 2, text_tokens: 1}}

            """, to: "mine.yaml")
        return program
    }

    @Test(arguments: sections) func pageAndDocumentsHaveTheSameKeys(_ section: Section) throws {
        let page = try JSONPage()
        let rows = page.places(of: section.name)
        #expect(!rows.isEmpty, "docs/json.md has no section \(section.name)")
        let program = try world()
        for words in section.before {
            let outcome = try program.run(words)
            #expect(outcome.status == 0, "\(words): \(outcome.messages)")
        }
        var texts: [String] = []
        for words in section.runs {
            let outcome = try program.run(words + ["--json"])
            #expect(section.statuses.contains(outcome.status), "\(words): \(outcome.messages)")
            texts.append(outcome.output)
        }
        for file in section.files { texts.append(try String(contentsOfFile: program.folder.path(file), encoding: .utf8)) }
        var found: Set<JSONPage.Place> = []
        for text in texts {
            for document in try Self.documents(text) {
                #expect(document["schema"] as? Int == ResultJSON.schema, "\(document)")
                found.formUnion(JSONPage.leaves(document))
            }
        }
        func shown(_ place: JSONPage.Place) -> String { place.joined(separator: ".").replacing(".[]", with: "[]") }
        for place in found.sorted(by: { shown($0) < shown($1) }) where !rows.contains(where: { JSONPage.tells($0, of: place) }) {
            Issue.record("docs/json.md does not tell of \(shown(place))")
        }
        for row in rows where !found.contains(where: { JSONPage.tells(row, of: $0) }) && !section.rare.contains(shown(row)) {
            Issue.record("docs/json.md tells of \(shown(row)), which no document has")
        }
        for place in found { for name in place { #expect(name == "[]" || name.contains(#/^[a-z0-9_]+$/#) || rows.contains { $0.contains { $0.hasPrefix("<") } }, "\(name)") } }
    }

    /// One document, or a line for each.
    private static func documents(_ text: String) throws -> [[String: Any]] {
        if let one = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] { return [one] }
        return try text.split(separator: "\n").map { line in
            try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(line)")
        }
    }

    @Test func everySectionIsTested() throws {
        let (page, tested) = (try JSONPage(), Set(Self.sections.map(\.name)))
        #expect(tested.isSubset(of: page.sections.keys))
        // What is no document of its own is tested with those that include it. Lines of live sources need a pipe: `LiveTests`.
        #expect(Set(page.sections.keys).subtracting(tested).subtracting(["predict - --json"]).isSubset(of: page.included))
    }
}
