import CLIPModel
import Files
import Foundation
import TestSupport
import Testing
import WeightFiles

/// `bridge --import`, and other people's CLIPs as `--backbone` and in `inspect`.
@Suite(.serialized) struct ImportTests {
    private let program: Program

    init() throws { program = try Program() }

    private func facts(_ output: String) -> [String: String] {
        let pairs = output.split(separator: "\n").compactMap { line -> (String, String)? in
            guard let gap = line.range(of: "  ") else { return nil }
            return (String(line[..<gap.lowerBound]), line[gap.upperBound...].trimmingCharacters(in: .whitespaces))
        }
        return Dictionary(pairs, uniquingKeysWith: { first, _ in first })
    }

    @Test func aFolder() throws {
        let folder = fixturePath("checkpoints/hf-gelu-sharded")
        let outcome = try program("bridge", "--import", folder)
        #expect(outcome.status == 0 && outcome.messages == "", "\(outcome.messages)")
        let facts = facts(outcome.output)
        #expect(facts["backbone"] == "Checkpoints/hf-gelu-sharded.safetensors")
        #expect(facts["format"] == "sharded safetensors" && facts["layout"] == "Hugging Face CLIPModel")
        // As PyTorch's numel counts them.
        #expect(facts["parameters"] == "41,665")
        #expect(facts["activation"] == "gelu" && facts["normalization"] == "imagenet" && facts["heads"] == "4 of 8, text 4 of 8")
        let path = program.folder.path("Checkpoints/hf-gelu-sharded.safetensors")
        #expect(facts["SHA-256"] == (try Digest.ofFile(path)))
        #expect(facts["digest"] == (try Backbone.load(folder).digest))

        // Not without being told to, and then the same bytes.
        let again = try program("bridge", "--import", folder)
        #expect(again.status == 74 && again.output == "")
        #expect(again.messages.contains("Checkpoints/hf-gelu-sharded.safetensors: already exists. Pass --force"))
        #expect(try program("bridge", "--import", folder, "--force").output == outcome.output)

        let inspected = self.facts(try program("inspect", "Checkpoints/hf-gelu-sharded.safetensors").output)
        #expect(inspected["layout"] == "vifi-prompt" && inspected["activation"] == "gelu" && inspected["digest"] == facts["digest"])
    }

    @Test func nameOutputHalfAndActivation() throws {
        let source = fixturePath("clip/clip-mini.safetensors")
        let guessed = try program("bridge", "--import", source, "--half", "--name", "mini")
        #expect(guessed.status == 0)
        #expect(guessed.messages.contains("does not say which activation it was trained with: quick_gelu is assumed"))
        let half = program.folder.path("Checkpoints/mini.safetensors")
        #expect(try InputFile(path: half).byteCount < InputFile(path: source).byteCount * 6 / 10)
        #expect(try Backbone.load(half).description.name == "mini")

        let told = try program("bridge", "--import", source, "--output", "there/gelu.safetensors", "--activation", "gelu")
        #expect(told.status == 0 && told.messages == "")
        #expect(facts(told.output)["activation"] == "gelu")
        #expect(facts(told.output)["source SHA-256"] == (try Digest.ofFile(source)))
        #expect(facts(told.output)["known release"] == "none")
        #expect(facts(try program("inspect", "there/gelu.safetensors").output)["activation"] == "gelu")
    }

    @Test func viFiCLIP() throws {
        let source = fixturePath("formats/vifi-prompt-style.pth")
        let alone = try program("bridge", "--import", source)
        #expect(alone.status == 65 && alone.messages.contains("never hold the token embeddings") && alone.messages.contains("--clip"))
        let outcome = try program("bridge", "--import", source, "--clip", fixturePath("formats/openai-style.pt"), "--name", "vifi")
        #expect(outcome.status == 0, "\(outcome.messages)")
        let facts = facts(outcome.output)
        #expect(facts["layout"] == "ViFi-CLIP" && facts["normalization"] == "imagenet" && facts["activation"] == "quick_gelu")
        #expect(facts["prompts inside"]?.hasPrefix("3 tensors, not imported") == true, "\(outcome.output)")
        #expect(outcome.output.contains("yacs.config.CfgNode"))
        let inspected = try program("inspect", source, "--clip", fixturePath("formats/state-dict.pt"), "--activation", "quick_gelu", "--json")
        #expect(inspected.status == 0)
        let json = try #require(try JSONSerialization.jsonObject(with: Data(inspected.output.utf8)) as? [String: Any])
        #expect((json["backbone"] as? [String: Any])?["layout"] as? String == "ViFi-CLIP")
        #expect(((json["backbone"] as? [String: Any])?["prompt_tensors"] as? [String])?.count == 3)
    }

    @Test func refusals() throws {
        let source = fixturePath("clip/clip-mini.safetensors")
        for (arguments, status, words) in [
            (["--import", "absent.pt"], 66, "absent.pt: no such file"),
            (["--import", source, "--output", "x.pt"], 64, "x.pt: backbone files end in .safetensors"),
            (["--import", source, "--train", "x"], 64, "--import only makes a backbone file"),
            (["--import", source, "--name", "a/b"], 64, "--name is a name, not a path"),
            (["--import", source, "--activation", "relu"], 64, "relu"), (["--clip", source], 64, "--clip is for --import."),
            (["--import", source, "--clip", "absent"], 66, "absent: no such file"),
            (["--import", source, "--output", "/proc/none/x.safetensors"], 74, "/proc/none"),
        ] as [([String], Int32, String)] {
            let outcome = try program.run(["bridge"] + arguments)
            #expect(outcome.status == status, "\(arguments): \(outcome.messages)")
            #expect(outcome.messages.contains(words), "\(arguments): \(outcome.messages)")
            #expect(outcome.output == "")
        }
        try FileManager.default.copyItem(atPath: source, toPath: program.folder.path("own.safetensors"))
        let over = try program("bridge", "--import", "own.safetensors", "--output", "own.safetensors", "--force")
        #expect(over.status == 64 && over.messages.contains("would overwrite what is imported"))
        // Nothing half written is left behind.
        #expect(try directoryEntries(program.folder.path).filter { !$0.hasPrefix(".") } == ["own.safetensors"])
    }

