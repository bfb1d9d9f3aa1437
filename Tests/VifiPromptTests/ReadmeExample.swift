// The example of README.md, line by line; a test compares the two. Nothing else stands in this file and
// only VifiPrompt is imported, so that what compiles here compiles for everyone (`.ci/check-library`).

// README BEGIN
import VifiPrompt

func label(video: String, prompts promptFile: String, backbone backboneFile: String) throws {
    let backbone = try LoadedBackbone(path: backboneFile)
    let prompts = try LearnedPrompts(path: promptFile)
    let classifier = try VideoClassifier(backbone: backbone, prompts: prompts)
    for score in try classifier.classify(video: video).prefix(3) {
        print(score.name, score.probability)
    }
}
// README END
