/// SentencePiece's table of characters and what they become: a double-array trie and the texts that it points into.
///
/// Layout: the trie's length in bytes (UInt32, little-endian), its units (UInt32), then texts that each end with a zero byte.
/// Source: google/sentencepiece `normalizer.cc`, s-yata/darts-clone `darts.h`. The file is not trusted: every unit is looked up with bounds.
struct CharacterMap: Sendable {
    private let units: [UInt32]
    private let texts: [UInt8]

    static let byteLimit = 4 << 20
    /// Of one text, so that a short text stays short.
    private static let textByteLimit = 256

    init(_ bytes: [UInt8]) throws(SentencePieceFault) {
        guard bytes.count <= Self.byteLimit else { throw .characterMap(problem: "\(bytes.count) bytes, at most \(Self.byteLimit) are read") }
        guard bytes.count > 4 else { throw .characterMap(problem: "\(bytes.count) bytes, at least 5 are needed") }
        func unit(at place: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[place + $1]) << (8 * UInt32($1)) } }
        let byteCount = Int(unit(at: 0))
        guard byteCount >= 1024, byteCount % 4 == 0, byteCount < bytes.count - 4 else {
            throw .characterMap(problem: "a trie of \(byteCount) bytes is declared, but \(bytes.count - 4) follow")
        }
        units = stride(from: 4, to: 4 + byteCount, by: 4).map(unit)
        texts = Array(bytes[(4 + byteCount)...])
        guard texts.last == 0, String(validating: texts, as: UTF8.self) != nil else {
            throw .characterMap(problem: "its texts are not UTF-8 that ends with a zero byte")
        }
        guard texts.split(separator: 0).allSatisfy({ $0.count <= Self.textByteLimit }) else {
            throw .characterMap(problem: "one of its texts has more than \(Self.textByteLimit) bytes")
        }
    }

    /// What the shortest or the longest entry that `text` begins with becomes.
    ///
    /// - Returns: nil where no entry fits, else the bytes that the entry takes and those in its place.
    func replacement(in text: ArraySlice<UInt8>, longest: Bool) -> (length: Int, text: ArraySlice<UInt8>)? {
        var result: (length: Int, value: Int)?
        var node = Self.offset(units[0])
        for (index, byte) in text.enumerated() {
            node ^= Int(byte)
            guard node < units.count else { break }
            let unit = units[node]
            // A unit that holds a value has the top bit set: no byte is its label.
            guard unit & (1 << 31 | 0xFF) == UInt32(byte), byte != 0 else { break }
            node ^= Self.offset(unit)
            guard node < units.count else { break }
            if unit >> 8 & 1 == 1 {
                result = (index + 1, Int(units[node] & (1 << 31 - 1)))
                if !longest { break }
            }
        }
        guard let result, result.value < texts.count else { return nil }
        // Nothing that begins inside a character is a text.
        guard texts[result.value] & 0xC0 != 0x80 else { return nil }
        let end = texts[result.value...].firstIndex(of: 0) ?? texts.count
        return (result.length, texts[result.value..<end])
    }

    private static func offset(_ unit: UInt32) -> Int { Int((unit >> 10) << ((unit & (1 << 9)) >> 6)) }

    /// As huggingface/tokenizers does it: the shortest entry that a cluster of fewer than six bytes begins with takes the cluster's
    /// whole place; in others, the shortest entry takes that of each character.
    func normalizedByClusters(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for cluster in text {
            let bytes = Array(cluster.utf8)
            if bytes.count < 6, let found = replacement(in: bytes[...], longest: false) {
                result += found.text
                continue
            }
            var position = 0
            while position < bytes.count {
                let end = min(position + characterLength(startingWith: bytes[position]), bytes.count)
                result += replacement(in: bytes[position..<end], longest: false)?.text ?? bytes[position..<end]
                position = end
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// SentencePiece's own normalization: the longest entry at each place, spaces that are single, marked and before the text.
///
/// Source: google/sentencepiece `normalizer.cc`, `Normalizer::Normalize`.
struct SentencePieceNormalizer: Sendable {
    var map: CharacterMap?
    var addsSpaceBefore = true
    var removesSpaces = true
    var marksSpaces = true
    /// Pieces that are left as they are.
    var userDefined = PieceTrie()

    static let spaceMark = Array("▁".utf8)

    func normalized(_ text: [UInt8]) -> [UInt8] {
        var position = 0
        while removesSpaces, position < text.count, case let (length, replaced) = next(in: text, at: position), replaced.elementsEqual([0x20]) {
            position += length
        }
        guard position < text.count else { return [] }
        let space = marksSpaces ? Self.spaceMark : [0x20]
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 8)
        if addsSpaceBefore { result += space }
        var isAfterSpace = removesSpaces
        while position < text.count {
            let (length, whole) = next(in: text, at: position)
            let replaced = isAfterSpace ? whole.drop { $0 == 0x20 } : whole
            for byte in replaced {
                if byte == 0x20 { result += space } else { result.append(byte) }
            }
            if let last = replaced.last { isAfterSpace = removesSpaces && last == 0x20 }
            position += length
        }
        if removesSpaces {
            while result.count >= space.count, result.suffix(space.count).elementsEqual(space) { result.removeLast(space.count) }
        }
        return result
    }

    private func next(in text: [UInt8], at position: Int) -> (length: Int, text: ArraySlice<UInt8>) {
        if !userDefined.isEmpty, let piece = userDefined.longest(in: text, at: position) {
            return (piece.end - position, text[position..<piece.end])
        }
        if let map, let found = map.replacement(in: text[position...], longest: true) { return found }
        let end = min(position + characterLength(startingWith: text[position]), text.count)
        return (end - position, text[position..<end])
    }
}
