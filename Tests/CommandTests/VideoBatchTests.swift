import Files
import Foundation
import TestSupport
import Testing

/// Many videos: where their time lines go, and how a command ends that could not read all of them.
@Suite(.serialized) struct VideoBatchTests {
    private let program: Program
    private let prompts: String

    init() throws {
        program = try Program.withVideos()
        prompts = try SmallModel().write(to: program).prompts
    }

    private func video(_ name: String) throws {
        let path = program.folder.path(name)
        try createDirectory(path.parentDirectory)
        try FileManager.default.copyItem(atPath: program.folder.path("video1.mp4"), toPath: path)
    }

    private func predict(_ words: String...) throws -> Program.Outcome { try program.run(["predict"] + words + ["--prompts", prompts]) }

    @Test func namesThatMeetAreFoundBeforeTheWork() throws {
        for name in ["in/a/x.mp4", "in/b/x.mp4", "in/b/y.mp4"] { try video(name) }
        let outcome = try predict("in", "--recursive", "--window", "2f", "--save", "out/{}.srt")
        #expect(outcome.status == 64 && outcome.output == "" && outcome.messages.contains("in/a/x.mp4 and in/b/x.mp4"), "\(outcome.messages)")
        #expect(outcome.messages.contains("{dir}") && !fileExists(program.folder.path("out")))
        // By their folders they can be told apart.
        #expect(try predict("in", "--recursive", "--window", "2f", "--save", "{dir}/{}.srt").status == 0)
        #expect(fileExists(program.folder.path("in/a/x.srt")) && fileExists(program.folder.path("in/b/x.srt")))
        // What is there is found as early.
        let again = try predict("in/b", "--window", "2f", "--save", "{dir}/{}.srt")
        #expect(again.status == 74 && again.output == "", "\(again.messages)")
        // In one folder {dir} does not help, and is not advised.
        try video("in/b/y.mkv")
        let both = try predict("in/b", "--window", "2f", "--save", "{dir}/{}.vtt")
        #expect(both.status == 64 && both.messages.contains("Rename one of them") && !fileExists(program.folder.path("in/b/x.vtt")), "\(both.messages)")
        // Two ways of writing one path, and the file of the answers itself.
        #expect(try predict("video1.mp4", "--window", "2f", "--save", "t.srt", "--save", "./t.srt").status == 64)
        #expect(try predict("video1.mp4", "--window", "2f", "--save", "t.json", "--output", "t.json").status == 64)
    }

    /// Folders that may not be read hold videos that nobody answered.
    @Test(.enabled(if: geteuid() != 0, "root may read every folder"))
    func closedFoldersEndTheCommand() throws {
        try video("in/a.mp4")
        try video("in/closed/b.mp4")
        chmod(program.folder.path("in/closed"), 0)
        defer { chmod(program.folder.path("in/closed"), 0o755) }
        let outcome = try predict("in", "--recursive")
        #expect(outcome.status == 66 && outcome.messages.contains("1 folder could not be read"), "\(outcome.messages)")
        #expect(outcome.output.contains("in/a.mp4"))
    }
}
