import Files
import TestSupport
import Testing
import Recipes

/// Configuration files of ViFi-CLIP as recipes. Expected values by hand from methods 1.5 and 1.6.
@Suite struct ReferenceConfigurationTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let fewShot = """
        DATA:
            ROOT: '/PATH/TO/videos/folder'
            TRAIN_FILE: 'splits/train1_few_shot_2.txt'
            VAL_FILE: "splits/val1.txt"
            DATASET: hmdb51
            NUM_FRAMES: 32
            NUM_CLASSES: 51
            LABEL_LIST: labels.csv
        MODEL:
            ARCH: ViT-B/16
        TRAIN:
            BATCH_SIZE: 4 # BS 64
            ACCUMULATION_STEPS: 2
            EPOCHS: 50
            LR: 8.e-03
        TRAINER:
          ViFi_CLIP:
            PROMPT_MODEL: True
            N_CTX_VISION: 10
            N_CTX_TEXT: 10
            PROMPT_DEPTH_VISION: 12
            PROMPT_DEPTH_TEXT: 12
        SAVE_FREQ: 10
        """

    private func configuration(_ yaml: String, devices: Int = 8) throws -> ReferenceConfiguration {
        try ReferenceConfiguration(path: try directory.write(yaml, to: "configuration.yaml"), devices: devices)
    }

    private func problems(_ yaml: String) throws -> [RecipeError.Problem] {
        do {
            _ = try configuration(yaml)
            return []
        } catch let error as RecipeError {
            return error.faults.map(\.problem)
        }
    }

    /// The few-shot file and our own recipe for the same row say the same.
    @Test func theFewShotRowIsOurs() throws {
        let found = try configuration(Self.fewShot)
        #expect(found.effectiveBatch == 64)
        var recipe = found.recipe
        #expect(recipe.data.train == "splits/train1_few_shot_2.txt")
        #expect(recipe.data.val == "splits/val1.txt")
        #expect(recipe.data.labels == "labels.csv")
        #expect(recipe.data.root == nil)
        recipe.data.train = nil
        recipe.data.val = nil
        recipe.data.labels = nil
        #expect(recipe.evaluation.views == .single)
        recipe.evaluation = Recipe.Evaluation()
        #expect(try recipe == Recipe(path: fixturePath("../../Recipes/few-shot/prompt.yaml")))
        #expect(
            found.notTakenOver.map(\.key) == ["DATA.ROOT", "DATA.DATASET", "DATA.NUM_CLASSES", "MODEL.ARCH", "SAVE_FREQ"])
    }

    @Test(arguments: [(1, 8), (4, 32), (8, 64), (16, 128)])
    func theBatchFollowsTheDevices(devices: Int, batch: Int) throws {
        let found = try configuration(Self.fewShot, devices: devices)
        #expect(found.effectiveBatch == batch)
        #expect(found.recipe.training.batchSize == 4)
        #expect(found.recipe.training.accumulationSteps == 2 * devices)
    }

    /// What a file leaves out has the defaults of the reference, not ours.
    @Test func defaultsAreTheReferences() throws {
        let recipe = try configuration("OUTPUT: ''\n", devices: 1).recipe
        #expect(recipe.data.frames == 8)
        #expect(recipe.tuning == .both)
        #expect(recipe.prompts == Recipe.Prompts())
        #expect(recipe.training.epochs == 30 && recipe.training.warmupEpochs == 5)
        #expect(recipe.training.learningRate == 8e-6 && recipe.training.weightDecay == 1e-3)
        #expect(recipe.training.batchSize == 8 && recipe.training.accumulationSteps == 1)
        #expect(recipe.training.seed == 1024)
        #expect(recipe.augmentation.mixup == 0.8 && recipe.augmentation.cutmix == 1)
        #expect(recipe.compat == nil)
    }

    @Test func fullySupervised() throws {
        let found = try configuration(
            """
            DATA: {NUM_FRAMES: 16, ROOT: /videos}
            TRAIN: {BATCH_SIZE: 4, ACCUMULATION_STEPS: 16, LR: 2.2e-05}
            TEST: {MULTI_VIEW_INFERENCE: True}
            TRAINER: {ViFi_CLIP: {ZS_EVAL: False, USE: "both"}}
            """)
        var recipe = found.recipe
        #expect(found.effectiveBatch == 512 && recipe.data.root == "/videos")
        recipe.data.root = nil
        #expect(try recipe == Recipe(path: fixturePath("../../Recipes/fully-supervised/bridge-k400.yaml")))
    }

    @Test func single() throws {
        func recipe(_ yaml: String) throws -> Recipe { try configuration(yaml).recipe }
        #expect(try recipe("TRAINER: {ViFi_CLIP: {USE: image}}").tuning == .image)
        #expect(try recipe("TRAINER: {ViFi_CLIP: {USE: anything}}").tuning == .text)
        #expect(try recipe("TRAINER: {ViFi_CLIP: {ZS_EVAL: true}}").compat == [.bareNames])
        #expect(try recipe("TEST: {NUM_CLIP: 2, NUM_CROP: 3}").evaluation.views == Views("2x3"))
        // Without MixUp the reference does not cut and paste either (methods 1.3).
        #expect(try recipe("AUG: {MIXUP: 0}").augmentation.cutmix == 0)
        let deep = try recipe("TRAINER: {ViFi_CLIP: {PROMPT_MODEL: yes, N_CTX_VISION: 4, N_CTX_TEXT: 2}}").prompts
        // Depth 0 switches vision prompts off, whatever their number (methods 1.2).
        #expect(deep.visionTokens == 0 && deep.visionDepth == 0 && deep.textTokens == 2 && deep.textDepth == 1)
    }

    @Test func unknownKeysGetTheNearestName() throws {
        #expect(try problems("TRAIN: {EPOCH: 3}") == [.unknownKey(nearest: "TRAIN.EPOCHS")])
        #expect(try problems("EPOCHS: 3") == [.unknownKey(nearest: "EPOCHS")])
        #expect(try problems("MODLE: {ARCH: x}\nTRAIN: {LEARNING: 1}") == [.unknownKey(nearest: "MODEL"), .unknownKey(nearest: nil)])
        #expect(try problems("TRAINER: {ViFiCLIP: {USE: both}}") == [.unknownKey(nearest: "TRAINER.ViFi_CLIP")])
    }

    @Test func valuesThatWillNotDo() throws {
        #expect(try problems("TRAIN: {LR: fast}") == [.needs("a number", found: "fast")])
        #expect(try problems("TRAIN: {LR_SCHEDULER: linear}") == [.unknownChoice(found: "linear", choices: ["cosine"])])
        #expect(try problems("TRAIN: 3") == [.needs("a section of keys", found: "3")])
        #expect(try problems("TEST: {NUM_CROP: 2}") == [.outOfRange(found: "2", allowed: "1 or 3")])
        #expect(try problems("AUG: {MIXUP_SWITCH_PROB: 0.3}") == [.outOfRange(found: "0.3", allowed: "only 0.5")])
        #expect(try problems("TRAIN: {BATCH_SIZE: 0, EPOCHS: -1}").count == 2)
        #expect(try problems("TRAIN: {ACCUMULATION_STEPS: 60000}").count == 1)
        #expect(try problems("a: &x 1\nb: *x") == [.anchor])
        #expect(try problems("DATA: !!python/object/apply:os.system [id]") == [.tag("tag:yaml.org,2002:python/object/apply:os.system")])
    }

    // MARK: Bases

    @Test func filesGoOverTheirBases() throws {
        try createDirectory(directory.path("configs/few_shot"))
        try directory.write("TRAIN: {EPOCHS: 7, BATCH_SIZE: 2}\nSEED: 3", to: "configs/base.yaml")
        try directory.write("SEED: 4", to: "configs/other.yaml")
        try directory.write(
            "TRAIN: {EPOCHS: 9}\nBASE: ['../base.yaml', '', '../other.yaml']", to: "configs/few_shot/mine.yaml")
        let training = try ReferenceConfiguration(path: directory.path("configs/few_shot/mine.yaml"), devices: 1).recipe.training
        #expect(training.epochs == 9 && training.batchSize == 2 && training.seed == 4)
        #expect(try problems("BASE: ['']") == [])
    }

    @Test func basesStayInside() throws {
        let root = resolvedPath(directory.path) ?? ""
        #expect(try problems("BASE: ['configuration.yaml']") == [.baseCycle(path: "configuration.yaml")])
        for path in ["../../etc/passwd", "/etc/passwd"] {
            #expect(try problems("BASE: ['\(path)']") == [.baseOutside(path: path, root: root)])
        }
    }

    /// Eight levels that name the next one eight times: sixteen million files when all are read.
    @Test(.timeLimit(.minutes(15))) func towersOfBases() throws {
        for level in 0..<8 {
            let next = [String](repeating: "'\(level + 1).yaml'", count: 8).joined(separator: ", ")
            try directory.write("BASE: [\(next)]", to: "\(level).yaml")
        }
        try directory.write("SEED: 1", to: "8.yaml")
        #expect(throws: RecipeError.self) { try ReferenceConfiguration(path: directory.path("0.yaml"), devices: 8) }
    }

    @Test func notAFile() {
        #expect(throws: RecipeError.self) { try ReferenceConfiguration(path: directory.path("none.yaml"), devices: 8) }
        #expect(throws: RecipeError.self) { try ReferenceConfiguration(path: directory.path, devices: 8) }
    }
}
