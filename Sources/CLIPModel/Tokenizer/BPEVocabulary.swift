import Files

/// CLIP's byte-pair merges.
///
/// Ids: 256 bytes, the same 256 at the end of a word, one for each merge in order, start, end.
struct BPEVocabulary: Sendable {
    /// CLIP's vocabulary of 49,152 symbols, without the bytes and two more (openai/CLIP
    /// `simple_tokenizer.py`); the file lists five times as many, the rest is not used.
    static let mergeCount = 49_152 - 256 - 2
    static let byteLimit = 16 << 20
    static let lineByteLimit = 1 << 10

    static let fileName = "bpe_simple_vocab_16e6.txt.gz"

    /// The id of each byte inside a word; at its end 256 more.
    let idOfByte: [Int]
    /// One merge per line, after a heading: the form of Hugging Face's `merges.txt`.
    let mergesText: String
    /// The id that two neighbors become; smaller ones merge first.
    private let mergedIDs: [UInt64: Int32]

    var startToken: Int { 512 + mergedIDs.count }
    var endToken: Int { startToken + 1 }

    /// SHA-256 over the merges, one per line: the same for every form of file.
    var digest: String { Digest.of(String(mergesText.drop { $0 != "\n" })) }

    /// Reads CLIP's own file, packed or not, or Hugging Face's `merges.txt` or `tokenizer.json`. The ids that these two (or
    /// the `vocab.json` beside the first) name must be the ones that follow from the merges.
    init(path: String) throws(TokenizerError) {
        var contents = try Self.contents(of: path)
        if contents.starts(with: [0xEF, 0xBB, 0xBF]) { contents.removeFirst(3) }
        do throws(TokenizerError.VocabularyFault) {
            if contents.starts(with: [0x1F, 0x8B]) {
                try self.init(wholeText: gunzipped(contents, limit: Self.byteLimit))
            } else if contents.starts(with: Array(Self.heading.utf8)) {
                try self.init(merges: try Self.lines(of: contents), ids: nil)
            } else if Self.isUnpacked(contents) {
                try self.init(wholeText: contents)
            } else if contents.first == UInt8(ascii: "{") {
                let file = try TokenizerJSON(contents)
                try self.init(merges: file.merges.prefix(Self.mergeCount).map { $0[...] }, ids: file.ids)
            } else {
                throw .unknownForm
            }
        } catch {
            throw .vocabulary(path: path, error)
        }
        let beside = path.parentDirectory.appendingPath("vocab.json")
        guard path.lastPathComponent == "merges.txt", fileExists(beside) else { return }
        let ids = try Self.contents(of: beside)
        do throws(TokenizerError.VocabularyFault) {
            try check(ids: try TokenizerJSON.ids(ids))
        } catch {
            throw .vocabulary(path: beside, error)
        }
    }

    private static let heading = "#version"

    /// Whether text is CLIP's file without its packing: under its heading, which names it, or two symbols a line from
    /// the first merge on.
    private static func isUnpacked(_ contents: [UInt8]) -> Bool {
        let first = contents.prefix(lineByteLimit).prefix { $0 != 0x0A }
        guard let text = String(validating: first, as: UTF8.self) else { return false }
        return text.contains(heading) || contents.count > mergeCount * 4 && text.split(separator: " ").count == 2
    }

    /// CLIP's own file: every merge must be there.
    private init(wholeText contents: [UInt8]) throws(TokenizerError.VocabularyFault) {
        let merges = try Self.lines(of: contents)
        guard merges.count == Self.mergeCount else { throw .tooFewMerges(found: merges.count, needed: Self.mergeCount) }
        try self.init(merges: merges, ids: nil)
    }

    private init(merges: [ArraySlice<UInt8>], ids: [String: Int]?) throws(TokenizerError.VocabularyFault) {
        var table = MergeTable()
        for (index, line) in merges.enumerated() { try table.add(line, number: index + 2) }
        idOfByte = MergeTable.idOfByte
        mergedIDs = table.mergedIDs
        mergesText = (["#version: 0.2"] + merges.map { String(decoding: $0, as: UTF8.self) } + [""]).joined(separator: "\n")
        if let ids { try check(ids: ids, table: table) }
    }

    private static func contents(of path: String) throws(TokenizerError) -> [UInt8] {
        do {
            return try InputFile.contents(of: path, limit: byteLimit)
        } catch {
            throw .file(error)
        }
    }

    /// The lines after the heading, as many as are used.
    private static func lines(of contents: [UInt8]) throws(TokenizerError.VocabularyFault) -> [ArraySlice<UInt8>] {
        // A file that is not text is refused as a whole, wherever the fault is.
        guard String(validating: contents, as: UTF8.self) != nil else { throw .notUTF8 }
        // Editors and checkouts on Windows end lines in a carriage return as well; no symbol holds one.
        let lines = contents.split(separator: 0x0A, omittingEmptySubsequences: false).map { $0.last == 0x0D ? $0.dropLast() : $0 }
        if let line = lines.firstIndex(where: { $0.count > lineByteLimit }) {
            throw .lineTooLong(line: line + 1, limit: lineByteLimit)
        }
        // What follows the last line's end is empty.
        let end = lines.last?.isEmpty == true ? lines.count - 1 : lines.count
        let hasHeading = lines.first.map { String(decoding: $0, as: UTF8.self).contains(heading) } ?? false
        return Array(lines[..<end].dropFirst(hasHeading ? 1 : 0).prefix(mergeCount))
    }

    /// Whether a vocabulary numbers its symbols as the merges do.
    private func check(ids: [String: Int]) throws(TokenizerError.VocabularyFault) {
        var table = MergeTable()
        for (index, line) in mergesText.utf8.split(separator: 0x0A).dropFirst().enumerated() {
            try table.add(Array(line)[...], number: index + 2)
        }
        try check(ids: ids, table: table)
    }

    private func check(ids: [String: Int], table: MergeTable) throws(TokenizerError.VocabularyFault) {
        let specials = ["<|startoftext|>": startToken, "<|endoftext|>": endToken]
        for (symbol, id) in ids.sorted(by: { $0.value < $1.value }) {
            let expected = specials[symbol] ?? table.idOfSymbol[Array(symbol.utf8)[...]]
            guard id == expected else { throw .otherID(symbol: symbol, found: id, expected: expected) }
        }
        guard ids.count == endToken + 1 else { throw .otherSize(found: ids.count, expected: endToken + 1) }
    }

    /// The id of `first` followed by `second`, or nil where they do not merge.
    func merged(_ first: Int, _ second: Int) -> Int? {
        mergedIDs[MergeTable.key(first, second)].map(Int.init)
    }
}

/// The merges while they are read.
private struct MergeTable {
    /// Symbols as the file spells them, in UTF-8.
    private(set) var idOfSymbol: [ArraySlice<UInt8>: Int] = [:]
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
