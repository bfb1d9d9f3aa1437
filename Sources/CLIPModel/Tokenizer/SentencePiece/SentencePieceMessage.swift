/// Steps through a protobuf message. Source: protobuf.dev, "Encoding".
struct MessageReader {
    let bytes: [UInt8]
    private(set) var position: Int
    let end: Int

    init(_ bytes: [UInt8], range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    enum Value {
        case number(UInt64)
        case bits(UInt32)
        /// Where a text, bytes or another message lie.
        case range(Range<Int>)
        /// Of a kind that is not read.
        case other
    }

    private func fault(_ problem: String) -> SentencePieceFault { .message(offset: position, problem: problem) }

    /// The next field; nil at the end.
    mutating func next() throws(SentencePieceFault) -> (field: Int, value: Value)? {
        guard position < end else { return nil }
        let tag = try number()
        guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw fault("field \(tag >> 3) cannot be") }
        let field = Int(tag >> 3)
        switch tag & 7 {
        case 0: return (field, .number(try number()))
        case 1:
            try skip(8)
            return (field, .other)
        case 2:
            let length = try number()
            guard length <= UInt64(end - position) else { throw fault("\(length) bytes are declared, \(end - position) are left") }
            let start = position
            position += Int(length)
            return (field, .range(start..<position))
        case 5:
            let start = position
            try skip(4)
            return (field, .bits((0..<4).reduce(0) { $0 | UInt32(bytes[start + $1]) << (8 * UInt32($1)) }))
        default: throw fault("wire type \(tag & 7) is not one of protobuf's")
        }
    }

    private mutating func skip(_ count: Int) throws(SentencePieceFault) {
        guard end - position >= count else { throw fault("the message ends within a number") }
        position += count
    }

    /// At most ten bytes with seven bits each, the lowest first.
    private mutating func number() throws(SentencePieceFault) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard position < end else { throw fault("the message ends within a number") }
            let byte = bytes[position]
            guard shift < 63 || byte <= 1 else { throw fault("a number has more than 64 bits") }
            position += 1
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
        }
        throw fault("a number has more than 64 bits")
    }
}

extension TokenizerFile {
    private enum PieceKind: UInt64 {
        case normal = 1
        case unknown, control, userDefined, unused, byte
    }

    private struct Pieces {
        var texts: [[UInt8]] = []
        var scores: [Double] = []
        var kinds: [PieceKind] = []
        var budget = PieceBudget()

        func ids(_ kind: PieceKind) -> [Int] { kinds.indices.filter { kinds[$0] == kind } }
    }

