import CLIPModel
import Methods
import Tensors
import Training

/// What a way of prompting learns on a backbone, apart from data.
struct PromptLearner {
    let backbone: Backbone
    /// Nil for ViFi-CLIP's prompts, which learn themselves.
    let method: PromptMethod?
    let regularizer: PromptRegularizer?
    /// That learning starts from.
    let prompts: PromptSet<MutableMatrix>
    /// Of a transformer over frames, in place of the method's own number.
    let temporalLayers: Int?
    /// Whether the clips of a batch are compared with each other's classes, in place of each with all classes.
    var comparesBatches = false

    /// Whether a tower without prompts looks at every clip beside the one that learns.
    static func looksTwice(_ regularizer: PromptRegularizer?, learning prompts: PromptConfiguration) -> Bool {
        regularizer?.seesVideos == true && prompts.promptsVision
    }

    /// - Parameters:
    ///   - sentenceCounts: where frames are matched with each class's sentences: for each kind of these how many each class has.
    ///   - teacherTexts: token sequences without prompts, for each template those of all classes; asked for where there is a regularizer.
    func task(_ setting: TaskSetting, sentenceCounts: [[Int]]? = nil, teacherTexts: () throws -> [[[Int]]]) throws -> any PromptLearning {
        let source = try method?.source(PromptMethod.Start(prompts: prompts, architecture: backbone.architecture, seed: setting.seed))
            ?? DirectPrompts(prompts, architecture: backbone.architecture)
        if let temporal = method?.temporal {
            let video = temporal.fusion(
                layerCount: temporalLayers, frameCount: setting.frameCount, width: backbone.architecture.embeddingWidth, seed: setting.seed)
            return TemporalTask(backbone: backbone, source: source, video: video, setting: setting)
        }
        let batches = comparesBatches ? ClassMatching(sequences: setting.sequences) : nil
        if let sentenceCounts {
            let video = TransportFusion(counts: sentenceCounts)
            guard let batches else { return LearnerTask(backbone: backbone, source: source, video: video, setting: setting) }
            return LearnerTask(backbone: backbone, source: source, video: video, objective: batches, setting: setting)
        }
        if let batches { return PromptTask(backbone: backbone, source: source, objective: batches, setting: setting) }
        guard let regularizer else { return PromptTask(backbone: backbone, source: source, setting: setting) }
        let configuration = prompts.configuration
        let teacher = try PromptTeacher(
            regularizer, backbone: backbone, texts: teacherTexts(), frameCount: setting.frameCount, learnsVision: configuration.promptsVision,
            pool: setting.pool)
        return PromptTask(
            backbone: backbone, source: source,
            objective: regularizer.objective(
                RegularizedLearning(
                    sequences: setting.sequences, teacher: teacher, fusion: setting.fusion, learnsText: configuration.learnsText,
                    seed: setting.seed)),
            averagesEpochs: regularizer.averagesEpochs, setting: setting)
    }
}
