import Foundation

/// A header's value with parameters, such as `form-data; name="video"` (RFC 9110, section 5.6.6).
struct HeaderParameters {
    /// What stands before the parameters, in lower case.
    let value: String
    private let parameters: [String: String]

    /// By a name in lower case.
    subscript(name: String) -> String? { parameters[name] }

    private static let (semicolon, equals, quote, backslash) = (UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "\""), UInt8(ascii: "\\"))

    /// Nil for what has another form, and where a parameter is given twice: readers would differ on which of them is meant.
    init?(_ text: String) {
        var rest = Array(text.utf8)[...]
        let head = rest.prefix { $0 != Self.semicolon }
        rest = rest.dropFirst(head.count)
        var parameters: [String: String] = [:]
        while true {
            rest = rest.drop { Self.isBlank($0) || $0 == Self.semicolon }
            if rest.isEmpty { break }
            let name = rest.prefix(while: Self.isTokenByte)
            rest = rest.dropFirst(name.count)
            guard !name.isEmpty, rest.first == Self.equals else { return nil }
            rest = rest.dropFirst()
            guard let value = rest.first == Self.quote ? Self.quoted(&rest) : Self.plain(&rest) else { return nil }
            rest = rest.drop(while: Self.isBlank)
            guard rest.isEmpty || rest.first == Self.semicolon else { return nil }
            guard parameters.updateValue(value, forKey: String(decoding: name, as: UTF8.self).lowercased()) == nil else { return nil }
        }
        value = String(decoding: head, as: UTF8.self).trimmingCharacters(in: .whitespaces).lowercased()
        self.parameters = parameters
    }

    /// Up to the closing quote. A backslash in front of anything but a quote or another backslash stands for itself: some
    /// browsers write paths of Windows without doubling theirs.
    private static func quoted(_ rest: inout ArraySlice<UInt8>) -> String? {
        var bytes: [UInt8] = []
        rest = rest.dropFirst()
        while let byte = rest.first {
            rest = rest.dropFirst()
            if byte == quote { return String(decoding: bytes, as: UTF8.self) }
            if byte == backslash, let next = rest.first, next == quote || next == backslash {
                bytes.append(next)
                rest = rest.dropFirst()
            } else {
                bytes.append(byte)
            }
        }
        return nil
    }

    /// More than tokens: writers leave out quotes that boundaries with an equals sign or a slash would need.
    private static func plain(_ rest: inout ArraySlice<UInt8>) -> String? {
        let bytes = rest.prefix { !isBlank($0) && $0 != semicolon && $0 != quote && $0 != backslash }
        rest = rest.dropFirst(bytes.count)
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 32 || byte == 9 }

    private static let tokenBytes = Set("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// RFC 9110, section 5.6.2: what names of headers and parameters are made of.
    static func isTokenByte(_ byte: UInt8) -> Bool { tokenBytes.contains(byte) }
}
