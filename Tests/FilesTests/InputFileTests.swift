import Files
import Glibc
import TestSupport
import Testing

/// Reading: only regular files, exactly the bytes that are there.
@Suite(.timeLimit(.minutes(15))) struct InputFileTests {
    /// What opening `path` throws, or nil where it opens.
    private func problemOpening(_ path: String) -> FileError.Problem? {
        do {
            _ = try InputFile(path: path)
            return nil
        } catch {
            return error.problem
        }
    }

    @Test func bytesOfAFile() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write([1, 2, 3, 4, 5], to: "five")
        let file = try InputFile(path: path)
        #expect(file.byteCount == 5)
        #expect(try file.bytes(at: 0, count: 5) == [1, 2, 3, 4, 5])
        #expect(try file.bytes(at: 3, count: 2) == [4, 5])
        #expect(try file.bytes(at: 5, count: 0) == [])
        #expect(try InputFile.contents(of: path, limit: 5) == [1, 2, 3, 4, 5])
        #expect(try InputFile.contents(of: directory.write([], to: "empty"), limit: 0) == [])
    }

    @Test func whatIsNotARegularFile() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("x", to: "file")
        #expect(problemOpening(directory.path("absent")) == .missing)
        #expect(problemOpening("") == .missing)
        #expect(problemOpening(file + "/below") == .missing)
        #expect(problemOpening(directory.path) == .notRegular(kind: "a directory"))
        #expect(problemOpening("/dev/zero") == .notRegular(kind: "a device"))
        #expect(mkfifo(directory.path("fifo"), 0o600) == 0)
        #expect(problemOpening(directory.path("fifo")) == .notRegular(kind: "a FIFO"))
        #expect(symlink("file", directory.path("link")) == 0)
        #expect(problemOpening(directory.path("link")) == nil)
        #expect(symlink("nowhere", directory.path("dangling")) == 0)
        #expect(problemOpening(directory.path("dangling")) == .missing)
        #expect(symlink("loop", directory.path("loop")) == 0)
        #expect(problemOpening(directory.path("loop")) == .notReadable(reason: "Too many levels of symbolic links"))
    }

    /// A name ends where C thinks it ends: what follows a NUL must not be dropped in silence.
    @Test func aNameWithNULIsNotTheNameBeforeIt() throws {
        let directory = try TemporaryDirectory()
        try directory.write("x", to: "file")
        #expect(problemOpening(directory.path("file\0.mp4")) == .missing)
    }

    @Test(arguments: [(4, 2), (6, 0), (0, 6), (-1, 1), (1, Int.max), (Int.max, 1), (.min, 1), (0, -1), (0, .min)])
    func readingWhatIsNotThere(offset: Int, count: Int) throws {
        let directory = try TemporaryDirectory()
        let file = try InputFile(path: directory.write([1, 2, 3, 4, 5], to: "five"))
        do {
            _ = try file.bytes(at: offset, count: count)
            Issue.record("\(count) bytes at \(offset) were read")
        } catch {
            #expect(error.problem == .truncated(offset: offset, needed: count, byteCount: 5))
        }
    }

    @Test func aFileThatShrinksWhileItIsRead() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write([UInt8](repeating: 7, count: 10_000), to: "shrinking")
        let file = try InputFile(path: path)
        #expect(truncate(path, 4_000) == 0)
        #expect(try file.bytes(at: 0, count: 4_000).count == 4_000)
        do {
            _ = try file.bytes(at: 1_000, count: 9_000)
            Issue.record("bytes that are gone were read")
        } catch {
            #expect(error.problem == .truncated(offset: 4_000, needed: 6_000, byteCount: 4_000))
        }
        #expect(throws: FileError.self) { _ = try InputFile.contents(of: path, limit: 3_999) }
    }

    /// What was opened is what is read, whatever happens to the name.
    @Test func aFileThatIsReplacedWhileItIsRead() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("before", to: "file")
        let file = try InputFile(path: path)
        try directory.write("AFTER!", to: "file")
        #expect(try file.bytes(at: 0, count: 6) == Array("before".utf8))
    }

    @Test func readingWhatThereIs() throws {
        let directory = try TemporaryDirectory()
        let file = try InputFile(path: directory.write([1, 2, 3, 4, 5], to: "five"))
        var buffer = [UInt8](repeating: 0, count: 4)
        func read(at offset: Int) throws -> Int { try buffer.withUnsafeMutableBytes { try file.readAvailable(into: $0, at: offset) } }
        #expect(try read(at: 0) == 4)
        #expect(try read(at: 3) == 2)
        #expect(buffer == [4, 5, 3, 4])
        #expect(try read(at: 5) == 0)
        #expect(try read(at: .max) == 0)
        #expect(try read(at: -1) == 0)
    }

    /// A terabyte that takes no space on the disk is refused before anything is allocated.
    @Test func aHugeFileIsRefusedByItsSize() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write([1], to: "sparse")
        try #require(truncate(path, 1 << 40) == 0)
        #expect(throws: FileError(path: path, problem: .tooLarge(byteCount: 1 << 40, limit: 1 << 20))) {
            _ = try InputFile.contents(of: path, limit: 1 << 20)
        }
        #expect(try InputFile(path: path).bytes(at: 1 << 39, count: 2) == [0, 0])
    }

    @Test func descriptorsAreGivenBack() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("x", to: "file")
        func openDescriptors() throws -> Int { try directoryEntries("/proc/self/fd").count }
        let before = try openDescriptors()
        for _ in 0..<300 {
            _ = try InputFile(path: path)
            _ = try? InputFile(path: directory.path)
            try DurableFile.write("x", to: directory.path("other"))
            _ = try? DirectoryLock(directory: directory.path)
            try AppendFile(path: directory.path("log")).append(line: "x")
        }
        // Other tests run beside this one.
        #expect(try openDescriptors() < before + 200)
    }

    @Test(arguments: [
        (FileError.Problem.missing, "no such file. Check the path.", Files.ExitStatus.missingInput),
        (.notRegular(kind: "a FIFO"), "is a FIFO, but a regular file is needed.", .badData),
        (.tooLarge(byteCount: 9, limit: 5), "is too large: 9 bytes, and at most 5 are read. Is it the right file?", .badData),
        (.truncated(offset: 8, needed: 4, byteCount: 10),
            "4 bytes are needed at offset 8, but the file has only 10. It is truncated or still being written; copy or download it again.", .badData),
        (.noSpace(neededBytes: 100, freeBytes: 10), "100 bytes are needed, but only 10 are free. Free some space or write elsewhere.", .inputOutput),
        (.locked, "another vifi-prompt is using it. Wait for it to finish, or choose another --output.", .inputOutput),
    ])
    func messages(problem: FileError.Problem, words: String, exitStatus: Files.ExitStatus) {
        let error = FileError(path: "runs/a\u{1B}[2J", problem: problem)
        #expect(error.description == "runs/a\\u{1b}[2J: " + words)
        #expect(error.exitStatus == exitStatus)
    }
}
