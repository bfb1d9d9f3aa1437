import Files
import TestSupport
import Testing

/// Digests, words for people, and paths.
@Suite struct TextTests {
    /// FIPS 180-2, appendix B, and the digest of nothing.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"),
        (String(repeating: "a", count: 1_000_000), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"),
    ])
    func knownDigests(text: String, expected: String) throws {
        #expect(Digest.of(text) == expected)
        let directory = try TemporaryDirectory()
        #expect(try Digest.ofFile(directory.write(text, to: "file")) == expected)
        #expect(try DurableFile.write(text, to: directory.path("other")) == expected)
    }

    @Test func digestOfPieces() throws {
        var digest = Digest()
        for piece in ["ab", "", "c"] { digest.update(Array(piece.utf8)) }
        #expect(digest.hexadecimal == Digest.of("abc"))
        // Asking does not end it.
        digest.update(Array("d".utf8))
        #expect(digest.hexadecimal == Digest.of("abcd"))
        // Longer than one read.
        let directory = try TemporaryDirectory()
        let long = (0..<(1 << 20) + 17).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        #expect(try Digest.ofFile(directory.write(long, to: "long")) == DurableFile.write(long, to: directory.path("copy")))
    }

    @Test(arguments: [
        ("playing drums (cover) [1] & more; ü 漢字 🥁", "playing drums (cover) [1] & more; ü 漢字 🥁"),
        ("\u{1B}[31mred\u{1B}[0m", "\\u{1b}[31mred\\u{1b}[0m"),
        ("a\nb\r\tc\u{7F}\u{9B}2J", "a\\u{a}b\\u{d}\\u{9}c\\u{7f}\\u{9b}2J"),
        // Direction overrides, zero-width space, line separators, a byte order mark.
        ("evil\u{202E}4pm.\u{200B}\u{2028}\u{2029}\u{FEFF}", "evil\\u{202e}4pm.\\u{200b}\\u{2028}\\u{2029}\\u{feff}"),
        ("\u{E000}\u{10FFFF}\0", "\\u{e000}\\u{10ffff}\\u{0}"),
        ("", ""),
    ])
    func hostileNamesAreEscaped(text: String, expected: String) {
        #expect(text.escapedForDisplay == expected)
    }

    @Test(arguments: [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ü", "u", 1)])
    func editDistances(first: String, second: String, expected: Int) {
        #expect(first.editDistance(to: second) == expected)
        #expect(second.editDistance(to: first) == expected)
    }

    @Test func nearestNames() {
        let keys = ["epochs", "epsilon", "batch", "rate"]
        #expect("epoch".nearest(among: keys) == "epochs")
        #expect("EPOCHS".nearest(among: keys) == "epochs")
        #expect("btach".nearest(among: keys) == "batch")
        #expect("completely different".nearest(among: keys) == nil)
        #expect("epoch".nearest(among: []) == nil)
        // Equally near: the answer does not depend on the order of the candidates.
        #expect("cat".nearest(among: ["hat", "bat"]) == "bat")
        #expect("cat".nearest(among: ["bat", "hat"]) == "bat")
    }

    // MARK: Paths

    @Test(arguments: [
        ("a/b/c", "a/b", "c"), ("c", ".", "c"), ("/c", "/", "c"), ("/", "/", "/"), ("a/b/", "a", "b"), ("a//b", "a", "b"),
        ("./c", ".", "c"), ("", ".", ""), ("../c", "..", "c"), ("//c", "/", "c"), ("a/", ".", "a"),
        ("a/\u{301}b", "a", "\u{301}b"), ("ü/ü", "ü", "ü"), ("///", "/", "///"),
    ])
    func partsOfAPath(path: String, parent: String, last: String) {
        #expect(path.parentDirectory == parent)
        #expect(path.lastPathComponent == last)
    }

    @Test func joiningPaths() {
        #expect("a".appendingPath("b") == "a/b")
        #expect("a/".appendingPath("b") == "a/b")
        #expect("".appendingPath("b") == "b")
        #expect("/".appendingPath("b") == "/b")
    }

    @Test func directories() throws {
        let directory = try TemporaryDirectory()
        let deep = directory.path("a/b/c")
        try createDirectory(deep)
        try createDirectory(deep)
        try createDirectory(directory.path("trailing/slash/"))
        #expect(isDirectory(deep) && isDirectory(directory.path("trailing/slash")))
        #expect(try directoryEntries(directory.path) == ["a", "trailing"])
        #expect(throws: FileError(path: directory.path("absent"), problem: .missing)) { _ = try directoryEntries(directory.path("absent")) }
        let file = try directory.write("x", to: "file")
        #expect(fileExists(file) && !isDirectory(file) && !fileExists(directory.path("absent")))
        #expect(throws: FileError(path: file, problem: .cannotCreate(reason: "File exists"))) { try createDirectory(file) }
        // The message names what is in the way.
        #expect(throws: FileError(path: file, problem: .cannotCreate(reason: "File exists"))) { try createDirectory(file + "/below") }
        #expect(throws: FileError.self) { try createDirectory("") }
        #expect(resolvedPath(directory.path("a/../a/b/./c")) == resolvedPath(deep))
        #expect(resolvedPath(directory.path("absent")) == nil)
    }
}
