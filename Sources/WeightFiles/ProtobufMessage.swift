/// A message of Protocol Buffers that grows field by field.
///
/// Fields are written in the order of the calls; readers take any. Nothing is packed, which every reader understands.
/// Source: protobuf.dev, "Encoding".
package struct ProtobufMessage: Sendable, Equatable {
    package private(set) var bytes: [UInt8] = []

    package init() {}

    /// How a field's value is stored.
    private enum WireType: UInt64 {
        case varint = 0, eightBytes = 1, length = 2, fourBytes = 5
    }

    /// A number of type int32, int64 or an enumeration.
    package mutating func add(_ field: Int, _ number: Int) {
        begin(field, .varint)
        bytes += Self.varint(UInt64(bitPattern: Int64(number)))
    }

    package mutating func add(_ field: Int, _ number: Float) {
        begin(field, .fourBytes)
        bytes += littleEndian(number.bitPattern)
    }

    package mutating func add(_ field: Int, _ number: Double) {
        begin(field, .eightBytes)
        bytes += littleEndian(number.bitPattern)
    }

    package mutating func add(_ field: Int, _ text: String) { add(field, Array(text.utf8)) }

    package mutating func add(_ field: Int, _ message: ProtobufMessage) { add(field, message.bytes) }

    package mutating func add(_ field: Int, _ contents: [UInt8]) {
        addLength(field, contents.count)
        bytes += contents
    }

    /// Begins a field whose contents, `byteCount` bytes, are written behind this message by somebody else.
    package mutating func addLength(_ field: Int, _ byteCount: Int) {
        begin(field, .length)
        bytes += Self.varint(UInt64(byteCount))
    }

    /// Adds the fields of another message to those of this one.
    package mutating func append(_ message: ProtobufMessage) { bytes += message.bytes }

    private mutating func begin(_ field: Int, _ type: WireType) {
        precondition(field > 0, "fields count from 1")
        bytes += Self.varint(UInt64(field) << 3 | type.rawValue)
    }

    /// Seven bits a byte, the lowest first; all bytes but the last have their highest bit set.
    private static func varint(_ number: UInt64) -> [UInt8] {
        var (rest, result) = (number, [UInt8]())
        while rest >= 0x80 {
            result.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return result + [UInt8(rest)]
    }
}

/// The bytes of a number, the lowest first.
package func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    (0..<number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
}
