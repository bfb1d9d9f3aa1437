import CLIPModel
import Files
import Tensors
import TestSupport
import Testing
import WeightFiles

/// PE-Core beside Meta's own code (Tests/Fixtures/pe/README.md): from its checkpoint and from open_clip's, features, loss, the gradients
/// of every weight, and backbone files.
@Suite struct PerceptionEncoderTests {
    private static let labels = [1, 0, 3, 1, 4, 2]
    private static let native = fixturePath("pe/pe-native.pt")
    private let pool = WorkerPool(threadCount: 2)
    /// Neither file says how many heads the image tower has.
    private let options = CheckpointOptions(heads: HeadCounts(vision: 2, text: 2))

    /// Clips of `frameCount` of the fixture's six pictures.
    private func clips(_ fixture: TensorFixture, frameCount: Int) throws -> [Matrix] {
        let pixels = try fixture.floats("frames")
        let frames = MutableMatrix(rows: 6, columns: pixels.count / 6, pixels)
        return stride(from: 0, to: 6, by: frameCount).map { frames.rows($0..<$0 + frameCount).reading }
    }

    private func unit(_ values: [Float], width: Int) -> [Float] {
        stride(from: 0, to: values.count, by: width).flatMap { start in
            let row = values[start..<start + width]
            let length = row.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return row.map { $0 / length }
        }
    }

    /// PE-Core's G/14 form, which has no class token: its text tower is that of the other file.
    private func withoutClassToken(_ fixture: TensorFixture, in folder: TemporaryDirectory) throws -> Backbone {
        let whole = try Backbone.load(Self.native, options: options)
        var tensors = zip(BackboneParameters<TensorSpecification>(of: whole.architecture).all, whole.parameters.all)
            .filter { !$0.0.name.hasPrefix("visual.") }.map { ($0.name, $0.shape, $1.values) }
        for tensor in fixture.file.tensors where tensor.name.hasPrefix("weights.") {
            tensors.append((String(tensor.name.dropFirst("weights.".count)), tensor.shape, try fixture.floats(tensor.name)))
        }
        try SafetensorsWriter.write(tensors, to: folder.path("whole.safetensors"))
        return try Backbone.load(folder.path("whole.safetensors"), options: options)
    }

    private func expectFeaturesAndGradients(of backbone: Backbone, _ fixture: TensorFixture) throws {
        let pictures = try clips(fixture, frameCount: 1)
        let sequences = try fixture.sequences("ids")
        let pass = VisionPass(tower: backbone.vision, prompts: .none, frameCount: 1, keeping: .nothing, pool: pool)
        expectClose(
            pass.forward(clips: pictures, context: nil).flatMap(\.values), try fixture.floats("frame_features"), tolerance: towerTolerance,
            "frame_features")
        let layout = TextTowerLayout(sequences: sequences, architecture: backbone.architecture)
        let saved = TextActivations(layout: layout, architecture: backbone.architecture, keeping: .nothing, threadCount: 2)
        backbone.text.forward(prompts: [], saved: saved, pool: pool)
        expectClose(saved.features.values, try fixture.floats("text_features"), tolerance: towerTolerance, "text_features")
        // Videos are known by the mean of their frames' features, as CLIP's are.
        let classifier = CLIPClassifier(backbone: backbone, sequences: sequences, frameCount: 3, pool: pool)
        expectClose(
            try classifier.embeddings(clips: try clips(fixture, frameCount: 3)).flatMap(\.self),
            unit(try fixture.floats("video_mean_raw"), width: backbone.architecture.embeddingWidth), tolerance: towerTolerance, "video features")
        try expectLogitsOfUnitFrames(of: backbone, sequences: sequences, fixture)

        let learner = weightLearner(
            backbone.parameters.mutableCopy(), of: backbone, sequences: sequences, frameCount: 1, pool: pool)
        var result = StepResult()
        learner.begin()
        learner.add(
            clips: pictures, targets: Self.labels.map { label in (0..<5).map { $0 == label ? 1 : 0 } }, weight: 1 / 6, to: &result)
        learner.finish()
        expectClose(Float(result.lossSum / 6), try fixture.floats("loss")[0], tolerance: towerTolerance, "loss")
        let specifications = BackboneParameters<TensorSpecification>(of: backbone.architecture).all
        for (specification, gradient) in zip(specifications, learner.gradients.all) {
            let entries = try fixture.entries("grad.\(specification.name)", besides: gradient.values)
            expectClose(entries.actual, entries.expected, tolerance: towerTolerance, specification.name)
        }
    }

