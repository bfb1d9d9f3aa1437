import Files
import Foundation
import Synchronization
import TestSupport
import Testing
import VideoData
import VifiPrompt

/// Learning, scoring and exporting from a program.
@Suite struct VideoTrainingTests {
    let world: TinyWorld

    init() throws {
        world = try TinyWorld()
        for (number, name) in ["rowing", "waving"].enumerated() {
            for clip in 0..<2 {
                let path = world.folder.path("clips/\(name)/\(clip).mp4")
                try createDirectory(path.parentDirectory)
                var writer = try VideoWriter(path: path, width: 64, height: 48, framesPerSecond: 12)
                for index in 0..<8 { try writer.append(TinyWorld.picture(number == 0 ? index + clip : 10 - index)) }
                try writer.finish()
            }
        }
    }

    private func training(_ output: String, _ target: VideoTraining.Target = .prompts) -> VideoTraining {
        var training = VideoTraining(
            target, clips: .folder(world.folder.path("clips")), backbone: world.backbonePath, output: world.folder.path(output))
        training.frameCount = 4
        training.threadCount = 2
        training.settings = [
            "training.epochs=4", "training.batch_size=2", "training.accumulation_steps=1", "prompts.vision_tokens=2", "prompts.text_tokens=2",
        ]
        return training
    }

    private func bytes(_ file: String) throws -> [UInt8] { try InputFile.contents(of: file, limit: 1 << 24) }

    @Test func promptsAreLearnedScoredAndExported() throws {
        let seen = Mutex<[TrainingProgress]>([])
        let run = try training("run").run { progress in seen.withLock { $0.append(progress) } }
        #expect(run.steps == 8 && run.trainingLoss?.isFinite == true && run.validationTop1 == nil)
        #expect(seen.withLock { $0.filter { $0.title == "learn" }.map(\.done) } == Array(1...8))
        let prompts = try LearnedPrompts(path: run.file)
        #expect(prompts.classNames == ["rowing", "waving"] && prompts.frameCount == 4)
        #expect(try prompts.backboneDigest == LoadedBackbone(path: world.backbonePath).digest)

        let scores = try evaluate(.folder(world.folder.path("clips")), prompts: run.file, backbone: world.backbonePath)
        #expect(scores.count == 4 && scores.classes.map(\.name) == ["rowing", "waving"] && scores.classes.map(\.count) == [2, 2])
        // Each video by itself, as a classifier labels it.
        let classifier = try VideoClassifier(backbone: LoadedBackbone(path: world.backbonePath), prompts: prompts)
        var right = 0
        for name in ["rowing", "waving"] {
            for clip in 0..<2 {
                right += try classifier.classify(video: world.folder.path("clips/\(name)/\(clip).mp4")).first?.name == name ? 1 : 0
            }
        }
        #expect(scores.top1 == Double(25 * right))

        let copy = world.folder.path("copy.safetensors")
        try prompts.export(to: copy)
        #expect(try LearnedPrompts(path: copy).classNames == prompts.classNames)
        #expect { try prompts.export(to: copy) } throws: { ($0 as? VifiPromptError)?.description.contains("already") == true
            || ($0 as? VifiPromptError)?.description.contains("is there") == true }
    }

    /// A head is learned, read, scored and used like prompts.
    @Test func headsAreLearnedAndUsed() throws {
        var training = training("head", .head(method: "cosine-mean"))
        training.settings = []
        training.views = 2
        let run = try training.run()
        #expect(run.method == "cosine-mean" && run.steps == 0 && run.heldOutTop1 != nil && run.file.hasSuffix("head.safetensors"))
        let head = try LearnedHead(path: run.folder)
        #expect(head.classNames == ["rowing", "waving"] && head.frameCount == 4 && head.method == "cosine-mean")
        let backbone = try LoadedBackbone(path: world.backbonePath)
        #expect(head.backboneDigest == backbone.digest && head.heldOutTop1 == run.heldOutTop1)
        let classifier = try VideoClassifier(backbone: backbone, head: head)
        var right = 0
        for name in head.classNames {
            for clip in 0..<2 {
                let scores = try classifier.classify(video: world.folder.path("clips/\(name)/\(clip).mp4"))
                #expect(abs(scores.reduce(0) { $0 + $1.probability } - 1) < 1e-5)
                right += scores.first?.name == name ? 1 : 0
            }
        }
        let scores = try evaluate(.folder(world.folder.path("clips")), prompts: run.file, backbone: world.backbonePath)
        #expect(scores.count == 4 && scores.top1 == Double(25 * right))
        #expect { try VideoClassifier(backbone: backbone, head: head, classNames: ["swimming"]) } throws: {
            ($0 as? VifiPromptError)?.description.contains("does not know the class") == true
        }
        training.views = 11
        training.output = world.folder.path("many")
        #expect { try training.run() } throws: { ($0 as? VifiPromptError)?.description.contains("between 1 and 10") == true }
        training.target = .head(method: "gdaa")
        training.views = 1
        #expect { try training.run() } throws: { ($0 as? VifiPromptError)?.description.contains("did you mean \"gda\"") == true }
    }

    /// A run that is cancelled ends with that kind of error, and resumed it has the bits of one that never stopped.
    @Test func cancelledRunsResume() throws {
        let whole = try training("whole").run()
        let steps = Atomic<Int>(0)
        do {
            _ = try training("stopped").run { progress in
                if progress.title == "learn" { steps.store(progress.done, ordering: .relaxed) }
            } isCancelled: { steps.load(ordering: .relaxed) >= 3 }
            Issue.record("the run was not cancelled")
        } catch {
            #expect(error.kind == .cancelled, "\(error)")
        }
        let resumed = try VideoTraining.resume(world.folder.path("stopped"), .prompts)
        #expect(try bytes(resumed.file) == bytes(whole.file))
    }

    @Test func backbonesAreTuned() throws {
        let run = try training("bridge", .backbone).run()
        let tuned = try LoadedBackbone(path: run.file)
        #expect(try tuned.digest != LoadedBackbone(path: world.backbonePath).digest)
    }

    @Test func whatIsNotThereIsNamed() throws {
        var missing = training("missing")
        missing.clips = .folder("/nowhere/clips")
        #expect { try missing.run() } throws: { error in
            (error as? VifiPromptError)?.kind == .missingFile && "\(error)".contains("/nowhere/clips")
        }
        var wrong = training("wrong")
        wrong.settings = ["training.epoch=4"]
        #expect { try wrong.run() } throws: { error in
            (error as? VifiPromptError)?.kind == .badRequest && "\(error)".contains("Did you mean 'epochs'?")
        }
    }
}