    /// By a list of known releases that knows a fixture.
    @Test func aFileThatIsARelease() throws {
        var program = program
        program.home = program.folder.path
        let source = fixturePath("clip/clip-mini.safetensors")
        try createDirectory(program.folder.path("Checkpoints"))
        try program.folder.write("somebody:\n  mini.safetensors: \(try Digest.ofFile(source))\n", to: "Checkpoints/known.yaml")
        for command in [["bridge", "--import"], ["inspect"]] {
            let outcome = try program.run(command + [source, "--activation", "quick_gelu"])
            #expect(facts(outcome.output)["known release"] == "matches somebody/mini.safetensors", "\(outcome.messages)")
        }
        try program.folder.write("somebody:\n  mini.safetensors: 12\n", to: "Checkpoints/known.yaml")
        let damaged = try program("inspect", source)
        #expect(damaged.status == 78 && damaged.messages.contains("a SHA-256 of 64 lower-case hexadecimal digits"), "\(damaged.messages)")
    }

    @Test func aFileThatOnlyHasTheNameOfARelease() throws {
        try FileManager.default.copyItem(
            atPath: fixturePath("clip/clip-mini.safetensors"), toPath: program.folder.path("ViT-B-16.pt"))
        for command in [["bridge", "--import"], ["inspect"]] {
            let outcome = try program.run(command + ["ViT-B-16.pt", "--activation", "quick_gelu"])
            #expect(outcome.status == 0)
            #expect(outcome.messages.contains("ViT-B-16.pt: has the name of openai/ViT-B-16.pt, but not its SHA-256 (5806e77cd80f…)"))
            #expect(facts(outcome.output)["known release"] == "none")
        }
    }

    @Test func weightsThatAreNotNumbers() throws {
        let source = try SafetensorsFile(path: fixturePath("clip/clip-mini.safetensors"))
        let tensors = try source.tensors.map { tensor in
            var values = try source.floats(named: tensor.name)
            if tensor.name == "visual.proj" { values[3] = .infinity }
            return (name: tensor.name, shape: tensor.shape, values: values)
        }
        try SafetensorsWriter.write(tensors, to: program.folder.path("inf.safetensors"))
        let outcome = try program("bridge", "--import", "inf.safetensors", "--activation", "quick_gelu")
        #expect(outcome.status == 0)
        #expect(outcome.messages == """
            vifi-prompt: warning: tensor "visual.proj" holds 1 values that are NaN or infinite. The file was written, but nothing \
            can be computed with it.

            """)
    }

    @Test func oneOfSeveralModels() throws {
        let source = try SafetensorsFile(path: fixturePath("clip/clip-mini.safetensors"))
        let tensors = try source.tensors.flatMap { tensor in
            let values = try source.floats(named: tensor.name)
            return [("model." + tensor.name, tensor.shape, values), ("ema." + tensor.name, tensor.shape, values.map { $0 / 2 })]
        }
        try SafetensorsWriter.write(tensors.map { (name: $0.0, shape: $0.1, values: $0.2) }, to: program.folder.path("two.safetensors"))
        let alone = try program("bridge", "--import", "two.safetensors", "--activation", "gelu")
        #expect(alone.status == 65 && alone.messages.contains("start with \"ema.\" and \"model.\". Choose one"), "\(alone.messages)")
        let chosen = try program("bridge", "--import", "two.safetensors", "--activation", "gelu", "--prefix", "model.")
        #expect(chosen.status == 0, "\(chosen.messages)")
        let expected = try Backbone.load(fixturePath("clip/clip-mini.safetensors"), options: CheckpointOptions(activation: .gelu)).digest
        #expect(facts(chosen.output)["digest"] == expected)
        #expect(facts(try program("inspect", "two.safetensors", "--activation", "gelu", "--prefix", "model").output)["digest"] == expected)
        #expect(try program("bridge", "--prefix", "model.").status == 64)
    }

    /// The model's name, not a digest's or a folder's that all have.
    @Test func namesOfTheHub() throws {
        let snapshot = program.folder.path("models--somebody--tiny-clip/snapshots/abc")
        try createDirectory(snapshot)
        for name in ["config.json", "model.safetensors"] {
            try FileManager.default.copyItem(
                atPath: fixturePath("checkpoints/hf-gelu-bf16/\(name)"), toPath: snapshot.appendingPath(name))
        }
        for path in ["models--somebody--tiny-clip", "models--somebody--tiny-clip/snapshots/abc/model.safetensors"] {
            let outcome = try program("bridge", "--import", path, "--force")
            #expect(facts(outcome.output)["backbone"] == "Checkpoints/tiny-clip.safetensors", "\(outcome.messages)")
            #expect(facts(outcome.output)["activation"] == "gelu")
        }
    }
}
