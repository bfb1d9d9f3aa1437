import Files
import Glibc
import TestSupport
import Testing
import Recipes

func makeDirectory(_ path: String) throws { try createDirectory(path) }

/// Damaged and hostile recipes, one test for each rule.
@Suite struct RecipeHostileTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func problems(_ bytes: [UInt8]) throws -> [RecipeError.Problem] {
        let path = try directory.write(bytes, to: "recipe.yaml")
        do {
            _ = try Recipe(path: path)
            return []
        } catch {
            return error.faults.map(\.problem)
        }
    }

    private func problems(_ yaml: String) throws -> [RecipeError.Problem] { try problems(Array(yaml.utf8)) }

    // MARK: What a parser must survive

    /// Y1: nine levels of nine aliases: 400 million values when written out.
    @Test(.timeLimit(.minutes(15)), arguments: ["", "? *a9\n: 1\n", "training: *a9\n", "? [[*a9]]\n: 1\n"])
    func billionLaughs(use: String) throws {
        var yaml = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"
        for level in 1...9 {
            yaml += "a\(level): &a\(level) [\((0..<9).map { _ in "*a\(level - 1)" }.joined(separator: ","))]\n"
        }
        #expect(try problems(yaml + use) == [.anchor])
    }

    /// The anchor stands in a line that looks like a comment, inside quotes, or with odd ends of line.
    @Test(arguments: [
        "a: [ \"\n # \", &x 1, *x]", "a: ['\n # ', &x 1, *x]", "a: \"rock&roll\"", "\r&x a: 1", "a:\u{85}  &x 1",
        "a:\u{2028}  &x 1", "# c\u{2028}&x a: 1", "! &x a: 1", "[&x,*x]", "{&x a: *x}", "?&x a",
    ])
    func hiddenAnchors(yaml: String) throws {
        #expect(try problems(yaml) == [.anchor])
    }

    @Test func ampersandsThatAreNone() throws {
        #expect(try problems("# a > log 2>&1\n  # &x\ntemplate: jump & run {} &\n") == [])
    }

    /// Y2.
    @Test(.timeLimit(.minutes(15)), arguments: ["[", "{a: ", "- ", "? ", "[?"])
    func deepNesting(opening: String) throws {
        let problems = try problems(String(repeating: opening, count: 10_000))
        guard case .syntax = problems.first else {
            Issue.record("expected a syntax error, got \(problems)")
            return
        }
    }

    @Test func nestingAboveTheLimit() throws {
        let deep = String(repeating: "[", count: 16) + String(repeating: "]", count: 16)
        #expect(try problems("a: \(deep)") == [.tooDeep(limit: 16)])
        // One level less is read, and then not wanted.
        #expect(try problems("template: \(deep.dropFirst().dropLast())") == [.needs("text", found: "a list")])
    }

    @Test func tooManyValues() throws {
        let list = [String](repeating: "1", count: 10_000).joined(separator: ",")
        #expect(try problems("a: [\(list)]") == [.tooManyNodes(limit: 10_000)])
    }

    @Test func tooLarge() throws {
        let yaml = "template: x{}" + String(repeating: " ", count: 65_536)
        let path = directory.path("recipe.yaml")
        let resolved = resolvedPath(directory.path) ?? ""
        #expect(
            try problems(yaml) == [
                .file(FileError(path: resolved + "/recipe.yaml", problem: .tooLarge(byteCount: yaml.utf8.count, limit: 65_536)))
            ])
        #expect(fileExists(path))
    }

    /// Y4.
    @Test(arguments: [
        ("a: !!python/object/apply:os.system ['id']", "tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!python/object/apply:os.system id", "tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!str 5", "tag:yaml.org,2002:str"), ("a: !mine \"x\"", "!mine"), ("a: !!map {}", "tag:yaml.org,2002:map"),
        ("--- !!map\na: 1", "tag:yaml.org,2002:map"),
    ])
    func tags(yaml: String, tag: String) throws {
        #expect(try problems(yaml) == [.tag(tag)])
    }

    @Test(arguments: ["[a]: 1", "{a: 1}: 1", "? - x\n: 1", "!!int 5: 1", "!mine a: 1"])
    func keysThatAreNoWords(yaml: String) throws {
        #expect(try problems(yaml) == [.keyIsNotText])
    }

    /// Y8.
    @Test func textThatIsNotUTF8() throws {
        let yaml = "fusion: image\n"
        let utf16 = yaml.utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] }
        #expect(try problems([0xFF, 0xFE] + utf16) == [.holdsNUL])
        #expect(try problems(utf16) == [.holdsNUL])
        #expect(try problems(Array(yaml.utf8) + [0]) == [.holdsNUL])
        #expect(try problems("template: \"a\\0{}\"") == [.needs("one line of text", found: "a\0{}")])
        #expect(try problems([0x61, 0x3A, 0x20, 0xC3]) == [.notUTF8])
        #expect(try problems([0xEF, 0xBB, 0xBF] + Array(yaml.utf8)) == [])
    }

    // MARK: What a recipe must not say

    @Test func duplicateKeys() throws {
        #expect(try problems("fusion: image\nfusion: image") == [.duplicateKey])
        #expect(try problems("fusion: image\n\"fusion\": image") == [.duplicateKey])
        #expect(try problems("training: {epochs: 1, epochs: 1}") == [.duplicateKey])
        let error = #expect(throws: RecipeError.self) { try Recipe(yaml: "\nfusion: image\nfusion: x", source: "r") }
        #expect(error.map { "\($0)" } == "r:2: fusion: is given twice. Keep one.")
    }

    /// Y5.
    @Test func unknownKeysGetTheNearestName() throws {
        #expect(try problems("training: {EPOCH: 3}") == [.unknownKey(nearest: "epochs")])
        #expect(try problems("training: {quux: 3}") == [.unknownKey(nearest: nil)])
        #expect(try problems("<<: {fusion: image}") == [.unknownKey(nearest: nil)])
    }

    /// Y6.
    @Test(arguments: ["8.e-6", "8e-6", "8E-06", "0.000008", ".8e-5", "+8e-6", "0.8e-05"])
    func waysToWriteANumber(text: String) throws {
        #expect(try Recipe(yaml: "training: {learning_rate: \(text)}", source: "r").training.learningRate == 8e-6)
    }

    @Test(arguments: [".nan", "nan", ".inf", "inf", "0x1p3", "1_000", "1,5", "\"1e-3\"", "1e", "e5", ".", "1.2.3", "+"])
    func whatIsNoNumber(text: String) throws {
        let problems = try problems("training:\n  learning_rate: \(text)")
        guard case .needs("a number", _)? = problems.first, problems.count == 1 else {
            Issue.record("\(problems)")
            return
        }
    }

    /// Y7, with the two tests after it.
    @Test(arguments: ["0", "-1", "1000000000000000000", "99999999999999999999999", "65537"])
    func batchSizesOutOfRange(text: String) throws {
        #expect(
            try problems("training: {batch_size: \(text)}") == [.outOfRange(found: text, allowed: "1 to 65536")])
    }

    @Test(arguments: [".nan", "1.0", "1e3", "four", "\"4\"", "0x4", "4_000", "+4"])
    func batchSizesThatAreNoWholeNumbers(text: String) throws {
        let problems = try problems("training: {batch_size: \(text)}")
        guard case .needs("a whole number", _)? = problems.first, problems.count == 1 else {
            Issue.record("\(problems)")
            return
        }
    }

    /// Y7.
    @Test(arguments: ["1e999", "-1e-9", "1001"])
    func ratesOutOfRange(text: String) throws {
        #expect(try problems("training: {learning_rate: \(text)}") == [.outOfRange(found: text, allowed: "0 to 1000")])
    }

    @Test func valuesOfTheWrongKind() throws {
        #expect(try problems("training: 5") == [.needs("a section of keys", found: "5")])
        #expect(try problems("training: [1]") == [.needs("a section of keys", found: "a list")])
        #expect(try problems("- fusion") == [.needs("a section of keys", found: "a list")])
        #expect(try problems("just words") == [.needs("a section of keys", found: "just words")])
        #expect(try problems("augmentation: {multi_scale: yes}") == [.needs("true or false", found: "yes")])
        #expect(try problems("training:\n  epochs:\n  seed: ~\n") == [.noValue, .noValue])
        #expect(try problems("template: \"\"") == [.noValue])
        #expect(try problems("template: |\n  two\n  lines\n") == [.needs("one line of text", found: "two\nlines\n")])
    }

    @Test func documentsThatAreNotOne() throws {
        #expect(try problems("") == [.empty])
        #expect(try problems("# only a comment\n") == [.empty])
        #expect(try problems("fusion: image\n---\nfusion: image\n") == [.severalDocuments])
        for broken in ["a: [1", "a: \"x", "a: b: c", "\tfusion: image", "a: \u{1}", "%FOO\n", "@"] {
            let problems = try problems(broken)
            guard case .syntax? = problems.first, problems.count == 1 else {
                Issue.record("\(broken.debugDescription): \(problems)")
                continue
            }
        }
    }

    // MARK: Bases

    /// Y3, with the two tests after it.
    @Test func basesThatStandOnThemselves() throws {
        #expect(try problems("base: recipe.yaml") == [.baseCycle(path: "recipe.yaml")])
        try directory.write("base: recipe.yaml", to: "b.yaml")
        #expect(try problems("base: b.yaml") == [.baseCycle(path: "recipe.yaml")])
        symlink("recipe.yaml", directory.path("link.yaml"))
        #expect(try problems("base: link.yaml") == [.baseCycle(path: "link.yaml")])
    }

    /// Y3.
    @Test(arguments: ["../../etc/passwd", "/etc/passwd", "../none.yaml", "sub/../../x.yaml", "missing/../../x.yaml"])
    func basesOutside(base: String) throws {
        let root = resolvedPath(directory.path) ?? ""
        try createDirectory(directory.path("sub"))
        #expect(try problems("base: \(base)") == [.baseOutside(path: base, root: root)])
    }

    @Test func linksThatLeadOutside() throws {
        symlink("/etc/passwd", directory.path("link.yaml"))
        symlink("/etc", directory.path("etc"))
        for base in ["link.yaml", "etc/passwd"] {
            #expect(
                try problems("base: \(base)") == [.baseOutside(path: base, root: resolvedPath(directory.path) ?? "")])
        }
    }

    @Test func missingBase() throws {
        let path = (resolvedPath(directory.path) ?? "") + "/none.yaml"
        #expect(try problems("base: none.yaml") == [.file(FileError(path: path, problem: .missing))])
        #expect(try problems("base: [a.yaml]") == [.needs("text", found: "a list")])
    }

    @Test func towersOfBases() throws {
        try directory.write("training: {epochs: 7}", to: "0.yaml")
        for level in 1...8 { try directory.write("base: \(level - 1).yaml", to: "\(level).yaml") }
        #expect(try Recipe(path: directory.path("8.yaml")).training.epochs == 7)
        #expect(try problems("base: 8.yaml") == [.basesTooDeep(limit: 8)])
    }

    @Test func notAFile() throws {
        #expect(throws: RecipeError.self) { try Recipe(path: directory.path("none.yaml")) }
        #expect(throws: RecipeError.self) { try Recipe(path: directory.path) }
        mkfifo(directory.path("fifo"), 0o600)
        #expect(throws: RecipeError.self) { try Recipe(path: directory.path("fifo")) }
    }
}
