import TestSupport
import Testing
import WeightFiles

/// Names in weight files are bytes: what Unicode calls equivalent are two names, as in PyTorch and safetensors.
@Suite struct ByteNameTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    /// As a Character the slash holds the mark after it: counted so, `\u{301}data/0` would be taken for `data/0`.
    @Test func aCombiningMarkAfterTheRootHidesNothing() throws {
        var archive = plainArchive()
        archive.entries.append(.init("model/\u{301}data.pkl", [1, 2, 3]))
        archive.entries.append(.init("model/\u{301}data/0", [UInt8](repeating: 9, count: 8)))
        let source = try opened(archive.bytes, in: directory)
        #expect(try source.floats(named: "a") == [1, 2])
        // With the mark alone there is no pickle.
        var without = plainArchive()
        without["model/data.pkl"].name = "model/\u{301}data.pkl"
        #expect(try problem(without.bytes) == .archive(.missing(entry: "data.pkl")))
    }

    @Test func entriesThatLookAlikeAreTwo() throws {
        var archive = plainArchive()
        archive.entries.append(.init("model/\u{E9}", [1]))
        archive.entries.append(.init("model/e\u{301}", [2]))
        #expect(try opened(archive.bytes, in: directory).floats(named: "a") == [1, 2])
    }

    @Test func tensorsThatLookAlikeAreTwo() throws {
        let header = "{\(tensorEntry("\u{E9}", 0, 4)),\(tensorEntry("e\u{301}", 4, 8))}"
        let bytes = safetensors(Array(header.utf8), data: [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40])
        let file = try SafetensorsFile(path: directory.write(bytes, to: "two.safetensors"))
        #expect(try file.floats(named: "\u{E9}") == [1])
        #expect(try file.floats(named: "e\u{301}") == [2])
    }
}
