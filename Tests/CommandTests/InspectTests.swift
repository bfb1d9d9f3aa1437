import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import WeightFiles

@Suite(.serialized) struct InspectTests {
    private let program: Program

    init() throws { program = try Program() }

    /// Lines `name  value` of a report.
    private func facts(_ output: String) -> [String: String] {
        let pairs = output.split(separator: "\n").compactMap { line -> (String, String)? in
            guard let gap = line.range(of: "  ") else { return nil }
            return (String(line[..<gap.lowerBound]), line[gap.upperBound...].trimmingCharacters(in: .whitespaces))
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    private func json(_ text: String) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }

    @Test func aBackboneFromElsewhere() throws {
        let outcome = try program("inspect", fixturePath("clip/clip-tiny.safetensors"))
        #expect(outcome.status == 0)
        #expect(
            outcome.messages
                == "vifi-prompt: warning: \(fixturePath("clip/clip-tiny.safetensors")): does not say which activation it was trained with: "
                + "quick_gelu is assumed, as in OpenAI's CLIP. Most models of open_clip need --activation gelu (all but those with "
                + "\"quickgelu\" in their names).\n")
        let facts = facts(outcome.output)
        #expect(facts["kind"] == "backbone")
        // Sizes of Tests/Fixtures/clip/README.md; numbers counted by PyTorch's numel.
        #expect(facts["architecture"] == "ViT 128×3 patch 16 at 64 px, text 64×2, joint 48")
        #expect(facts["parameters"] == "829,377")
        #expect(facts["SHA-256"] == "960b693b678c1e71aaa8a40c7925e280a19af37e5effeb5e164d81694a3b11d9")
        #expect(facts["activation"] == "quick_gelu")
        #expect(facts["normalization"] == "clip")
        #expect(facts["tokenizer"] == "clip-bpe, 300 tokens, context 77")
        #expect(facts["tensors"] == "74 (829,377 numbers: F32 74)")
        #expect(!outcome.output.contains("visual.proj"))
        let all = try program("inspect", "--tensors", fixturePath("clip/clip-tiny.safetensors")).output
        #expect(all.contains("\n  visual.proj  ") && all.contains("F32 [128, 48]\n"))
    }

    @Test func promptsAndTheirBackbone() throws {
        let model = SmallModel()
        let paths = try model.write(to: program)
        var outcome = try program("inspect", paths.prompts)
        #expect(outcome.status == 0)
        var facts = facts(outcome.output)
        #expect(facts["kind"] == "prompts")
        #expect(facts["vision"] == "3 tokens × 2 layers")
        #expect(facts["text"] == "2 tokens × 1 layer")
        #expect(facts["learned numbers"] == "512")  // 3 × 2 × 64 + 2 × 64
        #expect(facts["digest"] == "\(model.backbone.digest) (found here)")
        #expect(facts["classes"] == "5: waving, clapping hands, jumping, sitting down, turning around")
        #expect(facts["shots"] == "2 per class" && facts["seed"] == "7" && facts["top1"] == "0.75")

        let json = try json(try program("inspect", "--json", paths.prompts).output)
        #expect(json["kind"] as? String == "prompts")
        #expect(json["tensor_count"] as? Int == 3)
        #expect((json["metadata"] as? [String: String])?["vifi_prompt_format"] == "1")
        #expect((json["prompts"] as? [String: Any])?["classes"] as? [String] == SmallModel.classNames)

        try FileManager.default.removeItem(atPath: program.folder.path("runs/bridge"))
        outcome = try program("inspect", paths.prompts)
        facts = self.facts(outcome.output)
        #expect(outcome.status == 0)
        #expect(facts["digest"] == "\(model.backbone.digest) (not found here: pass it with --backbone)")
    }

