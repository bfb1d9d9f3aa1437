import CLIPModel
import Foundation
import TestSupport
import Testing

/// Sizes and costs of all methods against PyTorch's and fvcore's counts of models written apart from ours
/// (Tests/Fixtures/scripts/count_operations.py), and against what papers print.
@Suite struct MethodCostTests {
    private static let architectures: [(name: String, sizes: CLIPArchitecture)] = [
        ("ViT-B/16", .vitB16), ("ViT-B/32", .vitB32), ("ViT-L/14", .vitL14),
    ]

    private struct Expected: Decodable {
        let architectures: [String: [String: [String: Int]]]
        let fvcore_of_one_frame: [String: [String: Int]]
        let fvcore_of_one_text: [String: Int]
    }

    private static func expected() throws -> Expected {
        try JSONDecoder().decode(Expected.self, from: Data(contentsOf: URL(fileURLWithPath: fixturePath("cost/expected.json"))))
    }

    private func cost(_ id: String, _ sizes: CLIPArchitecture = .vitB16, frames: Int = 16) throws -> MethodCost {
        let method = try #require(Method.all(for: sizes).first { $0.id == id }, "no \(id)")
        var tokens = 4
        if case .prompts(let prompts) = method.kind, prompts.textTokens > 0 { tokens = prompts.textTokens }
        let sequences = (0..<3).map { [49406] + [Int](repeating: 1, count: tokens) + [1000 + $0, 269, 49407] }
        return MethodCost(method, architecture: sizes, frameCount: frames, classCount: 3, sequences: sequences)
    }

    @Test(arguments: architectures.map(\.name))
    func countsAgreeWithPyTorch(_ name: String) throws {
        let sizes = try #require(Self.architectures.first { $0.name == name }).sizes
        let rows = try #require(try Self.expected().architectures[name])
        var compared = 0
        for (id, row) in rows {
            let count = try cost(id, sizes)
            for (measure, expected) in row {
                let found: Int = switch measure {
                case "view": count.whole.view
                case "view32": try cost(id, sizes, frames: 32).whole.view
                case "text": count.whole.text
                case "view_and_text": count.whole.view + count.whole.text
                case "total": count.parameters.total
                case "trained": count.parameters.trained
                case "vision": count.parameters.vision
                case "text_parameters": count.parameters.text
                case "without_text": count.parameters.total - count.parameters.text - count.parameters.tokenEmbedding
                default: -1
                }
                #expect(found == expected, "\(id) \(measure)")
                compared += 1
            }
        }
        #expect(compared >= 24)
    }

    /// fvcore names its counts by operator. Beside the norms' five operations an element nothing is left over.
    @Test func countsAgreeWithFvcore() throws {
        let expected = try Self.expected()
        let sizes = CLIPArchitecture.vitB16
        func products(_ counts: [String: Int]) -> Int { counts.filter { $0.key != "layer_norm" }.reduce(0) { $0 + $1.value } }
        for (id, prompts) in [("vifi-clip", 0), ("vl-10x12", 10)] {
            let counts = try #require(expected.fvcore_of_one_frame[id])
            #expect(products(counts) == OperationCount.wholeFrame(sizes, promptTokens: prompts))
            let norms = 5 * 768 * (25 * (197 + prompts) + 1)
            #expect(counts["layer_norm"] == norms)
        }
        #expect(products(expected.fvcore_of_one_text) == OperationCount.wholeText(sizes))
    }

