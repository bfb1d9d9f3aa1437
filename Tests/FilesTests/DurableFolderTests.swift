import Files
import Glibc
import TestSupport
import Testing

@Suite struct DurableFolderTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("folder")
    }

    private static func write(_ text: String, to path: String, replaces: Bool) throws {
        let folder = try DurableFolder(path: path)
        for name in ["a", "b"] { try DurableFile.write(text, to: folder.temporaryPath.appendingPath(name)) }
        try folder.commit(replaces: replaces)
    }

    private func texts() throws -> [String] {
        try directoryEntries(path).map {
            String(decoding: try InputFile.contents(of: path.appendingPath($0), limit: 1 << 20), as: UTF8.self)
        }
    }

    @Test func appearsWhole() throws {
        let folder = try DurableFolder(path: path + "//")
        #expect(folder.path == path)
        try DurableFile.write("one", to: folder.temporaryPath.appendingPath("a"))
        #expect(!fileExists(path))
        try folder.commit(replaces: false)
        #expect(try texts() == ["one"])
        #expect(try directoryEntries(directory.path) == ["folder"])
    }

    @Test func abandonedItLeavesNothing() throws {
        do {
            let folder = try DurableFolder(path: path)
            try DurableFile.write("one", to: folder.temporaryPath.appendingPath("a"))
        }
        #expect(try directoryEntries(directory.path) == [])
    }

    @Test func onlyReplacesWhenAsked() throws {
        try Self.write("one", to: path, replaces: true)
        #expect(throws: FileError(path: path, problem: .cannotWrite(reason: "Directory not empty"))) {
            try Self.write("two", to: path, replaces: false)
        }
        #expect(try texts() == ["one", "one"])
        try Self.write("three", to: path, replaces: true)
        #expect(try texts() == ["three", "three"])
        #expect(try directoryEntries(directory.path) == ["folder"])
        // A file in its place stays, and so does everything where nothing can be created.
        try directory.write("file", to: "taken")
        #expect(throws: FileError.self) { try Self.write("two", to: directory.path("taken"), replaces: true) }
        #expect(throws: FileError.self) { try Self.write("two", to: directory.path("taken/below"), replaces: true) }
        #expect(try directoryEntries(directory.path) == ["folder", "taken"])
    }

    /// The process dies at a random moment of a loop of replacements: the folder is there, with files of one round.
    @Test(arguments: 0..<8)
    func killedWhileReplacing(attempt: Int) async throws {
        try Self.write("0", to: path, replaces: false)
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, attempt = attempt as Int] in
            var timer = itimerval(
                it_interval: timeval(tv_sec: 0, tv_usec: 0), it_value: timeval(tv_sec: 0, tv_usec: 20_000 + 7_919 * attempt))
            signal(SIGALRM) { _ in kill(getpid(), SIGKILL) }
            setitimer(__itimer_which_t(ITIMER_REAL.rawValue), &timer, nil)
            for round in 0... { try Self.write("\(round)", to: path, replaces: true) }
        }
        let texts = try texts()
        #expect(texts.count == 2 && Set(texts).count == 1, "\(texts)")
    }
}
