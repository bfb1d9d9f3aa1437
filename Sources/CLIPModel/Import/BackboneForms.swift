import Files
import Tensors
import WeightFiles

// Backbones as other programs keep them: the layouts that imports read, the other way round.

extension Backbone {
    /// Writes an X-CLIP as its authors' code keeps it (`methods.md` 6): `{model: …}` in a `.pth`.
    ///
    /// - Returns: the file's SHA-256.
    /// - Throws: `ModelError` for a CLIP, whose frames do not see each other.
    @discardableResult
    package func writeXCLIP(to path: String) throws -> String {
        guard architecture.crossFrame != nil else { throw ModelError.notAnXCLIP }
        return try PyTorchWriter.write(.dictionary([("model", .ordered(stateDict { $0 }))]), to: path)
    }

    /// Writes a folder that transformers loads as `CLIPModel` or `XCLIPModel`, in float32. Its tokenizer is CLIP's own, which is
    /// not written.
    ///
    /// - Returns: SHA-256 of its tensors' file.
    @discardableResult
    package func writeHuggingFace(to folder: String) throws -> String {
        try architecture.requireForm(for: "CLIPModel of transformers computes")
        try createDirectory(folder)
        let tensors = try arranged(as: .huggingFace)
        var writer = try SafetensorsWriter(
            path: folder.appendingPath(HuggingFaceFolder.weights),
            tensors: tensors.map { SafetensorsWriter.Plan(name: $0.name, shape: $0.shape, elementType: .float32) }, metadata: ["format": "pt"])
        let values = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.values) })
        for plan in writer.plans { try writer.append(values[plan.name]?() ?? []) }
        let digest = try writer.commit()
        try DurableFile.write(Array(HuggingFaceFolder.configuration(of: architecture).serialized.utf8), to: folder.appendingPath(HuggingFaceFolder.config))
        try DurableFile.write(
            Array(HuggingFaceFolder.preprocessing(of: architecture, description.normalization).serialized.utf8),
            to: folder.appendingPath(HuggingFaceFolder.preprocessor))
        return digest
    }

    /// Every tensor under the names of a layout, arranged as it keeps them.
    private func arranged(as layout: CheckpointLayout) throws(ModelError) -> [(name: String, shape: [Int], values: () -> [Float])] {
        var result: [(name: String, shape: [Int], values: () -> [Float])] = []
        for (specification, matrix) in zip(BackboneParameters<TensorSpecification>(of: architecture).all, parameters.all) {
            guard let origin = layout.origin(of: specification.name, isCrossFrame: architecture.crossFrame != nil) else {
                throw .unexpectedTensor(name: specification.name)
            }
            switch origin {
            case .same(let name), .squeezed(let name): result.append((name, specification.shape, { matrix.values }))
            case .transposed(let name):
                result.append((name, specification.shape.reversed(), { matrix.transposedValues }))
            case .stacked(let names):
                let count = matrix.count / names.count
                var shape = specification.shape
                shape[0] /= names.count
                for (part, name) in names.enumerated() {
                    result.append((name, shape, { Array(matrix.values[part * count..<(part + 1) * count]) }))
                }
            }
        }
        return result
    }
}

extension CheckpointLayout {
    /// Where a tensor of ours comes from. Of several ways the first is CLIP's; transformers spells the first norm of an X-CLIP in
    /// another.
    fileprivate func origin(of name: String, isCrossFrame: Bool) -> TensorOrigin? {
        let pattern = CheckpointMapping.Pattern(name[...])
        let found = entries.filter { $0.destination == pattern.text }.map(\.origin)
        let ofCrossFrame = isCrossFrame ? found.first { $0.names[0].starts(withName: CrossFrameNames.huggingFaceInputNorm) } : nil
        let origin = ofCrossFrame ?? found.first
        return origin?.renamed { text in pattern.layer.map { text.replacingFirst("*", with: $0) } ?? text }
    }
}

