import CLIPModel
import Testing

/// Counted costs against hand counts and the literature's numbers (`methods.md` 8.6).
@Suite struct CostTests {
    static let base16 = CLIPArchitecture(
        vision: .init(width: 768, layerCount: 12), text: .init(width: 512, layerCount: 12), imagePixels: 224, patchPixels: 16,
        embeddingWidth: 512, contextLength: 77, vocabularySize: 49408)

    /// 12(12d²L + 2L²d) + patches + projection.
    @Test func publishedCounts() {
        #expect(OperationCount.wholeFrame(Self.base16) == 17_563_453_440)
        #expect((Double(OperationCount.wholeFrame(Self.base16)) * 16 / 1e9).rounded() == 281)
        #expect((Double(OperationCount.wholeText(Self.base16)) / 1e7).rounded() == 298)
        // Table 9's 287 GFLOPs: four vision prompts (methods 8.6 gives 286.9).
        #expect((Double(OperationCount.wholeFrame(Self.base16, promptTokens: 4)) * 16 / 1e8).rounded() == 2869)
    }

    /// One layer each, so that every product can be written down.
    @Test func byHand() {
        let tiny = CLIPArchitecture(
            vision: .init(width: 64, layerCount: 1), text: .init(width: 64, layerCount: 1), imagePixels: 32, patchPixels: 16,
            embeddingWidth: 32, contextLength: 77, vocabularySize: 258)
        let square = 64 * 64
        let count = OperationCount(
            tiny, learned: .backbone(.image), sequences: [[1, 5, 2], [1, 6, 7, 2]], frameCount: 2)
        // Five rows give keys and values, one queries; then output projection and MLP of that row.
        let attention = 2 * 5 * 64
        let forward = 4 * 768 * 64 + 64 * 32 + square * (2 * 5 + 1) + attention + 9 * square
        #expect(count.clipForward == 2 * forward)
        let backward = 2 * 64 * 32 + 4 * 768 * 64 + 9 * square + 2 * attention + 11 * square + 20 * square
        #expect(count.clipBackward == 2 * backward)
        // The start token is shared: keys and values. Then two and three own rows, of which the end tokens query.
        let suffixes = square * (2 * 5 + 2) + 2 * (3 + 4) * 64 + 9 * square * 2
        #expect(count.textCachedPrefix == 2 * square + suffixes + 2 * 64 * 32)
        #expect(count.stepForward == 0 && count.stepBackward == 0, "the text tower does not learn")
        #expect(count.step(clips: 3) == count.stepForward + 3 * (count.clipForward + count.clipBackward))
    }

    /// `design.md`: about 1.10 TFLOP for a prompt step of a clip of 16 frames, 10 + 10 prompts in all 12 layers.
    @Test func savingsOfAPromptStep() {
        let prompts = PromptConfiguration(visionTokens: 10, visionDepth: 12, textTokens: 10, textDepth: 12)
        let sequences = (0..<51).map { [49406] + [Int](repeating: 0, count: 10) + [$0 + 1000, 269, 49407] }
        let count = OperationCount(Self.base16, learned: .prompts(prompts), sequences: sequences, frameCount: 16)
        let operations = 2 * Double(count.clipForward + count.clipBackward)
        #expect(operations > 1.05e12 && operations < 1.15e12, "\(operations)")
        let whole = 2 * Double(
            OperationCount.wholeStep(Self.base16, learned: .prompts(prompts), textCount: 51, frameCount: 16, clips: 1))
        #expect(2 * Double(count.step(clips: 1)) < 0.7 * whole)
    }

    /// Prompts in the upper six of twelve layers: half of the forward pass is the cached prefix, and half of the backward
    /// pass is not there.
    @Test func latePromptsLeaveHalfOfTheWork() {
        let sequences = (0..<51).map { [49406] + [Int](repeating: 0, count: 10) + [$0 + 1000, 269, 49407] }
        func count(_ layers: Range<Int>) -> OperationCount {
            let prompts = PromptConfiguration(visionTokens: 10, visionLayers: layers, textTokens: 10, textLayers: layers)
            return OperationCount(Self.base16, learned: .prompts(prompts), sequences: sequences, frameCount: 16)
        }
        let (all, late) = (count(0..<12), count(6..<12))
        #expect(all.textCachedPrefix == 0 && all.clipCachedPrefix == 16 * 196 * 768 * 768, "only the patches come before the first prompts")
        let layer = 12 * 768 * 768 * 197 + 2 * 197 * 197 * 768
        #expect(late.clipCachedPrefix == 16 * (196 * 768 * 768 + 6 * layer))
        #expect(late.clipForward < all.clipForward, "no prompts are seen below")
        // Six whole layers back fewer: the lowest prompted layer stops at the prompts' keys and values in either case.
        #expect(all.clipBackward - late.clipBackward == 16 * 6 * (12 * 768 * 768 * 197 + 4 * 197 * 207 * 768))
        #expect(late.textCachedPrefix > 0 && late.textCachedPrefix + late.stepForward > late.stepForward && late.stepBackward < all.stepBackward)
        let quick = OperationCount(
            Self.base16, learned: .prompts(PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 10, textDepth: 12)),
            sequences: sequences, frameCount: 16)
        #expect(quick.clipCachedPrefix == quick.clipForward && quick.clipBackward == 0)
    }
}
