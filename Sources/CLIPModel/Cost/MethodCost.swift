/// What a method holds and computes.
package struct MethodCost: Sendable, Equatable {
    /// Numbers in a model.
    package struct Parameters: Sendable, Equatable, Codable {
        /// Of CLIP's vision tower.
        package var vision: Int
        /// Of CLIP's text tower, without the table of tokens.
        package var text: Int
        /// Of the table of tokens, which ViFi-CLIP neither trains nor saves.
        package var tokenEmbedding: Int
        /// What the method adds to CLIP.
        package var added: Int
        package var trained: Int
        /// All of these, with the logit scale.
        package var total: Int { vision + text + tokenEmbedding + added + 1 }

        enum CodingKeys: String, CodingKey {
            case vision, text, added, trained
            case tokenEmbedding = "token_embedding"
        }
    }

    /// Multiply-adds of products with weights and of attention, forward.
    package struct Work: Sendable, Equatable {
        /// Of one view: all frames of a clip.
        package var view: Int
        /// Of one text.
        package var text: Int
        /// Of the texts of all classes.
        package var texts: Int
    }

    package let parameters: Parameters
    /// As the methods' own code computes it: every token of every frame, texts padded to the context's length.
    package let whole: Work
    /// As this program does, which gives the same numbers; nil for methods that it does not run.
    package let needed: Work?

    /// - Parameters:
    ///   - sequences: one token sequence a class, for what is needed; they begin with as many tokens as the
    ///     method has text prompts, or with the template.
    package init(
        _ method: Method, architecture: CLIPArchitecture, frameCount: Int, classCount: Int, sequences: [[Int]]
    ) {
        self.init(
            method.kind, isOurs: method.isOurs, architecture: architecture, frameCount: frameCount, classCount: classCount, sequences: sequences)
    }

    /// Of a model with settings of its own.
    ///
    /// - Parameter isOurs: whether this program runs it.
    package init(
        _ kind: Method.Kind, isOurs: Bool = true, architecture: CLIPArchitecture, frameCount: Int, classCount: Int, sequences: [[Int]]
    ) {
        let forms = ClosedForms(architecture: architecture, frameCount: frameCount)
        parameters = forms.parameters(kind)
        whole = forms.work(kind, classCount: classCount)
        guard isOurs else {
            needed = nil
            return
        }
        let architecture = Self.architecture(of: kind, on: architecture, frameCount: frameCount)
        let learned: LearnedPart = switch kind {
        case .fineTuning(let tuning): .backbone(tuning)
        case .actionCLIP: .backbone(.both)
        case .xCLIP: .backbone(.image)
        // What prompts are computed from is computed once, and not for each view. Texts that follow a view are counted with the texts.
        default: .prompts(kind.prompts.unmoved)
        }
        let all = OperationCount(architecture, learned: learned, sequences: sequences, frameCount: frameCount)
        let one = OperationCount(architecture, learned: learned, sequences: Array(sequences.prefix(1)), frameCount: frameCount)
        needed = Work(
            view: all.clipForward + forms.temporalWork(kind) + forms.netWork(kind),
            text: one.textForward + one.textCachedPrefix + forms.textWork(kind, classCount: 1),
            texts: all.textForward + all.textCachedPrefix + forms.textWork(kind, classCount: classCount))
    }
}

extension MethodCost {
    /// The towers as a method changes them.
    package static func architecture(of kind: Method.Kind, on architecture: CLIPArchitecture, frameCount: Int) -> CLIPArchitecture {
        guard kind == .xCLIP, architecture.crossFrame == nil else { return architecture }
        var architecture = architecture
        architecture.crossFrame = CrossFrameArchitecture(frameCount: frameCount, width: architecture.embeddingWidth)
        return architecture
    }

    /// Multiply-adds of what a method computes of each clip behind the image tower, forward: a transformer over its frames, and texts of
    /// all classes that look at it.
    package static func headWork(_ kind: Method.Kind, architecture: CLIPArchitecture, frameCount: Int, classCount: Int) -> Int {
        let forms = ClosedForms(architecture: architecture, frameCount: frameCount)
        return forms.temporalWork(kind) + forms.textWork(kind, classCount: classCount)
    }

    /// What a method's own code computes of each clip beside CLIP's frames and texts, forward.
    package static func wholeHeadWork(_ kind: Method.Kind, architecture: CLIPArchitecture, frameCount: Int, classCount: Int) -> Int {
        switch kind {
        case .temporalBlocks, .actionCLIP, .xCLIP: break
        case .fineTuning, .prompts, .coupledPrompts: return 0
        }
        let work = ClosedForms(architecture: architecture, frameCount: frameCount).work(kind, classCount: classCount)
        return work.view - frameCount * OperationCount.wholeFrame(architecture) + work.texts - classCount * OperationCount.wholeText(architecture)
    }
}

/// The sizes of the methods as their code has them (`methods.md` 1.8, 4 to 8.6).
private struct ClosedForms {
    let architecture: CLIPArchitecture
    let frameCount: Int

    private var vision: CLIPArchitecture.Tower { architecture.vision }
    private var width: Int { architecture.embeddingWidth }
    /// Blocks over frames have the width of the joint space.
    private var temporal: CLIPArchitecture.Tower { .init(width: width, layerCount: 1) }
    /// Weights, biases and both norms of a block whose MLP is four times as wide.
    private var temporalBlock: Int { 12 * width * width + 13 * width }

    // MARK: Parameters

