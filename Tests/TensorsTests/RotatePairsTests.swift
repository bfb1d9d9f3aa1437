import Tensors
import Testing

/// Turning pairs of adjacent numbers.
@Suite struct RotatePairsTests {
    /// Two heads of one pair each, turned by a right angle and by that of 3, 4 and 5, in columns of a wider matrix.
    @Test func pairsTurnByHand() {
        let all = MutableMatrix(rows: 2, columns: 6, [9, 1, 0, 0, 2, 9, 9, 3, 4, 5, 6, 9])
        let cosines = MutableMatrix(rows: 2, columns: 1, [0, 0.6]).reading
        let sines = MutableMatrix(rows: 2, columns: 1, [1, 0.8]).reading
        rotatePairs(all.columns(1..<5), cosines: cosines, sines: sines, headCount: 2)
        for (value, expected) in zip(all.values, [9, 0, 1, -2, 0, 9, 9, -1.4, 4.8, -1.8, 7.6, 9] as [Float]) {
            #expect(abs(value - expected) < 1e-6, "\(value) beside \(expected)")
        }
        rotatePairs(all.columns(1..<5), cosines: cosines, sines: sines, headCount: 2, isInverse: true)
        for (value, expected) in zip(all.values, [9, 1, 0, 0, 2, 9, 9, 3, 4, 5, 6, 9] as [Float]) {
            #expect(abs(value - expected) < 1e-6, "\(value) beside \(expected)")
        }
    }
}
