/// An element of an XML document, with what is in it.
///
/// Reads the part of XML 1.0 that annotation programs write: elements, attributes, text, comments, processing
/// instructions, CDATA, the five entities of the standard and characters by number. A document type is refused: it is
/// where entities are declared, by which a small file grows without bound or names other files. Bytes, depth and elements
/// are bounded, and nothing but the bytes is looked at.
///
/// Source: Extensible Markup Language (XML) 1.0, fifth edition, https://www.w3.org/TR/xml/.
package struct XMLTree: Sendable, Equatable {
    package let name: String
    /// Of the start tag, from 1.
    package let line: Int
    package private(set) var attributes: [String: String] = [:]
    package private(set) var children: [XMLTree] = []
    /// The text in it, without that of elements in it.
    package private(set) var text = ""

    package static let byteLimit = 64 << 20
    package static let depthLimit = 64
    package static let elementLimit = 2_000_000
    package static let attributeLimit = 256

    /// Why bytes are no document that is read.
    package struct Fault: Error, Equatable {
        package let line: Int
        /// A clause, such as "the element <a> is not closed".
        package let reason: String

        package init(line: Int, reason: String) {
            self.line = line
            self.reason = reason
        }
    }

    fileprivate init(name: String, line: Int) {
        self.name = name
        self.line = line
    }

    package subscript(_ attribute: String) -> String? { attributes[attribute] }

    /// Elements right in it with this name.
    package func all(_ name: String) -> [XMLTree] { children.filter { $0.name == name } }

    /// The first element right in it with this name.
    package func first(_ name: String) -> XMLTree? { children.first { $0.name == name } }

    /// Reads a document. Returns its outermost element.
    package static func read(_ bytes: [UInt8]) throws(Fault) -> XMLTree {
        var reader = XMLReader(bytes)
        return try reader.document()
    }

    fileprivate mutating func add(_ attribute: String, _ value: String) -> Bool {
        attributes.updateValue(value, forKey: attribute) == nil
    }

    fileprivate mutating func append(_ child: XMLTree) { children.append(child) }
    fileprivate mutating func append(_ more: String) { text += more }
}

extension String {
    /// As text and attributes of XML hold it; characters that XML has none for are left out.
    package var escapedForXML: String {
        var result = ""
        for scalar in unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\t", "\n", "\r": result += "&#\(scalar.value);"
            default: if scalar.isOfXML { result.unicodeScalars.append(scalar) }
            }
        }
        return result
    }
}

extension Unicode.Scalar {
    /// Whether a document may hold it: production 2.
    fileprivate var isOfXML: Bool {
        switch value {
        case 0x9, 0xA, 0xD, 0x20...0xD7FF, 0xE000...0xFFFD, 0x10000...0x10FFFF: true
        default: false
        }
    }
}

/// Reads a document from its first byte to its last.
private struct XMLReader {
    private let bytes: [UInt8]
    private var index = 0
    private var line = 1
    private var elementCount = 0

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    mutating func document() throws(XMLTree.Fault) -> XMLTree {
        guard bytes.count <= XMLTree.byteLimit else { throw fault("it has more than \(XMLTree.byteLimit) bytes") }
        guard String(validating: bytes, as: UTF8.self) != nil else { throw fault("it is not UTF-8") }
        try skipBetweenElements()
        guard starts(with: "<") else { throw fault("it has no element") }
        // Open elements, the innermost last.
        var open: [XMLTree] = []
        while true {
            if starts(with: "</") {
                guard let element = open.popLast() else { throw fault("an element is closed that was not opened") }
                try close(element)
                guard let parent = open.indices.last else { return try end(element) }
                open[parent].append(element)
            } else if starts(with: "<![CDATA[") {
                let content = try through("]]>", from: "<![CDATA[", what: "a CDATA section")
                guard let inner = open.indices.last else { throw fault("text stands outside of the outermost element") }
                open[inner].append(content)
            } else if starts(with: "<!--") || starts(with: "<?") || starts(with: "<!") {
                try skipMarkup()
            } else if starts(with: "<") {
                let (element, isClosed) = try startTag()
                if !isClosed {
                    guard open.count < XMLTree.depthLimit else { throw fault("elements lie more than \(XMLTree.depthLimit) deep in each other") }
                    open.append(element)
                } else if let parent = open.indices.last {
                    open[parent].append(element)
                } else {
                    return try end(element)
                }
            } else {
                guard let inner = open.indices.last else { throw fault("text stands outside of the outermost element") }
                guard index < bytes.count else { throw fault("the element <\(open[inner].name)> of line \(open[inner].line) is not closed") }
                open[inner].append(try text(until: UInt8(ascii: "<")))
            }
        }
    }

    private mutating func end(_ root: XMLTree) throws(XMLTree.Fault) -> XMLTree {
        try skipBetweenElements()
        guard index == bytes.count else { throw fault("something follows the outermost element") }
        return root
    }

    // MARK: Markup

