import CLIPModel
import Methods
import Tensors
import TestSupport
import Testing

/// Each method of prompting beside its authors' code: logits, loss, gradient and eight steps of SGD, on the small CLIP and six
/// images of `Tests/Fixtures/clip`.
@Suite struct PromptMethodTests {
    static let textNames = ["prompt_learner.ctx", "text_encoder.transformer.resblocks.1.VPT_shallow"]
    static let visionNames = ["image_encoder.VPT"] + (1..<3).map { "image_encoder.transformer.resblocks.\($0).VPT_shallow" }

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
        let sequences = places.sequences(
            of: try fixture.names(behind: 4), vocabularySize: fixture.backbone.architecture.vocabularySize, startCount: 1)
        try fixture.expectEqualLearning(source, SoftCrossEntropy(sequences: sequences), names: ["prompt_learner.ctx"], sequences: sequences)
    }

    /// Texts that are others for each image: what the network adds, and what it and the words learn.
    @Test func cocoop() throws {
        let fixture = try PromptMethodFixture("cocoop")
        let source = try fixture.movedWords()
        let video = VideoEncoder(backbone: fixture.backbone, prompts: PromptSet(vision: [], text: []), frameCount: 1, pool: fixture.pool)
        let images = try video.embeddings(of: fixture.clips(ofFrames: 1))
        let net = try #require(source.values.metaNet)
        #expect(net.hiddenWidth == fixture.backbone.architecture.metaNetWidth)
        let shifts = (0..<images.rowCount).flatMap { net.forward(images.row($0).reading).shift.values }
        expectClose(shifts, try fixture.floats("context_bias"), tolerance: 1e-4, "shifts")
        try fixture.expectEqualLearning(source, SoftCrossEntropy(sequences: fixture.sequences), names: ["prompt_learner.ctx"] + Self.netNames)
    }

    fileprivate static let netNames = MetaNetShape.names.map { "prompt_learner.\($0)" }

    /// A video of several frames moves the words by the unit mean of these; step and classifier say the same, from pixels as from
    /// features that were computed before, however the clips of a step come.
    @Test func cocoopFollowsTheMeanOfFrames() throws {
        let fixture = try PromptMethodFixture("cocoop")
        let (source, backbone, clips) = (try fixture.movedWords(), fixture.backbone, fixture.clips(ofFrames: 2))
        let part = PromptPart(source, aggregator: Fusion.embedding, on: backbone)
        let learner = Learner(part, SoftCrossEntropy(sequences: fixture.sequences), frameCount: 2, pool: fixture.pool)
        let targets = fixture.oneHot([1, 3, 4])
        let features = learner.cachedPrefix(of: clips)
        func step(_ clips: [Matrix], _ input: ClipInput, of pieces: [Range<Int>]) -> (gradients: [[Float]], logits: [[Float]]) {
            for tensor in part.tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            for piece in pieces {
                learner.add(ClipBatch(clips: Array(clips[piece]), input: input, targets: Array(targets[piece])), weight: 1 / 3, to: &result)
            }
            learner.finish()
            return (part.tensors.map(\.gradient.values), result.logits)
        }
        let whole = step(clips, .pixels, of: [0..<3])
        for other in [step(features, .cachedPrefix, of: [0..<3]), step(clips, .pixels, of: [0..<1, 1..<3])] {
            #expect(other.gradients == whole.gradients && other.logits == whole.logits)
        }
        let classifier = part.classifier(sequences: fixture.sequences, frameCount: 2, pool: fixture.pool)
        let said = try classifier.logits(clips: clips)
        expectClose(said.flatMap(\.self), whole.logits.flatMap(\.self), tolerance: 1e-5, "classifier")
        #expect(try classifier.logits(clips: features, input: .cachedPrefix) == said)
        // Texts of one video do not stay for the next.
        #expect(try classifier.logits(clips: clips.reversed()) == said.reversed())

        // Put together by hand, with text prompts like any others.
        let tower = VideoEncoder(backbone: backbone, prompts: PromptSet(vision: [], text: []), frameCount: 2, pool: fixture.pool)
        let videos = try tower.embeddings(of: clips)
        let net = try #require(source.values.metaNet)
        for (index, logits) in whole.logits.enumerated() {
            let video = videos.row(index)
            let shift = net.forward(video.reading).shift.values
            let words = source.values.text[0]
            let moved = MutableMatrix(
                rows: words.rowCount, columns: words.columnCount, words.values.enumerated().map { $1 + shift[$0 % words.columnCount] })
            let texts = try TextEncoder(backbone: backbone, prompts: PromptSet(vision: [], text: [moved.reading]), pool: fixture.pool)
                .embeddings(of: fixture.sequences)
            let expected = (0..<texts.rowCount).map { label in
                backbone.logitScale * zip(texts.row(label).values, video.values).reduce(0) { $0 + $1.0 * $1.1 }
            }
            expectClose(logits, expected, tolerance: 1e-4, "video \(index)")
        }
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
        try fixture.expectSlopes(
            of: RegularizedCrossEntropy(sequences: fixture.sequences, .promptsrc, teacher: teacher, fusion: fusion),
            prompts: PromptSet(vision: fixture.matrices(Array(Self.visionNames.prefix(2))), text: fixture.matrices(Self.textNames)),
            fusion: fusion, clips: clips, targets: fixture.oneHot([1, 4]))
    }
}

