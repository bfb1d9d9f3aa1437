import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// How a run computes only once what its prompts leave as it is, where every epoch shows the same frames.
package struct PrefixCaching {
    /// Of the cached prefix of a clip.
    package let clipBytes: Int
    /// For training and test clips together.
    package let byteBudget: Int
    /// Whether nothing of the vision tower learns, so that steps are text alone.
    package let isWholeVision: Bool
    /// Whether a step's texts are the same for all its clips, so that its beginning takes the time of their forward pass.
    package let sharesTexts: Bool
    package let compute: ([Matrix]) -> [Matrix]

    /// - Returns: nil where frames change from epoch to epoch, or where prompts enter at the first vision layer or in pixels: all
    ///   that comes before is at most the patches' projection.
    package init?(_ task: any PromptLearning, settings: Settings, byteBudget: Int) {
        let prompts = task.prompts.configuration
        guard settings.hasFixedFrames, !task.learnsCaptions, Self.leavesWork(prompts) else { return nil }
        clipBytes = task.cachedPrefixBytes
        self.byteBudget = byteBudget
        isWholeVision = prompts.visionLayers.isEmpty
        sharesTexts = !prompts.followsVideos
        compute = task.cachedPrefix
    }

    /// Whether prompts leave as it is what takes time.
    static func leavesWork(_ prompts: PromptConfiguration) -> Bool {
        prompts.pixels == nil && (prompts.visionLayers.isEmpty || prompts.visionLayers.lowerBound > 0)
    }

    package func hasRoom(for clipCount: Int) -> Bool { byteBudget / max(1, clipBytes) >= clipCount }

    /// The clips of a list.
    ///
    /// - Parameter others: cached prefixes that the budget is shared with.
    package func clips(_ loader: ClipLoader, besides others: CachedPrefixes? = nil) -> CachedPrefixes {
        let taken = (others?.roomCount ?? 0) * clipBytes
        return CachedPrefixes(loader: loader, byteBudget: byteBudget - taken, clipBytes: clipBytes, compute: compute)
    }
}

/// Training and test clips of one run that are computed once.
package struct RunPrefixes {
    package let train: CachedPrefixes
    package let val: CachedPrefixes?
    private let caching: PrefixCaching
    private let context: RunContext

    package init(_ caching: PrefixCaching, train: ClipLoader, val: ClipLoader?, context: RunContext) {
        self.caching = caching
        self.context = context
        let cached = caching.clips(train)
        self.train = cached
        self.val = val.map { caching.clips($0, besides: cached) }
    }

    /// Computes what there is room for, and says early how long it will take.
    ///
    /// - Parameters:
    ///   - stepCount: steps to come.
    ///   - stepSeconds: measures one, as far as it is known before.
    /// - Returns: false where a signal asked for the end.
    package func fill(stepCount: Int, stepSeconds: () -> Double) throws -> Bool {
        let (trainCount, valCount) = (train.roomCount, val?.roomCount ?? 0)
        let (total, all) = (trainCount + valCount, train.clipCount + (val?.clipCount ?? 0))
        context.note(
            .learning(
                .fixedFrames(
                    isWholeVision: caching.isWholeVision, trainingClips: train.clipCount, validationClips: val?.clipCount ?? 0,
                    clipBytes: caching.clipBytes)))
        if total < all {
            context.warning(.learning(.noRoom(kept: total, all: all, byteBudget: caching.byteBudget)))
        }
        guard total > 0 else { return true }
        let progress = context.progress("cached clips", total: total, unit: "clips")
        defer { progress.finish() }
        let clock = ContinuousClock()
        let start = clock.now
        var isTold = false
        func report(_ done: Int) -> Bool {
            if !isTold {
                isTold = true
                let seconds = (clock.now - start) / .seconds(1) / Double(max(1, done)) * Double(total - done)
                let then = caching.isWholeVision && caching.sharesTexts
                    ? LearningNote.TextSteps(count: stepCount, seconds: Double(stepCount) * stepSeconds()) : nil
                context.note(.learning(.cachingTime(seconds: seconds, then: then)))
            }
            progress.show(done)
            return !context.isCancelled
        }
        guard try train.fill(report: report) else { return false }
        guard let val else { return true }
        return try val.fill { report(trainCount + $0) }
    }
}
