import Files
import Tensors
import WeightFiles

/// The transformer over frames as ActionCLIP's code keeps it, beside the CLIP that it was trained with (`methods.md` 5).
///
///     {epoch, model_state_dict: OpenAI's names, fusion_model_state_dict: {module.frame_position_embeddings.weight, …}, …}
package enum ActionCLIPCheckpoint {
    private static let fusion = "fusion_model_state_dict."
    private static let fusionPrefixes = [fusion + "module.", fusion]
    private static let positions = "frame_position_embeddings.weight"
    private static let blocks = "transformer."
    private static let models = ["model_state_dict.", "model_state_dict.module."]

    /// ε of the norms of a layer norm class of its own.
    package static let normEpsilon: Float = 1e-12
    /// The factor on cosine similarities in tests, whatever was learned.
    package static let scale: Float = 100

    // MARK: Reading

    /// - Returns: nil for a checkpoint of something else.
    package static func prompts(in source: any WeightSource) throws -> PromptFile? {
        guard let prefix = fusionPrefixes.first(where: { source.contains($0 + positions) }) else { return nil }
        let video = try TemporalFusion(
            positions: prefix + positions, blocks: prefix + blocks, headCount: nil, keepsFrames: true, normEpsilon: normEpsilon, scale: scale,
            in: source)
        let model = models.last { prefix in source.names.contains { $0.hasPrefix(prefix) } } ?? models[0]
        let backboneNames = Set(source.names.filter { $0.hasPrefix(model) }.map { String($0.dropFirst(model.count)) })
        let prompts = PromptSet<Matrix>(vision: [], text: [])
        return PromptFile(
            prompts: prompts, video: video, header: PromptHeader(
                foreign: prompts.configuration, frameCount: min(8, video.configuration.frameCount), template: "{}", seed: 1024, method: "actionclip"),
            form: .actionCLIP,
            notes: source.warnings + ["a checkpoint of ActionCLIP, which names no frames, templates or normalization: 8 frames and CLIP's normalization are taken"],
            carriedBackbone: backboneNames.isEmpty ? nil : CarriedBackbone(source: source, prefix: model, names: backboneNames) { $0 })
    }

    // MARK: Writing

    /// - Returns: the file's SHA-256.
    /// - Throws: `ModelError` for what it has no names for.
    @discardableResult
    package static func write(_ file: PromptFile, backbone: Backbone, to path: String) throws -> String {
        guard let video = file.video, video.configuration.keepsFrames, !file.header.configuration.learns else {
            throw ModelError.prompts(.notActionCLIP)
        }
        return try PyTorchWriter.write(
            .dictionary([
                ("epoch", .integer(Int(file.header.metrics["epoch"] ?? 0))), ("model_state_dict", .ordered(backbone.stateDict { $0 })),
                ("fusion_model_state_dict", .ordered(video.stateDict(positions: "module." + positions, blocks: "module." + blocks))),
            ]), to: path)
    }
}
