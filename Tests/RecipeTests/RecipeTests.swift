import CLIPModel
import TestSupport
import Testing
import Recipes

@Suite struct RecipeTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private static let whole = """
        # vifi-prompt learn --recipe hmdb51-2.yaml > log 2>&1
        model:
          checkpoint: Checkpoints/vit b16.safetensors   # a space is fine
          normalization: imagenet
          precision: auto
        data: {train: train.txt, val: 'val.txt', labels: "labels, \\"quoted\\".csv", root: /videos, frames: 32, side: 224, on_bad_video: replace}
        prompts:
          vision_tokens: 10
          text_tokens: 10
          vision_depth: 12
          text_depth: 12
        tuning: both
        fusion: decision
        training:
          epochs: 50
          steps: 100
          batch_size: 4
          accumulation_steps: 2
          learning_rate: 8.e-3
          warmup_epochs: 5
          weight_decay: 0.001
          seed: 1024
          shots: 2
        augmentation:
          flip: 0.5
          color_jitter: .8
          gray: 2e-1
          mixup: 0.8
          cutmix: 1
          label_smoothing: 0.1
          multi_scale: true
        template: a photo of a {}.
        evaluation: {views: 4x3}
        compat: [half-prompts, random-views]
        """

    @Test func everyKey() throws {
        let recipe = try Recipe(yaml: Self.whole, source: "whole")
        #expect(recipe.model.checkpoint == "Checkpoints/vit b16.safetensors")
        #expect(recipe.model.normalization == .imagenet)
        #expect(recipe.model.precision == .auto)
        #expect(recipe.data.train == "train.txt")
        #expect(recipe.data.val == "val.txt")
        #expect(recipe.data.labels == "labels, \"quoted\".csv")
        #expect(recipe.data.root == "/videos")
        #expect(recipe.data.frames == 32)
        #expect(recipe.data.side == 224)
        #expect(recipe.data.onBadVideo == .replace)
        #expect(recipe.prompts.visionTokens == 10)
        #expect(recipe.prompts.textTokens == 10)
        #expect(recipe.prompts.visionDepth == 12)
        #expect(recipe.prompts.textDepth == 12)
        #expect(recipe.tuning == .both)
        #expect(recipe.fusion == .decision)
        #expect(recipe.training.epochs == 50)
        #expect(recipe.training.steps == 100)
        #expect(recipe.training.batchSize == 4)
        #expect(recipe.training.accumulationSteps == 2)
        #expect(recipe.training.learningRate == 8e-3)
        #expect(recipe.training.warmupEpochs == 5)
        #expect(recipe.training.weightDecay == 1e-3)
        #expect(recipe.training.seed == 1024)
        #expect(recipe.training.shots == 2)
        #expect(recipe.augmentation.flip == 0.5)
        #expect(recipe.augmentation.colorJitter == 0.8)
        #expect(recipe.augmentation.gray == 0.2)
        #expect(recipe.augmentation.mixup == 0.8)
        #expect(recipe.augmentation.cutmix == 1)
        #expect(recipe.augmentation.labelSmoothing == 0.1)
        #expect(recipe.augmentation.multiScale == true)
        #expect(recipe.template == "a photo of a {}.")
        #expect(recipe.evaluation.views == Views("4x3"))
        #expect(recipe.compat == [.halfPrompts, .randomViews])
    }

    /// Recipes of before the American spelling stay readable.
    @Test func formerSpellingsAreRead() throws {
        let former = try Recipe(
            yaml: "model:\n  normalisation: imagenet\naugmentation:\n  colour_jitter: 0.5\n  grey: 0.1\ncompat: imagenet-normalisation\n",
            source: "former")
        let recipe = try Recipe(
            yaml: "model:\n  normalization: imagenet\naugmentation:\n  color_jitter: 0.5\n  gray: 0.1\ncompat: imagenet-normalization\n",
            source: "new")
        #expect(former == recipe)
        #expect(recipe.augmentation.colorJitter == 0.5 && recipe.augmentation.gray == 0.1 && recipe.compat == [.imageNetNormalization])
        #expect(throws: RecipeError.self) {
            try Recipe(yaml: "augmentation:\n  gray: 0.1\n  grey: 0.1\n", source: "both")
        }
    }

    /// Whoever names another method of prompting wants its numbers, not those of the recipe below.
    @Test func methodsLeaveTheNumbersBelow() throws {
        let below = try Recipe(yaml: "prompts: {vision_tokens: 4, vision_depth: 4, text_layers: 1-2, start: template}\n", source: "below")
        let upper = try Recipe(yaml: "prompts: {method: maple, text_tokens: 3}\n", source: "upper")
        let merged = upper.merged(over: below).prompts
        #expect(merged.method == "maple" && merged.textTokens == 3 && merged.start == .template)
        #expect(merged.visionTokens == nil && merged.visionDepth == nil && merged.textLayers == nil)
        #expect(upper.merged(over: upper.merged(over: below)).prompts == merged)
        var assigned = below
        try assigned.set("prompts.method=maple")
        try assigned.set("prompts.text_tokens=3")
        #expect(assigned.prompts == merged)
        try assigned.set("prompts.method=maple")
        #expect(assigned.prompts == merged)
    }

    /// What a step compares, of classes and of captions, and when a run ends before its length.
    @Test func lossesAndEnds() throws {
        let recipe = try Recipe(yaml: "training:\n  loss: batch\n  early_stop: 3\n", source: "batches")
        #expect(recipe.training.loss == .batch && recipe.training.earlyStop == 3 && recipe.training.loss?.pairs == nil)
        #expect(try Recipe(yaml: recipe.yaml, source: "again") == recipe)
        for (word, pairs) in [("classes", nil), ("contrastive", PairLoss.contrastive), ("sigmoid", .sigmoid)] {
            #expect(try #require(Recipe(yaml: "training: {loss: \(word)}", source: word).training.loss).pairs == pairs)
        }
        for wrong in ["loss: pairs", "early_stop: 0", "early_stop: often"] {
            #expect(throws: RecipeError.self) { try Recipe(yaml: "training: {\(wrong)}", source: "wrong") }
        }
    }

    /// Layers and depth say the same thing in two ways: the upper recipe's way counts.
    @Test func layersGoOverDepthsAndBack() throws {
        let deep = try Recipe(yaml: "prompts:\n  vision_depth: 12\n  text_depth: 12\n  vision_tokens: 10\n", source: "deep")
        let late = try Recipe(yaml: "prompts:\n  vision_layers: 6-11\n  text_layers: none\naugmentation:\n  fixed_frames: true\n", source: "late")
        #expect(late.prompts.visionLayers?.range == 6..<12 && late.prompts.textLayers == PromptLayers.none)
        #expect(late.augmentation.fixedFrames == true)
        #expect(try Recipe(yaml: "training:\n  backward_frames: 4\n", source: "some").merged(over: late).training.backwardFrames == 4)
        #expect(throws: RecipeError.self) { try Recipe(yaml: "training:\n  backward_frames: 0\n", source: "none") }
        let few = try Recipe(yaml: "training:\n  frames_schedule: 4,8,16\n", source: "few")
        #expect(try few.training.framesSchedule?.counts == [4, 8, 16] && Recipe(yaml: few.yaml, source: "printed") == few)
        for wrong in ["8", "8,4", "4,4", "0,4", "4,x", "4,"] {
            #expect(throws: RecipeError.self) { try Recipe(yaml: "training:\n  frames_schedule: '\(wrong)'\n", source: "none") }
        }
        #expect(try Recipe(yaml: "prompts:\n  merge_tokens: 4\n", source: "some").merged(over: late).prompts.mergeTokens == 4)
        #expect(throws: RecipeError.self) { try Recipe(yaml: "prompts:\n  merge_tokens: -1\n", source: "none") }
        #expect(try Recipe(yaml: "prompts:\n  behind_norm: true\n", source: "some").merged(over: late).prompts.behindNorm == true)
        #expect(try Recipe(yaml: late.yaml, source: "printed") == late)
        let upper = late.merged(over: deep)
        #expect(upper.prompts.visionDepth == nil && upper.prompts.textDepth == nil && upper.prompts.visionTokens == 10)
        let lower = deep.merged(over: late)
        #expect(lower.prompts.visionLayers == nil && lower.prompts.textLayers == nil && lower.prompts.visionDepth == 12)
        for value in ["11-6", "six", "-1", "6-", "1000"] {
            #expect(throws: RecipeError.self) { try Recipe(yaml: "prompts:\n  vision_layers: \(value)\n", source: "bad") }
        }
    }

    @Test func whatIsPrintedReadsBack() throws {
        var recipe = try Recipe(yaml: Self.whole, source: "whole")
        #expect(try Recipe(yaml: recipe.yaml, source: "printed") == recipe)
        recipe.template = "tab\t\u{85} \"{}\" \\ é"
        recipe.training.learningRate = 8e-6
        #expect(recipe.yaml.contains("learning_rate: 8e-06\n"))
        #expect(recipe.yaml.contains(#"template: "tab\U00000009\U00000085 \"{}\" \\ é""#))
        // `&` would be refused as an anchor unless it is spelled out.
        recipe.template = nil
        recipe.data.train = "R&B/list\u{200D}.txt"
        #expect(try Recipe(yaml: recipe.yaml, source: "printed").data.train == recipe.data.train)
    }

    @Test func sectionsArePrintedInOrder() throws {
        var recipe = Recipe()
        #expect(recipe.yaml == "")
        recipe.fusion = .image
        recipe.data.frames = 8
        recipe.training.epochs = 3
        recipe.training.learningRate = 0.5
        #expect(
            recipe.yaml == """
                data:
                  frames: 8
                fusion: image
                training:
                  epochs: 3
                  learning_rate: 0.5

                """)
    }

    @Test func flagsGoOverRecipesGoOverDefaults() throws {
        let defaults = try Recipe(yaml: "training: {epochs: 10, seed: 1, batch_size: 4}\nfusion: embedding", source: "d")
        let recipe = try Recipe(yaml: "training: {epochs: 20, seed: 2}\ndata: {frames: 8}", source: "r")
        var flags = Recipe()
        flags.training.epochs = 30
        #expect(
            flags.merged(over: recipe.merged(over: defaults))
                == (try Recipe(
                    yaml: "training: {epochs: 30, seed: 2, batch_size: 4}\nfusion: embedding\ndata: {frames: 8}",
                    source: "expected")))
    }

    @Test func settingOneKey() throws {
        var recipe = Recipe()
        try recipe.set("training.learning_rate=8.e-6")
        try recipe.set("template=an {} = act")
        try recipe.set("fusion=image")
        #expect(recipe.training.learningRate == 8e-6)
        #expect(recipe.template == "an {} = act")
        #expect(recipe.fusion == .image)
        for (assignment, message) in [
            ("training.epoch=3", "--set: training.epoch: unknown key. Did you mean 'epochs'?"),
            ("training.epochs=0", "--set: training.epochs: 0 is out of range; 1 to 100000 is allowed."),
            ("training=3", "--set: training: '3' is not a section of keys."),
            ("fusion.x=3", "--set: fusion: 'a section' is not one of embedding, decision, image."),
            ("template=", "--set: template: has no value. Give one or leave the line out."),
            ("epochs", "--set: 'epochs' is not key=value."),
            ("=3", "--set: '=3' is not key=value."),
            ("..=3", "--set: unknown key."),
        ] {
            let error = #expect(throws: RecipeError.self) { try recipe.set(assignment) }
            #expect(error.map { "\($0)" } == message)
        }
    }

    // MARK: Bases

    @Test func recipesStandOnRecipes() throws {
        try directory.write("training: {epochs: 1, seed: 1, batch_size: 1}", to: "a.yaml")
        try directory.write("base: a.yaml\ntraining: {epochs: 2, seed: 2}", to: "b.yaml")
        try directory.write("training: {epochs: 3}\nbase: ./b.yaml", to: "c.yaml")
        let recipe = try Recipe(path: directory.path("c.yaml"))
        #expect(recipe.training.epochs == 3)
        #expect(recipe.training.seed == 2)
        #expect(recipe.training.batchSize == 1)
    }

    @Test func pathsMayStartFromTheRecipesFolder() throws {
        try directory.write("data: {train: ./a.txt, val: lists/b.txt, labels: ././/c.csv, root: ./}", to: "r.yaml")
        let recipe = try Recipe(path: directory.path("r.yaml"))
        #expect(recipe.data.train == directory.path("a.txt") && recipe.data.labels == directory.path("c.csv"))
        #expect(recipe.data.val == "lists/b.txt" && recipe.data.root == directory.path)
        // In the folder itself nothing is put before them, so that they can be written down again.
        var here = try Recipe(yaml: "data: {train: ./a.txt, val: ../b.txt, labels: .c}", source: "r")
        here.startOwnPaths(from: ".")
        #expect(here.data.train == "a.txt" && here.data.val == "../b.txt" && here.data.labels == ".c")
    }

    @Test func theRootIsTheOutermostRecipesFolder() throws {
        let folder = directory.path("Recipes")
        try makeDirectory(folder + "/few-shot")
        try directory.write("training: {epochs: 1}", to: "Recipes/common.yaml")
        try directory.write("training: {epochs: 1}", to: "outside.yaml")
        try directory.write("base: ../common.yaml", to: "Recipes/few-shot/a.yaml")
        try directory.write("base: ../../outside.yaml", to: "Recipes/few-shot/b.yaml")
        #expect(try Recipe(path: folder + "/few-shot/a.yaml").training.epochs == 1)
        #expect(throws: RecipeError.self) { try Recipe(path: folder + "/few-shot/b.yaml") }
    }

    @Test func allFaultsOfAllFilesAreReported() throws {
        try directory.write("training: {epochs: none}\n", to: "base.yaml")
        let path = try directory.write(
            "base: base.yaml\nmodle: {}\ntraining:\n  batch_size: 0\n  learning_rat: 1\n\nfusion: late\n", to: "top.yaml")
        let error = #expect(throws: RecipeError.self) { try Recipe(path: path) }
        #expect(
            error.map { "\($0)" } == """
                \(path):2: modle: unknown key. Did you mean 'model'?
                \(path):4: training.batch_size: 0 is out of range; 1 to 65536 is allowed.
                \(path):5: training.learning_rat: unknown key. Did you mean 'learning_rate'?
                \(path):7: fusion: 'late' is none of embedding, decision, image.
                \(directory.path("base.yaml")):1: training.epochs: 'none' is not a whole number.
                """)
        #expect(error?.exitStatus.rawValue == 78)
    }
}
