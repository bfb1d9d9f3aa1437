import CLIPModel
import Tensors
import TestSupport

/// The small CLIP of the PyTorch fixtures with the inputs that its expected values belong to.
struct ModelFixtures {
    let backbone: Backbone
    let forward: TensorFixture
    /// Two clips, `[3, 3 × 64 × 64]` each.
    let clips: [Matrix]
    /// Token sequences of five classes, start to end token.
    let sequences: [[Int]]
    let targets: [[Float]]

    static let frameCount = 3
    static let classCount = 5

    init() throws {
        backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        forward = try TensorFixture("clip/forward")
        let pixels = try forward.floats("frames")
        let clipLength = pixels.count / 2
        clips = (0..<2).map { clip in
            MutableMatrix(
                rows: Self.frameCount, columns: clipLength / Self.frameCount,
                Array(pixels[clip * clipLength..<(clip + 1) * clipLength])
            ).reading
        }
        sequences = try forward.sequences("ids")
        let target = try forward.floats("target")
        targets = (0..<2).map { Array(target[$0 * Self.classCount..<($0 + 1) * Self.classCount]) }
    }

    func prompts(_ variant: String, from fixture: TensorFixture) throws -> PromptSet<MutableMatrix> {
        func side(_ name: String) throws -> [MutableMatrix] {
            var result: [MutableMatrix] = []
            while fixture.file.contains("\(variant).prompt.\(name).\(result.count)") {
                let tensor = "\(variant).prompt.\(name).\(result.count)"
                let shape = try fixture.shape(tensor)
                result.append(MutableMatrix(rows: shape[0], columns: shape[1], try fixture.floats(tensor)))
            }
            return result
        }
        return PromptSet(vision: try side("visual"), text: try side("text"))
    }
}

/// Tolerance through a tower and its gradients, relative to a tensor's largest magnitude.
let towerTolerance: Float = 1e-4
