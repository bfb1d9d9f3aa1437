/// From which tensors of a checkpoint one of ours is made. `*` stands for the number of a layer.
package enum TensorOrigin: Sendable, Equatable {
    case same(String)
    /// A matrix that is stored the other way round.
    case transposed(String)
    /// Stored with dimensions of 1 before its own.
    case squeezed(String)
    /// Queries, keys and values, one below the other, each a tensor of its own or the last two together.
    case stacked([String])

    var names: [String] {
        switch self {
        case .same(let name), .transposed(let name), .squeezed(let name): [name]
        case .stacked(let names): names
        }
    }

    /// With every name changed.
    func renamed(_ change: (String) -> String) -> TensorOrigin {
        switch self {
        case .same(let name): .same(change(name))
        case .transposed(let name): .transposed(change(name))
        case .squeezed(let name): .squeezed(change(name))
        case .stacked(let names): .stacked(names.map(change))
        }
    }
}

/// How one kind of checkpoint names and arranges the tensors of a CLIP. All layouts stand side by side below.
///
/// Ours are the names of OpenAI's state dict. What has two origins is made of the one that is there.
package struct CheckpointLayout: Sendable {
    package enum Kind: String, Sendable {
        case openAI = "OpenAI CLIP"
        case openCLIPText = "open_clip with a text tower of its own"
        case timm = "open_clip with an image tower of timm"
        case vifi = "ViFi-CLIP"
        case huggingFace = "Hugging Face CLIPModel"
    }

    package let kind: Kind
    /// Names that only this layout has; what stands before the first one found is the prefix of all.
    let signatures: [String]
    let tensors: KeyValuePairs<String, TensorOrigin>
    /// Names of a layer's tensors start with these in the checkpoint.
    let visionLayers: String
    let textLayers: String
    /// The rest of the names of a layer's tensors.
    let layer: KeyValuePairs<String, TensorOrigin>
    /// Of layers of the image tower, where these are named otherwise.
    var visionLayer: KeyValuePairs<String, TensorOrigin>?
    /// What an X-CLIP has beside a CLIP; nil where none is saved so.
    var crossFrame: CrossFrame?
    /// Tensors that change nothing, because all their numbers are 0.
    var zeros: Set<String> = []

    /// How the tensors are named that let frames see each other.
    struct CrossFrame: Sendable {
        /// The transformer over frames' layers, which have the names of the towers' layers.
        let frameLayers: String
        /// Of each layer of the vision tower.
        let messages: [(key: String, value: TensorOrigin)]
        let tensors: [(key: String, value: TensorOrigin)]
    }

    /// In the order in which they are tried.
    static let all = [vifi, huggingFace, timm, openCLIPText, openAI]

    /// Also of X-CLIP and of Meta's Perception Encoders, whose other tensors have their own names.
    static let openAI = CheckpointLayout(
        kind: .openAI, vision: "visual.", text: "", signed: ["visual.conv1.weight", "visual.class_embedding", "visual.proj"],
        crossFrame: .own)

    /// open_clip's `CustomTextCLIP`.
    static let openCLIPText = CheckpointLayout(
        kind: .openCLIPText, vision: "visual.", text: "text.",
        signed: ["text.token_embedding.weight", "text.positional_embedding", "text.ln_final.weight"])

    /// Source: `methods.md` 1.7. The token table is not there: another CLIP supplies it.
    static let vifi = CheckpointLayout(
        kind: .vifi, vision: vifiTowers.vision, text: vifiTowers.text,
        signed: ["conv1.weight", "class_embedding", "proj"].map { vifiTowers.vision + $0 })

    /// Names of ViFi-CLIP's towers start with these, where ours start with `visual.` and with nothing.
    static let vifiTowers = (vision: "image_encoder.", text: "text_encoder.")

    /// open_clip's `CustomTextCLIP` whose image tower pools by attention in timm: Perception Encoders and SigLIPs.
    static let timm = CheckpointLayout(
        kind: .timm, signatures: ["visual.trunk.attn_pool.latent"],
        tensors: [
            "visual.class_embedding": .squeezed("visual.trunk.cls_token"),
            "visual.positional_embedding": .squeezed("visual.trunk.pos_embed"),
            "visual.conv1.weight": .same("visual.trunk.patch_embed.proj.weight"),
            "visual.conv1.bias": .same("visual.trunk.patch_embed.proj.bias"),
            "visual.ln_pre.weight": .same("visual.trunk.norm_pre.weight"),
            "visual.ln_pre.bias": .same("visual.trunk.norm_pre.bias"),
            "visual.ln_post.weight": .same("visual.trunk.norm.weight"),
            "visual.ln_post.bias": .same("visual.trunk.norm.bias"),
            "visual.attn_pool.probe": .same("visual.trunk.attn_pool.latent"),
            "visual.attn_pool.attn.in_proj_weight": .stacked(["visual.trunk.attn_pool.q.weight", "visual.trunk.attn_pool.kv.weight"]),
            "visual.attn_pool.attn.in_proj_bias": .stacked(["visual.trunk.attn_pool.q.bias", "visual.trunk.attn_pool.kv.bias"]),
            "visual.attn_pool.attn.out_proj.weight": .same("visual.trunk.attn_pool.proj.weight"),
            "visual.attn_pool.attn.out_proj.bias": .same("visual.trunk.attn_pool.proj.bias"),
            "visual.attn_pool.layernorm.weight": .same("visual.trunk.attn_pool.norm.weight"),
            "visual.attn_pool.layernorm.bias": .same("visual.trunk.attn_pool.norm.bias"),
            "visual.attn_pool.mlp.c_fc.weight": .same("visual.trunk.attn_pool.mlp.fc1.weight"),
            "visual.attn_pool.mlp.c_fc.bias": .same("visual.trunk.attn_pool.mlp.fc1.bias"),
            "visual.attn_pool.mlp.c_proj.weight": .same("visual.trunk.attn_pool.mlp.fc2.weight"),
            "visual.attn_pool.mlp.c_proj.bias": .same("visual.trunk.attn_pool.mlp.fc2.bias"),
            "visual.proj": .transposed("visual.trunk.head.weight"),
            "token_embedding.weight": .same("text.token_embedding.weight"),
            "positional_embedding": .same("text.positional_embedding"),
            "ln_final.weight": .same("text.ln_final.weight"),
            "ln_final.bias": .same("text.ln_final.bias"),
            "text_projection": .same("text.text_projection"),
            "text_projection": .transposed("text.text_projection.weight"),
            "text_projection.bias": .same("text.text_projection.bias"),
            "logit_scale": .same("logit_scale"),
            "logit_bias": .same("logit_bias"),
        ],
        visionLayers: "visual.trunk.blocks.*.", textLayers: "text.transformer.resblocks.*.", layer: openAILayer, visionLayer: timmLayer,
        zeros: ["visual.trunk.head.bias"])

    /// `pre_layrnorm` is spelled so there, but for X-CLIP.
    static let huggingFace = CheckpointLayout(
        kind: .huggingFace,
        signatures: [
            "vision_model.embeddings.patch_embedding.weight", "vision_model.embeddings.class_embedding",
            "text_model.embeddings.token_embedding.weight",
        ],
        tensors: [
            "visual.class_embedding": .same("vision_model.embeddings.class_embedding"),
            "visual.positional_embedding": .same("vision_model.embeddings.position_embedding.weight"),
            "visual.conv1.weight": .same("vision_model.embeddings.patch_embedding.weight"),
            "visual.conv1.bias": .same("vision_model.embeddings.patch_embedding.bias"),
            "visual.ln_pre.weight": .same("vision_model.pre_layrnorm.weight"),
            "visual.ln_pre.bias": .same("vision_model.pre_layrnorm.bias"),
            "visual.ln_pre.weight": .same("vision_model.pre_layernorm.weight"),
            "visual.ln_pre.bias": .same("vision_model.pre_layernorm.bias"),
            "visual.ln_post.weight": .same("vision_model.post_layernorm.weight"),
            "visual.ln_post.bias": .same("vision_model.post_layernorm.bias"),
            "visual.attn_pool.probe": .same("vision_model.head.probe"),
            "visual.attn_pool.attn.in_proj_weight": .same("vision_model.head.attention.in_proj_weight"),
            "visual.attn_pool.attn.in_proj_bias": .same("vision_model.head.attention.in_proj_bias"),
            "visual.attn_pool.attn.out_proj.weight": .same("vision_model.head.attention.out_proj.weight"),
            "visual.attn_pool.attn.out_proj.bias": .same("vision_model.head.attention.out_proj.bias"),
            "visual.attn_pool.layernorm.weight": .same("vision_model.head.layernorm.weight"),
            "visual.attn_pool.layernorm.bias": .same("vision_model.head.layernorm.bias"),
            "visual.attn_pool.mlp.c_fc.weight": .same("vision_model.head.mlp.fc1.weight"),
            "visual.attn_pool.mlp.c_fc.bias": .same("vision_model.head.mlp.fc1.bias"),
            "visual.attn_pool.mlp.c_proj.weight": .same("vision_model.head.mlp.fc2.weight"),
            "visual.attn_pool.mlp.c_proj.bias": .same("vision_model.head.mlp.fc2.bias"),
            "visual.proj": .transposed("visual_projection.weight"),
            "token_embedding.weight": .same("text_model.embeddings.token_embedding.weight"),
            "positional_embedding": .same("text_model.embeddings.position_embedding.weight"),
            "ln_final.weight": .same("text_model.final_layer_norm.weight"),
            "ln_final.bias": .same("text_model.final_layer_norm.bias"),
            "text_projection": .transposed("text_projection.weight"),
            "text_projection": .transposed("text_model.head.weight"),
            "text_projection.bias": .same("text_model.head.bias"),
            "logit_scale": .same("logit_scale"),
            "logit_bias": .same("logit_bias"),
        ],
        visionLayers: "vision_model.encoder.layers.*.", textLayers: "text_model.encoder.layers.*.", layer: huggingFaceLayer,
        crossFrame: .huggingFace)

    private static let openAILayer: KeyValuePairs<String, TensorOrigin> = [
        "ln_1.weight": .same("ln_1.weight"),
        "ln_1.bias": .same("ln_1.bias"),
        "attn.in_proj_weight": .same("attn.in_proj_weight"),
        "attn.in_proj_bias": .same("attn.in_proj_bias"),
        "attn.out_proj.weight": .same("attn.out_proj.weight"),
        "attn.out_proj.bias": .same("attn.out_proj.bias"),
        "ln_2.weight": .same("ln_2.weight"),
        "ln_2.bias": .same("ln_2.bias"),
        "mlp.c_fc.weight": .same("mlp.c_fc.weight"),
        "mlp.c_fc.bias": .same("mlp.c_fc.bias"),
        "mlp.c_proj.weight": .same("mlp.c_proj.weight"),
        "mlp.c_proj.bias": .same("mlp.c_proj.bias"),
    ]

    private static let timmLayer: KeyValuePairs<String, TensorOrigin> = [
        "ln_1.weight": .same("norm1.weight"),
        "ln_1.bias": .same("norm1.bias"),
        "attn.in_proj_weight": .same("attn.qkv.weight"),
        "attn.in_proj_bias": .same("attn.qkv.bias"),
        "attn.out_proj.weight": .same("attn.proj.weight"),
        "attn.out_proj.bias": .same("attn.proj.bias"),
        "ln_2.weight": .same("norm2.weight"),
        "ln_2.bias": .same("norm2.bias"),
        "mlp.c_fc.weight": .same("mlp.fc1.weight"),
        "mlp.c_fc.bias": .same("mlp.fc1.bias"),
        "mlp.c_proj.weight": .same("mlp.fc2.weight"),
        "mlp.c_proj.bias": .same("mlp.fc2.bias"),
    ]

    private static let huggingFaceLayer: KeyValuePairs<String, TensorOrigin> = [
        "ln_1.weight": .same("layer_norm1.weight"),
        "ln_1.bias": .same("layer_norm1.bias"),
        "attn.in_proj_weight": .stacked(["self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"]),
        "attn.in_proj_bias": .stacked(["self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"]),
        "attn.out_proj.weight": .same("self_attn.out_proj.weight"),
        "attn.out_proj.bias": .same("self_attn.out_proj.bias"),
        "ln_2.weight": .same("layer_norm2.weight"),
        "ln_2.bias": .same("layer_norm2.bias"),
        "mlp.c_fc.weight": .same("mlp.fc1.weight"),
        "mlp.c_fc.bias": .same("mlp.fc1.bias"),
        "mlp.c_proj.weight": .same("mlp.fc2.weight"),
        "mlp.c_proj.bias": .same("mlp.fc2.bias"),
    ]
}

