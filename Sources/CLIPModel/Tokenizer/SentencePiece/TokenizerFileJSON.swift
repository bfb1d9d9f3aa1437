import Foundation
import WeightFiles

extension TokenizerFile {
    /// Reads a `tokenizer.json`. Source: huggingface/tokenizers, the `serde` forms of its parts.
    init(json bytes: [UInt8], path: String) throws(TokenizerError) {
        do {
            try self.init(JSONCursor(bytes: bytes, fileOffset: 0, path: path))
        } catch let error as WeightFileError {
            throw .json(error)
        } catch let fault as SentencePieceFault {
            throw .tokenizer(path: path, fault)
        } catch {
            throw .tokenizer(path: path, .unknownForm)
        }
    }

    private init(_ start: JSONCursor) throws {
        var cursor = start
        var reading: ModelReading?
        var parts: [String: JSONValue] = [:]
        try cursor.members { (cursor, key) throws(WeightFileError) in
            switch key {
            case "model":
                var model = ModelReading()
                try model.read(&cursor)
                reading = model
            case "normalizer", "pre_tokenizer", "added_tokens": parts[key] = try cursor.value(depthLimit: 12)
            default: try cursor.skipValue()
            }
        }
        cursor.skipSpace()
        guard cursor.isAtEnd else { throw cursor.syntaxError("its end") }
        guard let reading else { throw SentencePieceFault.field("model", problem: "is missing") }
        model = try reading.model()
        idOfToken = reading.ids
        vocabularySize = 1 + (reading.ids.values.max() ?? -1)
        normalizers = try Self.normalizers(parts["normalizer"] ?? .null)
        splitters = try Self.splitters(parts["pre_tokenizer"] ?? .null)
        guard normalizers.count + splitters.count <= Self.stepLimit else { throw SentencePieceFault.tooMany(what: "steps", limit: Self.stepLimit) }
        var budget = PieceBudget()
        for (index, value) in (parts["added_tokens"]?.items ?? []).enumerated() { 
            try add(value, name: "added_tokens[\(index)]", budget: &budget)
        }
    }

    private mutating func add(_ value: JSONValue, name: String, budget: inout PieceBudget) throws(SentencePieceFault) {
        guard let id = value["id"]?.integer, (0..<Self.pieceLimit).contains(id), let content = value["content"]?.string, !content.isEmpty,
            content.utf8.count <= Self.pieceByteLimit
        else { throw .field(name, problem: "needs an id below \(Self.pieceLimit) and a content of 1 to \(Self.pieceByteLimit) bytes") }
        try budget.take(Array(content.utf8))
        if value["single_word"]?.isTrue == true { throw .unsupported(field: "\(name).single_word", value: "true") }
        let token = AddedTokens.Token(
            id: id, text: content, takesSpaceBefore: value["lstrip"]?.isTrue == true, takesSpaceBehind: value["rstrip"]?.isTrue == true)
        if let known = idOfToken[Array(content.utf8)], known != id {
            throw .field(name, problem: "has the id \(id), but the model gives it \(known)")
        }
        idOfToken[Array(content.utf8)] = id
        vocabularySize = max(vocabularySize, id + 1)
        if value["normalized"]?.isTrue == true { addedToNormalized.append(token) } else { added.append(token) }
    }

    // MARK: Normalizers and splitters

    private static func normalizers(_ value: JSONValue) throws(SentencePieceFault) -> [TextNormalizer] {
        if value == .null { return [] }
        guard let type = value["type"]?.string else { throw .field("normalizer", problem: "has no type") }
        switch type {
        case "Sequence":
            var result: [TextNormalizer] = []
            for item in value["normalizers"]?.items ?? [] { result += try normalizers(item) }
            return result
        case "Lowercase": return [.lowercase(finalSigma: false)]
        case "Replace": return [.replace(try pattern(value, in: "normalizer"), with: try short(value, "content"))]
        case "Strip": return [.strip(left: value["strip_left"]?.isTrue ?? true, right: value["strip_right"]?.isTrue ?? true)]
        case "Prepend": return [.prepend(try short(value, "prepend"))]
        case "Precompiled":
            guard let text = value["precompiled_charsmap"]?.string, let data = Data(base64Encoded: text) else {
                throw .field("precompiled_charsmap", problem: "is not base64")
            }
            return data.isEmpty ? [] : [.clusters(try CharacterMap(Array(data)))]
        default:
            guard let form = TextNormalizer.UnicodeForm(rawValue: type) else { throw .unsupported(field: "normalizer", value: type) }
            return [.unicode(form)]
        }
    }

    private static func short(_ value: JSONValue, _ key: String) throws(SentencePieceFault) -> String {
        let text = value[key]?.string ?? ""
        guard text.utf8.count <= pieceByteLimit else {
            throw .field("normalizer.\(key)", problem: "\(text.utf8.count) bytes, at most \(pieceByteLimit) are read")
        }
        return text
    }

