import CLIPModel
import Files
import Foundation
import Tensors
import VideoData

/// The clips of each step shared out over ranks: what one process would learn, they learn together.
///
/// Which clips make a step depends on which videos can be read, and a rank reads its own only. So all assume
/// the same, work, and compare notes at the end: where a video was not what they assumed, the step is taken
/// again by what they know now.
final class SharedSteps: EpochSteps {
    private let trainer: Trainer
    private let classCount: Int
    private let task: any LearningTask
    private let group: any ProcessGroup
    private let epoch: Int
    private let order: [Int]
    private var videos: EmptyVideos
    private let onKnown: (EmptyVideos) -> Void
    /// Videos that could not be read, by the place that asked for them.
    private var badVideos: [Int: [BadVideo]] = [:]
    private(set) var position: Int
    private(set) var isStopRequested = false
    private var stream: Prefetcher<ClipLoader.Outcome>?
    private var waitedBefore = 0.0

    /// - Parameters:
    ///   - videos: what earlier epochs showed.
    ///   - onKnown: told when that changes.
    init(
        _ trainer: Trainer, task: any LearningTask, epoch: Int, position: Int, videos: EmptyVideos,
        onKnown: @escaping (EmptyVideos) -> Void
    ) throws(TrainingError) {
        // Captions are told from each other within a batch, so a batch cannot be shared out.
        guard let classCount = trainer.classCount else { throw .notForRanks }
        self.classCount = classCount
        self.trainer = trainer
        self.task = task
        self.epoch = epoch
        self.position = position
        self.onKnown = onKnown
        group = trainer.group
        order = trainer.clips.trainingOrder(epoch: epoch)
        var videos = videos
        videos.beginEpoch()
        self.videos = videos
    }

    var waitingSeconds: Double { waitedBefore + (stream?.waitingSeconds ?? 0) }
    func cancel() { stream?.cancel() }

    func step(planned: Int, group number: Int, rate: StepRate) throws -> StepResult {
        while true {
            let plan = plan(planned: planned, step: number, from: position)
            let stream = stream ?? readAhead(planned: planned, step: number)
            task.begin(at: plan.shares.items(of: group.rank).lowerBound)
            let (own, ownReport) = work(plan, stream: stream, weight: 1 / Float(planned))
            let reports = try group.gathered(value: ownReport)
            try agree(on: reports)
            guard isAsAssumed(reports) else {
                task.discard()
                cancel()
                waitedBefore += stream.waitingSeconds
                self.stream = nil
                continue
            }
            for place in position..<plan.end { for bad in badVideos.removeValue(forKey: place) ?? [] { try trainer.clips.badVideos.note(bad) } }
            position = plan.end
            isStopRequested = reports.contains(where: \.stops)
            var result = own
            result.clipCount = plan.places.count
            // In the order of the clips, as one process adds them.
            result.lossSum = reports.flatMap(\.losses).reduce(0) { $0 + Double(bitPattern: $1) }
            // All ranks know the sum, so all stop at one that is no number.
            if result.clipCount > 0, result.lossSum.isFinite {
                try task.combine(plan.shares, over: group)
                try task.finish(rate: rate, scale: Float(planned) / Float(result.clipCount))
            }
            return result
        }
    }

    // MARK: One rank's share

    /// What a rank tells the others after its share.
    private struct Report: Codable {
        /// Bits of each clip's loss: JSON has no NaN.
        var losses: [UInt64] = []
        /// Places that gave no clip though they were expected to, and the other way round.
        var foundEmpty: [Int] = []
        var foundFull: [Int] = []
        /// Places that were as empty as expected.
        var stillEmpty: [Int] = []
        var badVideos: [Int: [BadVideo]] = [:]
        var failure: FailureReport?
        var failurePlace = 0
        /// Whether a signal has come.
        var stops = false
    }

