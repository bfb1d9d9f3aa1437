import CLIPModel
import Files
import Foundation
import TestSupport
import Testing
import WeightFiles

@Suite(.serialized) struct ExportTests {
    private let program: Program
    private let model = SmallModel()
    private let paths: (backbone: String, prompts: String)

    init() throws {
        program = try Program()
        paths = try model.write(to: program)
    }

    private func bytes(_ name: String) throws -> [UInt8] {
        try InputFile.contents(of: program.folder.path(name), limit: 1 << 20)
    }

    @Test func theNewestRunIsCopiedByteForByte() throws {
        let outcome = try program("export")
        let copy = try bytes("learn-prompts.safetensors")
        #expect(outcome.status == 0)
        #expect(copy == (try bytes(paths.prompts)))
        let digest = try Digest.ofFile(program.folder.path(paths.prompts))
        #expect(outcome.output == "learn-prompts.safetensors: prompts, \(copy.count) bytes, SHA-256 \(digest)\n")
        #expect(
            outcome.messages == """
                The newest run is taken: runs/learn/prompts/best.safetensors, with its own lists and class names. Name a model and data for others.
                Backbone: runs/bridge/backbone.safetensors (by its digest)

                """)
    }

    @Test func whatIsThereStays() throws {
        try program.folder.write("precious", to: "mine.safetensors")
        let refused = try program("export", "--output", "mine.safetensors")
        #expect(refused.status == 74)
        #expect(
            refused.messages.hasSuffix(
                "vifi-prompt: error: mine.safetensors: already exists. Choose another --output, or pass --force to overwrite it.\n"))
        #expect(try bytes("mine.safetensors") == Array("precious".utf8))

        #expect(try program("export", "--output", "mine.safetensors", "--force").status == 0)
        #expect(try bytes("mine.safetensors") == (try bytes(paths.prompts)))
        // An input is never overwritten, whatever its path is called this time.
        let before = try bytes(paths.prompts)
        let over = try program(
            "export", "--to", "classes", "--output", "runs/../\(paths.prompts)", "--force")
        #expect(over.status == 64)
        #expect(try bytes(paths.prompts) == before)
    }

    @Test func outputsAreNamed() throws {
        try createDirectory(program.folder.path("elsewhere"))
        try program.folder.write(try bytes(paths.prompts), to: "gym.safetensors")
        #expect(try program("export", "-o", "elsewhere").output.hasPrefix("elsewhere/learn-prompts.safetensors: "))
        #expect(try program("export", "--prompts", "gym.safetensors").output.hasPrefix("gym-prompts.safetensors: "))
        let wrong = try program("export", "-o", "prompts.pt")
        #expect(wrong.status == 64)
        #expect(wrong.messages.hasSuffix("prompts.pt: the output needs the ending .safetensors, or must be a folder.\n"))
    }

    @Test func promptsOfAnotherBackboneAreRefused() throws {
        try SmallModel(seed: 2).backbone.save(to: program.folder.path("other.safetensors"))
        let named = try program("export", "--backbone", "other.safetensors")
        #expect(named.status == 65)
        #expect(named.messages.contains("the prompts were learned on backbone small"))
        #expect(!fileExists(program.folder.path("learn-prompts.safetensors")))

        try FileManager.default.removeItem(atPath: program.folder.path("runs/bridge"))
        // The backbone that they need is not here.
        #expect(try program("export").status == 66)
        #expect(try program("export", "--backbone", "none.safetensors").status == 66)
    }

    // MARK: Classes

    /// The rows of an exported file, which must have unit length.
    private func rows(of name: String) throws -> (rows: [[Float]], file: SafetensorsFile) {
        let file = try SafetensorsFile(path: program.folder.path(name))
        let shape = try file.description(of: "class_embeddings").shape
        let values = try file.floats(named: "class_embeddings")
        #expect(shape.count == 2 && shape.last == 32)
        let rows = (0..<shape[0]).map { Array(values[$0 * 32..<($0 + 1) * 32]) }
        for row in rows { expectClose(row.reduce(0) { $0 + $1 * $1 }, 1, tolerance: 1e-5) }
        return (rows, file)
    }

    @Test func classesOfThePromptFile() throws {
        let outcome = try program("export", "--to", "classes")
        #expect(outcome.status == 0)
        #expect(outcome.output.hasPrefix("learn-classes.safetensors: 5 classes × 32, SHA-256 "))
        #expect(outcome.messages.hasSuffix("The vision prompts are not in it: videos still need \(paths.prompts).\n"))
        let (rows, file) = try rows(of: "learn-classes.safetensors")
        #expect(rows.count == 5 && Set(rows).count == 5)
        // exp(2.6592600), CLIP's first temperature of 0.07.
        expectClose(try file.floats(named: "logit_scale", shape: [1]), [1 / 0.07], tolerance: 1e-5)
        #expect(
            file.metadata == [
                "vifi_classes_format": "1",
                "class_names": #"["waving","clapping hands","jumping","sitting down","turning around"]"#,
                "backbone_sha256": model.backbone.digest, "backbone_name": "small",
                "prompt_file_sha256": try Digest.ofFile(program.folder.path(paths.prompts)), "vision_tokens": "3",
                "vision_depth": "2", "frames": "8", "fusion": "embedding", "normalization": "clip", "tool_version": "0.1.0",
            ])
        let inspected = try program("inspect", "learn-classes.safetensors")
        #expect(inspected.output.contains("class embeddings"))
        #expect(inspected.messages == "")
    }

    @Test func classesOfAList() throws {
        try program.folder.write("id,name\n0,jumping\n1,\"bowing, deeply\"\n", to: "labels.csv")
        #expect(try program("export", "--to", "classes").status == 0)
        let outcome = try program("export", "--to", "classes", "--labels", "labels.csv", "-o", "two.safetensors")
        #expect(outcome.status == 0)
        let (own, _) = try rows(of: "learn-classes.safetensors")
        let (listed, file) = try rows(of: "two.safetensors")
        #expect(file.metadata["class_names"] == #"["jumping","bowing, deeply"]"#)
        // A class's embedding does not depend on what else is in the list.
        expectClose(listed[0], own[2], tolerance: 1e-5)
        #expect(listed[1] != own[2])

        let names = "id,name\n0,\(String(repeating: "a", count: 100))\n"
        try program.folder.write(names, to: "long.csv")
        #expect(try program("export", "--to", "classes", "--labels", "long.csv", "-o", "long.safetensors").status == 78)
        #expect(!fileExists(program.folder.path("long.safetensors")))
    }
}
