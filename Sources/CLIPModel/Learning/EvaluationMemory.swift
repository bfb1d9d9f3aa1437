import Tensors

extension Backbone {
    /// Bytes of the matrices that classifying takes beside the backbone, as they are allocated: what `plan` says
    /// before a run.
    package func evaluationBytes(
        prompts: PromptConfiguration, sequences: [[Int]], frameCount: Int, pool: WorkerPool
    ) -> Int {
        let before = WorkMeter.reading.liveBytes
        let pass = VisionPass(tower: vision, prompts: prompts, frameCount: frameCount, keeping: .nothing, pool: pool)
        let layout = TextTowerLayout(
            sequences: sequences, promptTokens: prompts.textTokens, promptLayers: prompts.textLayers,
            architecture: architecture)
        let texts = TextActivations(
            layout: layout, architecture: architecture, keeping: .nothing, threadCount: pool.threadCount)
        return withExtendedLifetime((pass, texts)) { WorkMeter.reading.liveBytes - before }
    }
}
