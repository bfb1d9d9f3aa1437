// The standard library's normalisation is not public; Foundation, which offers it too, would double
// the size of the program. swift-foundation itself uses it this way.
@_spi(_Unicode) import Swift

/// Text as CLIP's tokenizer sees it: repaired, without HTML references, single spaces, lower case.
///
/// Follows `basic_clean`, `whitespace_clean` and `lower` of openai/CLIP `simple_tokenizer.py`. Of the
/// repairs of its library ftfy, those that a rule per character describes are made (see `repaired`);
/// its guesses at wrongly decoded text are not.
func cleanedText(_ text: String) -> String {
    let unescaped = unescapedHTML(unescapedHTML(repaired(text)))
    // Python's `split` also counts the four separators U+001C to U+001F as space.
    let words = unescaped.unicodeScalars.split { $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value) }
    return lowercased(words.map(String.init).joined(separator: " "))
}

/// ftfy's repairs, repeated while they change something.
private func repaired(_ text: String) -> String {
    // What most labels are: nothing to repair.
    if text.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "&") }) { return text }
    let holdsMarkup = text.utf8.contains(UInt8(ascii: "<"))
    var result = text
    // References nest (`&amp;amp;`); text with more levels than this is no label.
    for _ in 0..<8 {
        let unescaped = holdsMarkup ? result : unescapedHTML(result)
        var view = String.UnicodeScalarView()
        for scalar in unescaped.unicodeScalars { appendRepaired(scalar, to: &view) }
        var normalised = String.UnicodeScalarView()
        normalised.append(contentsOf: String(view)._nfc)
        let next = String(normalised)
        if next.unicodeScalars.elementsEqual(result.unicodeScalars) { break }
        result = next
    }
    return result
}

/// One character without Windows-1252 controls, ligatures, full or half width, curled quotes and
/// control characters, in ftfy's order.
private func appendRepaired(_ scalar: Unicode.Scalar, to view: inout String.UnicodeScalarView) {
    let scalar = (0x80...0x9F).contains(scalar.value) ? windows1252[Int(scalar.value) - 0x80] : scalar
    switch scalar.value {
    case 0x02BC, 0x2018...0x201B: view.append("'")
    case 0x201C...0x201F: view.append("\"")
    case 0x3000: view.append(" ")
    case 0xFF01...0xFF5E:
        view.append(Unicode.Scalar(UInt8(scalar.value - 0xFEE0)))
    case 0xFF61...0xFF9F:
        view.append(halfWidthKatakana[Int(scalar.value) - 0xFF61])
    case 0...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x206A...0x206F, 0xFEFF, 0xFFF9...0xFFFC: break
    default:
        if let letters = ligatures[scalar] {
            view.append(contentsOf: letters.unicodeScalars)
        } else {
            view.append(scalar)
        }
    }
}

private let ligatures: [Unicode.Scalar: String] = [
    "Ĳ": "IJ", "ĳ": "ij", "ŉ": "'n", "Ǳ": "DZ", "ǲ": "Dz", "ǳ": "dz", "Ǆ": "DŽ", "ǅ": "Dž", "ǆ": "dž",
    "Ǉ": "LJ", "ǈ": "Lj", "ǉ": "lj", "Ǌ": "NJ", "ǋ": "Nj", "ǌ": "nj",
    "ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "ſt", "ﬆ": "st",
]

/// The usual forms of U+FF61 to U+FF9F; the last two are combining marks.
private let halfWidthKatakana: [Unicode.Scalar] = Array(
    ("。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン"
        + "\u{3099}\u{309A}").unicodeScalars)

/// Lower case as Python makes it: a sigma at the end of a word takes its final form.
private func lowercased(_ text: String) -> String {
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