/// The files of a folder that transformers loads.
package enum HuggingFaceFolder {
    package static let weights = "model.safetensors"
    package static let config = "config.json"
    package static let preprocessor = "preprocessor_config.json"

    /// Whether a folder holds such files and nothing else, so that another may take its place.
    package static func isReplaceable(_ path: String) -> Bool {
        ((try? directoryEntries(path)) ?? [""]).allSatisfy { [weights, config, preprocessor].contains($0) }
    }

    static func configuration(of architecture: CLIPArchitecture) -> JSONValue {
        let (vision, text) = (architecture.vision, architecture.text)
        let kind = architecture.crossFrame == nil ? "clip" : "xclip"
        func tower(_ tower: CLIPArchitecture.Tower, _ type: String, _ own: [String: JSONValue]) -> JSONValue {
            .object(own.merging([
                "model_type": .text("\(kind)_\(type)_model"), "hidden_size": .integer(tower.width), "intermediate_size": .integer(tower.mlpWidth),
                "num_hidden_layers": .integer(tower.layerCount), "num_attention_heads": .integer(tower.headCount),
                "hidden_act": .text(architecture.activation.rawValue), "layer_norm_eps": .real(1e-5),
                "projection_dim": .integer(architecture.embeddingWidth),
            ]) { own, _ in own })
        }
        var visionSizes: [String: JSONValue] = [
            "image_size": .integer(architecture.imagePixels), "patch_size": .integer(architecture.patchPixels), "num_channels": .integer(3),
        ]
        var root: [String: JSONValue] = [
            "architectures": .list([.text(architecture.crossFrame == nil ? "CLIPModel" : "XCLIPModel")]), "model_type": .text(kind),
            "projection_dim": .integer(architecture.embeddingWidth), "torch_dtype": .text("float32"),
        ]
        if let crossFrame = architecture.crossFrame {
            visionSizes["num_frames"] = .integer(crossFrame.frameCount)
            visionSizes["mit_hidden_size"] = .integer(architecture.embeddingWidth)
            visionSizes["mit_intermediate_size"] = .integer(4 * architecture.embeddingWidth)
            visionSizes["mit_num_hidden_layers"] = .integer(crossFrame.frameLayerCount)
            visionSizes["mit_num_attention_heads"] = .integer(crossFrame.frameHeadCount)
            root["prompt_layers"] = .integer(crossFrame.promptLayerCount)
            root["prompt_num_attention_heads"] = .integer(crossFrame.promptHeadCount)
            root["prompt_hidden_act"] = .text(Activation.quickGELU.rawValue)
        }
        root["vision_config"] = tower(vision, "vision", visionSizes)
        root["text_config"] = tower(
            text, "text",
            [
                "max_position_embeddings": .integer(architecture.contextLength), "vocab_size": .integer(architecture.vocabularySize),
                "bos_token_id": .integer(architecture.vocabularySize - 2), "eos_token_id": .integer(architecture.vocabularySize - 1),
            ])
        return .object(root)
    }

    /// How test pictures become what the model sees.
    static func preprocessing(of architecture: CLIPArchitecture, _ normalization: PixelNormalization) -> JSONValue {
        let constants = normalization.constants
        let side = architecture.imagePixels
        return .object([
            "image_processor_type": .text(architecture.crossFrame == nil ? "CLIPImageProcessor" : "VideoMAEImageProcessor"),
            "do_resize": .truth(true), "size": .object(["shortest_edge": .integer(side)]), "do_center_crop": .truth(true),
            "crop_size": .object(["height": .integer(side), "width": .integer(side)]), "do_rescale": .truth(true), "do_normalize": .truth(true),
            "image_mean": .list(constants.mean.map { .real($0) }), "image_std": .list(constants.deviation.map { .real($0) }),
        ])
    }
}

extension JSONValue {
    fileprivate static func integer(_ value: Int) -> JSONValue { .number("\(value)") }
    fileprivate static func real(_ value: Double) -> JSONValue { .number("\(value)") }
}
