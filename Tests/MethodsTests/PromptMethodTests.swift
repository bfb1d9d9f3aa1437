import CLIPModel
import Methods
import Tensors
import TestSupport
import Testing

/// Each method of prompting beside its authors' code: logits, loss, gradient and eight steps of SGD, on the small CLIP and six
/// images of `Tests/Fixtures/clip`.
@Suite struct PromptMethodTests {
    private static let textNames = ["prompt_learner.ctx", "text_encoder.transformer.resblocks.1.VPT_shallow"]
    private static let visionNames = ["image_encoder.VPT"] + (1..<3).map { "image_encoder.transformer.resblocks.\($0).VPT_shallow" }

    @Test(arguments: ["shared_end.", "words_end."])
    func coop(_ variant: String) throws {
        let fixture = try PromptMethodFixture("coop", variant: variant)
        let source = try DirectPrompts(
            PromptSet(vision: [], text: fixture.matrices(["prompt_learner.ctx"])), architecture: fixture.backbone.architecture)
        try fixture.expectEqualLearning(source, SoftCrossEntropy(sequences: fixture.sequences), names: ["prompt_learner.ctx"])
    }

    /// Words that stand elsewhere, and words that are others for each class.
    @Test(arguments: [
        ("shared_end.", LearnedWords.NamePlace.end), ("shared_middle.", .middle), ("shared_front.", .front), ("class_end.", .end), ("class_middle.", .middle),
    ])
    func coopElsewhere(_ variant: String, place: LearnedWords.NamePlace) throws {
        let fixture = try PromptMethodFixture("coop", variant: variant)
        let isClassSpecific = variant.hasPrefix("class")
        let places = LearnedWords.context(count: 4, place: place, classCount: isClassSpecific ? 5 : nil)
        let start = try fixture.floats("start.prompt_learner.ctx")
        let table = MutableMatrix(rows: start.count / 64, columns: 64, start)
        let source = DirectPrompts(
            PromptSet(vision: [], text: [], words: .init(table, places: places)), architecture: fixture.backbone.architecture)
        let sequences = places.sequences(of: try fixture.names(behind: 4), vocabularySize: fixture.backbone.architecture.vocabularySize)
        try fixture.expectEqualLearning(source, SoftCrossEntropy(sequences: sequences), names: ["prompt_learner.ctx"], sequences: sequences)
    }

    @Test func vpt() throws {
        let fixture = try PromptMethodFixture("vpt")
        let source = try DirectPrompts(
            PromptSet(vision: fixture.matrices(Self.visionNames), text: []), architecture: fixture.backbone.architecture)
        try fixture.expectEqualLearning(source, SoftCrossEntropy(sequences: fixture.sequences), names: Self.visionNames)
    }

    @Test func ivlp() throws {
        let fixture = try PromptMethodFixture("ivlp")
        let vision = Array(Self.visionNames.prefix(2))
        let source = try DirectPrompts(
            PromptSet(vision: fixture.matrices(vision), text: fixture.matrices(Self.textNames)), architecture: fixture.backbone.architecture)
        try fixture.expectEqualLearning(source, SoftCrossEntropy(sequences: fixture.sequences), names: vision + Self.textNames)
    }

    /// The third set of text prompts lies above the text tower's two layers and only makes vision prompts.
    @Test func maple() throws {
        let fixture = try PromptMethodFixture("maple")
        let texts = ["ctx", "compound_prompts_text.0", "compound_prompts_text.1"].map { "prompt_learner.\($0)" }
        let projections = ["proj", "compound_prompt_projections.0", "compound_prompt_projections.1"].map { "prompt_learner.\($0)" }
        let source = CoupledPrompts(
            texts: try fixture.matrices(texts),
            projections: try projections.map {
                CoupledPrompts.Projection(weight: try fixture.matrix("start.\($0).weight"), bias: try fixture.matrix("start.\($0).bias"))
            }, architecture: fixture.backbone.architecture)
        #expect(source.configuration.visionDepth == 3 && source.configuration.textDepth == 2)
        try fixture.expectEqualLearning(
            source, SoftCrossEntropy(sequences: fixture.sequences), names: texts + projections.flatMap { ["\($0).weight", "\($0).bias"] })
    }

