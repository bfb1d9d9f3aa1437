import Tensors

/// SJE: a map from features to texts that is learned clip by clip, so that a clip fits its own class better than any other.
///
///     z = x̃ V, less its mean and over its deviation,  violator = argmax over c ≠ y of margin + z·â_c − z·â_y
///     V ← V + rate · x̃ (â_y − â_violator)ᵀ  where that maximum is above 0
///     logit_c = s · cosine(x̃ V, â_c)
///
/// x̃ is the unit feature, less the mean of all views and over their deviation, column by column. Only classes that have clips
/// are violators; a class without clips is scored like the others. Source: Akata et al., CVPR 2015, as
/// mvp18/Popular-ZSL-Algorithms has it.
package struct SJE: Head {
    package static let kind = HeadKind.sje

    package struct Settings: HeadSettings {
        package var epochs = 100
        package var learningRate = 0.01
        package var margin = 1.0
        /// Epochs without a better validation accuracy after which learning ends.
        package var patience = 10
        package init() {}
    }

    package let settings: Settings
    /// V: `[width, width]`.
    package let map: Matrix
    /// Of each column of the unit features.
    package let mean: [Float]
    package let deviation: [Float]
    /// `[classes, width]`, of unit length.
    let texts: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> SJE {
        var random = RandomSource(seed: context.seed, purpose: .weights)
        let width = examples.width
        let drawn = DoubleMatrix(rows: width, columns: width, (0..<width * width).map { _ in Double(random.uniform()) })
        return try fit(
            examples, validation: validation, settings: settings, start: try unitRows(drawn.transposed, "the map's start").transposed,
            order: { epoch in
                var random = RandomSource(seed: context.seed, purpose: .order, epoch: epoch)
                return random.permutation(of: examples.clipCount)
            }, context: context)
    }

    /// - Parameters:
    ///   - start: of V, `[width, width]`; the authors draw it from 0 to 1 and divide each column by its length.
    ///   - order: of the clips in each epoch, counted as in `rowsOfClips`. An epoch sees one view of each clip, the next one in turn.
    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, start: DoubleMatrix, order: (_ epoch: Int) -> [Int],
        context: HeadContext
    ) throws(HeadError) -> SJE {
        try check("epochs", count: settings.epochs)
        try check("patience", count: settings.patience)
        try check("learningRate", settings.learningRate, in: 0...1000)
        try check("margin", settings.margin, in: 0...1000)
        if let validation { try needs("classes of the validation clips", validation.classCount, examples.classCount) }
        let standard = Standardization(DoubleMatrix(examples.unit))
        var learner = Learner(examples, map: start, settings: settings)
        func head() -> SJE {
            SJE(
                settings: settings, map: learner.map.matrix.reading, mean: standard.mean.map { Float($0) },
                deviation: standard.deviation.map { Float($0) }, texts: examples.unitTexts, scale: examples.logitScale)
        }
        var best: (accuracy: Double, epoch: Int, head: SJE)?
        for epoch in 0..<settings.epochs {
            let rows = examples.rows(ofView: epoch)
            var loss = 0.0
            for clip in order(epoch) {
                loss += learner.learn(standard.features.rows(CollectionOfOne(rows[clip])), label: examples.labelsOfClips[clip])
            }
            try context.report(kind, step: epoch + 1, of: settings.epochs, loss: loss / Double(rows.count))
            guard let validation else { continue }
            let head = head()
            let found = accuracy(try head.logits(of: validation.features), labels: validation.labels)
            if found > best?.accuracy ?? -1 { best = (found, epoch, head) }
            if let best, epoch - best.epoch >= settings.patience { break }
        }
        return best?.head ?? head()
    }

    private init(settings: Settings, map: Matrix, mean: [Float], deviation: [Float], texts: Matrix, scale: Float) {
        self.settings = settings
        self.map = map
        self.mean = mean
        self.deviation = deviation
        self.texts = texts
        self.scale = scale
    }

    /// x̃ V, of unit length; zeros where a feature is the mean itself, which is as far from every class.
    private func mapped(_ unit: Matrix) -> Matrix {
        let width = mean.count
        let standard = MutableMatrix(
            rows: unit.rowCount, columns: width,
            unit.values.enumerated().map { ($1 - mean[$0 % width]) / deviation[$0 % width] })
        let output = MutableMatrix(rows: unit.rowCount, columns: width)
        multiply(standard, .asStored, map, .asStored, into: output)
        let directions = MutableMatrix(rows: unit.rowCount, columns: width)
        normalizeRows(output, into: directions, lengths: MutableMatrix(rows: 1, columns: unit.rowCount))
        return directions.reading
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        cosineScores(mapped(try features.unit(width: texts.columnCount)), to: texts, scale: scale)
    }

    /// The length that a row is divided by is no number that is added to it.
    package var linear: LinearClassifier? { nil }
    package var formula: HeadFormula? { .mapped(mean: mean, deviation: deviation, map: map, texts: texts, scale: scale) }
    package var parameterCount: Int { map.count + mean.count + deviation.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("map", map), HeadTensor("mean", mean), HeadTensor("deviation", deviation), HeadTensor("text", texts),
            HeadTensor("logit_scale", scale),
        ]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let texts = try reader.matrix("text")
        let width = texts.columnCount
        let deviation = try reader.vector("deviation", count: width)
        guard deviation.allSatisfy({ $0 > 0 }) else { throw .notNumbers(what: "the tensor \"deviation\"", row: 0) }
        self.init(
            settings: settings, map: try reader.matrix("map", rows: width, columns: width), mean: try reader.vector("mean", count: width),
            deviation: deviation, texts: texts, scale: try reader.number("logit_scale"))
    }
}

