import Foundation
import Testing

import VideoData

@Suite struct ClassNamesTests {
    private func read(_ text: String, expectedCount: Int? = nil) throws -> ClassNames {
        let folder = try TemporaryFolder()
        return try ClassNames.read(try folder.write("labels.csv", text), expectedCount: expectedCount)
    }

    @Test(arguments: [
        ("id,name\n0,walk\n1,run\n", ["walk", "run"]),
        ("\u{FEFF}id,name\r\n0,walk\r\n1,run", ["walk", "run"]),
        ("id,name\n0,\"Holding a, b\"\n1,\"say \"\"hi\"\"\"\n", ["Holding a, b", "say \"hi\""]),
        ("id,name\n0,\"two\nlines\"\n1,run\n", ["two\nlines", "run"]),
        ("ID, Name \n0, walk \n\n1,run\n\n", ["walk", "run"]),
        ("name,prompt_text,id\nwalk,\"a, b\",0\n", ["walk"]),
        ("id,name\n\"0\",\"walk\"", ["walk"]),
        ("id,name\n0,it's 5\" wide\n", ["it's 5\" wide"]),
    ])
    func reads(text: String, names: [String]) throws {
        let classes = try read(text)
        #expect(classes.names == names && classes.warnings.isEmpty)
    }

    @Test(arguments: [
        ("", DatasetError.Problem.header(found: []), 1 as Int?),
        ("0,walk\n1,run\n", .header(found: ["0", "walk"]), 1),
        ("id,name\n", .noClasses, nil),
        ("id,name\n0,walk\n1,\n", .emptyName, 3),
        ("id,name\n0,\"  \"\n", .emptyName, 2),
        ("id,name\n0,Holding a, b\n", .fieldCount(found: 3, expected: 2), 2),
        ("id,name\n0\n", .fieldCount(found: 1, expected: 2), 2),
        ("id,name\n0,\"a\nb\"\n2,\"c\n", .unclosedQuote, 4),
        ("id,name\n0,\"a\"b\n", .textAfterQuote, 2),
        ("id,name\n0,a\0b\n", .zeroByte, nil),
    ])
    func refuses(text: String, problem: DatasetError.Problem, line: Int?) {
        let found = datasetProblem { _ = try read(text) }
        #expect(found?.problem == problem && found?.line == line)
    }

    @Test func refusesAnotherNumberOfClasses() throws {
        #expect(
            datasetProblem { _ = try read("id,name\n0,a\n", expectedCount: 2) }?.problem
                == .classCount(found: 1, expected: 2))
        #expect(try read("id,name\n0,a\n", expectedCount: 1).count == 1)
    }

    @Test func warnsOfRepeatedNamesAndStrangeIds() throws {
        let classes = try read("id,name\n0,a\n2,b\n1,a\n")
        #expect(
            classes.warnings.map { $0.description.split(separator: "/").last.map(String.init) } == [
                "labels.csv:3: the id differs from the row; classes are numbered by row, from 0.",
                "labels.csv: classes 0 and 2 are both called 'a'; CLIP cannot tell them apart.",
            ])
        #expect(classes.index(of: "a") == 0 && classes.index(of: "b") == 1 && classes.index(of: "c") == nil)
    }

    @Test func writtenNamesReadBack() throws {
        let classes = ClassNames(["plain", "a, b", "say \"hi\"", "two\nlines"])
        #expect(try read(classes.text) == classes)
    }

    @Test func digestTellsListsApart() {
        let lists = [["a", "b"], ["b", "a"], ["ab"], ["a", "b", ""], ["a\n1:b"]]
        #expect(Set(lists.map { ClassNames($0).digest }).count == lists.count)
        // printf '1:a\n1:b\n' | sha256sum
        #expect(ClassNames(["a", "b"]).digest == "700dfd192c1fa8813a20119f60fac69bdaf8fbd38520b4fa5b0a21d00621d59b")
    }
}
