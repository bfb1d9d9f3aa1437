import Files
import TestSupport
import Testing

import VideoData

/// Videos that published lists name, found on disks that are laid out in other ways.
@Suite struct VideoLookupTests {
    /// - Parameters:
    ///   - videos: on the disk.
    ///   - lists: by name; lines `path label`, the label of one digit.
    /// - Returns: for each list where its videos are; "–" for those that are not there, "?" for those that cannot be told.
    private func located(_ videos: [String], classes: [String] = ["walk", "jump"], _ lists: [(String, [String])]) throws -> [[String]] {
        let folder = try TemporaryDirectory()
        func make(_ video: String) throws -> String {
            try createDirectory(folder.path(video).parentDirectory)
            return video
        }
        for video in videos { try folder.write([UInt8](video.utf8), to: make(video)) }
        let entries = lists.flatMap { part, lines in
            lines.map { line in
                let path = String(line.dropLast(2))
                return VideoLookup.Entry(path: path, label: line.last.flatMap(\.wholeNumberValue), part: part)
            }
        }
        let lookup = VideoLookup(entries, classNames: classes, in: try VideoIndex(root: folder.path))
        return lists.map { part, _ in
            entries.filter { $0.part == part }.map { entry in
                switch lookup.video(entry) {
                case .found(let path): path
                case .missing: "–"
                case .undecided: "?"
                }
            }
        }
    }

    @Test func namesThatMeanOneVideoAreFoundWhereverTheyLie() throws {
        let found = try located(
            ["train/air_drumming/x_000001_000011.mp4", "flat_000000_000010.mkv", "exact/a.avi", "exact/a.mp4", "yoga/notes.txt", ".hidden/h.mp4"],
            classes: ["air drumming", "yoga", "exact"],
            [("train", ["air drumming/x_000001_000011.mp4 0", "yoga/flat_000000_000010.mp4 1", "exact/a.avi 2", "h.mp4 0", "notes.txt 1"])])
        #expect(found == [["train/air_drumming/x_000001_000011.mp4", "flat_000000_000010.mkv", "exact/a.avi", "–", "–"]])
    }

    @Test func anotherClassIsNeverTaken() throws {
        #expect(try located(["jump/0001.mp4"], [("train", ["walk/0001.mp4 0", "jump/0001.mp4 1"])]) == [["–", "jump/0001.mp4"]])
        // The list names no video of that class: its name in the class list says what the folder is.
        #expect(try located(["jump/0001.mp4"], [("train", ["walk/0001.mp4 0"])]) == [["–"]])
        // Folders that no class list knows stand for classes where each has its own label.
        #expect(try located(["jump/0001.mp4"], classes: ["a", "b"], [("train", ["walk/0001.mp4 0", "jump/0002.mp4 1"])]) == [["–", "–"]])
        // Lists without folders: the label says the class.
        #expect(try located(["jump/0001.mp4"], [("train", ["0001.mp4 0"])]) == [["–"]])
        // With another ending, too.
        #expect(try located(["jump/0001.mp4"], [("train", ["walk/0001.avi 0"])]) == [["–"]])
    }

    @Test func theFolderOfTheClassDecides() throws {
        let found = try located(
            ["Walk/7.mkv", "jump_/7.mkv"], classes: ["walk", "jump"], [("train", ["walk/7.avi 0"]), ("val", ["jump/7.avi 1"])])
        #expect(found == [["Walk/7.mkv"], ["jump_/7.mkv"]])
    }

    @Test func anotherSplitIsNeverTaken() throws {
        // Named by the path, and by the list alone.
        #expect(try located(["train/walk/a.mp4"], [("val", ["val/walk/a.mp4 0"])]) == [["–"]])
        #expect(try located(["train/walk/a.mp4"], [("val", ["walk/a.mp4 0"])]) == [["–"]])
        #expect(try located(["val/walk/a.mp4"], [("train", ["walk/a.mp4 0"])]) == [["–"]])
        // A video for each split, of the same name.
        let both = try located(
            ["train/walk/a.mkv", "val/walk/a.mkv"], [("train", ["train/walk/a.mp4 0"]), ("val", ["val/walk/a.mp4 0"])])
        #expect(both == [["train/walk/a.mkv"], ["val/walk/a.mkv"]])
        // Numbered splits test on what others learn from.
        #expect(try located(["train/walk/a.mkv"], [("val2", ["walk/a.mp4 0"])]) == [["train/walk/a.mkv"]])
    }

    @Test func ambiguityIsNotGuessedAt() throws {
        // Several videos for one line.
        #expect(try located(["a/walk/1.mp4", "b/walk/1.mp4"], [("train", ["walk/1.mp4 0", "jump/2.mp4 1"])]) == [["?", "–"]])
        #expect(try located(["a/78.webm", "b/78.webm"], [("train", ["78.webm 0"])]) == [["?"]])
        // The same name and ending decides among endings in one folder only.
        #expect(try located(["x/walk/3.avi", "x/walk/3.mp4"], [("train", ["walk/3.avi 0", "jump/9.avi 1"])]) == [["x/walk/3.avi", "–"]])
        #expect(try located(["x/walk/4.avi", "x/walk/4.mp4"], [("train", ["walk/4.webm 0", "jump/9.avi 1"])]) == [["?", "–"]])
    }

    @Test func oneVideoIsNotTakenForTwo() throws {
        #expect(try located(["walk/1.mkv"], [("train", ["walk/1.avi 0"]), ("val", ["walk/1.mp4 0"])]) == [["?"], ["?"]])
        // What one line names by its own path is no other line's.
        #expect(try located(["walk/2.mp4"], [("train", ["walk/2.mp4 0"]), ("val", ["walk/2.avi 0"])]) == [["walk/2.mp4"], ["–"]])
        #expect(try located(["3.mp4"], [("train", ["walk/3.mp4 0", "jump/3.mp4 1"])]) == [["–", "–"]])
    }

    @Test func videosInOneFolderAreFoundByTheirIds() throws {
        let found = try located(
            ["videos/v_walk_g01.avi", "videos/v_jump_g02.avi"], [("train1", ["walk/v_walk_g01.mp4 0"]), ("val1", ["jump/v_jump_g02.mp4 1"])])
        #expect(found == [["videos/v_walk_g01.avi"], ["videos/v_jump_g02.avi"]])
        // Of one class alone the name must tell, since the folder might stand for another one.
        let alone = try located(
            ["store/v_run_g03_c01.avi", "store/0007.avi"], classes: ["run", "sit"],
            [("train", ["run/v_run_g03_c01.mp4 0", "run/0007.mp4 0", "sit/a.mp4 1"])])
        #expect(alone == [["store/v_run_g03_c01.avi", "–", "–"]])
        // A folder that is every line's says nothing about classes.
        #expect(try located(["clips/77.webm"], [("train", ["20bn/77.webm 0"])]) == [["clips/77.webm"]])
    }

    @Test func namesAreBytes() throws {
        // é as one character and as two: two files.
        #expect(try located(["walk/\u{E9}.mp4"], [("train", ["walk/e\u{301}.mp4 0", "jump/0.mp4 1"])]) == [["–", "–"]])
        let two = try located(["jump/\u{E9}.mp4", "jump/e\u{301}.mp4"], [("train", ["jump/\u{E9}.avi 1", "jump/e\u{301}.avi 1", "walk/0.mp4 0"])])
        #expect(two[0].map { Array($0.utf8) } == [Array("jump/\u{E9}.mp4".utf8), Array("jump/e\u{301}.mp4".utf8), Array("–".utf8)])
    }
}