/// Columns less their mean and over their deviation.
private struct Standardization {
    let mean: [Double]
    /// 1 where all rows are equal, or differ by less than they can be told apart after they are stored.
    let deviation: [Double]
    /// `[rows, width]`, standardized.
    let features: DoubleMatrix

    init(_ matrix: DoubleMatrix) {
        let (rows, columns) = (matrix.rowCount, matrix.columnCount)
        let mean = (0..<columns).map { column in (0..<rows).reduce(0) { $0 + matrix[$1, column] } / Double(rows) }
        let deviation = (0..<columns).map { column in
            let squares = (0..<rows).reduce(0) { $0 + (matrix[$1, column] - mean[column]) * (matrix[$1, column] - mean[column]) }
            let found = (squares / Double(rows)).squareRoot()
            return found > 1e-7 ? found : 1
        }
        features = DoubleMatrix(
            rows: rows, columns: columns,
            matrix.values.enumerated().map { ($1 - mean[$0 % columns]) / deviation[$0 % columns] })
        self.mean = mean
        self.deviation = deviation
    }
}

/// The map while it is learned.
private struct Learner {
    private(set) var map: DoubleMatrix
    /// `[seen classes, width]`, of unit length.
    private let texts: DoubleMatrix
    /// The place of each class among those that have clips.
    private let places: [Int: Int]
    private let rate: Double
    private let margin: Double

    init(_ examples: HeadExamples, map: DoubleMatrix, settings: SJE.Settings) {
        self.map = map
        let seen = examples.clipCounts.indices.filter { examples.clipCounts[$0] > 0 }
        texts = DoubleMatrix(examples.unitTexts).rows(seen)
        places = Dictionary(uniqueKeysWithValues: seen.enumerated().map { ($1, $0) })
        rate = settings.learningRate
        margin = settings.margin
    }

    /// One step, along the class that violates the margin most if there is one.
    ///
    /// - Parameter feature: `[1, width]`, standardized.
    /// - Returns: by how much the margin was violated.
    mutating func learn(_ feature: DoubleMatrix, label: Int) -> Double {
        guard let own = places[label] else { return 0 }
        var mapped = product(feature, .asStored, map, .asStored)
        let count = Double(mapped.columnCount)
        let mean = mapped.values.reduce(0, +) / count
        let deviation = (mapped.values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
        for index in mapped.values.indices { mapped.values[index] = (mapped.values[index] - mean) / (deviation > 0 ? deviation : 1) }
        let fits = product(mapped, .asStored, texts, .transposed).values
        var violator = (place: own, excess: 0.0)
        for (place, fit) in fits.enumerated() where place != own && margin + fit - fits[own] > violator.excess {
            violator = (place, margin + fit - fits[own])
        }
        guard violator.place != own else { return violator.excess }
        map.addProduct(of: feature.values, and: zip(texts.row(own), texts.row(violator.place)).map { $0 - $1 }, times: rate)
        return violator.excess
    }
}
