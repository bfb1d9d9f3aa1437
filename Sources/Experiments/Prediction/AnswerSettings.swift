import Files

/// What answers depend on, as every line of `--output` keeps it: a name and a short digest for each part.
///
///     model:5f0c4e9b1d2a videos:… windows:… rule:… top:5
package struct AnswerSettings {
    private let parts: [(name: String, words: String, value: String)]

    /// - Parameters:
    ///   - model: weights, prompts and classes.
    ///   - videos: how videos are looked at.
    ///   - windows: of time lines.
    ///   - rule: when the answer is none of the classes.
    package init(model: String, videos: String, windows: String, rule: String, top: Int) {
        func short(_ text: String) -> String { String(Digest.of(text).prefix(12)) }
        parts = [
            ("model", "model, prompts, classes or their words", short(model)), ("videos", "frames, views, region, preprocessing or seed", short(videos)),
            ("windows", "--window, --stride, --smooth or --min-length", short(windows)),
            ("rule", "--threshold, --reject-label or --none-prompt", short(rule)), ("top", "--top", "\(top)"),
        ]
    }

    package var text: String { parts.map { "\($0.name):\($0.value)" }.joined(separator: " ") }

    /// What is not as in the `text` of other settings, in words; nil where all is.
    package func difference(from other: String) -> String? {
        guard other != text else { return nil }
        var values: [String: String] = [:]
        for part in other.split(separator: " ") {
            let words = part.split(separator: ":", maxSplits: 1).map(String.init)
            if words.count == 2 { values[words[0]] = words[1] }
        }
        guard Set(values.keys) == Set(parts.map(\.name)) else { return "of a program that kept them in another form" }
        let different = parts.filter { values[$0.name] != $0.value }
        return different.map { part in
            part.name == "top" ? "--top \(values[part.name]?.escapedForDisplay ?? ""), now \(part.value)" : part.words
        }.joined(separator: "; ")
    }
}
