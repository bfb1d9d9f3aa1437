import Tensors

/// Tip-Adapter-F: Tip-Adapter with keys that are trained by cross-entropy.
///
/// Source: Zhang et al., ECCV 2022; gaopengcuhk/Tip-Adapter. Every epoch sees one view of each clip, the next one in turn. The
/// authors keep the epoch that is best on the test set; here the last one is kept, or the best on the validation clips where
/// there are any.
package struct TipAdapterF: CoreHead {
    package static let kind = HeadKind.tipAdapterF

    package struct Settings: HeadSettings {
        package var epochs = 20
        package var batchSize = 256
        package var learningRate = 1e-3
        package var epsilon = 1e-4
        package var weightDecay = 0.01
        package var beta: Double = 1
        package var alpha: Double = 1.17
        package init() {}
    }

    package let settings: Settings
    package let core: TipCache

    package static func fit(
        _ examples: HeadExamples, validation: HeadExamples?, settings: Settings, context: HeadContext
    ) throws(HeadError) -> TipAdapterF {
        try check("epochs", count: settings.epochs)
        try check("batchSize", count: settings.batchSize)
        try check("learningRate", settings.learningRate, in: 0...1000)
        try check("beta", settings.beta, in: 0...1000)
        try check("alpha", settings.alpha, in: 0...1000)
        var cache = try TipCache(examples, beta: Float(settings.beta), alpha: Float(settings.alpha))
        var keys = HeadParameter(cache.keys)
        var best = (accuracy: -1.0, keys: cache.keys)
        func keep() {
            guard let validation else { return }
            cache.keys = MutableMatrix(rows: keys.value.rowCount, columns: keys.value.columnCount, keys.value.values).reading
            let found = accuracy(cache.logits(ofUnit: validation.unit), labels: validation.labels)
            if found > best.accuracy { best = (found, cache.keys) }
        }
        var epochBefore = 0
        try HeadEpochs(head: kind, epochCount: settings.epochs, batchSize: settings.batchSize).run(
            context, rowsOfEpoch: { examples.rows(ofView: $0) }
        ) { rows, epoch, step, stepCount throws(HeadError) in
            if epoch > epochBefore { keep() }
            epochBefore = epoch
            let loss = loss(
                features: gathered(rows, of: examples.unit), labels: rows.map { examples.labels[$0] }, cache: cache, keys: keys.value,
                gradient: keys.gradient)
            keys.stepWithAdam(
                rate: cosineRate(base: settings.learningRate, step: step, stepCount: stepCount), epsilon: settings.epsilon,
                decoupledDecay: settings.weightDecay)
            return loss
        }
        keep()
        cache.keys = validation == nil ? keys.value.reading : best.keys
        return TipAdapterF(settings: settings, core: cache)
    }

    /// Mean cross-entropy; adds its gradient with respect to the keys.
    ///
    ///     dA_ij = α · dlogits_{i, y_j},  d(f̂_i·k_j) = β A_ij dA_ij
    package static func loss(
        features: MutableMatrix, labels: [Int], cache: TipCache, keys: MutableMatrix, gradient: MutableMatrix
    ) -> Double {
        let affinity = MutableMatrix(rows: features.rowCount, columns: keys.rowCount)
        multiply(features, .asStored, keys, .transposed, into: affinity)
        exponentialKernel(affinity, sharpness: cache.beta)
        let logits = MutableMatrix(rows: features.rowCount, columns: cache.texts.rowCount)
        multiply(features, .asStored, cache.texts, .transposed, into: logits, scale: cache.scale)
        cache.addVotes(affinity.reading, alpha: cache.alpha, to: logits)
        let loss = crossEntropyOfRows(logits, labels: labels)
        let affinityGradient = MutableMatrix(rows: affinity.rowCount, columns: affinity.columnCount)
        multiply(logits, .asStored, cache.values, .transposed, into: affinityGradient, scale: cache.alpha * cache.beta)
        multiplyPlaces(of: affinityGradient, by: affinity)
        multiply(affinityGradient, .transposed, features, .asStored, into: gradient, adding: true)
        return loss
    }

    package init(settings: Settings, core: TipCache) {
        self.settings = settings
        self.core = core
    }
}
