/// Models that are not CLIPs with two transformers, told by the names of their tensors.
///
/// A refusal that names the model spares its owner the search for what is wrong with the file.
enum OtherModels {
    private static let table: [(mark: String, model: String, reason: String)] = [
        // Models that are told by a part which the others below have not.
        ("image_model.embeddings.", "a FLAVA", "Its image and text towers are other transformers than CLIP's, with a third one above them"),
        ("multimodal_model.", "a FLAVA", "Its image and text towers are other transformers than CLIP's, with a third one above them"),
        ("audio_model.", "a CLAP", "It compares sounds with texts; there is no image tower"),
        ("audio_branch.", "a CLAP", "It compares sounds with texts; there is no image tower"),
        ("audio_encoder.", "a model of sounds (CLAP, PE-Audio)", noCLIP),
        ("modality_trunks.", "an ImageBind", "Its six towers are other transformers than CLIP's"),
        ("modality_preprocessors.", "an ImageBind", "Its six towers are other transformers than CLIP's"),
        ("temporal_attn.", "a LanguageBind (video)", "Its image tower attends over time inside its layers; only CLIP's is computed here"),
        ("qformer.", "a BLIP-2", "Its image features pass through a query transformer"),
        ("Qformer.", "a BLIP-2", "Its image features pass through a query transformer"),
        ("query_tokens", "a BLIP-2", "Its image features pass through a query transformer"),
        ("vision_model.encoder.layers.0.self_attn.qkv.", "a BLIP", "Only CLIP's two towers are computed here"),
        ("vision_model.embeddings.convolution.", "an ALIGN", "Its image tower is an EfficientNet"),
        ("vision_model.embeddings.batchnorm.", "an ALIGN", "Its image tower is an EfficientNet"),
        ("vision_model.encoder.stages.", "a GroupViT", "Its image tower groups patches inside its layers"),
        ("vision_model.embeddings.rms_norm.", "an AIMv2", "Its image tower has other norms and gated MLPs"),
        ("vision_model.pre_layernorm.", "an OWL-ViT", "It finds objects; its image tower ends in another way than CLIP's"),
        ("owlvit.", "an OWL-ViT", "It finds objects; its image tower ends in another way than CLIP's"),
        ("owlv2.", "an OWL-ViT", "It finds objects; its image tower ends in another way than CLIP's"),
        ("decoder.film_mul.", "a CLIPSeg", "It draws masks; only CLIP's two towers are computed here"),
        ("cross_modal_text_transform.", "a BridgeTower", "Its towers look at each other inside their layers"),
        ("embeddings.text_embeddings.", "a ViLT", "One transformer reads picture and text together"),
        ("text_model.model.embed_tokens.", "a Kosmos-2", "It has no text tower of CLIP"),
        ("vision_encoder.transformer.resblocks.", "a ViCLIP", "Its image tower attends over time inside its layers; only CLIP's is computed here"),
        ("vision_encoder.blocks.", "an InternVideo", "Its video tower is another transformer than CLIP's"),
        ("positional_embedding_res", "a Long-CLIP", "Its text tower has two tables of positions"),
        ("visual.conv1_alpha.", "an Alpha-CLIP", "Its image tower reads a fourth channel"),
        ("prompts_generator.", "a part of an X-CLIP", noCLIP),
        ("prompts_visual_layernorm.", "a part of an X-CLIP", noCLIP),
        ("mit.", "a part of an X-CLIP", noCLIP),
        ("image_mlp.", "a SLIP", "It has a third tower for self-supervision"),
        ("image_encoder.model.", "a MobileCLIP", "Its image tower is a network of convolutions"),
        ("text_model.transformer.", "a jina-clip", "Its text tower is a BERT"),
        ("bert.embeddings.", "a Chinese-CLIP or another CLIP with a BERT text tower", transformersOnly),
        ("visual_projection.visual_projection.", "a GIT", "It writes captions with one text decoder"),
        // CLIPs with other towers.
        ("visual.layer1.", "a CLIP with a ResNet image tower (RN50, RN101, …)", transformersOnly),
        ("visual.attnpool.", "a CLIP with a ResNet image tower (RN50, RN101, …)", transformersOnly),
        ("visual.trunk.stages.", "an open_clip model with a ConvNeXt image tower", transformersOnly),
        // Its image tower has a norm before its blocks; SigLIP's has none.
        ("visual.trunk.norm_pre.", "a Perception Encoder (PE)", partOfEncoder),
        ("visual.attn_pool.probe", "a Perception Encoder (PE)", partOfEncoder),
        ("visual.trunk.attn_pool.", "a SigLIP", partOfEncoder),
        ("visual.trunk.", "an open_clip model with an image tower of timm", "Only CLIP's own vision transformer is computed here"),
        ("visual.rope.", "an EVA-CLIP", "Its image tower has rotary positions and gated MLPs"),
        ("visual.blocks.", "an EVA-CLIP", "Its image tower is another transformer than CLIP's"),
        ("visual.attn_pool.", "a CoCa or another CLIP with attentional pooling", "Only class-token pooling is computed here"),
        ("text.transformer.embeddings.", "an open_clip model with a text tower of Hugging Face", "Only CLIP's own text transformer is computed here"),
        ("text.transformer.shared.", "an open_clip model with a text tower of Hugging Face", "Only CLIP's own text transformer is computed here"),
        ("text.transformer.embed_tokens.", "an open_clip model with a text tower of Hugging Face", "Only CLIP's own text transformer is computed here"),
        ("text.cls_emb", "a CoCa", "Its text tower ends in a class token"),
        ("text_decoder.", "a captioning model (CoCa, BLIP)", "Only CLIP's two towers are computed here"),
        ("vision_model.head.", "a SigLIP", partOfEncoder),
        ("text_model.head.", "a SigLIP", partOfEncoder),
        ("text_model.roberta.", "an AltCLIP", "Its text tower is RoBERTa"),
        ("text_model.transformation.", "an AltCLIP", "Its text tower is RoBERTa"),
        ("text_model.embeddings.word_embeddings.", "a Chinese-CLIP, AltCLIP or another CLIP with a BERT text tower", transformersOnly),
        ("visual_encoder.blocks.", "a BLIP or ALBEF", "Only CLIP's two towers are computed here"),
        ("language_model.", "a language model with pictures (LLaVA and the like)", "It has no text tower of CLIP"),
        ("multi_modal_projector.", "a language model with pictures (LLaVA and the like)", "It has no text tower of CLIP"),
        ("head.probe", "the image tower of a SigLIP", partOfEncoder),
        // No CLIP at all.
        ("mask_decoder.", "a Segment Anything (SAM)", noCLIP),
        ("encoder.block.0.layer.0.SelfAttention.", "a T5", noCLIP),
        ("embeddings.word_embeddings.", "a BERT or RoBERTa", noCLIP),
        ("encoder.layer.0.layer_scale1.", "a DINOv2", noCLIP),
        ("embeddings.time_embeddings", "a TimeSformer", noCLIP),
        ("embeddings.cls_token", "an image transformer (ViT, DINO) without a text tower", noCLIP),
        ("embeddings.patch_embeddings.projection.", "an image or video transformer (VideoMAE, Swin) without a text tower", noCLIP),
        ("blocks.0.attn.qkv.", "an image transformer (timm ViT, DINO) without a text tower", noCLIP),
        ("model.diffusion_model.", "a diffusion model", noCLIP),
        ("down_blocks.", "a diffusion model", noCLIP),
        ("layer4.0.conv1.", "a ResNet", noCLIP),
        ("base_model.model.", "a LoRA adapter (PEFT) without its model", "Merge it into its CLIP (merge_and_unload) and save that"),
        ("lm_head.", "a language model", noCLIP),
        ("h.0.attn.c_attn.", "a language model", noCLIP),
        ("decoder.embed_tokens.", "a model of speech or translation", noCLIP),
        ("model.embed_tokens.", "a language model", noCLIP),
    ]

