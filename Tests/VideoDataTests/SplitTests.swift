import Files
import Foundation
import Testing

import VideoData

@Suite struct ListFolderTests {
    /// The last file has a folder in its place.
    @Test func allFilesOrNone() throws {
        let folder = try TemporaryFolder()
        try folder.write("train.txt", "old")
        try folder.write("split.json/x", "x")
        var files = ListFolder(folder.path)
        _ = files.add("train.txt", "new")
        _ = files.add("labels.csv", "new")
        _ = files.add("split.json", "new")
        #expect(throws: FileError.self) { try files.write(isForced: true) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["split.json", "train.txt"])
        #expect(try String(contentsOfFile: folder.path + "/train.txt", encoding: .utf8) == "old")
    }
}

@Suite struct SplitTests {
    /// `counts[c]` clips of class c, the classes taking turns.
    private func list(_ counts: [Int]) -> AnnotationList {
        let clips = (0..<(counts.max() ?? 0)).flatMap { number in
            counts.indices.filter { number < counts[$0] }.map { AnnotatedClip(path: "c\($0)/\(number).mp4", label: $0) }
        }
        return AnnotationList(path: "train.txt", root: "/data", clips: clips)
    }

    private func names(_ count: Int) -> ClassNames { ClassNames((0..<count).map { "class \($0)" }) }

    @Test(arguments: [1, 2, 4, 16])
    func drawsKOfEachClass(shotCount: Int) throws {
        let all = list([20, 30, 16])
        let split = try FewShotSplit(of: all, shotCount: shotCount, classes: names(3), seed: 1)
        #expect((0..<3).map { label in split.clips.count { $0.label == label } } == [Int](repeating: shotCount, count: 3))
        #expect(Set(split.clips).count == split.clips.count && Set(split.clips).isSubset(of: Set(all.clips)))
        #expect(split.warnings.isEmpty)
    }

    @Test func drawsFollowTheSeedAndAreNested() throws {
        func split(_ shotCount: Int, _ seed: UInt64) throws -> Set<AnnotatedClip> {
            Set(try FewShotSplit(of: list([20, 30, 16]), shotCount: shotCount, classes: names(3), seed: seed).clips)
        }
        #expect(try split(4, 1) == split(4, 1))
        #expect(try split(4, 1) != split(4, 2))
        #expect(try split(2, 1).isSubset(of: split(4, 1)))
    }

    /// Clips of one class do not decide which of another are drawn.
    @Test func classesAreDrawnApart() throws {
        let few = try FewShotSplit(of: list([20, 3]), shotCount: 4, classes: names(2), seed: 1)
        let many = try FewShotSplit(of: list([20, 30]), shotCount: 4, classes: names(2), seed: 1)
        #expect(few.clips.filter { $0.label == 0 } == many.clips.filter { $0.label == 0 })
    }

    @Test func warnsOfSmallClasses() throws {
        let split = try FewShotSplit(of: list([5, 2, 0]), shotCount: 4, classes: names(3), seed: 1)
        #expect(split.clips.count == 6)
        #expect(
            split.warnings.map(\.description) == [
                "fewer than 4 clips in class 1 (2); all of them are used.", "no clips at all in class 2.",
            ])
    }

    @Test func refusesWhatCannotBeDrawn() {
        #expect(
            datasetProblem { _ = try FewShotSplit(of: list([2]), shotCount: 0, classes: names(1), seed: 1) }?.problem
                == .badShotCount(0))
        #expect(
            datasetProblem { _ = try FewShotSplit(of: list([2, 2]), shotCount: 1, classes: names(1), seed: 1) }?.problem
                == .labelOutOfRange(label: 1, classCount: 1))
    }

    @Test func savedListsReadBackWithTheirDigest() throws {
        let folder = try TemporaryFolder()
        let path = folder.path + "/shots.txt"
        let split = try FewShotSplit(of: list([5, 5]), shotCount: 2, classes: names(2), seed: 9)
        let digest = try split.save(to: path)
        #expect(try Digest.ofFile(path) == digest)
        #expect(try AnnotationList.read(path, root: "/data", classCount: 2).clips == split.clips)
    }

    @Test func baseIsTheFrequentHalf() {
        let split = BaseNovelSplit(clipCounts: [5, 9, 1, 7, 3])
        #expect(split.base.members == [0, 1, 3] && split.novel.members == [2, 4])
    }

    /// All 51 classes of HMDB are equally frequent; the published base half is pour ... wave (methods 8.2).
    @Test func tiesGiveThePublishedHalves() {
        let split = BaseNovelSplit(clipCounts: [Int](repeating: 70, count: 51))
        #expect(split.base.members == Array(25...50) && split.novel.members == Array(0...24))
    }

    @Test func halvesAreRenumbered() throws {
        let all = list([5, 9, 1, 7])
        let split = try BaseNovelSplit(of: all, classCount: 4)
        #expect(split.base.members == [1, 3])
        #expect(split.base.names(of: names(4)).names == ["class 1", "class 3"])
        let clips = split.base.clips(of: all.clips)
        #expect(clips.count == 16 && clips.allSatisfy { ($0.label == 0) == $0.path.hasPrefix("c1/") })
        #expect(clips.allSatisfy { $0.label < 2 })
        #expect(datasetProblem { _ = try BaseNovelSplit(of: all, classCount: 1) }?.problem == .tooFewClasses(1))
    }

    @Test func foldersBecomeClasses() throws {
        let folder = try TemporaryFolder()
        for name in ["walk/b.mp4", "walk/a b.MOV", "run/x.webm", "run/notes.txt", "empty/readme.md", ".git/a.mp4"] {
            try folder.write(name, "x")
        }
        let found = try ClassFolders(root: folder.path)
        #expect(found.classes.names == ["run", "walk"] && found.emptyFolders == ["empty"])
        #expect(found.clips.map(\.path) == ["run/x.webm", "walk/a b.MOV", "walk/b.mp4"])
        #expect(found.clips.map(\.label) == [0, 1, 1])
        #expect(datasetProblem { _ = try ClassFolders(root: folder.path + "/empty") }?.problem == .noClassFolders)
    }
}
