import Glibc
import Synchronization

/// The neighbor of a file or folder in which it is filled until it is whole: `NAME.tmp-PID-NUMBER`.
///
/// It goes with its owner, and with the process where a signal ends that. What a kill or a power cut leaves is swept by
/// the next write to the same target: whoever fills one holds a lock on it, so one without a lock has no owner. On file
/// systems without locks, what nobody has written to for a day counts as left behind.
package struct TemporaryPath: ~Copyable {
    package let path: String
    private let key: Int

    private struct Living {
        var paths: [Int: String] = [:]
        var nextKey = 0
    }

    private static let living = Mutex(Living())
    private static let mark = ".tmp-"
    private static let abandonedSeconds = 24 * 60 * 60

    /// Nothing is created yet; but whatever is, goes at the process's end.
    init(for target: String) {
        let path = "\(target)\(Self.mark)\(getpid())-\(UInt32.random(in: 0 ... .max))"
        self.path = path
        key = Self.living.withLock { living in
            living.nextKey += 1
            living.paths[living.nextKey] = path
            return living.nextKey
        }
    }

    deinit { Self.living.withLock { _ = $0.paths.removeValue(forKey: key) } }

    /// Creates the file, open for reading and writing. Returns -1 and leaves `errno` where it cannot be created.
    func createFile() -> Int32 {
        while true {
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else { return descriptor }
            _ = flock(descriptor, LOCK_EX | LOCK_NB)
            // Somebody who sweeps may have come between creating and locking.
            if Self.isSame(descriptor, path) { return descriptor }
            close(descriptor)
        }
    }

    /// Creates the folder. Returns a descriptor that holds its lock, or -1 with `errno`.
    func createFolder() -> Int32 {
        while true {
            guard unsafe mkdir(path, 0o755) == 0 else { return -1 }
            let descriptor = unsafe open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
            guard descriptor >= 0 else { return descriptor }
            _ = flock(descriptor, LOCK_EX | LOCK_NB)
            if Self.isSame(descriptor, path) { return descriptor }
            close(descriptor)
        }
    }

    private static func isSame(_ descriptor: Int32, _ path: String) -> Bool {
        var (opened, named) = (stat(), stat())
        return unsafe fstat(descriptor, &opened) == 0 && lstat(path, &named) == 0
            && opened.st_dev == named.st_dev && opened.st_ino == named.st_ino
    }

    // MARK: What is left behind

    /// Whether a name has the form of a temporary one of this target's name, or of any.
    package static func isName(_ name: String, of target: String? = nil) -> Bool {
        let bytes = Array(name.utf8)
        // From the end: digits, a hyphen, digits, the mark.
        var end = bytes.count
        for separator in [Array("-".utf8), Array(mark.utf8)] {
            let digits = bytes[..<end].reversed().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            guard digits > 0, bytes[..<(end - digits)].suffix(separator.count).elementsEqual(separator) else { return false }
            end -= digits + separator.count
        }
        return end > 0 && (target.map { bytes[..<end].elementsEqual($0.utf8) } ?? true)
    }

    /// Removes what processes that are gone left of `target`.
    package static func sweep(of target: String) {
        let folder = target.parentDirectory
        for name in (try? directoryEntries(folder)) ?? [] where isName(name, of: target.lastPathComponent) {
            removeIfAbandoned(folder.appendingPath(name))
        }
    }

    private static func removeIfAbandoned(_ path: String) {
        var descriptor = unsafe open(path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
        if descriptor < 0 { descriptor = unsafe open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) }
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { return }
        if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            guard errno != EWOULDBLOCK, time(nil) - status.st_mtim.tv_sec > abandonedSeconds else { return }
        }
        remove(path)
    }

    /// Removes the file, or the folder with the files in it.
    package static func remove(_ path: String) {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            unsafe unlink(path)
            return
        }
        for name in (try? directoryEntries(path)) ?? [] { unsafe unlink(path.appendingPath(name)) }
        unsafe rmdir(path)
    }

    /// Removes all of this process, which then ends: whoever is about to create another one waits forever.
    package static func removeAll(andEnd end: () -> Never) -> Never {
        living.withLock { living in
            for path in living.paths.values { remove(path) }
            end()
        }
    }
}
