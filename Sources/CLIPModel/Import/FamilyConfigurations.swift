import Tensors

// What the configuration files of Hugging Face and open_clip say of a CLIP. A value that asks for something
// that is not computed here is refused by name; what is missing has the family's own default.

extension CheckpointConfiguration {
    /// `config.json` of transformers.
    mutating func readHuggingFace(_ file: ConfigurationFile) throws {
        let root = file.root
        if let type = root.text("model_type"), type != "clip" {
            throw root.fault(
                "model_type", "only \"clip\" is computed here" + (OtherModels.name(ofType: type).map { ", and this is \($0)" } ?? ""))
        }
        // Old files repeat a tower's settings in a second section, which goes over the first.
        func tower(_ name: String) -> ConfigurationSection {
            var section = root.section("\(name)_config")
            section.members.merge(root.section("\(name)_config_dict").members) { $1 == .null ? $0 : $1 }
            return section
        }
        let vision = tower("vision"), text = tower("text")
        let activations = try [vision, text].map { section throws(ModelError) in
            try section.activation("hidden_act", default: .quickGELU)
        }
        guard activations[0] == activations[1] else {
            throw text.fault("hidden_act", "the image tower's is \"\(activations[0].rawValue)\"; one for both is computed here")
        }
        activation = activations[0]
        for section in [vision, text] { try section.checkEpsilon("layer_norm_eps") }
        // 2 is what transformers wrote for years: the end token is then found as the highest number.
        if let end = text.integer("eos_token_id"), end != 2, let vocabulary = try text.size("vocab_size"), end != vocabulary - 1 {
            throw text.fault("eos_token_id", "CLIP's end token is the last of its \(vocabulary) tokens")
        }
        if let channels = try vision.size("num_channels"), channels != 3 {
            throw vision.fault("num_channels", "pictures have 3 channels here")
        }
        headCounts.vision = try vision.size("num_attention_heads") ?? (vision.members.isEmpty ? nil : 12)
        headCounts.text = try text.size("num_attention_heads") ?? (text.members.isEmpty ? nil : 8)
        try claim([
            (vision, "hidden_size", \.vision.width), (vision, "num_hidden_layers", \.vision.layerCount),
            (vision, "intermediate_size", \.vision.mlpWidth), (vision, "image_size", \.imagePixels),
            (vision, "patch_size", \.patchPixels), (text, "hidden_size", \.text.width),
            (text, "num_hidden_layers", \.text.layerCount), (text, "intermediate_size", \.text.mlpWidth),
            (text, "max_position_embeddings", \.contextLength), (text, "vocab_size", \.vocabularySize),
            (root, "projection_dim", \.embeddingWidth),
        ])
    }

    /// `preprocessor_config.json` of transformers.
    mutating func readPreprocessor(_ file: ConfigurationFile) throws {
        if file.root.flag("do_normalize") == false { throw file.root.fault("do_normalize", "pixels are always normalised here") }
        normalisation = try file.root.normalisation(mean: "image_mean", deviation: "image_std") ?? normalisation
    }

    /// `open_clip_config.json`, or one of open_clip's own model configurations under that name.
    mutating func readOpenCLIP(_ file: ConfigurationFile) throws {
        let wrapped = file.root.section("model_cfg")
        let model = wrapped.members.isEmpty ? file.root : wrapped
        let vision = model.section("vision_cfg"), text = model.section("text_cfg")
        activation = model.flag("quick_gelu") ?? false ? .quickGELU : .gelu
        try vision.refuse([
            ("timm_model_name", "an image tower of timm"), ("attentional_pool", "attentional pooling"),
            ("input_patchnorm", "normalised patches"),
            ("no_ln_pre", "an image tower without its first norm"), ("ls_init_value", "scaled residual layers"),
        ])
        try text.refuse([
            ("hf_model_name", "a text tower of Hugging Face"), ("embed_cls", "a class token in the text tower"),
            ("no_causal_mask", "a text tower without a causal mask"), ("ls_init_value", "scaled residual layers"),
        ])
        if let pool = vision.text("pool_type"), pool != "tok" { throw vision.fault("pool_type", "only \"tok\" is computed here") }
        if let pool = text.text("pool_type"), !["argmax", "eos"].contains(pool) {
            throw text.fault("pool_type", "only \"argmax\" is computed here")
        }
        for section in [vision, text] {
            try section.section("norm_kwargs").checkEpsilon("eps")
            if let form = section.section("act_kwargs").text("approximate"), form != "none" {
                throw section.section("act_kwargs").fault("approximate", "only the exact GELU and QuickGELU are computed here")
            }
        }
        let width = try vision.size("width"), headWidth = try vision.size("head_width") ?? 64
        if let width {
            guard width % headWidth == 0 else { throw vision.fault("head_width", "it does not divide the width of \(width)") }
            headCounts.vision = width / headWidth
        }
        headCounts.text = try text.size("heads")
        try claim([
            (vision, "width", \.vision.width), (vision, "layers", \.vision.layerCount), (vision, "image_size", \.imagePixels),
            (vision, "patch_size", \.patchPixels), (text, "width", \.text.width), (text, "layers", \.text.layerCount),
            (text, "context_length", \.contextLength), (text, "vocab_size", \.vocabularySize),
            (model, "embed_dim", \.embeddingWidth),
        ])
        normalisation = try file.root.section("preprocess_cfg").normalisation(mean: "mean", deviation: "std") ?? normalisation
    }

    private mutating func claim(
        _ sizes: [(section: ConfigurationSection, key: String, actual: KeyPath<CLIPArchitecture, Int> & Sendable)]
    ) throws(ModelError) {
        for (section, key, actual) in sizes {
            guard let value = try section.size(key) else { continue }
            claims.append(Claim(file: section.file.lastPathComponent, key: section.prefix + key, value: value, actual: actual))
        }
    }
}

extension ConfigurationSection {
    fileprivate func activation(_ key: String, default missing: Activation) throws(ModelError) -> Activation {
        guard let name = text(key) else { return missing }
        guard let known = Activation(rawValue: name) else {
            throw fault(key, "\(Activation.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " and ")) are computed here")
        }
        return known
    }

    fileprivate func checkEpsilon(_ key: String) throws(ModelError) {
        guard let epsilon = number(key), abs(epsilon - 1e-5) > 1e-9 else { return }
        throw fault(key, "layer norms have 1e-05 here")
    }

    /// Refuses settings that are on.
    fileprivate func refuse(_ settings: [(key: String, what: String)]) throws(ModelError) {
        for (key, what) in settings {
            switch members[key] {
            case nil, .null, .truth(false): continue
            default: throw fault(key, "\(what) is not computed here")
            }
        }
    }
}
