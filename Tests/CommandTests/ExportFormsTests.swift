import CLIPModel
import Files
import Foundation
import TestSupport
import Testing
import WeightFiles

/// `export --to` in every form, and prompts of every form in use.
@Suite(.serialized) struct ExportFormsTests {
    private let program: Program
    private let model = SmallModel()
    private let paths: (backbone: String, prompts: String)

    init() throws {
        program = try Program()
        paths = try model.write(to: program)
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        try InputFile.contents(of: program.folder.path(name), limit: 1 << 24)
    }

    /// The newest run's prompts in all forms that can be read again.
    private func exportAll() throws -> [String] {
        for form in ["vifi-prompt", "vifi-pth", "peft"] { #expect(try program("export", "--to", form).status == 0) }
        return ["learn-prompts.safetensors", "learn-prompts.pth", "learn-adapter"]
    }

    @Test func everyFormComesBack() throws {
        let original = try bytes(paths.prompts)
        for (index, path) in try exportAll().enumerated() {
            let outcome = try program("export", "--prompts", path, "-o", "back-\(index).safetensors")
            #expect(outcome.status == 0)
            #expect(outcome.messages == "Backbone: runs/bridge/backbone.safetensors (by its digest)\n")
            #expect(try bytes("back-\(index).safetensors") == original)
        }
    }

    @Test func resultsAndNotes() throws {
        let adapter = try program("export", "--to", "peft", "-o", "mine")
        let digest = try Digest.ofFile(program.folder.path("mine/adapter_model.safetensors"))
        #expect(adapter.output == "mine: PEFT folder, SHA-256 of its tensors' file \(digest)\n")
        #expect(try directoryEntries(program.folder.path("mine")) == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
        let checkpoint = try program("export", "--to", "vifi-pth", "-o", "mine.pth")
        #expect(checkpoint.output == "mine.pth: ViFi-CLIP checkpoint, \(try bytes("mine.pth").count) bytes, SHA-256 "
            + "\(try Digest.ofFile(program.folder.path("mine.pth")))\n")
        #expect(checkpoint.messages.hasSuffix("""
            For ViFi-CLIP: TRAINER.ViFi_CLIP.PROMPT_MODEL True, N_CTX_VISION 3, PROMPT_DEPTH_VISION 2, N_CTX_TEXT 2, \
            PROMPT_DEPTH_TEXT 1; DATA.NUM_FRAMES 8; MODEL.RESUME with this file.
            vifi-prompt: warning: ViFi-CLIP normalizes as imagenet and averages embeddings; these prompts were learned with \
            normalization clip and fusion embedding.
            The backbone is not in it: ViFi-CLIP keeps the CLIP it starts with, unless --with-backbone.

            """))
        #expect(try program("export", "--to", "npz").output.hasPrefix("learn-prompts.npz: NumPy archive, "))
        #expect(try program("export", "--to", "classes", "-o", "c.npz").output.hasPrefix("c.npz: 5 classes × 32, SHA-256 "))
        // Its name before there were other forms.
        #expect(try program("export", "--to", "prompts").status == 0)
    }

    @Test func checkpointsHaveTheReferencesNames() throws {
        #expect(try program("export", "--to", "vifi-pth", "--with-backbone", "-o", "whole.pth").status == 0)
        let file = try openWeights(program.folder.path("whole.pth"))
        let names = Set(file.names)
        for name in [
            "prompt_learner.ctx", "image_encoder.VPT", "image_encoder.transformer.resblocks.1.VPT_shallow",
            "image_encoder.conv1.weight", "image_encoder.proj", "text_encoder.transformer.resblocks.0.attn.in_proj_weight",
            "text_encoder.text_projection", "text_encoder.ln_final.bias", "logit_scale",
        ] {
            #expect(names.contains("model.module." + name), "\(name)")
        }
        #expect(!names.contains { $0.contains("token_embedding") })
        #expect(names.count == 3 + BackboneParameters<TensorSpecification>(of: model.backbone.architecture).all.count - 1)
        #expect(file.metadata["vifi_prompt.backbone_sha256"] == model.backbone.digest)
    }

    @Test func namesOfOutputs() throws {
        try createDirectory(program.folder.path("elsewhere"))
        #expect(try program("export", "--to", "peft", "-o", "elsewhere").output.hasPrefix("elsewhere/learn-adapter: "))
        #expect(try program("export", "--to", "vifi-pth", "-o", "elsewhere").output.hasPrefix("elsewhere/learn-prompts.pth: "))
        for (form, name, words) in [
            ("vifi-pth", "a.safetensors", "the output needs the ending .pth or .pt, or must be a folder."),
            ("dassl", "a.pth.tar-x", "the output needs the ending .pth.tar, or must be a folder."),
            ("npz", "a", "the output needs the ending .npz, or must be a folder."),
            ("classes", "a.pth", "the output needs the ending .safetensors or .npz, or must be a folder."),
            ("peft", "a.safetensors", "with --to peft the output is a folder, and this is the name of a file."),
        ] {
            let wrong = try program("export", "--to", form, "-o", name)
            #expect(wrong.status == 64 && wrong.messages.hasSuffix("error: \(name): \(words)\n"), "\(wrong.messages)")
        }
        #expect(try program("export", "--to", "tflite").status == 64)
        #expect(try program("export", "--to", "npz", "--with-backbone").status == 64)
        #expect(try program("export", "--to", "npz", "--labels", "labels.csv").status == 64)
    }

    @Test func foldersThatAreThereStay() throws {
        #expect(try program("export", "--to", "peft", "-o", "mine").status == 0)
        let before = try Digest.ofFile(program.folder.path("mine/adapter_config.json"))
        #expect(try program("export", "--to", "peft", "-o", "mine").status == 74)
        // Changed, it is only replaced when asked, and then as a whole.
        try program.folder.write("changed", to: "mine/README.md")
        #expect(try program("export", "--to", "peft", "-o", "mine/", "--force").status == 0)
        #expect(try Digest.ofFile(program.folder.path("mine/adapter_config.json")) == before)
        #expect(try bytes("mine/README.md") != Array("changed".utf8))
        // Somebody else's file is in it.
        try program.folder.write("precious", to: "mine/notes.txt")
        let refused = try program("export", "--to", "peft", "-o", "mine", "--force")
        #expect(refused.status == 74 && refused.messages.contains("holds more than an exported adapter and is not overwritten"))
        #expect(try bytes("mine/notes.txt") == Array("precious".utf8))
        // Over what it reads it never writes.
        #expect(try program("export", "--to", "peft", "--prompts", "mine", "-o", "mine", "--force").status == 64)
        let entries = try directoryEntries(program.folder.path).filter { !$0.hasPrefix(".") }
        #expect(entries == ["mine", "runs"], "no temporary folder is left")
    }

    @Test func dasslsProgramsAreToldWhereTheFileGoes() throws {
        let written = try program("export", "--to", "dassl", "-o", "model.pth.tar-50")
        #expect(written.status == 0 && written.output.hasPrefix("model.pth.tar-50: Dassl checkpoint, "), "\(written.messages)")
        #expect(written.messages.hasSuffix("""
            For IVLP: TRAINER.IVLP.N_CTX_VISION 3, PROMPT_DEPTH_VISION 2, N_CTX_TEXT 2, PROMPT_DEPTH_TEXT 1, CTX_INIT ''; the file as \
            VLPromptLearner/model.pth.tar-0 below --model-dir, with --load-epoch 0 and --eval-only.

            """), "\(written.messages)")
        #expect(try program("export", "--prompts", "model.pth.tar-50", "-o", "back.safetensors").status == 0)
        #expect(try bytes("back.safetensors") == bytes(paths.prompts))
    }

    // MARK: Other backbones

    @Test func anyBackbone() throws {
        let other = SmallModel(seed: 2).backbone
        try other.save(to: program.folder.path("other.safetensors"))
        let video = fixturePath("videos/bikes.mp4")
        for command in [["export", "-o", "a.safetensors", "--prompts", paths.prompts], ["predict", video, "--prompts", paths.prompts]] {
            let arguments = command + ["--backbone", "other.safetensors"]
            let refused = try program.run(arguments)
            #expect(refused.status == 65)
            let digests = "(\(model.backbone.digest.prefix(12))…), but this one is \(other.digest.prefix(12))…"
            #expect(refused.messages.contains("error: \(paths.prompts): the prompts were learned on backbone small \(digests)"))
            let taken = try program.run(arguments + ["--any-backbone"])
            #expect(taken.status == 0)
            #expect(taken.messages.contains("vifi-prompt: warning: \(paths.prompts): the prompts were learned on backbone small \(digests)"))
        }
    }

    // MARK: In use

    @Test func predictReadsEveryForm() throws {
        try program.folder.write("id,name\n0,cycling\n1,\"bowing, deeply\"\n", to: "labels.csv")
        let video = fixturePath("videos/bikes.mp4")
        var answers: [[String]] = []
        for path in [paths.prompts] + (try exportAll()) {
            let own = try program("predict", video, "--prompts", path, "--json")
            let others = try program("predict", video, "--prompts", path, "--json", "--labels", "labels.csv")
            #expect(own.status == 0 && others.status == 0, "\(path): \(own.messages)\(others.messages)")
            // Answers say where the prompts were; all else is the same.
            answers.append([own.output, others.output].map { $0.replacing("\"\(path)\"", with: "prompts") })
        }
        #expect(Set(answers).count == 1)
        #expect(answers[0][0].contains("\"waving\"") && answers[0][1].contains("\"bowing, deeply\""))
    }

    /// A checkpoint of the reference names no classes, and holds its backbone.
    @Test func aCheckpointFromElsewhere() throws {
        let checkpoint = program.folder.path("theirs.pth")
        var file = model.prompts
        file.header.classNames = []
        try ReferenceCheckpoint.write(file, backbone: model.backbone, to: program.folder.path("ours.pth"))
        // Without our header.
        let ours = try openWeights(program.folder.path("ours.pth"))
        let tensors = try ours.tensors.map { tensor in
            let values = try ours.floats(named: tensor.name, shape: tensor.shape)
            return (key: String(tensor.name.dropFirst("model.".count)), value: PyTorchValue.tensor(shape: tensor.shape, values: { values }))
        }
        try PyTorchWriter.write(.dictionary([("model", .ordered(tensors)), ("epoch", .integer(9))]), to: checkpoint)

        let video = fixturePath("videos/bikes.mp4")
        try program.folder.write("id,name\n0,cycling\n1,bowing\n", to: "labels.csv")
        let unnamed = try program("predict", video, "--prompts", "theirs.pth")
        #expect(unnamed.status == 64)
        #expect(unnamed.messages.contains("theirs.pth: a ViFi-CLIP checkpoint, which names no frames"))
        #expect(unnamed.messages.contains("Backbone: runs/bridge/backbone.safetensors (by its weights)"))
        let named = try program("predict", video, "--prompts", "theirs.pth", "--labels", "labels.csv", "--frames", "8")
        #expect(named.status == 0 && named.output.contains("cycling"))
        // Exported, the prompts name the backbone they were found to belong to.
        #expect(try program("export", "--prompts", "theirs.pth", "-o", "named.safetensors").status == 0)
        #expect(try PromptFile.load(program.folder.path("named.safetensors")).header.backboneDigest == model.backbone.digest)
        #expect(try program("export", "--prompts", "theirs.pth", "--to", "classes", "-o", "c.npz").status == 64)
        // Elsewhere its backbone is not found.
        try FileManager.default.removeItem(atPath: program.folder.path("runs/bridge"))
        #expect(try program("export", "--prompts", "theirs.pth", "-o", "b.safetensors").status == 66)
    }

    @Test func learningGoesOnFromEveryForm() throws {
        try program.folder.write("id,name\n0,cycling\n1,bowing\n", to: "labels.csv")
        try FileManager.default.copyItem(atPath: fixturePath("videos/bikes.mp4"), toPath: program.folder.path("bikes.mp4"))
        try program.folder.write("bikes.mp4 0\nbikes.mp4 1\n", to: "train.txt")
        let learn = [
            "learn", "--train", "train.txt", "--labels", "labels.csv", "--backbone", paths.backbone, "--epochs", "3", "--frames", "2",
            "--seed", "5",
        ]
        var digests: Set<String> = []
        for (index, path) in try exportAll().enumerated() {
            let outcome = try program.run(learn + ["--init", path, "-o", "run-\(index)"])
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(outcome.messages.contains(
                "Starting from \(path): 3 tokens in 2 layers of the vision tower, 2 tokens in 1 layer of the text tower\n"))
            let learned = try PromptFile.load(program.folder.path("run-\(index)/prompts/last.safetensors"))
            #expect(learned.prompts.configuration == model.prompts.header.configuration)
            #expect(learned.header.initialDigest == model.prompts.prompts.digest)
            digests.insert(learned.prompts.digest)
        }
        #expect(digests.count == 1 && !digests.contains(model.prompts.prompts.digest))

        let refused = try program.run(
            learn + ["--init", "learn-adapter", "--vision-tokens", "10", "--set", "prompts.text_depth=2", "--text-tokens", "2"])
        #expect(refused.status == 64)
        #expect(refused.messages.hasSuffix("""
            vifi-prompt: error: learn-adapter: --vision-tokens is 10, the prompts have 3; --text-depth is 2, the prompts have 1. \
            Leave the flags out: with --init the file decides.

            """))
        #expect(!fileExists(program.folder.path("runs/learn-2")))
        #expect(try program.run(learn + ["--any-backbone"]).status == 64)
    }
}
