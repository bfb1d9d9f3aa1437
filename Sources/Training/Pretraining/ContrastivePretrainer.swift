import CLIPModel
import Foundation
import Tensors
import VideoData

/// Trains a CLIP from nothing on the pocket world's captioned stills.
///
/// The result knows what things look like and what postures are called, but has never seen movement:
/// the starting point that an image CLIP is for video.
package struct ContrastivePretrainer: Sendable {
    package struct Configuration: Sendable, Equatable {
        package var architecture = CLIPArchitecture(
            vision: .init(width: 128, layerCount: 4), text: .init(width: 128, layerCount: 3), imagePixels: 64,
            patchPixels: 8, embeddingWidth: 128, contextLength: 80, vocabularySize: 258)
        package var batchSize = 96
        package var stepCount = 1500
        package var warmupSteps = 100
        package var learningRate = 1e-3
        /// Decay of matrices; vectors do not decay.
        package var weightDecay = 0.05
        /// The scale on similarities stays below this (Radford et al. 2021, section 2.5).
        package var largestScale = BackboneParameters<MutableMatrix>.largestScale
        package var seed: UInt64 = 1
        /// Captions begin with everything and end with posture alone. Colors get both towers going within a
        /// hundred steps; but colors tell most pictures of a batch apart, so a model that may rely on
        /// them never looks at the limbs.
        package var fullCaptionSteps = 300
        package var leastFullCaptionChance: Float = 0.1
        /// Scenes begin empty and end as videos have them: limbs before a plain wall are found soon, limbs
        /// among things are not found at all by a transformer that knows nothing yet.
        package var easySteps = 800

        package init() {}

        func fullCaptionChance(at step: Int) -> Float {
            max(leastFullCaptionChance, 0.6 * (1 - Float(step) / Float(max(1, fullCaptionSteps))))
        }

        func ease(at step: Int) -> Float { max(0, 1 - Float(step) / Float(max(1, easySteps))) }
    }

    package struct Progress: Sendable {
        package let step: Int
        package let loss: Double
        /// Share of stills whose nearest caption is their own.
        package let accuracy: Double
    }

    package let configuration: Configuration

    package init(_ configuration: Configuration) { self.configuration = configuration }

    /// - Parameter report: called after every step.
    package func run(pool: WorkerPool, report: (Progress) -> Void) throws -> Backbone {
        let architecture = configuration.architecture
        let parameters = BackboneParameters(random: architecture, seed: configuration.seed)
        let gradients = parameters.zeros()
        let adam = AdamW(weightDecay: configuration.weightDecay)
        let specifications = BackboneParameters<TensorSpecification>(of: architecture).all
        let optimizer = Optimizer(
            adam,
            entries: zip(specifications, zip(parameters.all, gradients.all)).map {
                .init(name: $0.name, value: $1.0, gradient: $1.1, decays: $1.0.rowCount > 1)
            },
            pool: pool)
        let description = BackboneDescription(
            name: "pocket-clip", normalization: .imageNet, tokenizer: .bytes,
            provenance: "trained from nothing on \(configuration.stepCount) × \(configuration.batchSize) captioned stills "
                + "of the pocket world, seed \(configuration.seed): vifi-prompt demo pretrain")
        // One clip, whose frames are the batch's pictures.
        let part = WeightPart(
            parameters: parameters, gradients: gradients, architecture: architecture, description: description,
            aggregator: Fusion.decision)
        let learner = Learner(part, SymmetricContrastive(), frameCount: configuration.batchSize, pool: pool)
        // The committed pocket CLIP and the results that stand on it were made with this schedule.
        let schedule = CosineSchedule(
            baseRate: configuration.learningRate, stepCount: configuration.stepCount, warmupSteps: configuration.warmupSteps,
            startsIdle: true, dropsAfterWarmup: true)
        let batches = Prefetcher(count: configuration.stepCount, threadCount: 1, capacity: 4) { step in batch(step: step) }
        for step in 0..<configuration.stepCount {
            guard let batch = try batches.next() else { break }
            learner.begin()
            let (loss, accuracy) = learner.addTogether(clips: [batch.pictures], captions: batch.captions)
            try optimizer.step(rate: schedule.stepRate(at: step))
            parameters.limitScale(to: configuration.largestScale)
            report(Progress(step: step, loss: loss, accuracy: accuracy))
        }
        return Backbone(architecture: architecture, parameters: parameters.map(\.reading), description: description)
    }

    private struct Batch: Sendable {
        let pictures: Matrix
        let captions: [[Int]]
    }

    private func batch(step: Int) -> Batch {
        let tokenizer = ByteTokenizer()
        let side = configuration.architecture.imagePixels
        var augmentation = ClipTransform.Configuration()
        augmentation.cropScales = configuration.ease(at: step) > 0.5 ? [1] : [1, 0.875]
        augmentation.jitterProbability = 0
        augmentation.grayProbability = 0
        let transform = ClipTransform.training(side: side, augmentation)
        let pictures = MutableMatrix(rows: configuration.batchSize, columns: 3 * side * side)
        var captions: [[Int]] = []
        for row in 0..<configuration.batchSize {
            let index = step * configuration.batchSize + row
            let still = PocketStill(
                seed: configuration.seed, index: index, fullCaptionChance: configuration.fullCaptionChance(at: step),
                ease: configuration.ease(at: step))
            let frame = VideoFrame(width: PocketVideo.width, height: PocketVideo.height, pixels: still.picture())
            let key = ClipKey(seed: configuration.seed, epoch: 0, clip: index)
            for clip in transform.clips(from: [frame], key: key) { pictures.row(row).fill(with: clip.pixels) }
            captions.append(tokenizer.sequence(of: tokenizer.encode(still.caption), length: .max))
        }
        return Batch(pictures: pictures.reading, captions: captions)
    }
}
