import CLIPModel

/// A way of training a CLIP as a whole that is not ViFi-CLIP's: with a transformer over frames, and on the texts of each batch.
package struct BridgeMethod: Sendable {
    /// As a person types it.
    package let name: String
    /// One line for people, beside the name.
    package let summary: String
    /// What is learned behind the image tower.
    package let temporal: TemporalDesign
    /// Of the rate that CLIP learns with.
    package let temporalRateFactor: Double
    // The numbers of its authors.
    package let learningRate: Double
    package let weightDecay: Double
    /// Clips that are compared with each other.
    package let batchSize: Int
    package let epochs: Int
    private let makeObjective: @Sendable (_ sequences: [[[Int]]], _ seed: UInt64) -> any BatchObjective

    init(
        name: String, summary: String, temporal: TemporalDesign, temporalRateFactor: Double, learningRate: Double, weightDecay: Double,
        batchSize: Int, epochs: Int, makeObjective: @escaping @Sendable (_ sequences: [[[Int]]], _ seed: UInt64) -> any BatchObjective
    ) {
        (self.name, self.summary, self.temporal, self.temporalRateFactor) = (name, summary, temporal, temporalRateFactor)
        (self.learningRate, self.weightDecay, self.batchSize, self.epochs) = (learningRate, weightDecay, batchSize, epochs)
        self.makeObjective = makeObjective
    }

    /// What is compared.
    ///
    /// - Parameters:
    ///   - sequences: for each sentence those of all classes.
    ///   - seed: names the random streams.
    package func objective(sequences: [[[Int]]], seed: UInt64) -> any BatchObjective { makeObjective(sequences, seed) }
}
