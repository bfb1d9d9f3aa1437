/// `text` as it was before its UTF-8 was read in another encoding: `cafÃ©` becomes `café`.
///
/// Follows `fix_encoding` of ftfy 6.3.1, which CLIP's tokenizer cleans its texts with.
func decodedMojibake(_ text: String) -> String {
    var result = text
    // Text may be garbled several times over. Each pass makes it shorter or leaves it as it is.
    for _ in 0..<16 {
        let next = decodedOnce(result)
        if next.unicodeScalars.elementsEqual(result.unicodeScalars) { break }
        result = next
    }
    return result
}

private func decodedOnce(_ text: String) -> String {
    let scalars = text.unicodeScalars.map(\.value)
    guard scalars.contains(where: { $0 >= 0x80 }), looksGarbled(scalars) else { return text }
    for page in CodePage.all {
        guard var bytes = page.bytes(of: scalars) else { continue }
        if page.restoresSpaces { bytes = withSpacesRestored(bytes) }
        if page.isSloppy { bytes = withLostBytesReplaced(bytes) }
        if let decoded = decodedUTF8(bytes) { return decoded }
    }
    let embedded = withEmbeddedDecoded(scalars)
    if embedded != scalars { return string(embedded) }
    // Latin-1 that was meant as Windows-1252 has control characters; these go as each would alone.
    if scalars.contains(where: { (0x80...0x9F).contains($0) }) {
        return string(scalars.map { (0x80...0x9F).contains($0) ? windows1252[Int($0) - 0x80].value : $0 })
    }
    return text
}

private func string(_ values: [UInt32]) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: values.compactMap(Unicode.Scalar.init))
    return String(view)
}

// MARK: What looks garbled

private func looksGarbled(_ scalars: [UInt32]) -> Bool {
    scalars.indices.contains { garbled.length(in: scalars, at: $0) != nil }
}

/// ftfy's badness.py: characters that hardly ever stand beside each other on purpose.
private let garbled: [CharacterPattern] = {
    let arabic = "{common}{currency}{bad}{numeric}{start}ŸŠ®°µ»"
    return [
        "{c1}",
        "{bad}{lower}{upper}{box}{start}{end}{currency}{numeric}{law} {bad}",
        "a-zA-Z {lowerCommon}{upperCommon} {bad}",
        "{bad} {lower}{upper}{box}{start}{end}{currency}{numeric}{law}",
        "{lower}{lowerCommon}{box}{end}{currency}{numeric} {upper}",
        "{box}{end}{currency}{numeric} {lower}",
        "{lower}{box}{end} {currency}",
        "\\s {upper} {currency}",
        "{upper}{box} {numeric}{law}",
        "{lower}{upper}{box}{currency}{end} {start} {numeric}",
        "{lower}{upper}{currency}{numeric}{box}{law} {end} {start}",
        "{currency}{numeric}{box} {start}",
        "a-z {upper} {start}{currency}",
        "{box} {kaomoji}",
        "{lower}{upper}{currency}{numeric}{start}{end}{law} {box}",
        "{box} {end}",
        "{lower}{upper} {start}{end} \\w",
        "Œœ !A-Za-z",
        "{upper} °",
        "ÂÃÎÐ €œŠš¢£Ÿž\u{a0}\u{ad}®©°·»{start}{end}–—´",
        "× ²³",
        "ØÙ \(arabic) ØÙ \(arabic)",
        "à ²µ¹¼½¾",
        "√ ±∂†≠®™´≤≥¥µø",
        "≈ °¢",
        "‚ Ä ìîïòôúùû†°¢π",
        "‚ âó àä°ê",
        "в Ђ",
        "ВГРС {c1}{bad}{start}{end}{currency}°µ ВГРС",
        "Г ў В Ђ В . A-Za-z\\_",
        "Ã \u{a0}¡",
        "a-z ÂÃ \\_",
        "a-z \\s ÂÃ \\_",
        "^ ÂÃ \\_",
        "a-z.,?!{end} Â \\_{start}{end}",
        "β € ™\u{a0}Ά\u{ad}®°",
        "ΒΓΞΟ {c1}{bad}{start}{end}{currency}° ΒΓΞΟ",
        "ā €",
    ].map { CharacterPattern($0, names: mojibakeCategories) }
}()

