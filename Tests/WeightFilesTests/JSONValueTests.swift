import Files
import TestSupport
import Testing
import WeightFiles

@Suite struct JSONValueTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func read(_ text: String) throws -> JSONValue {
        try JSONValue.read(directory.write(text, to: "file.json"), byteLimit: 1 << 20)
    }

    @Test func allKinds() throws {
        let value = try read(
            " {\"a\": [1, -0.5e+3, 18446744073709551615, 1e-300], \"b\": {\"\": null}, \"c\\n\": true, \"d\":false, \"e\":\"\\u00fc\\ud83e\\udd41\"}\n")
        #expect(
            value == .object([
                "a": .list([.number("1"), .number("-0.5e+3"), .number("18446744073709551615"), .number("1e-300")]),
                "b": .object(["": .null]), "c\n": .truth(true), "d": .truth(false), "e": .text("ü🥁"),
            ]))
        // What is written is read again.
        #expect(try read(value.serialized) == value)
        #expect(JSONValue.object(["b": .list([]), "a": .text("\"\\\u{1}")]).serialized == "{\n  \"a\": \"\\\"\\\\\\u0001\",\n  \"b\": []\n}")
    }

    @Test(arguments: [
        "", "  ", "{", "[1,]", "{\"a\":1,}", "{\"a\" 1}", "{a: 1}", "'a'", "nul", "tru e", "01", "-", "1.", ".5", "1e", "+1", "NaN",
        "Infinity", "\"\\x\"", "\"\u{1}\"", "\"\\ud800\"", "1 2", "{}}", "// c\n{}", "\u{FEFF}{}", "0x1",
    ])
    func notJSON(_ text: String) throws {
        #expect(throws: WeightFileError.self, "\(text)") { _ = try read(text) }
    }

    @Test func whatIsRefused() throws {
        func problem(_ text: String) throws -> WeightFileError.Problem? {
            do { _ = try read(text) } catch let error as WeightFileError { return error.problem }
            return nil
        }
        #expect(try problem("{\"a\": 1, \"\\u0061\": 2}") == .duplicateName("a"))
        #expect(try problem(String(repeating: "[", count: 17)) == .syntax(offset: 16, expected: "a value that is not nested so deeply"))
        #expect(try problem(String(repeating: "{\"a\":", count: 100_000)) != nil)
        #expect(try problem("<!DOCTYPE html>") == .lookalike(.webPage))
        try directory.write([0x22, 0xFF, 0x22], to: "file.json")
        #expect(throws: WeightFileError.self) { _ = try JSONValue.read(directory.path("file.json"), byteLimit: 100) }
        #expect(throws: WeightFileError.self) { _ = try JSONValue.read(directory.path("file.json"), byteLimit: 2) }
    }
}