extension CheckpointLayout {
    /// OpenAI's names with others for the towers.
    private init(kind: Kind, vision: String, text: String, signed signatures: [String], crossFrame: CrossFrame? = nil) {
        self.init(
            kind: kind, signatures: signatures,
            tensors: [
                "visual.class_embedding": .same(vision + "class_embedding"),
                "visual.positional_embedding": .same(vision + "positional_embedding"),
                "visual.conv1.weight": .same(vision + "conv1.weight"),
                "visual.conv1.bias": .same(vision + "conv1.bias"),
                "visual.ln_pre.weight": .same(vision + "ln_pre.weight"),
                "visual.ln_pre.bias": .same(vision + "ln_pre.bias"),
                "visual.ln_post.weight": .same(vision + "ln_post.weight"),
                "visual.ln_post.bias": .same(vision + "ln_post.bias"),
                "visual.attn_pool.probe": .same(vision + "attn_pool.probe"),
                "visual.attn_pool.attn.in_proj_weight": .same(vision + "attn_pool.attn.in_proj_weight"),
                "visual.attn_pool.attn.in_proj_bias": .same(vision + "attn_pool.attn.in_proj_bias"),
                "visual.attn_pool.attn.out_proj.weight": .same(vision + "attn_pool.attn.out_proj.weight"),
                "visual.attn_pool.attn.out_proj.bias": .same(vision + "attn_pool.attn.out_proj.bias"),
                "visual.attn_pool.layernorm.weight": .same(vision + "attn_pool.layernorm.weight"),
                "visual.attn_pool.layernorm.bias": .same(vision + "attn_pool.layernorm.bias"),
                "visual.attn_pool.mlp.c_fc.weight": .same(vision + "attn_pool.mlp.c_fc.weight"),
                "visual.attn_pool.mlp.c_fc.bias": .same(vision + "attn_pool.mlp.c_fc.bias"),
                "visual.attn_pool.mlp.c_proj.weight": .same(vision + "attn_pool.mlp.c_proj.weight"),
                "visual.attn_pool.mlp.c_proj.bias": .same(vision + "attn_pool.mlp.c_proj.bias"),
                "visual.proj": .same(vision + "proj"),
                "token_embedding.weight": .same(text + "token_embedding.weight"),
                "positional_embedding": .same(text + "positional_embedding"),
                "ln_final.weight": .same(text + "ln_final.weight"),
                "ln_final.bias": .same(text + "ln_final.bias"),
                "text_projection": .same(text + "text_projection"),
                "text_projection": .transposed(text + "text_projection.weight"),
                "text_projection.bias": .same(text + "text_projection.bias"),
                "logit_scale": .same("logit_scale"),
                "logit_bias": .same("logit_bias"),
            ],
            visionLayers: vision + "transformer.resblocks.*.", textLayers: text + "transformer.resblocks.*.", layer: Self.openAILayer,
            crossFrame: crossFrame)
    }

