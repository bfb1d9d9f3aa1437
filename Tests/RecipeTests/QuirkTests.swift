import CLIPModel
import Evaluation
import TestSupport
import Testing
import Training
import VideoData
import Experiments
import Recipes

/// Each quirk turns on its own fault of the reference, and nothing else.
@Suite struct QuirkTests {
    /// Everything that quirks can change, by name.
    private static func effects(_ quirks: Set<Quirk>) -> [String: String] {
        var recipe = Recipe()
        recipe.compat = quirks
        recipe.evaluation.views = Views("4x3")
        var transform = ClipTransform.Configuration()
        recipe.apply(to: &transform, own: .clip)
        var training = TrainingConfiguration()
        recipe.apply(to: &training)
        var loading = ClipLoader.Configuration()
        recipe.apply(toTests: &loading)
        let sampler = recipe.sampler(frameCount: 8)
        return [
            "normalization": "\(recipe.normalization(insteadOf: .clip))", "pixel mean": "\(transform.normalization.mean)",
            "pixels rounded": "\(transform.roundsToFloat16)", "text inputs rounded": "\(recipe.rounding.contains(.textInputs))",
            "prompts rounded": "\(recipe.rounding.contains(.prompts))", "misses tail": "\(sampler.missesTail)",
            "wraps": "\(sampler.wrapsShortVideos)", "draws views": "\(loading.drawsViews)", "views": "\(loading.viewCount)",
            "starts idle": "\(training.startsIdle)", "drops": "\(training.dropsAfterWarmup)",
            "discards": "\(training.discardsLeftovers)", "keeps underscores": "\(recipe.repeats(.keptUnderscores))",
            "template": recipe.testTemplate(hasPrompts: false) ?? "default",
            "template with prompts": recipe.testTemplate(hasPrompts: true) ?? "default",
            "turns": "\(recipe.pictures.appliesRotation)", "converts HDR": "\(recipe.pictures.convertsHighDynamicRange)",
            "frames": "\(sampler.sampleCount)", "rate": "\(training.learningRate)", "decay": "\(training.weightDecay)",
        ]
    }

    static let expected: [(Quirk, [String])] = [
        (.imageNetNormalization, ["normalization", "pixel mean"]), (.halfPrompts, ["prompts rounded"]),
        (.halfInputs, ["pixels rounded", "text inputs rounded"]), (.unseenTail, ["misses tail"]), (.wrappedFrames, ["wraps"]),
        (.randomViews, ["draws views"]), (.idleFirstStep, ["starts idle"]), (.unshiftedCosine, ["drops"]),
        (.unturnedFrames, ["turns"]), (.unconvertedHDR, ["converts HDR"]), (.discardedLeftovers, ["discards"]), (.keptUnderscores, ["keeps underscores"]), (.bareNames, ["template"]),
    ]

    @Test(arguments: expected)
    func eachChangesWhatItSays(quirk: Quirk, changed: [String]) {
        let before = Self.effects([])
        let after = Self.effects([quirk])
        #expect(before.keys.filter { before[$0] != after[$0] }.sorted() == changed.sorted())
    }

    @Test func everyQuirkIsInTheTable() { #expect(Set(Self.expected.map(\.0)) == Set(Quirk.allCases)) }

    @Test func withoutQuirksTheModulesDefaultsHold() {
        var training = TrainingConfiguration()
        Recipe().apply(to: &training)
        #expect(training == TrainingConfiguration())
        #expect(Recipe().sampler(frameCount: 8) == FrameSampler(sampleCount: 8))
        #expect(Recipe().pictures == PictureRules())
        #expect(Recipe().rounding == [])
        #expect(Recipe().normalization(insteadOf: .imageNet) == .imageNet)
    }

    /// A recipe that names a normalization means it.
    @Test func aNamedNormalizationGoesOverTheQuirk() {
        var recipe = Recipe()
        recipe.compat = Quirk.ofViFiCLIP
        recipe.model.normalization = .clip
        #expect(recipe.normalization(insteadOf: .clip) == .clip)
    }

    /// One view in time is the middle one in the reference too.
    @Test func singleViewsAreNotDrawn() {
        var recipe = Recipe()
        recipe.compat = [.randomViews]
        var loading = ClipLoader.Configuration()
        recipe.apply(toTests: &loading)
        #expect(loading == ClipLoader.Configuration())
        recipe.evaluation.views = Views("1x3")
        recipe.apply(toTests: &loading)
        #expect(!loading.drawsViews)
    }

    // MARK: How they are written

    static let spellings: [(String, Set<Quirk>)] = [
        ("compat: vifi-clip", Quirk.ofViFiCLIP), ("compat: none", []), ("compat: [none]", []), ("compat: []", []),
        ("compat: half-prompts", [.halfPrompts]), ("compat: half-prompts, unseen-tail", [.halfPrompts, .unseenTail]),
        ("compat: [bare-names, 'unseen-tail']", [.bareNames, .unseenTail]),
        ("compat: [vifi-clip, bare-names, unturned-frames]", Set(Quirk.allCases)),
    ]

    @Test(arguments: spellings)
    func waysToWriteThem(yaml: String, quirks: Set<Quirk>) throws {
        let recipe = try Recipe(yaml: yaml, source: "r")
        #expect(recipe.compat == quirks)
        #expect(try Recipe(yaml: recipe.yaml, source: "printed") == recipe)
    }

    @Test func upperRecipesReplaceTheQuirksOfLowerOnes() throws {
        let lower = try Recipe(yaml: "compat: vifi-clip", source: "lower")
        #expect(Recipe().merged(over: lower).compat == Quirk.ofViFiCLIP)
        #expect(try Recipe(yaml: "compat: none", source: "upper").merged(over: lower).compat == [])
    }

    @Test func unknownOnesAreRefused() {
        let error = #expect(throws: RecipeError.self) { try Recipe(yaml: "compat: [half-promts]", source: "r") }
        #expect(error.map { "\($0)" }?.hasSuffix("Did you mean 'half-prompts'?") == true)
        #expect(throws: RecipeError.self) { try Recipe(yaml: "compat: \"\"", source: "r") }
        #expect(throws: RecipeError.self) { try Recipe(yaml: "compat: {half-prompts: true}", source: "r") }
        #expect(throws: RecipeError.self) { try Recipe(yaml: "compat: half-prompts,,unseen-tail", source: "r") }
    }

    @Test(arguments: [("4x3", 4, 3), ("1x1", 1, 1), ("64x3", 64, 3)])
    func views(text: String, clips: Int, crops: Int) throws {
        let recipe = try Recipe(yaml: "evaluation: {views: \(text)}", source: "r")
        #expect(recipe.evaluation.views?.clips == clips && recipe.evaluation.views?.crops == crops)
        #expect(try Recipe(yaml: recipe.yaml, source: "printed") == recipe)
    }

    @Test(arguments: ["4x2", "0x3", "65x1", "4", "x", "4x", "4x3x1", "-4x3", "4 x 3", "99999999999999999999x3", "+4x3", "٤x3"])
    func viewsThatAreNone(text: String) {
        #expect(throws: RecipeError.self) { try Recipe(yaml: "evaluation: {views: '\(text)'}", source: "r") }
    }
}
