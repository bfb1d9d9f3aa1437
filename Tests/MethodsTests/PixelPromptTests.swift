import CLIPModel
import Methods
import Tensors
import TestSupport
import Testing

/// Prompts in pixels beside their authors' code (`pixel.safetensors`), beside pixels that are added by hand, and beside finite
/// differences, on the small CLIP of `Tests/Fixtures/clip`.
@Suite struct PixelPromptTests {
    private static let padding = PixelArea(.padding, width: 8, side: 64)
    private static let fixedPatch = PixelArea(.fixedPatch, width: 8, side: 64)
    private let pool = WorkerPool(threadCount: 2)

    private func fixture(_ area: PixelArea) throws -> PromptMethodFixture {
        try PromptMethodFixture("pixel", variant: area.form == .padding ? "padding." : "fixed_patch.", ids: "ids")
    }

    private func prompts(_ area: PixelArea, _ fixture: PromptMethodFixture) throws -> PromptSet<MutableMatrix> {
        PromptSet(vision: [], text: [], pixels: PixelPrompt(try fixture.matrices(area.names), area: area))
    }

    private func random(_ area: PixelArea, mergedTokens: Int = 0, seed: UInt64 = 3) throws -> PromptSet<MutableMatrix> {
        let configuration = PromptConfiguration(
            visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, mergedTokens: mergedTokens, pixels: area)
        return PromptSet(random: configuration, architecture: try Backbone.load(fixturePath("clip/clip-tiny.safetensors")).architecture, seed: seed)
    }

    /// What a prompt adds to the frames of clips, pixel by pixel and without its own code.
    private func added(_ pixels: PixelPrompt<MutableMatrix>, to clips: [Matrix], top: Int, left: Int) -> [Matrix] {
        let (side, width) = (pixels.area.side, pixels.area.width)
        func value(_ channel: Int, _ row: Int, _ column: Int) -> Float {
            func tensor(_ index: Int, _ row: Int, _ column: Int, height: Int) -> Float { pixels.tensors[index][channel * height + row, column] }
            guard pixels.area.form == .padding else {
                let (row, column) = (row - top, column - left)
                return (0..<width).contains(row) && (0..<width).contains(column) ? tensor(0, row, column, height: width) : 0
            }
            if row < width { return tensor(0, row, column, height: width) }
            if row >= side - width { return tensor(1, row - (side - width), column, height: width) }
            if column < width { return tensor(2, row - width, column, height: side - 2 * width) }
            return column >= side - width ? tensor(3, row - width, column - (side - width), height: side - 2 * width) : 0
        }
        let frame = (0..<3 * side * side).map { value($0 / (side * side), $0 / side % side, $0 % side) }
        return clips.map { clip in
            let moved = (0..<clip.rowCount).flatMap { zip(clip.row($0).values, frame).map { $0 + $1 } }
            return MutableMatrix(rows: clip.rowCount, columns: clip.columnCount, moved).reading
        }
    }

    @Test(arguments: [padding, fixedPatch])
    func computesWhatItsAuthorsDo(_ area: PixelArea) throws {
        let fixture = try fixture(area)
        let prompts = try prompts(area, fixture)
        let pixels = try #require(prompts.pixels)
        let image = fixture.clips(ofFrames: 1)[0]
        expectClose(
            zip(image.values, pixels.frame().values).map { $0 + $1 }, try fixture.floats("prompted_image_0"), tolerance: 1e-6, "pixels")
        try fixture.expectEqualLearning(
            DirectPrompts(prompts, architecture: fixture.backbone.architecture), SoftCrossEntropy(sequences: fixture.sequences), names: area.names,
            decay: 0)
    }

