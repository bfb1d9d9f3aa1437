import Foundation

/// One step of what a text becomes before it is split.
enum TextNormalizer: Sendable {
    /// Lower case as Python makes it, or each character for itself.
    case lowercase(finalSigma: Bool)
    case withoutPunctuation
    /// Single spaces, none at the ends.
    case singleSpaces
    case replace(TextPattern, with: String)
    case strip(left: Bool, right: Bool)
    case prepend(String)
    case unicode(UnicodeForm)
    case clusters(CharacterMap)
    case sentencePiece(SentencePieceNormalizer)

    enum UnicodeForm: String, Sendable {
        case nfc = "NFC"
        case nfd = "NFD"
        case nfkc = "NFKC"
        case nfkd = "NFKD"
    }

    /// SigLIP's canonicalization: lower case, no ASCII punctuation, single spaces.
    ///
    /// Source: google-research/big_vision `prompt_engineering.py`, `canonicalize_text`; transformers `tokenization_siglip.py`.
    static let canonicalization: [TextNormalizer] = [.lowercase(finalSigma: true), .withoutPunctuation, .singleSpaces]

    func normalized(_ text: String) -> String {
        switch self {
        case .lowercase(finalSigma: true): return lowercased(text)
        case .lowercase(finalSigma: false):
            if text.utf8.allSatisfy({ $0 < 0x80 }) { return text.lowercased() }
            return String(scalars: text.unicodeScalars.flatMap { $0.properties.lowercaseMapping.unicodeScalars })
        case .withoutPunctuation: return text.filtered { !Self.isPunctuation($0) }
        case .singleSpaces:
            let words = text.unicodeScalars.split { $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value) }
            return words.map(String.init).joined(separator: " ")
        case .replace(let pattern, let replacement):
            let scalars = Array(text.unicodeScalars)
            let matches = pattern.matches(in: scalars)
            guard !matches.isEmpty else { return text }
            var result: [Unicode.Scalar] = []
            var position = 0
            for match in matches {
                result += scalars[position..<match.lowerBound]
                result += replacement.unicodeScalars
                position = match.upperBound
            }
            return String(scalars: result + scalars[position...])
        case .strip(let left, let right):
            var scalars = text.unicodeScalars[...]
            if left { scalars = scalars.drop { $0.properties.isWhitespace } }
            while right, let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
            return String(scalars)
        case .prepend(let start): return text.isEmpty ? text : start + text
        case .unicode(let form):
            return switch form {
            case .nfc: text.precomposedStringWithCanonicalMapping
            case .nfd: text.decomposedStringWithCanonicalMapping
            case .nfkc: text.precomposedStringWithCompatibilityMapping
            case .nfkd: text.decomposedStringWithCompatibilityMapping
            }
        case .clusters(let map): return map.normalizedByClusters(text)
        case .sentencePiece(let normalizer): return String(decoding: normalizer.normalized(Array(text.utf8)), as: UTF8.self)
        }
    }

    /// Python's `string.punctuation`.
    private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: true
        default: false
        }
    }
}

extension [TextNormalizer] {
    /// A real tokenizer makes a text a few times as long; one that was made to exhaust the memory is stopped.
    func normalized(_ text: String) -> String {
        let limit = 64 * text.utf8.count + 1024
        return reduce(text) { before, step in
            let after = step.normalized(before)
            return after.utf8.count <= limit ? after : String(after.unicodeScalars.prefix(limit / 4))
        }
    }
}

extension String {
    fileprivate func filtered(_ isKept: (Unicode.Scalar) -> Bool) -> String {
        guard !unicodeScalars.allSatisfy(isKept) else { return self }
        return String(scalars: unicodeScalars.filter(isKept))
    }

    /// A view of scalars counts itself each time it grows; bytes do not.
    init(scalars: some Sequence<Unicode.Scalar>) {
        var bytes: [UInt8] = []
        for scalar in scalars {
            if scalar.isASCII { bytes.append(UInt8(scalar.value)) } else { bytes += UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter }
        }
        self = String(decoding: bytes, as: UTF8.self)
    }
}
