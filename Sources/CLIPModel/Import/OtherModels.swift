/// Models that are not CLIPs with two transformers, told by the names of their tensors.
///
/// A refusal that names the model spares its owner the search for what is wrong with the file.
enum OtherModels {
    private static let table: [(mark: String, model: String, reason: String)] = [
        // CLIPs with other towers.
        ("visual.layer1.", "a CLIP with a ResNet image tower (RN50, RN101, …)", transformersOnly),
        ("visual.attnpool.", "a CLIP with a ResNet image tower (RN50, RN101, …)", transformersOnly),
        ("visual.trunk.stages.", "an open_clip model with a ConvNeXt image tower", transformersOnly),
        ("visual.trunk.attn_pool.", "a SigLIP", "Its towers pool and score in another way than CLIP's"),
        ("visual.trunk.", "an open_clip model with an image tower of timm", "Only CLIP's own vision transformer is computed here"),
        ("visual.rope.", "an EVA-CLIP", "Its image tower has rotary positions and gated MLPs"),
        ("visual.blocks.", "an EVA-CLIP", "Its image tower is another transformer than CLIP's"),
        ("visual.attn_pool.", "a CoCa or another CLIP with attentional pooling", "Only class-token pooling is computed here"),
        ("text.transformer.embeddings.", "an open_clip model with a text tower of Hugging Face", "Only CLIP's own text transformer is computed here"),
        ("text.transformer.shared.", "an open_clip model with a text tower of Hugging Face", "Only CLIP's own text transformer is computed here"),
        ("text.cls_emb", "a CoCa", "Its text tower ends in a class token"),
        ("text_decoder.", "a captioning model (CoCa, BLIP)", "Only CLIP's two towers are computed here"),
        ("vision_model.head.", "a SigLIP", "Its towers pool and score in another way than CLIP's"),
        ("text_model.head.", "a SigLIP", "Its towers pool and score in another way than CLIP's"),
        ("qformer.", "a BLIP-2", "Its image features pass through a query transformer"),
        ("text_model.embeddings.word_embeddings.", "a Chinese-CLIP, AltCLIP or another CLIP with a BERT text tower", transformersOnly),
        ("text_model.roberta.", "an AltCLIP", "Its text tower is RoBERTa"),
        ("prompts_generator.", "an X-CLIP", "Its image tower mixes frames inside its layers; only CLIP's is computed here"),
        ("visual_encoder.blocks.", "a BLIP or ALBEF", "Only CLIP's two towers are computed here"),
        ("language_model.", "a language model with pictures (LLaVA and the like)", "It has no text tower of CLIP"),
        ("head.probe", "the image tower of a SigLIP", "Its towers pool and score in another way than CLIP's"),
        // No CLIP at all.
        ("encoder.block.0.layer.0.SelfAttention.", "a T5", noCLIP),
        ("embeddings.word_embeddings.", "a BERT or RoBERTa", noCLIP),
        ("encoder.layer.0.layer_scale1.", "a DINOv2", noCLIP),
        ("embeddings.cls_token", "an image transformer (ViT, DINO) without a text tower", noCLIP),
        ("blocks.0.attn.qkv.", "an image transformer (timm ViT, DINO) without a text tower", noCLIP),
        ("model.diffusion_model.", "a diffusion model", noCLIP),
        ("layer4.0.conv1.", "a ResNet", noCLIP),
        ("lm_head.", "a language model", noCLIP),
    ]

    private static let transformersOnly = "Only CLIPs with two transformers are computed here: ViT-B/32, B/16, L/14 and the like"
    private static let noCLIP = "A CLIP has an image tower and a text tower"

    /// - Parameter names: of all tensors, with or without a prefix.
    static func refusal(for names: [String]) -> ModelError? {
        // A mark stands at the start of a name or after a dot.
        for entry in table where names.contains(where: { $0.hasPrefix(entry.mark) || $0.contains("." + entry.mark) }) {
            return .otherModel(model: entry.model, reason: entry.reason)
        }
        let visionMarks = ["vision_model.", "visual.", "image_encoder.", "embeddings.class_embedding"]
        let hasVision = names.contains { name in visionMarks.contains { name.contains($0) } }
        let textMarks = ["text_model.", "text_encoder.", "text_projection", "token_embedding.", "ln_final."]
        let hasText = names.contains { name in textMarks.contains { name.contains($0) } }
        switch (hasVision, hasText) {
        case (true, false): return .otherModel(model: "the image tower of a CLIP, without its text tower", reason: noCLIP)
        case (false, true): return .otherModel(model: "the text tower of a CLIP, without its image tower", reason: noCLIP)
        default: return nil
        }
    }
}
