import CLIPModel
import Evaluation
import Tensors
import TestSupport
import Testing
import VideoData

@Suite struct TimelineTests {
    /// Windows of 2 s every second, each with the probabilities of two classes.
    private func timeline(_ scores: [[Float]], none: [Float] = []) -> Timeline {
        Timeline(
            seconds: Double(scores.count) + 1,
            windows: scores.enumerated().map { index, classes in
                ScoredWindow(
                    start: Double(index), end: Double(index) + 2,
                    scores: VideoScores(classes: classes, none: none.isEmpty ? 0 : none[index]))
            })
    }

    private func words(_ segments: [TimelineSegment]) -> [String] {
        segments.map { "\($0.start)–\($0.end) \($0.label.map(String.init) ?? "none") \($0.windows)" }
    }

    @Test func neighborsWithOneAnswerAreASegment() {
        let segments = timeline([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.6, 0.4]]).segments()
        #expect(words(segments) == ["0.0–2.5 0 0..<2", "2.5–4.5 1 2..<4", "4.5–6.0 0 4..<5"])
        #expect(zip(segments, [0.8, 0.7, 0.6]).allSatisfy { abs(($0.probability ?? 0) - $1) < 1e-6 })
        #expect(Timeline(seconds: 3, windows: []).segments().isEmpty)
    }

    @Test func unlikelyWindowsAreNoneOfTheClasses() {
        let windows = timeline([[0.9, 0.1], [0.55, 0.45], [0.4, 0.6]])
        #expect(words(windows.segments(RejectionRule(threshold: 0.6))) == ["0.0–1.5 0 0..<1", "1.5–2.5 none 1..<2", "2.5–4.0 1 2..<3"])
        #expect(windows.segments(RejectionRule(threshold: 0.6))[1].probability == nil)
        #expect(words(windows.segments(RejectionRule(threshold: 1))) == ["0.0–4.0 none 0..<3"])
    }

    @Test func textsForNoneWinWhereTheyAreLikelierTogether() {
        let rule = RejectionRule()
        #expect(rule.answer(VideoScores(classes: [0.4, 0.2], none: 0.39)) == 0)
        #expect(rule.answer(VideoScores(classes: [0.3, 0.2], none: 0.5)) == nil)
        #expect(rule.answer(VideoScores(classes: [0.5, 0.5])) == 0)
        #expect(RejectionRule(threshold: 0.5).answer(VideoScores(classes: [0.5, 0.5])) == 0)
    }

    @Test func shortSegmentsGoToTheirLongerNeighbor() {
        let windows = timeline([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.9, 0.1], [0.1, 0.9], [0.1, 0.9]])
        #expect(windows.segments().count == 4)
        #expect(words(windows.segments(minimumSeconds: 1.5)) == ["0.0–4.5 0 0..<4", "4.5–7.0 1 4..<6"])
        #expect(words(windows.segments(minimumSeconds: 100)) == ["0.0–7.0 0 0..<6"])
    }

    @Test func smoothingIsTheMeanAround() {
        let smooth = timeline([[1, 0], [0, 1], [0.5, 0.5], [1, 0]]).smoothed(over: 3)
        let expected: [Float] = [0.5, 0.5, 0.5, 0.75]
        #expect(zip(smooth.windows, expected).allSatisfy { abs($0.scores.classes[0] - $1) < 1e-6 })
    }

    @Test func subtitles() {
        // Each speaks for the time up to halfway to its neighbors: 0–1.5, 1.5–60 and 60–3661.25 s.
        let windows = [(0.0, 2.0, Float(0.8)), (1, 3, 0.5), (117, 119, 0.49)].map { start, end, share in
            ScoredWindow(start: start, end: end, scores: VideoScores(classes: [share, 1 - share]))
        }
        let segments = Timeline(seconds: 3661.25, windows: windows).segments(RejectionRule(threshold: 0.505))
        let names = ["a <b> & c --> d", "two\nlines"]
        #expect(
            TimelineText.subRip(segments, names: names)
                == "1\n00:00:00,000 --> 00:00:01,500\na <b> & c → d (80 %)\n\n2\n00:01:00,000 --> 01:01:01,250\ntwo\\u{a}lines (51 %)\n\n")
        #expect(
            TimelineText.webVTT(segments, names: names)
                == "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\na &lt;b&gt; &amp; c --&gt; d (80 %)\n\n"
                + "00:01:00.000 --> 01:01:01.250\ntwo\\u{a}lines (51 %)\n\n")
        #expect([0, 59.96, 3599.94, 3600, 36_061.5].map(TimelineText.time) == ["0:00.0", "1:00.0", "59:59.9", "1:00:00.0", "10:01:01.5"])
        #expect(["a", "a,b", "a\"b", "", " a"].map(\.csvField) == ["a", "\"a,b\"", "\"a\"\"b\"", "", " a"])
        // With an accent a comma or quote is another character, but the same bytes.
        #expect([",\u{301}", "\"\u{301}"].map(\.csvField) == ["\",\u{301}\"", "\"\"\"\u{301}\""])
    }
}

