import Files
import Foundation
import TestSupport
import Testing

/// A page of the documentation with what its commands find when they are run.
struct DocumentationPage: CustomTestStringConvertible, Sendable {
    let path: String
    let prepare: @Sendable (DocumentedWorld) throws -> Void

    var testDescription: String { path }

    init(_ path: String, prepare: @escaping @Sendable (DocumentedWorld) throws -> Void = { _ in }) {
        self.path = path
        self.prepare = prepare
    }

    static let all: [DocumentationPage] = [
        DocumentationPage("README.md") { world in
            try world.saveStateDict(to: "ViT-B-16.pt")
            try world.videos("my-videos")
            try world.video("new.mp4")
            try world.video("long.mp4", frames: 100)
            try world.saveBackbone(to: "clip.safetensors")
            try world.saveViFiPrompts(to: "vifi-clip.pth")
            try world.labels(to: "labels.csv")
            try world.list(try world.videos("more"), to: "more/more.txt")
            try world.list(try world.videos("."), to: "more.txt")
        },
        DocumentationPage("docs/benchmarks.md") { try $0.video("video.mp4") },
        DocumentationPage("docs/checkpoints.md") { world in
            try world.saveStateDict(to: "ViT-B-16.pt")
            try world.saveViFiBridge(to: "vifi_clip_10_epochs_k400_full_finetuned.pth")
            try world.copyFixture("formats/hf-clip", to: "clip-folder")
            try world.copyFixture("formats/open_clip-style.pt", to: "open_clip_pytorch_model.bin")
            try world.copyFixture("formats/hf-clip/model.safetensors", to: "my-hf-clip.safetensors")
            try world.saveBackbone(to: "ViT-B-16.safetensors", "bridged.safetensors")
            try world.dataSet(".")
        },
        DocumentationPage("docs/datasets.md") { world in
            try world.saveBackbone(to: "Checkpoints/ViT-B-16.safetensors", "FILE")
            try world.videos("my-videos")
            try world.hmdbLists("testTrainMulti_7030_splits", videos: "hmdb51")
            try world.dataSet("ucf", splits: 2, perClass: 20)
            try world.dataSet(".")
            try publishedLists(world)
        },
        DocumentationPage("docs/report.md") { world in
            try world.dataSet("data")
            try world.saveBackbone(to: "clip.safetensors")
            let common = ["--val", "data/val.txt", "--labels", "data/labels.csv", "--backbone", "clip.safetensors", "--frames", "2"]
            for words in [
                ["learn", "--train", "data/train.txt", "--epochs", "2", "--output", "runs/learn"] + common,
                ["evaluate", "list", "--zero-shot", "--output", "runs/eval"] + common,
            ] {
                try world.expect(0, world.program.run(words).status, words)
            }
        },
        DocumentationPage("docs/serve.md") { world in
            try world.dataSet("data")
            try world.saveBackbone(to: "clip.safetensors")
            let words = [
                "learn", "--train", "data/train.txt", "--labels", "data/labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1",
                "--output", "runs/mine",
            ]
            try world.expect(0, world.program.run(words).status, words)
            try createDirectory(world.path("models"))
        },
        DocumentationPage("docs/reproduce.md") { world in
            try world.saveStateDict(to: "ViT-B-16.pt")
            try world.saveViFiBridge(to: "vifi_clip_10_epochs_k400_full_finetuned.pth")
            try world.hmdbLists("testTrainMulti_7030_splits", videos: "VIDEOS")
            try world.dataSet("k400", videos: "VIDEOS")
            try world.video("VIDEO.mp4", frames: 12)
            try msrvtt(world)
        },
        DocumentationPage("docs/ablations.md") { world in
            try world.saveBackbone(to: "Checkpoints/bridged-k400.safetensors")
            try world.dataSet("hmdb51", videos: "VIDEOS", splits: 3)
        },
        DocumentationPage("docs/cluster.md") { world in
            try world.dataSet(".")
            try world.saveBackbone(to: "clip.safetensors")
            try world.write(
                """
                data: {train: train.txt, val: val.txt, labels: labels.csv, frames: 2}
                prompts: {vision_tokens: 2, text_tokens: 2}
                training: {epochs: 1, batch_size: 4}
                """, to: "my.yaml")
            // The array's elements, without Slurm.
            for shots in ["2", "4"] {
                let words = ["learn", "--recipe", "my.yaml", "--backbone", "clip.safetensors", "--shots", shots]
                try world.expect(0, world.program.run(words + ["--output", "runs/learn-array/shots-\(shots)/seed1"]).status, words)
            }
        },
        DocumentationPage("docs/cost.md") { try $0.saveBackbone(to: "Checkpoints/ViT-B-16.safetensors") },
        DocumentationPage("docs/heads.md") { world in
            try world.dataSet(".")
            try world.saveBackbone(to: "clip.safetensors")
            try world.video("new.mp4")
            try world.labels(DocumentedWorld.classNames + ["another"], to: "all.csv")
            try world.write("new.mp4 \(DocumentedWorld.classNames.count)\n", to: "new.txt")
        },
        DocumentationPage("docs/methods.md") { world in
            try world.dataSet(".")
            try world.saveBackbone(to: "clip.safetensors")
            try world.video("new.mp4")
            try world.saveMaPLe(to: "model.pth.tar-5")
        },
        DocumentationPage("docs/descriptions.md") { world in
            try world.dataSet(".")
            try world.list(try world.videos("."), to: "test.txt")
            try world.saveBackbone(to: "clip.safetensors")
            try world.video("new.mp4")
            try world.descriptions(to: "descriptions.json")
        },
        DocumentationPage("docs/search.md") { world in
            try world.saveBackbone(to: "clip.safetensors")
            for name in ["clips/a.mp4", "clips/b.mp4", "example.mp4"] { try world.video(name) }
        },
        DocumentationPage("docs/late-prompts.md") { world in
            try world.dataSet(".")
            try world.saveBackbone(to: "clip.safetensors")
        },
        DocumentationPage("docs/cheaper-steps.md") { world in
            try world.dataSet(".")
            try world.saveBackbone(to: "clip.safetensors")
        },
        DocumentationPage("docs/pictures.md") { world in
            try world.saveBackbone(to: "clip.safetensors", "Checkpoints/ViT-B-16.safetensors")
            try world.saveBackbone(to: "bridged.safetensors", seed: 2)
            try world.savePrompts(to: "prompts.safetensors")
            try world.dataSet(".")
            try world.labels(["archery"] + DocumentedWorld.classNames.dropFirst(), to: "labels.csv")
            try world.video("CLIP.mp4", frames: 12)
        },
        DocumentationPage("docs/predict.md") { world in
            try world.saveBackbone(to: "Checkpoints/ViT-B-16.safetensors")
            try world.savePrompts(to: "runs/learn/prompts/best.safetensors", "p.safetensors", "actions.safetensors")
            try world.savePrompts(to: "places.safetensors", classNames: ["a street", "a room"])
            try world.dataSet(".")
            for name in ["CLIP.mp4", "hall.mp4"] { try world.video(name) }
            try world.video("match.mp4", frames: 100)
            for name in ["inbox/a.mp4", "inbox/b.mp4", "none/a.mp4"] { try world.video(name) }
        },
        DocumentationPage("docs/retrieval.md") { world in
            try world.saveBackbone(to: "ViT-B-16.safetensors", "bridged.safetensors", "Checkpoints/ViT-B-16.safetensors")
            try msrvtt(world)
        },
        DocumentationPage("docs/runs.md") { world in
            try world.dataSet(".")
            try world.saveBackbone(to: "clip.safetensors")
            for run in ["runs/learn-3", "runs/learn-4"] {
                let words = [
                    "learn", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors",
                    "--frames", "2", "--epochs", "20", "--output", run,
                ]
                try world.expect(75, world.program.signal(SIGUSR1, whenThere: run + "/metrics.jsonl", words), words)
            }
        },
        DocumentationPage("docs/settings.md") { world in
            try world.saveBackbone(to: "Checkpoints/ViT-B-16.safetensors", "runs/bridge/backbone.safetensors")
            try world.saveBackbone(to: "Checkpoints/bridged-k400.safetensors", seed: 2)
            for name in ["hmdb51", "ucf"] { try world.dataSet(name, videos: "VIDEOS", splits: 3) }
            try world.dataSet("k400", videos: "VIDEOS")
            let novel = (0..<160).map { "class \($0)" }
            try world.labels(DocumentedWorld.classNames + novel, to: "k600/labels.csv")
            try world.list((0..<164).map { ("\(DocumentedWorld.classNames[0])/clip\($0 % 3).mp4", $0) }, to: "k600/val.txt")
        },
        DocumentationPage("docs/tour.md") { world in
            try world.saveStateDict(to: "ViT-B-16.pt")
            try pocketBackbone(world)
            let (rowing, drumming) = ("rowing-while-standing", "drumming-while-stepping-aside")
            for (className, name) in [("rowing", rowing), ("drumming", drumming)] {
                for clip in 0..<5 { try world.pocketVideo("train/\(name)-0\(clip).mp4", to: "my-videos/\(className)/\(name)-0\(clip).mp4") }
                for clip in 10..<13 { try world.pocketVideo("test/\(name)-\(clip).mp4", to: "inbox/\(name)-\(clip).mp4") }
            }
            try world.pocketVideo("test/\(rowing)-00.mp4", to: "new.mp4")
            try world.video("long.mp4", frames: 100)
            for clip in 0..<3 { try world.pocketVideo("test/clapping-while-jumping-0\(clip).mp4", to: "others/\(clip).mp4") }
        },
    ]

