import Files
import WeightFiles

/// What can be wrong with a vocabulary, a template or class names.
package enum TokenizerError: ReportableError, Equatable {
    case file(FileError)
    case vocabulary(path: String, VocabularyFault)
    /// A SigLIP's tokenizer.
    case tokenizer(path: String, SentencePieceFault)
    /// A `tokenizer.json` that is not JSON.
    case json(WeightFileError)
    /// A template without exactly one `{}`.
    case template(String)
    /// Every class name that cannot be used, not only the first.
    case classNames([ClassNameFault], contextLength: Int)
    /// Every caption that cannot be used, by its position in the list.
    case captions([ClassNameFault])
    /// So few tokens are left for captions that none has a word.
    case noRoomForCaptions(tokens: Int, promptTokens: Int)

    package enum VocabularyFault: Error, Equatable {
        /// Neither CLIP's file nor one of Hugging Face's.
        case unknownForm
        case notJSON
        /// A `tokenizer.json` of another kind of tokenizer.
        case otherTokenizer
        /// A symbol has another id than the merges give it; `expected` is nil where they do not make it.
        case otherID(symbol: String, found: Int, expected: Int?)
        case otherSize(found: Int, expected: Int)
        /// Cut off, or its checksum is wrong.
        case damaged
        case tooLarge(limit: Int)
        case notUTF8
        case lineTooLong(line: Int, limit: Int)
        case tooFewMerges(found: Int, needed: Int)
        case fieldCount(line: Int, found: Int)
        case unknownSymbol(line: Int, symbol: String)
        case duplicateMerge(line: Int)
    }

    package struct ClassNameFault: Sendable, Equatable {
        package enum Problem: Sendable, Equatable {
            /// Nothing is left after cleaning.
            case empty
            /// With start, prompt and end tokens; nil where the text is too long to be worth counting.
            case tooLong(tokenCount: Int?)
            /// It spells a start or end token, which would cut the text off.
            case holdsSpecialToken
        }

        /// Position in the list of classes, from 0.
        package let index: Int
        package let name: String
        package let problem: Problem

        package init(index: Int, name: String, problem: Problem) {
            self.index = index
            self.name = name
            self.problem = problem
        }
    }

    package var exitStatus: ExitStatus {
        switch self {
        case .file(let error): error.exitStatus
        case .vocabulary, .tokenizer: .badData
        case .json(let error): error.exitStatus
        case .captions: .badData
        case .template, .classNames, .noRoomForCaptions: .badConfiguration
        }
    }

    package var description: String {
        switch self {
        case .file(let error): error.description
        case .vocabulary(let path, let fault): "\(path.escapedForDisplay): \(fault.words)"
        case .tokenizer(let path, let fault): "\(path.escapedForDisplay): \(fault.words)"
        case .json(let error): error.description
        case .template(let text):
            "template \"\(text.shortenedForDisplay)\" must contain {} exactly once, where the class name goes, "
                + "as in \"a photo of a {}.\"."
        case .classNames(let faults, let contextLength):
            Self.words(for: faults, contextLength: contextLength)
        case .captions(let faults):
            "\(faults.count) caption\(faults.count == 1 ? "" : "s") cannot be used:\n" + Self.lines(faults, noun: "caption")
                + "\nGive them words, and no start or end tokens."
        case .noRoomForCaptions(let tokens, let promptTokens):
            "\(tokens) tokens, of which \(promptTokens) are prompts and 2 the start and end tokens, leave no room for captions. "
                + "Raise --max-words, or use fewer prompt tokens."
        }
    }

    private static func words(for faults: [ClassNameFault], contextLength: Int) -> String {
        func has(_ isMeant: (ClassNameFault.Problem) -> Bool) -> Bool { faults.contains { isMeant($0.problem) } }
        let hasLong = has { if case .tooLong = $0 { true } else { false } }
        let heading = "\(faults.count) class name\(faults.count == 1 ? "" : "s") cannot be used"
            + (hasLong ? "; at most \(contextLength) tokens fit, including the prompt and the start and end tokens:" : ":")
        var remedies = hasLong ? ["Shorten the names, or use fewer prompt tokens."] : []
        if has({ $0 == .holdsSpecialToken }) {
            remedies.append("Remove <|startoftext|> and <|endoftext|> from the names: they mark where CLIP's texts begin and end.")
        }
        if remedies.isEmpty { remedies = ["Give every class a name of at least one visible character."] }
        return ([heading, lines(faults, noun: "class")] + remedies).joined(separator: "\n")
    }

    private static func lines(_ faults: [ClassNameFault], noun: String) -> String {
        let shown = faults.prefix(20).map { fault in
            let problem =
                switch fault.problem {
                case .empty: "is empty"
                case .tooLong(let count?): "takes \(count) tokens"
                case .tooLong(nil): "is far too long"
                case .holdsSpecialToken: "spells a start or end token"
                }
            return "  \(noun) \(fault.index) \"\(fault.name.shortenedForDisplay)\" \(problem)"
        }
        let more = faults.count > shown.count ? ["  and \(faults.count - shown.count) more"] : []
        return (shown + more).joined(separator: "\n")
    }
}

extension TokenizerError.VocabularyFault {
    fileprivate var words: String {
        let again = "Fetch it again with 'make vocabulary'."
        return switch self {
        case .unknownForm:
            "is not a vocabulary of CLIP: bpe_simple_vocab_16e6.txt.gz (fetch it with 'make vocabulary'), merges.txt or tokenizer.json."
        case .notJSON: "is not the JSON of a tokenizer. Download it again."
        case .otherTokenizer: "is the tokenizer of another kind of model; CLIP's is BPE with \"</w>\" at the end of words."
        case .otherID(let symbol, let found, let expected?):
            "\"\(symbol.shortenedForDisplay)\" has the id \(found), but its merges give it \(expected). They do not belong together."
        case .otherID(let symbol, _, nil):
            "\"\(symbol.shortenedForDisplay)\" is not made by any of the merges. They do not belong together."
        case .otherSize(let found, let expected): "names \(found) symbols, but the merges make \(expected). They do not belong together."
        case .damaged: "is truncated or damaged. \(again)"
        case .tooLarge(let limit): "holds more than \(limit) bytes when unpacked; it is not CLIP's vocabulary. \(again)"
        case .notUTF8: "is not UTF-8 text. \(again)"
        case .lineTooLong(let line, let limit): "line \(line): longer than \(limit) bytes. \(again)"
        case .tooFewMerges(let found, let needed): "\(found) merges were found, but \(needed) are needed. \(again)"
        case .fieldCount(let line, let found): "line \(line): \(found) symbols, but 2 are needed. \(again)"
        case .unknownSymbol(let line, let symbol):
            "line \(line): \"\(symbol.shortenedForDisplay)\" is not made by an earlier line. \(again)"
        case .duplicateMerge(let line): "line \(line): makes a symbol that already exists. \(again)"
        }
    }
}

extension String {
    /// At most 60 characters, safe to print.
    fileprivate var shortenedForDisplay: String {
        let start = prefix(60)
        return String(start).escapedForDisplay + (start.endIndex < endIndex ? "…" : "")
    }
}
