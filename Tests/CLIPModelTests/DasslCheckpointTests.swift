import CLIPModel
import Foundation
import Tensors
import TestSupport
import Testing

/// Checkpoints as the programs that stand on Dassl save them, written by these programs on small CLIPs.
@Suite struct DasslCheckpointTests {
    private func path(_ name: String) -> String { fixturePath("prompting/\(name)") }

    /// The whole model in half precision; vision prompts follow from the text prompts.
    @Test func mapleComputesWhatItsCodeDoes() throws {
        let file = try PromptFile.load(path("maple.pth.tar-5"))
        #expect(file.form == .dassl && file.header.normalization == .clip && file.carriesBackbone)
        #expect(file.header.configuration == PromptConfiguration(visionTokens: 2, visionDepth: 2, textTokens: 2, textDepth: 1))
        let clip = try Backbone.load(fixturePath("clip/clip-mini.safetensors"))
        let halves = Backbone(
            architecture: clip.architecture,
            parameters: clip.parameters.map { element in
                MutableMatrix(rows: element.rowCount, columns: element.columnCount, element.values.map { Float(Float16($0)) }).reading
            }, description: clip.description)
        // It belongs to this backbone by its weights, and to no other.
        #expect(try file.check(against: halves) == nil)
        #expect { try file.check(against: clip) } throws: { "\($0)".contains("in their own file") }
        #expect { try file.check(against: Backbone.load(fixturePath("clip/clip-tiny.safetensors"))) } throws: { $0 is ModelError }
        let expected = try TensorFixture("prompting/maple-expected")
        let pixels = try expected.floats("images")
        let images = (0..<6).map { index in
            MutableMatrix(rows: 1, columns: pixels.count / 6, Array(pixels[index * pixels.count / 6..<(index + 1) * pixels.count / 6])).reading
        }
        let classifier = CLIPClassifier(
            backbone: halves, prompts: file.prompts, sequences: try expected.sequences("ids"), frameCount: 1, pool: WorkerPool(threadCount: 2))
        expectClose(try classifier.logits(clips: images).flatMap(\.self), try expected.floats("logits"), tolerance: towerTolerance)
    }

    /// The learner alone.
    @Test func coopIsWordsBeforeTheName() throws {
        let file = try PromptFile.load(path("coop.pth.tar-8"))
        #expect(file.form == .dassl && !file.carriesBackbone)
        #expect(file.header.configuration == PromptConfiguration(visionTokens: 0, visionDepth: 0, textTokens: 4, textDepth: 1))
        // The fixture of the same run in float32; the file is in half precision.
        expectClose(
            file.prompts.text[0].values, try TensorFixture("prompting/coop").floats("shared_end.train.final.prompt_learner.ctx"), tolerance: 1e-3)
    }

    /// Words, and the network that moves them for each picture.
    @Test func cocoopIsWordsThatFollowVideos() throws {
        let file = try PromptFile.load(path("cocoop.pth.tar-8"))
        let backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        #expect(file.form == .dassl && file.notes.contains { $0.contains("CoCoOp") })
        #expect(
            file.header.configuration
                == PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 4, textLayers: 0..<1, metaNetWidth: 3))
        // Prompts alone cannot be checked, but fit.
        #expect(try file.check(against: backbone, anyBackbone: true) == .unnamed(actual: backbone.digest))
        let expected = try TensorFixture("prompting/cocoop")
        for (name, element) in file.prompts.named {
            #expect(try element.values == expected.floats("train.final.prompt_learner.\(name == "text.0" ? "ctx" : name)"), "\(name)")
        }
    }
}
