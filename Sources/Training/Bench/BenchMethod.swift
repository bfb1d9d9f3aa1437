import CLIPModel
import Tensors

/// A method that a bench steps in the place of prompts of both towers, or of whole towers that learn. What it is made of is told by
/// whoever knows the methods.
package struct BenchMethod: Sendable {
    /// What a task is made on.
    package struct Start {
        package let backbone: Backbone
        package let setting: TaskSetting
        /// Pairs of a frame's tokens that merge in each layer but the last.
        package let mergedTokens: Int
    }

    /// Its authors' optimizer.
    package struct Rule: Sendable {
        package var weightDecay: Double
        package var beta2: Double?
        /// By gradient descent with momentum in place of AdamW.
        package var descends: Bool

        package init(weightDecay: Double, beta2: Double? = nil, descends: Bool = false) {
            (self.weightDecay, self.beta2, self.descends) = (weightDecay, beta2, descends)
        }
    }

    /// As a person types it.
    package let name: String
    /// What learns, where no tokens merge.
    package let learned: LearnedPart
    /// How the model that is learned looks at a video.
    package let form: Method.Kind
    package let rule: Rule
    /// Whether its authors learn from what is computed once of each clip.
    package let hasFixedFrames: Bool
    /// Whether a tower without prompts looks at each clip, too, forward only.
    package let looksTwice: Bool
    /// Whether clips meet the texts of their batch, and not those of all classes.
    package let comparesBatches: Bool
    package let makeTask: @Sendable (Start) throws -> any LearningTask

    package init(
        name: String, learned: LearnedPart, form: Method.Kind, rule: Rule, hasFixedFrames: Bool = false, looksTwice: Bool = false,
        comparesBatches: Bool = false, makeTask: @escaping @Sendable (Start) throws -> any LearningTask
    ) {
        (self.name, self.learned, self.form, self.rule) = (name, learned, form, rule)
        (self.hasFixedFrames, self.looksTwice, self.comparesBatches) = (hasFixedFrames, looksTwice, comparesBatches)
        self.makeTask = makeTask
    }
}

extension BenchMethod: Equatable {
    /// A name stands for one method.
    package static func == (one: BenchMethod, other: BenchMethod) -> Bool { one.name == other.name }
}
