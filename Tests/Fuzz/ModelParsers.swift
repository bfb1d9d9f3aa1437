import CLIPModel
import Files
import Glibc
import Tensors
import TestSupport
import WeightFiles

/// What stands beside weights, checkpoints as models, and prompts of every form.
let modelParsers: [Parser] = [
    configuration("configuration", of: "hf-gelu-bf16", file: "config.json"),
    configuration("preprocessor", of: "hf-gelu-sharded", file: "preprocessor_config.json"),
    configuration("openclip", of: "open_clip-custom", file: "open_clip_config.json"),
    // Names and shapes of a whole CLIP; the values are not mutated.
    Parser(name: "layouts", seeds: layoutSeeds.map(\.header)) { input, path in
        overwrite(path, with: bytes(UInt64(input.count)) + input + [UInt8](repeating: 0, count: layoutSeeds[0].dataCount))
        _ = try Checkpoint(path: path).survey()
    },
    Parser(name: "merges", seeds: [Array("#version: 0.2\nl o\nlo w</w>\ne r</w>\n".utf8)]) { input, path in
        try readVocabulary(["merges.txt": input, "vocab.json": Array(symbolsJSON.utf8)], "merges.txt", path)
    },
    Parser(name: "vocabulary", seeds: [Array(symbolsJSON.utf8)]) { input, path in
        try readVocabulary(["merges.txt": Array("#version: 0.2\nl o\nlo w</w>\ne r</w>\n".utf8), "vocab.json": input], "merges.txt", path)
    },
    Parser(name: "tokenizer", seeds: [Array(tokenizerJSON.utf8)]) { input, path in
        try readVocabulary(["tokenizer.json": input], "tokenizer.json", path)
    },
    Parser(name: "gzip", seeds: [packedMerges]) { input, path in
        overwrite(path, with: input)
        _ = try BPETokenizer(vocabularyPath: path)
    },
    Parser(name: "siglip", seeds: ["siglip.tokenizer.json", "siglip-bare.tokenizer.json", "siglip.spiece.model"].map(tokenizerSeed)) { input, path in
        try readSentencePiece(input, path, isSecond: false)
    },
    Parser(name: "siglip2", seeds: ["siglip2.tokenizer.json", "siglip2.spiece.model"].map(tokenizerSeed)) { input, path in
        try readSentencePiece(input, path, isSecond: true)
    },
    Parser(name: "names", seeds: ["Waving  one_hand &amp;amp; café ½ ﬁ don't", "X X X #1 喝茶 🏊🏽‍♀️ &#x41;&lt"].map { Array($0.utf8) }) {
        input, _ in
        _ = ByteTokenizer().encode(String(decoding: input, as: UTF8.self))
        _ = seedTokenizer?.encode(String(decoding: input, as: UTF8.self))
    },
    Parser(name: "prompts", seeds: promptSeeds(file: "prompts.safetensors")) { input, path in
        overwrite(path, with: input)
        _ = try PromptFile.load(path)
    },
    Parser(name: "adapter", seeds: promptSeeds(file: "adapter/adapter_config.json")) { input, path in
        let folder = path + ".folder"
        try createDirectory(folder)
        overwrite(folder + "/adapter_config.json", with: input)
        overwrite(folder + "/adapter_model.safetensors", with: adapterTensors)
        _ = try PromptFile.load(folder)
    },
    Parser(name: "reference", seeds: referenceSeeds) { input, path in
        overwrite(path, with: ZipBytes.torch(whole: input, [bytes([1, 2, 3, 4])]).bytes)
        _ = try PromptFile.load(path)
    },
]

// MARK: Folders of models

/// A parser of one file of a folder, the rest of which is a fixture.
private func configuration(_ name: String, of fixture: String, file: String) -> Parser {
    let folder = fixturePath("checkpoints/" + fixture)
    return Parser(name: name, seeds: [contents(of: folder.appendingPath(file))]) { input, path in
        let copy = path + ".folder"
        // The others are written once.
        if !fileExists(copy.appendingPath(file)) {
            try createDirectory(copy)
            for other in try directoryEntries(folder) { overwrite(copy.appendingPath(other), with: contents(of: folder.appendingPath(other))) }
        }
        overwrite(copy.appendingPath(file), with: input)
        _ = try Checkpoint(path: copy)
    }
}

private let layoutSeeds: [(header: [UInt8], dataCount: Int)] = {
    let file = contents(of: fixturePath("clip/clip-mini.safetensors"))
    let count = file.prefix(8).enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
    return [(Array(file[8..<8 + count]), file.count - 8 - count)]
}()

// MARK: Vocabularies

/// Bytes as CLIP spells them, in the order of their ids (openai/CLIP `bytes_to_unicode`).
private let byteSymbols: [String] = {
    let printing = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF)
    return (printing + Array(0x100..<0x100 + 68)).compactMap { Unicode.Scalar($0 as Int).map { String(Character($0)) } }
}()