    /// Weights that recipes name; their lists are made command by command.
    static func prepareForRecipe(_ world: DocumentedWorld) throws {
        let names = ["Checkpoints/ViT-B-16.safetensors", "Checkpoints/bridged-k400.safetensors", "runs/bridge/backbone.safetensors"]
        for name in names { try world.saveBackbone(to: name) }
        try pocketBackbone(world)
    }

    private static func pocketBackbone(_ world: DocumentedWorld) throws {
        let name = "Checkpoints/pocket-bridged.safetensors"
        try createDirectory(world.path("Checkpoints"))
        try FileManager.default.copyItem(atPath: packageRoot + "/" + name, toPath: world.path(name))
    }

    /// MSR-VTT's files as published, of twelve videos.
    private static func msrvtt(_ world: DocumentedWorld) throws {
        let names = (0..<12).map { "video\($0)" }
        for (index, name) in names.enumerated() { try world.video("MSRVTT/videos/\(name).mp4", seed: index) }
        let sentences = names.flatMap { name in [1, 2].map { #"{"caption": "caption \#($0) of \#(name)", "video_id": "\#(name)", "sen_id": \#($0)}"# } }
        let videos = names.map { #"{"video_id": "\#($0)", "split": "train"}"# }
        try world.write(
            #"{"videos": [\#(videos.joined(separator: ", "))], "sentences": [\#(sentences.joined(separator: ", "))]}"#, to: "MSRVTT_data.json")
        try world.write(
            "key,vid_key,video_id,sentence\n" + names.suffix(4).map { "ret,msr,\($0),caption 1 of \($0)\n" }.joined(),
            to: "MSRVTT_JSFUSION_test.csv")
        try world.write("video_id\n" + names.prefix(8).map { $0 + "\n" }.joined(), to: "MSRVTT_train.9k.csv")
    }

    /// Kinetics, UCF-101, Something-Something v2, and the lists of ViFi-CLIP and mmaction2.
    private static func publishedLists(_ world: DocumentedWorld) throws {
        let names = DocumentedWorld.classNames
        try world.videos("k400/videos", classes: names) { "\($0)/video-\($0.prefix(4).filter { $0 != " " })\($1)_000001_000011.mp4" }
        for part in ["train", "validate"] {
            let lines = names.flatMap { name in
                (part == "train" ? [0, 1] : [2]).map { "\(name),video-\(name.prefix(4).filter { $0 != " " })\($0),1,11,\(part)\n" }
            }
            try world.write("label,youtube_id,time_start,time_end,split\n" + lines.joined(), to: "k400/\(part).csv")
        }
        let camel = ["BrushHair", "CartWheel", "Catch", "Chew"]
        try world.videos("UCF-101", classes: camel) { "\($0)/v_\($0)_g0\($1 + 1)_c01.mp4" }
        try world.write(camel.enumerated().map { "\($0.offset + 1) \($0.element)\n" }.joined(), to: "ucfTrainTestlist/classInd.txt")
        for split in 1...3 {
            let train = camel.enumerated().flatMap { label, name in (0..<2).map { "\(name)/v_\(name)_g0\($0 + 1)_c01.avi \(label + 1)\n" } }
            try world.write(train.joined(), to: "ucfTrainTestlist/trainlist0\(split).txt")
            try world.write(camel.map { "\($0)/v_\($0)_g03_c01.avi\n" }.joined(), to: "ucfTrainTestlist/testlist0\(split).txt")
        }
        try world.write(#"{"Holding something": "0", "Pushing something": "1"}"#, to: "labels/labels.json")
        for (part, ids) in [("train", [1, 2]), ("validation", [3, 4])] {
            let entries = ids.enumerated().map { index, id in
                #"{"id": "\#(id)", "template": "\#(["Holding [something]", "Pushing [something]"][index])"}"#
            }
            try world.write("[" + entries.joined(separator: ", ") + "]", to: "labels/\(part).json")
        }
        for id in 1...4 { try world.video("20bn-something-something-v2/\(id).mp4", seed: id) }
        try world.labels(["brush_hair", "cartwheel", "catch", "chew"], to: "hmdb_51_labels.csv")
        for (index, name) in ["hmdb51_train.txt", "hmdb51_val1.txt"].enumerated() {
            try world.write("brush_hair/brush_hair_\(index).avi 0\ncartwheel/cartwheel_\(index + 1).avi 1\n", to: name)
        }
        try world.write(names.joined(separator: "\n") + "\n", to: "label_map.txt")
        try world.videos("videos", perClass: 2) { "\($0)/video\($1).mp4" }
        for (index, name) in names.prefix(2).enumerated() {
            try world.write(
                """
                <?xml version="1.0" encoding="UTF-8"?>
                <ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-05-01T10:00:00Z" FORMAT="3.0" VERSION="3.0"><HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
                <MEDIA_DESCRIPTOR MEDIA_URL="file:///elsewhere/\(name)/video\(index).mp4" RELATIVE_MEDIA_URL="./\(name)/video\(index).mp4" MIME_TYPE="video/mp4"/></HEADER>
                <TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="0"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="120"/></TIME_ORDER>
                <TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="actions"><ANNOTATION>
                <ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2"><ANNOTATION_VALUE>\(name)</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION>
                </ANNOTATION></TIER><LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="default-lt"/></ANNOTATION_DOCUMENT>
                """, to: "interviews/\(index).eaf")
        }
        for (index, name) in ["kinetics400_train_list_videos.txt", "kinetics400_val_list_videos.txt"].enumerated() {
            try world.write(names.enumerated().map { "\($0.element)/video\(index).mp4 \($0.offset)\n" }.joined(), to: name)
        }
    }
}

struct DocumentationFault: Error, CustomStringConvertible {
    let words: String
    var description: String { words }
}
