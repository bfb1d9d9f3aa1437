import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import VideoData
import WeightFiles

/// A folder in which stand-ins of a few thousand numbers and videos of a few pictures have the names that the
/// documentation uses, so that its commands can be run as they are printed.
struct DocumentedWorld {
    let program: Program
    /// The stand-in for CLIP ViT-B/16: as many layers, so that the paper's prompts fit, of a sixteenth's width.
    let backbone: Backbone

    static let classNames = ["brush hair", "cartwheel", "catch", "chew"]

    init() throws {
        var program = try Program()
        program.videos = try ShortPocketWorld.folder.get()
        program.home = program.folder.path("home")
        self.program = program
        backbone = Self.standIn(seed: 1)
        try layHome()
    }

    private static func standIn(seed: UInt64) -> Backbone {
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 12), text: .init(width: 64, layerCount: 12), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 77, vocabularySize: 514)
        return Backbone(
            architecture: architecture,
            parameters: BackboneParameters<MutableMatrix>(random: architecture, seed: seed).map(\.reading),
            description: BackboneDescription(
                name: "ViT-B-16", normalization: .clip, tokenizer: .clipBPE, provenance: "random numbers"))
    }

    /// Ends a page's preparation where a command of it did not end as it should.
    func expect(_ expected: Int32, _ status: Int32?, _ words: [String]) throws {
        guard status == expected else { throw DocumentationFault(words: "status \(status.map(String.init) ?? "none"): " + words.joined(separator: " ")) }
    }

    func path(_ name: String) -> String { program.folder.path(name) }

    private func makeFolder(of name: String) throws { try createDirectory(path(name).parentDirectory) }

    func write(_ text: String, to name: String) throws {
        try makeFolder(of: name)
        try program.folder.write(text, to: name)
    }

    /// What comes with the program, but for the pocket world's runs, which take a step or two, and CLIP's
    /// vocabulary, which has no merges.
    private func layHome() throws {
        let files = FileManager.default
        try createDirectory(path("home/Checkpoints"))
        let checkpoints = ["data_sets.yaml", "known.yaml", "published.yaml", "pocket-clip.safetensors", "pocket-bridged.safetensors", "pocket-results.csv"]
        for name in ["Recipes"] + checkpoints.map({ "Checkpoints/" + $0 }) {
            try files.copyItem(atPath: packageRoot + "/" + name, toPath: path("home/" + name))
        }
        let recipes = files.enumerator(atPath: path("home/Recipes/pocket"))?.compactMap { $0 as? String } ?? []
        for name in recipes where name.hasSuffix(".yaml") {
            let recipe = try String(contentsOfFile: path("home/Recipes/pocket/" + name), encoding: .utf8)
            let short = recipe.replacing(#/steps: \d{2,}/#, with: "steps: 2").replacing(#/ epochs: \d+/#, with: " steps: 2")
                .replacing(#/warmup_epochs: \d+/#, with: "warmup_epochs: 0").replacing(#/batch_size: \d+/#, with: "batch_size: 2")
            try program.folder.write(String(short), to: "home/Recipes/pocket/" + name)
        }
        try write("#version: 0.2\n", to: "home/Checkpoints/vocabulary/bpe_simple_vocab_16e6.txt.gz")
    }

    // MARK: Weights

    func saveBackbone(to names: String..., seed: UInt64 = 1) throws {
        for name in names {
            try makeFolder(of: name)
            try Self.standIn(seed: seed).save(to: path(name))
        }
    }

    /// A bare state dict, as `torch.save` writes it.
    func saveStateDict(to name: String) throws {
        try PyTorchWriter.write(.ordered(tensors { $0 }), to: path(name))
    }

    /// A bridged CLIP as ViFi-CLIP saves it: without token embeddings, everything under `module.`.
    func saveViFiBridge(to name: String) throws {
        try PyTorchWriter.write(.dictionary([("model", .ordered(wrapped("module.")))]), to: path(name))
    }

    /// A MaPLe checkpoint as Dassl saves it: the whole model under `state_dict`, with prompts for two layers.
    func saveMaPLe(to name: String) throws {
        func tensor(_ name: String, _ shape: [Int]) -> (key: String, value: PyTorchValue) {
            ("prompt_learner." + name, .tensor(shape: shape, values: { [Float](repeating: 0.01, count: shape.reduce(1, *)) }))
        }
        let (width, textWidth) = (backbone.architecture.vision.width, backbone.architecture.text.width)
        let learner = [
            tensor("ctx", [2, textWidth]), tensor("proj.weight", [width, textWidth]), tensor("proj.bias", [width]),
            tensor("compound_prompts_text.0", [2, textWidth]), tensor("compound_prompt_projections.0.weight", [width, textWidth]),
            tensor("compound_prompt_projections.0.bias", [width]),
        ]
        try PyTorchWriter.write(.dictionary([("state_dict", .ordered(learner + wrapped("")))]), to: path(name))
    }

    /// All but the token table, named as programs that wrap both towers name them.
    private func wrapped(_ prefix: String) -> [(key: String, value: PyTorchValue)] {
        tensors { name in
            switch name {
            case "token_embedding.weight": nil
            case "logit_scale": prefix + "logit_scale"
            case _ where name.hasPrefix("visual."): prefix + "image_encoder." + name.dropFirst("visual.".count)
            default: prefix + "text_encoder." + name
            }
        }
    }

    private func tensors(named rename: (String) -> String?) -> [(key: String, value: PyTorchValue)] {
        zip(BackboneParameters<TensorSpecification>(of: backbone.architecture).all, backbone.parameters.all)
            .compactMap { specification, matrix in
                rename(specification.name).map { ($0, .tensor(shape: specification.shape, values: { matrix.values })) }
            }
    }

    private func prompts(for classNames: [String]) -> PromptFile {
        let configuration = PromptConfiguration(visionTokens: 3, visionDepth: 2, textTokens: 2, textDepth: 2)
        return PromptFile(
            prompts: PromptSet<MutableMatrix>(random: configuration, architecture: backbone.architecture, seed: 1).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: classNames, frameCount: 4,
                fusion: .embedding, shots: 2, seed: 7, recipeDigest: Digest.of("recipe"), metrics: ["top1": 0.75]))
    }

    func savePrompts(to names: String..., classNames: [String] = classNames) throws {
        for name in names {
            try makeFolder(of: name)
            try prompts(for: classNames).save(to: path(name))
        }
    }

    func saveViFiPrompts(to name: String) throws {
        try ReferenceCheckpoint.write(prompts(for: Self.classNames), backbone: nil, to: path(name))
    }

    func copyFixture(_ fixture: String, to name: String) throws {
        try makeFolder(of: name)
        try FileManager.default.copyItem(atPath: fixturePath(fixture), toPath: path(name))
    }

    // MARK: Videos

    /// A video of `frames` small pictures.
    func video(_ name: String, frames: Int = 6, seed: Int = 1) throws {
        try makeFolder(of: name)
        var writer = try VideoWriter(path: path(name), width: 48, height: 40, framesPerSecond: 25)
        for frame in 0..<frames {
            try writer.append((0..<48 * 40 * 3).map { UInt8(truncatingIfNeeded: ($0 * (seed + 3)) / 7 + frame * 20 + seed * 11) })
        }
        try writer.finish()
    }

    /// Videos of every class, `FOLDER/CLASS/clipN.ENDING`.
    ///
    /// - Returns: their paths below the folder, with their labels.
    @discardableResult
    func videos(
        _ folder: String, perClass: Int = 3, classes: [String] = classNames, name: (String, Int) -> String = { "\($0)/clip\($1).mp4" }
    ) throws -> [(path: String, label: Int)] {
        var videos: [(String, Int)] = []
        for (label, className) in classes.enumerated() {
            for clip in 0..<perClass {
                let path = name(className, clip)
                try video("\(folder)/\(path)", seed: label * perClass + clip)
                videos.append((path, label))
            }
        }
        return videos
    }

    /// A video of the pocket world's small set.
    func pocketVideo(_ video: String, to name: String) throws {
        try makeFolder(of: name)
        try FileManager.default.copyItem(atPath: ShortPocketWorld.folder.get() + "/pocket-small/" + video, toPath: path(name))
    }

    /// Whatever lists, class names and captions a command names, of videos of every class.
    func lists(of command: DocumentedCommand) throws {
        let words = command.text.split(separator: " ").map(String.init)
        if words.contains(where: { $0.hasPrefix("VIDEOS/") }) {
            return try FileManager.default.createSymbolicLink(
                atPath: path("VIDEOS"), withDestinationPath: ShortPocketWorld.folder.get() + "/pocket-small")
        }
        // Videos that are learned from are not scored, and no two lists to score are the same.
        var scoredCount = 0
        for (option, file) in zip(words, words.dropFirst()) {
            switch option {
            case "--labels": try labels(to: file)
            case "--descriptions": try descriptions(to: file)
            case "--train": try list(videos("VIDEOS", perClass: 4).enumerated().filter { $0.offset % 4 == 0 }.map(\.element), to: file)
            case "--val", "--test":
                let all = try videos("VIDEOS", perClass: 4)
                scoredCount += 1
                try list(all.enumerated().filter { $0.offset % 4 == scoredCount }.map(\.element), to: file)
            default: break
            }
        }
    }

    func list(_ videos: [(path: String, label: Int)], to name: String) throws {
        try write(videos.map { "\($0.path) \($0.label)\n" }.joined(), to: name)
    }

    func labels(_ classes: [String] = classNames, to name: String) throws {
        try write("id,name\n" + classes.enumerated().map { "\($0.offset),\($0.element)\n" }.joined(), to: name)
    }

    /// Two sentences of each class.
    func descriptions(to name: String) throws {
        let classes = Self.classNames.map { "\"\($0)\": [\"someone does \($0)\", \"\($0)\"]" }
        try write("{\(classes.joined(separator: ", "))}", to: name)
    }

    /// Lists of ours with their videos, as `data import` leaves them: three of each class to test on, others in each split.
    func dataSet(_ folder: String, videos root: String? = nil, splits: Int = 1, perClass: Int = 6) throws {
        let all = try videos(root ?? folder, perClass: perClass)
        for split in 0..<splits {
            let tested = Set((0..<3).map { (split + $0) % perClass })
            let number = splits == 1 ? "" : "\(split + 1)"
            try list(all.enumerated().filter { !tested.contains($0.offset % perClass) }.map(\.element), to: "\(folder)/train\(number).txt")
            try list(all.enumerated().filter { tested.contains($0.offset % perClass) }.map(\.element), to: "\(folder)/val\(number).txt")
        }
        try labels(to: "\(folder)/labels.csv")
    }

    /// Two captions of each of a few videos, as `data import` leaves them.
    func captions(_ names: String..., videos root: String) throws {
        let rows = try videos(root, perClass: 2).enumerated().flatMap { index, video in
            ["\(video.path),video \(index)", "\(video.path),\"somebody, again \(index)\""]
        }
        for name in names { try write("video,caption\n" + rows.joined(separator: "\n") + "\n", to: name) }
    }

    /// HMDB-51's `CLASS_test_splitN.txt`: 1 is training, 2 testing.
    func hmdbLists(_ folder: String, videos root: String) throws {
        let names = Self.classNames.map { $0.replacingOccurrences(of: " ", with: "_") }
        try videos(root, perClass: 3, classes: names) { "\($0)/\($0)_\($1).mp4" }
        for split in 1...3 {
            for name in names {
                let lines = (0..<3).map { "\(name)_\($0).avi \(($0 + split) % 3 == 0 ? 2 : 1)\n" }
                try write(lines.joined(), to: "\(folder)/\(name)_test_split\(split).txt")
            }
        }
    }
}
