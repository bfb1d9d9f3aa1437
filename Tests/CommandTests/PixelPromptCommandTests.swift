import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import WeightFiles

/// `learn --method pixel`: what comes out is used and kept like any prompts, and what leaves no room for it is refused.
@Suite(.serialized) struct PixelPromptCommandTests {
    private let program: Program
    private static let videos = [
        "--train", "list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--batch-size", "5",
        "--accumulation-steps", "1", "--threads", "1",
    ]

    init() throws { program = try Program.withVideos() }

    @discardableResult
    private func learn(_ more: String..., status: Int32 = 0, sourceLocation: SourceLocation = #_sourceLocation) throws -> Program.Outcome {
        let outcome = try program.run(["learn"] + Self.videos + ["--method", "pixel", "--epochs", "3"] + more, sourceLocation: sourceLocation)
        #expect(outcome.status == status, "\(outcome.messages)", sourceLocation: sourceLocation)
        return outcome
    }

    private func prompts(_ run: String) throws -> PromptFile { try PromptFile.load(program.folder.path("\(run)/prompts/last.safetensors")) }

    private var side: Int { get throws { try Backbone.load(program.folder.path("clip.safetensors")).architecture.imagePixels } }

    /// A file says where its numbers stand, and every command that takes prompts adds them.
    @Test func whatIsLearnedIsUsed() throws {
        let run = try learn("--pixel-width", "6", "--fusion", "decision", "--output", "run")
        #expect(run.messages.contains("Method: pixel, learned numbers that are added to the pixels of every frame"))
        let (file, side) = (try prompts("run"), try side)
        let area = PixelArea(.padding, width: 6, side: side)
        #expect(file.header.configuration.pixels == area && file.header.fusion == .decision && file.header.template == "This is a photo of a {}")
        // SGD with its authors' rate moves numbers that start at N(0, 1).
        let random = PromptSet(random: file.header.configuration, architecture: try Backbone.load(program.folder.path("clip.safetensors")).architecture, seed: 1)
        #expect(zip(file.prompts.all, random.all).allSatisfy { $0.values != $1.values })
        let config = try String(contentsOfFile: program.folder.path("run/config.yaml"), encoding: .utf8)
        for line in ["pixel_form: padding", "pixel_width: 6", "optimizer: sgd", "learning_rate: 40", "weight_decay: 0"] {
            #expect(config.replacingOccurrences(of: "\"", with: "").contains(line), "\(line): \(config)")
        }
        let told = try program("inspect", "run/prompts/last.safetensors", "--json")
        #expect(told.output.contains("\"pixels\" : \"a border of 6 pixels of frames of \(side) × \(side)\""), "\(told.output)")
        #expect(told.output.contains("\"learned_numbers\" : \(2 * 3 * 6 * (side + side - 12))"), "\(told.output)")

        func answer(_ more: String...) throws -> String {
            let outcome = try program.run(["predict", "video0.mp4", "--backbone", "clip.safetensors", "--json"] + more)
            #expect(outcome.status == 0, "\(outcome.messages)")
            return String(try outcome.output[#require(outcome.output.range(of: "\"scores\"")).upperBound...])
        }
        let scores = try answer("--prompts", "run")
        // Numbers that add nothing leave CLIP as it is.
        let zeros = PromptSet<Matrix>(vision: [], text: [], pixels: PixelPrompt(zeros: area).map(\.reading))
        try PromptFile(prompts: zeros, header: file.header).save(to: program.folder.path("zeros.safetensors"))
        #expect(try answer("--prompts", "zeros.safetensors") != scores)
        for (words, status, said) in [
            (["export", "--to", "peft", "--output", "folder"], 0 as Int32, ""), (["export", "--to", "npz", "--output", "prompts.npz"], 0, ""),
            (["export", "--to", "classes", "--output", "classes.safetensors"], 0, "The vision prompts are not in it"),
            (["export", "--to", "vifi-pth"], 78, "which ViFi-CLIP has no names for"), (["export", "--to", "dassl"], 78, "no prompts in pixels"),
            (["export", "--to", "efficient-prompt"], 78, "and nothing else"),
            (["eval", "--test", "val.txt", "--labels", "labels.csv", "--output", "scores"], 0, ""),
            (["predict", "video0.mp4", "--window", "2f"], 0, ""), (["viz", "attention", "video0.mp4", "--output", "map.png"], 0, ""),
        ] {
            let outcome = try program.run(words + ["--prompts", "run", "--backbone", "clip.safetensors"])
            #expect(outcome.status == status && (said.isEmpty || outcome.messages.contains(said)), "\(words): \(outcome.messages)")
        }
        #expect(try answer("--prompts", "folder") == scores)
        let classes = try SafetensorsFile(path: program.folder.path("classes.safetensors")).metadata
        #expect(classes["vifi_classes_format"] == "5" && classes["pixel_form"] == "padding" && classes["pixel_width"] == "6", "\(classes)")
    }

    /// A start is gone on from, its numbers decide, and it is no start for tokens.
    @Test func itCanBeGoneOnWith() throws {
        try learn("--pixel-form", "fixed-patch", "--pixel-width", "9", "--output", "first")
        let more = try learn("--init", "first/prompts/last.safetensors", "--set", "training.learning_rate=1e-2", "--output", "more")
        #expect(more.messages.contains("a patch of 9 × 9 pixels at the top left"), "\(more.messages)")
        let (first, second) = (try prompts("first"), try prompts("more"))
        #expect(second.header.configuration == first.header.configuration && second.header.initialDigest == first.prompts.digest)
        for (found, start) in zip(second.prompts.all, first.prompts.all) {
            #expect(zip(found.values, start.values).allSatisfy { abs($0 - $1) < 0.05 } && found.values != start.values)
        }
        let other = try learn("--init", "first", "--pixel-width", "8", "--output", "no", status: 64)
        #expect(other.messages.contains("--pixel-width is 8, the prompts have 9"), "\(other.messages)")
        let tokens = try program.run(["learn"] + Self.videos + ["--epochs", "1", "--init", "first", "--output", "no"])
        #expect(tokens.status == 64 && tokens.messages.contains("holds what --method pixel learned"), "\(tokens.messages)")
        #expect(try program.run(["learn"] + Self.videos + ["--epochs", "1", "--output", "tokens"]).status == 0)
        let none = try learn("--init", "tokens", "--output", "no", status: 64)
        #expect(none.messages.contains("holds no pixels, which --method pixel learns"), "\(none.messages)")
    }

    /// Their own file: read where frames have its size, named where they have not.
    @Test func theirCheckpointIsTaken() throws {
        let theirs = fixturePath("prompting/pixel.pth.tar")
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 2), text: .init(width: 64, layerCount: 2), imagePixels: 64, patchPixels: 16, embeddingWidth: 32,
            contextLength: 77, vocabularySize: ByteTokenizer().vocabularySize)
        try Backbone(
            architecture: architecture, parameters: BackboneParameters<MutableMatrix>(random: architecture, seed: 4).map(\.reading),
            description: BackboneDescription(name: "small", normalization: .clip, tokenizer: .bytes, provenance: "random numbers")
        ).save(to: program.folder.path("larger.safetensors"))
        for words in [
            ["predict", "video0.mp4", "--prompts", theirs, "--labels", "labels.csv"], ["export", "--prompts", theirs, "--output", "ours.safetensors"],
            ["learn"] + Self.videos.filter { $0 != "--backbone" && $0 != "clip.safetensors" } + ["--method", "pixel", "--epochs", "1", "--init", theirs, "--output", "on"],
        ] {
            let small = try program.run(words + ["--backbone", "clip.safetensors", "--any-backbone"])
            #expect(small.status == 78 && small.messages.contains("pixels of frames of 64 × 64, but the backbone sees frames of"), "\(small.messages)")
            let taken = try program.run(words + ["--backbone", "larger.safetensors", "--any-backbone"])
            #expect(taken.status == 0 && taken.messages.contains("a checkpoint of visual prompting"), "\(words): \(taken.messages)")
        }
        let ours = try PromptFile.load(program.folder.path("ours.safetensors"))
        #expect(try ours.tensorsDigest == PromptFile.load(theirs).tensorsDigest && ours.header.template == "This is a photo of a {}")
        #expect(try prompts("on").header.configuration.pixels == PixelArea(.padding, width: 8, side: 64))
        #expect(try program("inspect", theirs).output.contains("a border of 8 pixels of frames of 64 × 64"))
    }

