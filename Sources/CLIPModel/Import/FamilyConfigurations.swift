import Tensors

// What the configuration files of Hugging Face and open_clip say of a CLIP. A value that asks for something
// that is not computed here is refused by name; what is missing has the family's own default.

extension CheckpointConfiguration {
    /// `config.json` of transformers.
    mutating func readHuggingFace(_ file: ConfigurationFile) throws {
        let root = file.root
        let type = root.text("model_type") ?? "clip"
        guard ["clip", "xclip", "siglip"].contains(type) else {
            throw root.fault(
                "model_type", "only \"clip\", \"xclip\" and \"siglip\" are computed here" + (OtherModels.name(ofType: type).map { ", and this is \($0)" } ?? ""))
        }
        if type == "siglip" { (family, familySource) = (.sigLIP, (root.file.lastPathComponent, "model_type")) }
        // Old files repeat a tower's settings in a second section, which goes over the first.
        func tower(_ name: String) -> ConfigurationSection {
            var section = root.section("\(name)_config")
            section.members.merge(root.section("\(name)_config_dict").members) { $1 == .null ? $0 : $1 }
            return section
        }
        let vision = tower("vision"), text = tower("text")
        let activations = try [vision, text].map { section throws(ModelError) in
            try section.activation("hidden_act", default: type == "siglip" ? .tanhGELU : .quickGELU)
        }
        guard activations[0] == activations[1] else {
            throw text.fault("hidden_act", "the image tower's is \"\(activations[0].rawValue)\"; one for both is computed here")
        }
        activation = activations[0]
        for section in [vision, text] { try section.checkEpsilon("layer_norm_eps", isSigLIP: type == "siglip") }
        // 2 is what transformers wrote for years: the end token is then found as the highest number.
        let ends = text.integer("eos_token_id").map { [$0] } ?? text.numbers("eos_token_id")?.compactMap { Int(exactly: $0) } ?? []
        if type != "siglip", !ends.isEmpty, ends != [2], let vocabulary = try text.size("vocab_size"), !ends.contains(vocabulary - 1) {
            throw text.fault("eos_token_id", "CLIP's end token is the last of its \(vocabulary) tokens")
        }
        if let channels = try vision.size("num_channels"), channels != 3 {
            throw vision.fault("num_channels", "pictures have 3 channels here")
        }
        headCounts.vision = try vision.size("num_attention_heads") ?? (vision.members.isEmpty ? nil : 12)
        headCounts.text = try text.size("num_attention_heads") ?? (text.members.isEmpty ? nil : type == "siglip" ? 12 : 8)
        try claim([
            (vision, "hidden_size", \.vision.width), (vision, "num_hidden_layers", \.vision.layerCount),
            (vision, "intermediate_size", \.vision.mlpWidth), (text, "hidden_size", \.text.width),
            (text, "num_hidden_layers", \.text.layerCount), (text, "intermediate_size", \.text.mlpWidth),
            (text, "max_position_embeddings", \.contextLength), (text, "vocab_size", \.vocabularySize),
            (root, "projection_dim", \.embeddingWidth),
        ])
        try claimSides(vision)
        if root.text("model_type") == "xclip" { try readCrossFrame(root, vision: vision) }
    }

    /// What an X-CLIP's configuration says beside a CLIP's.
    private mutating func readCrossFrame(_ root: ConfigurationSection, vision: ConfigurationSection) throws(ModelError) {
        // Also computed with QuickGELU where both towers have another activation.
        guard try root.activation("prompt_hidden_act", default: .quickGELU) == .quickGELU, activation == .quickGELU else {
            throw root.fault("prompt_hidden_act", "an X-CLIP is computed here with \"\(Activation.quickGELU.rawValue)\" throughout")
        }
        headCounts.frames = try vision.size("mit_num_attention_heads")
        headCounts.prompts = try root.size("prompt_num_attention_heads")
        try claim([
            (vision, "num_frames", \.crossFrameSizes.frameCount), (vision, "mit_num_hidden_layers", \.crossFrameSizes.frameLayerCount),
            (vision, "mit_hidden_size", \.embeddingWidth), (root, "prompt_layers", \.crossFrameSizes.promptLayerCount),
        ])
    }

