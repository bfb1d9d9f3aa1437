import Tensors

/// Rocchio's relevance feedback: w_c = unit(α t̂_c + β mean(own) − γ mean(others)), logit_c = s · f̂·w_c.
///
/// Source: Rocchio 1971 with the weights of textbooks (Manning, Raghavan and Schütze 2008, 9.1.1). All views count alike. A
/// class without clips has no own term.
package struct Rocchio: LeaveOneOutHead, ExtendableHead {
    package static let kind = HeadKind.rocchio

    package struct Settings: HeadSettings {
        package var text: Double = 1
        package var own: Double = 0.75
        package var others: Double = 0.15
        package init() {}
    }

    package let settings: Settings
    /// `[classes, width]`, rows of unit length.
    package let weight: Matrix
    package let scale: Float
    /// What the class vectors were made of, for more classes; nil in files of before it was kept.
    private let sources: Sources?

    private struct Sources: Sendable {
        /// `[classes, width]`, of unit length.
        let texts: Matrix
        /// Of unit features.
        let sums: ClassSums
    }

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Rocchio {
        try Rocchio(settings: settings, sources: Sources(texts: examples.unitTexts, sums: ClassSums(examples)), scale: examples.logitScale)
    }

    private init(settings: Settings, sources: Sources, scale: Float) throws(HeadError) {
        self.init(
            settings: settings, weight: try Self.weight(sources.sums, texts: sources.texts, settings), scale: scale, sources: sources)
    }

    private static func weight(_ sums: ClassSums, texts: Matrix, _ settings: Settings) throws(HeadError) -> Matrix {
        for (name, value) in [("text", settings.text), ("own", settings.own), ("others", settings.others)] {
            try check(name, value, in: 0...1000)
        }
        let sum = settings.text * DoubleMatrix(texts) + settings.own * sums.means - settings.others * sums.meansOfOthers
        return try unitRows(sum, "the class vectors").matrix.reading
    }

    private init(settings: Settings, weight: Matrix, scale: Float, sources: Sources?) {
        self.settings = settings
        self.weight = weight
        self.scale = scale
        self.sources = sources
    }

    package func extended(by examples: HeadExamples) throws(HeadError) -> Rocchio {
        guard let sources else { throw .notExtendable(head: Self.kind) }
        return try Rocchio(
            settings: settings,
            sources: Sources(texts: try stacked(sources.texts, examples.unitTexts), sums: try ClassSums(sources.sums, and: ClassSums(examples))),
            scale: scale)
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        try cosineScores(features.unit(width: weight.columnCount), to: weight, scale: scale)
    }

    package var linear: LinearClassifier? { LinearClassifier(weight: scaled(weight, by: scale)) }
    package var parameterCount: Int { weight.count }
    package var tensors: [HeadTensor] {
        [HeadTensor("weight", weight), HeadTensor("logit_scale", scale)]
            + (sources.map { sources in
                [
                    HeadTensor("text", sources.texts), HeadTensor("sums", sources.sums.sums.matrix),
                    HeadTensor("counts", sources.sums.counts.map(Float.init)),
                ]
            } ?? [])
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let weight = try reader.matrix("weight")
        var sources: Sources?
        if tensors["sums"] != nil {
            let (rows, columns) = (weight.rowCount, weight.columnCount)
            let counts = try reader.vector("counts", count: rows).map { Int(exactly: $0) ?? -1 }
            guard counts.allSatisfy({ $0 >= 0 }) else { throw .notNumbers(what: "the tensor \"counts\"", row: 0) }
            sources = Sources(
                texts: try reader.matrix("text", rows: rows, columns: columns),
                sums: ClassSums(sums: DoubleMatrix(try reader.matrix("sums", rows: rows, columns: columns)), counts: counts))
        }
        self.init(settings: settings, weight: weight, scale: try reader.number("logit_scale"), sources: sources)
    }

    /// From nearly the texts alone to nearly the clips alone, with the textbooks' ratio of own and others.
    package static func candidates(rowCount: Int) -> [Settings] {
        [0.75, 0.25, 2, 8].map { own in
            var settings = Settings()
            settings.own = own
            settings.others = own / 5
            return settings
        }
    }

    package static func leaveOneOutLogits(
        _ examples: HeadExamples, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Matrix {
        try ClassSums.leaveOneOut(examples, head: kind, context: context) { sums throws(HeadError) in
            LinearClassifier(weight: scaled(try weight(sums, texts: examples.unitTexts, settings), by: examples.logitScale))
        }
    }
}