private let symbolsJSON: String = {
    let symbols = byteSymbols + byteSymbols.map { $0 + "</w>" } + ["lo", "low</w>", "er</w>", "<|startoftext|>", "<|endoftext|>"]
    let pairs = symbols.enumerated().map { JSONValue.text($0.element).serialized + ":\($0.offset)" }
    return "{" + pairs.joined(separator: ",") + "}"
}()

private let tokenizerJSON = "{\"version\":\"1.0\",\"added_tokens\":[],\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\","
    + "\"merges\":[\"l o\",[\"lo\",\"w</w>\"],\"e r</w>\"],\"vocab\":" + symbolsJSON + "}}"

/// `#version: 0.2` and one merge, packed by Python's gzip.
private let packedMerges: [UInt8] = [
    0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 2, 0xFF, 0x53, 0x2E, 0x4B, 0x2D, 0x2A, 0xCE, 0xCC, 0xCF, 0xB3, 0x52, 0x30, 0xD0, 0x33, 0xE2, 0xCA, 0x51,
    0xC8, 0xE7, 0x02, 0x00, 0x63, 0x4F, 0xF5, 0x16, 0x12, 0, 0, 0,
]

private let seedTokenizer: BPETokenizer? = {
    let path = scratchPath + ".merges.txt"
    overwrite(path, with: Array("#version: 0.2\nl o\nlo w</w>\ne r</w>\n".utf8))
    defer { unlink(path) }
    return try? BPETokenizer(vocabularyPath: path)
}()

private func readVocabulary(_ files: [String: [UInt8]], _ name: String, _ path: String) throws {
    let folder = path + ".folder"
    try createDirectory(folder)
    for (name, bytes) in files { overwrite(folder.appendingPath(name), with: bytes) }
    _ = try BPETokenizer(vocabularyPath: folder.appendingPath(name)).encode("lower lows")
}

private func tokenizerSeed(_ name: String) -> [UInt8] { contents(of: fixturePath("siglip-tokenizers/" + name)) }

private func readSentencePiece(_ input: [UInt8], _ path: String, isSecond: Bool) throws {
    overwrite(path, with: input)
    let tokenizer = try SentencePieceTokenizer(path: path, isSecond: isSecond)
    _ = tokenizer.sequence(of: tokenizer.encode("Waving  one_hand, café ½ ﬁ 喝茶 🏊🏽‍♀️ </s><eos> e\u{301}\u{0}"), length: 16)
}

// MARK: Prompts

/// One of the files that small prompts are written to.
private func promptSeeds(file: String) -> [[UInt8]] {
    let folder = scratchPath + ".seeds"
    do {
        try createDirectory(folder)
        defer { removeTree(folder) }
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 2), text: .init(width: 64, layerCount: 2), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 77, vocabularySize: ByteTokenizer().vocabularySize)
        let backbone = Backbone(
            architecture: architecture,
            parameters: BackboneParameters<MutableMatrix>(random: architecture, seed: 1).map(\.reading),
            description: BackboneDescription(name: "small", normalization: .clip, tokenizer: .bytes, provenance: "random numbers"))
        let configuration = PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 1, textDepth: 1)
        let prompts = PromptFile(
            prompts: PromptSet<MutableMatrix>(random: configuration, architecture: architecture, seed: 1).reading,
            header: PromptHeader(
                backbone: backbone, configuration: configuration, classNames: ["waving", "clapping"], frameCount: 8,
                fusion: .embedding, shots: 2, seed: 7, recipeDigest: Digest.of("recipe"), metrics: ["top1": 0.75]))
        try prompts.save(to: folder + "/prompts.safetensors")
        try PromptAdapter.save(prompts, to: folder + "/adapter", name: "seed")
        return [contents(of: folder.appendingPath(file))]
    } catch {
        print("seeds of prompts: \(error)")
        exit(70)
    }
}

private let adapterTensors: [UInt8] = promptSeeds(file: "adapter/adapter_model.safetensors")[0]

private typealias P = PickleBytes

private let referenceSeeds: [[UInt8]] = {
    let tensor = P.tensor("0", stored: 4, shape: [2, 2], strides: [2, 1])
    let model = [
        "prompt_learner.ctx", "prompt_learner.token_prefix", "image_encoder.VPT",
        "image_encoder.transformer.resblocks.1.VPT_shallow", "text_encoder.transformer.resblocks.1.VPT_shallow", "logit_scale",
    ]
    return ["module.", ""].map { prefix in
        P.whole(
            P.dictionary([
                ("model", P.dictionary(model.map { (prefix + $0, tensor) })), ("epoch", P.integer(9)),
                ("vifi_prompt", P.dictionary([("frames", P.text("8"))])),
            ]))
    }
}()
