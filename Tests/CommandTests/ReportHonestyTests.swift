import Files
import Foundation
import TestSupport
import Testing

/// What a report says of videos that are not the paper's, of mixed folders and of runs that came to nothing.
@Suite(.serialized) struct ReportHonestyTests {
    private let program: Program

    init() throws { program = try Program.withVideos() }

    private func run(_ words: String...) throws {
        let outcome = try program.run(words)
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    private func page(_ name: String) throws -> String { try String(contentsOfFile: program.folder.path(name), encoding: .utf8) }

    private func evaluate(_ labels: String, list: String = "list.txt", to folder: String, _ more: String...) throws {
        let outcome = try program.run(
            ["eval", "--val", list, "--root", ".", "--labels", labels, "--backbone", "clip.safetensors", "--frames", "2", "--output", folder] + more)
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    /// The 51 classes, as HMDB-51's authors list them.
    private static let hmdb = """
        brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword dribble drink eat fall_floor fencing flic_flac golf handstand hit hug \
        jump kick kick_ball kiss laugh pick pour pullup punch push pushup ride_bike ride_horse run shake_hands shoot_ball shoot_bow shoot_gun sit situp \
        smile smoke somersault stand swing_baseball sword sword_exercise talk throw turn walk wave
        """.split(separator: " ")

    private func labels(_ names: [String]) -> String { "id,name\n" + names.enumerated().map { "\($0),\($1)\n" }.joined() }

    @Test func dataSetsAreToldByTheirClassesNotByFolders() throws {
        try program.folder.write(labels(Self.hmdb.map { String($0).replacing("_", with: " ") }), to: "any/names.csv")
        try evaluate("any/names.csv", to: "scores/first")
        try run("report", "scores", "-o", "hmdb.html")
        #expect(try page("hmdb.html").contains("Paper, table 1") && page("hmdb.html").contains("HMDB-51"))
        // As many classes of one's own, in folders that are called like data sets.
        try program.folder.write(labels((0..<51).map { "my move \($0)" }), to: "hmdb51/labels.csv")
        try program.folder.write((0..<10).map { "video\($0).mp4 \($0 % 5)\n" }.joined(), to: "hmdb51/something-ucf-k400.txt")
        try evaluate("hmdb51/labels.csv", list: "hmdb51/something-ucf-k400.txt", to: "own/hmdb51/kinetics-400")
        try run("report", "own", "-o", "own.html")
        #expect(try !page("own.html").contains("Paper, table 1"))
        #expect(try page("own.html").contains("No number of the paper stands beside"))
        #expect(try !page("own.html").contains("compat none"))
    }

    @Test func ownRunsHaveNoPaperHeading() throws {
        try run(
            "learn", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1",
            "--set", "training.warmup_epochs=0", "--output", "runs/all")
        try run(
            "learn", "--train", "train.txt", "--val", "val.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1",
            "--set", "training.warmup_epochs=0", "--shots", "1", "--output", "runs/few")
        try run("report", "runs", "-o", "page.html")
        let html = try page("page.html")
        #expect(!html.contains("Paper, table 4") && !html.contains("Paper, table 3") && !html.contains("Paper, table 7"))
        #expect(html.contains("No number of the paper stands beside all, few") || html.contains("No number of the paper stands beside few, all"))
    }

    /// Folders may be called as the pocket world's are.
    @Test func aNameMakesNoPocketWorld() throws {
        try program.folder.write((0..<10).map { "../video\($0).mp4 \($0 % 5)\n" }.joined(), to: "x.txt")
        try createDirectory(program.folder.path("pocket-videos"))
        for video in 0..<10 {
            try FileManager.default.copyItem(
                atPath: program.folder.path("video\(video).mp4"), toPath: program.folder.path("pocket-videos/video\(video).mp4"))
        }
        try FileManager.default.copyItem(atPath: program.folder.path("list.txt"), toPath: program.folder.path("pocket-videos/list.txt"))
        let outcome = try program(
            "eval", "--val", "pocket-videos/list.txt", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--output", "scores")
        #expect(outcome.status == 0, "\(outcome.messages)")
        try run("report", "scores", "-o", "page.html")
        #expect(try !page("page.html").contains("pocket world"))
    }

    @Test func aRunThatDiedOnItsFirstClipIsShown() throws {
        for name in ["bad0.mp4", "bad1.mp4"] { try program.folder.write("no video, \(name)", to: name) }
        try program.folder.write("bad0.mp4 0\nbad1.mp4 1\n", to: "bad.txt")
        let dead = try program(
            "learn", "--train", "bad.txt", "--val", "val.txt", "--allow-untrained-classes", "--labels", "labels.csv", "--backbone", "clip.safetensors", "--frames", "2", "--epochs", "1",
            "--set", "training.warmup_epochs=0", "--output", "runs/dead")
        #expect(dead.status == 65, "\(dead.messages)")
        try evaluate("labels.csv", to: "runs/scores")
        try run("report", "runs", "-o", "page.html")
        #expect(try page("page.html").contains("dead") && page("page.html").contains("not finished"))
        // Before there was a log, and after a crash between the two.
        try program.folder.write("", to: "runs/dead/metrics.jsonl")
        try FileManager.default.removeItem(atPath: program.folder.path("runs/dead/results.csv"))
        try run("report", "runs", "-o", "again.html")
        #expect(try program("viz", "curves", "runs/dead", "-o", "curves").status == 65)
    }

    // MARK: Many classes

    /// A table with a column for each of very many classes would be zeros for the most part.
    @Test func confusionOfVeryManyClassesIsWrittenAndDrawn() throws {
        try program.folder.write(labels((0..<1100).map { "class \($0)" }), to: "many.csv")
        try evaluate("many.csv", to: "scores")
        let text = try String(contentsOfFile: program.folder.path("scores/confusion.csv"), encoding: .utf8)
        let rows = text.split(separator: "\n")
        #expect(rows.first == "truth,predicted,videos" && rows.count <= 11)
        #expect(rows.dropFirst().reduce(0) { $0 + (Int($1.split(separator: ",")[2]) ?? 0) } == 10)
        let drawn = try program("viz", "confusion", "scores", "-o", "many.svg", "-o", "many.png")
        #expect(drawn.status == 0, "\(drawn.messages)")
        try run("report", "scores", "-o", "page.html")
        // As early programs wrote it, a column a class.
        let names = (0..<1100).map { "c\($0)" }
        let table = (["truth"] + names).joined(separator: ",") + "\n"
            + names.enumerated().map { index, name in ([name] + (0..<1100).map { $0 == (index + 1) % 1100 ? "2" : "0" }).joined(separator: ",") + "\n" }.joined()
        try program.folder.write(table, to: "wide.csv")
        let wide = try program("viz", "confusion", "wide.csv", "-o", "wide.svg")
        #expect(wide.status == 0 && wide.messages.contains("c0 → c1: 2 of 2 videos"), "\(wide.messages)")
    }
}
