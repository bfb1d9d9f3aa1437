import VideoData

/// How long, how fast and in which portions training goes.
package struct TrainingConfiguration: Sendable, Equatable {
    package var epochs: Int
    /// Clips that are blended and sent through the model together.
    package var batchSize: Int
    /// Batches whose gradients make one step; an epoch's leftovers make a smaller one.
    package var accumulationSteps: Int
    package var learningRate: Double
    package var warmupEpochs: Double
    package var weightDecay: Double
    package var seed: UInt64
    package var blending: Blending
    /// Epochs between evaluations; the last epoch is always evaluated.
    package var evaluationInterval: Int
    /// As in `CosineSchedule`.
    package var startsIdle = false
    package var dropsAfterWarmup = false
    package var cosineSteps: Int?
    package var fallsToZero = false
    /// What is left over of an epoch after its last full step is thrown away, as the paper's code does
    /// (`methods.md` 1.4), instead of making a smaller step.
    package var discardsLeftovers = false
    /// As `EarlyStop` has them; nil for a run that takes all of its epochs.
    package var patience: Int?
    package var leastFall = EarlyStop.standardFall

    package init(
        epochs: Int = 50, batchSize: Int = 4, accumulationSteps: Int = 16, learningRate: Double = 8e-3,
        warmupEpochs: Double = 5, weightDecay: Double = 1e-3, seed: UInt64 = 1, blending: Blending = Blending(),
        evaluationInterval: Int = 10
    ) {
        self.epochs = epochs
        self.batchSize = batchSize
        self.accumulationSteps = accumulationSteps
        self.learningRate = learningRate
        self.warmupEpochs = warmupEpochs
        self.weightDecay = weightDecay
        self.seed = seed
        self.blending = blending
        self.evaluationInterval = evaluationInterval
    }

    package var clipsPerStep: Int { batchSize * accumulationSteps }

    /// Steps of one epoch over `clipCount` clips, the smaller last one included unless leftovers are discarded.
    package func stepsPerEpoch(clipCount: Int) -> Int {
        (discardsLeftovers ? clipCount : clipCount + clipsPerStep - 1) / clipsPerStep
    }

    package func schedule(clipCount: Int) -> CosineSchedule {
        let perEpoch = stepsPerEpoch(clipCount: clipCount)
        return CosineSchedule(
            baseRate: learningRate, stepCount: epochs * perEpoch, warmupSteps: Int((warmupEpochs * Double(perEpoch)).rounded()),
            startsIdle: startsIdle, dropsAfterWarmup: dropsAfterWarmup, cosineSteps: cosineSteps, fallsToZero: fallsToZero)
    }

    package func earlyStop(clipCount: Int) -> EarlyStop? {
        patience.map {
            EarlyStop(
                patience: $0, leastFall: leastFall, window: max(EarlyStop.leastWindow, stepsPerEpoch(clipCount: clipCount)),
                warmupEpochs: warmupEpochs)
        }
    }

    /// Everything that is out of range, all together.
    ///
    /// - Parameter clipCount: clips of an epoch, where known.
    package func check(clipCount: Int? = nil) throws(TrainingError) {
        var faults: [String] = []
        func require(_ condition: Bool, _ fault: String) { if !condition { faults.append(fault) } }
        require((1...100_000).contains(epochs), "epochs is \(epochs); it must be between 1 and 100000.")
        require((1...4096).contains(batchSize), "batch_size is \(batchSize); it must be between 1 and 4096.")
        require((1...4096).contains(accumulationSteps), "accumulation_steps is \(accumulationSteps); it must be between 1 and 4096.")
        require(learningRate > 0 && learningRate <= 1000, "learning_rate is \(learningRate); it must be above 0 and at most 1000.")
        require(
            warmupEpochs >= 0 && warmupEpochs <= Double(epochs),
            "warmup_epochs is \(warmupEpochs), but the run has \(epochs) epochs. Set training.warmup_epochs to at most \(epochs), or train longer.")
        require(weightDecay >= 0 && weightDecay < 1, "weight_decay is \(weightDecay); it must be at least 0 and below 1.")
        require(patience ?? 1 >= 1, "early_stop is \(patience ?? 0); it must be at least 1 epoch.")
        require(evaluationInterval >= 1, "the evaluation interval is \(evaluationInterval); at least 1 epoch.")
        if let clipCount, faults.isEmpty {
            require(
                stepsPerEpoch(clipCount: clipCount) > 0,
                "an epoch has \(clipCount) clips and a step \(clipsPerStep): with discarded-leftovers no step is left. "
                    + "Take smaller steps or leave that quirk out.")
        }
        guard faults.isEmpty else { throw .badConfiguration(faults) }
    }
}
