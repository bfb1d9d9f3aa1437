import CLIPModel
import Files
import Recipes
import Training

/// The files in which a run keeps its prompts, or what a method puts behind the image tower.
extension LearningRun {
    /// What every such file says of its run.
    ///
    /// - Parameter backbone: that they belong to.
    func promptHeader(on backbone: Backbone, configuration: PromptConfiguration, report: EpochReport) -> PromptHeader {
        var header = PromptHeader(
            backbone: backbone, configuration: configuration, classNames: data.classes.names, frameCount: settings.frameCount,
            fusion: settings.fusion, normalization: settings.normalization(for: backbone), template: settings.recipe.template ?? "a photo of a {}.",
            shots: settings.recipe.training.shots, seed: settings.seed, recipeDigest: Digest.of(recipe.yaml))
        header.metrics["training_loss"] = report.trainingLoss
        header.metrics["epoch"] = Double(report.epoch)
        if let metrics = report.metrics {
            header.metrics[metrics.names.top1] = metrics.top1
            header.metrics[metrics.names.top5] = metrics.top5
        }
        return header
    }

    /// Writes them as the last of the run, and as its best where they are.
    func savePrompts(_ file: PromptFile, in path: String, report: EpochReport) throws {
        try createDirectory(path.appendingPath("prompts"))
        for name in report.isBest ? ["last", "best"] : ["last"] {
            try file.save(to: path.appendingPath("prompts/\(name).safetensors"))
        }
    }
}
