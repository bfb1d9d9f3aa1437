import Methods
import VideoData

extension Settings {
    /// - Parameters:
    ///   - method: nil for prompts that learn themselves.
    ///   - regularizer: where it compares with what a tower without prompts sees; nil for none.
    /// - Throws: `SettingsError` where clips of epochs cannot differ in their number of frames as they are asked to.
    func checkFrameSchedule(method: PromptMethod?, regularizer: PromptRegularizer?) throws(SettingsError) {
        guard let schedule = recipe.training.framesSchedule else { return }
        if hasFixedFrames {
            throw .scheduleWith(what: "--fixed-frames (augmentation.fixed_frames) or --quick", reason: "with these the frames of a clip are computed once.")
        }
        if recipe.training.earlyStop != nil {
            throw .scheduleWith(what: "--early-stop (training.early_stop)", reason: "the run might end before its clips have all frames.")
        }
        if let method, method.temporal != nil {
            throw .scheduleWith(what: "--method \(method.name)", reason: "its transformer over frames has a position for each of them.")
        }
        if let regularizer {
            throw .scheduleWith(what: "--regularize \(regularizer.name)", reason: "its teacher looks at as many frames of each clip in every step.")
        }
        guard schedule.last == frameCount else { throw .scheduleEnds(last: schedule.last, frames: frameCount) }
    }

    /// How many epochs of a run have clips of how many frames, in order.
    func frameShares(epochs: Int) -> [(frames: Int, epochs: Int)] {
        recipe.training.framesSchedule?.shares(of: epochs) ?? [(frameCount, epochs)]
    }
}

extension FrameSchedule {
    /// "4 in 3, 8 in 3, 16 in 4 epochs".
    func words(epochs: Int) -> String { shares(of: epochs).map { "\($0.frames) in \($0.epochs)" }.joined(separator: ", ") + " epochs" }
}