    func parameters(_ kind: Method.Kind) -> MethodCost.Parameters {
        let backbone = BackboneParameters<TensorSpecification>(of: architecture)
        let visionCount = backbone.vision.all.reduce(0) { $0 + $1.count }
        let tokens = backbone.text.tokenEmbedding.count
        let textCount = backbone.text.all.reduce(0) { $0 + $1.count } - tokens
        var result = MethodCost.Parameters(vision: visionCount, text: textCount, tokenEmbedding: tokens, added: 0, trained: 0)
        switch kind {
        case .fineTuning(let tuning):
            result.trained = switch tuning {
            case .both: visionCount + textCount + 1
            case .image: visionCount
            case .text: textCount
            case .lora: LowRankUpdates.parameterCount(rank: LowRankUpdates.standardRank, architecture: architecture)
            }
        case .prompts(let prompts):
            result.added = prompts.parameterCount(for: architecture)
            result.trained = result.added
        case .coupledPrompts(let tokens, let depth):
            let projection = architecture.text.width * vision.width + vision.width
            result.added = depth * (tokens * architecture.text.width + projection)
            result.trained = result.added
        case .temporalBlocks(let count):
            result.added = architecture.contextLength * architecture.text.width + frameCount * width + count * temporalBlock
            result.trained = result.added
        case .actionCLIP:
            result.added = architecture.contextLength * width + 6 * temporalBlock
            result.trained = result.total
        case .xCLIP:
            result.added = xCLIPParameters
            result.trained = visionCount + result.added
        }
        return result
    }

    private var xCLIPParameters: Int {
        let wide = vision.width
        // message_fc, message_attn with biases, message_ln.
        let messages = vision.layerCount * (wide * wide + wide + 4 * wide * wide + 4 * wide + 2 * wide)
        let integration = frameCount * width + temporalBlock
        // Queries, keys and values without biases, output with; two norms; the MLP.
        let layer = 4 * width * width + width + 4 * width + 8 * width * width + 5 * width
        let generator = 2 * width + 2 * layer + width
        return messages + integration + generator + 2 * wide + wide * width
    }

    // MARK: Multiply-adds

    /// Of a network that moves words with each video.
    func netWork(_ kind: Method.Kind) -> Int { kind.prompts.metaNetWidth.map { architecture.metaNetShape(hiddenWidth: $0).productCount } ?? 0 }

    /// Of what stands behind the image tower, in which nothing is spared: layers over frames.
    func temporalWork(_ kind: Method.Kind) -> Int {
        let count = switch kind {
        case .temporalBlocks(let count): count
        case .actionCLIP: 6
        case .xCLIP: 1
        default: 0
        }
        // The mean of an X-CLIP's patches is projected once.
        return count * OperationCount.wholeBlock(temporal, tokens: frameCount) + (kind == .xCLIP ? architecture.patchCount * vision.width * width : 0)
    }

    /// Of what makes texts depend on a video.
    func textWork(_ kind: Method.Kind, classCount: Int) -> Int {
        guard kind == .xCLIP else { return 0 }
        // Keys and values of the video are the same for every text.
        let video = 2 * 2 * architecture.patchCount * width * width
        return video + classCount * 2 * (10 * width * width + 2 * architecture.patchCount * width)
    }

    func work(_ kind: Method.Kind, classCount: Int) -> MethodCost.Work {
        let text = OperationCount.wholeText(architecture)
        var work = MethodCost.Work(view: 0, text: text, texts: classCount * text)
        func frames(_ prompts: Int) -> Int { frameCount * OperationCount.wholeFrame(architecture, promptTokens: prompts) }
        switch kind {
        case .fineTuning: work.view = frames(0)
        case .prompts(let prompts): work.view = frames(prompts.visionTokens) + netWork(kind)
        case .coupledPrompts(let tokens, let depth):
            work.view = frames(tokens) + depth * tokens * architecture.text.width * vision.width
        case .temporalBlocks, .actionCLIP: work.view = frames(0) + temporalWork(kind)
        case .xCLIP:
            work.view = xCLIPFrames + OperationCount.wholeBlock(temporal, tokens: frameCount) + frameCount * architecture.patchCount * vision.width * width
            work.text = text + textWork(kind, classCount: 1)
            work.texts = classCount * text + textWork(kind, classCount: classCount)
        }
        return work
    }

    private var xCLIPFrames: Int {
        let wide = vision.width
        let tokens = architecture.patchCount + 1
        let messages = 5 * wide * wide + 2 * frameCount * wide
        // A message joins the tokens for the attention alone.
        let extra = 4 * wide * wide + 2 * ((tokens + 1) * (tokens + 1) - tokens * tokens) * wide
        return frameCount * (OperationCount.wholeFrame(architecture) + vision.layerCount * (messages + extra))
    }
}

extension PromptConfiguration {
    /// Without what moves texts with each video.
    fileprivate var unmoved: PromptConfiguration {
        var result = self
        result.metaNetWidth = nil
        return result
    }
}

extension CLIPArchitecture {
    /// OpenAI's ViT-B/16.
    package static let vitB16 = released(width: 768, layers: 12, patch: 16, textWidth: 512)
    /// OpenAI's ViT-B/32.
    package static let vitB32 = released(width: 768, layers: 12, patch: 32, textWidth: 512)
    /// OpenAI's ViT-L/14 at 224 pixels.
    package static let vitL14 = released(width: 1024, layers: 24, patch: 14, textWidth: 768)

    private static func released(width: Int, layers: Int, patch: Int, textWidth: Int) -> CLIPArchitecture {
        CLIPArchitecture(
            vision: Tower(width: width, layerCount: layers), text: Tower(width: textWidth, layerCount: 12), imagePixels: 224,
            patchPixels: patch, embeddingWidth: textWidth, contextLength: 77, vocabularySize: usualVocabularySize)
    }
}
