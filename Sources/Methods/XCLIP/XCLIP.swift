import CLIPModel
import Tensors

extension BridgeMethod {
    /// Frames see each other in the image tower, a layer joins them, and texts depend on the video; CLIP's text tower stays as it
    /// is. Source: Ni et al., ECCV 2022, "Expanding Language-Image Pretrained Models for General Video Recognition"; `methods.md` 6.
    package static let xCLIP = BridgeMethod(
        name: "x-clip",
        summary: "the image tower, whose frames see each other, and texts that depend on the video (X-CLIP, ECCV 2022)",
        design: .crossFrame { architecture, seed in CrossFrameParameters(startFor: architecture, seed: seed) },
        tuning: .image, rateFactor: 10, training: Training(learningRate: 8e-6, epochs: 30, template: "{}"))
}

extension CrossFrameParameters<MutableMatrix> {
    /// What X-CLIP's code starts from beside a CLIP: PyTorch's defaults for the messages between frames; weights and positions of
    /// deviation 0.02 behind the tower, a projection of patches of deviation 1, and factors of 0.1 on what is added to texts.
    ///
    /// - Returns: nil for an architecture whose frames do not see each other.
    fileprivate init?(startFor architecture: CLIPArchitecture, seed: UInt64) {
        guard let specifications = CrossFrameParameters<TensorSpecification>(of: architecture) else { return nil }
        var item = 0
        self = specifications.map { specification in
            defer { item += 1 }
            return Self.start(of: specification, item: item, seed: seed)
        }
    }

    private static func start(of specification: TensorSpecification, item: Int, seed: UInt64) -> MutableMatrix {
        let matrix = MutableMatrix(rows: specification.rowCount, columns: specification.columnCount)
        var source = RandomSource(seed: seed, purpose: .temporal, item: item)
        func uniform(_ bound: Float) { matrix.fill(with: (0..<matrix.count).map { _ in source.uniform(in: -bound...bound) }) }
        func normal(_ deviation: Float) { matrix.fill(with: (0..<matrix.count).map { _ in deviation * source.normal() }) }
        let name = specification.name
        let isVector = specification.shape.count == 1
        switch name {
        case _ where name.hasSuffix("alpha"): matrix.fill(0.1)
        case _ where isVector && name.hasSuffix("weight"): matrix.fill(1)
        case _ where name.hasSuffix("in_proj_weight"): uniform((6 / Float(matrix.rowCount + matrix.columnCount)).squareRoot())
        case _ where name.contains("message_fc"): uniform(1 / Float(isVector ? matrix.count : matrix.columnCount).squareRoot())
        case _ where isVector: break
        case _ where name.contains("message_"): uniform(1 / Float(matrix.columnCount).squareRoot())
        case "prompts_visual_proj": normal(1)
        default: normal(0.02)
        }
        return matrix
    }
}
