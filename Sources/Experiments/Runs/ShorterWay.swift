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

    /// - Returns: nil for a run that is short, or that no head can take the place of.
    init?(_ run: LearningRun, prompts: PromptConfiguration, sequences: [[Int]]) throws {
        guard !run.settings.hasCaptions, run.group.count == 1, run.settings.fusion == .embedding else { return nil }
        clips = run.data.train.clips.count
        let configuration = try run.settings.trainingConfiguration(clipCount: clips)
        let count = OperationCount(
            run.backbone.architecture, learned: .prompts(prompts), sequences: sequences, frameCount: run.settings.frameCount)
        let steps = configuration.schedule(clipCount: clips).stepCount
        // The vision tower has a backward pass only for prompts of its own, and frames that stay the same are met once.
        let looks = run.settings.hasFixedFrames && prompts.visionDepth == 0 ? clips : configuration.epochs * clips
        let operations = 2 * Double(steps) * Double(count.stepForward + count.stepBackward)
            + 2 * Double(looks) * Double(count.clipForward + count.clipBackward)
        guard operations / Self.slowestSpeed > Self.limitSeconds else { return nil }
        let look = Self.secondsOfLook(run)
        headSeconds = look * Double(clips)
        runSeconds = operations / (2 * Double(count.clipForward)) * look
        guard runSeconds > Self.limitSeconds else { return nil }
    }

    /// Of a clip through the vision tower, forward; what the pixels show does not matter.
    private static func secondsOfLook(_ run: LearningRun) -> Double {
        let architecture = run.backbone.architecture
        let encoder = VideoEncoder(
            backbone: run.backbone, prompts: PromptSet(vision: [], text: []), frameCount: run.settings.frameCount, pool: run.settings.pool)
        let clip = MutableMatrix(rows: run.settings.frameCount, columns: 3 * architecture.imagePixels * architecture.imagePixels).reading
        // The first pass pays for fresh memory.
        _ = encoder.frameFeatures(of: [clip])
        let start = ContinuousClock.now
        _ = encoder.frameFeatures(of: [clip])
        return (ContinuousClock.now - start) / .seconds(1)
    }

    var text: String {
        "This takes about \(duration(runSeconds)) here. With --method auto in the same command a first classifier from these "
            + "\(counted(clips, "clip", "clips")) takes about \(duration(max(1, headSeconds))): one look at each."
    }
}
