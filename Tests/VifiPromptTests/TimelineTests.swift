import TestSupport
import Testing
import VifiPrompt

@Suite struct VideoTimelineTests {
    let world: TinyWorld
    let backbone: LoadedBackbone
    let prompts: LearnedPrompts

    init() throws {
        world = try TinyWorld()
        backbone = try LoadedBackbone(path: world.backbonePath)
        prompts = try LearnedPrompts(path: world.promptPath)
    }

    /// The video has eleven frames at 12 a second.
    @Test func oneWindowIsTheWholeVideo() throws {
        let classifier = try VideoClassifier(backbone: backbone, prompts: prompts)
        let scores = try classifier.classify(video: world.videoPath)
        for length in [VideoLength.frames(11), .seconds(11.0 / 12)] {
            var seconds: [Double] = []
            let timeline = try classifier.timeline(of: world.videoPath, window: length, onProgress: { seconds.append($0); return true })
            #expect(timeline.classNames == TinyWorld.names && timeline.windows.count == 1)
            #expect(abs(timeline.seconds - 11.0 / 12) < 1e-3 && seconds.last == timeline.seconds)
            #expect(timeline.windows[0].scores.map(\.label) == scores.map(\.label))
            for (one, other) in zip(timeline.windows[0].scores, scores) {
                expectClose(one.probability, other.probability, tolerance: 1e-4)
            }
            let segments = timeline.segments()
            #expect(segments.count == 1 && segments[0].name == scores[0].name && segments[0].label == scores[0].label)
            #expect(timeline.segments(threshold: 1).map(\.name) == [nil])
            #expect(timeline.subRip().contains("\(scores[0].name) (") && timeline.webVTT(threshold: 1) == "WEBVTT\n\n")
        }
    }

    @Test func classifiersShareAVideo() throws {
        let classifiers = [
            try VideoClassifier(backbone: backbone, prompts: prompts),
            try VideoClassifier(backbone: backbone, classNames: ["up", "down"], frameCount: 6, views: 2),
        ]
        let together = try VideoClassifier.classify(video: world.videoPath, with: classifiers)
        #expect(together == [try classifiers[0].classify(video: world.videoPath), try classifiers[1].classify(video: world.videoPath)])
        let timelines = try VideoClassifier.timelines(of: world.videoPath, with: classifiers.reversed(), window: .frames(4), stride: .frames(2))
        #expect(timelines.map(\.classNames) == [["up", "down"], TinyWorld.names])
        // At 0, 2, 4, 6, and one that ends with the video.
        #expect(timelines.map(\.windows.count) == [5, 5])
        #expect(timelines[0].smoothed(over: 2).windows.count == 5)
    }

    @Test func noneIsAnAnswer() throws {
        let scores = try VideoClassifier(backbone: backbone, prompts: prompts).classify(video: world.videoPath)
        #expect(scores.answer() == scores[0] && scores.answer(threshold: 1) == nil)
        #expect([ClassScore]().answer() == nil)
        let told = try VideoClassifier(backbone: backbone, prompts: prompts, noneTexts: ["nothing", "nobody"])
        let rest = try told.classify(video: world.videoPath)
        let sum = rest.reduce(Float(0)) { $0 + $1.probability }
        #expect(rest.count == 4 && sum < 1)
        #expect((rest.answer() == nil) == (1 - sum >= rest[0].probability))
    }

    @Test func wrongRequestsAreRefusedInWords() throws {
        let classifier = try VideoClassifier(backbone: backbone, prompts: prompts)
        func words(_ body: () throws(VifiPromptError) -> Void) -> String {
            do { try body() } catch { return error.description }
            return "no error"
        }
        let video = world.videoPath
        let lengths: [(VideoLength, VideoLength?)] = [
            (.seconds(0), nil), (.seconds(.nan), nil), (.seconds(1), .frames(1)), (.frames(-1), nil),
        ]
        for (window, stride) in lengths {
            #expect(
                words { () throws(VifiPromptError) in _ = try classifier.timeline(of: video, window: window, stride: stride) }
                    == "window and stride must be at least 0.001 seconds or 1 frame, and both in seconds or both in frames.")
        }
        #expect(words { () throws(VifiPromptError) in _ = try VideoClassifier.classify(video: video, with: []) } == "there are no classifiers. Pass at least one.")
        #expect(
            words { () throws(VifiPromptError) in _ = try VideoClassifier.classify(video: video, with: [classifier, classifier]) }
                == "the same classifier is given twice. Pass each one once.")
        #expect(
            words { () throws(VifiPromptError) in _ = try classifier.timeline(of: video, window: .frames(2), onProgress: { _ in false }) }
                == "stopped on request.")
        #expect(
            words { () throws(VifiPromptError) in _ = try classifier.timeline(of: "/none.mp4", window: .frames(2)) }
                == "/none.mp4: no such file. Check the path.")
    }
}
