import Tensors
import WeightFiles

// Prompts as the programs that stand on Dassl save them (`methods_more.md` 0).
//
//     {state_dict: {ctx, token_prefix, token_suffix}, epoch, val_result}
//
// CoOp keeps its learner alone, VPT and IVLP the whole model, in ViFi-CLIP's names without `module.`. Beside them stands our
// header, which these programs do not look for.

extension DasslCheckpoint {
    /// Which of the programs reads a file.
    package enum Trainer: String, Sendable {
        case coop = "CoOp"
        case vpt = "VPT"
        case ivlp = "IVLP"

        /// Where it looks for the file, below its `--model-dir`.
        package var folder: String { self == .ivlp ? "VLPromptLearner" : "prompt_learner" }

        /// Its settings that make room for such prompts.
        package func settings(for configuration: PromptConfiguration) -> String {
            let vision = "N_CTX_VISION \(configuration.visionTokens), PROMPT_DEPTH_VISION \(configuration.visionDepth)"
            let text = "N_CTX_TEXT \(configuration.textTokens), PROMPT_DEPTH_TEXT \(configuration.textDepth)"
            let start = "CTX_INIT '\(configuration.replacedWords ?? "")'"
            switch self {
            case .vpt: return "TRAINER.VPT.\(vision)"
            case .ivlp: return "TRAINER.IVLP.\(vision), \(text), \(start)"
            case .coop:
                guard case .context(let count, let place, let classCount) = configuration.words else {
                    return "TRAINER.COOP.N_CTX \(configuration.textTokens), CLASS_TOKEN_POSITION end, CSC False, CTX_INIT ''"
                }
                return "TRAINER.COOP.N_CTX \(count), CLASS_TOKEN_POSITION \(place.rawValue), CSC \(classCount == nil ? "False" : "True"), CTX_INIT ''"
            }
        }
    }

    /// The program that has names for everything in `file`.
    ///
    /// - Throws: `ModelError` where none has.
    package static func trainer(for file: PromptFile) throws(ModelError) -> Trainer {
        let configuration = file.header.configuration
        if file.header.method == "maple" { throw .prompts(.mapleProjections) }
        guard configuration.learns, file.video == nil, file.header.templates.isEmpty, configuration.mergedTokens == 0, !configuration.isBehindNorm,
            configuration.startsAtFirstLayers, configuration.pixels == nil
        else { throw .prompts(.notDassl) }
        switch configuration.words {
        case .context where configuration.visionDepth == 0: return .coop
        case .context, .around: throw .prompts(.notDassl)
        case nil: break
        }
        if configuration.textDepth == 0 { return .vpt }
        return configuration.visionDepth == 0 && configuration.textDepth == 1 && configuration.replacedWords == nil ? .coop : .ivlp
    }

    /// The token sequences of classes with room for the learned words before each name, as `write` takes them. The programs keep
    /// what stands around the words, and compute it anew when they load.
    ///
    /// - Throws: `ModelError` where words are others for each class and these are not their classes, in their order.
    package static func sequences(
        of classNames: [String], for file: PromptFile, backbone: Backbone, tokenizer: any Tokenizer
    ) throws -> [[Int]] {
        let configuration = file.header.configuration
        if case .context(_, _, let classCount?) = configuration.words {
            let labels = try configuration.words?.labels(of: classNames, learned: file.header.classNames)
            guard labels == Array(0..<classCount) else { throw ModelError.prompts(.classWords(count: classCount, names: classNames.count)) }
        }
        return try backbone.sequences(
            of: classNames, textTokens: wordCount(configuration), replacedWords: configuration.replacedWords, template: nil, tokenizer: tokenizer)
    }

    private static func wordCount(_ configuration: PromptConfiguration) -> Int {
        guard case .context(let count, _, _) = configuration.words else { return configuration.textTokens }
        return count
    }

