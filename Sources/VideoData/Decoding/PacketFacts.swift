import CFFmpeg

/// What is kept of a packet of the video stream once it was read. There is one for each packet of a file, so it is small.
struct PacketFacts: Equatable {
    private let shownAt: Int64
    private let decodedAt: Int64
    /// Where it begins in the file, in bytes; -1 if the container does not say.
    private let place: Int64
    private let size: Int32
    let traits: PacketTraits
    /// Outside the file's edit list: decoded, but not shown.
    let isDiscarded: Bool
    /// Cut off or failing the container's checksum.
    let isDamaged: Bool
    /// Changes the decoder's parameters, so that what follows cannot be decoded without it.
    let changesParameters: Bool

    init(_ packet: UnsafeMutablePointer<AVPacket>, inspector: PacketInspector) {
        let flags = unsafe packet.pointee.flags
        let bytes = unsafe UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size))
        traits = unsafe inspector.traits(of: bytes.span, isMarkedKey: flags & AV_PKT_FLAG_KEY != 0)
        shownAt = unsafe packet.pointee.pts
        decodedAt = unsafe packet.pointee.dts
        place = unsafe packet.pointee.pos
        size = unsafe packet.pointee.size
        isDiscarded = flags & AV_PKT_FLAG_DISCARD != 0
        isDamaged = flags & AV_PKT_FLAG_CORRUPT != 0
        changesParameters =
            unsafe av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, nil) != nil
            || av_packet_get_side_data(packet, AV_PKT_DATA_PARAM_CHANGE, nil) != nil
    }

    /// In units of the stream's time base; nil if the container has none.
    var presentationTime: Int64? { shownAt == vifi_no_timestamp() ? nil : shownAt }
    var decodingTime: Int64? { decodedAt == vifi_no_timestamp() ? nil : decodedAt }
    var byteCount: Int { Int(size) }

    /// Whether it is this packet, read again.
    func describe(_ packet: UnsafeMutablePointer<AVPacket>) -> Bool {
        unsafe size == packet.pointee.size && place == packet.pointee.pos && decodedAt == packet.pointee.dts && shownAt == packet.pointee.pts
    }
}
