import Tensors

/// A block's weights as its products take them, in the tower's precision.
///
/// The input of attention is one weight where every row queries, and two in the last block, where only some do.
/// What a block needs besides (the keys and values of a few prompts or shared words) is multiplied in float32:
/// it is too little to be worth another copy of the weight.
struct BlockWeights: Sendable {
    /// `[3 × width, width]`
    let queryKeyValue: Weight
    /// `[width, width]`, the first third of `queryKeyValue`.
    let query: Weight
    /// `[2 × width, width]`, the rest of it.
    let keyValue: Weight
    let attentionOutput: Weight
    let mlpInput: Weight
    let mlpOutput: Weight

    let precision: Precision

    init(_ parameters: BlockParameters<Matrix>, isLast: Bool, precision: Precision) {
        let attentionInput = parameters.attentionInput.weight
        let width = attentionInput.columnCount
        queryKeyValue = Weight(attentionInput, precision: isLast ? .float32 : precision)
        query = Weight(attentionInput.rows(0..<width), precision: isLast ? precision : .float32)
        keyValue = Weight(attentionInput.rows(width..<3 * width), precision: isLast ? precision : .float32)
        attentionOutput = Weight(parameters.attentionOutput.weight, precision: precision)
        mlpInput = Weight(parameters.mlpInput.weight, precision: precision)
        mlpOutput = Weight(parameters.mlpOutput.weight, precision: precision)
        self.precision = precision
    }

    var all: [Weight] { [queryKeyValue, query, keyValue, attentionOutput, mlpInput, mlpOutput] }

    /// Of queries, keys and values.
    var attentionInput: [Weight] { [queryKeyValue, query, keyValue] }
}
