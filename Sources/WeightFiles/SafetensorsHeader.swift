import Files

/// The header of a safetensors file: what tensors there are, and where.
struct SafetensorsHeader: Equatable {
    var metadata: [String: String] = [:]
    /// In the order of their bytes.
    var tensors: [TensorDescription] = []
    /// Tensors of types that are known and not read.
    var exotic: [Exotic] = []

    struct Exotic: Equatable {
        let name: String
        let spelling: String
    }

    /// Bits of one element of the types that safetensors knows and this program has no use for: complex numbers
    /// and scaled ones of fewer than 9 bits. Source: `Dtype` in safetensors 0.8.
    static let exoticBits = [
        "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "C64": 64,
    ]

    /// The reference implementation's limit for the header.
    static let byteLimit = 100_000_000
    static let tensorLimit = 65_536
    /// Of what `__metadata__` says, this much is kept; of longer values only their length. Whoever reads a header
    /// then needs little more than its bytes.
    static let metadataByteLimit = 8 << 20
    static let rankLimit = 64

    static let metadataName = "__metadata__"

    /// Reads `json`, which stands at byte 8 of the file `path`; `dataByteCount` bytes follow it.
    ///
    /// Stricter than the reference implementation, which accepts unknown fields and duplicate names.
    /// The grammar is fixed (an object of objects of integers and strings), so nothing recurses and
    /// anything nested deeper is refused where it starts.
    init(json: [UInt8], path: String, dataByteCount: Int) throws(WeightFileError) {
        var parser = Parser(cursor: JSONCursor(bytes: json, fileOffset: 8, path: path))
        try parser.parse()
        metadata = parser.metadata
        tensors = try Self.placed(
            parser.tensors, path: path, dataStart: 8 + json.count, dataByteCount: dataByteCount)
        exotic = parser.tensors.filter { $0.elementType == nil }.map { Exotic(name: $0.name, spelling: $0.spelling) }
    }

    /// Checks that the tensors tile the data exactly: no hole, no overlap, nothing left over.
    private static func placed(
        _ tensors: [Parser.Tensor], path: String, dataStart: Int, dataByteCount: Int
    ) throws(WeightFileError) -> [TensorDescription] {
        var previousEnd = 0
        var result: [TensorDescription] = []
        result.reserveCapacity(tensors.count)
        for tensor in tensors.sorted(by: { ($0.start, $0.end) < ($1.start, $1.end) }) {
            guard tensor.start == previousEnd else {
                throw WeightFileError(
                    path: path,
                    problem: .misplaced(tensor: tensor.name, start: tensor.start, expected: previousEnd))
            }
            previousEnd = tensor.end
            guard tensor.end <= dataByteCount else { break }
            guard let elementType = tensor.elementType else { continue }
            result.append(
                TensorDescription(
                    name: tensor.name, elementType: elementType, shape: tensor.shape,
                    byteRange: dataStart + tensor.start..<dataStart + tensor.end))
        }
        guard previousEnd == dataByteCount else {
            let declared = tensors.reduce(0) { max($0, $1.end) }
            throw WeightFileError(path: path, problem: .dataLength(declared: declared, stored: dataByteCount))
        }
        return result
    }
}

private struct Parser {
    /// One entry, checked by itself. Offsets count from the start of the data.
    struct Tensor {
        let name: String
        /// nil for one of `exoticBits`.
        let elementType: ElementType?
        let spelling: String
        let shape: [Int]
        let start: Int
        let end: Int
    }

    var cursor: JSONCursor
    var metadata: [String: String] = [:]
    var tensors: [Tensor] = []
    private var names: Set<Bytewise> = []
    private var metadataByteCount = 0

    init(cursor: JSONCursor) { self.cursor = cursor }

    mutating func parse() throws(WeightFileError) {
        try parseMembers { (parser, name) throws(WeightFileError) in
            guard parser.names.insert(name) else { throw parser.error(.duplicateName(name)) }
            if name.hasSameBytes(as: SafetensorsHeader.metadataName) {
                try parser.parseMetadata()
            } else {
                guard parser.tensors.count < SafetensorsHeader.tensorLimit else {
                    throw parser.error(.tooMany(what: "tensors", limit: SafetensorsHeader.tensorLimit))
                }
                parser.tensors.append(try parser.parseTensor(name))
            }
        }
        cursor.skipSpace()
        guard cursor.isAtEnd else { throw cursor.syntaxError("its end") }
    }