    /// What goes with it: pixels are part of the frames, whatever becomes of these.
    @Test func whatGoesWithIt() throws {
        for (index, words) in [
            ["--fusion", "image"], ["--backward-frames", "1"], ["--merge-tokens", "1"], ["--regularize", "promptsrc"],
        ].enumerated() {
            let outcome = try program.run(["learn"] + Self.videos + ["--method", "pixel", "--epochs", "1", "--output", "run\(index)"] + words)
            #expect(outcome.status == 0, "\(words): \(outcome.messages)")
            #expect(try prompts("run\(index)").header.configuration.pixels != nil)
        }
        // Nothing of a clip stays as it is, so that nothing is computed once for it.
        let fixed = try learn("--fixed-frames", "--vision-layers", "none", "--output", "fixed")
        #expect(!fixed.messages.contains("computed once per clip"), "\(fixed.messages)")
        let plan = try learn("--dry-run", "--no-timing", "--fixed-frames")
        #expect((plan.output + plan.messages).contains("what is added to pixels is projected once a step for all frames"), "\(plan.output)")
    }

    /// The pocket CLIP has read one sentence, which stays.
    @Test func onThePocketWorldTheSentenceStays() throws {
        let run = try program("learn", "--method", "pixel", "--shots", "1", "--set", "training.steps=1", "--output", "pocket")
        #expect(run.status == 0, "\(run.messages)")
        let file = try prompts("pocket")
        #expect(file.header.template == "a photo of a {}." && file.header.configuration.pixels == PixelArea(.padding, width: 9, side: 64))
    }

