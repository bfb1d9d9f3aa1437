import CLIPModel
import Files
import Foundation
import Tensors
import TestSupport
import Testing
import WeightFiles

/// SigLIP beside transformers and open_clip (Tests/Fixtures/siglip/README.md): features, logits, the gradients of every weight under the
/// sigmoid loss, and backbone files.
@Suite struct SigLIPTests {
    private let pool = WorkerPool(threadCount: 2)
    private let options = CheckpointOptions(heads: HeadCounts(vision: 2, text: 2))

    /// The fixture's pictures as one clip, and its texts at full length.
    private func inputs(_ fixture: TensorFixture) throws -> (clip: Matrix, sequences: [[Int]]) {
        let pixels = try fixture.floats("frames")
        let ids = try fixture.integers("ids")
        return (
            MutableMatrix(rows: 6, columns: pixels.count / 6, pixels).reading,
            stride(from: 0, to: ids.count, by: 16).map { Array(ids[$0..<$0 + 16]) }
        )
    }

    private func textMemory(_ sequences: [[Int]], _ architecture: CLIPArchitecture, keeping: Keeping) -> TextActivations {
        let layout = TextTowerLayout(sequences: sequences, architecture: architecture)
        return TextActivations(layout: layout, architecture: architecture, keeping: keeping, threadCount: 2)
    }

    private func unit(_ matrix: Matrix, _ row: Int) -> (vector: [Double], length: Double) {
        let values = matrix.row(row).values.map(Double.init)
        let length = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return (values.map { $0 / length }, length)
    }

    /// The gradient of what was divided by its length.
    private func unscaled(_ gradient: [Double], _ unit: (vector: [Double], length: Double)) -> [Float] {
        let along = zip(gradient, unit.vector).reduce(0) { $0 + $1.0 * $1.1 }
        return zip(gradient, unit.vector).map { Float(($0 - along * $1) / unit.length) }
    }

