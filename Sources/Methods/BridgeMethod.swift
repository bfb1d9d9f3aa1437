import CLIPModel
import Tensors

/// A way of training a CLIP as a whole that is not ViFi-CLIP's: with tensors of its own, on the texts of classes or of each batch.
package struct BridgeMethod: Sendable {
    /// As a person types it.
    package let name: String
    /// One line for people, beside the name.
    package let summary: String
    package let design: Design
    /// What of CLIP learns.
    package let tuning: Tuning
    /// Of the rate that CLIP learns with, for what is learned beside it.
    package let rateFactor: Double
    package let training: Training

    /// What is learned beside CLIP, and what is compared.
    package enum Design: Sendable {
        /// A transformer over frames behind the image tower. Videos meet the texts of their batch, in several sentences.
        case fusion(TemporalDesign, objective: @Sendable (_ sequences: [[[Int]]], _ seed: UInt64) -> any BatchObjective)
        /// Frames that see each other in the image tower, and texts that depend on the video.
        ///
        /// - Parameter start: what learning begins with, for an architecture whose frames see each other.
        case crossFrame(start: @Sendable (_ architecture: CLIPArchitecture, _ seed: UInt64) -> CrossFrameParameters<MutableMatrix>?)
    }

    /// The numbers of its authors; nil where they are ViFi-CLIP's.
    package struct Training: Sendable {
        package let learningRate: Double
        package let epochs: Int
        package let weightDecay: Double?
        /// Clips that are compared with each other.
        package let batchSize: Int?
        /// Around class names, where each is read in one sentence.
        package let template: String?

        init(learningRate: Double, epochs: Int, weightDecay: Double? = nil, batchSize: Int? = nil, template: String? = nil) {
            (self.learningRate, self.epochs, self.weightDecay) = (learningRate, epochs, weightDecay)
            (self.batchSize, self.template) = (batchSize, template)
        }
    }

    /// Whether class names are read in several sentences.
    package var readsSentences: Bool { if case .fusion = design { true } else { false } }
}