    @Test func kgcoop() throws {
        let fixture = try PromptMethodFixture("kgcoop")
        let teacher = try PromptTeacher(
            .kgcoop, backbone: fixture.backbone, texts: fixture.teacherTexts(), frameCount: 1, learnsVision: false, pool: fixture.pool)
        expectClose(teacher.text.unit.values, try fixture.floats("teacher_text_unit"), tolerance: 1e-5, "teacher")
        let source = try DirectPrompts(
            PromptSet(vision: [], text: fixture.matrices(["prompt_learner.ctx"])), architecture: fixture.backbone.architecture)
        try fixture.expectEqualLearning(
            source, RegularizedCrossEntropy(sequences: fixture.sequences, .kgcoop, teacher: teacher, fusion: .embedding),
            names: ["prompt_learner.ctx"])
    }

    @Test func promptsrc() throws {
        let fixture = try PromptMethodFixture("promptsrc")
        let teacher = try PromptTeacher(
            .promptsrc, backbone: fixture.backbone, texts: fixture.teacherTexts(), frameCount: 1, learnsVision: true, pool: fixture.pool)
        let vision = Array(Self.visionNames.prefix(2))
        let source = try DirectPrompts(
            PromptSet(vision: fixture.matrices(vision), text: fixture.matrices(Self.textNames)), architecture: fixture.backbone.architecture)
        // The fixture ends with the mean over the epochs, which `EpochAverageTests` compares.
        try fixture.expectEqualLearning(
            source, RegularizedCrossEntropy(sequences: fixture.sequences, .promptsrc, teacher: teacher, fusion: .embedding),
            names: vision + Self.textNames, comparesEnd: false)
    }

    /// The gradient of every fusion's terms beside finite differences of the loss.
    @Test(arguments: Fusion.allCases)
    func regularizedGradients(_ fusion: Fusion) throws {
        let fixture = try PromptMethodFixture("promptsrc")
        let clips = fixture.clips(ofFrames: 3)
        let teacher = try PromptTeacher(
            .promptsrc, backbone: fixture.backbone, texts: fixture.teacherTexts(), frameCount: 3, learnsVision: true, pool: fixture.pool)
        let vision = try fixture.matrices(Array(Self.visionNames.prefix(2)))
        let prompts = PromptSet(vision: vision, text: try fixture.matrices(Self.textNames))
        let source = DirectPrompts(prompts, architecture: fixture.backbone.architecture)
        let learner = Learner(
            PromptPart(source, aggregator: fusion, on: fixture.backbone),
            RegularizedCrossEntropy(sequences: fixture.sequences, .promptsrc, teacher: teacher, fusion: fusion), frameCount: 3, pool: fixture.pool)
        func loss() -> Double {
            for gradient in source.promptGradients.all { gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips, targets: fixture.oneHot([1, 4])), weight: 0.5, to: &result)
            learner.finish()
            return result.lossSum / 2
        }
        _ = loss()
        for (element, gradient) in zip(prompts.all, source.promptGradients.all.map(\.values)) {
            // Along the gradient itself, where rounding of the loss matters least.
            let start = element.values
            let length = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            let step = 1e-3
            func movedLoss(_ distance: Double) -> Double {
                element.fill(with: zip(start, gradient).map { $0 + Float(distance * Double($1) / length) })
                return loss()
            }
            let slope = (movedLoss(step) - movedLoss(-step)) / (2 * step)
            element.fill(with: start)
            #expect(abs(slope - length) < 0.03 * length, "\(fusion): \(slope) beside \(length)")
        }
    }
}

/// Values of one method's code with the small CLIP's.
private struct PromptMethodFixture {
    let backbone: Backbone
    let pool = WorkerPool(threadCount: 2)
    let sequences: [[Int]]
    private let fixture: TensorFixture
    private let variant: String
    private let images: Matrix
    private let labels = [1, 0, 3, 1, 4, 2]
    private let classCount = 5

