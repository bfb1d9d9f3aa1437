import CLIPModel
import Tensors
import TestSupport
import Testing
import Training
import VideoData

/// Clips of few frames first, and of all at the end.
@Suite struct FrameScheduleTests {
    /// Shared out by hand: what does not divide goes to later numbers, and the last epoch always sees all frames.
    @Test(
        arguments: [
            (10, [4, 4, 4, 8, 8, 8, 16, 16, 16, 16]), (6, [4, 4, 8, 8, 16, 16]), (4, [4, 8, 16, 16]), (3, [4, 8, 16]), (2, [8, 16]), (1, [16]),
        ] as [(Int, [Int])])
    func epochsAreSharedOut(epochs: Int, expected: [Int]) throws {
        let schedule = try #require(FrameSchedule("4,8,16"))
        #expect((0..<epochs).map { schedule.count(inEpoch: $0, of: epochs) } == expected)
        #expect(schedule.shares(of: epochs).flatMap { [Int](repeating: $0.frames, count: $0.epochs) } == expected)
        #expect(schedule.text == "4,8,16" && schedule.last == 16)
    }

    private static func loader(_ sampler: FrameSampler, ofEpoch: (@Sendable (Int) -> FrameSampler)? = nil) -> ClipLoader {
        ClipLoader(
            list: AnnotationList(path: "list.txt", root: "/videos", clips: (0..<6).map { AnnotatedClip(path: "\($0).mp4", label: $0 % 5) }),
            reader: NoiseVideos(), sampler: sampler, transform: .training(side: 64), seed: 3, samplerOfEpoch: ofEpoch)
    }

    /// An epoch's clips are those of a run that has its number of frames from the start.
    @Test func framesAreDrawnByTheSameRule() throws {
        let loader = Self.loader(FrameSampler(sampleCount: 3)) { FrameSampler(sampleCount: $0 == 0 ? 2 : 3) }
        for (epoch, count) in [(0, 2), (1, 3)] {
            let expected = try Self.loader(FrameSampler(sampleCount: count)).clips(epoch: epoch).next(6)
            let found = try loader.clips(epoch: epoch).next(6)
            #expect(found.map(\.index) == expected.map(\.index))
            for (one, other) in zip(found, expected) {
                #expect(one.views[0].matrix.rowCount == count && one.views[0].matrix.values == other.views[0].matrix.values)
            }
        }
    }

    /// Learns for two epochs, the first with fewer frames.
    ///
    /// - Parameter first: frames in the first epoch.
    private static func learned(threads: Int, first: Int, backwardFrames: Int? = nil) throws -> (values: [[Float]], losses: [Double]) {
        let inputs = try TrainingInputs()
        let setting = TaskSetting(
            sequences: inputs.sequences, fusion: .embedding, frameCount: 3, pool: WorkerPool(threadCount: threads), weightDecay: 1e-3,
            backwardFrames: backwardFrames.map { BackwardFrames(count: $0, seed: 3) })
        let configuration = PromptConfiguration(visionTokens: 4, visionDepth: 2, textTokens: 3, textDepth: 2)
        let task = PromptTask(
            backbone: inputs.backbone, prompts: PromptSet(random: configuration, architecture: inputs.backbone.architecture, seed: 3), setting: setting)
        var losses: [Double] = []
        var events = Trainer.Events()
        events.onStep = { losses.append($0.loss) }
        // What is scored has all frames, whatever was learned from before.
        events.evaluate = {
            _ = try task.classifier(sequences: inputs.sequences).logits(clips: Self.loader(FrameSampler(sampleCount: 3)).clips(epoch: 0).next(1).map { $0.views[0].matrix })
            return nil
        }
        _ = try Trainer(
            configuration: TrainingConfiguration(
                epochs: 2, batchSize: 2, accumulationSteps: 1, learningRate: 1e-2, warmupEpochs: 0, seed: 3, evaluationInterval: 1),
            classCount: 5, clips: Self.loader(FrameSampler(sampleCount: 3)) { FrameSampler(sampleCount: $0 == 0 ? first : 3) }
        ).run(task, events: events)
        return (task.optimizer.tensors.map(\.matrix.values), losses)
    }

    @Test func threadsLearnTheSameBits() throws {
        let one = try Self.learned(threads: 1, first: 2)
        let three = try Self.learned(threads: 3, first: 2)
        #expect(one.values == three.values && one.losses == three.losses && one.losses.count == 6)
        // The number of frames of the first epoch matters, and all frames are the plain run.
        let plain = try Self.learned(threads: 1, first: 3)
        #expect(plain.losses[0] != one.losses[0] && plain.values != one.values)
    }

    /// Where a clip has no more frames than the backward pass goes through, the step is exact.
    @Test func backwardFramesAreAtMostTheClips() throws {
        #expect(try Self.learned(threads: 2, first: 2, backwardFrames: 2).losses[..<3] == Self.learned(threads: 2, first: 2).losses[..<3])
    }
}