    /// Meta's `encode_video(normalize=True)` takes the mean of unit frames as it is: its cosines with the texts are the mean of the
    /// frames' cosines, as by decision fusion.
    private func expectLogitsOfUnitFrames(of backbone: Backbone, sequences: [[Int]], _ fixture: TensorFixture) throws {
        let width = backbone.architecture.embeddingWidth
        let videos = MutableMatrix(rows: 2, columns: width, try fixture.floats("video_mean_of_unit"))
        let texts = MutableMatrix(rows: 5, columns: width, unit(try fixture.floats("text_features"), width: width))
        let logits = MutableMatrix(rows: 2, columns: 5)
        multiply(videos, .asStored, texts, .transposed, into: logits, scale: backbone.logitScale)
        let classifier = CLIPClassifier(backbone: backbone, sequences: sequences, fusion: .decision, frameCount: 3, pool: pool)
        let clips = try clips(fixture, frameCount: 3)
        expectClose(try classifier.logits(clips: clips).flatMap { $0 }, logits.values, tolerance: towerTolerance, "logits of unit frames")
        expectClose(
            try classifier.embeddings(clips: clips).flatMap { $0 }, unit(videos.values, width: width), tolerance: towerTolerance, "their direction")
    }

    @Test(arguments: ["pe/pe-native.pt", "pe/open_clip"])
    func equalsMetasCode(source: String) throws {
        let backbone = try Backbone.load(fixturePath(source), options: options)
        let architecture = backbone.architecture
        #expect(architecture.form == TowerForm(.perceptionEncoder) && architecture.activation == .gelu && architecture.contextLength == 32)
        #expect(backbone.description.normalization == .centered)
        // The weights alone do not say what is computed with them.
        #expect(backbone.digest != backbone.weightsDigest)
        #expect(try backbone.digest == Backbone.load(Self.native, options: options).digest)
        try expectFeaturesAndGradients(of: backbone, try TensorFixture("pe/expected-cls"))
    }

    @Test func equalsMetasCodeWithoutClassToken() throws {
        let folder = try TemporaryDirectory()
        let fixture = try TensorFixture("pe/expected-nocls")
        let backbone = try withoutClassToken(fixture, in: folder)
        #expect(backbone.architecture.form == TowerForm(.perceptionEncoder, hasClassToken: false))
        try expectFeaturesAndGradients(of: backbone, fixture)
    }

    /// Written as a backbone file and read again, with and without a class token.
    @Test func backboneFilesGoThereAndBack() throws {
        let folder = try TemporaryDirectory()
        let whole = try Backbone.load(Self.native, options: options)
        for backbone in [whole, try withoutClassToken(try TensorFixture("pe/expected-nocls"), in: folder)] {
            let path = folder.path("backbone.safetensors")
            try backbone.save(to: path)
            #expect(try SafetensorsFile(path: path).metadata["towers"] == "perception-encoder")
            let read = try Backbone.load(path)
            #expect(read.digest == backbone.digest && read.architecture == backbone.architecture && read.description == backbone.description)
        }
        _ = try Checkpoint(path: fixturePath("pe/open_clip"), options: options).write(to: folder.path("imported.safetensors"))
        #expect(try Backbone.load(folder.path("imported.safetensors")).digest == whole.digest)
        // A file that calls its towers something else than they are is not read.
        let tensors = zip(BackboneParameters<TensorSpecification>(of: whole.architecture).all, whole.parameters.all)
            .map { ($0.name, $0.shape, $1.values) }
        let cases: [(String?, String)] = [(nil, "metadata \"towers\" is \"clip\""), ("vit", "metadata \"towers\" is \"vit\"")]
        for (family, words) in cases {
            var metadata = try SafetensorsFile(path: folder.path("imported.safetensors")).metadata
            metadata["towers"] = family
            try SafetensorsWriter.write(tensors, metadata: metadata, to: folder.path("other.safetensors"))
            #expect(message(in: folder) { _ = try Backbone.load(folder.path("other.safetensors")) }.contains(words))
        }
    }