    @Test(arguments: [
        ("siglip/huggingface", Activation.tanhGELU, "logits_per_image"), ("siglip/open_clip", .gelu, "exact_gelu.logits_per_image"),
    ])
    func logitsEqualTheLibrarys(source: String, activation: Activation, name: String) throws {
        let fixture = try TensorFixture("siglip/expected")
        let backbone = try Backbone.load(fixturePath(source), options: options)
        let architecture = backbone.architecture
        #expect(architecture.form == TowerForm(.sigLIP) && architecture.activation == activation && architecture.contextLength == 16)
        #expect(backbone.description.normalization == .centered && backbone.description.tokenizer == .siglip)
        let (clip, sequences) = try inputs(fixture)
        let pass = VisionPass(tower: backbone.vision, prompts: .none, frameCount: 6, keeping: .nothing, pool: pool)
        let frames = pass.forward(clips: [clip], context: nil)[0].reading
        let saved = textMemory(sequences, architecture, keeping: .nothing)
        backbone.text.forward(prompts: [], saved: saved, pool: pool)
        if activation == .tanhGELU {
            expectClose(frames.values, try fixture.floats("frame_features"), tolerance: towerTolerance, "frame_features")
            expectClose(saved.features.values, try fixture.floats("text_features"), tolerance: towerTolerance, "text_features")
        }
        let bias = Double(try #require(backbone.parameters.logitBias)[0, 0])
        let logits = (0..<6).flatMap { frame in
            (0..<5).map { text in
                let (image, words) = (unit(frames, frame).vector, unit(saved.features.reading, text).vector)
                return Float(Double(backbone.logitScale) * zip(image, words).reduce(0) { $0 + $1.0 * $1.1 } + bias)
            }
        }
        // Closer than the two activations are to each other.
        expectClose(logits, try fixture.floats(name), tolerance: 1e-5, name)
    }

    /// The towers' gradients under the sigmoid loss, whose own derivative is taken here.
    @Test func gradientsEqualTransformers() throws {
        let fixture = try TensorFixture("siglip/expected")
        let backbone = try Backbone.load(fixturePath("siglip/huggingface"), options: options)
        let architecture = backbone.architecture
        let (clip, sequences) = try inputs(fixture)
        let pass = VisionPass(tower: backbone.vision, prompts: .none, frameCount: 6, keeping: .weights, pool: pool)
        let frames = pass.forward(clips: [clip], context: nil)[0].reading
        let saved = textMemory(sequences, architecture, keeping: .weights)
        backbone.text.forward(prompts: [], saved: saved, pool: pool)

        let (logits, targets) = (try fixture.floats("logits_per_image"), try fixture.floats("targets"))
        let images = (0..<6).map { unit(frames, $0) }, texts = (0..<5).map { unit(saved.features.reading, $0) }
        let width = architecture.embeddingWidth
        var (imageGradients, textGradients) = (
            [[Double]](repeating: [Double](repeating: 0, count: width), count: 6), [[Double]](repeating: [Double](repeating: 0, count: width), count: 5)
        )
        for frame in 0..<6 {
            for text in 0..<5 {
                let (logit, target) = (Double(logits[frame * 5 + text]), Double(targets[frame * 5 + text]))
                let slope = -target / (1 + exp(target * logit)) / 6 * Double(backbone.logitScale)
                for column in 0..<width {
                    imageGradients[frame][column] += slope * texts[text].vector[column]
                    textGradients[text][column] += slope * images[frame].vector[column]
                }
            }
        }
        let gradients = backbone.parameters.zeros()
        let turnstile = Turnstile(gateCount: LearningVision.gateCount(of: architecture), pool: pool)
        let featureGradient = MutableMatrix(rows: 6, columns: width, zip(imageGradients, images).flatMap { unscaled($0, $1) })
        pass.backward(
            clips: [clip], featureGradients: [featureGradient], context: nil, promptAccumulators: [],
            weights: { item in LearningVision(gradients: gradients, architecture: architecture, turnstile: turnstile, item: item) })
        backbone.text.backward(
            featureGradient: MutableMatrix(rows: 5, columns: width, zip(textGradients, texts).flatMap { unscaled($0, $1) }).reading,
            saved: saved, promptGradients: [], weights: LearningText(gradients: gradients.text, architecture: architecture, pool: pool), pool: pool)

        for (specification, gradient) in zip(BackboneParameters<TensorSpecification>(of: architecture).all, gradients.all)
        where !specification.name.hasPrefix("logit_") {
            try expectEqual(gradient, specification.name, fixture)
        }
    }

    /// One of our gradients beside transformers', by its names.
    private func expectEqual(_ gradient: MutableMatrix, _ name: String, _ fixture: TensorFixture) throws {
        let theirs = theirName(of: name)
        guard theirs.contains("self_attn.in_proj") else {
            // Their projection is stored the other way round.
            let values = name == "text_projection"
                ? (0..<gradient.columnCount).flatMap { column in (0..<gradient.rowCount).map { gradient[$0, column] } } : gradient.values
            let entries = try fixture.entries("grad.\(theirs)", besides: values)
            return expectClose(entries.actual, entries.expected, tolerance: towerTolerance, name)
        }
        // Queries, keys and values lie one below the other. A constant in all keys changes no attention, so that the gradient of their
        // bias is rounding: it is compared beside the others'.
        let third = gradient.count / 3
        let parts = try ["q", "k", "v"].enumerated().map { part, letter in
            try fixture.entries(
                "grad.\(theirs.replacingOccurrences(of: "in_proj_", with: "\(letter)_proj."))",
                besides: Array(gradient.values[part * third..<(part + 1) * third]))
        }
        expectClose(parts.flatMap(\.actual), parts.flatMap(\.expected), tolerance: towerTolerance, name)
    }

    private func theirName(of name: String) -> String {
        let whole = [
            "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
            "positional_embedding": "text_model.embeddings.position_embedding.weight", "text_projection": "text_model.head.weight",
            "text_projection.bias": "text_model.head.bias",
            "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        ]
        if let known = whole[name] { return known }
        var result = name
        for (ours, theirs) in [
            ("visual.transformer.resblocks.", "vision_model.encoder.layers."), ("visual.conv1.", "vision_model.embeddings.patch_embedding."),
            ("visual.ln_post.", "vision_model.post_layernorm."), ("visual.attn_pool.attn.", "vision_model.head.attention."),
            ("visual.attn_pool.", "vision_model.head."), ("transformer.resblocks.", "text_model.encoder.layers."),
            ("ln_final.", "text_model.final_layer_norm."),
        ] where result.hasPrefix(ours) {
            result = theirs + result.dropFirst(ours.count)
            break
        }
        for (ours, theirs) in [("ln_1.", "layer_norm1."), ("ln_2.", "layer_norm2."), ("c_fc.", "fc1."), ("c_proj.", "fc2."), (".attn.", ".self_attn.")] {
            result = result.replacingOccurrences(of: ours, with: theirs)
        }
        return result
    }

    /// Prompts of the image tower, as rows of every frame and shared by all, which pass no norm here.
    @Test(arguments: [1, 2]) func promptsHaveTheirGradient(depth: Int) throws {
        let backbone = try Backbone.load(fixturePath("siglip/huggingface"), options: options)
        let (clip, sequences) = try inputs(try TensorFixture("siglip/expected"))
        let prompts = PromptSet(vision: randomPrompts(backbone.architecture.vision, seed: 1, count: depth), text: [])
        let learner = promptLearner(backbone: backbone, prompts: prompts, sequences: sequences, fusion: .embedding, frameCount: 3, pool: pool)
        expectSlopes(of: prompts.vision, gradients: learner.gradients.vision) {
            var result = StepResult()
            learner.begin()
            learner.add(
                clips: [clip.rows(0..<3), clip.rows(3..<6)], targets: [[0, 1, 0, 0, 0], [1, 0, 0, 0, 0]], weight: 0.5, to: &result)
            learner.finish()
            return result.lossSum / 2
        }
    }

    /// Written as a backbone file and read again, from either library: the same model, which differs between the two by its activation.
    @Test func backboneFilesGoThereAndBack() throws {
        let folder = try TemporaryDirectory()
        var digests: Set<String> = []
        for source in ["siglip/huggingface", "siglip/open_clip"] {
            let backbone = try Backbone.load(fixturePath(source), options: options)
            let path = folder.path("backbone.safetensors")
            try backbone.save(to: path)
            #expect(try SafetensorsFile(path: path).metadata["towers"] == "siglip")
            let read = try Backbone.load(path)
            #expect(read.digest == backbone.digest && read.architecture == backbone.architecture && read.description == backbone.description)
            #expect(read.parameters.logitBias?[0, 0] == -10)
            digests.insert(read.digest)
        }
        #expect(digests.count == 2)
    }

    /// open_clip's SigLIP 2 has one activation in each tower.
    @Test func textTowersMayHaveTheirOwnActivation() throws {
        let folder = try TemporaryDirectory()
        try FileManager.default.copyItem(atPath: fixturePath("siglip/open_clip"), toPath: folder.path("m"))
        let config = folder.path("m/open_clip_config.json")
        let text = try String(contentsOfFile: config, encoding: .utf8)
        try text.replacingOccurrences(of: "\"no_causal_mask\": true", with: "\"no_causal_mask\": true, \"act_kwargs\": {\"approximate\": \"tanh\"}")
            .write(toFile: config, atomically: true, encoding: .utf8)
        let backbone = try Backbone.load(folder.path("m"), options: options)
        #expect(backbone.architecture.activation == .gelu && backbone.architecture.otherTextActivation == .tanhGELU)
        try backbone.save(to: folder.path("kept.safetensors"))
        let read = try Backbone.load(folder.path("kept.safetensors"))
        #expect(read.architecture == backbone.architecture && read.digest == backbone.digest)
        #expect(try read.digest != Backbone.load(fixturePath("siglip/open_clip"), options: options).digest)
    }

    /// Class names go through a tokenizer of the model's kind, which lies beside the backbone, fill the context and are compared.
    @Test func classNamesAreRead() throws {
        let folder = try TemporaryDirectory()
        let original = try Backbone.load(fixturePath("siglip/huggingface"), options: options)
        var (architecture, parameters) = (original.architecture, original.parameters)
        architecture.vocabularySize = 450
        var draw = RandomSource(seed: 1, purpose: .weights)
        let tokens = MutableMatrix(
            rows: 450, columns: architecture.text.width, (0..<450 * architecture.text.width).map { _ in 0.02 * draw.normal() })
        parameters.text.tokenEmbedding = tokens.reading
        try Backbone(architecture: architecture, parameters: parameters, description: original.description).save(to: folder.path("a.safetensors"))
        let kept = try keepVocabulary(fixturePath("siglip-tokenizers/siglip.spiece.model"), beside: folder.path("a.safetensors"), for: .siglip)
        #expect(kept == folder.path("a.spiece.model"))
        let backbone = try Backbone.load(folder.path("a.safetensors"))
        let sequences = try backbone.sequences(
            of: ["a dog", "riding_a horse"], textTokens: 0, template: "a photo of {}.", tokenizer: backbone.tokenizer(vocabularyPath: nil))
        #expect(sequences.allSatisfy { $0.count == 16 } && sequences[0] != sequences[1])
        let clip = try inputs(TensorFixture("siglip/expected")).clip
        let logits = try CLIPClassifier(backbone: backbone, sequences: sequences, frameCount: 6, pool: pool).logits(clips: [clip])[0]
        #expect(logits.count == 2 && logits.allSatisfy(\.isFinite) && logits[0] != logits[1])
    }

    @Test func whatIsMissingIsNamed() throws {
        let folder = try TemporaryDirectory()
        let backbone = try Backbone.load(fixturePath("siglip/huggingface"), options: options)
        #expect(throws: ModelError.missingTokenizer(backbone: "huggingface")) { _ = try backbone.tokenizer(vocabularyPath: nil) }
        // NaFlex has no convolution.
        let source = try SafetensorsFile(path: fixturePath("siglip/huggingface/model.safetensors"))
        let tensors = try source.tensors.map { tensor in
            (tensor.name, tensor.name == "vision_model.embeddings.patch_embedding.weight" ? [48, 192] : tensor.shape, try source.floats(named: tensor.name))
        }
        let path = folder.path("a.safetensors")
        try SafetensorsWriter.write(tensors, to: path)
        #expect(message(in: folder) { _ = try Backbone.load(path, options: self.options) }.contains("a SigLIP 2 of the NaFlex kind"))
    }

    /// GELU with tanh beside its formula in double precision, and its slope beside a difference of it.
    @Test func tanhGELU() {
        func exact(_ x: Double) -> Double { x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x))) }
        let inputs = stride(from: Float(-9), through: 9, by: 0.25).map { $0 }
        let input = MutableMatrix(rows: 1, columns: inputs.count, inputs)
        let output = MutableMatrix(rows: 1, columns: inputs.count)
        Activation.tanhGELU(input, into: output)
        expectClose(output.values, inputs.map { Float(exact(Double($0))) }, tolerance: 1e-6, "tanh GELU")
        let gradient = MutableMatrix(rows: 1, columns: inputs.count)
        gradient.fill(1)
        Activation.tanhGELU.backward(input: input, gradient: gradient)
        let slopes = inputs.map { Float((exact(Double($0) + 1e-5) - exact(Double($0) - 1e-5)) / 2e-5) }
        expectClose(gradient.values, slopes, tolerance: 1e-5, "slope of tanh GELU")
    }
}
