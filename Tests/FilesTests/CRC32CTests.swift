import Files
import Testing

@Suite struct CRC32CTests {
    /// The examples of RFC 3720, appendix B.4, whose bytes stand there lowest first, and the usual check value.
    @Test(arguments: [
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        ((0..<32).map { UInt8($0) }, 0x46DD_794E), ((0..<32).reversed().map { UInt8($0) }, 0x113F_DB5C),
        (Array("123456789".utf8), 0xE306_9283), ([], 0),
    ] as [([UInt8], UInt32)])
    func publishedExamples(bytes: [UInt8], expected: UInt32) {
        #expect(crc32c(bytes) == expected)
    }
}
