import Testing
import VideoData

/// Windows of sources whose pictures come seldom, counted by hand.
@Suite struct WindowAssemblerTests {
    /// - Parameter ends: when each picture is over; the last one is the source's end.
    private func windows(_ ends: [Double], window: Double, stride: Double, sampleCounts: [Int], fillsGaps: Bool) -> [LiveWindow] {
        let grids = sampleCounts.map { WindowGrid(window: .seconds(window), stride: .seconds(stride), sampleCount: $0) }
        var assembler = WindowAssembler(grids: grids, fillsGaps: fillsGaps)
        var result: [LiveWindow] = []
        for (index, end) in ends.enumerated() {
            assembler.add(until: end, isLast: index == ends.count - 1) { VideoFrame(width: 1, height: 1, pixels: [UInt8(clamping: index), 0, 0]) }
            while let window = assembler.takeComplete() { result.append(window) }
        }
        return result
    }

    /// A picture of a recording is shown until the next one.
    @Test func slides() {
        let found = windows([10, 20, 30], window: 2, stride: 1, sampleCounts: [2], fillsGaps: true)
        #expect(found.map(\.start) == (0...28).map(Double.init))
        #expect(found[8].frames.map(\.number) == [0] && found[8].counts == [[2]])
        #expect(found[9].frames.map(\.number) == [0, 1] && found[9].counts == [[1, 1]])
    }

    /// What a camera showed in a gap is not known: what came before it is answered, and windows begin anew behind it.
    @Test func gaps() {
        let found = windows([1, 2, 2.5, 20, 40, 41], window: 2, stride: 2, sampleCounts: [2], fillsGaps: false)
        #expect(found.map(\.start) == [0, 1.5, 20, 40])
        #expect(found.map(\.end) == [2, 3.5, 21, 41])
        #expect(found.map { $0.frames.map { $0.picture.pixels[0] } } == [[0, 1], [1, 3], [4], [5]])
    }

    /// The cut last window from 4 to 4.2 has none of the moments of the first model, which are at 3.75 and 4.25.
    @Test func cutWindowsBehindGapsShowSomething() throws {
        let found = windows((1...42).map { Double($0) / 10 }, window: 1, stride: 4, sampleCounts: [2, 8], fillsGaps: false)
        #expect(found.map(\.start) == [0, 4])
        #expect(try #require(found.last).counts == [[0, 1], [1, 1]])
        #expect(windows((1...42).map { Double($0) / 10 }, window: 1, stride: 4, sampleCounts: [2], fillsGaps: false).count == 2)
    }
}
