import Files
import Yams

/// One YAML file as nodes: strict, small and without anything that refers to something else.
package enum RecipeDocument {
    package static let byteLimit = 64 << 10
    package static let depthLimit = 16
    package static let nodeLimit = 10_000

    /// - Parameter source: what to call the recipe in messages.
    package static func read(
        _ path: String, source: String, byteLimit: Int = byteLimit, nodeLimit: Int = nodeLimit
    ) throws(RecipeError) -> RecipeNode {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: byteLimit)
        } catch {
            throw RecipeError([.init(source: source, line: nil, key: "", problem: .file(error))])
        }
        return try node(bytes, source: source, nodeLimit: nodeLimit)
    }

    package static func node(_ bytes: [UInt8], source: String, nodeLimit: Int = nodeLimit) throws(RecipeError) -> RecipeNode {
        func error(_ problem: RecipeError.Problem, line: Int? = nil) -> RecipeError {
            RecipeError([.init(source: source, line: line, key: "", problem: problem)])
        }
        // UTF-16 shows as either; some editors put a byte order mark before UTF-8.
        guard !bytes.contains(0) else { throw error(.holdsNUL) }
        let hasMark = bytes.starts(with: [0xEF, 0xBB, 0xBF])
        guard let text = String(validating: bytes.dropFirst(hasMark ? 3 : 0), as: UTF8.self) else {
            throw error(.notUTF8)
        }
        if let line = lineOfAnchor(in: text) { throw error(.anchor, line: line) }
        do {
            // Without rules, every plain value is text: what it means is for `RecipeNode` to say.
            let parser = try Parser(yaml: text, resolver: Resolver.basic, encoding: .utf8)
            guard let root = try parser.singleRoot() else { throw error(.empty) }
            var converter = Converter(source: source, nodeLimit: nodeLimit)
            // Nodes hold their anchors weakly; the parser owns them.
            return try withExtendedLifetime(parser) { try converter.convert(root, key: "", depth: 1) }
        } catch let recipeError as RecipeError {
            throw recipeError
        } catch YamlError.duplicatedKeysInMapping(let keys, let context) {
            let key = keys.first ?? ""
            throw RecipeError([.init(source: source, line: context.mark.line, key: key, problem: .duplicateKey)])
        } catch let yamlError as YamlError {
            let (problem, line) = problem(of: yamlError)
            throw error(problem, line: line)
        } catch let other {
            throw error(.syntax("\(other)"))
        }
    }

    /// The line of the first `&name`, wherever it stands except in a line of comment.
    ///
    /// Yams replaces aliases while it reads, and compares keys with each other as it goes: nine
    /// levels of aliases in a key would take it years. So anchors must be found before, and without
    /// knowing what is quoted: `&` with a letter after it is refused in quotes, too.
    private static func lineOfAnchor(in text: String) -> Int? {
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            // A line that starts with # but ends a quoted text could go on with an anchor.
            let isComment = line.drop { $0 == " " || $0 == "\t" }.first == "#"
            if isComment && !line.utf8.contains(UInt8(ascii: "\"")) && !line.utf8.contains(UInt8(ascii: "'")) { continue }
            var previous: UInt8 = 0x20
            for byte in line.utf8 {
                if previous == UInt8(ascii: "&") && isNameByte(byte) { return index + 1 }
                previous = byte
            }
        }
        return nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"), UInt8(ascii: "-"): true
        default: false
        }
    }

    private static func problem(of error: YamlError) -> (RecipeError.Problem, line: Int?) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _):
            (.syntax(problem), mark.line)
        case .composer(_, let problem, let mark, _):
            (problem.contains("another document") ? .severalDocuments : .syntax(problem), mark.line)
        case .reader(let problem, _, _, _): (.syntax(problem), nil)
        default: (.syntax("it cannot be read"), nil)
        }
    }
}

/// Copies the nodes of Yams, checking each.
private struct Converter {
    let source: String
    let nodeLimit: Int
    private var nodeCount = 0

    init(source: String, nodeLimit: Int) {
        self.source = source
        self.nodeLimit = nodeLimit
    }

    mutating func convert(_ node: Node, key: String, depth: Int) throws(RecipeError) -> RecipeNode {
        let line = node.mark?.line
        func refused(_ problem: RecipeError.Problem, line: Int?) -> RecipeError {
            RecipeError([.init(source: source, line: line, key: key, problem: problem)])
        }
        nodeCount += 1
        guard nodeCount <= nodeLimit else {
            throw refused(.tooManyNodes(limit: nodeLimit), line: line)
        }
        guard depth <= RecipeDocument.depthLimit else {
            throw refused(.tooDeep(limit: RecipeDocument.depthLimit), line: line)
        }
        if let tag = explicitTag(of: node) { throw refused(.tag(tag), line: line) }
        switch node {
        case .scalar(let scalar):
            guard scalar.anchor == nil else { throw refused(.anchor, line: line) }
            let isQuoted = scalar.style != .plain
            return RecipeNode(.scalar(scalar.string, isQuoted: isQuoted), source: source, line: line, key: key)
        case .sequence(let sequence):
            guard sequence.anchor == nil else { throw refused(.anchor, line: line) }
            var nodes: [RecipeNode] = []
            for child in sequence {
                nodes.append(try convert(child, key: "\(key)[\(nodes.count)]", depth: depth + 1))
            }
            return RecipeNode(.sequence(nodes), source: source, line: line, key: key)
        case .mapping(let mapping):
            guard mapping.anchor == nil else { throw refused(.anchor, line: line) }
            return RecipeNode(
                .mapping(try entries(of: mapping, key: key, depth: depth)), source: source, line: line, key: key)
        case .alias:
            throw refused(.anchor, line: line)
        }
    }

    private mutating func entries(
        of mapping: Node.Mapping, key: String, depth: Int
    ) throws(RecipeError) -> [(key: String, value: RecipeNode)] {
        var entries: [(key: String, value: RecipeNode)] = []
        var names: Set<String> = []
        for (keyNode, valueNode) in mapping {
            let line = keyNode.mark?.line
            guard case .scalar(let scalar) = keyNode, scalar.anchor == nil, scalar.string.utf8.count <= 256,
                Self.plainTags.contains(scalar.tag.rawValue)
            else {
                throw RecipeError([.init(source: source, line: line, key: key, problem: .keyIsNotText)])
            }
            nodeCount += 1
            let name = scalar.string
            let path = key.isEmpty ? name : key + "." + name
            guard names.insert(name).inserted else {
                throw RecipeError([.init(source: source, line: line, key: path, problem: .duplicateKey)])
            }
            let value = try convert(valueNode, key: path, depth: depth + 1)
            // Messages point at the key: an empty value has its mark on a later line.
            entries.append((name, RecipeNode(value.content, source: source, line: line, key: path)))
        }
        return entries
    }

    /// What a node without a tag carries: nothing, or text where it was quoted or compared.
    private static let plainTags = ["", Tag.Name.str.rawValue]

    private func explicitTag(of node: Node) -> String? {
        switch node {
        case .scalar(let scalar):
            let tag = scalar.tag.rawValue
            let isPlain = scalar.style == .plain ? tag.isEmpty : Self.plainTags.contains(tag)
            return isPlain ? nil : tag
        case .sequence(let sequence): return sequence.tag.rawValue.isEmpty ? nil : sequence.tag.rawValue
        case .mapping(let mapping): return mapping.tag.rawValue.isEmpty ? nil : mapping.tag.rawValue
        case .alias: return nil
        }
    }
}
