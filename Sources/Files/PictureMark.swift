/// The mark in pictures and videos that this program drew, by which it knows them again: their file may be replaced.
package enum PictureMark {
    /// The most that the marks take, all of which stand at the end of the file.
    private static let byteLimit = 128
    private static let comment = Array("\n<!-- drawn by vifi-prompt -->\n".utf8)
    /// A `tEXt` chunk with the keyword `Software` (PNG specification, 11.3.4.3): length, type, text, CRC-32.
    private static let chunk: [UInt8] = {
        let body = Array("tEXtSoftware".utf8) + [0] + Array("vifi-prompt".utf8)
        return bigEndian(body.count - 4) + body + bigEndian(Int(checksum(body)))
    }()
    /// A `free` box, which readers pass over (ISO/IEC 14496-12, 8.1.2).
    private static let box: [UInt8] = {
        let body = Array("freedrawn by vifi-prompt".utf8)
        return bigEndian(body.count + 4) + body
    }()
    /// `IEND` has no content, so its bytes are always these.
    private static let endChunk: [UInt8] = [0, 0, 0, 0, 0x49, 0x45, 0x4E, 0x44, 0xAE, 0x42, 0x60, 0x82]

    /// The same picture with the mark, by the ending of its name.
    package static func marked(_ bytes: [UInt8], path: String) -> [UInt8] {
        if path.lowercased().hasSuffix(".svg") { return bytes + comment }
        if path.lowercased().hasSuffix(".mp4") { return bytes + box }
        return bytes.suffix(endChunk.count).elementsEqual(endChunk) ? bytes.dropLast(endChunk.count) + chunk + endChunk : bytes
    }

    /// Whether the file at `path` bears the mark.
    package static func isIn(_ path: String) -> Bool {
        guard let file = try? InputFile(path: path) else { return false }
        let count = min(byteLimit, file.byteCount)
        guard let end = try? file.bytes(at: file.byteCount - count, count: count) else { return false }
        return [comment, chunk + endChunk, box].contains { end.suffix($0.count).elementsEqual($0) }
    }

    private static func bigEndian(_ value: Int) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }

    /// CRC-32 as PNG has it (annex D).
    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        ~bytes.reduce(UInt32.max) { sum, byte in
            (0..<8).reduce(sum ^ UInt32(byte)) { sum, _ in sum & 1 == 1 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
        }
    }
}
