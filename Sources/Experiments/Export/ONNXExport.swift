import CLIPModel
import Evaluation
import Files
import Foundation
import Methods
import Recipes
import Tensors
import VideoData
import WeightFiles

/// A model with its classes as one ONNX file, which other programs run without this one: frames in, logits out.
///
/// The text tower runs when this is made; what it makes of the classes is in the file, it is not.
package struct ONNXExport {
    package let classNames: [String]
    /// Numbers of an embedding.
    package let width: Int
    private let graph: ONNXGraph
    private let facts: [String: String]

    /// - Parameters:
    ///   - labels: class names; nil for those that head or prompts were learned with.
    ///   - settings: what to repeat of the reference's faults.
    /// - Throws: `ONNXExportError` before the text tower runs where the model does something that an ONNX file cannot say.
    package init(_ model: LoadedModel, labels: ClassNames?, settings: Recipe, pool: WorkerPool) throws {
        try Self.check(model)
        guard let names = labels?.names ?? model.learnedClassNames else { throw ModelError.noClasses }
        let classifier = try model.classifier(
            classNames: names, template: nil, fusion: nil, frameCount: nil, keepsUnderscores: settings.repeats(.keptUnderscores),
            rounding: settings.rounding, pool: pool)
        guard nonFiniteCount(in: classifier.text.unit) == 0 else { throw ModelError.notNumbers(what: "the class embeddings") }
        let normalization = Normalization(model.normalization)
        let (mean, deviation) = (normalization.mean.map { $0 / 255 }, normalization.deviation.map { $0 / 255 })
        guard let graph = classifier.graph(mean: mean, deviation: deviation) else {
            throw ONNXExportError(model, problem: .otherHead)
        }
        classNames = names
        width = model.backbone.architecture.embeddingWidth
        self.graph = graph
        facts = try Self.facts(of: model, classifier, classNames: names, mean: mean, deviation: deviation, compat: settings.compat ?? [])
    }

    /// Writes the file durably. The same model and classes give the same bytes. Returns its SHA-256.
    package func write(to path: String) throws(WeightFileError) -> String {
        try ONNXWriter.write(graph, facts: facts, producer: "vifi-prompt", version: vifiPromptVersion, to: path)
    }

    private static func check(_ model: LoadedModel) throws(ONNXExportError) {
        if model.backbone.architecture.crossFrame != nil { throw ONNXExportError(model, problem: .framesSeeEachOther) }
        let configuration = model.prompts?.header.configuration ?? model.head?.prompts?.header.configuration ?? .none
        if configuration.followsVideos { throw ONNXExportError(model, problem: .textsFollowVideos) }
        if configuration.mergedTokens > 0 { throw ONNXExportError(model, problem: .mergedTokens) }
        if let head = model.head, head.head.formula == nil { throw ONNXExportError(model, problem: .otherHead) }
    }

    /// What the file says of itself: whose numbers it holds, and what the frames must be.
    private static func facts(
        of model: LoadedModel, _ classifier: CLIPClassifier, classNames: [String], mean: [Float], deviation: [Float], compat: Set<Quirk>
    ) throws -> [String: String] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = .withoutEscapingSlashes
        func json(_ value: some Encodable) throws -> String { String(decoding: try encoder.encode(value), as: UTF8.self) }
        var facts = [
            "vifi_onnx_format": "1", "class_names": try json(classNames), "backbone_name": model.backbone.description.name,
            "backbone_sha256": model.backbone.digest, "frames": "\(classifier.frameCount)",
            "normalization": model.normalization.name, "pixel_mean": try json(mean), "pixel_std": try json(deviation),
            "side": "\(model.backbone.architecture.imagePixels)", "resize": PromptAdapter.resizeWords, "tool_version": vifiPromptVersion,
        ]
        if let digest = model.promptsDigest { facts["prompts_sha256"] = digest }
        if let head = model.head { facts["head"] = head.header.kind.rawValue } else {
            facts["fusion"] = (model.prompts?.header.fusion ?? .embedding).rawValue
        }
        if !compat.isEmpty { facts["compat"] = Quirk.text(of: compat) }
        return facts
    }
}

/// Why a model is no ONNX file.
package struct ONNXExportError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable {
        case framesSeeEachOther, textsFollowVideos, mergedTokens, otherHead
    }

    /// Of the prompts or the head, else the backbone's name.
    package let source: String
    package let problem: Problem

    fileprivate init(_ model: LoadedModel, problem: Problem) {
        source = model.promptPath ?? model.backbone.displayName
        self.problem = problem
    }

    package var exitStatus: Files.ExitStatus { .badData }

    package var description: String {
        let words =
            switch problem {
            case .framesSeeEachOther:
                "is an X-CLIP, in whose image tower frames see each other and whose texts are others for each video. Take a CLIP in its place, or --to "
                    + "huggingface, which writes an X-CLIP for transformers."
            case .textsFollowVideos:
                "these prompts are others for each video (CoCoOp), so that the text tower would have to be in the file. Learn prompts with another --method."
            case .mergedTokens:
                "these prompts were learned with tokens that merge, and which of them do depends on the frame. Learn prompts without --merge-tokens."
            case .otherHead:
                "how it scores cannot be written with the operations of ONNX. Prompts, and heads of learn --method, can be."
            }
        return "\(source.escapedForDisplay): \(words)"
    }
}