    /// What is in such checkpoints without being a weight: buffers, and the sizes that OpenAI's archives carry.
    static let buffers = [
        "input_resolution", "context_length", "vocab_size", "attn_mask", "position_ids", "logit_bias",
        "complete_text_embeddings", "token_prefix", "token_suffix",
    ]

    /// Learned prompts of ViFi-CLIP: no part of its backbone.
    static let prompts = ["ctx", "VPT", "VPT_shallow"]

    /// The names of a model without those of a variation of CLIP that this layout reads, by which the model would be taken for one
    /// that is not read.
    func withoutVariations(_ names: [String]) -> [String] {
        switch kind {
        case .huggingFace where names.contains("vision_model.head.probe") && names.contains("text_model.head.weight"):
            names.filter { !$0.starts(withName: "vision_model.head.") && !$0.starts(withName: "text_model.head.") }
        case .timm where names.contains("text.token_embedding.weight"):
            names.filter { !$0.starts(withName: "visual.trunk.") } + ["visual.proj"]
        // A CoCa has a query in the place of the probe.
        case .openAI where names.contains(CheckpointNames.poolingProbe):
            names.filter { !$0.starts(withName: CheckpointNames.pooling) }
        default: crossFrame == nil ? names : CrossFrameNames.withoutOwn(names)
        }
    }

