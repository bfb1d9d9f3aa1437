/// `text` with HTML character references replaced, by the rules of Python's `html.unescape`, which
/// CLIP was trained with: unknown names stay as they are, the longest known prefix counts, numbers
/// that HTML5 forbids disappear.
func unescapedHTML(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: "&")) else { return text }
    let scalars = Array(text.unicodeScalars)
    var result = String.UnicodeScalarView()
    var position = 0
    while position < scalars.count {
        let rest = scalars[(position + 1)...]
        if scalars[position] == "&", let reference = numericReference(rest) ?? namedReference(rest) {
            result.append(contentsOf: reference.replacement)
            position += 1 + reference.length
        } else {
            result.append(scalars[position])
            position += 1
        }
    }
    return String(result)
}

/// What a reference stands for, and the scalars it takes after the ampersand.
private typealias Reference = (replacement: [Unicode.Scalar], length: Int)

/// `#38;`, `#x26;`, with or without the semicolon.
private func numericReference(_ text: ArraySlice<Unicode.Scalar>) -> Reference? {
    guard text.first == "#" else { return nil }
    var digits = text.dropFirst()
    var radix = 10
    if digits.first == "x" || digits.first == "X" {
        digits = digits.dropFirst()
        radix = 16
    }
    var value = 0
    var length = text.count - digits.count
    let prefixLength = length
    for scalar in digits {
        guard scalar.isASCII, let digit = Character(scalar).hexDigitValue, digit < radix else { break }
        value = min(value * radix + digit, 0x11_0000)
        length += 1
    }
    guard length > prefixLength else { return nil }
    if digits.dropFirst(length - prefixLength).first == ";" { length += 1 }
    return (character(numbered: value).map { [$0] } ?? [], length)
}

/// The character that HTML5 gives to a number, or nil for those it forbids.
private func character(numbered value: Int) -> Unicode.Scalar? {
    switch value {
    case 0: return "\u{FFFD}"
    case 0x0D: return "\r"
    case 0x80...0x9F: return windows1252[value - 0x80]
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return nil
    default:
        guard let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init) else { return "\u{FFFD}" }
        return value & 0xFFFE == 0xFFFE ? nil : scalar
    }
}

/// What the control codes U+0080 to U+009F mean where text was Windows-1252.
let windows1252: [Unicode.Scalar] = Array(
    "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8D}Ž\u{8F}\u{90}‘’“”•–—˜™š›œ\u{9D}žŸ".unicodeScalars)

/// `amp;`, or the longest of the old names that work without a semicolon.
private func namedReference(_ text: ArraySlice<Unicode.Scalar>) -> Reference? {
    let stops: [Unicode.Scalar] = ["\t", "\n", "\u{C}", " ", "<", "&", "#", ";"]
    let name = text.prefix(32).prefix { !stops.contains($0) }
    guard !name.isEmpty else { return nil }
    let entities = HTMLEntities.all
    if text.dropFirst(name.count).first == ";", let entity = entities[spelling(name)] {
        return (entity.replacement, name.count + 1)
    }
    for length in stride(from: name.count, to: 1, by: -1) {
        if let entity = entities[spelling(name.prefix(length))], entity.worksWithoutSemicolon {
            return (entity.replacement, length)
        }
    }
    return nil
}

private func spelling(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
}

private struct HTMLEntities {
    let replacement: [Unicode.Scalar]
    let worksWithoutSemicolon: Bool

    /// Parsed at the first ampersand.
    static let all: [String: HTMLEntities] = {
        var result: [String: HTMLEntities] = [:]
        for entry in htmlEntityTable.split(whereSeparator: \.isWhitespace) {
            guard let mark = entry.firstIndex(where: { $0 == "=" || $0 == "!" }) else { continue }
            let codes = entry[entry.index(after: mark)...].split(separator: "+")
            result[String(entry[..<mark])] = HTMLEntities(
                replacement: codes.compactMap { UInt32($0, radix: 16).flatMap(Unicode.Scalar.init) },
                worksWithoutSemicolon: entry[mark] == "!")
        }
        return result
    }()
}
