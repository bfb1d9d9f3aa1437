import CLIPModel
import Evaluation
import Foundation
import Tensors
import TestSupport
import Testing
import VideoData

/// Ranks and metrics against numpy and scikit-learn (Tests/Fixtures/retrieval/README.md).
@Suite struct RetrievalTests {
    private struct Expected: Decodable {
        struct Direction: Decodable {
            let ranks: [Int]
            let tied: Int
            let r1: Double
            let r5: Double
            let r10: Double
            let median_rank: Double
            let mean_rank: Double
        }
        let videos: [[Float]]
        let captions: [[Float]]
        let video_of_caption: [Int]
        let text_to_video: Direction
        let video_to_text: Direction
    }

    private static func matrix(_ rows: [[Float]]) -> Matrix {
        MutableMatrix(rows: rows.count, columns: rows.first?.count ?? 0, rows.flatMap { $0 }).reading
    }

    @Test(arguments: [1, 3])
    func ranksAgainstNumpy(threads: Int) throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: fixturePath("retrieval/metrics.json")))
        let expected = try JSONDecoder().decode(Expected.self, from: data)
        let retrieval = Retrieval(
            videos: Self.matrix(expected.videos), captions: Self.matrix(expected.captions), videoOfCaption: expected.video_of_caption)
        let pool = WorkerPool(threadCount: threads)
        let toVideo = retrieval.textToVideo(bestCount: 10, pool: pool)
        let toText = retrieval.videoToText(bestCount: 10, pool: pool)
        let metrics = RetrievalMetrics(textToVideo: toVideo, videoToText: toText)
        for (answers, found, wanted) in [
            (toVideo, metrics.textToVideo, expected.text_to_video), (toText, metrics.videoToText, expected.video_to_text),
        ] {
            #expect(answers.map(\.rank) == wanted.ranks)
            #expect(found.queries == wanted.ranks.count && found.tied == wanted.tied)
            for (ours, theirs) in [
                (found.r1, wanted.r1), (found.r5, wanted.r5), (found.r10, wanted.r10), (found.medianRank, wanted.median_rank),
                (found.meanRank, wanted.mean_rank),
            ] { #expect(abs(ours - theirs) < 1e-9) }
        }
    }

    /// Equal vectors tie wherever they stand: products round by the place of a row.
    @Test(arguments: [1, 6, 17, 129])
    func equalVectorsTie(count: Int) {
        var source = RandomSource(seed: 5, purpose: .test)
        for width in [3, 33, 128] {
            let vector = (0..<width).map { _ in Float(source.integer(below: 2001)) / 1000 - 1 }
            let other = (0..<width).map { _ in Float(source.integer(below: 2001)) / 1000 - 1 }
            let videos = Self.matrix(Array(repeating: vector, count: count))
            let retrieval = Retrieval(
                videos: videos, captions: Self.matrix(Array(repeating: other, count: count)), videoOfCaption: Array(0..<count))
            for answers in [retrieval.textToVideo(bestCount: 1, pool: .init(threadCount: 1)), retrieval.videoToText(bestCount: 1, pool: .init(threadCount: 1))] {
                #expect(answers.allSatisfy { $0.rank == 1 && $0.isTied == (count > 1) })
            }
        }
    }

    /// The best ten are those of a full sort, equals in their order.
    @Test func bestCandidates() {
        var source = RandomSource(seed: 8, purpose: .test)
        for _ in 0..<50 {
            let scores = (0..<30).map { _ in Float(source.integer(below: 12)) }
            let answer = RetrievalAnswer(scores: scores, right: [4, 7], bestCount: 10)
            let sorted = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
            #expect(answer.best.map(\.index) == Array(sorted.prefix(10)))
            #expect(answer.answer.index == (scores[7] > scores[4] ? 7 : 4))
        }
    }

    /// A model that gives every pair the same score looks perfect by the usual rule; the count of ties tells.
    @Test func tiesCountForTheAnswerAndAreCounted() {
        let answer = RetrievalAnswer(scores: [1, 1, 1], right: [2], bestCount: 3)
        #expect(answer.rank == 1 && answer.isTied && answer.best.map(\.index) == [0, 1, 2])
        #expect(!RetrievalAnswer(scores: [1, 0, 1], right: [0, 2], bestCount: 3).isTied)
    }

    @Test func medianOfAnEvenNumber() {
        let direction = RetrievalMetrics.Direction(ranks: [1, 2, 7, 100])
        #expect(direction.medianRank == 4.5 && direction.meanRank == 27.5 && direction.r1 == 25 && direction.r5 == 50 && direction.r10 == 75)
    }

    /// Videos whose name tells that they cannot be read.
    private struct Videos: VideoReading {
        struct Unreadable: Error {}
        func frames(of path: String, part: ClipPart?, choosing: (Int) -> [Int], converting: (VideoFrame) -> VideoFrame) throws -> [VideoFrame] {
            if path.hasSuffix("bad.mp4") { throw Unreadable() }
            var source = RandomSource(seed: UInt64(path.utf8.reduce(0) { $0 * 7 + Int($1) }), purpose: .test)
            let frame = VideoFrame(width: 40, height: 40, pixels: (0..<40 * 40 * 3).map { _ in UInt8(truncatingIfNeeded: source.nextWord()) })
            return choosing(4).map { _ in converting(frame) }
        }
    }

    /// A video that is skipped goes with its captions, and places stay right.
    @Test func skippedVideosLeaveWithTheirCaptions() throws {
        let backbone = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        var list = CaptionList(path: "list.csv", root: "/videos")
        for (video, caption) in [("a.mp4", "x"), ("bad.mp4", "y"), ("b.mp4", "z"), ("a.mp4", "w")] { list.add(video: video, caption: caption) }
        var configuration = ClipLoader.Configuration()
        configuration.badVideoPolicy = .skip
        let loader = ClipLoader(
            list: list.videoList, reader: Videos(), sampler: FrameSampler(sampleCount: 2), transform: .testing(side: 32), seed: 1,
            configuration: configuration)
        let sequences = (0..<4).map { [298, 40 + $0, 60 + 2 * $0, 299] }
        let pool = WorkerPool(threadCount: 1)
        let encoder = PairEncoder(backbone: backbone, frameCount: 2, pool: pool)
        let outcome = try RetrievalEvaluator(encoder, pool: pool).outcome(of: list, sequences: sequences, loader: loader)
        #expect(outcome.videos == [0, 2] && outcome.captions == [0, 2, 3])
        #expect(outcome.retrieval.videoOfCaption == [0, 1, 0])
        #expect(outcome.metrics.textToVideo.queries == 3 && outcome.metrics.videoToText.queries == 2)
        let alone = try encoder.captions.embeddings(of: [sequences[2]])
        expectClose(outcome.retrieval.captions.row(1).values, alone.values, tolerance: 1e-5, "caption of b.mp4")
    }
}
