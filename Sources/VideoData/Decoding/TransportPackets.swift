/// The fixed length of a transport stream's packets: the only sign that such a file was cut off.
enum TransportPackets {
    /// Bytes of the packet that the file ends in; nil where it ends with a packet.
    static func rest(of source: MediaSource) -> Int? {
        guard let bytes = try? source.firstBytes(4096) else { return nil }
        // Plain packets, those with a clock of four bytes before each (M2TS), those with checksums behind.
        for (start, length) in [(0, 188), (4, 192), (0, 204)] {
            let places = stride(from: start, to: bytes.count, by: length)
            guard places.allSatisfy({ bytes[$0] == 0x47 }) else { continue }
            return source.byteCount % length == 0 ? nil : source.byteCount % length
        }
        return nil
    }
}
