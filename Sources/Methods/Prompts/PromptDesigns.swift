import CLIPModel

// Methods whose prompts learn themselves, told apart by where they stand and by what holds them.

extension PromptMethod {
    /// Words before the class name are learned, for all classes alike, behind the start token alone. Source: Zhou et al., IJCV
    /// 2022, "Learning to Prompt for Vision-Language Models", trainers/coop.py; `methods_more.md` 1.
    package static let coop = PromptMethod(
        "coop", summary: "learned words before the class names, in the first layer of the text tower (CoOp, IJCV 2022)",
        shape: Shape(visionTokens: 0, visionDepth: 0, textTokens: 16, textDepth: 1))

    /// CoOp, held near the texts of CLIP without prompts. Source: Yao et al., CVPR 2023, "Visual-Language Prompt Tuning with
    /// Knowledge-guided Context Optimization"; `methods_more.md` 1.
    package static let kgcoop = PromptMethod(
        "kgcoop", summary: "CoOp, held near the texts without prompts (KgCoOp, CVPR 2023)",
        shape: Shape(visionTokens: 0, visionDepth: 0, textTokens: 4, textDepth: 1), regularizer: .kgcoop)

    /// Vision prompts in all layers. Source: Jia et al., ECCV 2022, "Visual Prompt Tuning", on CLIP as in MaPLe's trainers/vpt.py,
    /// whose tokens stand behind the patches; `methods_more.md` 1 says why the place makes no difference.
    package static let vpt = PromptMethod(
        "vpt", summary: "learned tokens in the vision tower alone (VPT, ECCV 2022)",
        shape: Shape(visionTokens: 8, visionDepth: 12, textTokens: 0, textDepth: 0))

    /// Prompts of both towers that learn side by side. Source: Rasheed et al., CVPR 2023 (ViFi-CLIP's own ablation) and MaPLe's
    /// trainers/independentVL.py; `methods.md` 7.
    package static let ivlp = PromptMethod(
        "ivlp", summary: "few learned tokens in all layers of both towers (independent V-L prompting)",
        shape: Shape(visionTokens: 2, visionDepth: 12, textTokens: 2, textDepth: 12))

    /// Prompts of both towers, held near CLIP without prompts and averaged over the epochs. Source: Khattak et al., ICCV 2023,
    /// "Self-regulating Prompts"; `methods.md` 7, `methods_more.md` 1.
    package static let promptsrc = PromptMethod(
        "promptsrc", summary: "prompts of both towers, held near CLIP and averaged over epochs (PromptSRC, ICCV 2023)",
        shape: Shape(visionTokens: 4, visionDepth: 9, textTokens: 4, textDepth: 9), regularizer: .promptsrc)
}
