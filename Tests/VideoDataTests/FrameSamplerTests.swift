import Foundation
import Testing

import VideoData

@Suite struct FrameSamplerTests {
    struct Case: Decodable {
        var frames: Int
        var samples: Int
        var test: [Int]
        var draws: [Int]
        var train: [Int]
    }

    /// The sampler with the reference's faults.
    private static func reference(sampleCount: Int) -> FrameSampler {
        var sampler = FrameSampler(sampleCount: sampleCount)
        sampler.missesTail = true
        sampler.wrapsShortVideos = true
        return sampler
    }

    @Test func agreesWithTheReference() throws {
        let cases = try JSONDecoder().decode([Case].self, from: Data(try transformFixture("sampling.json")))
        #expect(cases.count > 20)
        for reference in cases {
            let sampler = Self.reference(sampleCount: reference.samples)
            #expect(sampler.testIndices(frameCount: reference.frames) == reference.test)
            var draws = reference.draws.makeIterator()
            let train = sampler.trainingIndices(frameCount: reference.frames) { (draws.next() ?? 0) % $0 }
            #expect(train == reference.train, "\(reference.frames) frames, \(reference.samples) samples")
        }
    }

    /// methods 1.6: five frames for 32 samples wrap to frame 0 at the end.
    @Test func shortVideosWrap() {
        let indices = Self.reference(sampleCount: 32).trainingIndices(frameCount: 5) { _ in 0 }
        #expect(indices.suffix(4) == [4, 0, 0, 0])
        // Without the fault they stay in order, as in testing.
        let right = FrameSampler(sampleCount: 32).trainingIndices(frameCount: 5) { _ in 0 }
        #expect(right == right.sorted() && right.first == 0 && right.last == 4)
        #expect(right == FrameSampler(sampleCount: 32).testIndices(frameCount: 5))
    }

    /// Ten frames in four segments: 0-1, 2-4, 5-6, 7-9 by hand; the fault has 0-1, 2-3, 4-5, 6-7.
    @Test func trainingSeesEveryFrame() {
        let sampler = FrameSampler(sampleCount: 4)
        var bounds: [Int] = []
        #expect(sampler.trainingIndices(frameCount: 10) { bounds.append($0); return 0 } == [0, 2, 5, 7])
        #expect(bounds == [2, 3, 2, 3])
        #expect(sampler.trainingIndices(frameCount: 10) { $0 - 1 } == [1, 4, 6, 9])
        var fault = sampler
        fault.missesTail = true
        #expect(fault.trainingIndices(frameCount: 10) { $0 - 1 } == [1, 3, 5, 7])
    }

    /// Each fault changes the videos that it is about, and no others.
    @Test func faultsAreApart() {
        var tail = FrameSampler(sampleCount: 8)
        tail.missesTail = true
        var wrap = FrameSampler(sampleCount: 8)
        wrap.wrapsShortVideos = true
        let right = FrameSampler(sampleCount: 8)
        for frameCount in 1...40 {
            func last(_ sampler: FrameSampler) -> [Int] { sampler.trainingIndices(frameCount: frameCount) { $0 - 1 } }
            #expect((last(tail) == last(right)) == (frameCount < 8 || frameCount % 8 == 0), "\(frameCount) frames")
            if frameCount >= 8 { #expect(last(wrap) == last(right)) }
            #expect(tail.testIndices(frameCount: frameCount) == right.testIndices(frameCount: frameCount))
            #expect(wrap.testIndices(frameCount: frameCount) == right.testIndices(frameCount: frameCount))
        }
        #expect(wrap.trainingIndices(frameCount: 3) { _ in 0 }.last == 0)
    }

    @Test(arguments: [(1, 8), (7, 8), (8, 8), (100, 16), (3000, 32)])
    func indicesLieInTheVideo(frameCount: Int, sampleCount: Int) {
        let sampler = FrameSampler(sampleCount: sampleCount)
        var random = ClipKey(seed: 3, epoch: 1, clip: 5).source(.frames)
        for _ in 0..<20 {
            let train = sampler.trainingIndices(frameCount: frameCount, using: &random)
            #expect(train.count == sampleCount)
            #expect(train.allSatisfy { (0..<frameCount).contains($0) })
        }
        for view in 0..<4 {
            let test = sampler.testIndices(frameCount: frameCount, view: view, viewCount: 4)
            #expect(test == test.sorted() && test.allSatisfy { (0..<frameCount).contains($0) })
        }
    }

    @Test func viewsAreShiftedEvenly() {
        let sampler = FrameSampler(sampleCount: 2)
        let views = (0..<4).map { sampler.testIndices(frameCount: 80, view: $0, viewCount: 4) }
        #expect(views == [[5, 45], [15, 55], [25, 65], [35, 75]])
        #expect(sampler.testIndices(frameCount: 80) == [20, 60])
    }
}
