import CLIPModel
import Tensors
import TestSupport
import Testing
import Training

@Suite struct EpochAverageTests {
    /// The authors' own weights, with a mean of the fifth of eight epochs and a deviation of one.
    @Test func weightsAreTheirs() throws {
        let average = EpochAverage(of: [], mean: 5 / 8, deviation: 1 / 8)
        expectClose((1...8).map { Float(average.weight(of: $0, in: 8)) }, try TensorFixture("prompting/promptsrc").floats("gaussian_weights"), tolerance: 1e-5)
    }

    @Test func theMeanTakesThePlaceOfTheLast() {
        let value = MutableMatrix(rows: 1, columns: 2)
        let tensor = LearnedTensor(name: "w", value: value, gradient: MutableMatrix(rows: 1, columns: 2))
        let average = EpochAverage(of: [tensor])
        var expected: [Float] = [0, 0]
        for epoch in 1...4 {
            value.fill(with: [Float(epoch), Float(epoch * epoch)])
            let weight = Float(average.weight(of: epoch, in: 4))
            expected = [expected[0] + weight * Float(epoch), expected[1] + weight * Float(epoch * epoch)]
            average.end(epoch: epoch, of: 4, tensors: [tensor])
            // Resumed before its evaluation, an epoch ends a second time.
            average.end(epoch: epoch, of: 4, tensors: [tensor])
        }
        expectClose(value.values, expected, tolerance: 1e-6)
        #expect(average.state.map(\.name) == ["average.w", "average.epochs"])
    }
}
