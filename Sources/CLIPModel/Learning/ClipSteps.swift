import Tensors

extension Learner where Aim: ClipObjective {
    /// Each clip there and back, as many as are in flight together.
    ///
    /// The text tower runs once a step; each clip leaves its share of the text gradient behind (`design.md`, exact
    /// saving 10). Where prompts follow videos, it runs for each clip.
    func addClipByClip(_ batch: ClipBatch, weight: Float, to result: inout StepResult) {
        guard let head else { preconditionFailure("an objective of clips names its classes") }
        precondition(batch.input == .pixels || part.keepsWeights, "weights that learn leave nothing to cache")
        for inFlight in vision.inFlight(of: batch.clips.count) {
            let clips = Array(batch.clips[inFlight])
            let draws = nextDraws(clips.count)
            let features = batch.input == .cachedPrefix && !seesPrompts
                ? clips : vision.forward(clips: clips, input: batch.input, draws: draws, context: part.context).map(\.reading)
            let gradients = features.map { MutableMatrix(rows: $0.rowCount, columns: $0.columnCount) }
            let taught = objective.teacherFeatures(of: clips, input: batch.input)
            accumulator.beginClips(clips.count)
            for index in clips.indices {
                let clip = LearnedClip(
                    frames: clips[index], input: batch.input, features: features[index], target: batch.targets[inFlight.lowerBound + index],
                    teacherFeatures: taught?[index])
                var loss = if let net = part.metaNet {
                    ownTextLoss(of: clip, by: net, weight: weight, featureGradient: gradients[index], accumulator: &accumulator[index])
                } else {
                    head.loss(of: clip, by: objective, weight: weight, featureGradient: gradients[index], accumulator: &accumulator[index])
                }
                if let stepTerm { loss.loss += stepTerm.loss }
                result.note(loss)
            }
            if part.visionKeeping.hasBackward {
                part.visionBackward(
                    vision, clips: clips, input: batch.input, draws: draws, featureGradients: gradients, accumulator: accumulator)
            }
            accumulator.endClips(clips.count)
        }
        result.clipCount += batch.clips.count
    }
}