    private static func splitters(_ value: JSONValue) throws(SentencePieceFault) -> [TextSplitter] {
        if value == .null { return [] }
        guard let type = value["type"]?.string else { throw .field("pre_tokenizer", problem: "has no type") }
        switch type {
        case "Sequence":
            var result: [TextSplitter] = []
            for item in value["pretokenizers"]?.items ?? [] { result += try splitters(item) }
            return result
        case "WhitespaceSplit": return [.whitespace]
        case "Metaspace":
            // Older files say `add_prefix_space` in the place of a scheme.
            let scheme = value["prepend_scheme"]?.string ?? (value["add_prefix_space"]?.isTrue == false ? "never" : "always")
            guard let marks = value["replacement"]?.string?.unicodeScalars, let mark = marks.first, marks.count == 1, let prefix = TextSplitter.MarkPrefix(rawValue: scheme)
            else {
                throw .field(
                    "pre_tokenizer", problem: "has no replacement of one character, or another prepend_scheme than always, first or never")
            }
            return [.spaceMarks(mark: mark, prefix: prefix, splits: value["split"]?.isTrue ?? true)]
        case "Split":
            guard let behavior = TextSplitter.SplitBehavior(rawValue: value["behavior"]?.string ?? "") else {
                throw .field("pre_tokenizer", problem: "has an unknown behavior")
            }
            return [.pattern(try pattern(value, in: "pre_tokenizer"), behavior, isInverted: value["invert"]?.isTrue == true)]
        default: throw .unsupported(field: "pre_tokenizer", value: type)
        }
    }

    private static func pattern(_ value: JSONValue, in field: String) throws(SentencePieceFault) -> TextPattern {
        if let string = value["pattern"]?["String"]?.string { return try TextPattern(string: string) }
        if let expression = value["pattern"]?["Regex"]?.string { return try TextPattern(expression: expression) }
        throw .field(field, problem: "has no pattern with a String or a Regex")
    }
}

/// The model of a `tokenizer.json` while it is read: its tables are large, and are never a tree of values.
private struct ModelReading {
    private(set) var ids: [[UInt8]: Int] = [:]
    private var pieces: [[UInt8]] = []
    private var scores: [Double] = []
    private var isList = false
    private var budget = TokenizerFile.PieceBudget()
    private var settings: [String: JSONValue] = [:]
    private var merges: [(first: Int, second: Int, merged: Int)] = []
    private var mergesStart: JSONCursor?
    private var fault: SentencePieceFault?

    mutating func read(_ cursor: inout JSONCursor) throws(WeightFileError) {
        var fault: SentencePieceFault?
        func note(_ body: () throws(SentencePieceFault) -> Void) {
            guard fault == nil else { return }
            do throws(SentencePieceFault) { try body() } catch { fault = error }
        }
        var reading = self
        try cursor.members { (cursor, key) throws(WeightFileError) in
            switch key {
            case "vocab":
                cursor.skipSpace()
                if cursor.next == UInt8(ascii: "[") { try reading.readList(&cursor, note) } else { try reading.readTable(&cursor, note) }
            case "merges":
                // They are understood with the vocabulary, which may follow.
                reading.mergesStart = cursor
                if reading.ids.isEmpty { try cursor.skipValue() } else { try reading.readMerges(&cursor, note) }
            default: reading.settings[key] = try cursor.value(depthLimit: 4)
            }
        }
        if reading.merges.isEmpty, var start = reading.mergesStart, fault == nil { try reading.readMerges(&start, note) }
        self = reading
        self.fault = fault
    }

    private typealias Note = (() throws(SentencePieceFault) -> Void) -> Void

    private mutating func readTable(_ cursor: inout JSONCursor, _ note: Note) throws(WeightFileError) {
        var reading = self
        try cursor.members { (cursor, key) throws(WeightFileError) in
            let id = try cursor.integer()
            let piece = Array(key.utf8)
            note { () throws(SentencePieceFault) in
                try reading.budget.take(piece)
                guard id < TokenizerFile.pieceLimit else { throw .piece(index: reading.budget.count - 1, problem: "has the id \(id)") }
                guard reading.ids.updateValue(id, forKey: piece) == nil else {
                    throw .piece(index: reading.budget.count - 1, problem: "is the same as an earlier one")
                }
            }
        }
        self = reading
    }

    private mutating func readList(_ cursor: inout JSONCursor, _ note: Note) throws(WeightFileError) {
        isList = true
        var reading = self
        try cursor.elements { (cursor) throws(WeightFileError) in
            try cursor.expect("[")
            let piece = Array(try cursor.string(byteLimit: 4 * TokenizerFile.pieceByteLimit).utf8)
            try cursor.expect(",")
            let score = try cursor.value(depthLimit: 0).double ?? .nan
            try cursor.expect("]")
            note { () throws(SentencePieceFault) in
                let index = reading.pieces.count
                try reading.budget.take(piece)
                guard score.isFinite else { throw .piece(index: index, problem: "its score is not a number") }
                guard reading.ids.updateValue(index, forKey: piece) == nil else {
                    throw .piece(index: index, problem: "is the same as an earlier one")
                }
                reading.pieces.append(piece)
                reading.scores.append(score)
            }
        }
        self = reading
    }

