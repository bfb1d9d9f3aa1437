import Tensors
import WeightFiles

/// Prompts in pixels as the program of Bahng et al. saves them (`methods_more.md` 1):
///
///     {epoch, state_dict: {pad_up, pad_down, pad_left, pad_right} or {patch}, best_acc1, optimizer}
enum VisualPromptingCheckpoint {
    /// The side of their frames, which a patch does not tell.
    private static let usualSide = 224

    /// - Returns: nil for a checkpoint of something else.
    /// - Throws: `ModelError` for tensors of shapes that no frame has.
    static func prompts(in source: any WeightSource) throws -> PromptFile? {
        for prefix in statePrefixes {
            if source.contains(prefix + "pad_up") {
                let name = prefix + "pad_up"
                let shape = try shape(of: name, in: source)
                return try file(.padding, width: shape.rows, side: shape.columns, name: name, prefix: prefix, source: source, notes: [])
            }
            if source.contains(prefix + "patch") {
                let name = prefix + "patch"
                let shape = try shape(of: name, in: source)
                return try file(
                    .fixedPatch, width: shape.rows, side: usualSide, name: name, prefix: prefix, source: source,
                    notes: ["its patch is taken to stand at the top left of frames of \(usualSide) × \(usualSide), which it does not say"])
            }
        }
        return nil
    }

    private static func shape(of name: String, in source: any WeightSource) throws -> (rows: Int, columns: Int) {
        let shape = try source.description(of: name).shape
        guard shape.count == 4, shape[0] == 1, shape[1] == 3, (1...4096).contains(shape[2]), (3...4096).contains(shape[3]) else {
            throw ModelError.unexpectedShape(name: name, shape: shape, expected: "[1, 3, rows, columns]")
        }
        return (shape[2], shape[3])
    }

    private static func file(
        _ form: PixelArea.Form, width: Int, side: Int, name: String, prefix: String, source: any WeightSource, notes: [String]
    ) throws -> PromptFile {
        let widths = PixelArea.widths(of: form, side: side)
        guard widths.contains(width) else {
            throw ModelError.unexpectedShape(
                name: name, shape: try source.description(of: name).shape, expected: "\(widths.lowerBound) to \(widths.upperBound) pixels of \(side)")
        }
        let prompts = PromptSet<Matrix>(
            vision: [], text: [], pixels: try PixelPrompt(PixelArea(form, width: width, side: side), in: source) { prefix + $0 })
        return PromptFile(
            prompts: prompts,
            header: PromptHeader(
                foreign: prompts.configuration, metadata: source.metadata, frameCount: PromptHeader.pictureFrameCount, template: PixelArea.authorsTemplate, method: "pixel"),
            form: .visualPrompting,
            notes: source.warnings + notes + [
                "a checkpoint of visual prompting, learned on pictures; \(PromptHeader.pictureFrameCount) frames of a video, CLIP's normalization and \"\(PixelArea.authorsTemplate)\" are assumed"
            ])
    }
}
