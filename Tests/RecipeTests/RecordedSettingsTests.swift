import CLIPModel
import Evaluation
import Testing
import VideoData
import Experiments
import Recipes

/// What an evaluation records is enough to look at its videos in the same way again.
@Suite struct RecordedSettingsTests {
    private func record(_ compat: String, normalization: String = "clip", template: String? = "a {}") -> EvaluationRecord {
        EvaluationRecord(
            evaluationProtocol: "list", list: "l.txt", root: ".", listSha256: "", classListSha256: "", listed: 0, unreadable: [],
            model: .init(backbone: "b", backboneSha256: "", prompts: nil, promptsSha256: nil),
            setting: .init(
                template: template, frames: 5, views: "4x3", fusion: "decision", normalization: normalization, precision: "fp32", compat: compat,
                seed: 7),
            metrics: ClassificationMetrics(predictions: [], classNames: ["x"]), seconds: 0, version: "0")
    }

    @Test func everySettingComesBack() throws {
        let settings = try record("half-inputs,unseen-tail,kept-underscores", normalization: "imagenet").settings()
        #expect(settings.data.frames == 5 && settings.fusion == .decision && settings.template == "a {}" && settings.training.seed == 7)
        #expect(settings.normalization(insteadOf: .clip) == .imageNet)
        var transform = ClipTransform.Configuration()
        settings.apply(to: &transform, own: .clip)
        #expect(transform.roundsToFloat16 && settings.rounding.contains(.textInputs))
        #expect(settings.sampler(frameCount: 5).missesTail && settings.repeats(.keptUnderscores))
    }

    @Test(arguments: ["", "none"]) func noFaultsAreNone(_ compat: String) throws {
        let settings = try record(compat, template: nil).settings()
        #expect((settings.compat ?? []).isEmpty && settings.template == nil)
        // A model's own pixels stay its own.
        #expect(settings.normalization(insteadOf: .imageNet) == .clip)
    }
}
