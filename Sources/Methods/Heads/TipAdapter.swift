import Tensors

/// Tip-Adapter: text scores plus a cache whose keys are the clips.
///
///     logits = s · f̂ Ŵᵀ + α · Σ_i exp(−β (1 − f̂·k_i)) · onehot(y_i)
///
/// Source: Zhang et al., ECCV 2022; gaopengcuhk/Tip-Adapter. A key is the mean over a clip's views of the features before
/// normalization, brought to unit length.
package struct TipAdapter: CoreHead, LeaveOneOutHead, ExtendableHead {
    package static let kind = HeadKind.tipAdapter

    /// The authors choose β and α for each data set by search on its validation list; theirs for ImageNet are the defaults.
    package struct Settings: HeadSettings {
        package var beta: Double = 1
        package var alpha: Double = 1.17
        /// Choose both on the validation clips, where there are any.
        package var searches = true
        /// Largest values of the search, which begins at 0.1, and its steps.
        package var largestBeta: Double = 7
        package var largestAlpha: Double = 3
        package var betaSteps = 200
        package var alphaSteps = 20
        package init() {}
    }

    package let settings: Settings
    package let core: TipCache
    /// As set, or as found by search.
    package var beta: Double { Double(core.beta) }
    package var alpha: Double { Double(core.alpha) }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> TipAdapter {
        try check("beta", settings.beta, in: 0...1000)
        try check("alpha", settings.alpha, in: 0...1000)
        var cache = try TipCache(examples, beta: Float(settings.beta), alpha: Float(settings.alpha))
        if settings.searches, let validation {
            try check("betaSteps", count: settings.betaSteps)
            try check("alphaSteps", count: settings.alphaSteps)
            try needs("classes of the validation clips", validation.classCount, examples.classCount)
            try cache.search(validation, settings: settings, context: context)
        }
        return TipAdapter(settings: settings, core: cache)
    }

    package init(settings: Settings, core: TipCache) {
        self.settings = settings
        self.core = core
    }

    package func extended(by examples: HeadExamples) throws(HeadError) -> TipAdapter {
        TipAdapter(settings: settings, core: try TipCache(core, and: TipCache(examples, beta: core.beta, alpha: core.alpha)))
    }

    // MARK: Leaving one clip out

    /// A clip that is left out is a key that is not there.
    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        let cache = try TipCache(examples, beta: Float(settings.beta), alpha: Float(settings.alpha))
        return leaveOneOut(examples, cache: cache, votes: try votes(examples, cache: cache), alpha: settings.alpha)
    }

    package static func candidates(rowCount: Int) -> [Settings] {
        [1, 3, 5.5, 11].flatMap { beta in
            [1.17, 0.5, 3, 10, 30].map { alpha in
                var settings = Settings()
                (settings.beta, settings.alpha) = (beta, alpha)
                return settings
            }
        }
    }

    package static func leaveOneOutCandidates(
        _ examples: HeadExamples, context: HeadContext
    ) throws(HeadError) -> [(settings: Settings, logits: Matrix)] {
        var result: [(settings: Settings, logits: Matrix)] = []
        // The votes depend on β alone.
        var last: (beta: Double, cache: TipCache, votes: Matrix)?
        for settings in candidates(rowCount: examples.count) {
            let current: (beta: Double, cache: TipCache, votes: Matrix)
            if let last, last.beta == settings.beta {
                current = last
            } else {
                let cache = try TipCache(examples, beta: Float(settings.beta), alpha: 1)
                current = (settings.beta, cache, try votes(examples, cache: cache))
            }
            last = current
            result.append((settings, leaveOneOut(examples, cache: current.cache, votes: current.votes, alpha: settings.alpha)))
        }
        return result
    }

    /// `[rows, classes]`: what the keys of other clips say of each row.
    private static func votes(_ examples: HeadExamples, cache: TipCache) throws(HeadError) -> Matrix {
        let affinity = cache.affinity(ofUnit: examples.unit)
        for (clip, rows) in examples.rowsOfClips.enumerated() { for row in rows { affinity[row, clip] = 0 } }
        let votes = MutableMatrix(rows: examples.count, columns: examples.classCount)
        cache.addVotes(affinity.reading, alpha: 1, to: votes)
        return votes.reading
    }

    private static func leaveOneOut(_ examples: HeadExamples, cache: TipCache, votes: Matrix, alpha: Double) -> Matrix {
        let logits = MutableMatrix(rows: examples.count, columns: examples.classCount)
        multiply(examples.unit, .asStored, cache.texts, .transposed, into: logits, scale: cache.scale)
        add(votes, times: Float(alpha), to: logits)
        return logits.reading
    }
}

