/// CLIP's byte-pair merges.
///
/// Ids: 256 bytes, the same 256 at the end of a word, one for each merge in order, start, end.
struct BPEVocabulary: Sendable {
    /// CLIP's vocabulary of 49,152 symbols, without the bytes and two more (openai/CLIP
    /// `simple_tokenizer.py`); the file lists five times as many, the rest is not used.
    static let mergeCount = 49_152 - 256 - 2
    static let byteLimit = 16 << 20
    static let lineByteLimit = 1 << 10

    /// The id of each byte inside a word; at its end 256 more.
    let idOfByte: [Int]
    /// The id that two neighbours become; smaller ones merge first.
    private let mergedIDs: [UInt64: Int32]

    var startToken: Int { 512 + Self.mergeCount }
    var endToken: Int { startToken + 1 }

    init(path: String) throws(TokenizerError) {
        let contents = try gzipContents(of: path, limit: Self.byteLimit)
        // A file that is not text is refused as a whole, wherever the fault is.
        guard String(validating: contents, as: UTF8.self) != nil else {
            throw .vocabulary(path: path, .notUTF8)
        }
        let lines = contents.split(separator: 0x0A, omittingEmptySubsequences: false)
        if let line = lines.firstIndex(where: { $0.count > Self.lineByteLimit }) {
            throw .vocabulary(path: path, .lineTooLong(line: line + 1, limit: Self.lineByteLimit))
        }
        var table = MergeTable()
        // The first line is a heading; what follows the last line's end is empty.
        let merges = lines.dropFirst().prefix(Self.mergeCount)
        let found = merges.count - (lines.count <= Self.mergeCount + 1 && lines.last?.isEmpty == true ? 1 : 0)
        guard found >= Self.mergeCount else {
            throw .vocabulary(path: path, .tooFewMerges(found: max(0, found), needed: Self.mergeCount))
        }
        for (index, line) in merges.enumerated() {
            do { try table.add(line, number: index + 2) } catch { throw .vocabulary(path: path, error) }
        }
        idOfByte = MergeTable.idOfByte
        mergedIDs = table.mergedIDs
    }

    /// The id of `first` followed by `second`, or nil where they do not merge.
    func merged(_ first: Int, _ second: Int) -> Int? {
        mergedIDs[MergeTable.key(first, second)].map(Int.init)
    }
}

/// The merges while they are read.
private struct MergeTable {
    /// Symbols as the file spells them, in UTF-8.
    private var idOfSymbol: [ArraySlice<UInt8>: Int] = [:]
    private(set) var mergedIDs: [UInt64: Int32] = [:]

    static func key(_ first: Int, _ second: Int) -> UInt64 { UInt64(first) << 32 | UInt64(second) }

    /// Bytes that print (in Latin-1) come first and stand for themselves; the others follow, spelled
    /// as characters from U+0100 on, so that no symbol holds a space.
    private static let bytesInOrder: [UInt8] = {
        let printing = Array(0x21...0x7E) + Array(0xA1...0xAC) + Array(0xAE...0xFF) as [UInt8]
        return printing + (0...0xFF).filter { !printing.contains($0) }
    }()

    static let idOfByte: [Int] = {
        var result = [Int](repeating: 0, count: 256)
        for (id, byte) in bytesInOrder.enumerated() { result[Int(byte)] = id }
        return result
    }()

    init() {
        idOfSymbol.reserveCapacity(512 + BPEVocabulary.mergeCount)
        mergedIDs.reserveCapacity(BPEVocabulary.mergeCount)
        let wordEnd = Array("</w>".utf8)
        for (id, byte) in Self.bytesInOrder.enumerated() {
            // 188 bytes print; the first of the others is U+0100.
            let value = id < 188 ? UInt32(byte) : UInt32(0x100 + id - 188)
            guard let scalar = Unicode.Scalar(value) else { continue }
            let symbol = Array(String(Character(scalar)).utf8)
            idOfSymbol[symbol[...]] = id
            idOfSymbol[(symbol + wordEnd)[...]] = id + 256
        }
    }

    /// Adds the merge of one line, `first second`.
    mutating func add(_ line: ArraySlice<UInt8>, number: Int) throws(TokenizerError.VocabularyFault) {
        let fields = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard fields.count == 2, !fields[0].isEmpty, !fields[1].isEmpty else {
            throw .fieldCount(line: number, found: fields.filter { !$0.isEmpty }.count)
        }
        let first = try id(of: fields[0], line: number)
        let second = try id(of: fields[1], line: number)
        let id = 512 + mergedIDs.count
        guard mergedIDs.updateValue(Int32(id), forKey: Self.key(first, second)) == nil,
            idOfSymbol.updateValue(id, forKey: (fields[0] + fields[1])[...]) == nil
        else { throw .duplicateMerge(line: number) }
    }

    private func id(of symbol: ArraySlice<UInt8>, line: Int) throws(TokenizerError.VocabularyFault) -> Int {
        guard let id = idOfSymbol[symbol] else {
            throw .unknownSymbol(line: line, symbol: String(decoding: symbol, as: UTF8.self))
        }
        return id
    }
}
