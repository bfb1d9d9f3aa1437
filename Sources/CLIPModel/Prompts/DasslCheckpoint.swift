import Files
import Tensors
import WeightFiles

/// Prompts in checkpoints of the programs that stand on Dassl, such as CoOp, CoCoOp, VPT, IVLP, MaPLe and PromptSRC: a dict whose
/// `state_dict` is the whole model, or the learner alone (`methods_more.md` 0).
///
/// Where the names are ViFi-CLIP's, `ReferenceCheckpoint` reads them.
package enum DasslCheckpoint {
    static let learner = "prompt_learner."
    /// A second tower, frozen, that PromptSRC keeps beside its learner.
    private static let frozenTower = learner + "ZS_image_encoder."

    /// What belongs to the learner and is no prompt, for whoever reads the other names.
    static func isLeftOut(_ name: String) -> Bool { name.hasPrefix(frozenTower) }

    /// Whether tensors are named as Dassl's programs save them.
    static func isPrefix(_ prefix: String) -> Bool { prefix == "state_dict." }

    /// - Returns: nil for a checkpoint in ViFi-CLIP's names, or of something else.
    /// - Throws: `ModelError` that names a method whose prompts are not those of layers.
    static func prompts(in source: any WeightSource) throws -> PromptFile? {
        for prefix in statePrefixes {
            let names = Set(source.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) })
            if names.contains(learner + "compound_prompt_projections.0.weight") || names.contains(learner + "proj.weight") {
                return try coupledPrompts(in: source, prefix: prefix, names: names)
            }
            if names.contains("ctx") { return try context(in: source, prefix: prefix, names: names) }
            if let method = methodWithoutPrompts(names) { throw ModelError.prompts(.otherMethod(method)) }
        }
        return nil
    }

    /// What shows by its names to be no prompts of layers.
    private static func methodWithoutPrompts(_ names: Set<String>) -> OtherPromptMethod? {
        if names.contains("text_feature_residuals") { return .head("TaskRes", ours: "task-res") }
        if names.contains("prototypes") { return .head("CLAP", ours: "clap") }
        if names.contains("fc.0.weight"), names.contains("fc.2.weight") { return .head("CLIP-Adapter", ours: "clip-adapter") }
        return nil
    }

    // MARK: CoOp

    /// The learned words of CoOp, CoCoOp and KgCoOp.
    private static func context(in source: any WeightSource, prefix: String, names: Set<String>) throws -> PromptFile {
        let shape = try source.description(of: prefix + "ctx").shape
        // KgCoOp's learner keeps CoCoOp's network without use.
        if names.contains("meta_net.linear2.weight"), !names.contains("bias_vectors") {
            let outputs = try source.description(of: prefix + "meta_net.linear2.weight").shape.first
            guard outputs == shape.last else { throw ModelError.prompts(.otherMethod(.tcp)) }
            return try videoContext(in: source, prefix: prefix)
        }
        if let header = try ReferenceCheckpoint.header(in: source) {
            return try context(in: source, name: prefix + "ctx", shape: shape, header: header)
        }
        let notes = ["a checkpoint of CoOp's program, which does not say where the class name stands: behind the learned words, as by default"]
        if shape.count == 3 { return try classContexts(in: source, name: prefix + "ctx", shape: shape, notes: notes) }
        let tokens = try promptTokenCount(named: prefix + "ctx", in: source)
        let prompts = PromptSet<Matrix>(vision: [], text: [try promptMatrix(named: prefix + "ctx", in: source, tokens: tokens)])
        return file(prompts, source: source, notes: notes, carried: nil)
    }

    /// Learned words and the network that moves them for each picture, here for each video.
    private static func videoContext(in source: any WeightSource, prefix: String) throws -> PromptFile {
        let tokens = try promptTokenCount(named: prefix + "ctx", in: source)
        let context = try promptMatrix(named: prefix + "ctx", in: source, tokens: tokens)
        let hidden = try promptTokenCount(named: prefix + MetaNetShape.names[0], in: source)
        let net = try MetaNet(hiddenWidth: hidden, in: source) { prefix + $0 }
        guard net.weight.rowCount == context.columnCount else {
            throw ModelError.unexpectedShape(
                name: prefix + MetaNetShape.names[2], shape: [net.weight.rowCount, hidden], expected: "[\(context.columnCount), \(hidden)]")
        }
        return file(
            PromptSet<Matrix>(vision: [], text: [context], metaNet: net), source: source,
            notes: ["a checkpoint of CoCoOp, whose network saw single pictures and now sees the mean of a video's frames"], carried: nil)
    }

    /// What `write` wrote, whose header also says where the class name stands.
    private static func context(in source: any WeightSource, name: String, shape: [Int], header: PromptHeader) throws -> PromptFile {
        let configuration = header.configuration
        var expected = [configuration.textTokens]
        if case .context(let count, _, let classCount) = configuration.words { expected = (classCount.map { [$0] } ?? []) + [count] }
        guard configuration.visionDepth == 0, configuration.words != nil || configuration.textLayers == 0..<1, shape.dropLast() == expected[...],
            shape.last ?? 0 > 0
        else {
            throw ModelError.unexpectedShape(name: name, shape: shape, expected: "\(expected + ["width"])")
        }
        let table = try finiteMatrix(named: name, in: source, shape: shape).reading
        let prompts = PromptSet<Matrix>(
            vision: [], text: configuration.words == nil ? [table] : [], replacedWords: configuration.replacedWords,
            words: configuration.words.map { .init(table, places: $0) })
        return PromptFile(prompts: prompts, header: header, form: .dassl, notes: source.warnings)
    }

    /// Words of CoOp that are others for each class.
    private static func classContexts(in source: any WeightSource, name: String, shape: [Int], notes: [String]) throws -> PromptFile {
        guard (1...100_000).contains(shape[0]), (1...4096).contains(shape[1]), (1...1 << 14).contains(shape[2]) else {
            throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[classes, words, width]")
        }
        let table = try finiteMatrix(named: name, in: source, shape: shape).reading
        let words = PromptSet<Matrix>.Words(table, places: .context(count: shape[1], place: .end, classCount: shape[0]))
        return file(
            PromptSet<Matrix>(vision: [], text: [], words: words), source: source,
            notes: notes + ["its words are others for each of \(counted(shape[0], "class", "classes")), whose names it does not hold"], carried: nil)
    }

    // MARK: MaPLe

    /// Text prompts, and vision prompts as their projections make them.
    private static func coupledPrompts(in source: any WeightSource, prefix: String, names: Set<String>) throws -> PromptFile {
        let own = prefix + learner
        let tokens = try promptTokenCount(named: own + "ctx", in: source)
        let deeper = Array((0...).prefix { names.contains("\(learner)compound_prompts_text.\($0)") })
        let texts = try (["ctx"] + deeper.map { "compound_prompts_text.\($0)" }).map { try promptMatrix(named: own + $0, in: source, tokens: tokens) }
        let projections = ["proj"] + deeper.map { "compound_prompt_projections.\($0)" }
        let vision = try zip(texts, projections).map { text, name in
            let weight = try matrix(own + name + ".weight", columns: text.columnCount, in: source)
            let bias = try matrix(own + name + ".bias", columns: weight.rowCount, in: source)
            let prompts = MutableMatrix(rows: tokens, columns: weight.rowCount)
            linear(text, weight: weight, bias: bias, into: prompts)
            return prompts.reading
        }
        let towers = CheckpointLayout.vifiTowers
        let backboneNames = names.filter { $0 == CheckpointNames.logitScale || $0.hasPrefix(towers.vision) || $0.hasPrefix(towers.text) }
        // Sets above the text tower's layers only make vision prompts.
        let layerCount = (0...).prefix { names.contains("\(towers.text)transformer.resblocks.\($0).ln_1.weight") }.count
        let prompts = PromptSet<Matrix>(
            vision: vision, text: layerCount > 0 ? Array(texts.prefix(layerCount)) : texts)
        return file(
            prompts, source: source, notes: ["a checkpoint of MaPLe, whose vision prompts are computed from its text prompts"],
            carried: backboneNames.isEmpty
                ? nil : CarriedBackbone(source: source, prefix: prefix, names: backboneNames, named: ReferenceCheckpoint.backboneName))
    }

    /// `[any rows, columns]`, or a vector as one row; finite numbers.
    private static func matrix(_ name: String, columns: Int, in source: any WeightSource) throws -> Matrix {
        guard source.contains(name) else { throw ModelError.missingPrompts(name: name) }
        let shape = try source.description(of: name).shape
        guard (1...2).contains(shape.count), shape.last == columns, shape.allSatisfy({ (1...1 << 20).contains($0) }) else {
            throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[…, \(columns)]")
        }
        return try finiteMatrix(named: name, in: source, shape: shape).reading
    }

    // MARK: Header

    static func file(_ prompts: PromptSet<Matrix>, source: any WeightSource, notes: [String] = [], carried: CarriedBackbone?) -> PromptFile {
        PromptFile(
            prompts: prompts, header: PromptHeader(foreign: prompts.configuration, metadata: source.metadata, frameCount: PromptHeader.pictureFrameCount), form: .dassl,
            notes: source.warnings + notes + [PromptHeader.dasslNote], carriedBackbone: carried)
    }
}

extension PromptHeader {
    /// What was assumed, for people.
    static let dasslNote = "it was learned on pictures; \(pictureFrameCount) frames of a video, CLIP's normalization and \"\(referenceTemplate)\" are assumed"
}

/// What a checkpoint holds in place of prompts that are the same for all classes and clips.
package enum OtherPromptMethod: Sendable, Equatable {
    case tcp
    /// A head on features; how it is learned here.
    case head(String, ours: String)

    var words: String {
        switch self {
        case .tcp:
            "this is a TCP checkpoint: its prompts are another set for each class, which no prompt file holds. CoOp, CoCoOp, KgCoOp, VPT, IVLP, "
                + "MaPLe and PromptSRC are read."
        case .head(let name, let ours):
            "this is a \(name) checkpoint: a head on features, and no prompts. `vifi-prompt learn --method \(ours)` learns one."
        }
    }
}
