// The example of README.md, line by line; a test compares the two. Nothing else stands in this file and
// only VifiPrompt is imported, so that what compiles here compiles for everyone (`.ci/check-library`).

// README BEGIN
import VifiPrompt

/// Learns prompts from 8 clips of each class, scores them, keeps them, and labels a long video with them.
func learn(from folder: String, backbone: String, thenLabel video: String) throws {
    var training = VideoTraining(.prompts, clips: .folder(folder), backbone: backbone, output: "runs/mine")
    training.shots = 8
    let run = try training.run { print($0.title, $0.done, "of", $0.total, $0.detail) } isCancelled: { false }
    let scores = try evaluate(.folder(folder), prompts: run.file, backbone: backbone)
    print("top-1", scores.top1, "% of", scores.count)
    let prompts = try LearnedPrompts(path: run.file)
    try prompts.export(to: "my-prompts.safetensors")
    let classifier = try VideoClassifier(backbone: LoadedBackbone(path: backbone), prompts: prompts)
    for segment in try classifier.timeline(of: video, window: .seconds(2)).segments(minimumSeconds: 1) {
        print(segment.start, segment.end, segment.name ?? "none of these")
    }
}

/// Labels a video with prompts that were learned before.
func label(video: String, prompts promptFile: String, backbone backboneFile: String) throws {
    let backbone = try LoadedBackbone(path: backboneFile)
    let prompts = try LearnedPrompts(path: promptFile)
    let classifier = try VideoClassifier(backbone: backbone, prompts: prompts)
    for score in try classifier.classify(video: video).prefix(3) {
        print(score.name, score.probability)
    }
}
// README END