    private mutating func parseMetadata() throws(WeightFileError) {
        try parseMembers { (parser, key) throws(WeightFileError) in
            let start = parser.cursor.position
            var value = try parser.cursor.string(byteLimit: SafetensorsHeader.metadataByteLimit)
            parser.metadataByteCount += key.utf8.count + value.utf8.count
            if parser.metadataByteCount > SafetensorsHeader.metadataByteLimit {
                value = "… (\(parser.cursor.position - start) bytes)"
            }
            guard parser.metadata.updateValue(value, forKey: key) == nil else {
                throw parser.error(.duplicateField(owner: SafetensorsHeader.metadataName, field: key))
            }
            guard parser.metadata.count <= SafetensorsHeader.tensorLimit else {
                throw parser.error(.tooMany(what: "metadata entries", limit: SafetensorsHeader.tensorLimit))
            }
        }
    }

    private mutating func parseTensor(_ name: String) throws(WeightFileError) -> Tensor {
        var elementType: ElementType?
        var spelling: String?
        var shape: [Int]?
        var offsets: [Int]?
        try parseMembers { (parser, field) throws(WeightFileError) in
            let isRepeated: Bool
            switch field {
            case "dtype":
                isRepeated = spelling != nil
                let word = try parser.cursor.name()
                elementType = ElementType(rawValue: word)
                guard elementType != nil || SafetensorsHeader.exoticBits[word] != nil else {
                    throw parser.error(.unknownElementType(tensor: name, spelling: word))
                }
                spelling = word
            case "shape":
                isRepeated = shape != nil
                shape = try parser.cursor.integers(limit: SafetensorsHeader.rankLimit)
            case "data_offsets":
                isRepeated = offsets != nil
                offsets = try parser.cursor.integers(limit: 2)
            default:
                throw parser.error(.unknownField(tensor: name, field: field))
            }
            if isRepeated { throw parser.error(.duplicateField(owner: name, field: field)) }
        }
        guard let spelling else { throw error(.missingField(tensor: name, field: "dtype")) }
        guard let shape else { throw error(.missingField(tensor: name, field: "shape")) }
        guard let offsets, offsets.count == 2 else {
            throw error(.missingField(tensor: name, field: "data_offsets"))
        }
        let (start, end) = (offsets[0], offsets[1])
        guard start <= end else { throw error(.reversedRange(tensor: name, start: start, end: end)) }
        // Exotic elements may be smaller than a byte; their tensors fill whole ones.
        let unit = elementType?.byteCount ?? SafetensorsHeader.exoticBits[spelling] ?? 1
        guard let units = checkedElementCount(shape: shape, elementByteCount: unit).map({ $0 * unit }) else {
            throw error(.sizeOverflow(tensor: name, shape: shape))
        }
        let byteCount = elementType == nil ? units / 8 : units
        if elementType == nil, byteCount != end - start || !units.isMultiple(of: 8) {
            throw error(.unknownElementType(tensor: name, spelling: spelling))
        }
        guard byteCount == end - start else {
            throw error(.sizeMismatch(tensor: name, stored: end - start, declared: byteCount))
        }
        return Tensor(name: name, elementType: elementType, spelling: spelling, shape: shape, start: start, end: end)
    }

    /// `{"key": value, …}`; `parseValue` is called with the cursor before each value.
    private mutating func parseMembers(
        _ parseValue: (inout Parser, String) throws(WeightFileError) -> Void
    ) throws(WeightFileError) {
        try cursor.expect("{")
        if cursor.skip("}") { return }
        repeat {
            let key = try cursor.name()
            try cursor.expect(":")
            try parseValue(&self, key)
        } while cursor.skip(",")
        try cursor.expect("}")
    }

    private func error(_ problem: WeightFileError.Problem) -> WeightFileError {
        WeightFileError(path: cursor.path, problem: problem)
    }
}