    /// Indices into the table by the first word of a mark.
    private static let indicesOfWord = Dictionary(grouping: table.indices) { index in
        String(table[index].mark.prefix { $0 != "." })
    }

    /// A mark stands at the start of a name or after a dot; no longer prefix than this stands before a model's names.
    private static let wordLimit = 16

    /// The first of the table whose mark stands in a name. One pass over the names: they may be many and long.
    private static func marked(_ names: [String]) -> ModelError? {
        var best = table.count
        for name in names {
            var rest = name.utf8[...]
            for _ in 0..<wordLimit {
                let word = rest.prefix { $0 != UInt8(ascii: ".") }
                if word.count <= 32, let indices = indicesOfWord[String(Substring(word))] {
                    for index in indices where index < best {
                        let mark = table[index].mark.utf8
                        let isWhole = mark.contains(UInt8(ascii: ".")) || rest.count == mark.count
                        if isWhole, rest.starts(with: mark) { best = index }
                    }
                }
                guard word.endIndex < rest.endIndex else { break }
                rest = rest[rest.index(after: word.endIndex)...]
            }
        }
        return best < table.count ? .otherModel(model: table[best].model, reason: table[best].reason) : nil
    }

    /// What the kinds of models are called that configurations of transformers name.
    static func name(ofType type: String) -> String? { typeNames[type] }