    /// Also where attention pools all tokens, and where a bias stands in the convolution: the tower sees frames with the pixels added, in
    /// clips as in single frames for windows.
    @Test(arguments: ["clip/clip-tiny.safetensors", "pe/pe-native.pt"], PixelArea.Form.allCases)
    func everyFrameIsPrompted(_ name: String, form: PixelArea.Form) throws {
        // Perception Encoder's file does not say how many heads its towers have.
        let heads = name.hasPrefix("pe/") ? HeadCounts(vision: 2, text: 2) : nil
        let backbone = try Backbone.load(fixturePath(name), options: CheckpointOptions(heads: heads))
        let side = backbone.architecture.imagePixels
        let area = PixelArea(form, width: 5, side: side)
        let configuration = PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, pixels: area)
        let prompts = PromptSet(random: configuration, architecture: backbone.architecture, seed: 2)
        let pixels = try #require(prompts.pixels)
        var source = RandomSource(seed: 9, purpose: .test)
        let clips = (0..<2).map { _ in
            MutableMatrix(rows: 3, columns: 3 * side * side, (0..<9 * side * side).map { _ in source.normal() }).reading
        }
        // A patch that is drawn in learning stands in the middle elsewhere.
        let place = form == .randomPatch ? (side - 5) / 2 : 0
        let prompted = VideoEncoder(backbone: backbone, prompts: prompts.reading, frameCount: 3, pool: pool)
        let plain = VideoEncoder(backbone: backbone, prompts: PromptSet(vision: [], text: []), frameCount: 3, pool: pool)
        let byHand = added(pixels, to: clips, top: place, left: place)
        let expected = plain.frameFeatures(of: byHand).map(\.values)
        for (features, expected) in zip(prompted.frameFeatures(of: clips).map(\.values), expected) { expectClose(features, expected, tolerance: 1e-4) }
        expectClose(
            prompted.features(frames: clips[1].rows(0..<2)).values, plain.features(frames: byHand[1].rows(0..<2)).values, tolerance: 1e-4, "windows")
        #expect(prompted.frameFeatures(of: clips).map(\.values) != plain.frameFeatures(of: clips).map(\.values))
        // What computes something else has another name: other numbers, and the same at another place.
        #expect(prompted.identity != plain.identity)
        guard form != .padding else { return }
        let elsewhere = PixelPrompt(pixels.tensors.map(\.reading), area: PixelArea(form == .fixedPatch ? .randomPatch : .fixedPatch, width: 5, side: side))
        let other = VideoEncoder(backbone: backbone, prompts: PromptSet(vision: [], text: [], pixels: elsewhere), frameCount: 3, pool: pool)
        #expect(prompted.identity != other.identity)
    }

    /// Every fusion and form, through merging tokens, too.
    @Test(arguments: Fusion.allCases, [padding, PixelArea(.randomPatch, width: 13, side: 64)])
    func gradients(_ fusion: Fusion, area: PixelArea) throws {
        let fixture = try fixture(Self.padding)
        for mergedTokens in fusion == .decision ? [0, 4] : [0] {
            let prompts = try random(area, mergedTokens: mergedTokens)
            for tensor in prompts.all { scale(tensor, by: 0.3) }
            fixture.expectSlopes(
                of: SoftCrossEntropy(sequences: fixture.sequences), prompts: prompts, fusion: fusion, clips: fixture.clips(ofFrames: 3),
                targets: fixture.oneHot([1, 4]))
        }
    }

    /// What holds tokens of the vision tower near CLIP holds pixels, too.
    @Test func regularizedGradients() throws {
        let fixture = try PromptMethodFixture("promptsrc")
        let teacher = try PromptTeacher(
            .promptsrc, backbone: fixture.backbone, texts: fixture.teacherTexts(), frameCount: 3, learnsVision: true, pool: pool)
        let prompts = try random(Self.padding)
        for tensor in prompts.all { scale(tensor, by: 0.3) }
        fixture.expectSlopes(
            of: RegularizedCrossEntropy(sequences: fixture.sequences, .promptsrc, teacher: teacher, fusion: .embedding), prompts: prompts,
            fusion: .embedding, clips: fixture.clips(ofFrames: 3), targets: fixture.oneHot([1, 4]))
    }

    /// The same bits for any number of threads, however the clips of a step come, and where activations are computed twice.
    @Test func stepsAreTheSameHoweverTheyAreTaken() throws {
        let fixture = try fixture(Self.padding)
        func gradients(threads: Int, pieces: [Range<Int>], budget: MemoryBudget = .standard) throws -> [[Float]] {
            let part = PromptPart(
                DirectPrompts(try prompts(Self.padding, fixture), architecture: fixture.backbone.architecture), aggregator: Fusion.embedding,
                on: fixture.backbone)
            let learner = Learner(
                part, SoftCrossEntropy(sequences: fixture.sequences), frameCount: 2, pool: WorkerPool(threadCount: threads), budget: budget)
            let (clips, targets) = (fixture.clips(ofFrames: 2), fixture.oneHot([1, 3, 4]))
            var result = StepResult()
            learner.begin()
            for piece in pieces {
                learner.add(ClipBatch(clips: Array(clips[piece]), targets: Array(targets[piece])), weight: 1 / 3, to: &result)
            }
            learner.finish()
            return part.tensors.map(\.gradient.values)
        }
        let whole = try gradients(threads: 1, pieces: [0..<3])
        #expect(whole.contains { $0.contains { $0 != 0 } })
        #expect(try gradients(threads: 3, pieces: [0..<3]) == whole)
        #expect(try gradients(threads: 2, pieces: [0..<1, 1..<3]) == whole)
        #expect(try gradients(threads: 2, pieces: [0..<3], budget: .activations(0)) == whole)
    }

    /// Where the backward pass goes through one frame of three, the mean over the three draws is the exact gradient.
    @Test func backwardFrames() throws {
        let fixture = try fixture(Self.padding)
        let clip = fixture.clips(ofFrames: 3)[1]
        func gradient(_ backwardFrames: BackwardFrames?, step: Int) throws -> [Float] {
            let part = PromptPart(
                DirectPrompts(try prompts(Self.padding, fixture), architecture: fixture.backbone.architecture), aggregator: Fusion.embedding,
                on: fixture.backbone)
            let learner = Learner(
                part, SoftCrossEntropy(sequences: fixture.sequences), frameCount: 3, backwardFrames: backwardFrames, pool: pool)
            var result = StepResult()
            learner.begin(step: step)
            learner.add(ClipBatch(clips: [clip], targets: fixture.oneHot([2])), weight: 1, to: &result)
            learner.finish()
            return part.tensors.flatMap(\.gradient.values)
        }
        let drawn = BackwardFrames(count: 1, seed: 5)
        let steps = (0..<3).compactMap { frame in (0..<100).first { drawn.draw(of: 3, step: $0, clip: 0).order[0] == frame } }
        try #require(steps.count == 3)
        let whole = try gradient(nil, step: 0)
        let gradients = try steps.map { try gradient(drawn, step: $0) }
        #expect(gradients[0] != gradients[1] && gradients[1] != gradients[2])
        expectClose(whole.indices.map { index in gradients.reduce(0) { $0 + $1[index] } / 3 }, whole, tolerance: 1e-4)
    }

    /// A patch moves from step to step, to where seed and step say, and learns there.
    @Test func patchesAreDrawn() throws {
        let fixture = try fixture(Self.fixedPatch)
        let area = PixelArea(.randomPatch, width: 16, side: 64)
        let prompts = try random(area)
        let clips = fixture.clips(ofFrames: 3)
        func loss(_ clips: [Matrix], prompts: PromptSet<MutableMatrix>, seed: UInt64, step: Int) -> (loss: Double, gradient: [Float]) {
            let part = PromptPart(
                DirectPrompts(prompts, architecture: fixture.backbone.architecture), aggregator: Fusion.embedding, on: fixture.backbone, seed: seed)
            let learner = Learner(part, SoftCrossEntropy(sequences: fixture.sequences), frameCount: 3, pool: pool)
            var result = StepResult()
            learner.begin(step: step)
            learner.add(ClipBatch(clips: clips, targets: fixture.oneHot([1, 4])), weight: 0.5, to: &result)
            learner.finish()
            return (result.lossSum, part.tensors.flatMap(\.gradient.values))
        }
        let places = (0..<2000).map { area.place(seed: 7, step: $0) }
        #expect(places == (0..<2000).map { area.place(seed: 7, step: $0) } && places != (0..<2000).map { area.place(seed: 8, step: $0) })
        for side in [places.map(\.top), places.map(\.left)] { #expect(side.min() == 0 && side.max() == 47 && Set(side).count == 48) }
        #expect(PixelArea(.randomPatch, width: 64, side: 64).place(seed: 1, step: 5) == PixelArea.Place(top: 0, left: 0))

        // A patch of zeros at the top left adds nothing, and what has no gradient there has it where the drawn one stands.
        let still = PromptSet<MutableMatrix>(vision: [], text: [], pixels: PixelPrompt(zeros: Self.fixedPatch))
        let pixels = try #require(prompts.pixels)
        for step in [0, 11] {
            let found = loss(clips, prompts: prompts, seed: 7, step: step)
            let byHand = loss(added(pixels, to: clips, top: places[step].top, left: places[step].left), prompts: still, seed: 1, step: 0)
            expectClose(Float(found.loss), Float(byHand.loss), tolerance: 1e-5, "loss of step \(step)")
            // The same patch as if it stood there always.
            let whole = PixelPrompt([pixels.frame(at: places[step]).reshaped(rows: 192, columns: 64)], area: PixelArea(.fixedPatch, width: 64, side: 64))
            let everywhere = MutableMatrix(rows: 192, columns: 64, loss(clips, prompts: PromptSet(vision: [], text: [], pixels: whole), seed: 1, step: 0).gradient)
            let there = (0..<3).flatMap { channel in
                everywhere.rows(64 * channel + places[step].top..<64 * channel + places[step].top + 16).columns(places[step].left..<places[step].left + 16)
                    .values
            }
            expectClose(found.gradient, there, tolerance: 1e-5, "gradient of step \(step)")
        }
        #expect(loss(clips, prompts: prompts, seed: 7, step: 0).loss != loss(clips, prompts: prompts, seed: 7, step: 1).loss)
    }

    /// Zeros are plain CLIP; a start is N(0, 1).
    @Test func whatItStartsFrom() throws {
        let fixture = try fixture(Self.padding)
        let zeros = PromptSet<MutableMatrix>(vision: [], text: [], pixels: PixelPrompt(zeros: Self.padding)).reading
        func logits(_ prompts: PromptSet<Matrix>) throws -> [[Float]] {
            try CLIPClassifier(backbone: fixture.backbone, prompts: prompts, sequences: fixture.sequences, frameCount: 3, pool: pool)
                .logits(clips: fixture.clips(ofFrames: 3))
        }
        #expect(try logits(zeros) == logits(PromptSet(vision: [], text: [])))
        let start = try random(Self.padding).all.flatMap(\.values)
        let mean = start.reduce(0, +) / Float(start.count)
        let square = start.reduce(0) { $0 + $1 * $1 } / Float(start.count)
        #expect(abs(mean) < 0.05 && abs(square - 1) < 0.05, "\(mean), \(square)")
        let method = PromptMethod.pixel
        #expect(method.pixels == .padding && method.template == "This is a photo of a {}" && method.descentRate == 40)
    }

    /// 69,840 numbers for the authors' 30 pixels of 224, and as much of other frames.
    @Test func sizes() {
        #expect(PixelArea(.padding, width: 30, side: 224).count == 69_840)
        #expect(PixelArea(.fixedPatch, width: 30, side: 224).count == 2700)
        #expect([224, 336, 112, 32].map(PixelArea.usualWidth) == [30, 45, 15, 4])
        #expect(PixelArea.widths(of: .padding, side: 224) == 1...111 && PixelArea.widths(of: .randomPatch, side: 224) == 1...224)
    }
}
