import Files

/// Decides when a run is saved, and what becomes of failures.
package struct CheckpointKeeper {
    package let checkpoints: Checkpoints
    /// Seconds between two checkpoints inside an epoch; 0 saves after every step.
    private let interval: Double
    /// Saving at the ends of epochs takes at most this share of the time: a checkpoint of a large backbone
    /// may take longer than a short epoch.
    private static let largestShare = 0.05
    private let clock = ContinuousClock()
    private var lastEnd: ContinuousClock.Instant
    private var lastSeconds = 0.0
    /// The newest checkpoint.
    package private(set) var newest: String?
    private var lastFailedStep: Int?

    /// - Parameters:
    ///   - newest: what the run goes on from.
    ///   - interval: in seconds.
    package init(_ checkpoints: Checkpoints, newest: String? = nil, interval: Double) {
        self.checkpoints = checkpoints
        self.newest = newest
        self.interval = interval
        lastEnd = clock.now
    }

    /// Whether this moment is one to save at.
    package func isDue(_ moment: SaveMoment) -> Bool {
        let elapsed = (clock.now - lastEnd) / .seconds(1)
        return switch moment {
        case .interruption: true
        case .end: false
        case .step: elapsed >= interval
        case .beforeEvaluation, .epoch: elapsed >= min(interval, lastSeconds / Self.largestShare)
        }
    }

    /// Saves a checkpoint; `flush` makes the logs durable first and says how long they are.
    package mutating func save(
        _ state: TrainingState, moment: SaveMoment, optimizer: Optimizer, flush: () throws -> [String: Int],
        warn: (UnsavedStep) -> Void
    ) throws {
        guard isDue(moment) else { return }
        let start = clock.now
        let checkpoints = checkpoints
        try attempt(step: state.step, isLastChance: moment == .interruption, warn: warn) {
            var state = state
            state.logBytes = try flush()
            return try checkpoints.save(state, optimizer: optimizer)
        }
        lastEnd = clock.now
        lastSeconds = (lastEnd - start) / .seconds(1)
    }

    /// Writes something that the run can go on without. A disk that is full may have room again later, so one
    /// failure is only told; the next in a row ends the run.
    ///
    /// - Parameter work: returns the newest checkpoint, or nil where it saved something else.
    /// - Throws: `TrainingError.cannotSave`, and what has nothing to do with writing.
    package mutating func attempt(
        step: Int, isLastChance: Bool = false, warn: (UnsavedStep) -> Void, _ work: () throws -> String?
    ) throws {
        do {
            if let path = try work() {
                newest = path
                lastFailedStep = nil
            }
        } catch let error as any ReportableError where error.exitStatus == .inputOutput {
            // Two files of one moment fail together: that is one failure.
            guard !isLastChance, lastFailedStep == nil || lastFailedStep == step else {
                throw TrainingError.cannotSave(step: step, reason: error.description, kept: newest)
            }
            lastFailedStep = step
            warn(UnsavedStep(step: step, reason: error.description))
        }
    }
}

/// A step after which nothing could be written, which the run has gone on from.
package struct UnsavedStep: Sendable, Equatable, CustomStringConvertible {
    package let step: Int
    /// In the words of the error.
    package let reason: String

    package var description: String {
        "step \(step) is not saved: \(reason) Training goes on; if the next attempt fails too, it stops."
    }
}