// MARK: Encodings

/// An encoding with one byte a character.
private struct CodePage: Sendable {
    /// Whether it also takes U+FFFD, for a byte that was lost.
    let isSloppy: Bool
    /// Whether a space may stand for a no-break space that somebody took for one; in Mac Roman that would be a dash.
    let restoresSpaces: Bool
    private let byteOf: [UInt32: UInt8]

    private init(isSloppy: Bool, restoresSpaces: Bool, characters: some Sequence<UInt32>) {
        self.isSloppy = isSloppy
        self.restoresSpaces = restoresSpaces
        var byteOf: [UInt32: UInt8] = [isSloppy ? 0xFFFD : 0x1A: 0x1A]
        for (index, character) in characters.enumerated() { byteOf[character] = UInt8(truncatingIfNeeded: 0x80 + index) }
        self.byteOf = byteOf
    }

    static let all: [CodePage] = [CodePage(isSloppy: false, restoresSpaces: true, characters: 0x80...0xFF)]
        + codePages.enumerated().map { index, page in
            CodePage(
                isSloppy: page.isSloppy, restoresSpaces: index != codePages.count - 2,
                characters: page.characters.unicodeScalars.map(\.value))
        }

    /// nil where a character is none of this encoding.
    func bytes(of scalars: [UInt32]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(scalars.count)
        for scalar in scalars {
            if scalar < 0x80, scalar != 0x1A {
                bytes.append(UInt8(scalar))
            } else if let byte = byteOf[scalar] {
                bytes.append(byte)
            } else {
                return nil
            }
        }
        return bytes
    }
}

/// UTF-8, and what Java and CESU-8 make of zero bytes and of surrogates.
private func decodedUTF8(_ bytes: [UInt8]) -> String? {
    guard bytes.contains(0xED) || bytes.contains(0xC0) else { return String(validating: bytes, as: UTF8.self) }
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
        let rest = bytes[position...].prefix(6).map { UInt32($0) }
        if rest.starts(with: [0xC0, 0x80]) {
            result.append(0)
            position += 2
        } else if surrogates.length(in: rest, at: 0) != nil,
            let scalar = Unicode.Scalar(
                ((rest[1] & 0x0F) << 16) + ((rest[2] & 0x3F) << 10) + ((rest[4] & 0x0F) << 6) + (rest[5] & 0x3F) + 0x1_0000)
        {
            result += Array(String(Character(scalar)).utf8)
            position += 6
        } else {
            result.append(bytes[position])
            position += 1
        }
    }
    return String(validating: result, as: UTF8.self)
}

private let surrogates = CharacterPattern(
    "\u{ed} \u{a0}-\u{af} \u{80}-\u{bf} \u{ed} \u{b0}-\u{bf} \u{80}-\u{bf}")

// MARK: Damage on top of it

/// Spaces that stand where a byte 0xA0 would make the bytes UTF-8.
private func withSpacesRestored(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(0x20) else { return bytes }
    // `Ã la` is `à la`, whose two spaces have become one; in Portuguese words `à` is followed by no space.
    var words: [UInt8] = []
    let glued = [" ", "quele", "quela", "quilo", "s "].map { Array($0.utf8) }
    for (index, byte) in bytes.enumerated() {
        words.append(byte)
        let isGrave = byte == 0xC3 && index + 1 < bytes.count && bytes[index + 1] == 0x20
        if isGrave, !glued.contains(where: { bytes[(index + 2)...].starts(with: $0) }) { words.append(0xA0) }
    }
    return replaced(words, where: alteredUTF8) { $0.map { $0 == 0x20 ? 0xA0 : $0 } }
}

