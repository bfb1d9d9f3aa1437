import CLIPModel
import Evaluation
import Foundation
import Tensors
import TestSupport
import Testing
import VideoData
import VifiPrompt

@Suite struct VideoClassifierTests {
    let world: TinyWorld
    let backbone: LoadedBackbone
    let prompts: LearnedPrompts

    init() throws {
        world = try TinyWorld()
        backbone = try LoadedBackbone(path: world.backbonePath)
        prompts = try LearnedPrompts(path: world.promptPath)
    }

    @Test func readmeShowsTheExampleThatCompilesAndRuns() throws {
        try label(video: world.videoPath, prompts: world.promptPath, backbone: world.backbonePath)

        let tests = URL(filePath: #filePath).deletingLastPathComponent()
        let source = try String(contentsOf: tests.appending(path: "ReadmeExample.swift"), encoding: .utf8)
        let afterBegin = try #require(source.components(separatedBy: "// README BEGIN\n").last)
        let example = try #require(afterBegin.components(separatedBy: "// README END").first)
        let readme = try String(contentsOf: tests.appending(path: "../../README.md"), encoding: .utf8)
        #expect(example.split(separator: "\n", omittingEmptySubsequences: false).count == 27)
        #expect(readme.contains("```swift\n\(example)```\n"))
    }

    @Test func filesSayWhatTheyHold() throws {
        #expect(backbone.name == "tiny" && backbone.imagePixels == 32)
        #expect(backbone.digest == world.backbone.digest && backbone.digest.count == 64)
        #expect(backbone.parameterCount == world.backbone.parameterCount)
        #expect(prompts.classNames == TinyWorld.names && prompts.frameCount == 4)
        #expect(prompts.backboneDigest == backbone.digest && prompts.backboneName == "tiny")
        #expect(prompts.metrics == ["top1": 87.5])
    }

    /// The same numbers step by step from the modules below, with a softmax in `Double`.
    @Test(arguments: [true, false]) func scoresAreThoseOfTheModel(usesPrompts: Bool) throws {
        let classifier = try VideoClassifier(
            backbone: backbone, prompts: usesPrompts ? prompts : nil, classNames: TinyWorld.names, frameCount: 4)
        let scores = try classifier.classify(video: world.videoPath)

        // Eleven frames, four segments of 2.75: their middles.
        var video = try VideoFile(path: world.videoPath)
        let frames = try video.frames(at: [1, 4, 6, 9])
        let clip = ClipTransform.testing(side: 32).clips(from: frames, key: ClipKey(seed: 1, epoch: 0, clip: 0))[0]
        let sequences = TinyWorld.names.map { name -> [Int] in
            let spaced = name.replacingOccurrences(of: "_", with: " ")
            let words = usesPrompts ? "\(spaced)." : "a photo of a \(spaced)."
            return [256] + (usesPrompts ? [0, 0] : []) + words.utf8.map(Int.init) + [257]
        }
        let exact = CLIPClassifier(
            backbone: world.backbone,
            prompts: usesPrompts ? try PromptFile.load(world.promptPath).prompts : PromptSet(vision: [], text: []),
            sequences: sequences, frameCount: 4, pool: WorkerPool(threadCount: 1))
        let logits = try exact.logits(clips: [clip.matrix])[0].map(Double.init)
        let powers = logits.map { exp($0 - (logits.max() ?? 0)) }
        let expected = powers.map { Float($0 / powers.reduce(0, +)) }

        #expect(scores.map(\.probability) == scores.map(\.probability).sorted(by: >))
        #expect(scores.map(\.label).sorted() == [0, 1, 2, 3])
        for score in scores {
            #expect(score.name == TinyWorld.names[score.label])
            expectClose(score.probability, expected[score.label], tolerance: 1e-4, score.name)
        }
    }

    @Test func promptsChangeTheAnswer() throws {
        let plain = try VideoClassifier(backbone: backbone, classNames: TinyWorld.names, frameCount: 4)
        let prompted = try VideoClassifier(backbone: backbone, prompts: prompts)
        #expect(prompted.classNames == TinyWorld.names && prompted.frameCount == 4)
        #expect(try plain.classify(video: world.videoPath) != prompted.classify(video: world.videoPath))
    }

    @Test func framesInMemoryScoreAsTheirVideo() throws {
        let classifier = try VideoClassifier(backbone: backbone, prompts: prompts)
        var video = try VideoFile(path: world.videoPath)
        let frames = try video.frames(at: Array(0..<11)).map {
            try RGBFrame(width: $0.width, height: $0.height, pixels: $0.pixels)
        }
        #expect(try classifier.classify(frames: frames) == classifier.classify(video: world.videoPath))
        #expect(try classifier.classify(frames: [frames[0]]).count == 4)
    }

    @Test func threadsMayShareAClassifier() throws {
        let classifier = try VideoClassifier(backbone: backbone, prompts: prompts, threadCount: 2)
        let path = world.videoPath
        let expected = try classifier.classify(video: path)
        let agreed = Counter()
        DispatchQueue.concurrentPerform(iterations: 6) { _ in
            if (try? classifier.classify(video: path)) == expected { agreed.increment() }
        }
        #expect(agreed.value == 6)
    }

    @Test func promptsOfEveryFormScoreAlike() throws {
        let expected = try VideoClassifier(backbone: backbone, prompts: prompts).classify(video: world.videoPath)
        let file = try PromptFile.load(world.promptPath)
        try PromptAdapter.save(file, to: world.folder.path("adapter"), name: "tiny")
        try ReferenceCheckpoint.write(file, backbone: nil, to: world.folder.path("prompts.pth"))
        for name in ["adapter", "prompts.pth"] {
            let other = try LearnedPrompts(path: world.folder.path(name))
            #expect(other.notes == [] && other.classNames == prompts.classNames)
            #expect(try VideoClassifier(backbone: backbone, prompts: other).classify(video: world.videoPath) == expected, "\(name)")
        }
    }

    @Test func anotherBackboneIsTakenOnlyWhenAskedFor() throws {
        let other = try TinyWorld(seed: 8)
        let foreign = try LoadedBackbone(path: other.backbonePath)
        #expect(throws: VifiPromptError.self) { _ = try VideoClassifier(backbone: foreign, prompts: prompts) }
        var warnings: [String] = []
        let classifier = try VideoClassifier(backbone: foreign, prompts: prompts, anyBackbone: true) { warnings.append($0) }
        #expect(warnings.count == 1)
        for digest in [backbone.digest, foreign.digest] { #expect(warnings[0].contains(digest.prefix(12) + "…")) }
        #expect(try classifier.classify(video: world.videoPath).count == 4)
        warnings = []
        _ = try VideoClassifier(backbone: backbone, prompts: prompts, anyBackbone: true) { warnings.append($0) }
        #expect(warnings == [])
    }

    @Test func otherNamesMayBeAskedFor() throws {
        let classifier = try VideoClassifier(backbone: backbone, prompts: prompts, classNames: ["running"])
        let scores = try classifier.classify(video: world.videoPath)
        #expect(scores.map(\.name) == ["running"] && scores[0].probability == 1)
    }
}

/// Unchecked Sendable: the lock guards the count.
private final class Counter: @unchecked Sendable {
    private let lock = NSLock()
    private var count = 0
    func increment() { lock.withLock { count += 1 } }
    var value: Int { lock.withLock { count } }
}
