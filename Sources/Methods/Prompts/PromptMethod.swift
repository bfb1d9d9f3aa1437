import CLIPModel
import Files
import Tensors

/// A way of prompting a frozen CLIP whose result is prompt tokens of both towers, learned words or pixels, and what stands behind the
/// image tower. What it learns may be something else, from which the prompts follow.
///
/// Each method stands in a file of its own with its numbers and its source; `Experiments` lists them.
package struct PromptMethod: Sendable {
    /// As a person types it.
    package let name: String
    /// One line for people, beside the name.
    package let summary: String
    /// The numbers of the method's authors; layers stand for as many as the towers have.
    package let shape: Shape
    /// What holds the prompts near the CLIP without prompts.
    package let regularizer: PromptRegularizer?
    /// Whether vision prompts follow from the text prompts: then both towers have as many, and learning cannot start from
    /// prompts, which do not tell what they follow from.
    package let couplesTowers: Bool
    /// Whether its text prompts are words of the input alone, which may stand elsewhere or be others for each class.
    package var learnsInputWords: Bool { shape.textDepth == 1 && shape.visionDepth == 0 && !followsVideos }
    /// Whether a network moves the text prompts with each video, whose texts are then its own. Text prompts of the first layer
    /// learn with it, from the template's words on, and nothing else.
    package let followsVideos: Bool
    /// Words that are learned around class names, in place of text prompts; nil for none.
    package let words: LearnedWords?
    /// What is learned behind the image tower; nil for the fusion that is asked for.
    package let temporal: TemporalDesign?
    /// Its authors' optimizer, where ViFi-CLIP's does not stand in its place.
    package let training: Training?
    /// What its numbers are added to in every frame; nil for a method of tokens or words.
    package private(set) var pixels: PixelArea.Form?
    /// The sentence in which it reads class names; nil for the one that is asked for.
    package private(set) var template: String?
    /// The rate of its authors' gradient descent with momentum; nil for AdamW.
    package private(set) var descentRate: Double?
    private let makeSource: @Sendable (Start) throws(PromptMethodError) -> any PromptSource

    /// How many prompts there are, from the first layers on; 0 for none.
    package struct Shape: Sendable, Equatable {
        package let visionTokens: Int
        package let visionDepth: Int
        package let textTokens: Int
        package let textDepth: Int
    }

    /// AdamW and the rates of its authors' runs. They learn from features that are computed once.
    package struct Training: Sendable {
        package let learningRate: Double
        package let weightDecay: Double
        package let beta2: Double
        /// Steps after which the cosine of the rate begins anew.
        package let cosineSteps: Int
    }

    /// What learning starts from.
    package struct Start {
        /// Drawn or made of words; a method may take one tower's and make the other's.
        package let prompts: PromptSet<MutableMatrix>
        package let architecture: CLIPArchitecture
        /// Names the random streams of what is drawn beside the prompts.
        package let seed: UInt64

        package init(prompts: PromptSet<MutableMatrix>, architecture: CLIPArchitecture, seed: UInt64) {
            (self.prompts, self.architecture, self.seed) = (prompts, architecture, seed)
        }
    }

    /// A method whose prompts learn themselves, and what moves them with each video.
    init(_ name: String, summary: String, shape: Shape, regularizer: PromptRegularizer? = nil, followsVideos: Bool = false) {
        (self.name, self.summary, self.shape, self.regularizer, self.followsVideos) = (name, summary, shape, regularizer, followsVideos)
        couplesTowers = false
        (words, temporal, training) = (nil, nil, nil)
        makeSource = { start in DirectPrompts(start.prompts, architecture: start.architecture) }
    }

    /// A method that learns text prompts, and what vision prompts follow from them.
    init(
        _ name: String, summary: String, shape: Shape, makeSource: @escaping @Sendable (Start) throws(PromptMethodError) -> any PromptSource
    ) {
        (self.name, self.summary, self.shape, self.makeSource) = (name, summary, shape, makeSource)
        regularizer = nil
        followsVideos = false
        couplesTowers = true
        (words, temporal, training) = (nil, nil, nil)
    }

    /// A method that learns words around class names and a transformer over frames, and leaves both towers as they are.
    init(_ name: String, summary: String, words: LearnedWords, temporal: TemporalDesign, training: Training) {
        (self.name, self.summary, self.words, self.temporal, self.training) = (name, summary, words, temporal, training)
        shape = Shape(visionTokens: 0, visionDepth: 0, textTokens: 0, textDepth: 0)
        regularizer = nil
        followsVideos = false
        couplesTowers = false
        makeSource = { start in DirectPrompts(start.prompts, architecture: start.architecture) }
    }

    /// A method that learns numbers that are added to the pixels of every frame.
    init(_ name: String, summary: String, pixels: PixelArea.Form, template: String, descentRate: Double) {
        self.init(name, summary: summary, shape: Shape(visionTokens: 0, visionDepth: 0, textTokens: 0, textDepth: 0))
        (self.pixels, self.template, self.descentRate) = (pixels, template, descentRate)
    }

    /// What it learns and nothing else, for people; nil where other settings have room beside it.
    package var onlyLearns: String? {
        temporal != nil ? "words around the class names and a transformer over frames"
            : followsVideos ? "words before the class names and what moves them with each video"
            : pixels != nil ? "numbers that are added to the pixels of every frame" : nil
    }

    /// Whether prompts tell all that learning goes on from.
    package var startsFromPrompts: Bool { !couplesTowers && temporal == nil && !followsVideos }

    /// What learns.
    ///
    /// - Throws: where the prompts have a shape that the method cannot make.
    package func source(_ start: Start) throws(PromptMethodError) -> any PromptSource { try makeSource(start) }
}

/// What a method of prompting cannot do.
package enum PromptMethodError: ReportableError, Equatable {
    /// Each vision prompt follows from a text prompt, so that both towers have as many, in as many layers from the first on.
    case unequalSides(method: String, vision: String, text: String)

    package var exitStatus: ExitStatus { .badConfiguration }

    package var description: String {
        switch self {
        case .unequalSides(let method, let vision, let text):
            "--method \(method) makes each vision prompt from a text prompt of the same layer, but the vision tower would have \(vision), the "
                + "text tower \(text). Give both the same tokens and depth, from the first layer on."
        }
    }
}
