/// The checksum of Castagnoli, as TensorFlow's record files have it: CRC-32 with the polynomial 0x1EDC6F41, reflected.
///
/// Source: RFC 3720, appendix B.4, whose examples the tests hold.
package func crc32c(_ bytes: [UInt8]) -> UInt32 {
    var remainder = UInt32.max
    for byte in bytes {
        remainder ^= UInt32(byte)
        for _ in 0..<8 { remainder = remainder >> 1 ^ (remainder & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    return ~remainder
}
