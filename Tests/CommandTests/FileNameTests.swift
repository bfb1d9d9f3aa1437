import Files
import Foundation
import Glibc
import TestSupport
import Testing
import VideoData

/// Names that differ in Unicode's forms alone, and names that are no UTF-8, from the command line to the answers.
@Suite(.serialized) struct FileNameTests {
    private let program: Program
    /// An é of one character, of two, and of Latin-1.
    private static let names = ["caf\u{E9}.mp4", "cafe\u{301}.mp4", "caf\\xE9.mp4"]

    init() throws { program = try Program() }

    /// A video of its own length.
    private func video(_ name: String, frames: Int) throws {
        try createDirectory(program.folder.path(name).parentDirectory)
        var writer = try VideoWriter(path: program.folder.path("draft.mp4"), width: 48, height: 40, framesPerSecond: 10)
        for frame in 0..<frames {
            try writer.append((0..<48 * 40 * 3).map { UInt8(truncatingIfNeeded: $0 * frames / 7 + frame * 20) })
        }
        try DurableFile.write(writer.finishedBytes(), to: program.folder.path(name))
    }

    private func videos(in folder: String) throws {
        for (index, name) in Self.names.enumerated() { try video("\(folder)/\(name)", frames: 6 + index) }
    }

    private func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map {
            try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
    }

    /// The names as the answers write them, by their bytes.
    private func bytes(_ names: [String]) -> Set<[UInt8]> { Set(names.map { Array($0.utf8) }) }

    private var expected: Set<[UInt8]> { bytes(Self.names.map { "in/" + $0 }) }

    @Test func everyVideoOfAFolderIsAnswered() throws {
        let prompts = try SmallModel().write(to: program).prompts
        try videos(in: "in")
        let answers = try program("predict", "in", "--prompts", prompts, "--json")
        #expect(answers.status == 0, "\(answers.messages)")
        #expect(try bytes(objects(answers.output).compactMap { $0["video"] as? String }) == expected)
        let table = try program("predict", "in", "--prompts", prompts, "--csv")
        #expect(bytes(table.output.split(separator: "\n").dropFirst().map { String($0.split(separator: ",")[0]) }) == expected)
        // One at a time, by its bytes.
        let one = try program.shell("vifi-prompt predict $'in/caf\\xE9.mp4' --prompts \(prompts) --json")
        #expect(try bytes(objects(one.output).compactMap { $0["video"] as? String }) == bytes(["in/caf\\xE9.mp4"]), "\(one.messages)")
        let both = try program("predict", "in/" + Self.names[0], "in/" + Self.names[1], "--prompts", prompts, "--json", "--isolate")
        #expect(try objects(both.output).count == 2, "\(both.messages)")
    }

    @Test func answerLogsTellThemApart() throws {
        let prompts = try SmallModel().write(to: program).prompts
        try videos(in: "in")
        let command = ["predict", "in", "--prompts", prompts, "--output", "a.jsonl"]
        #expect(try program.run(["predict", "in/" + Self.names[1], "--prompts", prompts, "--output", "a.jsonl"]).status == 0)
        #expect(try program.run(command).messages.contains("1 of 3 videos are answered already"))
        let lines = try objects(String(contentsOfFile: program.folder.path("a.jsonl"), encoding: .utf8))
        #expect(lines.count == 3 && bytes(lines.compactMap { $0["video"] as? String }) == expected)
        #expect(try program.run(command).messages.contains("3 of 3 videos are answered already"))
    }

    @Test func listsNameThemByBytes() throws {
        let backbone = try SmallModel().write(to: program).backbone
        try videos(in: "set")
        let lines: [UInt8] = Self.names.enumerated().flatMap { $0.element.pathBytes + Array(" \($0.offset)\n".utf8) }
        try program.folder.write(lines, to: "set/list.txt")
        try program.folder.write("id,name\n0,a\n1,b\n2,c\n", to: "set/labels.csv")
        let scored = try program(
            "eval", "--zero-shot", "--backbone", backbone, "--val", "set/list.txt", "--labels", "set/labels.csv", "--frames", "2", "--output", "e")
        #expect(scored.status == 0, "\(scored.messages)")
        let predictions = try objects(String(contentsOfFile: program.folder.path("e/predictions.jsonl"), encoding: .utf8))
        #expect(bytes(predictions.compactMap { $0["video"] as? String }) == bytes(Self.names))
        let checked = try program("data", "check", "set/list.txt", "--write-good", "set/good.txt")
        #expect(checked.status == 0, "\(checked.output)")
        #expect(try InputFile.contents(of: program.folder.path("set/good.txt"), limit: 1 << 10) == lines)
        // A run keeps the list as it is, and goes on by it.
        let learned = try program(
            "learn", "--train", "set/list.txt", "--labels", "set/labels.csv", "--backbone", backbone, "--frames", "2", "--epochs", "1",
            "--batch-size", "2", "--output", "r")
        #expect(learned.status == 0, "\(learned.messages)")
        #expect(try InputFile.contents(of: program.folder.path("r/split/train.txt"), limit: 1 << 10) == lines)
    }

    @Test func foldersOfThemBecomeLists() throws {
        for (index, name) in Self.names.enumerated() {
            for part in 0..<2 { try video("\\xE9/class\(index)/\(part)-\(name)", frames: 6 + 2 * index + part) }
        }
        let made = try program.shell("vifi-prompt data init $'\\xE9' --output lists")
        #expect(made.status == 0, "\(made.messages)")
        let recipe = try String(contentsOfFile: program.folder.path("lists/recipe.yaml"), encoding: .utf8)
        #expect(recipe.contains("\\\\xE9"))
        let checked = try program.shell("vifi-prompt data check lists/train.txt lists/test.txt --root $'\\xE9'")
        #expect(checked.status == 0 && checked.output.hasSuffix("6 videos, 0 broken, 0 odd\n"), "\(checked.output)\(checked.messages)")
    }

    @Test func messagesAreUTF8() throws {
        let gone = try program.shell("vifi-prompt predict $'gone\\xE9.mp4' --zero-shot 2>&1; vifi-prompt inspect $'gone\\xE9.mp4' 2>&1")
        #expect(gone.output.contains("gone\\xE9.mp4: no such file"))
    }
}
