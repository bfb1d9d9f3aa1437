import Files
import Tensors
import Training
import VideoData

/// What a run learns from.
package enum TrainingAmount: Sendable, Equatable, CustomStringConvertible {
    case clips(Int, classes: Int)
    case captions(Int, videos: Int)

    package var description: String {
        switch self {
        case .clips(let count, let classes): "\(count) clips of \(classes) classes"
        case .captions(let count, let videos): "\(counted(count, "caption", "captions")) of \(counted(videos, "video", "videos"))"
        }
    }
}

/// What is said while prompts or weights are learned.
package enum LearningNote: Sendable, Equatable, CustomStringConvertible {
    /// - Parameters:
    ///   - learned: parameters that learn, of all `parameters`.
    ///   - schedule: of frames, where epochs differ in them.
    ///   - mayEndEarly: whether it ends where its loss does not come down any more.
    ///   - run: its folder.
    case begins(TrainingAmount, frames: Int, schedule: FrameSchedule?, learned: Int, parameters: Int, epochs: Int, steps: Int, mayEndEarly: Bool, run: String)
    /// - Parameter summary: in the words of the method itself.
    case method(name: String, summary: String)
    /// Where the processes run, and how many threads each has.
    case ranks(RankPlaces, threads: [Int])
    case warmupShortened(epochs: Int)
    case measuringBatch(testClips: Int)
    /// A head in place of the run.
    case shorterWay(runSeconds: Double, headSeconds: Double, clips: Int)
    /// What does not learn is computed once.
    ///
    /// - Parameter isWholeVision: whether nothing of the vision tower learns.
    case fixedFrames(isWholeVision: Bool, trainingClips: Int, validationClips: Int, clipBytes: Int)
    case cachingTime(seconds: Double, then: TextSteps?)
    case epoch(Int, loss: Double, validation: Scores)
    case endedEarly(EarlyStop.Reason)
    case peakMemory(bytes: Int)
    /// By the kernel, so that the peak is that of all runs in this process.
    case peakNotReset

    /// Steps in which nothing is left to do but texts.
    package struct TextSteps: Sendable, Equatable {
        package let count: Int
        package let seconds: Double
    }

    package var description: String {
        switch self {
        case .begins(let amount, let frames, let schedule, let learned, let parameters, let epochs, let steps, let mayEndEarly, let run):
            "\(amount), \(frames) frames each\(schedule.map { ", in training \($0.words(epochs: epochs))" } ?? ""); \(learned) of \(parameters) parameters learn; "
                + "\(counted(epochs, "epoch", "epochs")), \(counted(steps, "step", "steps"))\(mayEndEarly ? " at most" : ""). Run: \(run)"
        case .method(let name, let summary): "Method: \(name), \(summary)"
        case .ranks(let places, let threads): places.table(threads: threads)
        case .warmupShortened(let epochs):
            "The warm-up is shortened to \(counted(epochs, "epoch", "epochs")), half of the run; --set training.warmup_epochs=N sets another."
        case .measuringBatch(let testClips): "Measuring one batch and \(testClips) test clips. Nothing is kept."
        case .shorterWay(let runSeconds, let headSeconds, let clips):
            "This takes about \(duration(runSeconds)) here. With --method auto in the same command a first classifier from these "
                + "\(counted(clips, "clip", "clips")) takes about \(duration(max(1, headSeconds))): one look at each."
        case .fixedFrames(let isWholeVision, let trainingClips, let validationClips, let clipBytes):
            "Fixed frames: training clips are seen as test clips are (the same frames, their center; no flips, colors, MixUp or CutMix). "
                + (isWholeVision ? "The vision tower has no prompts, so its features are" : "What lies below the first vision prompts is")
                + " computed once per clip: \(trainingClips) training and \(validationClips) validation clips, \(bytes(clipBytes)) each."
        case .cachingTime(let seconds, let then):
            "About \(NumberText.time(seconds)) for these clips"
                + (then.map { ", then \($0.count) steps of text alone, about \(NumberText.time($0.seconds))" } ?? "") + "."
        case .epoch(let number, let loss, let scores):
            "epoch \(number): loss \(NumberText.decimal(loss, places: 3)), "
                + "validation \(scores.title) \(NumberText.decimal(scores.top1, places: 1)) %"
        case .endedEarly(let reason):
            "Ended early, with epoch \(reason.epoch) of \(reason.epochCount): for \(counted(reason.rule.patience, "epoch", "epochs")) the smoothed training "
                + "loss, now \(NumberText.decimal(reason.smoothedLoss, places: 3)), has not come below \(NumberText.decimal(reason.least, places: 3)) by "
                + "more than \(NumberText.decimal(100 * reason.rule.leastFall, places: 0)) % (--early-stop)."
        case .peakMemory(let bytes): "Peak memory: \(NumberText.decimal(Double(bytes) / 1e9, places: 2)) GB."
        case .peakNotReset:
            "The kernel does not reset the peak of memory: what is told of it is the peak of everything in this process so far."
        }
    }
}

/// What is odd about how a run learns.
package enum LearningWarning: Sendable, Equatable, CustomStringConvertible {
    case narrowHost(named: String)
    case severalProcessors
    /// Of `all` clips that could be computed once.
    case noRoom(kept: Int, all: Int, byteBudget: Int)
    case notSaved(UnsavedStep)
    /// - Parameter reason: in an error's words.
    case verdictsNotWritten(reason: String)

    package var description: String {
        switch self {
        case .narrowHost(let host):
            "the ranks on \(host.escapedForDisplay) may use less than half of its processors: mpirun binds ranks to cores unless it is told "
                + "otherwise. Pass it --bind-to none, or --map-by ppr:1:socket --bind-to socket."
        case .severalProcessors:
            "the ranks run on different processors: what they learn is made the same after every epoch, and depends on rank 0's."
        case .noRoom(let kept, let all, let byteBudget):
            "there is room for \(kept) of them (\(bytes(byteBudget))); the other \(all - kept) are computed anew each time. "
                + "Allow more with --memory."
        case .notSaved(let unsaved): unsaved.description
        case .verdictsNotWritten(let reason): reason
        }
    }
}
