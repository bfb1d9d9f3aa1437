import Files

/// What a file of `torch.save` may hold: tensors, plain values, and dictionaries of them.
package indirect enum PyTorchValue {
    /// Float32 in row-major order. The values are asked for when they are written, one tensor at a time.
    case tensor(shape: [Int], values: () -> [Float])
    /// The same in float16, to which the values are rounded.
    case halfTensor(shape: [Int], values: () -> [Float])
    /// A Python dict, in this order.
    case dictionary([(key: String, value: PyTorchValue)])
    /// A `collections.OrderedDict`, as `state_dict()` returns.
    case ordered([(key: String, value: PyTorchValue)])
    case text(String)
    case integer(Int)
    case number(Double)
    case truth(Bool)
    case none
}

/// Writes files that `torch.load(path, weights_only=True)` reads: a zip archive with a pickle of protocol 2
/// and one entry a tensor, at multiples of 64 bytes.
///
/// The same value always gives the same bytes, whatever the file is called. The file appears whole or not at all.
package enum PyTorchWriter {
    /// Returns the file's SHA-256.
    ///
    /// - Parameter largeByteCount: from where on sizes and offsets are written as zip64. Less than 4 GiB is for tests.
    /// - Precondition: no dictionary holds a key twice; a tensor has as many values as its shape says.
    @discardableResult
    package static func write(
        _ value: PyTorchValue, to path: String, largeByteCount: Int = 0xFFFF_FFFF
    ) throws(WeightFileError) -> String {
        var pickle = PickleWriter()
        pickle.append(value)
        let pickled = pickle.finished()
        let byteCount = pickle.tensors.reduce(pickled.count) { $0 + $1.byteCount + 256 }
        var zip = try ZipWriter(path: path, contentByteCount: byteCount, largeByteCount: largeByteCount)
        // The folder has torch's name for archives that go to memory, so that renaming changes no byte.
        try zip.append(name: "archive/data.pkl", alignment: alignment, pickled)
        try zip.append(name: "archive/byteorder", alignment: alignment, Array("little".utf8))
        for (index, tensor) in pickle.tensors.enumerated() {
            let values = tensor.values()
            precondition(values.count * tensor.elementByteCount == tensor.byteCount, "the values must fit the tensor's shape")
            if tensor.isHalf {
                try zip.append(name: "archive/data/\(index)", alignment: alignment, values.map(\.float16Bits))
            } else {
                try zip.append(name: "archive/data/\(index)", alignment: alignment, values)
            }
        }
        try zip.append(name: "archive/version", alignment: alignment, Array("3\n".utf8))
        return try zip.commit()
    }

    private static let alignment = 64
}

/// Pickle, protocol 2, with no more instructions than `torch.save` itself uses.
private struct PickleWriter {
    struct Tensor {
        let count: Int
        let isHalf: Bool
        let values: () -> [Float]

        var elementByteCount: Int { isHalf ? 2 : 4 }
        var byteCount: Int { count * elementByteCount }
    }

    private var bytes: [UInt8] = [0x80, 2]
    /// In the order of their storages' numbers.
    private(set) var tensors: [Tensor] = []

    func finished() -> [UInt8] { bytes + [UInt8(ascii: ".")] }

    mutating func append(_ value: PyTorchValue) {
        switch value {
        case .tensor(let shape, let values): append(tensorOf: shape, isHalf: false, values: values)
        case .halfTensor(let shape, let values): append(tensorOf: shape, isHalf: true, values: values)
        case .dictionary(let members):
            append(code: "}")
            append(members)
        case .ordered(let members):
            appendEmptyOrdered()
            append(members)
        case .text(let text): append(text: text)
        case .integer(let integer): append(integer: integer)
        case .number(let number):
            append(code: "G")
            // The one number of pickle that starts with its most significant byte.
            bytes += (0..<8).map { UInt8(truncatingIfNeeded: number.bitPattern >> (56 - 8 * $0)) }
        case .truth(let truth): bytes.append(truth ? 0x88 : 0x89)
        case .none: append(code: "N")
        }
    }

    private mutating func append(_ members: [(key: String, value: PyTorchValue)]) {
        precondition(Set(members.map { Bytewise($0.key) }).count == members.count, "a key occurs twice")
        append(code: "(")
        for member in members {
            append(text: member.key)
            append(member.value)
        }
        append(code: "u")
    }

    /// `torch._utils._rebuild_tensor_v2(storage, 0, shape, strides, False, OrderedDict())`
    private mutating func append(tensorOf shape: [Int], isHalf: Bool, values: @escaping () -> [Float]) {
        let count = shape.reduce(1, *)
        append(global: "torch._utils", "_rebuild_tensor_v2")
        append(code: "(")
        append(storageOf: count, isHalf: isHalf)
        append(integer: 0)
        append(integers: shape)
        append(integers: shape.indices.map { shape[($0 + 1)...].reduce(1, *) })
        append(.truth(false))
        appendEmptyOrdered()
        append(code: "t")
        append(code: "R")
        tensors.append(Tensor(count: count, isHalf: isHalf, values: values))
    }

    /// `('storage', torch.FloatStorage, '0', 'cpu', count)` as a persistent id.
    private mutating func append(storageOf count: Int, isHalf: Bool) {
        append(code: "(")
        append(text: "storage")
        append(global: "torch", isHalf ? "HalfStorage" : "FloatStorage")
        append(text: "\(tensors.count)")
        append(text: "cpu")
        append(integer: count)
        append(code: "t")
        append(code: "Q")
    }

    private mutating func appendEmptyOrdered() {
        append(global: "collections", "OrderedDict")
        append(code: ")")
        append(code: "R")
    }

    private mutating func append(integers: [Int]) {
        append(code: "(")
        for integer in integers { append(integer: integer) }
        append(code: "t")
    }

    private mutating func append(integer: Int) {
        switch integer {
        case 0...0xFF: bytes += [UInt8(ascii: "K"), UInt8(integer)]
        case Int(Int32.min)...Int(Int32.max):
            append(code: "J")
            append(littleEndian: integer, byteCount: 4)
        default:
            bytes += [0x8A, 8]
            append(littleEndian: integer, byteCount: 8)
        }
    }

    private mutating func append(text: String) {
        append(code: "X")
        append(littleEndian: text.utf8.count, byteCount: 4)
        bytes += text.utf8
    }

    private mutating func append(global module: String, _ name: String) {
        append(code: "c")
        bytes += "\(module)\n\(name)\n".utf8
    }

    private mutating func append(code: Unicode.Scalar) { bytes.append(UInt8(ascii: code)) }

    private mutating func append(littleEndian value: Int, byteCount: Int) {
        bytes += (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
    }
}
