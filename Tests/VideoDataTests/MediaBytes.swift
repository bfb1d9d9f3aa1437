import Foundation

/// Edits of MP4 files by hand, as ISO/IEC 14496-12 lays them.
enum MediaBytes {
    static func number(_ bytes: ArraySlice<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    static func bigEndian(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }

    static func box(_ kind: String, _ body: [UInt8]) -> [UInt8] { bigEndian(body.count + 8) + Array(kind.utf8) + body }

    /// Bytes before a box's own boxes.
    private static func headCount(_ kind: String) -> Int {
        switch kind {
        case "stsd": 16
        case "avc1", "hvc1", "hev1", "encv": 86
        default: 8
        }
    }

    /// Where the boxes on the way to `path` begin, outermost first; at each level the first that leads on.
    static func offsets(of path: [String], in bytes: [UInt8], range: Range<Int>? = nil) -> [Int]? {
        guard let kind = path.first else { return [] }
        var offset = range?.lowerBound ?? 0
        let end = range?.upperBound ?? bytes.count
        while offset + 8 <= end {
            let length = number(bytes[offset..<offset + 4])
            guard length >= 8 else { return nil }
            if bytes[offset + 4..<offset + 8].elementsEqual(kind.utf8),
                let rest = offsets(of: Array(path.dropFirst()), in: bytes, range: min(offset + headCount(kind), offset + length)..<offset + length)
            {
                return [offset] + rest
            }
            offset += length
        }
        return nil
    }

    /// Appends a box to the contents of the box at `path`. What lies behind moves, so offsets of samples have to point before.
    static func appending(_ box: [UInt8], to path: [String], in bytes: [UInt8]) -> [UInt8]? {
        guard let offsets = offsets(of: path, in: bytes), let last = offsets.last else { return nil }
        var result = bytes
        let end = last + number(bytes[last..<last + 4])
        result.insert(contentsOf: box, at: end)
        for offset in offsets {
            result.replaceSubrange(offset..<offset + 4, with: bigEndian(number(bytes[offset..<offset + 4]) + box.count))
        }
        return result
    }

    /// Every occurrence of `old` replaced; both have one length.
    static func replacing(_ old: [UInt8], by new: [UInt8], in bytes: [UInt8]) -> [UInt8] {
        precondition(old.count == new.count, "places stay where they are")
        var result = bytes
        var index = 0
        while index + old.count <= result.count {
            if result[index] == old[0], result[index..<index + old.count].elementsEqual(old) {
                result.replaceSubrange(index..<index + old.count, with: new)
                index += old.count
            } else {
                index += 1
            }
        }
        return result
    }

    /// The checksum of a transport stream's tables. Source: ISO/IEC 13818-1, annex A.
    static func tableChecksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var value: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            value ^= UInt32(byte) << 24
            for _ in 0..<8 { value = value & 0x8000_0000 != 0 ? value << 1 ^ 0x04C1_1DB7 : value << 1 }
        }
        return bigEndian(Int(value))
    }
}
