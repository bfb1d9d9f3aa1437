import Glibc

/// What the machine, or a limit set for this process, does not grant: the fault of no file.
package enum MachineShortage: ReportableError, Equatable {
    /// Files and pipes that are open at once in this process; nil where those of the whole machine are meant.
    case openFiles(limit: Int?)
    /// `neededBytes` is what was asked for at once, where that is known.
    case memory(neededBytes: Int?)
    /// Processes and threads of this user.
    case processes
    /// The program could not be started for work of its own, or was killed from outside.
    case worker(reason: String)

    /// The shortage that a system call's error code stands for; nil where it is another kind of error.
    package init?(errno code: Int32) {
        switch code {
        case EMFILE: self = .openFiles(limit: Self.openFileLimit)
        case ENFILE: self = .openFiles(limit: nil)
        case ENOMEM: self = .memory(neededBytes: nil)
        default: return nil
        }
    }

    /// Files that this process may have open at once.
    package static var openFileLimit: Int {
        var limits = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limits) == 0 else { return 1024 }
        return Int(clamping: limits.rlim_cur)
    }

    /// Whether memory is so short that a failed allocation is likely the machine's fault. Asks for more than any
    /// sound video needs in one piece, and gives it back untouched.
    ///
    /// FFmpeg answers "out of memory" to absurd sizes in damaged files, too.
    package static var isMemoryShort: Bool {
        let byteCount = 768 << 20
        guard let address = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            unsafe address != MAP_FAILED
        else { return true }
        unsafe munmap(address, byteCount)
        return false
    }

    package var exitStatus: ExitStatus { .unavailable }

    package var description: String {
        switch self {
        case .openFiles(let limit?):
            "this process may have only \(limit) files open at once. Raise the limit (`ulimit -n 1024`), or lower --threads where the command has it."
        case .openFiles(nil):
            "the machine has too many files open. Close other programs."
        case .memory(let neededBytes):
            "there is not enough memory\(neededBytes.map { ": \(sizeInWords($0)) are needed at once" } ?? ""). Close other programs, raise the "
                + "limit (`ulimit -v`, or that of the job or container), or lower --threads, --batch-size, --frames or --memory where the "
                + "command has them."
        case .processes:
            "no more processes or threads can be started. Close other programs, or raise the limit (`ulimit -u`)."
        case .worker(let reason):
            "a process that decodes videos did not run: \(reason). The videos are not at fault. Try again, with fewer --threads if memory is short."
        }
    }
}

extension Error {
    /// The machine failed and not the file: what could not be read because of it may be read another time.
    package var isOfMachine: Bool {
        guard let error = self as? any ReportableError else { return false }
        return error.exitStatus == .unavailable || error.exitStatus == .inputOutput
    }
}
