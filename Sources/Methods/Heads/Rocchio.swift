import Tensors

/// Rocchio's relevance feedback: w_c = unit(α t̂_c + β mean(own) − γ mean(others)), logit_c = s · f̂·w_c.
///
/// Source: Rocchio 1971 with the weights of textbooks (Manning, Raghavan and Schütze 2008, 9.1.1). All views count alike. A
/// class without clips has no own term.
package struct Rocchio: LeaveOneOutHead {
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

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> Rocchio {
        Rocchio(settings: settings, weight: try weight(ClassSums(examples), examples, settings), scale: examples.logitScale)
    }

    private static func weight(_ sums: ClassSums, _ examples: HeadExamples, _ settings: Settings) throws(HeadError) -> Matrix {
        for (name, value) in [("text", settings.text), ("own", settings.own), ("others", settings.others)] {
            try check(name, value, in: 0...1000)
        }
        let sum = settings.text * DoubleMatrix(examples.unitTexts) + settings.own * sums.means - settings.others * sums.meansOfOthers
        return try unitRows(sum, "the class vectors").matrix.reading
    }

    private init(settings: Settings, weight: Matrix, scale: Float) {
        self.settings = settings
        self.weight = weight
        self.scale = scale
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        try cosineScores(features.unit(width: weight.columnCount), to: weight, scale: scale)
    }

    package var linear: LinearClassifier? { LinearClassifier(weight: scaled(weight, by: scale)) }
    package var parameterCount: Int { weight.count }
    package var tensors: [HeadTensor] { [HeadTensor("weight", weight), HeadTensor("logit_scale", scale)] }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        self.init(settings: settings, weight: try reader.matrix("weight"), scale: try reader.number("logit_scale"))
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
            LinearClassifier(weight: scaled(try weight(sums, examples, settings), by: examples.logitScale))
        }
    }
}