    /// `"a b"`, or `["a", "b"]` in newer files.
    private mutating func readMerges(_ cursor: inout JSONCursor, _ note: Note) throws(WeightFileError) {
        var reading = self
        var index = 0
        try cursor.elements { (cursor) throws(WeightFileError) in
            let first: [UInt8], second: [UInt8]
            cursor.skipSpace()
            if cursor.skip("[") {
                first = Array(try cursor.string(byteLimit: 4 * TokenizerFile.pieceByteLimit).utf8)
                try cursor.expect(",")
                second = Array(try cursor.string(byteLimit: 4 * TokenizerFile.pieceByteLimit).utf8)
                try cursor.expect("]")
            } else {
                let parts = try cursor.string(byteLimit: 8 * TokenizerFile.pieceByteLimit).utf8.split(separator: 0x20, omittingEmptySubsequences: false)
                (first, second) = (Array(parts[0]), parts.count == 2 ? Array(parts[1]) : [])
            }
            note { () throws(SentencePieceFault) in
                guard let one = reading.ids[first], let two = reading.ids[second], let merged = reading.ids[first + second] else {
                    throw .field("model.merges[\(index)]", problem: "is not two pieces that make a third")
                }
                guard reading.merges.count < TokenizerFile.mergeLimit else { throw .tooMany(what: "merges", limit: TokenizerFile.mergeLimit) }
                reading.merges.append((one, two, merged))
            }
            index += 1
        }
        self = reading
    }

    func model() throws(SentencePieceFault) -> PieceModel {
        if let fault { throw fault }
        let type = settings["type"]?.string ?? (isList ? "Unigram" : "BPE")
        let spellsBytes = settings["byte_fallback"]?.isTrue == true
        let byteTokens = spellsBytes ? TokenizerFile.byteTokens(in: ids) : nil
        switch (type, isList) {
        case ("Unigram", true):
            guard let unknown = settings["unk_id"]?.integer, pieces.indices.contains(unknown) else {
                throw .field("model.unk_id", problem: "is not one of \(pieces.count) pieces")
            }
            let all = pieces.indices
            return .unigram(
                UnigramModel(
                    pieces: pieces, scores: scores, matched: all.filter { !pieces[$0].isEmpty }, scored: all, unknownToken: unknown,
                    byteTokens: byteTokens, isFloat32: false))
        case ("BPE", false):
            for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
                if let text = settings[key]?.string, !text.isEmpty { throw .unsupported(field: "model.\(key)", value: "\"\(text)\"") }
            }
            if let dropout = settings["dropout"]?.double, dropout != 0 { throw .unsupported(field: "model.dropout", value: "\(dropout)") }
            return .merges(try mergeModel(byteTokens: byteTokens))
        default: throw .unsupported(field: "model.type", value: type)
        }
    }

    private func mergeModel(byteTokens: [Int]?) throws(SentencePieceFault) -> MergeModel {
        var model = MergeModel(tokenCount: TokenizerFile.pieceLimit)
        model.byteTokens = byteTokens
        model.mergesBytes = byteTokens != nil
        model.fusesUnknown = settings["fuse_unk"]?.isTrue == true
        if let name = settings["unk_token"]?.string {
            guard let id = ids[Array(name.utf8)] else { throw .field("model.unk_token", problem: "is not one of the pieces") }
            model.unknownToken = id
        }
        for (piece, id) in ids {
            if let character = TokenizerFile.character(of: piece) { model.symbolOfCharacter[character] = Int32(id) }
        }
        model.merges.reserveCapacity(merges.count)
        for (rank, merge) in merges.enumerated() {
            model.merges[MergeModel.key(Int32(merge.first), Int32(merge.second))] = .init(rank: Int32(rank), symbol: Int32(merge.merged))
        }
        if settings["ignore_merges"]?.isTrue == true {
            var whole = PieceTrie()
            for (piece, id) in ids { whole.insert(piece, value: id) }
            model.wholeWords = whole
        }
        return model
    }
}

extension JSONValue {
    fileprivate subscript(key: String) -> JSONValue? {
        if case .object(let members) = self { members[key] } else { nil }
    }

    fileprivate var string: String? {
        if case .text(let text) = self { text } else { nil }
    }

    fileprivate var isTrue: Bool? {
        if case .truth(let truth) = self { truth } else { nil }
    }

    fileprivate var items: [JSONValue]? {
        if case .list(let values) = self { values } else { nil }
    }
}