    /// Reads a `spiece.model`. Source: google/sentencepiece `sentencepiece_model.proto` (`ModelProto`).
    init(sentencePiece bytes: [UInt8]) throws(SentencePieceFault) {
        var pieces = Pieces()
        var normalizer = SentencePieceNormalizer()
        var kind: UInt64 = 1
        var spellsBytes = false
        var reader = MessageReader(bytes, range: bytes.indices)
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .range(let range)): try Self.readPiece(MessageReader(bytes, range: range), into: &pieces)
            case (2, .range(let range)):
                var trainer = MessageReader(bytes, range: range)
                while let (field, value) = try trainer.next() {
                    switch (field, value) {
                    case (3, .number(let number)): kind = number
                    case (24, .number(1)): throw .unsupported(field: "treat_whitespace_as_suffix", value: "true")
                    case (35, .number(let number)): spellsBytes = number != 0
                    default: break
                    }
                }
            case (3, .range(let range)):
                var specification = MessageReader(bytes, range: range)
                while let (field, value) = try specification.next() {
                    switch (field, value) {
                    case (2, .range(let range)): normalizer.map = range.isEmpty ? nil : try CharacterMap(Array(bytes[range]))
                    case (3, .number(let number)): normalizer.addsSpaceBefore = number != 0
                    case (4, .number(let number)): normalizer.removesSpaces = number != 0
                    case (5, .number(let number)): normalizer.marksSpaces = number != 0
                    default: break
                    }
                }
            default: break
            }
        }
        for (id, text) in pieces.texts.enumerated() {
            guard idOfToken.updateValue(id, forKey: text) == nil else { throw .piece(index: id, problem: "is the same as an earlier one") }
        }
        guard let unknown = pieces.ids(.unknown).first, pieces.ids(.unknown).count == 1 else {
            throw .field("pieces", problem: "\(pieces.ids(.unknown).count) are of the kind UNKNOWN, 1 is needed")
        }
        for id in pieces.ids(.userDefined) { normalizer.userDefined.insert(pieces.texts[id], value: id) }
        let byteTokens = spellsBytes ? Self.byteTokens(in: idOfToken) : nil
        guard !spellsBytes || byteTokens != nil else { throw .field("byte_fallback", problem: "pieces <0x00> to <0xFF> are not all there") }
        switch kind {
        case 1:
            model = .unigram(
                UnigramModel(
                    pieces: pieces.texts, scores: pieces.scores, matched: pieces.ids(.normal) + pieces.ids(.userDefined),
                    scored: pieces.ids(.normal), unknownToken: unknown, byteTokens: byteTokens, isFloat32: true,
                    userDefined: Set(pieces.ids(.userDefined))))
        case 2: model = .merges(Self.merges(of: pieces, unknown: unknown, byteTokens: byteTokens, userDefined: normalizer.userDefined))
        default: throw .unsupported(field: "model_type", value: "\(kind)")
        }
        vocabularySize = pieces.texts.count
        normalizers = [.sentencePiece(normalizer)]
        added = (pieces.ids(.control) + pieces.ids(.unknown)).map { AddedTokens.Token(id: $0, text: String(decoding: pieces.texts[$0], as: UTF8.self)) }
    }

    private static func readPiece(_ message: MessageReader, into pieces: inout Pieces) throws(SentencePieceFault) {
        let index = pieces.texts.count
        var text: [UInt8] = []
        var score: Float = 0
        var kind = PieceKind.normal
        var reader = message
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (1, .range(let range)): text = Array(reader.bytes[range])
            case (2, .bits(let bits)): score = Float(bitPattern: bits)
            case (3, .number(let number)):
                guard let known = PieceKind(rawValue: number) else { throw .piece(index: index, problem: "is of the unknown kind \(number)") }
                kind = known
            default: break
            }
        }
        try pieces.budget.take(text)
        guard !text.isEmpty, String(validating: text, as: UTF8.self) != nil else { throw .piece(index: index, problem: "is not UTF-8 text") }
        guard score.isFinite else { throw .piece(index: index, problem: "its score is not a number") }
        pieces.texts.append(text)
        pieces.scores.append(Double(score))
        pieces.kinds.append(kind)
    }

    /// SentencePiece merges two symbols where what they spell is a piece, the one of the highest score first. Characters that are no
    /// pieces merge too.
    private static func merges(of pieces: Pieces, unknown: Int, byteTokens: [Int]?, userDefined: PieceTrie) -> MergeModel {
        let normal = pieces.ids(.normal)
        var model = MergeModel(tokenCount: pieces.texts.count)
        model.byteTokens = byteTokens
        model.unknownToken = unknown
        model.userDefined = userDefined
        var symbols: [ArraySlice<UInt8>: Int32] = [:]
        for id in normal {
            symbols[pieces.texts[id][...]] = Int32(id)
            if let character = character(of: pieces.texts[id]) { model.symbolOfCharacter[character] = Int32(id) }
        }
        var next = Int32(pieces.texts.count)
        for id in normal {
            let text = pieces.texts[id]
            var position = 0
            while position < text.count {
                let end = position + characterLength(startingWith: text[position])
                let character = text[position..<end]
                if symbols[character] == nil {
                    symbols[character] = next
                    model.symbolOfCharacter[character.reduce(0) { $0 << 8 | UInt32($1) }] = next
                    next += 1
                }
                position = end
            }
        }
        let scores = Set(normal.map { pieces.scores[$0] }).sorted(by: >)
        let rankOfScore = Dictionary(uniqueKeysWithValues: scores.enumerated().map { ($0.element, Int32($0.offset)) })
        for id in normal {
            let text = pieces.texts[id]
            let merge = MergeModel.Merge(rank: rankOfScore[pieces.scores[id]] ?? 0, symbol: Int32(id))
            for cut in text.indices.dropFirst() where text[cut] & 0xC0 != 0x80 {
                guard let first = symbols[text[..<cut]], let second = symbols[text[cut...]] else { continue }
                model.merges[MergeModel.key(first, second)] = merge
            }
        }
        return model
    }
}
