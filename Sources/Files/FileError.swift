/// What can go wrong between this program and the file system.
package struct FileError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case missing
        case notReadable(reason: String)
        /// The disk or the file server failed, several times in a row.
        case readFailed(reason: String)
        /// The machine had nothing to open or read it with.
        case shortage(MachineShortage)
        /// A file of our own that holds something else; the reason ends with what to do.
        case damaged(reason: String)
        /// A directory, FIFO, device or socket where a file is needed.
        case notRegular(kind: String)
        case tooLarge(byteCount: Int, limit: Int)
        /// The file ended, or shrank while it was read.
        case truncated(offset: Int, needed: Int, byteCount: Int)
        case cannotCreate(reason: String)
        case cannotWrite(reason: String)
        /// What was read back after writing differs from what was written.
        case notDurable
        /// Written, but perhaps not there after a power cut.
        case notSynced(reason: String)
        case noSpace(neededBytes: Int, freeBytes: Int)
        case locked
        /// Where the file system has no locks, `file` says who uses it.
        case lockedBy(owner: String, file: String)
        /// A folder that this program did not make, and what is in it.
        case foreign(entry: String)
        /// To be written, and read by the same command.
        case isInput
    }

    package let path: String
    package let problem: Problem

    package init(path: String, problem: Problem) {
        self.path = path
        self.problem = problem
    }

    package var exitStatus: ExitStatus {
        switch problem {
        case .missing, .notReadable: .missingInput
        case .damaged, .notRegular, .tooLarge, .truncated: .badData
        case .readFailed, .cannotCreate, .cannotWrite, .notDurable, .notSynced, .noSpace, .locked, .lockedBy, .foreign: .inputOutput
        case .isInput: .usage
        case .shortage(let shortage): shortage.exitStatus
        }
    }

    package var description: String {
        let name = path.escapedForDisplay
        return switch problem {
        case .missing:
            "\(name): no such file. Check the path."
        case .notReadable(let reason):
            "\(name): cannot be opened: \(reason)."
        case .readFailed(let reason):
            "\(name): cannot be read: \(reason). The disk or the file server failed; the file itself may be sound. Try again, or "
                + "copy it elsewhere."
        case .shortage(let shortage):
            "\(name): cannot be read: \(shortage.description)"
        case .damaged(let reason):
            "\(name): \(reason)."
        case .notRegular(let kind):
            "\(name): is \(kind), but a regular file is needed."
        case .tooLarge(let byteCount, let limit):
            "\(name): is too large: \(byteCount) bytes, and at most \(limit) are read. Is it the right file?"
        case .truncated(let offset, let needed, let byteCount):
            "\(name): \(needed) bytes are needed at offset \(offset), but the file has only \(byteCount). "
                + "It is truncated or still being written; copy or download it again."
        case .cannotCreate(let reason):
            "\(name): cannot be created: \(reason)."
        case .cannotWrite(let reason):
            "\(name): writing failed: \(reason). The previous file, if any, is untouched."
        case .notDurable:
            "\(name): what was read back differs from what was written. The disk is failing; "
                + "the previous file, if any, is untouched."
        case .notSynced(let reason):
            "\(name): was written, but its folder cannot be synced: \(reason). After a power cut it may be gone."
        case .noSpace(let neededBytes, let freeBytes):
            "\(name): \(neededBytes) bytes are needed, but only \(freeBytes) are free. Free some space or write elsewhere."
        case .locked:
            "\(name): another vifi-prompt is using it. Wait for it to finish, or choose another --output."
        case .lockedBy(let owner, let file):
            "\(name): another vifi-prompt is using it: \(owner.escapedForDisplay), according to \(file.escapedForDisplay), because this file system "
                + "has no locks. Wait for it to finish; if that process no longer exists, remove that file."
        case .foreign(let entry):
            "\(name): contains \(entry.escapedForDisplay), which this command did not write, so nothing is written there. "
                + "Choose another --output, or move it away."
        case .isInput:
            "\(name): would be overwritten, but this command reads it. Choose another --output."
        }
    }

    /// Whether the file itself is at fault. Otherwise it could not be read this time, and may be sound.
    package var isDamage: Bool {
        switch problem {
        case .readFailed, .shortage, .notReadable: false
        default: true
        }
    }

    /// What the system said, without the file and the remedy.
    package var reason: String {
        switch problem {
        case .notReadable(let reason), .readFailed(let reason), .cannotCreate(let reason), .cannotWrite(let reason), .notSynced(let reason),
            .damaged(let reason):
            reason
        default: description
        }
    }
}
