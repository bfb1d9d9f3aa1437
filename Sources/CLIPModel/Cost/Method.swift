/// A way to adapt CLIP to video, as far as its size and its arithmetic depend on it.
package struct Method: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The weights of CLIP's towers learn.
        case fineTuning(Tuning)
        /// Frozen CLIP with prompts in one or both towers.
        case prompts(PromptConfiguration)
        /// Vision prompts that are linear functions of the text prompts (MaPLe; `methods.md` 7).
        case coupledPrompts(tokens: Int, depth: Int)
        /// Text prompts of one layer on both sides of the name, and blocks over the frames of a frozen
        /// CLIP (A5, A6; `methods.md` 4).
        case temporalBlocks(count: Int)
        /// Fine-tuned CLIP with six blocks over the frames (`methods.md` 5).
        case actionCLIP
        /// Attention between frames, and texts that look at the video (`methods.md` 6).
        case xCLIP

        /// The prompts that the towers see once they are there; none where a method has no tokens of that kind.
        package var prompts: PromptConfiguration {
            switch self {
            case .prompts(let prompts): prompts
            case .coupledPrompts(let tokens, let depth):
                PromptConfiguration(visionTokens: tokens, visionDepth: depth, textTokens: tokens, textDepth: depth)
            default: .none
            }
        }
    }

    /// Under which the figures of papers name it.
    package let id: String
    package let title: String
    /// What is peculiar about this row: tokens, layers.
    package let setting: String
    package let kind: Kind
    /// Whether this program trains and tests it.
    package let isOurs: Bool

    private init(_ id: String, _ title: String, _ setting: String = "", _ kind: Kind, isOurs: Bool = true) {
        self.id = id
        self.title = title
        self.setting = setting
        self.kind = kind
        self.isOurs = isOurs
    }

    /// Every method of the papers, on an architecture: a depth is at most the number of layers, and settings
    /// that thereby become the same stand there once.
    package static func all(for architecture: CLIPArchitecture) -> [Method] {
        let layers = (vision: architecture.vision.layerCount, text: architecture.text.layerCount)
        func prompts(
            _ id: String, _ title: String, vision: (tokens: Int, depth: Int) = (0, 0), text: (tokens: Int, depth: Int) = (0, 0),
            isOurs: Bool = true
        ) -> Method {
            let configuration = PromptConfiguration(
                visionTokens: vision.tokens, visionDepth: min(vision.depth, layers.vision), textTokens: text.tokens,
                textDepth: min(text.depth, layers.text))
            return Method(id, title, setting(configuration), .prompts(configuration), isOurs: isOurs)
        }
        let everywhere = 128
        var methods = [
            Method("vifi-clip", "ViFi-CLIP", "both towers", .fineTuning(.both)),
            Method("image-ft", "CLIP image-FT", "vision tower", .fineTuning(.image)),
            Method("text-ft", "CLIP text-FT", "text tower", .fineTuning(.text)),
            Method("clip-lora", "CLIP-LoRA", "rank \(LowRankUpdates.standardRank) in both towers", .fineTuning(.lora)),
        ]
        for tokens in [4, 10, 16] {
            for depth in [1, 9, everywhere] {
                methods.append(
                    prompts("vl-\(tokens)x\(depth == everywhere ? 12 : depth)", "VL prompting", vision: (tokens, depth), text: (tokens, depth)))
            }
        }
        let coupled = min(9, layers.vision, layers.text)
        methods += [
            prompts("vision-only", "vision prompts only", vision: (10, everywhere)),
            prompts("language-only", "language prompts only", text: (10, everywhere)),
            prompts("coop", "CoOp", text: (16, 1)),
            cocoop(for: architecture),
            prompts("deep-language", "deep language prompting", text: (4, everywhere)),
            prompts("vpt", "VPT", vision: (8, everywhere)),
            prompts("ivlp", "IVLP", vision: (2, everywhere), text: (2, everywhere)),
            Method("maple", "MaPLe", "2 tokens × \(coupled)", .coupledPrompts(tokens: 2, depth: coupled)),
            prompts("promptsrc", "PromptSRC", vision: (4, 9), text: (4, 9)),
            pixels(for: architecture),
            Method("a5-1", "A5/A6", "1 temporal block", .temporalBlocks(count: 1)),
            Method("a5-2", "A5/A6", "2 temporal blocks", .temporalBlocks(count: 2)),
            Method("actionclip", "ActionCLIP", "6 temporal blocks", .actionCLIP),
            Method("xclip", "X-CLIP", "frames see each other", .xCLIP),
        ]
        return methods.enumerated().filter { index, method in
            !methods[..<index].contains { $0.kind == method.kind && $0.title == method.title }
        }.map(\.element)
    }

    /// Words that a network moves for each view, whose texts are then its own.
    private static func cocoop(for architecture: CLIPArchitecture) -> Method {
        Method(
            "cocoop", "CoCoOp", "text 4 × 1, moved by a network",
            .prompts(
                PromptConfiguration(
                    visionTokens: 0, visionLayers: 0..<0, textTokens: 4, textLayers: 0..<1, metaNetWidth: architecture.metaNetWidth)))
    }

    private static func pixels(for architecture: CLIPArchitecture) -> Method {
        let area = PixelArea(.padding, width: PixelArea.usualWidth(side: architecture.imagePixels), side: architecture.imagePixels)
        return Method(
            "pixel", "visual prompting", "border of \(area.width) pixels",
            .prompts(PromptConfiguration(visionTokens: 0, visionLayers: 0..<0, textTokens: 0, textLayers: 0..<0, pixels: area)))
    }

    private static func setting(_ prompts: PromptConfiguration) -> String {
        let vision = "\(prompts.visionTokens) × \(prompts.visionDepth)"
        let text = "\(prompts.textTokens) × \(prompts.textDepth)"
        if prompts.visionDepth == 0 { return "text \(text)" }
        if prompts.textDepth == 0 { return "vision \(vision)" }
        return vision == text ? "\(vision) in each tower" : "vision \(vision), text \(text)"
    }
}
