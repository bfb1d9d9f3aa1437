import Files

/// What can be wrong with a `tokenizer.json` or a `spiece.model`.
package enum SentencePieceFault: Error, Equatable {
    /// Something else that was saved under this name.
    case lookalike(String)
    /// Neither a `tokenizer.json` nor a `spiece.model`.
    case unknownForm
    /// Bytes of a `spiece.model` that are no protobuf message; `offset` counts from the start of the file.
    case message(offset: Int, problem: String)
    /// A key of a `tokenizer.json`, or a field of a `spiece.model`.
    case field(String, problem: String)
    /// Something that tokenizers can do and this program does not.
    case unsupported(field: String, value: String)
    case piece(index: Int, problem: String)
    case tooMany(what: String, limit: Int)
    /// A token that every text needs, or that stands in another place than the model's.
    case token(String, found: Int?, needed: Int)
    /// The tokenizer of another model.
    case otherKind(found: String, needed: String)
    case characterMap(problem: String)

    var words: String {
        let again = "Download it again."
        return switch self {
        case .lookalike(let what): "is \(what), not a tokenizer. \(again)"
        case .unknownForm: "is neither a tokenizer.json nor a spiece.model. Pass one of the files that belong to the model."
        case .message(let offset, let problem): "byte \(offset): \(problem). The file is damaged. \(again)"
        case .field(let name, let problem): "\(name.escapedAndShort): \(problem). \(again)"
        case .unsupported(let field, let value):
            "\(field.escapedAndShort) is \(value.escapedAndShort), which this program does not compute. Pass the tokenizer.json or "
                + "spiece.model that came with a SigLIP."
        case .piece(let index, let problem): "piece \(index): \(problem). \(again)"
        case .tooMany(let what, let limit): "has more than \(limit) \(what). It is not a SigLIP's tokenizer."
        case .token(let name, let found?, let needed):
            "token \(name) has the id \(found), but a SigLIP's has \(needed). Pass the file that belongs to the model."
        case .token(let name, nil, let needed):
            "token \(name) is missing, which a SigLIP's tokenizer has as \(needed). Pass the file that belongs to the model."
        case .otherKind(let found, let needed): "is \(found), but the model needs \(needed). Pass the file that belongs to the model."
        case .characterMap(let problem): "precompiled_charsmap: \(problem). The file is damaged. \(again)"
        }
    }
}

extension String {
    fileprivate var escapedAndShort: String { String(prefix(80)).escapedForDisplay }
}