    /// `open_clip_config.json`, or one of open_clip's own model configurations under that name.
    ///
    /// - Parameter hasTimmTower: whether the tensors are those of an image tower of timm that is computed here.
    mutating func readOpenCLIP(_ file: ConfigurationFile, hasTimmTower: Bool) throws {
        let wrapped = file.root.section("model_cfg")
        let model = wrapped.members.isEmpty ? file.root : wrapped
        let vision = model.section("vision_cfg"), text = model.section("text_cfg")
        activation = model.flag("quick_gelu") ?? false ? .quickGELU : .gelu
        if hasTimmTower {
            for (key, only) in [("timm_pool", "map"), ("timm_proj", "none")] {
                if let form = vision.text(key), form != only { throw vision.fault(key, "only \"\(only)\" is computed here") }
            }
        } else {
            try vision.refuse([("timm_model_name", "an image tower of timm")])
        }
        try vision.refuse([
            ("attentional_pool", "attentional pooling"),
            ("input_patchnorm", "normalized patches"),
            ("no_ln_pre", "an image tower without its first norm"), ("ls_init_value", "scaled residual layers"),
            ("global_average_pool", "an average over all patches"),
        ] + Self.customBlocks)
        if case .list = vision.members["layers"] { throw vision.fault("layers", "a ResNet image tower is not computed here") }
        try text.refuse([
            ("hf_model_name", "a text tower of Hugging Face"), ("embed_cls", "a class token in the text tower"),
            ("ls_init_value", "scaled residual layers"),
        ] + Self.customBlocks)
        let isSigLIP = hasTimmTower && text.flag("no_causal_mask") == true
        if !isSigLIP {
            try text.refuse([("no_causal_mask", "a text tower without a causal mask"), ("proj_bias", "a text projection with a bias")])
        }
        if let form = text.text("proj_type"), form != "linear" { throw text.fault("proj_type", "only \"linear\" is computed here") }
        // What the vocabulary is called where it is CLIP's own: "openai/clip-vit-base-patch32" and the like.
        if !isSigLIP, let name = text.text("hf_tokenizer_name"), !name.lowercased().contains("clip-vit") {
            throw text.fault("hf_tokenizer_name", "only CLIP's own tokenizer is computed here")
        }
        let cleaning = text.section("tokenizer_kwargs")
        if !isSigLIP, let clean = cleaning.text("clean"), clean != "lower" {
            throw cleaning.fault("clean", "texts are cleaned and put into lower case here, as in CLIP")
        }
        if text.text("pool_type") == "eos", let end = text.integer("eos_id"), let vocabulary = try text.size("vocab_size"), end != vocabulary - 1 {
            throw text.fault("eos_id", "CLIP's end token is the last of its \(vocabulary) tokens")
        }
        if let pool = vision.text("pool_type"), pool != "tok" { throw vision.fault("pool_type", "only \"tok\" is computed here") }
        if let pool = text.text("pool_type"), !(isSigLIP ? ["last"] : ["argmax", "eos"]).contains(pool) {
            throw text.fault("pool_type", "only \"\(isSigLIP ? "last" : "argmax")\" is computed here")
        }
        // SigLIP 2's text tower alone has another activation.
        if isSigLIP, text.section("act_kwargs").text("approximate") == "tanh" { textActivation = .tanhGELU }
        for section in [vision, text] {
            try section.section("norm_kwargs").checkEpsilon("eps", isSigLIP: isSigLIP)
            if textActivation == nil, let form = section.section("act_kwargs").text("approximate"), form != "none" {
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
            (vision, "width", \.vision.width), (vision, "layers", \.vision.layerCount), (text, "width", \.text.width), (text, "layers", \.text.layerCount),
            (text, "context_length", \.contextLength), (text, "vocab_size", \.vocabularySize),
            (model, "embed_dim", \.embeddingWidth),
        ])
        try claimSides(vision)
        for (section, actual) in [(vision, \CLIPArchitecture.vision.mlpWidth), (text, \.text.mlpWidth)] {
            guard let ratio = section.number("mlp_ratio"), (0...1000).contains(ratio), let width = try section.size("width") else { continue }
            claims.append(Claim(file: section.file.lastPathComponent, key: section.prefix + "mlp_ratio × width", value: Int(Double(width) * ratio), actual: actual))
        }
        try readPreprocessing(file.root.section("preprocess_cfg"))
    }

    /// What open_clip's `CustomResidualAttentionBlock` may have.
    private static let customBlocks = [
        ("qk_norm", "a norm of queries and keys"), ("scaled_cosine_attn", "attention by cosines"), ("scale_heads", "scaled heads"),
        ("scale_attn_inner", "a norm within attention"), ("scale_attn", "a norm after attention"), ("scale_fc", "a norm within the MLP"),
    ]

    private mutating func claimSides(_ vision: ConfigurationSection) throws(ModelError) {
        let sides: [(String, KeyPath<CLIPArchitecture, Int> & Sendable)] = [("image_size", \.imagePixels), ("patch_size", \.patchPixels)]
        for (key, actual) in sides {
            guard let side = try vision.side(key) else { continue }
            claims.append(Claim(file: vision.file.lastPathComponent, key: vision.prefix + key, value: side, actual: actual))
        }
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

    fileprivate func checkEpsilon(_ key: String, isSigLIP: Bool) throws(ModelError) {
        let ours = isSigLIP ? 1e-6 : 1e-5
        guard let epsilon = number(key), abs(epsilon - ours) > 1e-9 else { return }
        throw fault(key, "layer norms have \(ours) here")
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

extension CLIPArchitecture {
    /// Zeros for a CLIP, whose tensors then contradict what a configuration claims.
    fileprivate var crossFrameSizes: CrossFrameArchitecture {
        crossFrame ?? CrossFrameArchitecture(frameCount: 0, frameLayerCount: 0, promptLayerCount: 0, width: embeddingWidth)
    }
}
