import Files
import Tensors

/// Reads frames of videos; what decodes them stays behind this.
package protocol VideoReading: Sendable {
    /// - Parameters:
    ///   - part: of the video; nil for all of it.
    ///   - choosing: from the frame count (at least 1) of the video, or of its part, the frames wanted, in any order, with
    ///     repeats; those of a part are counted from its first.
    ///   - converting: applied to each frame as soon as it is decoded, so that large frames need not be kept.
    /// - Returns: the converted frames, in the order asked for.
    func frames(
        of path: String, part: ClipPart?, choosing: (_ frameCount: Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame]
}

extension VideoReading {
    /// Frames of a whole video.
    package func frames(
        of path: String, choosing: (_ frameCount: Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        try frames(of: path, part: nil, choosing: choosing, converting: converting)
    }
}

/// What to do about a video that cannot be read. Where the machine fails and not the video, a run always stops: which
/// videos it learned from must not depend on that.
package enum BadVideoPolicy: String, Sendable, CaseIterable {
    /// Stop with its error.
    case fail
    /// Continue without it.
    case skip
    /// Take another video in its place, drawn from the seed, the epoch and the video's index. Skips in testing.
    case replace
}

/// A video of the data set, ready for the model.
package struct LoadedClip: Sendable {
    /// Position in the list of the video that was asked for.
    package let index: Int
    /// Position of the video that was read: another one only if that replaces a bad video.
    package let videoIndex: Int
    /// Of the video that was read.
    package let label: Int
    /// One in training. In testing all views: for each crop, its clips in time.
    package let views: [PreparedClip]
}

/// Turns the videos of a list into clips, reading ahead on background threads.
///
/// What is delivered, and in which order, depends on list, seed, epoch and configuration; not on threads,
/// queue or cache.
package final class ClipLoader: Sendable {
    package struct Configuration: Sendable, Equatable {
        /// Threads that decode and augment. 0 does it on the asking thread.
        package var threadCount = 2
        /// Clips made ahead of their use; a clip of 32 frames of 224 pixels takes 19 MB.
        package var queuedClipCount = 8
        /// Views in time of each video; testing only.
        package var viewCount = 1
        /// Draws views by chance, as the paper's code does where there are several (methods 1.6).
        package var drawsViews = false
        /// For decoded frames that are met again; 0 keeps none.
        package var cacheByteBudget = 0
        /// Longest video to keep whole for training, in frames.
        package var cachedFrameLimit = 256
        package var badVideoPolicy = BadVideoPolicy.fail
        /// Share of the list that may be unreadable before the run stops; one video always may.
        package var badVideoShare = 0.005

        package init() {}
    }

    package let list: AnnotationList
    package let sampler: FrameSampler
    /// In place of `sampler`, where epochs differ in it.
    private let samplerOfEpoch: (@Sendable (_ epoch: Int) -> FrameSampler)?
    package let transform: ClipTransform
    package let seed: UInt64
    package let configuration: Configuration
    package let cache: FrameCache
    package let badVideos: BadVideoLog
    private let reader: any VideoReading

    /// - Parameter samplerOfEpoch: in place of `sampler`, where the clips of epochs differ in their number of frames.
    /// - Precondition: the list holds clips.
    package init(
        list: AnnotationList, reader: any VideoReading, sampler: FrameSampler, transform: ClipTransform, seed: UInt64,
        configuration: Configuration = Configuration(), samplerOfEpoch: (@Sendable (_ epoch: Int) -> FrameSampler)? = nil
    ) {
        precondition(!list.clips.isEmpty, "a list holds clips")
        self.list = list
        self.reader = reader
        self.sampler = sampler
        self.samplerOfEpoch = samplerOfEpoch
        self.transform = transform
        self.seed = seed
        self.configuration = configuration
        cache = FrameCache(byteBudget: configuration.cacheByteBudget)
        badVideos = BadVideoLog(
            listPath: list.path, videoCount: list.clips.count, share: configuration.badVideoShare)
    }

    /// How frames are chosen in an epoch.
    package func sampler(inEpoch epoch: Int) -> FrameSampler { samplerOfEpoch?(epoch) ?? sampler }

    /// The order of an epoch: every clip once.
    package func trainingOrder(epoch: Int) -> [Int] {
        var random = RandomSource(seed: seed, purpose: .order, epoch: epoch)
        return random.permutation(of: list.clips.count)
    }

    /// Views that each video yields.
    package var viewsPerVideo: Int {
        transform.stage == .training ? 1 : configuration.viewCount * transform.cropCount
    }

    /// The whole epoch for training, or every video in list order for testing.
    package func clips(epoch: Int = 0) -> ClipStream {
        clips(at: transform.stage == .training ? trainingOrder(epoch: epoch) : Array(list.clips.indices), epoch: epoch)
    }

    /// Clips at positions of the list, in that order: a part of an epoch after resuming, or one rank's share.
    package func clips(at indices: [Int], epoch: Int = 0) -> ClipStream {
        ClipStream(outcomes: outcomes(at: indices, epoch: epoch), log: badVideos)
    }

    /// What came of each video at positions of the list, in that order; bad ones are the caller's to note.
    package func outcomes(at indices: [Int], epoch: Int) -> Prefetcher<Outcome> {
        let capacity = max(1, configuration.queuedClipCount / viewsPerVideo)
        // A video of many views is large: one at a time is made ahead.
        let threadCount = viewsPerVideo > 1 ? min(configuration.threadCount, capacity) : configuration.threadCount
        return Prefetcher(
            count: indices.count, threadCount: threadCount, capacity: capacity
        ) { [self] position in
            try outcome(for: indices[position], epoch: epoch)
        }
    }

    // MARK: - One video

    /// What came of reading a video.
    package struct Outcome: Sendable {
        /// Nil where neither the video nor others in its place could be read.
        package var clip: LoadedClip?
        /// The videos that could not be read.
        package var bad: [BadVideo] = []
    }

    /// Videos tried in place of a bad one. Where so many in a row are bad, the log stops the run anyway.
    private static let replacementLimit = 16

    private func outcome(for index: Int, epoch: Int) throws -> Outcome {
        var outcome = Outcome()
        var drawing = RandomSource(seed: seed, purpose: .video, epoch: epoch, item: index)
        var videoIndex = index
        for _ in 0...Self.replacementLimit {
            do {
                outcome.clip = try load(videoIndex, inPlaceOf: index, epoch: epoch)
                return outcome
            } catch let error as DatasetError {
                // The list is wrong, not the video.
                throw error
            } catch {
                if error.isOfMachine { throw error }
                if configuration.badVideoPolicy == .fail {
                    throw (error as? VideoError).map { UnreadableVideo(list: list.path, cause: $0) } ?? error
                }
                outcome.bad.append(BadVideo(path: list.videoPath(list.clips[videoIndex]), part: list.clips[videoIndex].part, reason: "\(error)"))
            }
            guard configuration.badVideoPolicy == .replace, transform.stage == .training else { break }
            videoIndex = drawing.integer(below: list.clips.count)
        }
        return outcome
    }

    private func load(_ videoIndex: Int, inPlaceOf index: Int, epoch: Int) throws -> LoadedClip {
        let clip = list.clips[videoIndex]
        let key = ClipKey(seed: seed, epoch: epoch, clip: index)
        let sampler = sampler(inEpoch: epoch)
        var found: Int?
        let frames = try shrunkFrames(of: list.videoPath(clip), clip.part) { count in
            found = count
            return frameIndices(frameCount: count, sampler: sampler, key: key)
        }
        if let found { try list.check(found, of: clip) }
        let inTime = stride(from: 0, to: frames.count, by: sampler.sampleCount).map { start in
            transform.clips(from: Array(frames[start..<start + sampler.sampleCount]), key: key)
        }
        let views = (0..<transform.cropCount).flatMap { crop in inTime.map { $0[crop] } }
        return LoadedClip(index: index, videoIndex: videoIndex, label: clip.label, views: views)
    }

    /// Frames of all views in time, one after another. The same for every call with the same arguments.
    private func frameIndices(frameCount: Int, sampler: FrameSampler, key: ClipKey) -> [Int] {
        var random = key.source(.frames)
        if transform.stage == .training {
            return sampler.trainingIndices(frameCount: frameCount, using: &random)
        }
        return (0..<configuration.viewCount).flatMap { view in
            configuration.drawsViews
                ? sampler.trainingIndices(frameCount: frameCount, using: &random)
                : sampler.testIndices(frameCount: frameCount, view: view, viewCount: configuration.viewCount)
        }
    }

    private func shrunkFrames(of path: String, _ part: ClipPart?, choosing: (Int) -> [Int]) throws -> [VideoFrame] {
        let key = FrameCache.Key(path: path, part: part, shortSide: transform.shortSide)
        guard cache.byteBudget > 0 else {
            return try reader.frames(of: path, part: part, choosing: choosing, converting: transform.shrunk)
        }
        if let cached = cache.frames(key, choosing: choosing) { return cached }
        do {
            return try read(key, mayReadWhole: drawsFrames, choosing: choosing)
        } catch is WholeVideoError {
            // The frames in use may be sound even so, and whether a video counts as bad must not depend on
            // the room in the cache.
            return try read(key, mayReadWhole: false, choosing: choosing)
        }
    }

    private var drawsFrames: Bool { transform.stage == .training || configuration.drawsViews }

    /// Some frame of a video does not decode, maybe none that is needed.
    private struct WholeVideoError: Error {}

    /// Reads frames past the cache and leaves there what will be met again: the whole video where each epoch
    /// draws other frames, else the frames chosen.
    private func read(_ key: FrameCache.Key, mayReadWhole: Bool, choosing: (Int) -> [Int]) throws -> [VideoFrame] {
        var frameCount = 0
        var indices: [Int] = []
        var isWhole = false
        let frames: [VideoFrame]
        do {
            frames = try reader.frames(
                of: key.path, part: key.part,
                choosing: { count in
                    frameCount = count
                    isWhole = mayReadWhole && isWorthKeeping(frameCount: count)
                    indices = isWhole ? Array(0..<count) : choosing(count)
                    return indices
                }, converting: transform.shrunk)
        } catch {
            throw isWhole ? WholeVideoError() : error
        }
        if isWhole || !drawsFrames {
            cache.keep(Dictionary(zip(indices, frames)) { first, _ in first }, frameCount: frameCount, as: key)
        }
        return isWhole ? choosing(frameCount).map { frames[$0] } : frames
    }

    private func isWorthKeeping(frameCount: Int) -> Bool {
        // A square is the least that a frame takes.
        frameCount <= configuration.cachedFrameLimit
            && cache.hasRoom(forBytes: frameCount * transform.shortSide * transform.shortSide * 3)
    }
}

/// The clips of one pass over a data set.
package final class ClipStream: Sendable {
    private let outcomes: Prefetcher<ClipLoader.Outcome>
    private let log: BadVideoLog

    init(outcomes: Prefetcher<ClipLoader.Outcome>, log: BadVideoLog) {
        self.outcomes = outcomes
        self.log = log
    }

    /// The next clip, or nil at the end.
    ///
    /// - Throws: the video's error under `BadVideoPolicy.fail`; `DatasetError` where too many videos are bad.
    package func next() throws -> LoadedClip? {
        while let outcome = try outcomes.next() {
            for bad in outcome.bad { try log.note(bad) }
            if let clip = outcome.clip { return clip }
        }
        return nil
    }

    /// Up to `count` clips: fewer at the end, none after it.
    package func next(_ count: Int) throws -> [LoadedClip] {
        var clips: [LoadedClip] = []
        while clips.count < count, let clip = try next() { clips.append(clip) }
        return clips
    }

    /// How far the pass has come, in videos that were asked for; bad ones that were left out count too.
    package var position: Int { outcomes.deliveredCount }

    /// Time that `next` spent waiting for clips, in seconds.
    package var waitingSeconds: Double { outcomes.waitingSeconds }

    /// Stops reading ahead.
    package func cancel() { outcomes.cancel() }
}
