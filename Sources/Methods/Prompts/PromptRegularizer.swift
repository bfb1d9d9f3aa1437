import CLIPModel
import Foundation
import Tensors

/// What holds prompts near the CLIP without prompts, so that they do not forget what no clip shows.
package struct PromptRegularizer: Sendable {
    /// As a person types it.
    package let name: String
    /// Whether it compares with what the vision tower without prompts sees.
    package let seesVideos: Bool
    /// Whether the outcome is the mean of the prompts after each epoch, with the weights of a normal distribution.
    package let averagesEpochs: Bool
    private let makeObjective: @Sendable (RegularizedLearning) -> any ClipObjective

    init(
        _ name: String, seesVideos: Bool, averagesEpochs: Bool = false,
        makeObjective: @escaping @Sendable (RegularizedLearning) -> any ClipObjective
    ) {
        (self.name, self.seesVideos, self.averagesEpochs, self.makeObjective) = (name, seesVideos, averagesEpochs, makeObjective)
    }

    private init(_ name: String, _ terms: RegularizerTerms, averagesEpochs: Bool = false) {
        self.init(name, seesVideos: terms.seesVideos, averagesEpochs: averagesEpochs) {
            RegularizedCrossEntropy(sequences: $0.sequences, terms, teacher: $0.teacher, fusion: $0.fusion)
        }
    }

    package static let kgcoop = PromptRegularizer("kgcoop", .kgcoop)
    package static let promptsrc = PromptRegularizer("promptsrc", .promptsrc, averagesEpochs: true)

    /// What is compared while prompts learn with it.
    package func objective(_ learning: RegularizedLearning) -> any ClipObjective { makeObjective(learning) }
}

/// What a regularizer makes its objective from.
package struct RegularizedLearning {
    /// One per class, with room for text prompts where these are learned.
    package let sequences: [[Int]]
    package let teacher: PromptTeacher
    /// Of the frames, with prompts as without.
    package let fusion: Fusion
    /// Whether what the text tower says changes.
    package let learnsText: Bool
    /// Names the random streams of what is drawn for the objective.
    package let seed: UInt64

    package init(sequences: [[Int]], teacher: PromptTeacher, fusion: Fusion, learnsText: Bool, seed: UInt64) {
        (self.sequences, self.teacher, self.fusion, self.learnsText, self.seed) = (sequences, teacher, fusion, learnsText, seed)
    }
}

/// Terms that hold prompts near their teacher: each one's weight in the loss, 0 where there is none.
package struct RegularizerTerms: Sendable, Equatable {
    /// Of the mean distance in each entry between unit texts and the teacher's.
    package let textDistance: Double
    /// Of one less the mean cosine between texts and the teacher's.
    package let textAngle: Double
    /// Of the mean distance in each entry between unit video vectors with and without prompts.
    package let videoDistance: Double
    /// Of the divergence of the probabilities from those of CLIP without prompts.
    package let divergence: Double

    /// Source: KgCoOp (`methods_more.md` 1); its scripts' weight of 8.
    package static let kgcoop = RegularizerTerms(textDistance: 0, textAngle: 8, videoDistance: 0, divergence: 0)

    /// Source: PromptSRC (`methods.md` 7), its weights.
    package static let promptsrc = RegularizerTerms(textDistance: 25, textAngle: 0, videoDistance: 10, divergence: 1)

    fileprivate var seesVideos: Bool { videoDistance > 0 || divergence > 0 }
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

    /// What the vision tower without prompts makes of clips, `[frames, embeddingWidth]` each; nil where nothing is compared with it.
    func frameFeatures(of clips: [Matrix], input: ClipInput) -> [Matrix]? {
        encoder.map { $0.frameFeatures(of: clips, input: input).map(\.reading) }
    }
}

/// Cross-entropy with a distribution over the classes, and the terms that hold prompts near their teacher.
package struct RegularizedCrossEntropy: ClipObjective {
    private let sequences: [[Int]]
    private let terms: RegularizerTerms
    private let teacher: PromptTeacher
    private let fusion: Fusion

    /// - Parameters:
    ///   - sequences: one per class, with room for text prompts where these are learned.
    ///   - fusion: of the frames, with prompts as without.
    package init(sequences: [[Int]], _ terms: RegularizerTerms, teacher: PromptTeacher, fusion: Fusion) {
        (self.sequences, self.terms, self.teacher, self.fusion) = (sequences, terms, teacher, fusion)
    }

    package var classes: [[Int]]? { sequences }

    package func teacherFeatures(of clips: [Matrix], input: ClipInput) -> [Matrix]? {
        teacher.frameFeatures(of: clips, input: input)
    }

    package func stepTerm(text: TextFeatures) -> StepTerm? {
        let (own, taught) = (text.unit.values, teacher.text.unit.values)
        let (distanceShare, angleShare) = (
            terms.textDistance / Double(own.count), terms.textAngle / Double(max(1, text.classCount)))
        var loss = terms.textAngle
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
        guard terms.divergence > 0 else { return plain }
        let head = VideoHead(fusion, scale: teacher.scale, text: teacher.text)
        let taught = logProbabilities(of: head.logits(features: clip.teacherFeatures ?? clip.features))
        let own = logProbabilities(of: logits)
        let share = terms.divergence / Double(logits.count)
        // Σ q · (ln q − ln p) / classes, whose gradient in the logits is (p − q) / classes.
        let divergence = zip(taught, own).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
        let gradient = zip(plain.gradient, zip(taught, own)).map { $0 + Float(share * (exp($1.1) - exp($1.0))) }
        return (plain.loss + share * divergence, gradient)
    }

    package func featureTerm(
        of clip: LearnedClip, weight: Float, addingTo featureGradient: MutableMatrix, tensorGradients: [MutableMatrix]
    ) -> Double? {
        guard terms.videoDistance > 0, let taught = clip.teacherFeatures else { return nil }
        func unit(_ features: Matrix) -> (unit: MutableMatrix, lengths: MutableMatrix) {
            let rows = fusion.pooled(features).rows
            let unit = MutableMatrix(rows: rows.rowCount, columns: rows.columnCount)
            let lengths = MutableMatrix(rows: 1, columns: rows.rowCount)
            normalizeRows(rows, into: unit, lengths: lengths)
            return (unit, lengths)
        }
        let (own, lengths) = unit(clip.features)
        let share = terms.videoDistance / Double(own.count)
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