    init(_ name: String, variant: String = "") throws {
        backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        fixture = try TensorFixture("prompting/\(name)")
        self.variant = variant
        sequences = try fixture.sequences("\(variant)ids")
        let pixels = try TensorFixture("clip/forward").floats("frames")
        images = MutableMatrix(rows: labels.count, columns: pixels.count / labels.count, pixels).reading
    }

    func teacherTexts() throws -> [[[Int]]] {
        let all = try fixture.sequences("teacher_ids")
        return stride(from: 0, to: all.count, by: classCount).map { Array(all[$0..<$0 + classCount]) }
    }

    func floats(_ name: String) throws -> [Float] { try fixture.floats(variant + name) }

    func matrix(_ name: String) throws -> MutableMatrix {
        let shape = try fixture.shape(variant + name)
        return MutableMatrix(rows: shape.count == 1 ? 1 : shape[0], columns: shape.last ?? 1, try floats(name))
    }

    func matrices(_ names: [String]) throws -> [MutableMatrix] { try names.map { try matrix("start.\($0)") } }

    func clips(ofFrames count: Int) -> [Matrix] { (0..<labels.count / count).map { images.rows($0 * count..<($0 + 1) * count) } }

    /// The class names of sequences with placeholders before them.
    func names(behind count: Int) throws -> [LearnedWords.Name] {
        let lengths = try fixture.integers("\(variant)name_lengths")
        return sequences.enumerated().map { label, tokens in
            LearnedWords.Name(tokens: Array(tokens.prefix(1) + tokens.dropFirst(1 + count)), length: lengths[label], label: label)
        }
    }

    func oneHot(_ labels: [Int]) -> [[Float]] { labels.map { label in (0..<classCount).map { $0 == label ? 1 : 0 } } }

    private func expect(_ actual: MutableMatrix, _ name: String, tolerance: Float) throws {
        let entries = try fixture.entries(variant + name, besides: actual.values)
        expectClose(entries.actual, entries.expected, tolerance: tolerance, name)
    }

    /// - Parameter names: of the source's tensors in the fixture, in their order.
    func expectEqualLearning(
        _ source: any PromptSource, _ objective: some ClipObjective, names: [String], comparesEnd: Bool = true, sequences other: [[Int]]? = nil
    ) throws {
        let sequences = other ?? sequences
        let part = PromptPart(source, aggregator: Fusion.embedding, on: backbone)
        let learner = Learner(part, objective, frameCount: 1, pool: pool)
        let logits = try part.classifier(sequences: sequences, frameCount: 1, pool: pool).logits(clips: clips(ofFrames: 1))
        expectClose(logits.flatMap(\.self), try floats("logits"), tolerance: 1e-4, "logits")
        let tensors = part.tensors
        #expect(tensors.count == names.count)
        func gradient() -> Double {
            for tensor in tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips(ofFrames: 1), targets: oneHot(labels)), weight: 1 / Float(labels.count), to: &result)
            learner.finish()
            return result.lossSum / Double(labels.count)
        }
        expectClose(Float(gradient()), try floats("loss")[0], tolerance: 1e-4, "loss")
        for (tensor, name) in zip(tensors, names) { try expect(tensor.gradient, "grad.\(name)", tolerance: 1e-4) }
        // Dassl's SGD: momentum, and decay as part of the gradient.
        var velocities = tensors.map { [Float](repeating: 0, count: $0.value.count) }
        var losses: [Float] = []
        for rate in try floats("train.lr") {
            losses.append(Float(gradient()))
            for (index, tensor) in tensors.enumerated() {
                let values = tensor.value.values
                velocities[index] = zip(velocities[index], zip(tensor.gradient.values, values)).map { 0.9 * $0 + $1.0 + 5e-4 * $1.1 }
                tensor.value.fill(with: zip(values, velocities[index]).map { $0 - rate * $1 })
            }
        }
        expectClose(losses, try floats("train.losses"), tolerance: 1e-3, "losses")
        if comparesEnd { for (tensor, name) in zip(tensors, names) { try expect(tensor.value, "train.final.\(name)", tolerance: 1e-3) } }
    }
}
