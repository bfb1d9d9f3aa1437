import Files
import Glibc
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(15))) struct LogAndLockTests {
    private func text(of path: String) throws -> String {
        String(decoding: try InputFile.contents(of: path, limit: 1 << 20), as: UTF8.self)
    }

    @Test func linesAreAppended() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("log")
        let log = try AppendFile(path: path)
        try log.append(line: "one")
        try log.append(line: "")
        try log.sync()
        let second = try AppendFile(path: path)
        try second.append(line: "zwei ü")
        #expect(try text(of: path) == "one\n\nzwei ü\n")
    }

    /// After a crash in the middle of a line, the next line must not become part of it.
    @Test func aTornLineIsEnded() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("one\n{\"loss\": 1.", to: "log")
        try AppendFile(path: path).append(line: "three")
        #expect(try text(of: path) == "one\n{\"loss\": 1.\nthree\n")
    }

    @Test func aFullDiskIsReported() throws {
        let log = try AppendFile(path: "/dev/full")
        #expect(throws: FileError(path: "/dev/full", problem: .cannotWrite(reason: "No space left on device"))) {
            try log.append(line: "x")
        }
    }

    @Test func placesThatTakeNoLog() throws {
        let directory = try TemporaryDirectory()
        for (path, reason) in [(directory.path, "Is a directory"), (directory.path("absent/log"), "No such file or directory")] {
            #expect(throws: FileError(path: path, problem: .cannotCreate(reason: reason))) { _ = try AppendFile(path: path) }
        }
        // A FIFO that nobody reads would hold the program for ever.
        #expect(mkfifo(directory.path("fifo"), 0o600) == 0)
        #expect(throws: FileError.self) { _ = try AppendFile(path: directory.path("fifo")) }
    }

    // MARK: Lock

    @Test func oneHolderAtATime() throws {
        let directory = try TemporaryDirectory()
        do {
            let first = try DirectoryLock(directory: directory.path)
            #expect(throws: FileError(path: directory.path, problem: .locked)) { _ = try DirectoryLock(directory: directory.path) }
            // Refusing must not release what the first holds.
            #expect(throws: FileError(path: directory.path, problem: .locked)) { _ = try DirectoryLock(directory: directory.path) }
            _ = consume first
        }
        _ = try DirectoryLock(directory: directory.path)
    }

    @Test func otherProcessesAreRefused() async throws {
        let directory = try TemporaryDirectory()
        let path: String = directory.path
        let lock = try DirectoryLock(directory: path)
        await #expect(processExitsWith: .success) { [path = path as String] in
            #expect(throws: FileError(path: path, problem: .locked)) { _ = try DirectoryLock(directory: path) }
        }
        _ = consume lock
        await #expect(processExitsWith: .success) { [path = path as String] in _ = try DirectoryLock(directory: path) }
    }

    @Test func aKilledHolderHoldsNothing() async throws {
        let directory = try TemporaryDirectory()
        let path: String = directory.path
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let lock = try DirectoryLock(directory: path)
            kill(getpid(), SIGKILL)
            _ = consume lock
        }
        _ = try DirectoryLock(directory: path)
    }

    @Test func aDirectoryThatIsNotThere() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("absent")
        #expect(throws: FileError(path: path + "/.lock", problem: .cannotCreate(reason: "No such file or directory"))) {
            _ = try DirectoryLock(directory: path)
        }
    }
}
