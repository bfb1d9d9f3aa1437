/// What a `tokenizer.json` or a `spiece.model` says.
struct TokenizerFile {
    /// By its UTF-8: pieces that differ in their form alone are equal as `String`s.
    var idOfToken: [[UInt8]: Int] = [:]
    var vocabularySize = 0
    var added: [AddedTokens.Token] = []
    /// The same, of normalized text.
    var addedToNormalized: [AddedTokens.Token] = []
    var normalizers: [TextNormalizer] = []
    var splitters: [TextSplitter] = []
    var model: PieceModel

    static let pieceLimit = 1 << 20
    static let mergeLimit = 1 << 22
    static let pieceByteLimit = 256
    /// Of all pieces together.
    static let allByteLimit = 4 << 20
    /// Of normalizers and pre-tokenizers.
    static let stepLimit = 64

    /// Checks the number and length of pieces while they are read.
    struct PieceBudget {
        private(set) var count = 0
        private var byteCount = 0

        mutating func take(_ piece: [UInt8]) throws(SentencePieceFault) {
            count += 1
            byteCount += piece.count
            guard count <= pieceLimit else { throw .tooMany(what: "pieces", limit: pieceLimit) }
            guard piece.count <= pieceByteLimit else {
                throw .piece(index: count - 1, problem: "\(piece.count) bytes, at most \(pieceByteLimit) are read")
            }
            guard byteCount <= allByteLimit else { throw .tooMany(what: "bytes in its pieces", limit: allByteLimit) }
        }
    }

    /// The tokens `<0x00>` to `<0xFF>`, in order; nil where one is missing.
    static func byteTokens(in ids: [[UInt8]: Int]) -> [Int]? {
        let digits = Array("0123456789ABCDEF".utf8)
        let found = (0..<256).compactMap { ids[Array("<0x".utf8) + [digits[$0 >> 4], digits[$0 & 15], UInt8(ascii: ">")]] }
        return found.count == 256 ? found : nil
    }

    /// The single character that a piece is, as its bytes in one number.
    static func character(of piece: [UInt8]) -> UInt32? {
        guard let first = piece.first, characterLength(startingWith: first) == piece.count else { return nil }
        return piece.reduce(0) { $0 << 8 | UInt32($1) }
    }
}