@Suite struct ThresholdTableTests {
    private let table = ThresholdTable(
        answers: [(0.9, true), (0.8, true), (0.7, false), (0.6, true), (0.3, false)].map {
            ThresholdTable.Answer(probability: $0.0, isCorrect: $0.1)
        }, outsiders: [0.2, 0.65, 0.4, 0.85])

    @Test func rowsCountByHand() {
        let all = table.row(at: 0)
        #expect([all.answered, all.correct, all.fooled] == [5, 3, 4] && all.coverage == 100 && all.accuracy == 60)
        let some = table.row(at: 0.7)
        #expect([some.answered, some.correct, some.fooled] == [3, 2, 1] && some.coverage == 60)
        let none = table.row(at: 0.95)
        #expect([none.answered, none.correct, none.fooled] == [0, 0, 0] && none.accuracy == nil)
    }

    @Test func theLowestThresholdForAnAccuracy() {
        // Of three right and one wrong; just above the outsider at 0.4, which changes nothing among the answers, and 0.3, which does.
        #expect(table.row(reaching: 75)?.row.threshold == 0.3001)
        // 0.65 leaves two right and one wrong.
        #expect(table.row(reaching: 75)?.failing?.accuracy.map { Int($0) } == 66)
        #expect(table.row(reaching: 100)?.row.answered == 2)
        #expect(table.row(reaching: 100)?.row.threshold == 0.7001 && table.row(reaching: 100)?.failing == nil)
        #expect(ThresholdTable(answers: [.init(probability: 0.9, isCorrect: false)]).row(reaching: 50) == nil)
    }

    @Test func mostVideosDealtWithRightly() {
        // Above 0.4: three right answers, and two of four outsiders rejected.
        #expect(table.rowOfMostRight()?.threshold == 0.4001)
        // Nothing is right: best is to answer none.
        let wrong = ThresholdTable(answers: [.init(probability: 0.9, isCorrect: false)], outsiders: [0.95])
        #expect(wrong.rowOfMostRight()?.threshold == 0.9501 && wrong.rowOfMostRight()?.answered == 0)
        #expect(ThresholdTable(answers: []).rowOfMostRight() == nil)
    }
}

/// Windows against the same frames scored as clips of their own.
@Suite struct WindowScoringTests {
    private let folder: TemporaryDirectory
    private let path: String
    private let backbone: Backbone