/// Values of one method's code with the small CLIP's.
struct PromptMethodFixture {
    let backbone: Backbone
    let pool = WorkerPool(threadCount: 2)
    let sequences: [[Int]]
    private let fixture: TensorFixture
    private let variant: String
    private let images: Matrix
    private let labels = [1, 0, 3, 1, 4, 2]
    private let classCount = 5

    /// - Parameter ids: the texts' tensor; nil for the variant's own.
    init(_ name: String, variant: String = "", ids: String? = nil) throws {
        backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        fixture = try TensorFixture("prompting/\(name)")
        self.variant = variant
        sequences = try fixture.sequences(ids ?? "\(variant)ids")
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
        return MutableMatrix(rows: shape.dropLast().reduce(1, *), columns: shape.last ?? 1, try floats(name))
    }

    func matrices(_ names: [String]) throws -> [MutableMatrix] { try names.map { try matrix("start.\($0)") } }

    /// The words and the network of CoCoOp.
    func movedWords() throws -> DirectPrompts {
        let net = try matrices(PromptMethodTests.netNames)
        return DirectPrompts(
            PromptSet(
                vision: [], text: try matrices(["prompt_learner.ctx"]),
                metaNet: MetaNet(hiddenWeight: net[0], hiddenBias: net[1], weight: net[2], bias: net[3])),
            architecture: backbone.architecture)
    }

    func clips(ofFrames count: Int) -> [Matrix] { (0..<labels.count / count).map { images.rows($0 * count..<($0 + 1) * count) } }

    /// The class names of sequences with placeholders before them.
    func names(behind count: Int) throws -> [LearnedWords.Name] {
        let lengths = try fixture.integers("\(variant)name_lengths")
        return sequences.enumerated().map { label, tokens in
            LearnedWords.Name(tokens: Array(tokens.prefix(1) + tokens.dropFirst(1 + count)), length: lengths[label], label: label)
        }
    }

    /// The gradient of what learns, prompts and the objective's own tensors, beside finite differences of the loss.
    func expectSlopes(
        of objective: some Objective, prompts: PromptSet<MutableMatrix>, fusion: Fusion, clips: [Matrix], labels: [Int] = [], targets: [[Float]] = [],
        means: SentenceMeans? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let part = PromptPart(DirectPrompts(prompts, architecture: backbone.architecture), aggregator: fusion, on: backbone, means: means)
        let learner = Learner(part, objective, frameCount: clips[0].rowCount, pool: pool)
        let tensors = part.tensors + objective.tensors
        func loss() -> Double {
            for tensor in tensors { tensor.gradient.fill(0) }
            var result = StepResult()
            learner.begin()
            learner.add(ClipBatch(clips: clips, labels: labels, targets: targets), weight: 1 / Float(clips.count), to: &result)
            learner.finish()
            return result.lossSum / Double(clips.count)
        }
        _ = loss()
        for (tensor, gradient) in zip(tensors, tensors.map(\.gradient.values)) {
            // Along the gradient itself, where rounding of the loss matters least.
            let start = tensor.value.values
            let length = gradient.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            let step = 1e-3
            func movedLoss(_ distance: Double) -> Double {
                tensor.value.fill(with: zip(start, gradient).map { $0 + Float(distance * Double($1) / length) })
                return loss()
            }
            let slope = (movedLoss(step) - movedLoss(-step)) / (2 * step)
            tensor.value.fill(with: start)
            #expect(
                abs(slope - length) < 0.03 * length, "\(fusion), \(tensor.name): \(slope) beside \(length)", sourceLocation: sourceLocation)
        }
    }

    func oneHot(_ labels: [Int]) -> [[Float]] { labels.map { label in (0..<classCount).map { $0 == label ? 1 : 0 } } }

    private func expect(_ actual: MutableMatrix, _ name: String, tolerance: Float) throws {
        let entries = try fixture.entries(variant + name, besides: actual.values)
        expectClose(entries.actual, entries.expected, tolerance: tolerance, name)
    }

    /// - Parameters:
    ///   - names: of the source's tensors in the fixture, in their order.
    ///   - decay: of its gradient descent.
    func expectEqualLearning(
        _ source: any PromptSource, _ objective: some ClipObjective, names: [String], comparesEnd: Bool = true, sequences other: [[Int]]? = nil,
        decay: Double = 5e-4
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
        // PyTorch's SGD: momentum, and decay as part of the gradient.
        var velocities = tensors.map { [Float](repeating: 0, count: $0.value.count) }
        var losses: [Float] = []
        for rate in try floats("train.lr") {
            losses.append(Float(gradient()))
            for (index, tensor) in tensors.enumerated() {
                let values = tensor.value.values
                velocities[index] = zip(velocities[index], zip(tensor.gradient.values, values)).map { 0.9 * $0 + $1.0 + Float(decay) * $1.1 }
                tensor.value.fill(with: zip(values, velocities[index]).map { $0 - rate * $1 })
            }
        }
        expectClose(losses, try floats("train.losses"), tolerance: 1e-3, "losses")
        if comparesEnd { for (tensor, name) in zip(tensors, names) { try expect(tensor.value, "train.final.\(name)", tolerance: 1e-3) } }
    }
}
