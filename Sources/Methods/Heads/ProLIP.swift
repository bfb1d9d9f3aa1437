import Tensors

/// ProLIP: trains the vision tower's projection P on features from before it, held near its start P₀.
///
///     loss = CE(s · norm(x P) Ŵᵀ) + λ ‖P − P₀‖²
///
/// Source: Fahes et al. 2024; astra-vision/ProLIP. λ is 1/shots. One step takes one view of all clips, the next view in turn. A
/// video's pooled feature is the mean of its frames' features, and the projection is linear: from the mean of the vectors
/// before it, this is exact.
package struct ProLIP: Head {
    package static let kind = HeadKind.prolip

    package struct Settings: HeadSettings {
        package var steps = 300
        package var learningRate = 1e-5
        package var epsilon = 1e-4
        /// λ. nil: 1 / clips per class, their mean over the classes that have any.
        package var strength: Double?
        package init() {}
    }

    package let settings: Settings
    /// `[inner width, width]`.
    private let ownProjection: Matrix
    /// `[classes, width]`, of unit length.
    let texts: Matrix
    let scale: Float

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> ProLIP {
        guard let inputs = examples.features.unprojected, let start = examples.projection else { throw .needsUnprojected(head: kind) }
        try check("steps", count: settings.steps)
        try check("learningRate", settings.learningRate, in: 0...1000)
        if let strength = settings.strength { try check("strength", strength, in: 0...1e6) }
        let classesWithClips = examples.clipCounts.count { $0 > 0 }
        let strength = settings.strength ?? Double(classesWithClips) / Double(examples.clipCount)
        let views = (0..<examples.viewCount).map { view in
            let rows = examples.rows(ofView: view)
            return (inputs: gathered(rows, of: inputs), labels: rows.map { examples.labels[$0] })
        }
        var projection = HeadParameter(start)
        let memory = Memory(rows: examples.clipCount, width: examples.width, classCount: examples.classCount)
        for step in 0..<settings.steps {
            // The authors' counter moves before it is used.
            let view = views[(step + 1) % views.count]
            let loss = loss(
                inputs: view.inputs, labels: view.labels, projection: projection.value, texts: examples.unitTexts,
                scale: examples.logitScale, gradient: projection.gradient, memory: memory, pool: context.pool)
            add(projection.value, times: Float(2 * strength), to: projection.gradient)
            add(start, times: Float(-2 * strength), to: projection.gradient)
            projection.stepWithAdam(
                rate: cosineRate(base: settings.learningRate, step: step, stepCount: settings.steps), epsilon: settings.epsilon)
            try context.report(kind, step: step + 1, of: settings.steps, loss: loss)
        }
        return ProLIP(settings: settings, projection: projection.value.reading, texts: examples.unitTexts, scale: examples.logitScale)
    }

    /// What a step needs.
    struct Memory {
        let features: MutableMatrix
        let unit: MutableMatrix
        let lengths: MutableMatrix
        let logits: MutableMatrix
        let gradient: MutableMatrix

        init(rows: Int, width: Int, classCount: Int) {
            features = MutableMatrix(rows: rows, columns: width)
            unit = MutableMatrix(rows: rows, columns: width)
            lengths = MutableMatrix(rows: 1, columns: rows)
            logits = MutableMatrix(rows: rows, columns: classCount)
            gradient = MutableMatrix(rows: rows, columns: width)
        }
    }

    /// Mean cross-entropy, without the term that holds P; adds its gradient.
    static func loss(
        inputs: MutableMatrix, labels: [Int], projection: MutableMatrix, texts: Matrix, scale: Float, gradient: MutableMatrix,
        memory: Memory, pool: WorkerPool
    ) -> Double {
        multiply(inputs, .asStored, projection, .asStored, into: memory.features, pool: pool)
        normalizeRows(memory.features, into: memory.unit, lengths: memory.lengths)
        multiply(memory.unit, .asStored, texts, .transposed, into: memory.logits, scale: scale, pool: pool)
        let loss = crossEntropyOfRows(memory.logits, labels: labels)
        // The features are done with: their memory takes the gradient of the unit features.
        multiply(memory.logits, .asStored, texts, .asStored, into: memory.features, scale: scale, pool: pool)
        memory.gradient.fill(0)
        normalizeRowsBackward(
            output: memory.unit, lengths: memory.lengths, outputGradient: memory.features, inputGradient: memory.gradient)
        multiply(inputs, .transposed, memory.gradient, .asStored, into: gradient, adding: true, pool: pool)
        return loss
    }

    private init(settings: Settings, projection: Matrix, texts: Matrix, scale: Float) {
        self.settings = settings
        ownProjection = projection
        self.texts = texts
        self.scale = scale
    }

    package func logits(of features: HeadFeatures) throws(HeadError) -> Matrix {
        guard let inputs = features.unprojected else { throw .needsUnprojected(head: Self.kind) }
        try needs("columns before the projection", inputs.columnCount, ownProjection.rowCount)
        return cosineScores(try unitRows(features.projected(through: ownProjection), "the projected features"), to: texts, scale: scale)
    }

    package var projection: Matrix? { ownProjection }
    package var linear: LinearClassifier? { LinearClassifier(weight: scaled(texts, by: scale)) }
    package var parameterCount: Int { ownProjection.count }
    package var tensors: [HeadTensor] {
        [HeadTensor("vit_proj", ownProjection), HeadTensor("text", texts), HeadTensor("logit_scale", scale)]
    }

    package init(tensors: [String: HeadTensor], settings: Settings) throws(HeadError) {
        let reader = HeadTensorReader(tensors: tensors, head: Self.kind)
        let projection = try reader.matrix("vit_proj")
        self.init(
            settings: settings, projection: projection, texts: try reader.matrix("text", columns: projection.columnCount),
            scale: try reader.number("logit_scale"))
    }
}
