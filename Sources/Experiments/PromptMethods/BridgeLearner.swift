import CLIPModel
import Methods
import Tensors
import Training

/// What training a CLIP as a whole learns, apart from data: weights of its towers, low-rank updates of these, or what a method has
/// beside them.
struct BridgeLearner {
    let backbone: Backbone
    /// Nil for ViFi-CLIP's way.
    let method: BridgeMethod?
    let tuning: Tuning
    /// Of low-rank updates.
    var rank: Int?
    var dropoutRate: Double?
    /// Where a method reads class names in several sentences: for each of these the sequences of all classes.
    var sentences: [[[Int]]] = []
    /// Of the pixels it will learn from, where that is not the backbone's own.
    var normalization: PixelNormalization?

    func task(_ setting: TaskSetting) -> any BackboneLearning {
        if let method {
            return switch method.design {
            case .fusion(let design, let objective): temporalTask(design, rateFactor: method.rateFactor, objective: objective, setting)
            case .crossFrame(let start): crossFrameTask(rateFactor: method.rateFactor, start: start, setting)
            }
        }
        return tuning == .lora ? lowRankTask(setting) : BridgeTask(backbone: backbone, tuning: tuning, setting: setting, normalization: normalization)
    }

    private func lowRankTask(_ setting: TaskSetting) -> LowRankTask {
        let updates = LowRankUpdates(rank: rank ?? LowRankUpdates.standardRank, architecture: backbone.architecture, seed: setting.seed)
        return LowRankTask(
            backbone: backbone, updates: updates, dropoutRate: Float(dropoutRate ?? 0), seed: setting.seed, setting: setting,
            normalization: normalization)
    }

    private func temporalTask(
        _ design: TemporalDesign, rateFactor: Double, objective: (_ sequences: [[[Int]]], _ seed: UInt64) -> any BatchObjective, _ setting: TaskSetting
    ) -> TemporalBridgeTask {
        let architecture = backbone.architecture
        // Its authors' code has as many positions as the text tower, whatever the clips' length.
        let video = design.fusion(
            layerCount: nil, frameCount: max(architecture.contextLength, setting.frameCount), width: architecture.embeddingWidth,
            seed: setting.seed, rateFactor: rateFactor)
        return TemporalBridgeTask(
            backbone: backbone, video: video, objective: objective(sentences, setting.seed), templateCount: sentences.count, setting: setting,
            normalization: normalization)
    }

    /// An X-CLIP goes on as it is; a CLIP gets what it lacks.
    private func crossFrameTask(
        rateFactor: Double, start: (CLIPArchitecture, UInt64) -> CrossFrameParameters<MutableMatrix>?, _ setting: TaskSetting
    ) -> CrossFrameTask {
        let seeing = backbone.architecture.crossFrame != nil
            ? backbone : backbone.lettingFramesSeeEachOther(frameCount: setting.frameCount) { start($0, setting.seed) }
        return CrossFrameTask(backbone: seeing, rateFactor: rateFactor, setting: setting, normalization: normalization)
    }
}