    init() throws {
        folder = try TemporaryDirectory()
        path = folder.path("video.mp4")
        var writer = try VideoWriter(path: path, width: 48, height: 40, framesPerSecond: 10)
        for index in 0..<57 {
            var pixels: [UInt8] = []
            for pixel in 0..<48 * 40 {
                pixels.append(abs(pixel % 48 - index) < 5 ? 240 : 20)
                pixels.append(UInt8(pixel / 48 * 6))
                pixels.append(UInt8(index * 4))
            }
            try writer.append(pixels)
        }
        try writer.finish()
        let architecture = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 2), text: .init(width: 64, layerCount: 2), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 40, vocabularySize: 258)
        backbone = Backbone(
            architecture: architecture, parameters: BackboneParameters<MutableMatrix>(random: architecture, seed: 3).map(\.reading),
            description: BackboneDescription(name: "tiny", normalization: .clip, tokenizer: .bytes, provenance: "random numbers"))
    }

    private func model(
        frames: Int, fusion: Fusion, crops: Int = 1, names: [String] = ["waving", "sitting", "rowing"], pool: WorkerPool = WorkerPool(threadCount: 2)
    ) throws -> VideoModel {
        let prompts = PromptSet<MutableMatrix>(
            random: PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 0, textDepth: 0), architecture: backbone.architecture,
            seed: 5)
        for element in prompts.all { Tensors.scale(element, by: 40) }
        let classifier = CLIPClassifier(
            backbone: backbone, prompts: prompts.reading,
            sequences: names.map { [256] + $0.utf8.map(Int.init) + [257] }, fusion: fusion, frameCount: frames,
            pool: pool)
        return VideoModel(name: "", classNames: names, classifier: classifier, transform: .testing(side: 32, crops: crops))
    }

    @Test(arguments: [Fusion.embedding, .decision], [1, 3]) func windowsScoreAsTheirFramesDo(fusion: Fusion, crops: Int) throws {
        let model = try model(frames: 4, fusion: fusion, crops: crops)
        let timelines = VideoTimelines(models: [model], window: .frames(16), stride: .frames(8))
        let (made, warnings) = try timelines.timelines(of: path, stream: VideoStream(timelines.request(path)))
        #expect(warnings.isEmpty && made.count == 1)
        let windows = made[0].windows
        // Complete at 0, 8, …, 40, and one more that ends with the video's 57 frames.
        #expect(windows.map(\.start).map { Int(($0 * 10).rounded()) } == [0, 8, 16, 24, 32, 40, 41])
        #expect(abs(made[0].seconds - 5.7) < 1e-6 && windows.last?.end == made[0].seconds)

        var video = try VideoFile(path: path)
        // The last window's moments are those of the grid within it: 42, 46, 50, 54.
        for (window, first) in zip(windows, [2, 10, 18, 26, 34, 42, 42]) {
            let frames = try video.frames(at: [first, first + 4, first + 8, first + 12])
            let views = model.transform.clips(from: frames, key: ClipKey(seed: 0, epoch: 0, clip: 0))
            let expected = try model.scores(views: views)
            for (found, expected) in zip(window.scores.classes, expected.classes) {
                expectClose(found, expected, tolerance: 1e-4, "window at \(window.start) s")
            }
        }
    }

    /// Models that look at a video alike share a pass through the vision tower, and say what each says alone.
    @Test func modelsThatLookAlikeShareAPass() throws {
        let models = [
            try model(frames: 4, fusion: .embedding), try model(frames: 4, fusion: .decision, names: ["a", "b"]), try model(frames: 7, fusion: .embedding),
        ]
        let identities = models.map(\.classifier.encoder.identity)
        #expect(identities[0] == identities[1] && identities[0] != identities[2])
        let video = try PreparedVideo(path: path, models: models, reader: VideoFileReader())
        #expect(try VideoModel.scores(of: video, by: models) == zip(models, video.views).map { try $0.scores(views: $1) })
        let backbone = models[0].classifier.backbone
        let other = MutableMatrix(rows: backbone.projection.rowCount, columns: backbone.projection.columnCount)
        let moved = VideoEncoder(
            backbone: backbone.projecting(through: other.reading), prompts: PromptSet(vision: [], text: []), frameCount: 4, pool: WorkerPool())
        #expect(moved.identity != identities[0])
    }

    /// Videos of several requests in one pass are told what each is told alone, whoever asks beside them.
    @Test func videosThatWaitTogetherShareAPass() throws {
        let models = [
            try model(frames: 4, fusion: .embedding), try model(frames: 4, fusion: .decision, names: ["a", "b"]), try model(frames: 7, fusion: .embedding),
        ]
        let groups = [[models[0], models[2]], [models[1]], [models[2], models[1]]]
        let videos = try groups.map { (video: try PreparedVideo(path: path, models: $0, reader: VideoFileReader()), models: $0) }
        let together = try VideoModel.scores(of: videos).map { try $0.get() }
        #expect(try together == videos.map { try VideoModel.scores(of: $0.video, by: $0.models) })
        #expect(together.map(\.count) == [2, 1, 2] && together[0][1] == together[2][0])
    }

    /// Two models in one pass say what each says alone.
    @Test func modelsDoNotDisturbEachOther() throws {
        let models = [try model(frames: 4, fusion: .embedding), try model(frames: 7, fusion: .decision, names: ["a", "b"])]
        func made(_ models: [VideoModel]) throws -> [Timeline] {
            let timelines = VideoTimelines(models: models, window: .seconds(1.5), stride: .seconds(0.7))
            return try timelines.timelines(of: path, stream: VideoStream(timelines.request(path))).timelines
        }
        let together = try made(models)
        #expect(together.map(\.windows.count) == [7, 7])
        for (index, model) in models.enumerated() {
            let alone = try made([model])[0]
            #expect(alone.windows.map(\.start) == together[index].windows.map(\.start))
            for (one, other) in zip(alone.windows, together[index].windows) {
                for (a, b) in zip(one.scores.classes, other.scores.classes) { expectClose(a, b, tolerance: 1e-5) }
            }
        }
    }

    /// Models that look at windows alike share a pass through the vision tower, and say to the bit what each says alone.
    @Test(arguments: [1, 3]) func windowsOfModelsThatLookAlikeShareAPass(crops: Int) throws {
        let recorder = WorkRecorder()
        let pool = WorkerPool(recording: recorder, as: 2)
        let models = [
            try model(frames: 4, fusion: .embedding, crops: crops, pool: pool), try model(frames: 7, fusion: .embedding, crops: crops, pool: pool),
            try model(frames: 4, fusion: .decision, crops: crops, names: ["a", "b"], pool: pool),
        ]
        /// The parallel loops of the vision tower: texts are computed before, and heads need none.
        func made(_ models: [VideoModel]) throws -> (timelines: [Timeline], loopCount: Int) {
            _ = recorder.taken()
            let timelines = VideoTimelines(models: models, window: .seconds(1.5), stride: .seconds(0.7))
            let made = try timelines.timelines(of: path, stream: VideoStream(timelines.request(path))).timelines
            return (made, recorder.taken().count)
        }
        let alone = try models.map { try made([$0]) }
        #expect(alone.allSatisfy { $0.loopCount > 0 })
        let together = try made(models)
        #expect(together.timelines == alone.map { $0.timelines[0] })
        #expect(together.loopCount == alone[0].loopCount + alone[1].loopCount)
        let alike = try made([models[2], models[0]])
        #expect(alike.timelines == [alone[2].timelines[0], alone[0].timelines[0]] && alike.loopCount == alone[0].loopCount)
    }

    @Test func tooManyWindowsAreRefusedBeforeTheVideoIsRead() throws {
        // 5,700 windows of 20,000 classes.
        let names = (0..<20_000).map { "\($0)" }
        let timelines = VideoTimelines(
            models: [try model(frames: 2, fusion: .embedding, names: names)], window: .seconds(1), stride: .seconds(0.001))
        let error = #expect(throws: PredictionError.self) {
            try timelines.timelines(of: path, stream: VideoStream(timelines.request(path)))
        }
        #expect(error?.description.contains("Choose a longer stride.") == true)
    }
}
