/// Whether a broadcast stream or a disc's is scrambled, from its packets' headers.
///
/// Sources: ISO/IEC 13818-1, 2.4.3 (transport_scrambling_control, PES_scrambling_control); Apple, MPEG-2 Stream Encryption
/// Format for HTTP Live Streaming (the stream types of SAMPLE-AES).
struct Scrambling {
    private let source: MediaSource

    /// Looked at in three places of a file.
    private static let windowByteCount = 1 << 20

    init(_ source: MediaSource) { self.source = source }

    private func windows() throws(VideoError) -> [[UInt8]] {
        let count = Self.windowByteCount
        let starts = [0, max(0, source.byteCount / 2 - count / 2), max(0, source.byteCount - count)]
        var windows: [[UInt8]] = []
        for (index, start) in starts.enumerated() where index == 0 || start >= starts[index - 1] + count {
            windows.append(try source.bytes(at: start, count: count))
        }
        return windows
    }

    /// - Parameter identifier: of the video's packets.
    func schemeOfTransportStream(identifier: Int) throws(VideoError) -> String? {
        var packetCount = 0
        var scrambledCount = 0
        var isSampleEncrypted = false
        for window in try windows() {
            guard let (first, step) = Self.packets(in: window) else { continue }
            var offset = first
            while offset + 188 <= window.count, window[offset] == 0x47 {
                let packet = window[offset..<offset + 188]
                offset += step
                if Self.namesSampleEncryption(packet) { isSampleEncrypted = true }
                let own = Int(packet[packet.startIndex + 1] & 0x1F) << 8 | Int(packet[packet.startIndex + 2])
                let control = packet[packet.startIndex + 3]
                guard own == identifier, control & 0x10 != 0 else { continue }
                packetCount += 1
                if control & 0xC0 != 0 || Self.hasScrambledPayload(packet) { scrambledCount += 1 }
            }
        }
        if isSampleEncrypted { return "SAMPLE-AES" }
        return Self.isScrambled(scrambledCount, of: packetCount) ? "transport stream scrambling" : nil
    }

    /// For a transport stream of which so much is scrambled that FFmpeg does not know it for one; nil for other files.
    func schemeOfUnknownTransportStream() throws(VideoError) -> String? {
        let window = try source.bytes(at: 0, count: Self.windowByteCount)
        guard window.count >= 5 * 188, let (first, step) = Self.packets(in: window), first <= 4 else { return nil }
        var packetCount = 0
        var scrambledCount = 0
        for offset in stride(from: first, to: window.count - 187, by: step) {
            guard window[offset] == 0x47 else { return nil }
            let isEmpty = window[offset + 1] & 0x1F == 0x1F && window[offset + 2] == 0xFF
            guard window[offset + 3] & 0x10 != 0, !isEmpty else { continue }
            packetCount += 1
            if window[offset + 3] & 0xC0 != 0 { scrambledCount += 1 }
        }
        return scrambledCount * 2 > packetCount ? "transport stream scrambling" : nil
    }

    /// For program streams, such as a disc's.
    func schemeOfProgramStream() throws(VideoError) -> String? {
        var packetCount = 0
        var scrambledCount = 0
        for window in try windows() {
            for offset in 0..<max(0, window.count - 9)
            where window[offset] == 0 && window[offset + 1] == 0 && window[offset + 2] == 1 && window[offset + 3] & 0xF0 == 0xE0
                && window[offset + 6] & 0xC0 == 0x80
            {
                packetCount += 1
                if window[offset + 6] & 0x30 != 0 { scrambledCount += 1 }
            }
        }
        return Self.isScrambled(scrambledCount, of: packetCount) ? "program stream scrambling" : nil
    }

    /// A broken bit here and there is damage.
    private static func isScrambled(_ count: Int, of all: Int) -> Bool { count > 0 && count * 10 >= all }

    /// The first packet and the bytes from one to the next: 188, 192 on discs of cameras, 204 with error correction.
    private static func packets(in window: [UInt8]) -> (first: Int, step: Int)? {
        for first in 0..<min(204, window.count) where window[first] == 0x47 {
            for step in [188, 192, 204] where (1...4).allSatisfy({ first + $0 * step >= window.count || window[first + $0 * step] == 0x47 }) {
                return (first, step)
            }
        }
        return nil
    }

    /// A table of the program's streams with one of the types that stand for encrypted samples.
    private static func namesSampleEncryption(_ packet: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(packet)
        // The start of a section, clear, with a payload.
        guard bytes[1] & 0x40 != 0, bytes[3] & 0xC0 == 0, bytes[3] & 0x10 != 0 else { return false }
        var start = 4
        if bytes[3] & 0x20 != 0 { start += 1 + Int(bytes[4]) }
        guard start < bytes.count else { return false }
        start += 1 + Int(bytes[start])
        guard start + 12 < bytes.count, bytes[start] == 2, bytes[start + 1] & 0xF0 == 0xB0 else { return false }
        let end = min(bytes.count, start + 3 + (Int(bytes[start + 1] & 0x0F) << 8 | Int(bytes[start + 2])) - 4)
        var offset = start + 12 + (Int(bytes[start + 10] & 0x0F) << 8 | Int(bytes[start + 11]))
        while offset + 5 <= end {
            // H.264 and HEVC.
            if bytes[offset] == 0xDB || bytes[offset] == 0xD2 { return true }
            offset += 5 + (Int(bytes[offset + 3] & 0x0F) << 8 | Int(bytes[offset + 4]))
        }
        return false
    }

    private static func hasScrambledPayload(_ packet: ArraySlice<UInt8>) -> Bool {
        let bytes = Array(packet)
        guard bytes[1] & 0x40 != 0 else { return false }
        let start = 4 + (bytes[3] & 0x20 != 0 ? 1 + Int(bytes[4]) : 0)
        guard start + 7 <= bytes.count, bytes[start..<start + 3].elementsEqual([0, 0, 1]) else { return false }
        return bytes[start + 6] & 0xC0 == 0x80 && bytes[start + 6] & 0x30 != 0
    }
}
