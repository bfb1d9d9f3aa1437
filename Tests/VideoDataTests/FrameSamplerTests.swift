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

    @Test func agreesWithTheReference() throws {
        let cases = try JSONDecoder().decode([Case].self, from: Data(try transformFixture("sampling.json")))
        #expect(cases.count > 20)
        for reference in cases {
            let sampler = FrameSampler(sampleCount: reference.samples)
            #expect(sampler.testIndices(frameCount: reference.frames) == reference.test)
            var draws = reference.draws.makeIterator()
            let train = sampler.trainingIndices(frameCount: reference.frames) { (draws.next() ?? 0) % $0 }
            #expect(train == reference.train, "\(reference.frames) frames, \(reference.samples) samples")
        }
    }

    /// methods 1.6: five frames for 32 samples wrap to frame 0 at the end.
    @Test func shortFilmsWrap() {
        let indices = FrameSampler(sampleCount: 32).trainingIndices(frameCount: 5) { _ in 0 }
        #expect(indices.suffix(4) == [4, 0, 0, 0])
    }

    @Test(arguments: [(1, 8), (7, 8), (8, 8), (100, 16), (3000, 32)])
    func indicesLieInTheFilm(frameCount: Int, sampleCount: Int) {
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