    /// Writes a checkpoint that the program of `trainer(for:)` loads. Numbers are float16 where that changes none of the
    /// prompts, as in these programs, else float32; of a backbone all vectors are float32.
    ///
    /// - Parameters:
    ///   - backbone: all of it but the token table is written for VPT and IVLP, whose files are whole models.
    ///   - sequences: of the classes, as `sequences(of:for:backbone:tokenizer:)` makes them; of no concern to VPT.
    /// - Returns: the file's SHA-256.
    /// - Throws: `ModelError` for prompts that no program has names for, and for towers of another form than CLIP's.
    @discardableResult
    package static func write(_ file: PromptFile, backbone: Backbone, sequences: [[Int]], to path: String) throws -> String {
        try backbone.architecture.requireForm(for: "CoOp, VPT and IVLP compute")
        let trainer = try trainer(for: file)
        let isHalf = file.prompts.all.allSatisfy { isExactInHalf($0.values) }
        func value(_ matrix: some Readable, shape: [Int]) -> PyTorchValue {
            let values = { matrix.values }
            return isHalf ? .halfTensor(shape: shape, values: values) : .tensor(shape: shape, values: values)
        }
        var state: [(key: String, value: PyTorchValue)] = []
        if trainer != .vpt {
            let prefix = trainer == .coop ? "" : learner
            guard let words = file.prompts.words?.table ?? file.prompts.text.first else { throw ModelError.prompts(.notDassl) }
            let count = wordCount(file.header.configuration)
            let classCount = words.rowCount / count
            let isClassSpecific = if case .context(_, _, .some) = file.header.configuration.words { true } else { false }
            state.append((prefix + "ctx", value(words, shape: (isClassSpecific ? [classCount] : []) + [count, words.columnCount])))
            for (name, matrix) in around(sequences, wordCount: count, backbone: backbone) {
                state.append((prefix + name, value(matrix, shape: [sequences.count, matrix.rowCount / sequences.count, matrix.columnCount])))
            }
        }
        if trainer != .coop {
            for (layer, matrix) in file.prompts.vision.enumerated() {
                state.append((ReferenceCheckpoint.visionName(layer), value(matrix, shape: [matrix.rowCount, matrix.columnCount])))
            }
            for (layer, matrix) in file.prompts.text.enumerated().dropFirst() {
                state.append((ReferenceCheckpoint.textName(layer), value(matrix, shape: [matrix.rowCount, matrix.columnCount])))
            }
            state += backbone.stateDict(named: ReferenceCheckpoint.backboneName).map { ($0.key, halved($0.value)) }
        }
        return try PyTorchWriter.write(
            .dictionary(
                [
                    ("state_dict", .ordered(state)), ("epoch", .integer(epoch(of: file.header))), ("val_result", .none),
                ] + ReferenceCheckpoint.facts(of: file.header, on: trainer == .coop ? nil : backbone)),
            to: path)
    }

    /// The epoch that the programs look for in the file's name and in the file.
    package static func epoch(of header: PromptHeader) -> Int { header.metrics["epoch"].flatMap { Int(exactly: $0) } ?? 0 }

    /// What stands before the words and behind them, up to the end of the context: embeddings, `[classes × tokens, width]`. Behind
    /// a text's end stands token 0.
    private static func around(_ sequences: [[Int]], wordCount: Int, backbone: Backbone) -> [(name: String, matrix: MutableMatrix)] {
        let table = backbone.parameters.text.tokenEmbedding
        func embedded(_ tokens: [Int]) -> MutableMatrix {
            let rows = MutableMatrix(rows: tokens.count, columns: table.columnCount)
            for (row, token) in tokens.enumerated() { rows.row(row).copy(table.row(token)) }
            return rows
        }
        let behind = sequences.flatMap { tokens in
            let rest = tokens.dropFirst(1 + wordCount)
            return rest + Array(repeating: 0, count: backbone.architecture.contextLength - 1 - wordCount - rest.count)
        }
        return [("token_prefix", embedded(sequences.map { $0[0] })), ("token_suffix", embedded(behind))]
    }

    /// A matrix in float16 where that changes no number of it.
    private static func halved(_ value: PyTorchValue) -> PyTorchValue {
        guard case .tensor(let shape, let values) = value, shape.count > 1, isExactInHalf(values()) else { return value }
        return .halfTensor(shape: shape, values: values)
    }

    private static func isExactInHalf(_ values: [Float]) -> Bool { values.allSatisfy { Float(Float16($0)) == $0 } }
}
