import CLIPModel
import Files
import Foundation
import TestSupport
import Testing

/// What folders say of pictures, in the forms that transformers 4 and 5 and open_clip write.
@Suite struct PictureConfigurationTests {
    private let directory: TemporaryDirectory
    private static let huggingFace = "checkpoints/hf-gelu-bf16", openCLIP = "checkpoints/open_clip-gelu"
    private static let imageNet = #""image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]"#

    init() throws { directory = try TemporaryDirectory() }

    /// A copy of a fixture's folder with other files.
    private func folder(_ fixture: String, _ files: [String: String]) throws -> String {
        let target = directory.path("model")
        try? FileManager.default.removeItem(atPath: target)
        try FileManager.default.copyItem(atPath: fixturePath(fixture), toPath: target)
        for (name, text) in files { try DurableFile.write(Array(text.utf8), to: target.appendingPath(name)) }
        return target
    }

    /// open_clip's file with other settings.
    private func openCLIP(_ key: String, _ json: String) throws -> String {
        let path = fixturePath(Self.openCLIP).appendingPath("open_clip_config.json")
        var root = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any])
        let value = try JSONSerialization.jsonObject(with: Data(json.utf8), options: .fragmentsAllowed)
        func set(_ object: [String: Any], _ keys: ArraySlice<Substring>) -> [String: Any] {
            guard let key = keys.first.map(String.init) else { return object }
            var object = object
            object[key] = keys.count == 1 ? value : set(object[key] as? [String: Any] ?? [:], keys.dropFirst())
            return object
        }
        root = set(root, key.split(separator: ".")[...])
        return try folder(Self.openCLIP, ["open_clip_config.json": String(decoding: JSONSerialization.data(withJSONObject: root), as: UTF8.self)])
    }

    private func words(_ path: String) -> String {
        do {
            let checkpoint = try Checkpoint(path: path)
            return ([checkpoint.description.normalization.name] + checkpoint.warnings.map(\.description)).joined(separator: " | ")
        } catch let error as any ReportableError {
            #expect(error.exitStatus == .badData)
            return error.description
        } catch { return "\(error)" }
    }

    /// As transformers 5.24 saves a CLIPProcessor, and what other releases leave.
    @Test func processorFiles() throws {
        let nested = """
            {"image_processor": {"crop_size": {"height": 16, "width": 16}, "data_format": "channels_first", "do_center_crop": true,
            "do_convert_rgb": true, "do_normalize": true, "do_rescale": true, "do_resize": true, \(Self.imageNet),
            "image_processor_type": "CLIPImageProcessor", "resample": 2, "rescale_factor": 0.00392156862745098,
            "size": {"shortest_edge": 16}}, "processor_class": "CLIPProcessor"}
            """
        #expect(words(try folder(Self.huggingFace, ["processor_config.json": nested])) == "imagenet")
        // It goes over the older file; one without an image processor says nothing.
        let older = #"{"image_mean": [0.48145466, 0.4578275, 0.40821073], "image_std": [0.26862954, 0.26130258, 0.27577711]}"#
        #expect(words(try folder(Self.huggingFace, ["processor_config.json": nested, "preprocessor_config.json": older])) == "imagenet")
        #expect(words(try folder(Self.huggingFace, [
            "processor_config.json": #"{"processor_class": "CLIPProcessor"}"#, "preprocessor_config.json": "{\(Self.imageNet)}",
        ])) == "imagenet")
        #expect(words(try folder(Self.huggingFace, ["preprocessor_config.json": older])) == "clip")
    }

    @Test(arguments: [
        (#""resample": 3"#, #"resample is 3; that is bicubic; frames are resized bilinearly here"#),
        (#""resample": "bicubic""#, "that is bicubic"), (#""resample": 2"#, "imagenet"),
        (#""size": {"height": 16, "width": 16}"#, "size is {2 keys}; frames are shrunk by their shorter side"),
        (#""size": [16, 16]"#, "not squeezed to a square"), (#""size": 16"#, "imagenet"), (#""do_center_crop": false"#, "the middle of a frame is cropped"),
        (#""crop_size": 16"#, "imagenet"), (#""crop_size": [16, 16]"#, "imagenet"), (#""crop_size": {"height": 16, "width": 8}"#, "square here"),
        (#""crop_size": 224"#, "crop_size is 224; the tensors are made for 16"), (#""crop_size": "16""#, "a whole number"),
        (#""do_rescale": false"#, "pixels are always scaled"), (#""rescale_factor": 0.0078125"#, "scaled by 1/255"),
        (#""do_flip_channel_order": true"#, "red, green, blue"),
    ])
    func imageProcessors(members: String, expected: String) throws {
        let words = words(try folder(Self.huggingFace, ["preprocessor_config.json": "{\(Self.imageNet), \(members)}"]))
        #expect(words.contains(expected), "\(members): \(words)")
        if expected == "imagenet" { #expect(words == expected) }
    }

    /// Not read in part: constants that are no three numbers, one number for all channels, and none of a model that has others.
    @Test(arguments: [
        (#"{"image_mean": 0.5, "image_std": 0.25}"#, "only the constants of CLIP and of ImageNet"),
        (#"{"image_mean": [0.485, "0.456", 0.406], "image_std": [0.229, 0.224, 0.225]}"#, "three numbers are needed"),
        (#"{"image_std": [0.229, 0.224, 0.225]}"#, "image_mean is missing; three numbers are needed"),
        (#"{"image_processor_type": "SiglipImageProcessor"}"#, "the normalization of a SiglipImageProcessor is not known"),
        (#"{"image_processor_type": "CLIPImageProcessorFast"}"#, "clip"),
    ])
    func constants(json: String, expected: String) throws {
        #expect(words(try folder(Self.huggingFace, ["preprocessor_config.json": json])).contains(expected), "\(json)")
    }

    @Test(arguments: [
        ("preprocess_cfg.resize_mode", #""squash""#, #"resize_mode is "squash"; frames are shrunk by their shorter side"#),
        ("preprocess_cfg.resize_mode", #""longest""#, "as with \"shortest\""), ("preprocess_cfg.resize_mode", #""shortest""#, "clip"),
        ("preprocess_cfg.interpolation", #""bicubic""#, "that is bicubic"), ("preprocess_cfg.interpolation", #""bilinear""#, "clip"),
        ("preprocess_cfg.size", "[16, 16]", "clip"), ("preprocess_cfg.size", "[16, 32]", "square here"), ("preprocess_cfg.size", "224", "the tensors are made for 16"),
        ("preprocess_cfg.mode", #""L""#, "only \"RGB\""), ("preprocess_cfg.mean", "0.5", "only the constants"),
        ("model_cfg.vision_cfg.global_average_pool", "true", "an average over all patches is not computed here"),
        ("model_cfg.vision_cfg.global_average_pool", "false", "clip"), ("model_cfg.vision_cfg.image_size", "[16, 16]", "clip"),
        ("model_cfg.vision_cfg.image_size", "[16, 24]", "square here"), ("model_cfg.vision_cfg.patch_size", "[8, 8]", "clip"),
        ("model_cfg.vision_cfg.patch_size", "[4, 4]", "the tensors say 8"), ("model_cfg.vision_cfg.layers", "[3, 4, 6, 3]", "ResNet"),
        ("model_cfg.vision_cfg.mlp_ratio", "4.0", "mlp_ratio × width is 128; the tensors say 48"),
        ("model_cfg.text_cfg.hf_tokenizer_name", #""bert-base-uncased""#, "only CLIP's own tokenizer"),
        ("model_cfg.text_cfg.tokenizer_kwargs", #"{"clean": "canonicalize"}"#, "lower case here"),
        ("model_cfg.text_cfg.proj_type", #""none""#, "only \"linear\""), ("model_cfg.text_cfg.qk_norm", "true", "a norm of queries and keys"),
        ("model_cfg.text_cfg.pool_type", #""last""#, "only \"argmax\""),
    ])
    func openCLIPSettings(key: String, json: String, expected: String) throws {
        let words = words(try openCLIP(key, json))
        #expect(words.contains(expected), "\(key): \(words)")
        if expected == "clip" { #expect(words == expected, "\(key) \(json)") }
    }

    @Test(arguments: [
        (#""image_size": [16, 16]"#, "clip"), (#""image_size": [16, 24]"#, "square here"), (#""patch_size": {"height": 8, "width": 8}"#, "clip"),
        (#""patch_size": [16, 16]"#, "the tensors say 8"),
    ])
    func listValuedSizes(member: String, expected: String) throws {
        let text = String(decoding: try InputFile.contents(of: fixturePath(Self.huggingFace).appendingPath("config.json"), limit: 1 << 20), as: UTF8.self)
        let key = String(member.prefix { $0 != ":" })
        let pattern = try Regex("\(key): [0-9]+")
        let words = words(try folder(Self.huggingFace, ["config.json": text.replacing(pattern, with: member)]))
        #expect(words.contains(expected), "\(member): \(words)")
    }
}
