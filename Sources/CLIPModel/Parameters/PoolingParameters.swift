/// Attention that makes one row of all tokens of a frame, and an MLP behind it.
package struct PoolingParameters<Element: Sendable>: Sendable {
    /// `[1, 1, width]`, what asks.
    package var probe: Element
    /// Queries, keys and values packed: `[3 × width, width]`.
    package var attentionInput: LinearParameters<Element>
    package var attentionOutput: LinearParameters<Element>
    package var mlp: ResidualMLPParameters<Element>
}

extension PoolingParameters {
    func map<Other>(_ transform: (Element) throws -> Other) rethrows -> PoolingParameters<Other> {
        PoolingParameters<Other>(
            probe: try transform(probe), attentionInput: try attentionInput.map(transform), attentionOutput: try attentionOutput.map(transform),
            mlp: try mlp.map(transform))
    }

    var all: [Element] { [probe] + attentionInput.all + attentionOutput.all + mlp.all }
}

extension PoolingParameters<TensorSpecification> {
    /// Name and shape of every tensor; nil where the class token is read.
    init?(of architecture: CLIPArchitecture) {
        guard architecture.poolingHeadCount != nil else { return nil }
        let (width, mlpWidth) = (architecture.vision.width, architecture.poolingMLPWidth)
        let prefix = CheckpointNames.pooling
        self.init(
            probe: TensorSpecification(name: CheckpointNames.poolingProbe, shape: [1, 1, width]),
            attentionInput: .named(prefix + "attn.in_proj", outputs: 3 * width, inputs: width, separator: "_"),
            attentionOutput: .named(prefix + "attn.out_proj", outputs: width, inputs: width),
            mlp: .init(
                norm: .named(prefix + "layernorm", width: width), input: .named(prefix + "mlp.c_fc", outputs: mlpWidth, inputs: width),
                output: .named(prefix + "mlp.c_proj", outputs: width, inputs: mlpWidth)))
    }
}
