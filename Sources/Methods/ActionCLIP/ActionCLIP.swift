import CLIPModel

extension BridgeMethod {
    /// CLIP as a whole learns with six layers over the frames, and videos meet the texts of their batch. Source: Wang et al. 2021,
    /// "ActionCLIP: A New Paradigm for Video Action Recognition", the variant Transf; `methods.md` 5.
    package static let actionCLIP = BridgeMethod(
        name: "actionclip",
        summary: "the whole CLIP and a transformer over frames, on the texts of a batch in several templates (ActionCLIP, 2021)",
        design: .fusion(actionCLIPFusion) { sequences, seed in LabelMatching(sequences: sequences, seed: seed) },
        tuning: .both, rateFactor: 10, training: Training(learningRate: 5e-6, epochs: 50, weightDecay: 0.2, batchSize: 128))

    package static let actionCLIPFusion = TemporalDesign(
        layerCount: 6, keepsFrames: true, normEpsilon: ActionCLIPCheckpoint.normEpsilon, scale: ActionCLIPCheckpoint.scale, start: .normal(0.02))
}
