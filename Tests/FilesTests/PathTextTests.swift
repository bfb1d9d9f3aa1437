import Files
import Foundation
import Glibc
import TestSupport
import Testing

/// Paths as text: what Python's `os.fsencode` and the file system say of the same bytes.
@Suite struct PathTextTests {
    @Test(arguments: [
        ("caf\u{E9}.mp4", Array("caf\u{E9}.mp4".utf8)), ("caf\\xE9.mp4", [0x63, 0x61, 0x66, 0xE9, 0x2E, 0x6D, 0x70, 0x34]),
        ("\\xFF\\xFE", [0xFF, 0xFE]), ("\\xC3(", [0xC3, 0x28]), ("\\xE2\\x82", [0xE2, 0x82]),
        // An overlong slash, a surrogate, and what lies beyond Unicode.
        ("\\xC0\\xAF", [0xC0, 0xAF]), ("\\xED\\xA0\\x80", [0xED, 0xA0, 0x80]), ("\\xF4\\x90\\x80\\x80", [0xF4, 0x90, 0x80, 0x80]),
        // Backslashes stay, but for those that would read like an escape.
        ("a\\b", Array("a\\b".utf8)), ("\\x41", Array("\\x41".utf8)), ("\\xe9", Array("\\xe9".utf8)),
        ("\\x5CxE9", Array("\\xE9".utf8)), ("\\x5Cx5C", Array("\\x5C".utf8)), ("\\\\xE9", [0x5C, 0xE9]),
    ])
    func textAndBytesGoBothWays(text: String, bytes: [UInt8]) {
        #expect(String(pathBytes: bytes).hasSameBytes(as: text))
        #expect(text.pathBytes == bytes)
    }

    @Test func anyBytesComeBack() {
        var random = SystemRandomNumberGenerator()
        let alphabet: [UInt8] = [0x5C, 0x78, 0x35, 0x43, 0x45, 0x39, 0xC3, 0xA9, 0xE2, 0x82, 0xAC, 0xF0, 0x9F, 0x2F, 0xFF]
        for _ in 0..<5000 {
            let bytes = (0..<Int.random(in: 0...12)).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            #expect(String(pathBytes: bytes).pathBytes == bytes)
        }
    }

    @Test func noEscapeLeadsElsewhere() {
        for text in ["\\x2F", "\\x2E\\x2E", "\\x00", "\\x0A"] { #expect(text.pathBytes == Array(text.utf8)) }
    }

    @Test func filesOfAnyNameAreFoundAndOpened() throws {
        let directory = try TemporaryDirectory()
        let names: [[UInt8]] = [Array("caf\u{E9}".utf8), Array("cafe\u{301}".utf8), [0x63, 0x61, 0x66, 0xE9], Array("caf\\xE9".utf8)]
        for (index, name) in names.enumerated() {
            let path = (Array(directory.path.utf8) + [0x2F] + name + [0]).map { CChar(bitPattern: $0) }
            let descriptor = Glibc.open(path, O_CREAT | O_WRONLY | O_EXCL, 0o600)
            try #require(descriptor >= 0)
            #expect(write(descriptor, [UInt8](repeating: 0x30, count: index + 1), index + 1) == index + 1)
            close(descriptor)
        }
        let entries = try directoryEntries(directory.path)
        #expect(Set(entries.map(\.pathBytes)) == Set(names) && entries == entries.sortedBytewise())
        for (index, name) in names.enumerated() {
            let path = directory.path(String(pathBytes: name))
            #expect(try InputFile(path: path).byteCount == index + 1)
            #expect(resolvedPath(path)?.pathBytes == resolvedPath(directory.path)?.appendingPath(String(pathBytes: name)).pathBytes)
            try DurableFile.write("new", to: path)
            #expect(isRegularFile(path))
        }
        #expect(try directoryEntries(directory.path).count == 4)
        try createDirectory(directory.path("\\xE4/\\xF6"))
        try DurableFile.write("x", to: directory.path("\\xE4/\\xF6/\\xFC"))
        removeTree(directory.path("\\xE4"))
        #expect(try directoryEntries(directory.path).count == 4)
    }

    @Test func keysAreBytes() {
        let (one, two) = ("\u{E9}.mp4", "e\u{301}.mp4")
        #expect(one == two)
        #expect(Bytewise(one) != Bytewise(two) && Set(texts: [one, two, one]).count == 2)
        #expect([one, two].sortedBytewise().map { Array($0.utf8) } == [Array(two.utf8), Array(one.utf8)])
        // A slash with an accent after it is another Character and the same byte.
        #expect("a/\u{301}b".startsWithBytes(of: "a/") && !"a/\u{301}b".hasPrefix("a/"))
        #expect("a/".appendingPath("\u{301}b").utf8.count == 5)
    }

    @Test func endingsAndStems() {
        #expect("a/b.c.MP4".pathEnding == "mp4" && "a/b.c.MP4".pathStem == "b.c")
        #expect("a.b/c".pathEnding == nil && ".mp4".pathEnding == nil && ".mp4".pathStem == ".mp4")
        #expect("a.\u{301}.mp4".pathEnding == "mp4" && ".\u{301}a".isHiddenName)
    }
}
