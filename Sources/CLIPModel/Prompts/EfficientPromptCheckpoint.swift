import Files
import Tensors
import WeightFiles

/// Learned words and temporal transformer as the code of Efficient-Prompt keeps them: the models A5 and A6 (Ju et al., ECCV 2022;
/// `methods.md` 4).
///
///     {state_dict: {embedding.weight, temporalEmbedding.weight, temporalModelling.resblocks.*, clipmodel.*}, optimizer, iteration}
package enum EfficientPromptCheckpoint {
    private static let words = "embedding.weight"
    private static let positions = "temporalEmbedding.weight"
    private static let blocks = "temporalModelling."
    private static let backbone = "clipmodel."

    /// Of the factor on cosine similarities: one over its temperature.
    package static let scale: Float = 1 / 0.07
    /// Words before and behind the name in its runs, which a checkpoint does not name.
    package static let usualWords = LearnedWords.around(before: 16, after: 16)

    // MARK: Reading

    /// - Parameters:
    ///   - places: where the words stand; nil for the usual ones.
    ///   - headCount: of the temporal transformer; nil for heads of 64.
    /// - Returns: nil for a checkpoint of something else.
    package static func prompts(in source: any WeightSource, places: LearnedWords? = nil, headCount: Int? = nil) throws -> PromptFile? {
        guard let prefix = statePrefixes.first(where: { source.contains($0 + positions) && source.contains($0 + words) }) else { return nil }
        let video = try TemporalFusion(
            positions: prefix + positions, blocks: prefix + blocks, headCount: headCount, keepsFrames: false, scale: scale, in: source)
        let table = try promptMatrix(
            named: prefix + words, in: source, tokens: promptTokenCount(named: prefix + words, in: source))
        let prompts = PromptSet<Matrix>(vision: [], text: [], words: .init(table, places: places ?? usualWords))
        let backboneNames = Set(source.names.filter { $0.hasPrefix(prefix + backbone) }.map { String($0.dropFirst((prefix + backbone).count)) })
        let assumed = "CLIP's normalization" + (places == nil ? ", \(usualWords.text)" : "") + (headCount == nil ? ", heads of 64" : "")
        return PromptFile(
            prompts: prompts, video: video, header: PromptHeader(
                foreign: prompts.configuration, frameCount: video.configuration.frameCount, template: "{}", method: "a5"),
            form: .efficientPrompt, notes: source.warnings + ["a checkpoint of Efficient-Prompt (A5, A6), which does not name \(assumed): these are taken"],
            carriedBackbone: backboneNames.isEmpty
                ? nil : CarriedBackbone(source: source, prefix: prefix + backbone, names: backboneNames) { $0 })
    }

    // MARK: Writing

    /// - Parameter backbone: also written; else the code keeps the CLIP it starts with.
    /// - Returns: the file's SHA-256.
    /// - Throws: `ModelError` for prompts that it has no names for.
    @discardableResult
    package static func write(_ file: PromptFile, backbone: Backbone?, to path: String) throws -> String {
        guard let words = file.prompts.words, case .around = words.places, let video = file.video, !video.configuration.keepsFrames, file.prompts.vision.isEmpty else {
            throw ModelError.prompts(.notEfficientPrompt)
        }
        try backbone?.architecture.requireForm(for: "A5 and A6 of Efficient-Prompt compute")
        let table = (key: Self.words, value: tensorValue(words.table, shape: [words.table.rowCount, words.table.columnCount]))
        let state = (backbone?.stateDict { Self.backbone + $0 } ?? []) + [table] + video.stateDict(positions: positions, blocks: blocks)
        return try PyTorchWriter.write(
            .dictionary([("state_dict", .ordered(state)), ("iteration", .integer(0))]), to: path)
    }
}