    /// In timm's layout there is a bias behind the last product, which Meta's code does not have.
    @Test func biasBehindTheProjectionIsRefused() throws {
        let folder = try TemporaryDirectory()
        let source = try SafetensorsFile(path: fixturePath("pe/open_clip/open_clip_model.safetensors"))
        let tensors = try source.tensors.map { tensor in
            let values = try source.floats(named: tensor.name)
            return (tensor.name, tensor.shape, tensor.name == "visual.trunk.head.bias" ? values.map { $0 + 0.5 } : values)
        }
        let path = folder.path("a.safetensors")
        try SafetensorsWriter.write(tensors, to: path)
        #expect(message(in: folder) { _ = try Backbone.load(path, options: self.options) }
            .contains("tensor \"visual.trunk.head.bias\" is not expected"))
    }

    /// Prompts of one layer, which then are rows of every frame, and of both, whose keys and values all frames share: the gradient along
    /// itself beside a difference of the loss.
    @Test(arguments: [1, 2]) func promptsHaveTheirGradient(depth: Int) throws {
        let fixture = try TensorFixture("pe/expected-cls")
        let backbone = try Backbone.load(Self.native, options: options)
        let prompts = PromptSet(
            vision: randomPrompts(backbone.architecture.vision, seed: 1, count: depth),
            text: randomPrompts(backbone.architecture.text, seed: 2, count: 1))
        let sequences = try fixture.sequences("ids").map { [$0[0], 0, 0] + $0.dropFirst() }
        let learner = promptLearner(backbone: backbone, prompts: prompts, sequences: sequences, fusion: .embedding, frameCount: 3, pool: pool)
        let videos = try clips(fixture, frameCount: 3)
        expectSlopes(of: prompts.vision + prompts.text, gradients: learner.gradients.vision + learner.gradients.text) {
            var result = StepResult()
            learner.begin()
            learner.add(clips: videos, targets: [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]], weight: 0.5, to: &result)
            learner.finish()
            return result.lossSum / 2
        }
    }

    /// What needs unmoved patches says so.
    @Test func otherTowersRefuseByName() throws {
        let backbone = try Backbone.load(Self.native, options: options)
        var merging = PromptConfiguration.none
        merging.mergedTokens = 1
        #expect(throws: ModelError.otherForm("a Perception Encoder (PE)", what: "tokens merge")) {
            try merging.check(against: backbone.architecture)
        }
    }

    /// The parameters of L/14 and G/14, counted from their sizes: the MLP that pools is four times as wide as the tower in both.
    @Test(arguments: [(1024, 24, 4096, 336, true), (1536, 50, 8960, 448, false)])
    func parametersOfReleasedTowers(width: Int, layers: Int, mlpWidth: Int, pixels: Int, hasClassToken: Bool) {
        let architecture = CLIPArchitecture(
            vision: .init(width: width, layerCount: layers, headCount: 16, mlpWidth: mlpWidth), text: .init(width: 1280, layerCount: 24),
            imagePixels: pixels, patchPixels: 14, embeddingWidth: 1280, contextLength: 72, vocabularySize: 49_408, activation: .gelu,
            form: TowerForm(.perceptionEncoder, hasClassToken: hasClassToken))
        let count = BackboneParameters<TensorSpecification>(of: architecture).vision.all.reduce(0) { $0 + $1.count }
        func linear(_ inputs: Int, _ outputs: Int) -> Int { inputs * outputs + outputs }
        let norm = 2 * width, classToken = hasClassToken ? 1 : 0
        let attention = linear(width, 3 * width) + linear(width, width)
        let block = attention + 2 * norm + linear(width, mlpWidth) + linear(mlpWidth, width)
        let pooling = width + attention + norm + linear(width, 4 * width) + linear(4 * width, width)
        let patches = (pixels / 14) * (pixels / 14)
        #expect(
            count == 3 * 14 * 14 * width + classToken * width + (patches + classToken) * width + 2 * norm + layers * block + pooling
                + width * 1280)
    }
}
