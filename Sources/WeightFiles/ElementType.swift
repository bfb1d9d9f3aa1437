/// How one element of a stored tensor is encoded. Raw values are the spellings of safetensors.
package enum ElementType: String, Sendable, CaseIterable {
    case bool = "BOOL"
    case uint8 = "U8"
    case int8 = "I8"
    case float8E5M2 = "F8_E5M2"
    case float8E4M3 = "F8_E4M3"
    case int16 = "I16"
    case uint16 = "U16"
    case float16 = "F16"
    case bfloat16 = "BF16"
    case int32 = "I32"
    case uint32 = "U32"
    case float32 = "F32"
    case float64 = "F64"
    case int64 = "I64"
    case uint64 = "U64"

    package var byteCount: Int {
        switch self {
        case .bool, .uint8, .int8, .float8E5M2, .float8E4M3: 1
        case .int16, .uint16, .float16, .bfloat16: 2
        case .int32, .uint32, .float32: 4
        case .float64, .int64, .uint64: 8
        }
    }

    /// Whether `floats(named:)` reads it.
    package var isReadableAsFloat: Bool {
        switch self {
        case .float16, .bfloat16, .float32, .float64: true
        default: false
        }
    }
}

/// Name, type and place of one tensor in a file.
package struct TensorDescription: Sendable, Equatable {
    /// A label from the file: never a path, and escaped before it is shown.
    package let name: String
    package let elementType: ElementType
    /// Empty for a scalar. No product of dimensions overflows.
    package let shape: [Int]
    /// Bytes from the start of the file.
    package let byteRange: Range<Int>

    package var elementCount: Int { shape.reduce(1, *) }
}

/// Elements in a tensor of this shape, or nil where the product of its non-zero dimensions and
/// `elementByteCount` exceeds `Int`.
///
/// Zeros do not hide an overflow: `[0, 2^62, 2^62]` is refused like `[2^62, 2^62, 0]`, so the
/// answer does not depend on the order of dimensions.
func checkedElementCount(shape: [Int], elementByteCount: Int) -> Int? {
    var product = elementByteCount
    for dimension in shape where dimension != 0 {
        let (next, overflow) = product.multipliedReportingOverflow(by: dimension)
        if overflow || dimension < 0 { return nil }
        product = next
    }
    return shape.contains(0) ? 0 : product / elementByteCount
}
