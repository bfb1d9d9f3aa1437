/// Steps through strict JSON (RFC 8259) without ever building a tree of it.
package struct JSONCursor {
    package let bytes: [UInt8]
    /// Where `bytes` starts in the file, for messages.
    let fileOffset: Int
    let path: String
    var position = 0

    package init(bytes: [UInt8], fileOffset: Int, path: String) {
        self.bytes = bytes
        self.fileOffset = fileOffset
        self.path = path
    }

    package var isAtEnd: Bool { position == bytes.count }

    package var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    package mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    /// Steps over `character` if it comes next, after any space.
    package mutating func skip(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard next == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    package mutating func expect(_ character: Unicode.Scalar) throws(WeightFileError) {
        guard skip(character) else { throw syntaxError("'\(character)'") }
    }

    package func syntaxError(_ expected: String) -> WeightFileError {
        error(.syntax(offset: fileOffset + position, expected: expected))
    }

    private func error(_ problem: WeightFileError.Problem) -> WeightFileError {
        WeightFileError(path: path, problem: problem)
    }

    private func textError(_ fault: WeightFileError.TextFault) -> WeightFileError {
        error(.text(offset: fileOffset + position, fault: fault))
    }

    // MARK: Integers

    /// `[1, 2, …]`, at most `limit` non-negative integers; no sign, fraction or exponent.
    mutating func integers(limit: Int) throws(WeightFileError) -> [Int] {
        try expect("[")
        if skip("]") { return [] }
        var result: [Int] = []
        repeat {
            guard result.count < limit else { throw syntaxError("at most \(limit) numbers") }
            result.append(try integer())
        } while skip(",")
        try expect("]")
        return result
    }

    /// Without sign, fraction or exponent.
    package mutating func integer() throws(WeightFileError) -> Int {
        skipSpace()
        let start = position
        var value = 0
        while let digit = next, digit >= 0x30, digit <= 0x39 {
            let (scaled, scaleOverflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflow) = scaled.addingReportingOverflow(Int(digit - 0x30))
            guard !scaleOverflow, !sumOverflow else { throw error(.numberTooLarge(offset: fileOffset + start)) }
            value = sum
            position += 1
        }
        let hasLeadingZero = position - start > 1 && bytes[start] == 0x30
        guard position > start, !hasLeadingZero else { throw syntaxError("a non-negative whole number") }
        return value
    }

    // MARK: Objects

    /// `{"key": value, …}`; `readValue` is called with the cursor before each value.
    package mutating func members(
        _ readValue: (inout JSONCursor, String) throws(WeightFileError) -> Void
    ) throws(WeightFileError) {
        try expect("{")
        if skip("}") { return }
        repeat {
            let key = try name()
            try expect(":")
            try readValue(&self, key)
        } while skip(",")
        try expect("}")
    }

    /// `[value, …]`; `readValue` is called with the cursor before each value.
    package mutating func elements(_ readValue: (inout JSONCursor) throws(WeightFileError) -> Void) throws(WeightFileError) {
        try expect("[")
        if skip("]") { return }
        repeat { try readValue(&self) } while skip(",")
        try expect("]")
    }

    private static let depthLimit = 8

    /// Steps over a value of any kind, nested at most 8 deep.
    package mutating func skipValue(depth: Int = 0) throws(WeightFileError) {
        guard depth < Self.depthLimit else { throw syntaxError("at most \(Self.depthLimit) levels") }
        skipSpace()
        switch next {
        case UInt8(ascii: "{"):
            try members { (cursor, _) throws(WeightFileError) in try cursor.skipValue(depth: depth + 1) }
        case UInt8(ascii: "["):
            try expect("[")
            if skip("]") { return }
            repeat { try skipValue(depth: depth + 1) } while skip(",")
            try expect("]")
        case UInt8(ascii: "\""):
            _ = try string()
        default:
            let start = position
            while let byte = next, byte >= 0x2B, byte <= 0x7A, byte != 0x2C, byte != 0x5D { position += 1 }
            let word = String(decoding: bytes[start..<position], as: UTF8.self)
            guard ["true", "false", "null"].contains(word) || isNumber(word) else {
                position = start
                throw syntaxError("a value")
            }
        }
    }

    private func isNumber(_ word: String) -> Bool {
        word.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 || "+-.eE".utf8.contains($0) } && Double(word) != nil
            && word.utf8.first != UInt8(ascii: "+") && word.utf8.first != UInt8(ascii: ".")
    }

    // MARK: Strings

    /// A string of UTF-8 that is safe to compare: short, and without long runs of combining marks,
    /// which equality and hashing would sort at a cost of their number squared.
    mutating func name() throws(WeightFileError) -> String {
        let start = position
        let name = try string()
        if let fault = WeightFileError.TextFault(inName: name) {
            position = start
            throw textError(fault)
        }
        return name
    }

    /// - Parameter byteLimit: of a longer string only its length is told. It is checked all the same.
    package mutating func string(byteLimit: Int = .max) throws(WeightFileError) -> String {
        try expect("\"")
        let start = position
        while let byte = next, byte != 0x22, byte != 0x5C, byte >= 0x20 { position += 1 }
        // Mostly there is no escape, and nothing is copied twice.
        if next == 0x22 {
            let range = start..<position
            guard range.count <= byteLimit else {
                guard isUTF8(range) else { throw textError(.notUTF8) }
                position += 1
                return Self.note(byteCount: range.count)
            }
            guard let result = String(validating: bytes[range], as: UTF8.self) else { throw textError(.notUTF8) }
            position += 1
            return result
        }
        var text = position - start <= byteLimit ? Array(bytes[start..<position]) : []
        if text.isEmpty { position = start }
        var noted = 0
        while let byte = next, byte != 0x22 {
            guard byte >= 0x20 else { throw textError(.controlCharacter) }
            position += 1
            if byte == 0x5C {
                try appendEscape(to: &text)
            } else {
                text.append(byte)
            }
            if text.count >= byteLimit, !(next.map { $0 & 0xC0 == 0x80 } ?? false) {
                guard String(validating: text, as: UTF8.self) != nil else { throw textError(.notUTF8) }
                noted += text.count
                text.removeAll(keepingCapacity: true)
            }
        }
        guard let result = String(validating: text, as: UTF8.self) else { throw textError(.notUTF8) }
        try expect("\"")
        return noted == 0 ? result : Self.note(byteCount: noted + text.count)
    }

    private static func note(byteCount: Int) -> String { "… (\(byteCount) bytes)" }

    /// In pieces, each of which ends with a whole character.
    private func isUTF8(_ range: Range<Int>) -> Bool {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = min(start + (1 << 20), range.upperBound)
            while end < range.upperBound, bytes[end] & 0xC0 == 0x80, end - start < (1 << 20) + 8 { end += 1 }
            guard String(validating: bytes[start..<end], as: UTF8.self) != nil else { return false }
            start = end
        }
        return true
    }

    /// What follows a backslash.
    private mutating func appendEscape(to text: inout [UInt8]) throws(WeightFileError) {
        guard let byte = next else { throw syntaxError("the end of a string") }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"): text.append(contentsOf: String(try unicodeEscape()).utf8)
        default: throw textError(.unknownEscape)
        }
    }

    /// The four digits after `\u`, and the second half of a surrogate pair.
    private mutating func unicodeEscape() throws(WeightFileError) -> Character {
        let first = try hexadecimal()
        var value = first
        if first >= 0xD800, first < 0xDC00 {
            guard next == 0x5C else { throw textError(.loneSurrogate) }
            position += 1
            guard next == UInt8(ascii: "u") else { throw textError(.loneSurrogate) }
            position += 1
            let second = try hexadecimal()
            guard second >= 0xDC00, second < 0xE000 else { throw textError(.loneSurrogate) }
            value = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
        }
        guard let scalar = Unicode.Scalar(value) else { throw textError(.loneSurrogate) }
        return Character(scalar)
    }

    private mutating func hexadecimal() throws(WeightFileError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
                throw textError(.unknownEscape)
            }
            value = value << 4 + UInt32(digit)
            position += 1
        }
        return value
    }
}

extension WeightFileError.TextFault {
    private static let nameByteLimit = 512
    /// Unicode Standard Annex 15, "Stream-Safe Text Format".
    private static let markLimit = 30

    /// What makes `name` too long, or slow to compare; nil where nothing does.
    init?(inName name: String) {
        guard name.utf8.count <= Self.nameByteLimit else {
            self = .tooLong(byteCount: name.utf8.count, limit: Self.nameByteLimit)
            return
        }
        var markCount = 0
        for scalar in name.unicodeScalars where !scalar.isASCII || markCount > 0 {
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .spacingMark, .enclosingMark: markCount += 1
            default: markCount = 0
            }
            guard markCount <= Self.markLimit else {
                self = .tooManyMarks(limit: Self.markLimit)
                return
            }
        }
        return nil
    }
}
