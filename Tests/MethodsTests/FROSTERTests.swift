import CLIPModel
import Methods
import Tensors
import TestSupport
import Testing

/// Distances behind residual layers, against numbers of `Tests/Fixtures/prompting/froster.safetensors`, and how they are learned
/// with prompts.
@Suite struct FROSTERTests {
    /// The terms and all of their gradients, of frames and of texts.
    @Test(arguments: [("v", "frame", "image_term"), ("t", "text", "text_term")])
    func distances(_ side: String, features: String, term: String) throws {
        let fixture = try TensorFixture("prompting/froster")
        func matrix(_ name: String) throws -> MutableMatrix {
            let shape = try fixture.shape(name)
            return MutableMatrix(rows: shape[0], columns: shape[1], try fixture.floats(name))
        }
        let layers = ResidualLayers(named: side, inner: try matrix("projector_\(side).0.weight"), outer: try matrix("projector_\(side).2.weight"))
        let gradients = layers.tensors.map { MutableMatrix(rows: $0.value.rowCount, columns: $0.value.columnCount) }
        let (distance, gradient) = layers.distance(
            of: try matrix("\(features)_features"), from: try matrix("frozen_\(features)_features"), weight: 2, tensorGradients: gradients)
        expectClose(Float(distance), try fixture.floats(term)[0], tolerance: 1e-4, term)
        for (name, actual) in [("", gradient), ("0", gradients[0]), ("2", gradients[1])] {
            expectClose(actual.values, try fixture.floats("grad_of_2x_sum.\(side)\(name)"), tolerance: 1e-4, "gradient of \(side)\(name)")
        }
    }

    private let fixture: PromptMethodFixture
    private let prompts: PromptSet<MutableMatrix>
    private let clips: [Matrix]

    init() throws {
        fixture = try PromptMethodFixture("promptsrc")
        prompts = try PromptSet(
            vision: fixture.matrices(Array(PromptMethodTests.visionNames.prefix(2))), text: fixture.matrices(PromptMethodTests.textNames))
        clips = fixture.clips(ofFrames: 2)
    }

    private func objective(learnsVision: Bool = true, learnsText: Bool = true) throws -> ResidualDistillation {
        let teacher = try PromptTeacher(
            .froster, backbone: fixture.backbone, texts: fixture.teacherTexts(), frameCount: 2, learnsVision: learnsVision, pool: fixture.pool)
        return ResidualDistillation(
            RegularizedLearning(sequences: fixture.sequences, teacher: teacher, fusion: .embedding, learnsText: learnsText, seed: 3))
    }

    /// An objective whose layers all have a gradient: as training starts, the outer ones are zero.
    private func movedObjective() throws -> ResidualDistillation {
        let objective = try objective()
        for (index, tensor) in objective.tensors.enumerated() where tensor.name.hasSuffix("outer") {
            #expect(tensor.value.values.allSatisfy { $0 == 0 })
            var random = RandomSource(seed: 1, purpose: .test, item: index)
            tensor.value.fill(with: (0..<tensor.value.count).map { _ in 3 * random.normal() })
        }
        return objective
    }

    @Test func gradientsOfPromptsAndLayers() throws {
        let objective = try movedObjective()
        #expect(objective.tensors.map(\.name) == ["froster.frames.inner", "froster.frames.outer", "froster.texts.inner", "froster.texts.outer"])
        fixture.expectSlopes(of: objective, prompts: prompts, fusion: .embedding, clips: Array(clips.prefix(2)), targets: fixture.oneHot([1, 4]))
    }

    /// However the clips of a step come, the sums are the same; and a scale of the optimizer's reaches each clip, but once the step.
    @Test func sumsHaveAnOrder() throws {
        let objective = try movedObjective()
        let part = PromptPart(DirectPrompts(prompts, architecture: fixture.backbone.architecture), aggregator: Fusion.embedding, on: fixture.backbone)
        let learner = Learner(part, objective, frameCount: 2, pool: fixture.pool)
        let tensors = part.tensors + objective.tensors
        func gradients(weight: Float, scale: Float, of pieces: [Range<Int>]) -> [[Float]] {
            for tensor in tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            let targets = fixture.oneHot([1, 3, 4])
            learner.begin()
            for piece in pieces {
                learner.add(ClipBatch(clips: Array(clips[piece]), targets: Array(targets[piece])), weight: weight, to: &result)
            }
            learner.finish(scale: scale)
            return tensors.map { $0.gradient.values.map { scale * $0 } }
        }
        let whole = gradients(weight: 1 / 3, scale: 1, of: [0..<3])
        #expect(gradients(weight: 1 / 3, scale: 1, of: [0..<1, 1..<3]) == whole)
        for (scaled, gradient) in zip(gradients(weight: 1, scale: 1 / 3, of: [0..<3]), whole) {
            expectClose(scaled, gradient, tolerance: 1e-4, "scaled")
        }
    }

    /// A tower without prompts says what its teacher says, and has no layers.
    @Test func towersThatStayHaveNoLayers() throws {
        #expect(try objective(learnsVision: false).tensors.allSatisfy { $0.name.hasPrefix("froster.texts") })
        let frames = try objective(learnsText: false)
        #expect(frames.stepTensors.isEmpty && frames.clipTensors.count == 2)
        let texts = MutableMatrix(rows: 5, columns: 32, (0..<5 * 32).map { Float($0 % 7) + 1 })
        #expect(frames.stepTerm(text: TextFeatures(texts)) == nil)
    }
}