    private mutating func startTag() throws(XMLTree.Fault) -> (XMLTree, isClosed: Bool) {
        elementCount += 1
        guard elementCount <= XMLTree.elementLimit else { throw fault("it has more than \(XMLTree.elementLimit) elements") }
        index += 1
        var element = XMLTree(name: try name(), line: line)
        while true {
            let hasBlank = skipBlanks()
            if take("/>") { return (element, true) }
            if take(">") { return (element, false) }
            guard hasBlank else { throw fault("the start of <\(element.name)> is damaged") }
            let attribute = try name()
            skipBlanks()
            guard take("=") else { throw fault("the attribute \(attribute) of <\(element.name)> has no value") }
            skipBlanks()
            guard index < bytes.count, bytes[index] == UInt8(ascii: "\"") || bytes[index] == UInt8(ascii: "'") else {
                throw fault("the attribute \(attribute) of <\(element.name)> stands in no quotes")
            }
            let quote = bytes[index]
            index += 1
            let value = try text(until: quote, isAttribute: true)
            guard index < bytes.count else { throw fault("the attribute \(attribute) of <\(element.name)> is not closed") }
            index += 1
            guard element.add(attribute, value) else { throw fault("<\(element.name)> has the attribute \(attribute) twice") }
            guard element.attributes.count <= XMLTree.attributeLimit else { throw fault("<\(element.name)> has more than \(XMLTree.attributeLimit) attributes") }
        }
    }

    private mutating func close(_ element: XMLTree) throws(XMLTree.Fault) {
        index += 2
        let name = try name()
        guard name == element.name else { throw fault("<\(element.name)> of line \(element.line) is closed by </\(name)>") }
        skipBlanks()
        guard take(">") else { throw fault("the end of <\(name)> is damaged") }
    }

    private mutating func skipBetweenElements() throws(XMLTree.Fault) {
        while true {
            skipBlanks()
            guard starts(with: "<!") || starts(with: "<?") else { return }
            try skipMarkup()
        }
    }

    /// A comment or a processing instruction.
    private mutating func skipMarkup() throws(XMLTree.Fault) {
        if starts(with: "<!--") {
            _ = try through("-->", from: "<!--", what: "a comment")
        } else if starts(with: "<?") {
            let content = try through("?>", from: "<?", what: "a processing instruction")
            if content.hasPrefix("xml "), let encoding = content.firstRange(of: "encoding") {
                let value = content[encoding.upperBound...].drop { " =\"'\t\r\n".contains($0) }.prefix { !"\"'".contains($0) }.lowercased()
                guard ["utf-8", "utf8", "us-ascii", "ascii"].contains(value) else { throw fault("its encoding is \(value.prefix(40)); save it as UTF-8") }
            }
        } else if starts(with: "<!DOCTYPE") {
            throw fault("it declares a document type (<!DOCTYPE), which is not read. Remove that declaration")
        } else {
            throw fault("it holds markup that is not known")
        }
    }

    // MARK: Words

    private mutating func name() throws(XMLTree.Fault) -> String {
        let start = index
        while index < bytes.count, !" \t\r\n/>=<\"'&".utf8.contains(bytes[index]) { index += 1 }
        guard index > start, index - start <= 256 else { throw fault("a name is missing, or too long") }
        return String(decoding: bytes[start..<index], as: UTF8.self)
    }

    /// Text up to `end`, which is not taken, with entities put in.
    private mutating func text(until end: UInt8, isAttribute: Bool = false) throws(XMLTree.Fault) -> String {
        var result: [UInt8] = []
        while index < bytes.count, bytes[index] != end {
            let byte = bytes[index]
            if byte == UInt8(ascii: "&") {
                result += Array(try entity().utf8)
                continue
            }
            if byte == UInt8(ascii: "<") { throw fault("an attribute holds a <") }
            if byte == UInt8(ascii: "\n") { line += 1 }
            // Line ends and tabs in attributes are blanks: section 3.3.3.
            let isBreak = byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r")
            result.append(isAttribute && isBreak ? UInt8(ascii: " ") : byte)
            index += 1
        }
        return String(decoding: result, as: UTF8.self)
    }

    private mutating func entity() throws(XMLTree.Fault) -> String {
        let start = index + 1
        var end = start
        while end < bytes.count, end - start <= 12, bytes[end] != UInt8(ascii: ";") { end += 1 }
        guard end < bytes.count, bytes[end] == UInt8(ascii: ";") else { throw fault("a & begins no entity; write &amp;") }
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        index = end + 1
        switch name {
        case "amp": return "&"
        case "lt": return "<"
        case "gt": return ">"
        case "quot": return "\""
        case "apos": return "'"
        default:
            let number = name.hasPrefix("#x") ? UInt32(name.dropFirst(2), radix: 16) : name.hasPrefix("#") ? UInt32(name.dropFirst(1)) : nil
            guard let number, let scalar = Unicode.Scalar(number), scalar.isOfXML else { throw fault("the entity &\(name); is not known") }
            return String(Character(scalar))
        }
    }

    @discardableResult
    private mutating func skipBlanks() -> Bool {
        let start = index
        while index < bytes.count {
            switch bytes[index] {
            case 0x0A: line += 1
            case 0x20, 0x09, 0x0D: break
            default: return index > start
            }
            index += 1
        }
        return index > start
    }

    private func starts(with text: String) -> Bool { bytes[index...].starts(with: text.utf8) }

    private mutating func take(_ text: String) -> Bool {
        guard starts(with: text) else { return false }
        index += text.utf8.count
        return true
    }

    /// What stands between `start` and `end`; goes on behind it.
    private mutating func through(_ end: String, from start: String, what: String) throws(XMLTree.Fault) -> String {
        let first = index + start.utf8.count
        let mark = Array(end.utf8)
        var place = first
        while place + mark.count <= bytes.count, !bytes[place...].starts(with: mark) {
            if bytes[place] == 0x0A { line += 1 }
            place += 1
        }
        guard place + mark.count <= bytes.count else { throw fault("\(what) is not closed") }
        index = place + mark.count
        return String(decoding: bytes[min(first, place)..<place], as: UTF8.self)
    }

    private func fault(_ reason: String) -> XMLTree.Fault { XMLTree.Fault(line: line, reason: reason) }
}
