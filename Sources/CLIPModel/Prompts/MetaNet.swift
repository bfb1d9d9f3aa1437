import Tensors

/// A small network that makes of a video what is added to each text prompt, so that the prompts follow the video.
///
///     shift = weight · max(0, hiddenWeight · video + hiddenBias) + bias
///
/// Source: Zhou et al., CVPR 2022, "Conditional Prompt Learning for Vision-Language Models", trainers/cocoop.py;
/// `methods_more.md` 1.
package struct MetaNet<Element: Readable>: Sendable {
    /// `[hidden, embeddingWidth]`
    package let hiddenWeight: Element
    /// `[1, hidden]`
    package let hiddenBias: Element
    /// `[text width, hidden]`
    package let weight: Element
    /// `[1, text width]`
    package let bias: Element

    package init(hiddenWeight: Element, hiddenBias: Element, weight: Element, bias: Element) {
        (self.hiddenWeight, self.hiddenBias, self.weight, self.bias) = (hiddenWeight, hiddenBias, weight, bias)
    }

    /// Hidden units.
    package var hiddenWidth: Int { hiddenWeight.rowCount }

    /// Its tensors, as `MetaNetShape.names` has them.
    package var all: [Element] { [hiddenWeight, hiddenBias, weight, bias] }

    /// The same network with each tensor transformed.
    package func map<Other>(_ transform: (Element) -> Other) -> MetaNet<Other> {
        MetaNet<Other>(
            hiddenWeight: transform(hiddenWeight), hiddenBias: transform(hiddenBias), weight: transform(weight), bias: transform(bias))
    }
}

/// Names and sizes of a `MetaNet`'s tensors.
package struct MetaNetShape: Sendable, Equatable {
    package let hiddenWidth: Int
    package let embeddingWidth: Int
    package let textWidth: Int

    /// Under which prompt files and checkpoints keep them.
    package static let names = ["linear1.weight", "linear1.bias", "linear2.weight", "linear2.bias"].map { prefix + $0 }
    static let prefix = "meta_net."

    /// Rows and columns of each.
    package var all: [(rows: Int, columns: Int)] {
        [(hiddenWidth, embeddingWidth), (1, hiddenWidth), (textWidth, hiddenWidth), (1, textWidth)]
    }

    /// Numbers that are learned.
    package var count: Int { all.reduce(0) { $0 + $1.rows * $1.columns } }

    /// Multiply-adds, forward; a bias takes none.
    var productCount: Int { hiddenWidth * (embeddingWidth + textWidth) }
}

extension CLIPArchitecture {
    /// Hidden units of a network that follows videos: a sixteenth of the joint space, as its authors have it.
    package var metaNetWidth: Int { max(1, embeddingWidth / 16) }

    func metaNetShape(hiddenWidth: Int) -> MetaNetShape {
        MetaNetShape(hiddenWidth: hiddenWidth, embeddingWidth: embeddingWidth, textWidth: text.width)
    }
}

extension MetaNet<MutableMatrix> {
    package init(zeros shape: MetaNetShape) {
        let tensors = shape.all.map { MutableMatrix(rows: $0.rows, columns: $0.columns) }
        self.init(hiddenWeight: tensors[0], hiddenBias: tensors[1], weight: tensors[2], bias: tensors[3])
    }

    /// As PyTorch starts linear layers: weights and biases uniform in ±1/√inputs.
    ///
    /// - Parameter source: the random stream of a tensor, counted from 0.
    func draw(from source: (Int) -> RandomSource) {
        let inputs = [hiddenWeight, hiddenWeight, weight, weight].map(\.columnCount)
        for (index, (tensor, inputCount)) in zip(all, inputs).enumerated() {
            var source = source(index)
            let bound = 1 / Float(inputCount).squareRoot()
            tensor.fill(with: (0..<tensor.count).map { _ in source.uniform(in: -bound...bound) })
        }
    }
}

extension MetaNet {
    /// What is added to each text prompt.
    ///
    /// - Parameter video: `[1, embeddingWidth]`, of unit length.
    /// - Returns: the shift `[1, text width]`, and the hidden units `[1, hidden]`, which `backward` needs.
    package func forward(_ video: Matrix) -> (shift: MutableMatrix, hidden: MutableMatrix) {
        let hidden = MutableMatrix(rows: 1, columns: hiddenWidth)
        linear(video, weight: hiddenWeight, bias: hiddenBias, into: hidden)
        rectify(hidden)
        let shift = MutableMatrix(rows: 1, columns: weight.rowCount)
        linear(hidden, weight: weight, bias: bias, into: shift)
        return (shift, hidden)
    }

    /// The gradient of `forward`. The video's own is left out: nothing that it follows from learns.
    ///
    /// - Parameters:
    ///   - shiftGradient: `[1, text width]`.
    ///   - gradients: of the tensors, added to.
    package func backward(_ shiftGradient: MutableMatrix, video: Matrix, hidden: MutableMatrix, into gradients: MetaNet<MutableMatrix>) {
        linearWeightBackward(outputGradient: shiftGradient, input: hidden, weightGradient: gradients.weight, biasGradient: gradients.bias)
        let hiddenGradient = MutableMatrix(rows: 1, columns: hiddenWidth)
        multiply(shiftGradient, .asStored, weight, .asStored, into: hiddenGradient)
        rectifyBackward(output: hidden, gradient: hiddenGradient)
        linearWeightBackward(
            outputGradient: hiddenGradient, input: video, weightGradient: gradients.hiddenWeight, biasGradient: gradients.hiddenBias)
    }
}
