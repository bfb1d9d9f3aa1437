import CLIPModel
import Evaluation
import Foundation
import Tensors
import TestSupport
import Testing
import VideoData

/// Videos of ten frames of noise.
private struct NoisyVideos: VideoReading {
    static func frame(_ path: String, _ index: Int) -> VideoFrame {
        var source = RandomSource(seed: UInt64(path.utf8.reduce(0) { $0 + Int($1) }), purpose: .test, item: index)
        return VideoFrame(width: 80, height: 72, pixels: (0..<80 * 72 * 3).map { _ in UInt8(truncatingIfNeeded: source.nextWord()) })
    }

    func frames(
        of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame
    ) throws -> [VideoFrame] {
        choosing(10).map { converting(Self.frame(path, $0)) }
    }
}

/// The probabilities of a video are the mean over its views of the softmax of their logits (methods 1.6).
@Suite struct EvaluatorTests {
    @Test(arguments: [(1, 1), (2, 3), (8, 3)])
    func viewsAreAveraged(clips: Int, crops: Int) throws {
        let inputs = try TrainingInputs()
        let classifier = CLIPClassifier(
            backbone: inputs.backbone, sequences: inputs.sequences, frameCount: 3, pool: WorkerPool(threadCount: 1))
        var configuration = ClipLoader.Configuration()
        configuration.viewCount = clips
        let list = AnnotationList(
            path: "list.txt", root: "/videos", clips: ["a", "b", "c"].map { AnnotatedClip(path: $0, label: 0) })
        let loader = ClipLoader(
            list: list, reader: NoisyVideos(), sampler: FrameSampler(sampleCount: 3), transform: .testing(side: 64, crops: crops),
            seed: 1, configuration: configuration)
        let predictions = try Evaluator(classifier).predictions(of: loader)
        #expect(predictions.map(\.path) == ["a", "b", "c"])
        for (video, prediction) in zip(list.clips, predictions) {
            var sum = [Double](repeating: 0, count: 5)
            for clip in 0..<clips {
                // ⌊i·n/k + (v + ½)·n/(k·V)⌋ with n = 10 and k = 3.
                let indices = (0..<3).map { Int((Double($0) + (Double(clip) + 0.5) / Double(clips)) * 10 / 3) }
                let frames = indices.map { NoisyVideos.frame(list.videoPath(video), $0) }
                let views = ClipTransform.testing(side: 64, crops: crops)
                    .clips(from: frames, key: ClipKey(seed: 1, epoch: 0, clip: 0))
                #expect(views.count == crops)
                for view in views {
                    let powers = try classifier.logits(clips: [view.matrix])[0].map { exp(Double($0)) }
                    for label in 0..<5 { sum[label] += powers[label] / powers.reduce(0, +) }
                }
            }
            expectClose(
                prediction.probabilities, sum.map { Float($0 / Double(clips * crops)) }, tolerance: 1e-5, video.path)
        }
    }
}
