import CLIPModel
import Tensors
import TestSupport
import Testing
import Training

/// Whole training runs against PyTorch: optimizer, schedule and gradients together
/// (Tests/Fixtures/clip/README.md, `training.safetensors`).
@Suite struct TrajectoryTests {
    private static let tolerance: Float = 1e-4

    private func setting(_ inputs: TrainingInputs, threads: Int) -> TaskSetting {
        TaskSetting(
            sequences: inputs.sequences, fusion: .embedding, frameCount: 3, pool: WorkerPool(threadCount: threads),
            weightDecay: 1e-3)
    }

    private func losses(_ task: some LearningTask, inputs: TrainingInputs, schedule: CosineSchedule) throws -> [Float] {
        try (0..<schedule.stepCount).map { step in
            var result = StepResult()
            task.begin()
            task.add(clips: inputs.clips, targets: inputs.targets, weight: 0.5, to: &result)
            try task.finish(rate: schedule.stepRate(at: step), scale: 1)
            return Float(result.lossSum / 2)
        }
    }

    @Test(arguments: [1, 2])
    func tenStepsOfPrompts(threads: Int) throws {
        let inputs = try TrainingInputs()
        let expected = try TensorFixture("clip/training")
        let prompts = try inputs.deepPrompts()
        let task = PromptTask(backbone: inputs.backbone, prompts: prompts, setting: setting(inputs, threads: threads))
        let before = inputs.backbone.parameters.digest(of: inputs.backbone.architecture)
        let losses = try losses(task, inputs: inputs, schedule: CosineSchedule(baseRate: 8e-3, stepCount: 10, warmupSteps: 3, startsIdle: true, dropsAfterWarmup: true))
        expectClose(losses, try expected.floats("prompts.losses"), tolerance: Self.tolerance, "losses")
        for (layer, prompt) in prompts.vision.enumerated() {
            expectClose(prompt.values, try expected.floats("prompts.final.visual.\(layer)"), tolerance: Self.tolerance, "vision.\(layer)")
        }
        for (layer, prompt) in prompts.text.enumerated() {
            expectClose(prompt.values, try expected.floats("prompts.final.text.\(layer)"), tolerance: Self.tolerance, "text.\(layer)")
        }
        // Learning prompts leaves every byte of the backbone as it was.
        #expect(inputs.backbone.parameters.digest(of: inputs.backbone.architecture) == before)
    }

