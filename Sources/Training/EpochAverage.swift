import CLIPModel
import Foundation
import Tensors

/// The mean of what was learned after each epoch, weighted by a normal distribution over the epochs, which takes the place of
/// what was learned after the last. Source: PromptSRC, ICCV 2023, section 3.3; `methods_more.md` 1.
package struct EpochAverage {
    /// Of the weights over the epochs, as parts of all epochs: PromptSRC's few-shot setting has 30 and 30 of 50.
    package let mean: Double
    package let deviation: Double
    private let sums: [(name: String, matrix: MutableMatrix)]
    /// `[1, 1]`, epochs that the sums hold: an epoch that is ended again, as after a run was resumed, counts once.
    private let count = MutableMatrix(rows: 1, columns: 1)

    package init(of tensors: [LearnedTensor], mean: Double = 0.6, deviation: Double = 0.6) {
        (self.mean, self.deviation) = (mean, deviation)
        sums = tensors.map { ($0.name, MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount)) }
    }

    /// What checkpoints must hold.
    package var state: [(name: String, matrix: MutableMatrix)] { sums.map { ("average." + $0.name, $0.matrix) } + [("average.epochs", count)] }

    /// - Parameter epoch: from 1 on.
    package func weight(of epoch: Int, in epochCount: Int) -> Double {
        func density(_ epoch: Int) -> Double {
            let distance = (Double(epoch) - mean * Double(epochCount)) / (deviation * Double(epochCount))
            return exp(-0.5 * distance * distance)
        }
        return density(epoch) / (1...epochCount).reduce(0) { $0 + density($1) }
    }

    /// Adds the tensors as they are now; after the last epoch the mean takes their place.
    package func end(epoch: Int, of epochCount: Int, tensors: [LearnedTensor]) {
        guard Int(count[0, 0]) < epoch else { return }
        count.fill(Float(epoch))
        let share = Float(weight(of: epoch, in: epochCount))
        for (sum, tensor) in zip(sums, tensors) {
            add(tensor.value, times: share, to: sum.matrix)
            if epoch == epochCount { tensor.value.copy(sum.matrix) }
        }
    }
}
