import Files
import Foundation
import Testing

import VideoData

@Suite struct ClassFolderTests {
    @Test func namesWhatIsPassedOver() throws {
        let folder = try TemporaryFolder()
        for name in ["walk/a.mp4", "walk/b.AVI", "walk/notes.txt", "run/c.webm", "empty/readme.md", "list.txt", ".git/x.mp4", "walk/.x.mp4", "run/deep.mp4/y"] {
            try folder.write(name, "x")
        }
        let found = try ClassFolders(root: folder.path)
        #expect(found.classes.names == ["run", "walk"])
        #expect(found.clips.map(\.path) == ["run/c.webm", "walk/a.mp4", "walk/b.AVI"] && found.clips.map(\.label) == [0, 1, 1])
        #expect(found.emptyFolders == ["empty"] && found.valClips == nil)
        #expect(found.otherFiles == ["empty/readme.md", "walk/notes.txt"])
        #expect(found.innerFolders == ["run/deep.mp4"])
    }

    @Test func linksToNothingAndFIFOsAreNoVideos() throws {
        let folder = try TemporaryFolder()
        try folder.write("walk/a.mp4", "x")
        symlink("a.mp4", folder.path + "/walk/link.mp4")
        symlink("gone.mp4", folder.path + "/walk/none.mp4")
        mkfifo(folder.path + "/walk/pipe.mp4", 0o600)
        let found = try ClassFolders(root: folder.path)
        #expect(found.clips.map(\.path) == ["walk/a.mp4", "walk/link.mp4"])
        #expect(found.otherFiles == ["walk/none.mp4", "walk/pipe.mp4"])
    }

    @Test(arguments: ["val", "test", "Validation"])
    func keepsADivision(second: String) throws {
        let folder = try TemporaryFolder()
        for name in ["train/walk/a.mp4", "train/run/b.mp4", "\(second)/walk/c.mp4", "\(second)/yoga/d.mp4"] { try folder.write(name, "x") }
        let found = try ClassFolders(root: folder.path)
        #expect(found.classes.names == ["run", "walk", "yoga"] && found.isDivided)
        #expect(found.clips == [AnnotatedClip(path: "train/run/b.mp4", label: 0), AnnotatedClip(path: "train/walk/a.mp4", label: 1)])
        let clips = [AnnotatedClip(path: "\(second)/walk/c.mp4", label: 1), AnnotatedClip(path: "\(second)/yoga/d.mp4", label: 2)]
        #expect(found.valClips == (second == "test" ? nil : clips) && found.testClips == (second == "test" ? clips : nil))
    }

    /// Classes may well be called so, as long as others stand beside them.
    @Test func trainMayBeAClass() throws {
        let folder = try TemporaryFolder()
        for name in ["train/a.mp4", "bus/b.mp4", "test/c.mp4"] { try folder.write(name, "x") }
        #expect(try ClassFolders(root: folder.path).classes.names == ["bus", "test", "train"])
    }

    @Test func refusesNamesWithLineBreaksAndEmptyFolders() throws {
        let folder = try TemporaryFolder()
        #expect(datasetProblem { _ = try ClassFolders(root: folder.path) }?.problem == .noClassFolders)
        try folder.write("walk/a\n.mp4", "x")
        #expect(datasetProblem { _ = try ClassFolders(root: folder.path) }?.problem == .lineBreakInName("walk/a\n.mp4"))
    }
}

@Suite struct ThreeWaySplitTests {
    private func clips(_ counts: [Int]) -> [AnnotatedClip] {
        counts.enumerated().flatMap { label, count in (0..<count).map { AnnotatedClip(path: "\(label)/\($0).mp4", label: label) } }
    }

    private func split(
        _ counts: [Int], _ val: ThreeWaySplit.Amount, _ test: ThreeWaySplit.Amount, seed: UInt64 = 1
    ) throws -> ThreeWaySplit {
        try ThreeWaySplit(
            clips(counts), classes: ClassNames(counts.indices.map { "c\($0)" }), val: val, test: test, seed: seed, path: "x")
    }

    private func counts(_ clips: [AnnotatedClip], of classes: Int) -> [Int] { (0..<classes).map { label in clips.count { $0.label == label } } }

    @Test func partsAreWholeAndApart() throws {
        let parts = try split([10, 3, 2, 1, 40], .share(0.2), .share(0.1))
        #expect(counts(parts.test, of: 5) == [1, 1, 1, 0, 4])
        #expect(counts(parts.val, of: 5) == [2, 1, 0, 0, 8])
        let all = parts.train + parts.val + parts.test
        #expect(all.count == 56 && Set(all) == Set(clips([10, 3, 2, 1, 40])))
        #expect(parts.train.map(\.label) == parts.train.map(\.label).sorted())
        #expect(parts.warnings == [.untestedClasses(names: ["c3"]), .unvalidatedClasses(names: ["c2"])])
    }

    @Test func countsAndShares() throws {
        #expect(try split([10, 3], .count(4), .count(0)).val.map(\.label) == [0, 0, 0, 0, 1, 1])
        #expect(try counts(split([10, 3], .count(1), .count(4)).test, of: 2) == [4, 2])
        #expect(try split([10], .share(0), .share(0.99)).train.count == 1)
        #expect(try split([10], .share(0), .share(0)).train.count == 10)
        for (val, test) in [(0.5, 0.5), (1, 0), (-1, 0), (.nan, 0.1), (0.2, .infinity)] as [(Double, Double)] {
            #expect(throws: DatasetError.self) { try split([10], .share(val), .share(test)) }
        }
        #expect(throws: DatasetError.self) { try split([10], .count(-1), .share(0)) }
    }

    @Test func followsTheSeedAndNotOtherClasses() throws {
        let one = try split([30, 5], .share(0.3), .share(0.3))
        let same = try split([30, 5], .share(0.3), .share(0.3))
        #expect(same.val == one.val && same.test == one.test)
        #expect(try split([30, 5], .share(0.3), .share(0.3), seed: 2).test != one.test)
        #expect(try split([30, 50], .share(0.3), .share(0.3)).val.filter { $0.label == 0 } == one.val.filter { $0.label == 0 })
        // What is scored does not depend on whether anything is chosen.
        #expect(try split([30, 5], .share(0), .share(0.3)).test == one.test)
    }
}