    /// Every destination with its possible origins; `*` stands for the number of a layer.
    var entries: [(destination: String, origin: TensorOrigin)] {
        let layers = [(CheckpointNames.visionBlocks, visionLayers, visionLayer ?? layer), (CheckpointNames.textBlocks, textLayers, layer)]
            + (crossFrame.map { [(CrossFrameNames.frameBlocks, $0.frameLayers, layer)] } ?? [])
        return tensors.map { ($0.key, $0.value) }
            + (crossFrame?.tensors.map { ($0.key, $0.value) } ?? [])
            + (crossFrame?.messages.map { entry in
                ("\(CheckpointNames.visionBlocks)*.\(entry.key)", entry.value.renamed { visionLayers + $0 })
            } ?? [])
            + layers.flatMap { ours, theirs, layer in
                layer.map { entry in ("\(ours)*.\(entry.key)", entry.value.renamed { theirs + $0 }) }
            }
    }
}

extension CheckpointLayout.CrossFrame {
    /// X-CLIP's own names (`methods.md` 6).
    fileprivate static let own = CheckpointLayout.CrossFrame(
        frameLayers: "mit.resblocks.*.",
        messages: (message + [
            "message_attn.in_proj_weight", "message_attn.in_proj_bias",
        ]).map { ($0, .same($0)) },
        tensors: (same + ["mit.positional_embedding", "prompts_visual_ln.weight", "prompts_visual_ln.bias", "prompts_visual_proj",
            "prompts_generator.norm.weight", "prompts_generator.norm.bias"]).map { ($0, .same($0)) })