    private static let typeNames = [
        "align": "an ALIGN", "altclip": "an AltCLIP", "aimv2": "an AIMv2", "bert": "a BERT", "blip": "a BLIP", "blip-2": "a BLIP-2",
        "blip_2": "a BLIP-2", "bridgetower": "a BridgeTower", "chinese_clip": "a Chinese-CLIP", "clap": "a CLAP", "clipseg": "a CLIPSeg",
        "clip_text_model": "the text tower of a CLIP", "clip_vision_model": "the image tower of a CLIP", "dinov2": "a DINOv2", "flava": "a FLAVA", "git": "a GIT",
        "groupvit": "a GroupViT", "imagebind": "an ImageBind", "instructblip": "an InstructBLIP", "jina_clip": "a jina-clip",
        "kosmos-2": "a Kosmos-2", "languagebind": "a LanguageBind", "llava": "a LLaVA", "metaclip_2": "a MetaCLIP 2",
        "owlv2": "an OWLv2", "owlvit": "an OWL-ViT", "pe_video": "a Perception Encoder (PE)", "pe_audio_video": "a Perception Encoder (PE)",
        "roberta": "a RoBERTa", "siglip": "a SigLIP", "siglip2": "a SigLIP 2 of the NaFlex kind", "t5": "a T5", "vilt": "a ViLT",
        "vision-text-dual-encoder": "a vision-text dual encoder", "vit": "a ViT",
    ]

    /// MetaCLIP 2 has CLIP's names and another tokenizer: XLM-V's, of 901,629 tokens.
    static func refusal(forVocabularyOf size: Int) -> ModelError? {
        guard size == 901_629 else { return nil }
        return .otherModel(model: "a MetaCLIP 2", reason: "Its text tower reads XLM-V's tokens, 901,629 of them; only CLIP's tokenizer is here")
    }

    private static let transformersOnly = "Only CLIPs with two transformers are computed here: ViT-B/32, B/16, L/14 and the like"
    /// Its patches are rows of a matrix, of pictures of any shape.
    static let naFlex = ModelError.otherModel(
        model: "a SigLIP 2 of the NaFlex kind", reason: "Its pictures keep their shape, with a mask over patches; SigLIP 2 of a fixed size is read")

    private static let partOfEncoder = "Only a whole one is read, with its image and its text tower"
    private static let noCLIP = "A CLIP has an image tower and a text tower"

    /// - Parameters:
    ///   - names: of the model's tensors, with or without a prefix.
    ///   - all: of all tensors in the file; what is only a tower of CLIP may belong to something that is known.
    static func refusal(for names: [String], in all: [String]) -> ModelError? {
        if let known = marked(names) { return known }
        guard let tower = tower(names) else { return nil }
        return marked(all) ?? tower
    }

    /// One tower of a CLIP without the other.
    private static func tower(_ names: [String]) -> ModelError? {
        let visionMarks = ["vision_model.", "visual.", "image_encoder.", "embeddings.class_embedding"]
        let hasVision = holdsAny(of: visionMarks, names)
        let textMarks = ["text_model.", "text_encoder.", "text_projection", "token_embedding.", "ln_final."]
        let hasText = holdsAny(of: textMarks, names)
        switch (hasVision, hasText) {
        case (true, false): return .otherModel(model: "the image tower of a CLIP, without its text tower", reason: noCLIP)
        case (false, true): return .otherModel(model: "the text tower of a CLIP, without its image tower", reason: noCLIP)
        default: return nil
        }
    }

    /// Whether a mark stands at the start of a name or after a dot.
    private static func holdsAny(of marks: [String], _ names: [String]) -> Bool {
        names.contains { name in
            var rest = name.utf8[...]
            for _ in 0..<wordLimit {
                if marks.contains(where: { rest.starts(with: $0.utf8) }) { return true }
                guard let dot = rest.firstIndex(of: UInt8(ascii: ".")) else { return false }
                rest = rest[rest.index(after: dot)...]
            }
            return false
        }
    }
}