    /// What the papers print, rounded as they do, and `methods.md` 1.8, 4 to 8.6.
    @Test func countsAgreeWithThePapers() throws {
        func gflops(_ count: Int, _ places: Double) -> Double { (Double(count) / 1e9 * places).rounded() / places }
        #expect(gflops(try cost("vifi-clip").whole.view, 10) == 281.0)
        #expect(gflops(try cost("actionclip", frames: 32).whole.view, 10) == 562.6)
        let xclip = try cost("xclip")
        #expect(gflops(xclip.whole.view + xclip.whole.text, 10) == 286.6)
        for (frames, published) in [(8, 145.0), (32, 571)] {
            let other = try cost("xclip", frames: frames)
            #expect(abs(Double(other.whole.view + other.whole.text) / 1e9 - published) < 1.5)
        }
        for (id, published) in [("a5-1", 284.05), ("a5-2", 284.1)] {
            let count = try cost(id)
            #expect(gflops(count.whole.view + count.whole.text, 100) == published)
        }
        #expect(gflops(try cost("vl-4x12").whole.view, 10) == 286.9)
        let trained = [
            "vifi-clip": 124_323_841, "image-ft": 86_192_640, "text-ft": 38_131_200, "actionclip": 168_574_465,
            "vl-10x12": 153_600, "vl-16x9": 184_320, "coop": 8192, "deep-language": 24_576, "vpt": 73_728, "ivlp": 30_720,
            "maple": 3_555_072, "clip-lora": 184_320, "promptsrc": 46_080, "cocoop": 35_360, "pixel": 69_840, "a5-1": 3_200_000, "a5-2": 6_352_384,
        ]
        for (id, count) in trained { #expect(try cost(id).parameters.trained == count, "\(id)") }
        #expect(xclip.parameters.total == 194_933_249)
        #expect(xclip.parameters.total - xclip.parameters.text - xclip.parameters.tokenEmbedding == 131_505_153)
        #expect(try cost("vifi-clip").parameters.total == 149_620_737)
        // 512 → 32 → 512 for a view; nothing for pixels.
        #expect(try cost("cocoop").whole.view == cost("coop").whole.view + 32_768)
        #expect(try cost("pixel").whole == cost("vifi-clip").whole)
        #expect(try cost("vifi-clip", .vitL14).parameters.total == 427_616_513)
    }

    /// The savings leave out work, never add it, and only what we run has any.
    @Test func whatIsNeededIsLess() throws {
        for method in Method.all(for: .vitB16) {
            let count = try cost(method.id)
            guard let needed = count.needed else {
                #expect(!method.isOurs)
                continue
            }
            #expect(method.isOurs && needed.view < count.whole.view && needed.texts < count.whole.texts, "\(method.id)")
            // Of the last vision layer only the class token is left: at least a tenth of a twelfth. The texts of an X-CLIP look at all of
            // its patches.
            #expect(method.kind == .xCLIP || Double(needed.view) < 0.96 * Double(count.whole.view), "\(method.id)")
        }
    }

    /// Prompts that follow videos: the texts of the same prompts for every clip, and the network's products, forward once and
    /// backward once for its weights and once for its hidden units.
    @Test func textsOfEachVideoAreCountedWithClips() {
        let sequences = (0..<3).map { [49406, 1, 1, 1, 1, 1000 + $0, 269, 49407] }
        func count(_ metaNetWidth: Int?) -> OperationCount {
            OperationCount(
                .vitB16,
                learned: .prompts(
                    PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 4, textLayers: 0..<1, metaNetWidth: metaNetWidth)),
                sequences: sequences, frameCount: 8)
        }
        let (shared, own) = (count(nil), count(32))
        #expect(own.stepForward == 0 && own.stepBackward == 0 && own.clipCachedPrefix == shared.clipCachedPrefix)
        #expect(own.evaluation(clips: 2) == 2 * (shared.clipForward + shared.textForward + 2 * 512 * 32))
        #expect(own.step(clips: 3) == 3 * (shared.step(clips: 1) + 5 * 512 * 32))
    }

    @Test func settingsFitTheArchitecture() {
        let small = CLIPArchitecture(
            vision: .init(width: 128, layerCount: 4), text: .init(width: 128, layerCount: 3), imagePixels: 64, patchPixels: 8,
            embeddingWidth: 128, contextLength: 77, vocabularySize: 258)
        let methods = Method.all(for: small)
        for case .prompts(let prompts) in methods.map(\.kind) { #expect(prompts.visionDepth <= 4 && prompts.textDepth <= 3) }
        // Nine and all twelve layers are the same here.
        #expect(methods.count { $0.title == "VL prompting" } == 6)
        #expect(Set(methods.map(\.id)).count == methods.count)
    }
}