    /// The forms that `export` writes, and the reference's checkpoints.
    @Test func promptsOfEveryForm() throws {
        let model = SmallModel()
        try model.write(to: program)
        for form in ["peft", "vifi-pth"] { #expect(try program("export", "--to", form).status == 0) }
        #expect(try program("export", "--to", "vifi-pth", "--with-backbone", "-o", "whole.pth").status == 0)
        for (path, form) in [("learn-adapter", "PEFT folder"), ("learn-prompts.pth", "ViFi-CLIP checkpoint"), ("whole.pth", "ViFi-CLIP checkpoint")] {
            let outcome = try program("inspect", path)
            let facts = facts(outcome.output)
            #expect(outcome.status == 0, "\(outcome.messages)")
            #expect(facts["kind"] == "prompts" && facts["form"] == form)
            #expect(facts["vision"] == "3 tokens × 2 layers" && facts["text"] == "2 tokens × 1 layer")
            #expect(facts["classes"] == "5: waving, clapping hands, jumping, sitting down, turning around")
            let json = try json(try program("inspect", path, "--json").output)
            #expect((json["prompts"] as? [String: Any])?["backbone_sha256"] as? String == model.backbone.digest)
        }
        // Another method's adapter is no prompts of ours, and no broken ones either.
        try FileManager.default.copyItem(atPath: program.folder.path("learn-adapter"), toPath: program.folder.path("lora"))
        try program.folder.write("{\"peft_type\": \"LORA\", \"r\": 8}", to: "lora/adapter_config.json")
        let other = try program("inspect", "lora")
        #expect(other.status == 0 && other.messages.hasPrefix("No prompts: lora: adapter_config.json: peft_type is \"LORA\""), "\(other.messages)")
        #expect(facts(other.output)["kind"] == "tensors")
    }

    /// They hold no token table, which nobody needs to look at them.
    @Test func checkpointsOfTheReference() throws {
        let bridged = try program("inspect", fixturePath("formats/vifi-bridge-style.pth"))
        var facts = facts(bridged.output)
        #expect(bridged.status == 0 && bridged.messages.contains("A backbone but for the token embeddings"), "\(bridged.messages)")
        #expect(facts["kind"] == "backbone" && facts["layout"] == "ViFi-CLIP" && facts["digest"] == "none without the token embeddings")
        let learned = try program("inspect", fixturePath("formats/vifi-prompt-style.pth"))
        facts = self.facts(learned.output)
        #expect(learned.status == 0 && learned.messages.contains("a ViFi-CLIP checkpoint, which names no frames"), "\(learned.messages)")
        #expect(facts["kind"] == "prompts" && facts["layout"] == "ViFi-CLIP" && facts["classes"] == "not named")
        #expect(facts["backbone"] == "not named, but its weights are in the file (not found here: pass it with --backbone)")
    }

    @Test func otherTensors() throws {
        try SafetensorsWriter.write(
            [("a\u{1B}[2Jb", [2, 3], [Float](repeating: 0, count: 6)), ("c", [], [1])],
            metadata: ["title": "line\nbreak \u{202E}turned"], to: program.folder.path("other.safetensors"))
        let outcome = try program("inspect", "other.safetensors")
        #expect(outcome.status == 0)
        #expect(outcome.messages == "No backbone: no CLIP's layout fits the tensors' names.\n")
        #expect(facts(outcome.output)["metadata.title"] == "line\\u{a}break \\u{202e}turned")
        #expect(outcome.output.hasSuffix("2 (7 numbers: F32 2)\n  a\\u{1b}[2Jb  F32 [2, 3]\n  c            F32 []\n"))
    }

    @Test func whatIsWrongIsSaidAfterWhatIsThere() throws {
        let source = try SafetensorsFile(path: fixturePath("clip/clip-mini.safetensors"))
        let tensors = try source.tensors.map { tensor in
            var values = try source.floats(named: tensor.name)
            if tensor.name == "visual.proj" { values[3] = .nan }
            return (name: tensor.name, shape: tensor.shape, values: values)
        }
        try SafetensorsWriter.write(tensors, to: program.folder.path("nan.safetensors"))
        let outcome = try program("inspect", "nan.safetensors", "--activation", "quick_gelu")
        #expect(outcome.status == 65)
        #expect(facts(outcome.output)["kind"] == "backbone")
        #expect(
            outcome.messages
                == "vifi-prompt: error: nan.safetensors: tensor \"visual.proj\" holds 1 values that are NaN or infinite. "
                + "Nothing can be computed with it; use a sound file.\n")
    }

    @Test func promptsThatDoNotFitTheirBackbone() throws {
        let model = SmallModel()
        let paths = try model.write(to: program)
        let narrow = PromptSet<MutableMatrix>(
            vision: (0..<2).map { _ in MutableMatrix(rows: 3, columns: 48) }, text: [MutableMatrix(rows: 2, columns: 64)])
        try PromptFile(prompts: narrow.reading, header: model.prompts.header).save(to: program.folder.path(paths.prompts))
        for command in ["inspect \(paths.prompts)", "export"] {
            let outcome = try program.run(command.split(separator: " ").map(String.init))
            #expect(outcome.status == 65)
            #expect(
                outcome.messages.hasSuffix(
                    "vifi-prompt: error: \(paths.prompts): prompts \"vision.0\" are [3, 48], but the backbone needs [3, 64].\n"))
        }
    }

    @Test func videos() throws {
        let outcome = try program("inspect", fixturePath("videos/bikes.mp4"))
        #expect(outcome.status == 0)
        let facts = facts(outcome.output)
        #expect(facts["kind"] == "video")
        // As ffprobe says.
        #expect(facts["codec"] == "h264, yuv420p")
        #expect(facts["size"] == "640 × 272")
        #expect(facts["frames"] == "250")
        // Whatever it is called.
        try FileManager.default.copyItem(atPath: fixturePath("videos/bikes.mp4"), toPath: program.folder.path("bikes"))
        let json = try json(try program("inspect", "bikes", "--json").output)
        #expect((json["video"] as? [String: Any])?["frames"] as? Int == 250)
    }
}
