import CFFmpeg

/// Packets that wait to be handed out, first in, first out.
@safe struct PacketQueue: ~Copyable {
    private var packets: [UnsafeMutablePointer<AVPacket>] = unsafe []
    private var first = 0

    deinit { unsafe Self.free(packets[first...]) }

    private static func free(_ packets: ArraySlice<UnsafeMutablePointer<AVPacket>>) {
        for index in unsafe packets.indices {
            var packet: UnsafeMutablePointer<AVPacket>? = unsafe packets[index]
            unsafe av_packet_free(&packet)
        }
    }

    /// Adds a copy that shares the packet's bytes. Returns false where memory is short.
    mutating func append(_ packet: UnsafeMutablePointer<AVPacket>) -> Bool {
        guard let copy = unsafe av_packet_clone(packet) else { return false }
        unsafe packets.append(copy)
        return true
    }

    /// Returns false where none is left.
    mutating func moveFirst(to packet: UnsafeMutablePointer<AVPacket>) -> Bool {
        guard unsafe first < packets.count else { return false }
        unsafe av_packet_move_ref(packet, packets[first])
        unsafe Self.free(packets[first...first])
        first += 1
        return true
    }

    mutating func removeAll() {
        unsafe Self.free(packets[first...])
        unsafe packets = []
        first = 0
    }
}
