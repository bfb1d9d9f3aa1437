/// Paths as text, without losing a byte.
///
/// To Linux a path is bytes; Swift's strings hold valid UTF-8 only. Within this program a path is a string in
/// which each byte that belongs to no UTF-8 character is written `\xE9`, as bash's `$'…'` and Python's `repr`
/// write it. A backslash that would read like such an escape is itself written `\x5C`. So each name has one text
/// and each text one name, names in UTF-8 stand as they are, and what is printed or written as JSON or CSV is
/// valid UTF-8. What comes from the system or from a list becomes text through `init(pathBytes:)`; calls of the
/// system and written lists take `pathBytes`.
extension String {
    package init(pathBytes bytes: some Collection<UInt8>) {
        let bytes = Array(bytes)
        if let text = String(validating: bytes, as: UTF8.self), !bytes.contains(backslash) {
            self = text
            return
        }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count + 12)
        var index = 0
        while index < bytes.count {
            let count = scalarByteCount(bytes, at: index)
            if count == 0 || bytes[index] == backslash && escapedByte(bytes, at: index) != nil {
                result += [backslash, UInt8(ascii: "x"), digits[Int(bytes[index] >> 4)], digits[Int(bytes[index] & 15)]]
                index += 1
            } else {
                result += bytes[index..<index + count]
                index += count
            }
        }
        self = String(decoding: result, as: UTF8.self)
    }

    /// The bytes of the path that this text stands for.
    package var pathBytes: [UInt8] {
        let bytes = Array(utf8)
        guard bytes.contains(backslash) else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if let byte = escapedByte(bytes, at: index) {
                result.append(byte)
                index += 4
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return result
    }

    /// Lends the path to a call of the system.
    @unsafe package func withSystemPath<Result>(_ body: (UnsafePointer<CChar>) throws -> Result) rethrows -> Result {
        // The copy of a name that needs no escapes would cost more than the call.
        guard utf8.contains(backslash) else { return try unsafe withCString(body) }
        let bytes = pathBytes.map { CChar(bitPattern: $0) } + [0]
        return try unsafe bytes.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return try unsafe "".withCString(body) }
            return try unsafe body(base)
        }
    }
}

private let backslash = UInt8(ascii: "\\")
private let digits = Array("0123456789ABCDEF".utf8)

/// The byte that an escape at `index` stands for: one that UTF-8 does not have alone, or a backslash. Never a slash,
/// a dot or a zero: what a text was checked for holds for the path.
private func escapedByte(_ bytes: [UInt8], at index: Int) -> UInt8? {
    guard bytes.count - index >= 4, bytes[index] == backslash, bytes[index + 1] == UInt8(ascii: "x"),
        let high = digits.firstIndex(of: bytes[index + 2]), let low = digits.firstIndex(of: bytes[index + 3])
    else { return nil }
    let byte = UInt8(high << 4 | low)
    return byte >= 0x80 || byte == backslash ? byte : nil
}

/// Bytes of the UTF-8 character at `index`; 0 where there is none. Source: the Unicode Standard, table 3-7.
private func scalarByteCount(_ bytes: [UInt8], at index: Int) -> Int {
    let first = bytes[index]
    let (count, second): (Int, ClosedRange<UInt8>)
    switch first {
    case 0..<0x80: return 1
    case 0xC2...0xDF: (count, second) = (2, 0x80...0xBF)
    case 0xE0: (count, second) = (3, 0xA0...0xBF)
    case 0xED: (count, second) = (3, 0x80...0x9F)
    case 0xE1...0xEF: (count, second) = (3, 0x80...0xBF)
    case 0xF0: (count, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: (count, second) = (4, 0x80...0xBF)
    case 0xF4: (count, second) = (4, 0x80...0x8F)
    default: return 0
    }
    guard bytes.count - index >= count, second.contains(bytes[index + 1]),
        bytes[(index + 2)..<(index + count)].allSatisfy({ 0x80...0xBF ~= $0 })
    else { return 0 }
    return count
}

// MARK: - In URLs

/// Bytes as they stand in a URL: others than those that are kept as `%20` and the like.
package func percentEncoded(_ bytes: some Sequence<UInt8>, keeping isKept: (UInt8) -> Bool) -> String {
    bytes.map { isKept($0) ? String(UnicodeScalar($0)) : "%" + ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined()
}

/// RFC 3986's unreserved characters, and the slash.
private let pathBytesOfURLs = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/".utf8)

extension String {
    /// As a path in a URL.
    package var percentEncodedPath: String { percentEncoded(pathBytes, keeping: pathBytesOfURLs.contains) }
}
