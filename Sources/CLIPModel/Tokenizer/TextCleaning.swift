// The standard library's normalization is not public; Foundation, which offers it too, would double
// the size of the program. swift-foundation itself uses it this way.
@_spi(_Unicode) import Swift

/// Text as CLIP's tokenizer sees it: repaired, without HTML references, single spaces, lower case.
///
/// Follows `basic_clean`, `whitespace_clean` and `lower` of openai/CLIP `simple_tokenizer.py`, and the
/// repairs of its library ftfy.
func cleanedText(_ text: String) -> String {
    let unescaped = unescapedHTML(unescapedHTML(repaired(text)))
    // Python's `split` also counts the four separators U+001C to U+001F as space.
    let words = unescaped.unicodeScalars.split { $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value) }
    return lowercased(words.map(String.init).joined(separator: " "))
}

/// ftfy's repairs, repeated while they change something, line by line as ftfy does it.
private func repaired(_ text: String) -> String {
    // What most labels are: nothing to repair.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "&") }) { return text }
    let holdsMarkup = text.utf8.contains(UInt8(ascii: "<"))
    let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    return lines.map { repaired(line: String($0), holdsMarkup: holdsMarkup) }.joined(separator: "\n")
}

private func repaired(line: String, holdsMarkup: Bool) -> String {
    var result = line
    // References nest (`&amp;amp;`); text with more levels than this is not a label.
    for _ in 0..<8 {
        let unescaped = holdsMarkup ? result : unescapedHTML(withCapitalReferences(result))
        var view = String.UnicodeScalarView()
        for scalar in decodedMojibake(unescaped).unicodeScalars { appendUsual(scalar, to: &view) }
        let bare = withoutTerminalEscapes(view).filter { !isControl($0) }
        var normalized = String.UnicodeScalarView()
        normalized.append(contentsOf: String(String.UnicodeScalarView(bare))._nfc)
        let next = String(normalized)
        if next.unicodeScalars.elementsEqual(result.unicodeScalars) { break }
        result = next
    }
    return result
}

/// One character without Windows-1252 controls, ligatures, full or half width and curled quotes, in ftfy's order.
private func appendUsual(_ scalar: Unicode.Scalar, to view: inout String.UnicodeScalarView) {
    let scalar = (0x80...0x9F).contains(scalar.value) ? windows1252[Int(scalar.value) - 0x80] : scalar
    switch scalar.value {
    case 0x02BC, 0x2018...0x201B: view.append("'")
    case 0x201C...0x201F: view.append("\"")
    case 0xFF01...0xFF5E: view.append(Unicode.Scalar(UInt8(scalar.value - 0xFEE0)))
    default:
        if let letters = ligatures[scalar] {
            view.append(contentsOf: letters.unicodeScalars)
        } else if let usual = usualWidths[scalar] {
            view.append(contentsOf: usual)
        } else {
            view.append(scalar)
        }
    }
}

private func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: true
    default: false
    }
}

/// Without what colors a terminal: escape, `[`, numbers with semicolons, a letter.
private func withoutTerminalEscapes(_ text: String.UnicodeScalarView) -> [Unicode.Scalar] {
    let scalars = Array(text)
    guard scalars.contains("\u{1B}") else { return scalars }
    var result: [Unicode.Scalar] = []
    var position = 0
    while position < scalars.count {
        if scalars[position] == "\u{1B}", position + 1 < scalars.count, scalars[position + 1] == "[" {
            let numbers = scalars[(position + 2)...].prefix { $0 == ";" || $0.properties.generalCategory == .decimalNumber }
            let end = position + 2 + numbers.count
            if end < scalars.count, scalars[end].isASCII, scalars[end].properties.isAlphabetic {
                position = end + 1
                continue
            }
        }
        result.append(scalars[position])
        position += 1
    }
    return result
}

/// References in capitals, which HTML does not know but people write: `&EACUTE;` as `É`.
private func withCapitalReferences(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
    var result = ""
    var rest = text[...]
    while let start = rest.firstIndex(of: "&") {
        result += rest[..<start]
        rest = rest[start...]
        let name = rest.dropFirst().prefix(32).prefix { $0.isASCII && ($0.isUppercase || $0.isNumber) }
        let reference = "&\(name);"
        let small = reference.lowercased()
        if !name.isEmpty, rest.hasPrefix(reference), unescapedHTML(reference) == reference, unescapedHTML(small) != small {
            result += unescapedHTML(small).uppercased()
            rest = rest.dropFirst(reference.count)
        } else {
            result += "&"
            rest = rest.dropFirst()
        }
    }
    return result + rest
}

/// By the full or half form of a character.
private let usualWidths: [Unicode.Scalar: [Unicode.Scalar]] = Dictionary(
    characterWidths.unicodeScalars.split(separator: "|").compactMap { entry in entry.first.map { ($0, Array(entry.dropFirst())) } },
    uniquingKeysWith: { first, _ in first })

private let ligatures: [Unicode.Scalar: String] = [
    "Ĳ": "IJ", "ĳ": "ij", "ŉ": "'n", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž",
    "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj",
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st",
]

/// Lower case as Python makes it: a sigma at the end of a word takes its final form.
func lowercased(_ text: String) -> String {
    guard text.unicodeScalars.contains("Σ") else { return text.lowercased() }
    let scalars = Array(text.unicodeScalars)
    var result = ""
    for (index, scalar) in scalars.enumerated() {
        let isFinal = scalar == "Σ" && endsWithLetter(scalars[..<index].reversed())
            && !endsWithLetter(scalars[(index + 1)...])
        result += isFinal ? "ς" : scalar.properties.lowercaseMapping
    }
    return result
}

/// Whether a letter with upper and lower case comes first, apart from what case ignores.
private func endsWithLetter(_ scalars: some Sequence<Unicode.Scalar>) -> Bool {
    scalars.first { !$0.properties.isCaseIgnorable }?.properties.isCased ?? false
}