    /// Learning in bfloat16 goes the way of PyTorch's float32, and never touches the backbone.
    @Test(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
    func tenStepsOfPromptsInBfloat16() throws {
        let inputs = try TrainingInputs()
        let expected = try TensorFixture("clip/training")
        let backbone = inputs.backbone.computing(in: .bfloat16)
        let task = PromptTask(backbone: backbone, prompts: try inputs.deepPrompts(), setting: setting(inputs, threads: 2))
        let losses = try losses(task, inputs: inputs, schedule: CosineSchedule(baseRate: 8e-3, stepCount: 10, warmupSteps: 3, startsIdle: true, dropsAfterWarmup: true))
        let reference = try expected.floats("prompts.losses")
        expectClose(losses, reference, tolerance: 0.02, "losses")
        #expect(losses != reference)
        #expect(backbone.parameters.digest(of: backbone.architecture) == inputs.backbone.digest)
    }

    @Test(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
    func fiveStepsOfTheBridgeInBfloat16() throws {
        let inputs = try TrainingInputs()
        let task = BridgeTask(
            backbone: inputs.backbone.computing(in: .bfloat16), tuning: .both, trainsTokens: true,
            setting: setting(inputs, threads: 2))
        let losses = try losses(task, inputs: inputs, schedule: CosineSchedule(baseRate: 1e-4, stepCount: 5, warmupSteps: 2, startsIdle: true, dropsAfterWarmup: true))
        // Weights that were packed once and never again would keep the first step's loss.
        expectClose(losses, try TensorFixture("clip/training").floats("bridge.losses"), tolerance: 0.02, "losses")
        #expect(task.backbone(named: "tuned", provenance: "test").precision == .bfloat16)
    }

    @Test func fiveStepsOfTheBridge() throws {
        let inputs = try TrainingInputs()
        let expected = try TensorFixture("clip/training")
        let task = BridgeTask(
            backbone: inputs.backbone, tuning: .both, trainsTokens: true, setting: setting(inputs, threads: 2))
        let losses = try losses(task, inputs: inputs, schedule: CosineSchedule(baseRate: 1e-4, stepCount: 5, warmupSteps: 2, startsIdle: true, dropsAfterWarmup: true))
        expectClose(losses, try expected.floats("bridge.losses"), tolerance: Self.tolerance, "losses")
        let specifications = BackboneParameters<TensorSpecification>(of: inputs.backbone.architecture).all
        let parameters = task.backbone(named: "tuned", provenance: "test").parameters.all
        var compared = 0
        for (specification, parameter) in zip(specifications, parameters) {
            guard expected.file.contains("bridge.final." + specification.name) else { continue }
            expectClose(
                parameter.values, try expected.floats("bridge.final." + specification.name), tolerance: Self.tolerance,
                specification.name)
            compared += 1
        }
        #expect(compared == 8)
        #expect(inputs.backbone.digest != task.backbone(named: "tuned", provenance: "test").digest)
    }

    /// What each way of tuning leaves alone stays as it was, bit for bit.
    @Test(arguments: [Tuning.image, .text])
    func oneSideOnly(tuning: Tuning) throws {
        let inputs = try TrainingInputs()
        let task = BridgeTask(backbone: inputs.backbone, tuning: tuning, setting: setting(inputs, threads: 2))
        _ = try losses(task, inputs: inputs, schedule: CosineSchedule(baseRate: 1e-3, stepCount: 3, warmupSteps: 1, startsIdle: true, dropsAfterWarmup: true))
        let before = inputs.backbone.parameters
        let after = task.backbone(named: "tuned", provenance: "test").parameters
        func same(_ left: [Matrix], _ right: [Matrix]) -> [Bool] { zip(left, right).map { $0.values == $1.values } }
        let vision = same(before.vision.all, after.vision.all)
        let text = same(before.text.all, after.text.all)
        #expect(vision.allSatisfy { $0 } == (tuning == .text))
        #expect(text.allSatisfy { $0 } == (tuning == .image))
        #expect(!(tuning == .image ? vision : Array(text.dropFirst())).contains(true))
        #expect(before.logitScale.values == after.logitScale.values)
        // The token table is never trained by default (methods 1.1).
        #expect(text[0])
    }

    /// Leftovers of an epoch make a step of their own; the schedule knows its steps.
    @Test func stepsOfAnEpoch() {
        let configuration = TrainingConfiguration(epochs: 3, batchSize: 4, accumulationSteps: 2, warmupEpochs: 1)
        #expect([1, 8, 9, 16, 17].map(configuration.stepsPerEpoch) == [1, 1, 2, 2, 3])
        #expect(configuration.schedule(clipCount: 17).stepCount == 9)
        #expect(configuration.schedule(clipCount: 17).warmupSteps == 3)
    }

    /// Hand values of methods 1.4: base × t / W, then the cosine that the warm-up does not shift.
    @Test func scheduleByHand() {
        let schedule = CosineSchedule(baseRate: 1, stepCount: 10, warmupSteps: 5, startsIdle: true, dropsAfterWarmup: true)
        #expect(schedule.rate(at: 0) == 0)
        #expect(abs(schedule.rate(at: 4) - 0.8) < 1e-12)
        // At half of the cosine: the mean of base and base / 100.
        #expect(abs(schedule.rate(at: 5) - 0.505) < 1e-12)
        #expect(abs(schedule.rate(at: 10) - 0.01) < 1e-12)
    }

    /// Without the reference's faults: base × (t + 1) / W, then a cosine that begins at the base rate.
    @Test func scheduleWithoutFaults() {
        let schedule = CosineSchedule(baseRate: 1, stepCount: 10, warmupSteps: 4)
        #expect((0..<4).map(schedule.rate) == [0.25, 0.5, 0.75, 1])
        #expect(schedule.rate(at: 4) == 1)
        // Half of the six steps of the cosine.
        #expect(abs(schedule.rate(at: 7) - 0.505) < 1e-12)
        #expect(abs(schedule.rate(at: 10) - 0.01) < 1e-12)
        #expect(CosineSchedule(baseRate: 1, stepCount: 3, warmupSteps: 0).rate(at: 0) == 1)
    }

    /// The rates of Bahng et al.'s program: to the base rate in two of eight steps, then by a cosine to zero.
    @Test func scheduleThatFallsToZero() throws {
        let schedule = CosineSchedule(baseRate: 40, stepCount: 8, warmupSteps: 2, fallsToZero: true)
        expectClose((0..<8).map { Float(schedule.rate(at: $0)) }, try TensorFixture("prompting/pixel").floats("padding.train.lr"), tolerance: 1e-6)
        #expect(schedule.rate(at: 8) == 0)
    }

    /// timm's formula for a group whose base rate is ten times the other's: lr_min + ½ (10 − lr_min) (1 + cos), with one lr_min for all.
    @Test func fasterGroupsFallToTheSameFloor() {
        let schedule = CosineSchedule(baseRate: 1, stepCount: 10, warmupSteps: 4)
        for (step, rate) in [(0, 2.5), (3, 10), (4, 10), (7, 5.005), (10, 0.01)] {
            #expect(abs(schedule.stepRate(at: step).of(factor: 10) - rate) < 1e-12, "step \(step)")
            #expect(schedule.stepRate(at: step).of(factor: 1) == schedule.rate(at: step))
        }
    }

    /// Each fault changes its own part of the schedule.
    @Test func scheduleFaultsAreApart() {
        let right = CosineSchedule(baseRate: 1, stepCount: 10, warmupSteps: 4)
        let idle = CosineSchedule(baseRate: 1, stepCount: 10, warmupSteps: 4, startsIdle: true)
        let drop = CosineSchedule(baseRate: 1, stepCount: 10, warmupSteps: 4, dropsAfterWarmup: true)
        #expect((0..<4).map(idle.rate) == [0, 0.25, 0.5, 0.75])
        #expect((4..<10).map(idle.rate) == (4..<10).map(right.rate))
        #expect((0..<4).map(drop.rate) == (0..<4).map(right.rate))
        #expect(drop.rate(at: 4) < 0.7 && right.rate(at: 4) == 1)
    }

    @Test func leftoversMayBeDiscarded() throws {
        var configuration = TrainingConfiguration(epochs: 3, batchSize: 4, accumulationSteps: 2, warmupEpochs: 1)
        configuration.discardsLeftovers = true
        #expect([8, 9, 16, 17].map(configuration.stepsPerEpoch) == [1, 1, 2, 2])
        try configuration.check(clipCount: 8)
        #expect(throws: TrainingError.self) { try configuration.check(clipCount: 7) }
        // Methods 1.4: one update an epoch for HMDB-51 with 2 shots, 6 for its base classes.
        configuration.accumulationSteps = 16
        #expect(configuration.stepsPerEpoch(clipCount: 102) == 1)
        #expect(configuration.stepsPerEpoch(clipCount: 416) == 6)
    }
}

/// The small CLIP of the PyTorch fixtures with two clips, five classes and soft targets.
struct TrainingInputs {
    let backbone: Backbone
    let clips: [Matrix]
    let sequences: [[Int]]
    let targets: [[Float]]

    init() throws {
        backbone = try Backbone.load(fixturePath("clip/clip-tiny.safetensors"))
        let forward = try TensorFixture("clip/forward")
        let pixels = try forward.floats("frames")
        let ids = try forward.integers("ids")
        let target = try forward.floats("target")
        clips = (0..<2).map { clip in
            MutableMatrix(rows: 3, columns: pixels.count / 6, Array(pixels[clip * pixels.count / 2..<(clip + 1) * pixels.count / 2])).reading
        }
        sequences = (0..<5).map { row in
            let line = ids[row * 77..<(row + 1) * 77]
            return Array(line.prefix { $0 != 299 }) + [299]
        }
        targets = (0..<2).map { Array(target[$0 * 5..<($0 + 1) * 5]) }
    }

    func deepPrompts() throws -> PromptSet<MutableMatrix> {
        let fixture = try TensorFixture("clip/prompts")
        func side(_ name: String, layers: Int) throws -> [MutableMatrix] {
            try (0..<layers).map { layer in
                let tensor = "deep.prompt.\(name).\(layer)"
                let shape = try fixture.shape(tensor)
                return MutableMatrix(rows: shape[0], columns: shape[1], try fixture.floats(tensor))
            }
        }
        return PromptSet(vision: try side("visual", layers: 3), text: try side("text", layers: 2))
    }
}
