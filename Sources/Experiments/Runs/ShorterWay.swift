import CLIPModel
import Files
import Tensors

/// What a head would take in place of prompts, said before a run that takes long.
struct ShorterWay {
    /// Of the run, and of a look at each clip, in seconds on this machine.
    let runSeconds: Double
    let headSeconds: Double
    let clips: Int

    /// Runs that take longer are told of.
    private static let limitSeconds = 600.0
    /// No processor is slower, in floating-point operations a second: what is shorter even there is not measured.
    private static let slowestSpeed = 1e10

    /// - Parameter caching: what the run computes once a clip.
    /// - Returns: nil for a run that is short, or that no head can take the place of.
    init?(_ run: LearningRun, prompts: PromptConfiguration, sequences: [[Int]], caching: PrefixCaching?) throws {
        let settings = run.settings
        guard !settings.hasCaptions, run.group.count == 1, settings.fusion == .embedding else { return nil }
        let clips = run.data.train.clips.count
        self.clips = clips
        let configuration = try settings.trainingConfiguration(clipCount: clips)
        let architecture = run.backbone.architecture
        let count = OperationCount(
            architecture, learned: .prompts(prompts), sequences: sequences, frameCount: settings.frameCount,
            backwardFrameCount: settings.recipe.training.backwardFrames)
        let kept = PrefixRoom(caching, clips: clips, validationClips: 0).clips
        // Where epochs have clips of fewer frames, about as many looks fewer.
        let looks = settings.frameShares(epochs: configuration.epochs).reduce(0) { $0 + $1.epochs * clips * $1.frames / settings.frameCount }
        let operations = count.training(
            steps: configuration.schedule(clipCount: clips).stepCount, looks: looks, sparedLooks: (configuration.epochs - 1) * kept)
        guard operations / Self.slowestSpeed > Self.limitSeconds else { return nil }
        // What the pixels show does not matter.
        let clip = MutableMatrix(rows: settings.frameCount, columns: 3 * architecture.imagePixels * architecture.imagePixels).reading
        let look = FeatureSource(run).secondsOfLook([clip])
        headSeconds = look * Double(clips)
        // A look at a clip takes no texts.
        runSeconds = operations / (2 * Double(prompts.followsVideos ? count.clipCachedPrefix : count.clipForward)) * look
        guard runSeconds > Self.limitSeconds else { return nil }
    }
}
