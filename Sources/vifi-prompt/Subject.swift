import CLIPModel
import Evaluation
import Files
import Tensors
import VideoData

extension Backbone {
    /// The name that the file gives itself, safe to print.
    var displayName: String { String(description.name.prefix(100)).escapedForDisplay }
}

/// A backbone with or without prompts, checked to belong together: what `eval`, `predict` and `export` look at.
struct Subject {
    let backbone: Backbone
    let prompts: PromptFile?
    let promptPath: String?
    private let tokenizer: any Tokenizer

    /// - Parameters:
    ///   - prompts: a prompt file; nil for plain CLIP.
    ///   - backbone: nil for the one that the prompts belong to, else the bridged pocket CLIP.
    /// - Throws: `ModelError` where they do not belong together.
    init(
        prompts path: String?, backbone backbonePath: String?, vocabulary: String?, activation: Activation? = nil,
        precision: PrecisionChoice? = nil
    ) throws {
        let file = try path.map { try PromptFile.load($0) }
        let found: Backbone
        if let backbonePath {
            found = try BackboneFinder.load(backbonePath, activation: activation, likely: file?.header.activation)
        } else if let file {
            found = try BackboneFinder.backbone(for: file.header)
        } else {
            let bridged = try BackboneFinder.bridgedBackbone()
            Console.note("Backbone: \(bridged). For your own pass --backbone FILE.")
            found = try Backbone.load(bridged)
        }
        backbone = found.computing(in: try precision?.resolved() ?? .float32)
        if let file, let path {
            do throws(ModelError) { try file.check(against: backbone) } catch { throw .inFile(path: path, error) as ModelError }
        }
        prompts = file
        promptPath = path
        tokenizer = try BackboneFinder.tokenizer(for: backbone, vocabulary: vocabulary)
    }

    /// The pixels that prompts and backbone are used to.
    var normalisation: PixelNormalisation { prompts?.header.normalisation ?? backbone.description.normalisation }

    /// For headings: "bridged-clip with prompts learn/prompts/best.safetensors".
    var summary: String { backbone.displayName + (promptPath.map { " with prompts \($0)" } ?? ", no prompts") }

    /// - Parameters:
    ///   - template: for class names where no text prompts are learned.
    ///   - fusion, frameCount: nil for the prompt file's, else embedding and 8 or 16 frames.
    func classifier(
        classNames: [String], template: String?, fusion: Fusion?, frameCount: Int?, pool: WorkerPool
    ) throws -> VideoClassifier {
        let sequences = try backbone.sequences(
            of: classNames, textTokens: prompts?.header.configuration.textTokens ?? 0, template: template ?? prompts?.header.template,
            tokenizer: tokenizer)
        // The pocket world's clips have 8 frames, as its CLIP was bridged.
        let defaultCount = backbone.description.tokenizer == .bytes ? 8 : 16
        return VideoClassifier(
            backbone: backbone, prompts: prompts?.prompts ?? PromptSet(vision: [], text: []), sequences: sequences,
            fusion: fusion ?? prompts?.header.fusion ?? .embedding,
            frameCount: frameCount ?? prompts?.header.frameCount ?? defaultCount, pool: pool)
    }
}
