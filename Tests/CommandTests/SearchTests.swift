import Experiments
import Files
import Foundation
import TestSupport
import Testing

/// `embed` and `search`: features of videos for other programs, and videos found by them.
@Suite(.serialized) struct SearchTests {
    private let program: Program

    init() throws {
        var program = try Program.withVideos()
        program.videos = program.folder.path("data")
        self.program = program
    }

    private static let model = ["--backbone", "clip.safetensors", "--frames", "2"]

    private func document(_ arguments: [String]) throws -> SearchDocument {
        let outcome = try program.run(arguments + Self.model + ["--json"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try ResultJSON.decoder.decode(SearchDocument.self, from: Data(outcome.output.utf8))
    }

    private struct SearchDocument: Decodable {
        struct Hit: Decodable, Equatable {
            let rank: Int
            let video: String
            let start: Double?
            let end: Double?
            let cosine: Float
        }
        let query: String
        let isExample: Bool
        let hits: [Hit]
    }

    /// Python's own arithmetic on the archive ranks as `search` does; the example finds itself first.
    @Test func theArchiveRanksAsTheSearchDoes() throws {
        let written = try program.run(["embed", "list.txt", "--labels", "labels.csv", "--output", "list.npz"] + Self.model)
        #expect(written.status == 0, "\(written.messages)")
        let found = try document(["search", "--like", "video3.mp4", "list.txt"])
        #expect(found.isExample && found.hits.first?.video == "video3.mp4" && abs((found.hits.first?.cosine ?? 0) - 1) < 1e-5)
        #expect(found.hits.map(\.rank) == Array(1...found.hits.count))
        let ranking = try ranked(archive: "list.npz", example: "video3.mp4")
        #expect(ranking.map(\.video).first == "video3.mp4" && ranking.count == found.hits.count)
        for (own, hit) in zip(ranking, found.hits) { #expect(abs(own.cosine - Double(hit.cosine)) < 1e-5, "\(hit.video)") }
    }

    private struct Ranked: Decodable {
        let video: String
        let cosine: Double
    }

    /// What Python reads from the archive, ranked by its own arithmetic.
    private func ranked(archive: String, example: String) throws -> [Ranked] {
        let script = NumpyArchiveReading.script + """

            archive = arrays(sys.argv[1])
            (count, width), rows = matrix(archive, "embeddings")
            _, names = archive["names"]
            assert archive["labels"][0][0] == count == len(names)
            assert json.loads(archive["header"][1][0])["frames"] == 2
            dot = lambda a, b: sum(x * y for x, y in zip(a, b))
            query = rows[names.index(sys.argv[2])]
            cosines = [dot(row, query) / (dot(row, row) * dot(query, query)) ** 0.5 for row in rows]
            order = sorted(range(count), key=lambda i: -cosines[i])
            print(json.dumps([{"video": names[i], "cosine": cosines[i]} for i in order]))
            """
        return try JSONDecoder().decode([Ranked].self, from: NumpyArchiveReading.run(script, [program.folder.path(archive), example]))
    }

    /// The second search, whatever it looks for, reads no video; answers are the same.
    @Test func aWarmSearchReadsNoVideo() throws {
        let cold = try document(["search", "waving", "list.txt", "--window", "4f"])
        #expect(cold.hits.count > 10 && cold.hits.allSatisfy { $0.start != nil && $0.end != nil })
        let warm = try program.run(["search", "waving", "list.txt", "--window", "4f", "--save", "hits.csv", "--save", "{}.srt"] + Self.model)
        #expect(warm.status == 0 && !warm.messages.contains("search:"), "\(warm.messages)")
        #expect(try document(["search", "waving", "list.txt", "--window", "4f"]).hits == cold.hits)
        let lines = try String(contentsOfFile: program.folder.path("hits.csv"), encoding: .utf8).split(separator: "\n")
        #expect(lines.count == cold.hits.count + 1 && lines[0] == "rank,cosine,start,end,video")
        let first = try #require(cold.hits.first).video.pathStem
        #expect(try String(contentsOfFile: program.folder.path("\(first).srt"), encoding: .utf8).contains("waving, cosine "))
        // Nothing is overwritten unasked.
        #expect(try program.run(["search", "waving", "list.txt", "--window", "4f", "--save", "hits.csv"] + Self.model).status == 74)
    }

    @Test func whatCannotBeSearchedIsSaid() throws {
        func refused(_ arguments: String..., status: Int32 = 64) throws -> String {
            let outcome = try program.run(arguments + Self.model)
            #expect(outcome.status == status, "\(arguments): \(outcome.status) \(outcome.messages)")
            return outcome.messages
        }
        #expect(try refused("search", "waving").contains("Pass what to look for and where"))
        #expect(try refused("search", "waving", "list.txt", "--save", "a.srt").contains("subtitles are of windows"))
        #expect(try refused("search", "waving", "list.txt", "--stride", "1s").contains("--stride is about windows"))
        #expect(try refused("embed", "list.txt", "--output", "a.txt").contains(".npz"))
        _ = try refused("search", "--like", "none.mp4", "list.txt", status: 66)
        try program.folder.write("not a video", to: "junk/a.mp4")
        #expect(try refused("embed", "junk", "--output", "a.npz", status: 65).contains("a.mp4"))
        #expect(!fileExists(program.folder.path("a.npz")))
        try createDirectory(program.folder.path("empty"))
        #expect(try refused("search", "waving", "empty", status: 66).contains("no videos in it"))
    }
}
