import CLIPModel
import Methods
import Recipes
import Training

extension RunResult {
    /// Writes down what was learned and what a view of a video costs, in the counts of `profile`.
    ///
    /// - Parameters:
    ///   - learned: numbers that learned.
    ///   - kind: how the model that came out looks at a video.
    ///   - sequences: of the classes; only how the count begins depends on them.
    mutating func count(
        learned: Int, _ kind: Method.Kind, architecture: CLIPArchitecture, frameCount: Int, sequences: [[Int]]
    ) {
        let cost = MethodCost(
            kind, architecture: architecture, frameCount: frameCount, classCount: 1, sequences: Array(sequences.prefix(1)))
        learnedParameters = learned
        viewGflops = Double(cost.whole.view) / 1e9
        neededViewGflops = cost.needed.map { Double($0.view) / 1e9 }
    }
}

extension LearningRun {
    /// How the model that is learned looks at a video.
    func modelKind() throws -> Method.Kind { try recipe.modelKind(kind, on: backbone.architecture) }
}

extension Recipe {
    /// How the model that is learned with it looks at a video.
    func modelKind(_ kind: RunKind, on architecture: CLIPArchitecture) throws -> Method.Kind {
        if kind == .bridge {
            guard let method = try bridgeMethod() else { return .fineTuning(tuning ?? .both) }
            return switch method.design {
            case .fusion(let design, _): .temporalBlocks(count: design.layerCount)
            case .crossFrame: .xCLIP
            }
        }
        let method = try prompts.promptMethod()
        if let temporal = method?.temporal { return .temporalBlocks(count: prompts.temporalLayers ?? temporal.layerCount) }
        let (tokens, layers) = (prompts.visionTokens ?? 0, prompts.visionLayers?.range ?? 0..<(prompts.visionDepth ?? 0))
        if method?.couplesTowers == true { return .coupledPrompts(tokens: tokens, depth: layers.count) }
        let pixels = prompts.pixelForm.flatMap { form in
            prompts.pixelWidth.map { PixelArea(form, width: $0, side: architecture.imagePixels) }
        }
        return .prompts(.ofVision(tokens: tokens, layers: layers, mergedTokens: prompts.mergeTokens ?? 0, pixels: pixels))
    }
}

extension PromptConfiguration {
    /// The part that changes what is computed for a video.
    static func ofVision(tokens: Int, layers: Range<Int>, mergedTokens: Int, pixels: PixelArea?) -> PromptConfiguration {
        PromptConfiguration(
            visionTokens: tokens, visionLayers: layers, textTokens: 0, textLayers: 0..<0, mergedTokens: mergedTokens, pixels: pixels)
    }

    var ofVision: PromptConfiguration { .ofVision(tokens: visionTokens, layers: visionLayers, mergedTokens: mergedTokens, pixels: pixels) }
}

extension RunContext {
    /// Before one of several runs in this process, so that its peak is its own.
    func resetPeakMemory() {
        if !Machine.resetPeakMemory() { note(.learning(.peakNotReset)) }
    }
}
