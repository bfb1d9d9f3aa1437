import Evaluation
import VideoData

/// Where a run is between two steps. With the optimizer's tensors, the recipe and the lists it is all that a
/// run needs to go on as if it had never stopped: random numbers are counted from seed, epoch and clip.
package struct TrainingState: Codable, Equatable, Sendable {
    /// Steps done.
    package var step = 0
    /// The epoch that the run is in, from 0.
    package var epoch = 0
    /// Steps done in this epoch.
    package var stepOfEpoch = 0
    /// Videos of this epoch's order that were asked for.
    package var clipPosition = 0
    /// Over the clips of this epoch.
    package var lossSum = 0.0
    package var lossClips = 0
    /// Steps of the optimizer, which takes none where all videos of a step are bad.
    package var optimizerSteps = 0
    package var best: Scores?
    package var last: Scores?
    /// Of the epoch that was reported last; nil in checkpoints of programs that did not keep it.
    package var trainingLoss: Double?
    /// Nil where nothing ends a run before its last epoch.
    package var earlyStop: EarlyStop.State?
    /// Whether an epoch was reported.
    package var hasResults = false
    /// Wall-clock time in this epoch and in the run, over all its parts.
    package var epochSeconds = 0.0
    package var seconds = 0.0
    /// Videos that could not be read so far.
    package var badVideos: [BadVideo] = []
    /// Lengths of the logs in bytes: what comes after them belongs to steps that are taken again.
    package var logBytes: [String: Int] = [:]

    package init() {}

    /// Whether the run has ended before its last epoch.
    package var hasEndedEarly: Bool { earlyStop?.isOver == true }

    /// Whether the next thing to happen is the first step of an epoch.
    package var isBetweenEpochs: Bool { stepOfEpoch == 0 && step > 0 }

    mutating func beginNextEpoch() {
        epoch += 1
        stepOfEpoch = 0
        clipPosition = 0
        lossSum = 0
        lossClips = 0
        epochSeconds = 0
    }
}

/// The numbers of an evaluation that are kept from epoch to epoch, in percent.
package struct Scores: Codable, Equatable, Sendable {
    /// Of captions: R@1 of text → video. Decides which epoch is the best.
    package var top1: Double
    /// Of captions: R@5 of text → video.
    package var top5: Double
    /// Of captions: R@1 over both directions.
    package var meanClassAccuracy: Double
    package var clips: Int
    /// Of captions: how many there are.
    package var classes: Int
    /// Where captions were looked for instead of classes.
    package var retrieval: RetrievalMetrics?

    package init(_ metrics: ClassificationMetrics) {
        top1 = metrics.top1
        top5 = metrics.top5
        meanClassAccuracy = metrics.meanClassAccuracy
        clips = metrics.videos
        classes = metrics.perClass.count
    }

    package init(_ metrics: RetrievalMetrics) {
        top1 = metrics.textToVideo.r1
        top5 = metrics.textToVideo.r5
        meanClassAccuracy = (metrics.textToVideo.r1 + metrics.videoToText.r1) / 2
        clips = metrics.videoToText.queries
        classes = metrics.textToVideo.queries
        retrieval = metrics
    }

    /// What `top1` and `top5` are called in logs and prompt files.
    package var names: (top1: String, top5: String) {
        retrieval == nil ? ("val_top1", "val_top5") : ("val_text_to_video_r1", "val_text_to_video_r5")
    }

    /// Among five classes or fewer every answer is among the best five, which says nothing.
    package var tellingTop5: Double? { retrieval != nil || classes > 5 ? top5 : nil }

    /// `top1` for people.
    package var title: String { retrieval == nil ? "top-1" : "text → video R@1" }
}
