import Glibc

/// Decides which failed reads are tried again: those after a signal always, those of a disk or a file server
/// that may be back in a moment a few times.
package struct ReadRetry {
    /// Milliseconds before each further attempt.
    private static let waits: [UInt32] = [10, 50, 250, 1250, 2500]
    private var attempts = 0

    package init() {}

    /// Waits if need be. Returns whether to try again.
    package mutating func again(after code: Int32) -> Bool {
        if code == EINTR { return true }
        guard Self.mayPass(code), attempts < Self.waits.count else { return false }
        usleep(Self.waits[attempts] * 1000)
        attempts += 1
        return true
    }

    /// Errors of disks, file servers and their networks.
    package static func mayPass(_ code: Int32) -> Bool {
        [EIO, EAGAIN, ESTALE, ETIMEDOUT, EREMOTEIO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ECONNRESET, ECONNREFUSED, ENOTCONN, ENOLCK]
            .contains(code)
    }
}

extension FileError {
    /// Why a file could not be opened or read.
    init(path: String, reading code: Int32) {
        let problem: Problem
        if code == ENOENT || code == ENOTDIR {
            problem = .missing
        } else if let shortage = MachineShortage(errno: code) {
            problem = .shortage(shortage)
        } else {
            errno = code
            problem = ReadRetry.mayPass(code) ? .readFailed(reason: systemErrorText()) : .notReadable(reason: systemErrorText())
        }
        self.init(path: path, problem: problem)
    }
}
