import Files

/// The model card of an adapter's folder, in Markdown.
struct PromptCard {
    let file: PromptFile
    let name: String

    var text: String {
        let header = file.header
        let configuration = header.configuration
        let metrics = header.metrics.filter(\.value.isFinite).sorted { $0.key < $1.key }
        var rows = [
            ("backbone", "\(header.backboneName), \(header.architecture)"), ("its digest", header.backboneDigest),
            ("vision prompts", configuration.visionWords),
            ("text prompts", configuration.textWords),
            ("frames of a clip", "\(header.frameCount)"), ("fusion", header.fusion.rawValue),
            ("normalization", header.normalization.name), ("template", header.template),
            ("shots", header.shots.map { "\($0) a class" } ?? "all clips"), ("seed", "\(header.seed)"),
            ("recipe", header.recipeDigest), ("written by", "vifi-prompt \(header.toolVersion)"),
        ]
        if configuration.mergedTokens > 0 { rows.append(("tokens merged in each layer", "\(configuration.mergedTokens)")) }
        if configuration.isBehindNorm { rows.append(("first vision prompts", "behind the input norm")) }
        if let count = header.backwardFrameCount { rows.append(("frames of the backward pass", "\(count)")) }
        if let video = header.video { rows.append(("transformer over frames", video.text)) }
        if let method = header.method { rows.append(("method", method)) }
        if let regularizer = header.regularizer { rows.append(("regularized as", regularizer)) }
        rows += metrics.map { ($0.key, "\($0.value)") }
        let table = rows.map { "| \(Self.cell($0.0)) | \(Self.cell($0.1)) |" }.joined(separator: "\n")
        let classes = header.classNames.map { "- \(Self.cell($0))" }.joined(separator: "\n")
        return """
            ---
            library_name: vifi-prompt
            pipeline_tag: video-classification
            tags:
            - clip
            - prompt-tuning
            ---

            # \(Self.cell(name))

            Prompt tokens for the two towers of a CLIP, learned on videos. No weight of the backbone is in here: the
            prompts work with the backbone that is named below, and with any class names.

                vifi-prompt predict VIDEO --prompts FOLDER --backbone BACKBONE
                vifi-prompt predict VIDEO --prompts FOLDER --backbone BACKBONE --labels CSV

            | | |
            |---|---|
            \(table)

            ## Classes that they were learned from

            \(classes.isEmpty ? "The file names none." : classes)

            """
    }

    /// Text from files, on one line and without effect on the page.
    private static func cell(_ text: String) -> String {
        var result = ""
        for character in String(text.unicodeScalars.prefix(500)).escapedForDisplay {
            if "\\`*_[]<>#|!".contains(character) { result += "\\" }
            result.append(character)
        }
        return result
    }
}
