import ArgumentParser
import CLIPModel
import Files
import Tensors
import Training
import VideoData

/// Films with captions, in place of films with classes.
struct CaptionOptions: ParsableArguments {
    /// What `--captions` takes for the films that come with the program.
    static let pocketName = "pocket"

    @Option(
        help: ArgumentHelp(
            "Learn from captions instead of classes: CSV with the header `video,caption`, or `pocket` for the pocket world's.",
            valueName: "csv"))
    var captions: String?

    @Option(help: ArgumentHelp("With --captions: test captions, in the same form.", valueName: "csv"))
    var valCaptions: String?

    @Option(
        help: ArgumentHelp(
            "With --captions: most tokens of a caption, start and end token included; what is longer is cut. The text tower's all by default.",
            valueName: "tokens"))
    var maxWords: Int?

    func validate() throws { try Self.check(maxWords: maxWords) }

    static func check(maxWords: Int?) throws {
        if let maxWords, !(3...1024).contains(maxWords) {
            throw ValidationError("--max-words is \(maxWords); 3 (one token between start and end) to 1024 make sense.")
        }
    }

    func apply(to recipe: inout Recipe) {
        recipe.data.captions = captions ?? recipe.data.captions
        recipe.data.valCaptions = valCaptions ?? recipe.data.valCaptions
        recipe.data.maxWords = maxWords ?? recipe.data.maxWords
    }
}

/// The tokens of what a run learns from: of class names, or of captions.
struct RunTexts {
    let sequences: [[Int]]
    /// Of the test captions.
    var valSequences: [[Int]]?
    /// The film of each caption; nil for classes.
    var videoOfCaption: [Int]?

    init(_ data: RunData, settings: Settings, prompts: PromptConfiguration, backbone: Backbone, tokenizer: any Tokenizer) throws {
        guard let (train, val) = data.captions else {
            sequences = try backbone.sequences(
                of: data.classes.names, prompts: prompts, template: settings.recipe.template,
                keepsUnderscores: settings.recipe.repeats(.keptUnderscores), tokenizer: tokenizer)
            return
        }
        func tokens(_ list: CaptionList) throws -> [[Int]] {
            try backbone.tokens(
                of: list, prompts: prompts, template: settings.recipe.template, maxWords: settings.recipe.data.maxWords,
                tokenizer: tokenizer)
        }
        sequences = try tokens(train)
        valSequences = try val.map(tokens)
        videoOfCaption = train.captions.map(\.video)
    }
}

extension Backbone {
    /// The tokens of a list's captions; says how many had to be cut.
    func tokens(
        of list: CaptionList, prompts: PromptConfiguration, template: String?, maxWords: Int?, tokenizer: any Tokenizer
    ) throws -> [[Int]] {
        let made = try sequences(
            ofCaptions: list.captions.map(\.text), prompts: prompts, template: template, maxWords: maxWords, tokenizer: tokenizer)
        if made.cutCount > 0 {
            Console.warning(
                "\(list.path.escapedForDisplay): \(made.cutCount) of \(counted(made.sequences.count, "caption", "captions")) "
                    + "\(made.cutCount == 1 ? "has" : "have") more than \(made.tokenLimit) tokens and \(made.cutCount == 1 ? "loses its end" : "lose their end").")
        }
        return made.sequences
    }
}

extension LearningRun {
    /// Bytes of the clips of a batch, which captions need all at once: as they were loaded, and as matrices.
    static func batchBytes(_ settings: Settings, side: Int) -> Int {
        guard settings.hasCaptions else { return 0 }
        return 2 * (settings.recipe.training.batchSize ?? 1) * settings.frameCount * 3 * side * side * 4
    }
}
