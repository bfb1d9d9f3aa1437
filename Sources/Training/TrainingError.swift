import Files

/// What can go wrong while training.
package enum TrainingError: ReportableError, Equatable {
    case diverged(step: Int, loss: Double)
    case nonFiniteParameter(name: String, step: Int)
    case backboneChanged(before: String, after: String)
    /// - Parameters:
    ///   - saved: the checkpoint.
    ///   - resume: the command that goes on.
    case interrupted(step: Int, saved: String, resume: String)
    /// A signal came while clips were made ready: nothing was learned since the last checkpoint.
    case interruptedBefore(step: Int, resume: String)
    /// A sound checkpoint that holds other tensors than the run learns.
    case otherCheckpoint(path: String)
    /// Checkpoints are there, and all of them are damaged.
    case noSoundCheckpoint(folder: String, count: Int)
    /// A checkpoint that cannot be read now, and may be sound.
    case checkpointUnread(path: String, reason: String)
    /// Saving failed where it had failed before, or where nothing comes after it.
    case cannotSave(step: Int, reason: String, kept: String?)
    case badConfiguration([String])
    case noClips
    /// What learns cannot be shared out.
    case notForRanks
    /// Ranks that should hold the same numbers do not.
    case ranksDiffer(what: String, rank: Int, host: String)
    case ranksDrifted(step: Int, rank: Int, host: String)
    /// `--memory` leaves no room for one chunk of frames a thread.
    case tooLittleMemory(bound: Int, needed: Int)

    /// The same, but for the command to go on with: that of what the run is part of.
    package func resuming(with command: String) -> TrainingError {
        switch self {
        case .interrupted(let step, let saved, _): .interrupted(step: step, saved: saved, resume: command)
        case .interruptedBefore(let step, _): .interruptedBefore(step: step, resume: command)
        default: self
        }
    }

    package var exitStatus: ExitStatus {
        switch self {
        case .diverged, .nonFiniteParameter: .badConfiguration
        case .backboneChanged, .ranksDrifted: .software
        case .interrupted, .interruptedBefore: .interrupted
        case .badConfiguration, .ranksDiffer: .badConfiguration
        case .notForRanks: .usage
        case .noClips, .otherCheckpoint, .noSoundCheckpoint: .badData
        case .cannotSave, .checkpointUnread: .inputOutput
        case .tooLittleMemory: .badConfiguration
        }
    }

    package var description: String {
        switch self {
        case .diverged(let step, let loss):
            "the loss is \(loss) at step \(step): training has diverged. Lower --learning-rate or lengthen the warm-up; "
                + "what was saved before is untouched."
        case .nonFiniteParameter(let name, let step):
            "the gradient of \"\(name.escapedForDisplay)\", or what it makes of the tensor, holds NaN or infinity at step \(step): training has "
                + "diverged. Lower --learning-rate or lengthen the warm-up; what was saved before is untouched."
        case .backboneChanged(let before, let after):
            "the backbone's SHA-256 was \(before.prefix(12))… before learning and is \(after.prefix(12))… now. "
                + "This is a fault in vifi-prompt; please report it. No prompts were saved."
        case .interrupted(let step, let saved, let resume):
            "stopped on request after step \(step), which is saved in \(saved.escapedForDisplay). Resume with: \(resume)"
        case .interruptedBefore(let step, let resume):
            "stopped on request before step \(step), while clips were computed; these are computed again. Resume with: \(resume)"
        case .otherCheckpoint(let path):
            "\(path.escapedForDisplay): holds other tensors than this run learns. Was config.yaml changed? "
                + "Start again with another --output."
        case .noSoundCheckpoint(let folder, let count):
            "\(folder.escapedForDisplay): \(count == 1 ? "the checkpoint is" : "all \(count) checkpoints are") damaged, so there is nothing to go on "
                + "from. Nothing was changed. Put \(count == 1 ? "it" : "one") back from a copy; or remove that folder, and the run starts from its beginning."
        case .checkpointUnread(let path, let reason):
            "\(path.escapedForDisplay): this checkpoint cannot be read now, and may be sound: \(reason) Nothing was changed. "
                + "Resume again when that is mended; or move it away to go on from the one before it."
        case .cannotSave(let step, let reason, let kept):
            "stopped at step \(step), because it cannot be saved: \(reason) "
                + (kept.map { "The last checkpoint is \($0.escapedForDisplay); with room to write, --resume goes on from there." }
                    ?? "There is no checkpoint.")
        case .noClips:
            "no video of the training list could be read: there is nothing to learn from. Nothing was saved."
        case .notForRanks:
            "this way of learning runs in one process: start it without mpirun."
        case .ranksDiffer(let what, let rank, let host):
            "rank \(rank) on \(host.escapedForDisplay) has another \(what) than rank 0: all ranks must see the same files and run the same "
                + "program. Put both on a file system that all machines share."
        case .ranksDrifted(let step, let rank, let host):
            "rank \(rank) on \(host.escapedForDisplay) has learned other numbers than rank 0 by step \(step), which must not happen: its memory or "
                + "processor may be faulty. --resume goes on from the last checkpoint; leave that machine out."
        case .tooLittleMemory(let bound, let needed):
            "--memory \(bound / 1_000_000)M is too little: with these weights, frames and threads at least \(needed / 1_000_000 + 1)M are needed. "
                + "Allow more, or use fewer --threads."
        case .badConfiguration(let faults):
            faults.joined(separator: "\n")
        }
    }
}
