import Files

/// A value of strict JSON (RFC 8259). Numbers keep their spelling: a seed of 64 bits stays one.
package enum JSONValue: Sendable, Equatable {
    case null
    case truth(Bool)
    case number(String)
    case text(String)
    case list([JSONValue])
    case object([String: JSONValue])

    /// Reads a file that holds one value and nothing else: in UTF-8, without a byte order mark, no key twice.
    ///
    /// - Parameter byteLimit: of the file; a larger one is refused before it is read.
    package static func read(_ path: String, byteLimit: Int) throws(WeightFileError) -> JSONValue {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: byteLimit)
        } catch {
            throw WeightFileError(path: path, problem: .file(error))
        }
        switch lookalike(startingWith: Array(bytes.prefix(64))) {
        case .gitLFSPointer: throw WeightFileError(path: path, problem: .lookalike(.gitLFSPointer))
        case .webPage: throw WeightFileError(path: path, problem: .lookalike(.webPage))
        default: break
        }
        var cursor = JSONCursor(bytes: bytes, fileOffset: 0, path: path)
        let value = try cursor.value(depthLimit: 16)
        cursor.skipSpace()
        guard cursor.isAtEnd else { throw cursor.syntaxError("its end") }
        return value
    }

    /// What kind of value it is, in words.
    package var kind: String {
        switch self {
        case .null: "null"
        case .truth: "a truth value"
        case .number: "a number"
        case .text: "a string"
        case .list: "a list"
        case .object: "an object"
        }
    }
}

extension JSONValue {
    /// A number without fraction or exponent that fits `Int`.
    package var integer: Int? {
        if case .number(let spelling) = self { return Int(spelling) }
        return nil
    }

    package var double: Double? {
        if case .number(let spelling) = self { return Double(spelling) }
        return nil
    }

    /// Short, for messages.
    package var excerpt: String {
        switch self {
        case .null: "null"
        case .truth(let truth): "\(truth)"
        case .number(let spelling): String(spelling.prefix(40))
        case .text(let text): "\"\(text.prefix(80).description.escapedForDisplay)\""
        case .list(let values):
            "[\(values.prefix(8).map(\.excerpt).joined(separator: ", "))\(values.count > 8 ? ", …" : "")]"
        case .object(let members): "{\(members.count) keys}"
        }
    }
}

extension JSONValue {
    /// Members in the order of their keys, each on its line, indented by two spaces.
    package var serialized: String { serialized(indent: "") }

    private func serialized(indent: String) -> String {
        let inner = indent + "  "
        switch self {
        case .null: return "null"
        case .truth(let truth): return truth ? "true" : "false"
        case .number(let spelling): return spelling
        case .text(let text): return text.quotedForJSON
        case .list(let values):
            let items = values.map { inner + $0.serialized(indent: inner) }
            return items.isEmpty ? "[]" : "[\n\(items.joined(separator: ",\n"))\n\(indent)]"
        case .object(let members):
            let items = members.sorted { $0.key < $1.key }.map {
                "\(inner)\($0.key.quotedForJSON): \($0.value.serialized(indent: inner))"
            }
            return items.isEmpty ? "{}" : "{\n\(items.joined(separator: ",\n"))\n\(indent)}"
        }
    }
}

extension String {
    /// In quotes, with the escapes that JSON asks for.
    var quotedForJSON: String {
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension JSONCursor {
    package mutating func value(depthLimit: Int) throws(WeightFileError) -> JSONValue {
        skipSpace()
        switch next {
        case UInt8(ascii: "{"):
            guard depthLimit > 0 else { throw syntaxError("a value that is not nested so deeply") }
            return .object(try object(depthLimit: depthLimit))
        case UInt8(ascii: "["):
            guard depthLimit > 0 else { throw syntaxError("a value that is not nested so deeply") }
            return .list(try list(depthLimit: depthLimit))
        case UInt8(ascii: "\""): return .text(try string())
        case UInt8(ascii: "t"): return try word("true", .truth(true))
        case UInt8(ascii: "f"): return try word("false", .truth(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return .number(try number())
        }
    }

    private mutating func object(depthLimit: Int) throws(WeightFileError) -> [String: JSONValue] {
        var result: [String: JSONValue] = [:]
        try members { (cursor, key) throws(WeightFileError) in
            guard result.updateValue(try cursor.value(depthLimit: depthLimit - 1), forKey: key) == nil else {
                throw WeightFileError(path: cursor.path, problem: .duplicateName(key))
            }
        }
        return result
    }

    private mutating func list(depthLimit: Int) throws(WeightFileError) -> [JSONValue] {
        try expect("[")
        var result: [JSONValue] = []
        if skip("]") { return result }
        repeat { result.append(try value(depthLimit: depthLimit - 1)) } while skip(",")
        try expect("]")
        return result
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws(WeightFileError) -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw syntaxError("a value") }
        position += word.utf8.count
        return value
    }

    /// `-0.5e+3` and the like, as it is spelled.
    private mutating func number() throws(WeightFileError) -> String {
        let start = position
        func isDigit(_ byte: UInt8?) -> Bool { byte.map { $0 >= 0x30 && $0 <= 0x39 } ?? false }
        func skipDigits(_ cursor: inout JSONCursor) throws(WeightFileError) {
            guard isDigit(cursor.next) else { throw cursor.syntaxError("a value") }
            while isDigit(cursor.next) { cursor.position += 1 }
        }
        if next == UInt8(ascii: "-") { position += 1 }
        if next == UInt8(ascii: "0") { position += 1 } else { try skipDigits(&self) }
        if next == UInt8(ascii: ".") {
            position += 1
            try skipDigits(&self)
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try skipDigits(&self)
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }
}
