import CLIPModel
import Evaluation
import Recipes
import Tensors

/// An original and a fine-tuned backbone mixed in several ratios, each scored on one list.
package struct BlendSweep {
    /// Keys as `--json` prints them.
    package struct Entry: Codable, Sendable {
        /// Share of the original.
        package let ratio: Float
        /// In percent.
        package let top1: Double
        package let meanClassAccuracy: Double
        package let videos: Int
    }

    /// In the order of the ratios.
    package let entries: [Entry]

    /// - Parameters:
    ///   - ratios: shares of the original, each in `0 ... 1`.
    ///   - job: how videos are looked at, with which template.
    /// - Throws: what reading videos throws; `EvaluationStopped` after a signal.
    package init(
        of original: Backbone, and tuned: Backbone, ratios: [Float], on list: TestList, job: EvaluationJob, tokenizer: any Tokenizer, context: RunContext
    ) throws {
        entries = try ratios.map { ratio in
            let blended = try Backbone.blended([(original, ratio), (tuned, 1 - ratio)], named: tuned.description.name)
            let subject = LoadedModel(blended, tokenizer: tokenizer, context: context)
            let metrics = try job.evaluate(list, with: subject, title: "ratio \(ratio)").metrics
            return Entry(ratio: ratio, top1: metrics.top1, meanClassAccuracy: metrics.meanClassAccuracy, videos: metrics.videos)
        }
    }

    /// The highest top-1; of equals the one nearest to one half, which keeps most of both.
    package var best: Entry? {
        entries.max { ($0.top1, abs($1.ratio - 0.5)) < ($1.top1, abs($0.ratio - 0.5)) }
    }
}
