import Files
import Foundation
import Testing

import VideoData

/// Lists whose lines name parts of videos, and what is read of these.
@Suite struct ClipPartTests {
    private func read(_ text: String, classes: ClassNames? = nil) throws -> AnnotationList {
        let folder = try TemporaryFolder()
        return try AnnotationList.read(try folder.write("list.txt", text), classCount: classes == nil ? 10 : nil, classes: classes)
    }

    private func part(_ start: Double, _ end: Double) throws -> ClipPart { try #require(ClipPart(start: start, end: end)) }

    // MARK: Lists

    @Test(arguments: [
        ("walk/a.mp4 3.2 7.5 3", "walk/a.mp4", 3.2, 7.5, 3),
        ("walk/a.mp4\t3s  7s\t3", "walk/a.mp4", 3, 7, 3),
        ("walk/a.mp4 0:03 1:02:03.25 3", "walk/a.mp4", 3, 3723.25, 3),
        ("walk/clip1 0.0 0.04 0", "walk/clip1", 0, 0.04, 0),
        ("my walk/take 2.mp4 3.0 7.0 3", "my walk/take 2.mp4", 3, 7, 3),
        ("\"walk/a 1.0 2.0\" 3.0 7.0 3", "walk/a 1.0 2.0", 3, 7, 3),
        ("walk/a.mp4 3.00000049 7.5 3", "walk/a.mp4", 3, 7.5, 3),
    ])
    func readsParts(text: String, path: String, start: Double, end: Double, label: Int) throws {
        #expect(try read(text).clips == [AnnotatedClip(path: path, label: label, part: try part(start, end))])
    }

    @Test func namesOfClassesFollowTheTimes() throws {
        let classes = ClassNames(["ride bike", "bike"])
        #expect(try read("a.mp4 3.0 7.5 ride bike\na.mp4 8.0 9.0 bike\nb.mp4 bike\n", classes: classes).clips == [
            AnnotatedClip(path: "a.mp4", label: 0, part: try part(3, 7.5)), AnnotatedClip(path: "a.mp4", label: 1, part: try part(8, 9)),
            AnnotatedClip(path: "b.mp4", label: 1),
        ])
    }

    @Test(arguments: [
        ("a.mp4 3 7.5 2", DatasetError.Problem.oneTimeUnmarked("3", "7.5")),
        ("walk/take 2.5 120 3", .oneTimeUnmarked("2.5", "120")),
        ("a.mp4 3 7 2", .severalNumbers("a.mp4 3 7 2")),
        ("a.mp4 7.5 3.2 2", .endsBeforeStart("7.5", "3.2")),
        ("a.mp4 3.2 3.2 2", .endsBeforeStart("3.2", "3.2")),
        ("a.mp4 3.2 3.2000001 2", .endsBeforeStart("3.2", "3.2000001")),
        ("a.mp4 -1.0 3.2 2", .timeOutOfRange("-1.0")),
        ("a.mp4 1.0 inf 2", .timeOutOfRange("inf")),
        ("a.mp4 nan 2.0 2", .timeOutOfRange("nan")),
        ("a.mp4 0.0 \(String(repeating: "9", count: 400)).0 2", .timeOutOfRange(String(repeating: "9", count: 400) + ".0")),
        ("a.mp4 3.2 7.5 10", .labelOutOfRange(label: 10, classCount: 10)),
        ("../a.mp4 3.2 7.5 1", .leavesRoot("../a.mp4")),
    ])
    func refusesWithTheLine(text: String, problem: DatasetError.Problem) {
        let found = datasetProblem { _ = try read("fine.mp4 0\n\(text)\n") }
        #expect(found?.problem == problem && found?.line == 2, "\(String(describing: found))")
    }

    @Test func wordsNameTheRemedy() {
        func words(_ problem: DatasetError.Problem) -> String { DatasetError(path: "l.txt", line: 2, problem: problem).description }
        #expect(words(.oneTimeUnmarked("3", "7.5")) == """
            l.txt:2: of '3' and '7.5' one is written as a time and one as a number of frames. Write the times of a part with a decimal point, \
            `path 3.0 7.5 label`; put a path that ends in a number in double quotes.
            """)
        #expect(words(.endsBeforeStart("7.5", "3.2")).contains("ends at '3.2', which is not after its start at '7.5'"))
    }

    @Test func numbersOfFramesAreOfWholeVideos() {
        for text in ["a.mp4 120 1\nb.mp4 1.0 2.0 1\n", "a.mp4 1.0 2.0 1\nb.mp4 120 1\n"] {
            let found = datasetProblem { _ = try read(text) }
            #expect(found?.problem == .partAmongCounts && found?.line == 2)
        }
    }

    @Test func tablesHaveColumns() throws {
        let expected = [AnnotatedClip(path: "a b.mp4", label: 2, part: try part(3, 7.5)), AnnotatedClip(path: "c.mp4", label: 1)]
        #expect(try read("path,start,end,label\na b.mp4,3,7.5,2\nc.mp4,,,1\n").clips == expected)
        #expect(try read("label,video,end_time,start_time\n2,a b.mp4,0:07.5,0:03\n1,c.mp4,,\n").clips == expected)
        #expect(try read("a b.mp4,3.0,7.5,2\n").clips == [expected[0]])
        #expect(datasetProblem { _ = try read("path,start,end,label\na.mp4,3,x,2\n") }?.problem == .noTime("x"))
        #expect(datasetProblem { _ = try read("path,start,end,label\na.mp4,3,,2\n") }?.problem == .noTime(""))
        #expect(datasetProblem { _ = try read("path,frames,start,end,label\na.mp4,30,3,4,2\n") }?.problem == .partAmongCounts)
    }

    /// What is written is read back, whatever paths look like.
    @Test func writtenListsAreReadBack() throws {
        let paths = ["a.mp4", "take 2.mp4", "a 120", "a 1.0 2.0", "a.mp4 1.0 2.0 b.mp4", "\"a", " a", "1.0 2.0", "a 3s", "a 0:03 7"]
        let parts = [nil, try part(0, 0.000_001), try part(1.5, 999_999_999.999_999), try part(3, 4)]
        let clips = paths.flatMap { path in parts.enumerated().map { AnnotatedClip(path: path, label: $0, part: $1) } }
        let folder = try TemporaryFolder()
        for clip in clips {
            let list = try AnnotationList.read(try folder.write("list.txt", AnnotationList.bytes(of: [clip])), classCount: 10)
            #expect(list.clips == [clip], "\(String(decoding: AnnotationList.bytes(of: [clip]), as: UTF8.self))")
        }
        #expect(String(decoding: AnnotationList.bytes(of: [AnnotatedClip(path: "a.mp4", label: 1, part: try part(3, 7.25))]), as: UTF8.self) == "a.mp4 3.0 7.25 1\n")
    }

    @Test func partsThatDifferAreNoRepeats() throws {
        let list = try read("a.mp4 0\na.mp4 0.0 1.0 0\na.mp4 1.0 2.0 3\na.mp4 1.0 2.0 3\na.mp4 0.0 1.00 1\n")
        #expect(list.warnings.map { $0.description.split(separator: "/").last.map(String.init) } == [
            "list.txt:4: 'a.mp4 1.0 2.0' is listed again.", "list.txt:5: 'a.mp4 0.0 1.0' is listed again with another label.",
        ])
    }

    // MARK: Parts of one video in two lists

    @Test func overlappingPartsAreShared() throws {
        let folder = try TemporaryFolder()
        for name in ["a.mp4", "copy.mp4"] { try folder.write(name, "a video") }
        try folder.write("b.mp4", "another video")
        func list(_ name: String, _ text: String) throws -> AnnotationList { try AnnotationList.read(try folder.write(name, text)) }
        let train = try list("train.txt", "a.mp4 0.0 2.0 0\na.mp4 4.0 6.0 0\nb.mp4 0\n")
        func verdict(_ text: String) throws -> String {
            do {
                let warnings = try ListChecks(train: train, validation: try list("val.txt", text)).refuseSharedVideos()
                return warnings.map(\.description).joined().replacing(folder.path + "/", with: "")
            } catch {
                return "refused: \(error)".replacing(folder.path + "/", with: "")
            }
        }
        #expect(try verdict("a.mp4 6.0 7.0 0\na.mp4 5.5 7.0 1\n").hasPrefix("refused: val.txt:2: 'a.mp4 5.5 7.0' overlaps 'a.mp4 4.0 6.0' of train.txt:2. "))
        #expect(try verdict("copy.mp4 1.0 3.0 0\n").hasPrefix("refused: val.txt:1: 'copy.mp4 1.0 3.0' overlaps 'a.mp4 0.0 2.0' of train.txt:1. "))
        #expect(try verdict("a.mp4 0.0 2.0 1\n").hasPrefix("refused: val.txt:1: 'a.mp4 0.0 2.0' is also in train.txt:1. "))
        #expect(try verdict("a.mp4 0\n").hasPrefix("refused: val.txt:1: 'a.mp4' overlaps 'a.mp4 0.0 2.0' of train.txt:1. "))
        #expect(try verdict("b.mp4 1.0 2.0 0\n").hasPrefix("refused: val.txt:1: 'b.mp4 1.0 2.0' overlaps 'b.mp4' of train.txt:3. "))
        #expect(try verdict("a.mp4 2.0 4.0 0\ncopy.mp4 6.0 7.0 0\n") == """
            val.txt:1: 'a.mp4 2.0 4.0' is of the same video as 'a.mp4 0.0 2.0' of train.txt, and so is 1 more clip. Scene and people are the \
            same, so accuracy says less about other videos.
            """)
        #expect(throws: DatasetError.self) { try list("twice.txt", "a.mp4 0.0 2.0 0\na.mp4 1.0 3.0 0\n").refuseRepeatedDraws() }
        #expect(throws: DatasetError.self) { try list("twice.txt", "a.mp4 0.0 2.0 0\ncopy.mp4 1.0 3.0 0\n").refuseRepeatedDraws() }
        try list("apart.txt", "a.mp4 0.0 2.0 0\na.mp4 2.0 3.0 0\ncopy.mp4 3.0 4.0 0\n").refuseRepeatedDraws()
    }

    /// A list that is divided keeps the parts of a video together.
    @Test func dividedListsKeepVideosWhole() throws {
        let clips = try (0..<20).flatMap { video in
            try (0..<5).map { AnnotatedClip(path: "\(video).mp4", label: (video + $0) % 2, part: try part(Double($0), Double($0) + 1)) }
        }
        let split = try ThreeWaySplit(clips, classes: ClassNames(["a", "b"]), val: .share(0.2), test: .share(0.2), seed: 1, path: "list.txt")
        let lists = [split.train, split.val, split.test].map { Set($0.map(\.path)) }
        #expect(lists.map(\.count) == [12, 4, 4] && lists[0].isDisjoint(with: lists[1]) && lists[1].isDisjoint(with: lists[2]) && lists[0].isDisjoint(with: lists[2]))
        #expect(split.train.count + split.val.count + split.test.count == 100)
    }

    /// Each video begins with the same class; the rare one, in the middle of five, is in all three lists.
    @Test func rareClassesLeadTheDraw() throws {
        let clips = try (0..<20).flatMap { video in
            [AnnotatedClip(path: "\(video).mp4", label: 0, part: try part(0, 1))]
                + (video % 4 == 0 ? [AnnotatedClip(path: "\(video).mp4", label: 1, part: try part(1, 2))] : [])
        }
        for seed in UInt64(1)...20 {
            let split = try ThreeWaySplit(clips, classes: ClassNames(["a", "b"]), val: .share(0.2), test: .share(0.2), seed: seed, path: "list.txt")
            #expect([split.train, split.val, split.test].map { list in list.count { $0.label == 1 } } == [3, 1, 1])
            #expect(split.warnings.isEmpty)
        }
    }

    /// Found by times as by a look at all of them.
    @Test func partsMeetAsTheyOverlap() throws {
        let starts = (0..<60).map { Double($0 * 37 % 60) }
        let clips: [ClipPart?] = try starts.enumerated().map { index, start in
            index % 29 == 28 ? nil : try part(start, start + Double(index % 5) * 0.5 + 0.25)
        }
        let lists = [clips.filter { $0 != nil }, clips].map { list in
            AnnotationList(path: "list.txt", root: "", clips: list.map { AnnotatedClip(path: "a.mp4", label: 0, part: $0) })
        }
        for list in lists {
            for tenth in 0..<700 {
                let asked = try part(Double(tenth) / 10, Double(tenth) / 10 + 0.2)
                let meets = list.clips.contains { ClipPart.overlap($0.part, asked) }
                let other = AnnotationList(path: "other.txt", root: "", clips: [AnnotatedClip(path: "a.mp4", label: 0, part: asked)])
                var isRefused = false
                do { try ListChecks(train: list, validation: other).refuseSharedPaths() } catch { isRefused = true }
                #expect(isRefused == meets, "\(tenth)")
            }
        }
    }

    /// A list may name a video and a part of it.
    @Test func linesOfWholeVideosNameNoPart() throws {
        let folder = try TemporaryFolder()
        let list = try AnnotationList.read(try folder.write("list.txt", "a.mp4 0.0 2.0 0\na.mp4 0\n"))
        #expect(list.lines(naming: list.clips[0]) == [1] && list.lines(naming: list.clips[1]) == [2])
    }

    // MARK: Frames

    /// Seconds from the first frame at which `ffprobe` has frames shown.
    private func shownTimes(_ path: String) throws -> [Double] {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_frames", "-show_entries", "frame=pts_time", "-of", "csv=p=0", path]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw MissingProgram(name: "ffprobe", status: process.terminationStatus) }
        let stamps = text.split(whereSeparator: \.isNewline).compactMap { line in line.split(separator: ",").first.flatMap { Double($0) } }
        return stamps.map { $0 - (stamps.first ?? 0) }
    }

    /// The pictures of a part are, to the bit, those of the whole video that are shown in it; of frames at a constant rate,
    /// at an uneven one, with B-frames, and of a file whose stamps begin late.
    @Test(arguments: ["bikes.mp4", "uneven.mp4", "uneven.mkv", "late.ts"])
    func aPartHasTheFramesThatAreShownInIt(_ name: String) throws {
        let folder = try DecodingFolder()
        var path = folder.file(name)
        switch name {
        case "bikes.mp4": path = fixtureVideo(name)
        case "late.ts": try ffmpeg(pattern(96, 64, frames: 50) + ["-c:v", "libx264", "-bf", "2", "-output_ts_offset", "7", path])
        default:
            try ffmpeg(pattern(96, 64, frames: 50) + ["-vf", "setpts='(N+floor(N*N/20))/(25*TB)'", "-vsync", "vfr", "-c:v", "libx264", "-bf", "2", path])
        }
        let times = try shownTimes(path).sorted()
        let length = try #require(times.last) + 0.04
        #expect(times.count > 20)
        var random = TestRandom(state: 5)
        let middle = times[times.count / 2]
        var spans = [(0, length), (0, 0.001), (middle, middle + 0.001), (middle, times[times.count / 2 + 2]), (length - 0.001, length)]
        for _ in 0..<20 {
            let start = Double.random(in: 0..<length - 0.1, using: &random)
            spans.append((start, Double.random(in: start + 0.01..<length, using: &random)))
        }
        let whole = try openVideo(path).frames(at: Array(times.indices))
        for (start, end) in spans {
            let expected = times.indices.filter { frame in
                let next = frame + 1 < times.count ? times[frame + 1] : length
                return times[frame] < end - 0.0005 && next > start + 0.0005
            }
            var count = 0
            let frames = try VideoFileReader().frames(
                of: path, part: try part(start, end),
                choosing: {
                    count = $0
                    return Array(0..<$0)
                }, converting: { $0 })
            #expect(count == expected.count, "\(start) to \(end)")
            #expect(frames.elementsEqual(expected.map { whole[$0] }), "\(start) to \(end)")
        }
    }

    @Test func whatEndsBeforeThePartIsRefused() throws {
        let folder = try DecodingFolder()
        let path = folder.file("a.mp4")
        try ffmpeg(pattern(96, 64, frames: 50) + ["-c:v", "libx264", path])
        let reader = VideoFileReader()
        func count(_ start: Double, _ end: Double) throws -> Int {
            try reader.frames(of: path, part: try part(start, end), choosing: { Array(0..<$0) }, converting: { $0 }).count
        }
        // Players count to the end of the sound, which may be a little longer.
        #expect(try count(1.96, 2) == 1 && count(0, 2.9) == 50)
        for (start, end) in [(2.0, 2.1), (0, 3.1), (7, 8)] {
            let error = #expect(throws: VideoError.self) { try count(start, end) }
            guard case .noSuchPart(let found, let seconds)? = error?.problem else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(try found == part(start, end) && abs(seconds - 2) < 1e-6 && error?.exitStatus == .badData)
        }
        let words = VideoError(path: "a.mp4", problem: .noSuchPart(try part(7, 8.5), seconds: 2)).description
        #expect(words == "a.mp4: has no part from 7.0 to 8.5 seconds; its last frame ends at 2.000. "
            + "Correct the times, which count from the first frame, or the video's name.")
    }

    /// Pictures carry no times: 25 of them are a second, as for time lines.
    @Test func foldersOfFramesHave25ASecond() throws {
        let folder = try DecodingFolder()
        try FileManager.default.createDirectory(atPath: folder.file("clip"), withIntermediateDirectories: true)
        try ffmpeg(pattern(32, 32, frames: 30) + [folder.file("clip/%03d.png")])
        let video = try openVideo(folder.file("clip"))
        #expect(try video.frames(of: try part(0.4, 0.6), path: "clip") == 10..<15)
        #expect(throws: VideoError.self) { try video.frames(of: try part(1.2, 1.4), path: "clip") }
    }

    /// Parts of one video are clips of their own to loader and cache, and a bad part is bad by itself.
    @Test(arguments: [0, 1 << 24])
    func loaderAndCacheTellPartsApart(cacheBytes: Int) throws {
        let folder = try DecodingFolder()
        try ffmpeg(pattern(96, 64, frames: 50) + ["-c:v", "libx264", folder.file("a.mp4")])
        let parts = [try part(0, 0.4), try part(1, 1.4), nil, try part(9, 10), try part(8, 9)]
        let list = AnnotationList(path: "list.txt", root: folder.path, clips: parts.enumerated().map { AnnotatedClip(path: "a.mp4", label: $0, part: $1) })
        var configuration = ClipLoader.Configuration()
        configuration.cacheByteBudget = cacheBytes
        configuration.badVideoPolicy = .skip
        configuration.badVideoShare = 0.5
        let transform = ClipTransform.testing(side: 32)
        let loader = ClipLoader(
            list: list, reader: VideoFileReader(), sampler: FrameSampler(sampleCount: 5), transform: transform, seed: 1, configuration: configuration)
        let whole = try openVideo(folder.file("a.mp4"))
        for _ in 0..<2 {
            let clips = try loader.clips().next(.max)
            #expect(clips.map(\.index) == [0, 1, 2])
            for (clip, indices) in zip(clips, [[1, 3, 5, 7, 9], [26, 28, 30, 32, 34], [5, 15, 25, 35, 45]]) {
                let frames = try whole.frames(at: indices) { transform.shrunk($0) }
                #expect(clip.views == transform.clips(from: frames, key: ClipKey(seed: 1, epoch: 0, clip: clip.index)))
            }
        }
        #expect(loader.badVideos.all.map(\.name) == [list.fullName(list.clips[3]), list.fullName(list.clips[4])])
    }
}
