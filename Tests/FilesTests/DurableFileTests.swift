import Files
import Glibc
import TestSupport
import Testing

/// Writing: the old file or the new one, never half of either, and nothing left lying about.
@Suite(.timeLimit(.minutes(15))) struct DurableFileTests {
    private func text(of path: String) throws -> String {
        String(decoding: try InputFile.contents(of: path, limit: 1 << 20), as: UTF8.self)
    }

    @Test func aNewFileIsWhole() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("new")
        var file = try DurableFile(path: path)
        try file.write(Array("first ".utf8))
        try file.write([])
        #expect(!fileExists(path), "the name appears only with commit")
        try file.write(Array("second".utf8))
        let digest = try file.commit()
        #expect(try text(of: path) == "first second")
        #expect(digest == Digest.of("first second"))
        #expect(try directoryEntries(directory.path) == ["new"])
    }

    @Test(arguments: [0, 1, 12, 5000])
    func expectedSizeIsOnlyAGuess(expected: Int) throws {
        let directory = try TemporaryDirectory()
        var file = try DurableFile(path: directory.path("file"), expectedByteCount: expected)
        try file.write(Array("twelve bytes".utf8))
        try file.commit()
        #expect(try text(of: directory.path("file")) == "twelve bytes")
    }

    @Test func aNewFileTakesThePlaceOfTheOld() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("a long old text", to: "file")
        try DurableFile.write("new", to: path)
        #expect(try text(of: path) == "new")
        try DurableFile.write("", to: path)
        #expect(try text(of: path) == "")
        #expect(try directoryEntries(directory.path) == ["file"])
    }

    @Test func withoutCommitNothingChanges() throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("old", to: "file")
        do {
            var file = try DurableFile(path: path, expectedByteCount: 100)
            try file.write([1, 2, 3])
        }
        #expect(try text(of: path) == "old")
        #expect(try directoryEntries(directory.path) == ["file"])
    }

    @Test func placesThatTakeNoFile() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("x", to: "file")
        let long = directory.path(String(repeating: "n", count: 300))
        for (path, reason) in [
            (directory.path("absent/file"), "No such file or directory"), (file + "/below", "Not a directory"), (long, "File name too long"),
        ] {
            #expect(throws: FileError(path: path, problem: .cannotCreate(reason: reason))) { try DurableFile.write("new", to: path) }
        }
        #expect(try directoryEntries(directory.path) == ["file"])
    }

    /// Renaming over `/dev/null` would take it away from every program on the machine.
    @Test func devicesAndDirectoriesAreNotReplaced() throws {
        let directory = try TemporaryDirectory()
        let paths = ["fifo", "folder", "link"].map { directory.path($0) }
        #expect(mkfifo(paths[0], 0o600) == 0)
        try createDirectory(paths[1])
        // A link stands for the device: were it replaced, the machine would keep its own.
        #expect(symlink("/dev/full", paths[2]) == 0)
        for (path, kind) in zip(paths, ["a FIFO", "a directory", "a device"]) {
            #expect(throws: FileError(path: path, problem: .notRegular(kind: kind))) { try DurableFile.write("new", to: path) }
        }
        #expect(try directoryEntries(directory.path) == ["fifo", "folder", "link"])
    }

    // MARK: Failing disks, in a process of their own

    /// A limit on file sizes stands for a full disk: `write` fails in the middle.
    @Test(arguments: [0, 4096])
    func aFullDiskLeavesTheOldFile(expected: Int) async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("old", to: "file")
        await #expect(processExitsWith: .success) { [path = path as String, expected = expected as Int] in
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            do {
                var file = try DurableFile(path: path, expectedByteCount: expected)
                try file.write([UInt8](repeating: 1, count: 8_000))
                try file.write([UInt8](repeating: 2, count: 8_000))
                try file.commit()
                Issue.record("16,000 bytes were written")
            } catch let error as FileError {
                #expect(error == FileError(path: path, problem: .cannotWrite(reason: "File too large")))
                #expect(error.exitStatus == .inputOutput)
            }
        }
        #expect(try text(of: path) == "old")
        #expect(try directoryEntries(directory.path) == ["file"])
    }

    /// Known beforehand, the lack of room shows before any work is done.
    @Test func tooLargeAFileFailsAtOnce() async throws {
        let directory = try TemporaryDirectory()
        let path = try directory.write("old", to: "file")
        await #expect(processExitsWith: .success) { [path = path as String] in
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            #expect(throws: FileError(path: path, problem: .cannotCreate(reason: "File too large"))) {
                _ = try DurableFile(path: path, expectedByteCount: 16_000)
            }
        }
        #expect(try text(of: path) == "old")
        #expect(try directoryEntries(directory.path) == ["file"])
    }

    /// tmpfs knows at once that a pebibyte does not fit; a disk would first try.
    @Test(.enabled(if: isDirectory("/dev/shm")))
    func noSpaceIsSaidWithBothNumbers() throws {
        let path = "/dev/shm/vifi-prompt-test-\(getpid())"
        do {
            _ = try DurableFile(path: path, expectedByteCount: 1 << 50)
            Issue.record("a pebibyte was reserved")
        } catch {
            guard case .noSpace(neededBytes: 1 << 50, let freeBytes) = error.problem else {
                Issue.record("\(error)")
                return
            }
            #expect(freeBytes > 0 && freeBytes < 1 << 50)
        }
        #expect(try directoryEntries("/dev/shm").filter { $0.contains("vifi-prompt-test-\(getpid())") } == [])
    }

    /// The process dies at a random moment of a loop of saves: what is there is one of the saves, whole.
    @Test(arguments: 0..<12)
    func killedWhileSaving(attempt: Int) async throws {
        let directory = try TemporaryDirectory()
        let path = directory.path("state")
        try DurableFile.write([UInt8](repeating: 0, count: 100_000), to: path)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, attempt = attempt as Int] in
            var timer = itimerval(
                it_interval: timeval(tv_sec: 0, tv_usec: 0), it_value: timeval(tv_sec: 0, tv_usec: 20_000 + 7_919 * attempt))
            signal(SIGALRM) { _ in kill(getpid(), SIGKILL) }
            setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
            for generation in 0... {
                try DurableFile.write([UInt8](repeating: UInt8(generation % 256), count: 100_000), to: path)
            }
        }
        let bytes = try InputFile.contents(of: path, limit: 1 << 20)
        #expect(bytes.count == 100_000)
        #expect(Set(bytes).count == 1, "bytes of two saves in one file")
    }
}