    @Test func whatHasNoMeaningIsRefused() throws {
        for (words, status, said) in [
            (["--text-tokens", "2", "--text-depth", "1"], 64 as Int32, "--text-tokens cannot go with --method pixel, which learns numbers that are added to"),
            (["--vision-tokens", "2", "--vision-depth", "1"], 64, "--vision-tokens cannot go with --method pixel"),
            (["--quick"], 64, "--quick cannot go with --method pixel"), (["--name-place", "front"], 64, "is for methods that learn words"),
            (["--prompts-behind-norm"], 78, "prompts behind the input norm are vision prompts of layer 0"),
            (["--pixel-width", "\(try side)"], 78, "there is room for 1 to \((try side - 1) / 2)"),
        ] {
            let outcome = try program.run(["learn"] + Self.videos + ["--method", "pixel", "--epochs", "1", "--output", "no"] + words)
            #expect(outcome.status == status && outcome.messages.contains(said), "\(words): \(outcome.messages)")
        }
        for words in [["--pixel-width", "3"], ["--method", "vpt", "--pixel-form", "padding"]] {
            let outcome = try program.run(["learn"] + Self.videos + ["--epochs", "1", "--output", "no"] + words)
            #expect(outcome.status == 64 && outcome.messages.contains("is for methods that learn pixels: pixel"), "\(words): \(outcome.messages)")
        }
        let captions = try program("learn", "--captions", "pocket", "--method", "pixel", "--output", "no")
        #expect(captions.status == 64 && captions.messages.contains("--captions cannot go with --method pixel"), "\(captions.messages)")
        #expect(!fileExists(program.folder.path("no")))
    }
}
