import Files

/// Named tensors in a safetensors file, read on demand through one checked descriptor.
///
/// The whole header is verified when the file is opened, before any tensor is read: what the header
/// says then fits the bytes that are there. Reading is safe from several threads.
package final class SafetensorsFile: WeightSource {
    package var format: WeightFormat { .safetensors }
    package let path: String
    package let metadata: [String: String]
    /// In the order of their bytes in the file.
    package var tensors: [TensorDescription] { index.tensors }
    /// Tensors of types that are not read.
    let exotic: [SafetensorsHeader.Exotic]
    package var ignoredObjects: [String] { exotic.map { "\($0.name): \($0.spelling)" } }
    private let index: TensorIndex
    private let file: InputFile

    package init(path: String) throws(WeightFileError) {
        let file = try openFile(path)
        let headerByteCount = try Self.headerByteCount(of: file)
        try refuseHoles(file)
        let json = try readBytes(of: file, at: 8, count: headerByteCount)
        let header = try SafetensorsHeader(
            json: json, path: path, dataByteCount: file.byteCount - 8 - headerByteCount)
        self.path = path
        self.file = file
        metadata = header.metadata
        exotic = header.exotic
        // Names are unique: the header refuses duplicates.
        index = TensorIndex(header.tensors, path: path)
    }

    /// The little-endian length in the first eight bytes, between 1 and what the file can hold.
    private static func headerByteCount(of file: borrowing InputFile) throws(WeightFileError) -> Int {
        let start = try readBytes(of: file, at: 0, count: min(file.byteCount, 64))
        if let lookalike = lookalike(startingWith: start) {
            throw WeightFileError(path: file.path, problem: .lookalike(lookalike))
        }
        guard start.count >= 8 else {
            throw WeightFileError(path: file.path, problem: .tooShort(byteCount: file.byteCount))
        }
        let declared = start[0..<8].reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        let available = file.byteCount - 8
        guard let count = Int(exactly: declared), count > 0, count <= available,
            count <= SafetensorsHeader.byteLimit
        else {
            throw WeightFileError(path: file.path, problem: .headerLength(declared: declared, available: available))
        }
        return count
    }

    package func contains(_ name: String) -> Bool { index.contains(name) }

    /// - Throws: `missingTensor`, with the nearest name there is.
    package func description(of name: String) throws(WeightFileError) -> TensorDescription {
        if !index.contains(name) { try refuseExotic(name) }
        return tensors[try index.index(of: name)]
    }

    /// - Throws: `notATensor` where a tensor of another type has the name.
    func refuseExotic(_ name: String) throws(WeightFileError) {
        guard let tensor = exotic.first(where: { $0.name == name }) else { return }
        throw error(.notATensor(name: name, object: "of the type \(tensor.spelling)"))
    }

    /// Reads a tensor of F64, F32, F16 or BF16 straight into memory of the caller, without holding
    /// it twice.
    ///
    /// - Precondition: `destination` has room for exactly the elements of `shape`.
    package func readFloats(
        named name: String, shape: [Int], into destination: UnsafeMutableBufferPointer<Float>
    ) throws(WeightFileError) {
        if !index.contains(name) { try refuseExotic(name) }
        let tensor = tensors[try index.index(of: name, shape: shape)]
        precondition(destination.count == tensor.elementCount, "the destination must fit the tensor")
        guard tensor.elementType.isReadableAsFloat else {
            throw wrongElementType(tensor, needed: "F32, F16, BF16 or F64")
        }
        try unsafe file.readFloats(of: tensor.elementType, at: tensor.byteRange.lowerBound, into: destination)
    }

    /// All elements of a tensor of integers up to 64 bits; Booleans as 0 and 1.
    package func integers(named name: String, shape: [Int]? = nil) throws(WeightFileError) -> [Int] {
        let tensor = tensors[try index.index(of: name, shape: shape)]
        return try unsafe filledArray(count: tensor.elementCount, path: path) { destination throws(WeightFileError) in
            switch tensor.elementType {
            case .bool: try unsafe self.convert(tensor, into: destination) { (raw: UInt8) in raw <= 1 ? Int(raw) : nil }
            case .uint8: try unsafe self.convert(tensor, into: destination) { (raw: UInt8) in Int(raw) }
            case .int8: try unsafe self.convert(tensor, into: destination) { (raw: Int8) in Int(raw) }
            case .int16: try unsafe self.convert(tensor, into: destination) { (raw: Int16) in Int(raw) }
            case .uint16: try unsafe self.convert(tensor, into: destination) { (raw: UInt16) in Int(raw) }
            case .int32: try unsafe self.convert(tensor, into: destination) { (raw: Int32) in Int(raw) }
            case .uint32: try unsafe self.convert(tensor, into: destination) { (raw: UInt32) in Int(raw) }
            case .int64: try unsafe self.convert(tensor, into: destination) { (raw: Int64) in Int(raw) }
            case .uint64: try unsafe self.convert(tensor, into: destination) { (raw: UInt64) in Int(exactly: raw) }
            case .float8E5M2, .float8E4M3, .float16, .bfloat16, .float32, .float64:
                throw self.wrongElementType(tensor, needed: "an integer type")
            }
        }
    }

    /// A tensor's bytes as they are stored.
    package func bytes(named name: String) throws(WeightFileError) -> [UInt8] {
        let range = try description(of: name).byteRange
        return try readBytes(of: file, at: range.lowerBound, count: range.count)
    }

    // MARK: -

    /// Reads a tensor of `Raw` piece by piece, so that only one piece is held besides the result.
    ///
    /// - Throws: `outOfRange` where `element` returns nil.
    @inline(__always)
    private func convert<Raw: FixedWidthInteger, Element>(
        _ tensor: TensorDescription, into destination: UnsafeMutableBufferPointer<Element>,
        _ element: (Raw) -> Element?
    ) throws(WeightFileError) {
        let pieceCount = 1 << 18
        var piece = [Raw](repeating: 0, count: min(pieceCount, destination.count))
        var done = 0
        while done < destination.count {
            let count = min(pieceCount, destination.count - done)
            let offset = tensor.byteRange.lowerBound + done * MemoryLayout<Raw>.size
            do {
                try unsafe piece.withUnsafeMutableBytes {
                    let bytes = unsafe UnsafeMutableRawBufferPointer(rebasing: $0[..<(count * MemoryLayout<Raw>.size)])
                    try unsafe read(into: bytes, at: offset)
                }
            } catch { throw asWeightFileError(error, path: path) }
            for index in 0..<count {
                guard let value = element(Raw(littleEndian: piece[index])) else {
                    throw error(.outOfRange(tensor: tensor.name, elementType: tensor.elementType))
                }
                unsafe destination[done + index] = value
            }
            done += count
        }
    }

    private func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(WeightFileError) {
        do {
            try unsafe file.read(into: buffer, at: offset)
        } catch {
            throw WeightFileError(path: path, problem: .file(error))
        }
    }

    private func wrongElementType(_ tensor: TensorDescription, needed: String) -> WeightFileError {
        error(.wrongElementType(tensor: tensor.name, found: tensor.elementType, needed: needed))
    }

    private func error(_ problem: WeightFileError.Problem) -> WeightFileError {
        WeightFileError(path: path, problem: problem)
    }
}
