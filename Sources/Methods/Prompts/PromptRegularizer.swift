import CLIPModel
import Foundation
import Tensors

/// What holds prompts near the CLIP without prompts, so that they do not forget what no clip shows: each term's weight in
/// the loss, 0 where there is none.
package struct PromptRegularizer: Sendable, Equatable {
    /// As a person types it.
    package let name: String
    /// Of the mean distance in each entry between unit texts and the teacher's.
    package let textDistance: Double
    /// Of one less the mean cosine between texts and the teacher's.
    package let textAngle: Double
    /// Of the mean distance in each entry between unit video vectors with and without prompts.
    package let videoDistance: Double
    /// Of the divergence of the probabilities from those of CLIP without prompts.
    package let divergence: Double
    /// Whether the outcome is the mean of the prompts after each epoch, with the weights of a normal distribution.
    package let averagesEpochs: Bool

    /// Source: KgCoOp (`methods_more.md` 1); its scripts' weight of 8.
    package static let kgcoop = PromptRegularizer(
        name: "kgcoop", textDistance: 0, textAngle: 8, videoDistance: 0, divergence: 0, averagesEpochs: false)

    /// Source: PromptSRC (`methods.md` 7), its weights.
    package static let promptsrc = PromptRegularizer(
        name: "promptsrc", textDistance: 25, textAngle: 0, videoDistance: 10, divergence: 1, averagesEpochs: true)

    /// Whether it compares with what the vision tower without prompts sees.
    package var seesVideos: Bool { videoDistance > 0 || divergence > 0 }
}

/// CLIP without prompts, as regularized prompts are compared with it.
package struct PromptTeacher: Sendable {
    /// Of each class the mean of its texts in several templates.
    package let text: TextFeatures
    /// Nil where learned prompts leave the vision tower as it is, or nothing is compared with it.
    package let encoder: VideoEncoder?
    package let scale: Float

    /// - Parameters:
    ///   - texts: token sequences without prompts, for each template those of all classes.
    ///   - learnsVision: whether the prompts that are taught change what the vision tower says.
    /// - Throws: `ModelError` where the texts' vectors are not numbers.
    package init(
        _ regularizer: PromptRegularizer, backbone: Backbone, texts: [[[Int]]], frameCount: Int, learnsVision: Bool, pool: WorkerPool
    ) throws {
        let none = PromptSet<Matrix>(vision: [], text: [])
        let tower = TextEncoder(backbone: backbone, prompts: none, pool: pool)
        let sum = MutableMatrix(rows: texts.first?.count ?? 0, columns: tower.width)
        for sequences in texts { add(try tower.features(of: sequences), to: sum) }
        // A mean has the direction of its sum.
        text = TextFeatures(sum)
        encoder = regularizer.seesVideos && learnsVision
            ? VideoEncoder(backbone: backbone, prompts: none, frameCount: frameCount, pool: pool) : nil
        scale = backbone.logitScale
    }
}

/// Cross-entropy with a distribution over the classes, and the terms that hold prompts near their teacher.
package struct RegularizedCrossEntropy: ClipObjective {
    private let sequences: [[Int]]
    private let regularizer: PromptRegularizer
    private let teacher: PromptTeacher
    private let fusion: Fusion

    /// - Parameters:
    ///   - sequences: one per class, with room for text prompts where these are learned.
    ///   - fusion: of the frames, with prompts as without.
    package init(sequences: [[Int]], _ regularizer: PromptRegularizer, teacher: PromptTeacher, fusion: Fusion) {
        (self.sequences, self.regularizer, self.teacher, self.fusion) = (sequences, regularizer, teacher, fusion)
    }

    package var classes: [[Int]]? { sequences }

    package func teacherFeatures(of clips: [Matrix], input: ClipInput) -> [Matrix]? {
        teacher.encoder.map { $0.frameFeatures(of: clips, input: input).map(\.reading) }
    }

    package func stepTerm(text: TextFeatures) -> StepTerm? {
        let (own, taught) = (text.unit.values, teacher.text.unit.values)
        let (distanceShare, angleShare) = (
            regularizer.textDistance / Double(own.count), regularizer.textAngle / Double(max(1, text.classCount)))
        var loss = regularizer.textAngle
        var gradient = [Float](repeating: 0, count: own.count)
        for (place, (own, taught)) in zip(own, taught).enumerated() {
            let difference = Double(own) - Double(taught)
            loss += distanceShare * abs(difference) - angleShare * Double(own) * Double(taught)
            gradient[place] = Float(distanceShare * difference.direction - angleShare * Double(taught))
        }
        return StepTerm(loss: loss, unitTextGradient: MutableMatrix(rows: text.classCount, columns: text.unit.columnCount, gradient))
    }

    package func loss(logits: [Float], of clip: LearnedClip) -> (loss: Double, gradient: [Float]) {
        let plain = softCrossEntropy(logits: logits, target: clip.target)
        guard regularizer.divergence > 0 else { return plain }
        let head = VideoHead(fusion, scale: teacher.scale, text: teacher.text)
        let taught = logProbabilities(of: head.logits(features: clip.teacherFeatures ?? clip.features))
        let own = logProbabilities(of: logits)
        let share = regularizer.divergence / Double(logits.count)
        // Σ q · (ln q − ln p) / classes, whose gradient in the logits is (p − q) / classes.
        let divergence = zip(taught, own).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        let gradient = zip(plain.gradient, zip(taught, own)).map { $0 + Float(share * (exp($1.1) - exp($1.0))) }
        return (plain.loss + share * divergence, gradient)
    }

    package func featureTerm(of clip: LearnedClip, weight: Float, addingTo featureGradient: MutableMatrix) -> Double? {
        guard regularizer.videoDistance > 0, let taught = clip.teacherFeatures else { return nil }
        func unit(_ features: Matrix) -> (unit: MutableMatrix, lengths: MutableMatrix) {
            let rows = fusion.pooled(features).rows
            let unit = MutableMatrix(rows: rows.rowCount, columns: rows.columnCount)
            let lengths = MutableMatrix(rows: 1, columns: rows.rowCount)
            normalizeRows(rows, into: unit, lengths: lengths)
            return (unit, lengths)
        }
        let (own, lengths) = unit(clip.features)
        let share = regularizer.videoDistance / Double(own.count)
        var loss = 0.0
        let unitGradient = zip(own.values, unit(taught).unit.values).map { own, taught in
            let difference = Double(own) - Double(taught)
            loss += share * abs(difference)
            return weight * Float(share * difference.direction)
        }
        let rowGradient = MutableMatrix(rows: own.rowCount, columns: own.columnCount)
        normalizeRowsBackward(
            output: own, lengths: lengths, outputGradient: MutableMatrix(rows: own.rowCount, columns: own.columnCount, unitGradient),
            inputGradient: rowGradient)
        let gradient = MutableMatrix(rows: featureGradient.rowCount, columns: featureGradient.columnCount)
        fusion.pooledBackward(rowGradient, saved: (), into: gradient, tensorGradients: [])
        Tensors.add(gradient, to: featureGradient)
        return loss
    }
}

extension Double {
    /// The derivative of the absolute value, 0 at 0.
    fileprivate var direction: Double { self > 0 ? 1 : self < 0 ? -1 : 0 }
}
