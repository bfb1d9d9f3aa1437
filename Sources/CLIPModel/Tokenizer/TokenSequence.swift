/// What stands around the class name.
package enum TextWording: Sendable, Equatable {
    /// `count` places for learned prompts, the name, a full stop.
    case prompts(count: Int)
    /// `count` places in the place of the first tokens of these words, what is left of the words, the name, a full stop.
    case replacedWords(String, count: Int)
    /// Words, with `{}` where the name goes: `a photo of a {}.`
    case template(String)

    /// ViFi-CLIP's wording (methods 1.1), full stop included.
    package static let photo = TextWording.template(photoTemplate)
    package static let photoTemplate = "a photo of a {}."
}

/// The tokens of one class: start, prompts or template, name, end. Where the tokenizer does not pad, nothing follows the end token, which
/// is the highest id and occurs once.
package struct TokenSequence: Sendable, Equatable {
    package let tokens: [Int]
    /// Positions whose embeddings learned prompts replace; the ids there mean nothing.
    package let promptRange: Range<Int>

    /// The place that the text feature is taken at.
    package var endIndex: Int { tokens.count - 1 }

    /// With zeros up to `length`, as CLIP pads.
    package func padded(to length: Int) -> [Int] {
        tokens + [Int](repeating: 0, count: max(0, length - tokens.count))
    }

    /// The sequences of all classes.
    ///
    /// Names are taken as they are: turning `_` into a space is the caller's choice.
    ///
    /// - Parameter cutsLongTexts: whether what does not fit is left out before the end token, and not refused.
    /// - Throws: `classNames` with every name that is empty, too long or holds a special token;
    ///   `template` where there is not exactly one `{}`.
    package static func sequences(
        for classNames: [String], wording: TextWording, tokenizer: some Tokenizer, contextLength: Int, cutsLongTexts: Bool = false
    ) throws(TokenizerError) -> [TokenSequence] {
        let (prefix, suffix, promptCount) = try parts(of: wording)
        let droppedCount = promptCount > 0 ? min(promptCount, tokenizer.encode(prefix).count) : 0
        var faults: [TokenizerError.ClassNameFault] = []
        var result: [TokenSequence] = []
        for (index, name) in classNames.enumerated() {
            func refuse(_ problem: TokenizerError.ClassNameFault.Problem) {
                faults.append(.init(index: index, name: name, problem: problem))
            }
            // No token spells more than 64 bytes; cleaning shortens a name, but not to a fraction.
            guard name.utf8.count <= 128 * contextLength else {
                refuse(.tooLong(tokenCount: nil))
                continue
            }
            var ids = Array(tokenizer.encode(prefix + name + suffix).dropFirst(droppedCount))
            if cutsLongTexts { ids = Array(ids.prefix(max(0, contextLength - promptCount - tokenizer.frameCount))) }
            let tokenCount = ids.count + promptCount + tokenizer.frameCount
            if tokenizer.isEmpty(name) {
                refuse(.empty)
            } else if tokenizer.holdsSpecialToken(ids) {
                refuse(.holdsSpecialToken)
            } else if tokenCount > contextLength {
                refuse(.tooLong(tokenCount: tokenCount))
            } else {
                let prompts = [Int](repeating: 0, count: promptCount)
                result.append(
                    TokenSequence(
                        tokens: tokenizer.sequence(of: ids, prompts: prompts, length: contextLength),
                        promptRange: tokenizer.startCount..<tokenizer.startCount + promptCount))
            }
        }
        guard faults.isEmpty else { throw .classNames(faults, contextLength: contextLength) }
        return result
    }

    static func parts(
        of wording: TextWording
    ) throws(TokenizerError) -> (prefix: String, suffix: String, promptCount: Int) {
        switch wording {
        case .prompts(let count):
            precondition(count >= 0, "a number of prompts is not negative")
            return ("", ".", count)
        case .replacedWords(let words, let count):
            precondition(count >= 0, "a number of prompts is not negative")
            return (words + " ", ".", count)
        case .template(let text):
            let scalars = Array(text.unicodeScalars)
            let places = scalars.indices.dropLast().filter { scalars[$0] == "{" && scalars[$0 + 1] == "}" }
            guard places.count == 1, let place = places.first, scalars.count <= 1000 else { throw .template(text) }
            func string(_ part: ArraySlice<Unicode.Scalar>) -> String {
                var view = String.UnicodeScalarView()
                view.append(contentsOf: part)
                return String(view)
            }
            return (string(scalars[..<place]), string(scalars[(place + 2)...]), 0)
        }
    }
}
