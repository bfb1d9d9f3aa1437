import CLIPModel

extension PromptMethod {
    /// CoOp whose words each video moves: a small network makes of the video what is added to every word, so that words learned on
    /// some classes serve others better. The text tower runs over all classes once per video. Source: Zhou et al., CVPR 2022,
    /// "Conditional Prompt Learning for Vision-Language Models", trainers/cocoop.py, where videos are pictures;
    /// `methods_more.md` 1.
    package static let cocoop = PromptMethod(
        "cocoop", summary: "learned words before the class names, which a small network moves for each video (CoCoOp, CVPR 2022)",
        shape: Shape(visionTokens: 0, visionDepth: 0, textTokens: 4, textDepth: 1), followsVideos: true)
}