/// Keys and their classes, and the texts beside them.
package struct TipCache: HeadCore {
    /// `[clips, width]`.
    package var keys: Matrix
    package let labels: [Int]
    /// `[classes, width]`, of unit length.
    let texts: Matrix
    let scale: Float
    package var beta: Float
    package var alpha: Float

    init(_ examples: HeadExamples, beta: Float, alpha: Float) throws(HeadError) {
        let means = MutableMatrix(rows: examples.clipCount, columns: examples.width)
        for (clip, rows) in examples.rowsOfClips.enumerated() {
            for row in rows { add(examples.features.projected.row(row), times: 1 / Float(rows.count), to: means.row(clip)) }
        }
        keys = try unitRows(means, "the clips' mean features")
        labels = examples.labelsOfClips
        texts = examples.unitTexts
        scale = examples.logitScale
        self.beta = beta
        self.alpha = alpha
    }

    /// The clips and classes of two, those of the second behind the first's, weighed as in the first.
    init(_ first: TipCache, and second: TipCache) throws(HeadError) {
        keys = try stacked(first.keys, second.keys)
        labels = first.labels + second.labels.map { $0 + first.texts.rowCount }
        texts = try stacked(first.texts, second.texts)
        (scale, beta, alpha) = (first.scale, first.beta, first.alpha)
    }

    package init(_ reader: HeadTensorReader) throws(HeadError) {
        let texts = try reader.matrix("text")
        let keys = try reader.matrix("keys", columns: texts.columnCount)
        let values = try reader.matrix("values", rows: keys.rowCount, columns: texts.rowCount)
        labels = (0..<values.rowCount).map { row in values.row(row).values.firstIndex(of: 1) ?? 0 }
        self.texts = texts
        self.keys = keys
        scale = try reader.number("logit_scale")
        beta = try reader.number("beta")
        alpha = try reader.number("alpha")
    }

    package var parameterCount: Int { keys.count }
    package var tensors: [HeadTensor] {
        [
            HeadTensor("text", texts), HeadTensor("keys", keys), HeadTensor("values", values),
            HeadTensor("logit_scale", scale), HeadTensor("beta", beta), HeadTensor("alpha", alpha),
        ]
    }

    /// `[clips, classes]`, one 1 a row.
    package var values: Matrix {
        let values = MutableMatrix(rows: labels.count, columns: texts.rowCount)
        for (row, label) in labels.enumerated() { values[row, label] = 1 }
        return values.reading
    }

    /// Adds `alpha · affinity · values`: each key's column goes to its class.
    func addVotes(_ affinity: Matrix, alpha: Float, to logits: MutableMatrix) {
        multiply(affinity, .asStored, values, .asStored, into: logits, scale: alpha, adding: true)
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        try logits(ofUnit: features.unit(width: keys.columnCount))
    }

    package var formula: HeadFormula? {
        let votes = MutableMatrix(rows: labels.count, columns: texts.rowCount)
        add(values, times: alpha, to: votes)
        return .kernel(texts: texts, scale: scale, keys: keys, sharpness: beta, values: votes.reading)
    }

    /// `[rows, clips]`: exp(−β (1 − f̂·k)).
    func affinity(ofUnit unit: Matrix) -> MutableMatrix {
        let affinity = MutableMatrix(rows: unit.rowCount, columns: keys.rowCount)
        multiply(unit, .asStored, keys, .transposed, into: affinity)
        exponentialKernel(affinity, sharpness: beta)
        return affinity
    }

    func logits(ofUnit unit: Matrix) -> Matrix {
        let affinity = affinity(ofUnit: unit)
        let logits = MutableMatrix(rows: unit.rowCount, columns: texts.rowCount)
        multiply(unit, .asStored, texts, .transposed, into: logits, scale: scale)
        addVotes(affinity.reading, alpha: alpha, to: logits)
        return logits.reading
    }

    /// The authors' grid: β_i = 0.1 + i (largest − 0.1)/steps, then α_j; the first strict maximum of the accuracy wins.
    mutating func search(_ validation: HeadExamples, settings: TipAdapter.Settings, context: HeadContext) throws(HeadError) {
        let unit = validation.unit
        let cosines = MutableMatrix(rows: unit.rowCount, columns: keys.rowCount)
        multiply(unit, .asStored, keys, .transposed, into: cosines)
        let text = cosineScores(unit, to: texts, scale: scale)
        var best = -1.0
        var chosen = (beta: beta, alpha: alpha)
        let affinity = MutableMatrix(rows: cosines.rowCount, columns: cosines.columnCount)
        let votes = MutableMatrix(rows: unit.rowCount, columns: texts.rowCount)
        let logits = MutableMatrix(rows: unit.rowCount, columns: texts.rowCount)
        for step in 0..<settings.betaSteps {
            let beta = Float(0.1 + Double(step) * (settings.largestBeta - 0.1) / Double(settings.betaSteps))
            affinity.copy(cosines)
            exponentialKernel(affinity, sharpness: beta)
            votes.fill(0)
            addVotes(affinity.reading, alpha: 1, to: votes)
            for step in 0..<settings.alphaSteps {
                let alpha = Float(0.1 + Double(step) * (settings.largestAlpha - 0.1) / Double(settings.alphaSteps))
                logits.copy(text)
                add(votes, times: alpha, to: logits)
                let found = accuracy(logits, labels: validation.labels)
                if found > best { (best, chosen) = (found, (beta, alpha)) }
            }
            try context.report(TipAdapter.kind, step: step + 1, of: settings.betaSteps)
        }
        (beta, alpha) = chosen
    }
}