    private func work(_ plan: StepPlan, stream: Prefetcher<ClipLoader.Outcome>, weight: Float) -> (StepResult, Report) {
        var result = StepResult()
        var report = Report()
        for part in plan.parts {
            let needed = part.needed
            var loaded: [Int: LoadedClip] = [:]
            for clip in needed {
                guard let outcome = read(part.place(clip), from: stream, into: &report) else { return (result, report) }
                if outcome.clip == nil { report.foundEmpty.append(part.place(clip)) }
                loaded[clip] = outcome.clip
            }
            // The step will be taken again, but what else is unreadable is better known now.
            guard report.foundEmpty.isEmpty else { continue }
            let (clips, targets) = blended(part, loaded)
            var added = StepResult()
            task.add(clips: clips, targets: targets, weight: weight, to: &added)
            result.clipCount += added.clipCount
            report.losses += (added.losses.isEmpty ? [added.lossSum] : added.losses).map(\.bitPattern)
        }
        for place in plan.tries {
            guard let outcome = read(place, from: stream, into: &report) else { return (result, report) }
            if outcome.clip == nil { report.stillEmpty.append(place) } else { report.foundFull.append(place) }
        }
        report.stops = trainer.isStopRequested()
        return (result, report)
    }

    /// - Returns: nil where reading has failed, which the report then says.
    private func read(_ place: Int, from stream: Prefetcher<ClipLoader.Outcome>, into report: inout Report) -> ClipLoader.Outcome? {
        do {
            guard let outcome = try stream.next() else { preconditionFailure("more clips are needed than were planned") }
            if !outcome.bad.isEmpty { report.badVideos[place] = outcome.bad }
            return outcome
        } catch {
            report.failure = FailureReport(error, rank: group.rank)
            report.failurePlace = place
            return nil
        }
    }

    private func blended(_ part: StepPlan.Part, _ loaded: [Int: LoadedClip]) -> (clips: [Matrix], targets: [[Float]]) {
        var clips: [Matrix] = []
        var targets: [[Float]] = []
        for clip in part.own {
            let partner = part.draw.partners[clip]
            guard let own = loaded[clip], var view = own.views.first, let other = loaded[partner], let otherView = other.views.first
            else { preconditionFailure("a clip of the share was not read") }
            targets.append(
                trainer.configuration.blending.target(
                    own.label, partner: partner == clip ? nil : (otherView, other.label), draw: part.draw, classCount: classCount,
                    clip: &view))
            clips.append(view.matrix)
        }
        return (clips, targets)
    }

    // MARK: All ranks

    /// - Throws: the failure at the earliest place, which one process would have met first.
    private func agree(on reports: [Report]) throws {
        let first = reports.filter { $0.failure != nil }.min { $0.failurePlace < $1.failurePlace }
        if let failure = first?.failure?.failure { throw failure }
    }

    /// Takes over what all ranks found.
    ///
    /// - Returns: whether it is what the step was planned by.
    private func isAsAssumed(_ reports: [Report]) -> Bool {
        for report in reports {
            badVideos.merge(report.badVideos) { first, _ in first }
            for place in report.foundFull { videos.noteFull(place: place, video: order[place]) }
        }
        // Last, as a video that can be read at one time and not at another counts as unreadable.
        for place in reports.flatMap({ $0.foundEmpty + $0.stillEmpty }) { videos.noteEmpty(place: place, video: order[place]) }
        onKnown(videos)
        return reports.allSatisfy { $0.foundEmpty.isEmpty && $0.foundFull.isEmpty }
    }

    // MARK: Plans

    private func plan(planned: Int, step: Int, from place: Int) -> StepPlan {
        let configuration = trainer.configuration
        return StepPlan(
            order: order, first: place, planned: planned, batchSize: configuration.batchSize, videos: videos, rank: group.rank,
            rankCount: group.count
        ) { [epoch, trainer] batch, clipCount in
            configuration.blending.draw(
                clipCount: clipCount, side: trainer.clips.transform.side, seed: configuration.seed, epoch: epoch,
                step: step * configuration.accumulationSteps + batch)
        }
    }

    /// Reads what this rank needs for the rest of the epoch, if all is as assumed.
    private func readAhead(planned: Int, step: Int) -> Prefetcher<ClipLoader.Outcome> {
        var loads: [Int] = []
        var (place, number, count) = (position, step, planned)
        while place < order.count, count > 0 {
            let next = plan(planned: count, step: number, from: place)
            loads += next.loads
            place = next.end
            number += 1
            count = trainer.plannedClips(step: number)
        }
        let stream = trainer.clips.outcomes(at: loads.map { order[$0] }, epoch: epoch)
        self.stream = stream
        return stream
    }
}