private let alteredUTF8 = [
    "\u{c2}\u{c3}\u{c5}\u{ce}\u{d0}\u{d9} \\_",
    "\u{e2}\u{e3} \\_ \u{80}-\u{84}\u{86}-\u{9f}\u{a1}-\u{bf}",
    "\u{e0}-\u{e3} \u{80}-\u{84}\u{86}-\u{9f}\u{a1}-\u{bf} \\_",
    "\u{f0} \\_ \u{80}-\u{bf} \u{80}-\u{bf}",
    "\u{f0} \u{80}-\u{bf} \\_ \u{80}-\u{bf}",
    "\u{f0} \u{80}-\u{bf} \u{80}-\u{bf} \\_",
].map { CharacterPattern($0) }

/// Sequences of UTF-8 some of whose bytes are lost become U+FFFD.
private func withLostBytesReplaced(_ bytes: [UInt8]) -> [UInt8] {
    guard bytes.contains(0x1A) || bytes.contains(UInt8(ascii: "?")) else { return bytes }
    return replaced(bytes, where: lossyUTF8) { _ in [0xEF, 0xBF, 0xBD] }
}

private let lossyUTF8: [CharacterPattern] = {
    let (lost, goesOn, either) = ("\u{1a}?", "\u{1a}\u{80}-\u{bf}", "\u{1a}?\u{80}-\u{bf}")
    return [
        "\u{c2}-\u{df} \u{1a}", "\u{c2}-\u{c3} ?",
        "\u{ed} \u{a0}-\u{af} \(lost) \u{ed} \u{b0}-\u{bf} \(either)", "\u{ed} \u{a0}-\u{af} \(either) \u{ed} \u{b0}-\u{bf} \(lost)",
        "\u{e0}-\u{ef} \(lost) \(goesOn)", "\u{e0}-\u{ef} \(goesOn) \(lost)",
        "\u{f0}-\u{f4} \(lost) \(goesOn) \(goesOn)", "\u{f0}-\u{f4} \(goesOn) \(lost) \(goesOn)",
        "\u{f0}-\u{f4} \(goesOn) \(goesOn) \(lost)", "\u{1a}",
    ].map { CharacterPattern($0) }
}()

private func replaced(_ bytes: [UInt8], where patterns: [CharacterPattern], by replacement: (ArraySlice<UInt8>) -> [UInt8]) -> [UInt8] {
    let values = bytes.map { UInt32($0) }
    var result: [UInt8] = []
    var position = 0
    while position < bytes.count {
        if let length = patterns.length(in: values, at: position) {
            result += replacement(bytes[position..<position + length])
            position += length
        } else {
            result.append(bytes[position])
            position += 1
        }
    }
    return result
}

// MARK: Parts

/// Parts that look like UTF-8 in another encoding, each decoded for itself.
private func withEmbeddedDecoded(_ scalars: [UInt32]) -> [UInt32] {
    var result: [UInt32] = []
    var position = 0
    while position < scalars.count {
        var end = position
        if position == 0 || strict.length(in: scalars, at: position - 1) == nil {
            while let length = utf8Clues.length(in: scalars, at: end) { end += length }
        }
        guard end > position else {
            result.append(scalars[position])
            position += 1
            continue
        }
        let part = Array(scalars[position..<end])
        // Shorter than the whole, so that this comes to an end.
        if part.count < scalars.count, looksGarbled(part) {
            result += decodedMojibake(string(part)).unicodeScalars.map(\.value)
        } else {
            result += part
        }
        position = end
    }
    return result
}

private let strict = CharacterPattern("{strict}", names: mojibakeClues)
private let utf8Clues = [
    "{first2} {continuation}\\_", "{first3} {continuation}\\_ {continuation}\\_",
    "{first4} {continuation}\\_ {continuation}\\_ {continuation}\\_",
].map { CharacterPattern($0, names: mojibakeClues) }
