import Glibc

/// Keeps other processes out of a directory, or away from a file, until it is released.
///
/// On file systems that know no locks (Lustre mounted without `flock`, NFS without its lock service) a file beside
/// the lock, which only one process can create, says who holds it. One of this machine whose process is gone counts for
/// nothing; one of another machine has to be removed by hand.
package struct DirectoryLock: ~Copyable {
    private let descriptor: Int32
    /// The file that stands for the lock; nil where the file system has locks.
    private let ownerPath: String?

    package static let name = ".lock"
    private static let ownerSuffix = "-owner"
    /// Of a file's lock.
    package static func isName(_ name: String) -> Bool { name == Self.name || name == Self.name + ownerSuffix }

    /// - Throws: `FileError` with `.locked` where another process holds the directory.
    package init(directory: String) throws(FileError) {
        try self.init(path: directory.appendingPath(Self.name), subject: directory)
    }

    /// Locks a file itself, which is created if it is missing.
    package init(file: String) throws(FileError) {
        // Opening a FIFO or a device could hold the program, or do something.
        if fileExists(file), !isRegularFile(file) { _ = try InputFile(path: file) }
        try self.init(path: file, subject: file)
    }

    private init(path: String, subject: String) throws(FileError) {
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 {
            ownerPath = nil
            return
        }
        let code = errno
        do throws(FileError) {
            guard code != EWOULDBLOCK else { throw FileError(path: subject, problem: .locked) }
            // Some file systems know no locks: that is not another process.
            guard [ENOSYS, EOPNOTSUPP, ENOLCK, EINVAL].contains(code) else {
                errno = code
                throw FileError(path: subject, problem: .cannotCreate(reason: systemErrorText()))
            }
            ownerPath = try Self.own(path + Self.ownerSuffix, subject: subject)
        } catch {
            close(descriptor)
            throw error
        }
    }

    deinit {
        if let ownerPath { unsafe unlink(ownerPath) }
        close(descriptor)
    }

    private static var owner: String { "process \(getpid()) on \(hostName)" }

    private static var hostName: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "this machine" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Creates the file that stands for the lock. Returns its path.
    private static func own(_ path: String, subject: String) throws(FileError) -> String {
        for _ in 0..<3 {
            let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            if descriptor >= 0 {
                _ = writeAll(Array(owner.utf8), to: descriptor)
                close(descriptor)
                return path
            }
            guard errno == EEXIST else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
            let other = String(decoding: (try? InputFile.contents(of: path, limit: 1024)) ?? [], as: UTF8.self)
            guard isGone(other) else { throw FileError(path: subject, problem: .lockedBy(owner: other, file: path)) }
            unsafe unlink(path)
        }
        throw FileError(path: subject, problem: .locked)
    }

    /// Whether the owner was a process of this machine that is not there any more.
    private static func isGone(_ owner: String) -> Bool {
        let words = owner.split(separator: " ")
        guard words.count == 4, let process = pid_t(words[1]), String(words[3]) == hostName else { return false }
        return kill(process, 0) != 0 && errno == ESRCH
    }
}
