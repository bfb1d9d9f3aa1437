import CLIPModel

// Source: Ju et al., ECCV 2022, "Prompting Visual-Language Models for Efficient Video Understanding", src/model.py; `methods.md` 4.
// The paper's ablation names A5 and A6, which differ in the depth of the temporal transformer; the code has no such names. One layer
// (its README) for A5 and two (its default) for A6 are our choice.

extension PromptMethod {
    package static let a5 = efficientPrompt("a5", layers: 1, paper: "A5")
    package static let a6 = efficientPrompt("a6", layers: 2, paper: "A6")

    private static func efficientPrompt(_ name: String, layers: Int, paper: String) -> PromptMethod {
        PromptMethod(
            name,
            summary: "learned words around the class names and a transformer over frames, \(layers == 1 ? "one layer" : "two layers") (\(paper), ECCV 2022)",
            words: EfficientPromptCheckpoint.usualWords,
            temporal: TemporalDesign(
                layerCount: layers, keepsFrames: false, scale: EfficientPromptCheckpoint.scale, start: .usual(positions: 0.01)),
            training: Training(learningRate: 1e-3, weightDecay: 0.01, beta2: 0.999, cosineSteps: 200_000))
    }
}