    /// Those of transformers.
    fileprivate static let huggingFace = CheckpointLayout.CrossFrame(
        frameLayers: "mit.encoder.layers.*.",
        messages: message.map { ($0, .same($0)) } + [
            ("message_attn.in_proj_weight", .stacked(["q", "k", "v"].map { "message_attn.\($0)_proj.weight" })),
            ("message_attn.in_proj_bias", .stacked(["q", "k", "v"].map { "message_attn.\($0)_proj.bias" })),
        ],
        tensors: same.map { ($0, .same($0)) } + [
            ("mit.positional_embedding", .same("mit.position_embedding")),
            ("prompts_visual_ln.weight", .same("prompts_visual_layernorm.weight")),
            ("prompts_visual_ln.bias", .same("prompts_visual_layernorm.bias")),
            ("prompts_visual_proj", .same("prompts_visual_projection")),
            ("prompts_generator.norm.weight", .same("prompts_generator.layernorm.weight")),
            ("prompts_generator.norm.bias", .same("prompts_generator.layernorm.bias")),
        ])

    /// Named alike in both.
    private static let message = ["message_fc", "message_ln", "message_attn.out_proj"].flatMap { ["\($0).weight", "\($0).bias"] }
    private static let same = ["prompts_generator.alpha"]
        + ["q_proj", "k_proj", "v_proj"].map { "prompts_generator.decoder.*.cross_attn.\($0).weight" }
        + ["cross_attn.proj", "norm1", "norm3", "mlp.0", "mlp.3"].flatMap {
            ["prompts_generator.decoder.*.\($0).weight", "prompts_generator.decoder.*.\($0).bias"]
        }
}
