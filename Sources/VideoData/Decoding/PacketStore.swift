import CFFmpeg

/// The packets of the video stream by number, kept in memory or read again as needed.
///
/// Going back means feeding the decoder from an earlier packet, never asking the container to seek:
/// containers differ in where a seek lands, numbers do not.
@safe final class PacketStore {
    private(set) var facts: [PacketFacts] = []
    let source: MediaSource
    let inspector: PacketInspector
    private var demuxer: Demuxer
    /// All packets, or none if they are larger than the limit.
    private var kept: [UnsafeMutablePointer<AVPacket>] = unsafe []
    private var scratch: UnsafeMutablePointer<AVPacket>?
    /// The stream's own, copied: reading the file again renews the demuxer and all it holds.
    let parameters: UnsafeMutablePointer<AVCodecParameters>

    /// Reads the whole stream once.
    init(demuxer: consuming Demuxer, limits: VideoLimits) throws(VideoError) {
        source = demuxer.source
        guard let copy = unsafe avcodec_parameters_alloc() else { throw demuxer.source.error(vifi_error_no_memory()) }
        unsafe parameters = copy
        unsafe avcodec_parameters_copy(copy, demuxer.stream.pointee.codecpar)
        unsafe inspector = PacketInspector(
            codec: copy.pointee.codec_id, isIntraOnly: PacketStore.isIntraOnly(copy.pointee.codec_id),
            configuration: Array(
                UnsafeBufferPointer(start: copy.pointee.extradata, count: Int(copy.pointee.extradata_size))))
        self.demuxer = demuxer
        unsafe scratch = av_packet_alloc()
        try readAll(limits: limits)
    }

    private static func isIntraOnly(_ codec: AVCodecID) -> Bool {
        guard let descriptor = unsafe avcodec_descriptor_get(codec) else { return false }
        return unsafe descriptor.pointee.props & AV_CODEC_PROP_INTRA_ONLY != 0
    }

    deinit {
        dropKept()
        unsafe av_packet_free(&scratch)
        var parameters: UnsafeMutablePointer<AVCodecParameters>? = unsafe parameters
        unsafe avcodec_parameters_free(&parameters)
    }

    private func dropKept() {
        for index in unsafe kept.indices {
            var packet: UnsafeMutablePointer<AVPacket>? = unsafe kept[index]
            unsafe av_packet_free(&packet)
        }
        unsafe kept = []
    }

    private func readAll(limits: VideoLimits) throws(VideoError) {
        guard let scratch = unsafe scratch else { throw source.error(vifi_error_no_memory()) }
        var byteCount = 0
        while try unsafe demuxer.readPacket(into: scratch) {
            unsafe facts.append(PacketStore.facts(of: scratch, inspector: inspector))
            byteCount += Int(unsafe scratch.pointee.size)
            if byteCount <= limits.keptByteCount, let copy = unsafe av_packet_clone(scratch) {
                unsafe kept.append(copy)
            } else {
                byteCount = limits.keptByteCount + 1
                dropKept()
            }
            unsafe av_packet_unref(scratch)
        }
    }

    private static func facts(of packet: UnsafeMutablePointer<AVPacket>, inspector: PacketInspector) -> PacketFacts {
        let flags = unsafe packet.pointee.flags
        let bytes = unsafe UnsafeBufferPointer(start: packet.pointee.data, count: Int(packet.pointee.size))
        let traits = unsafe inspector.traits(of: bytes.span, isMarkedKey: flags & AV_PKT_FLAG_KEY != 0)
        let time = unsafe packet.pointee.pts
        return PacketFacts(
            presentationTime: time == vifi_no_timestamp() ? nil : time,
            byteCount: bytes.count,
            traits: traits,
            isDiscarded: flags & AV_PKT_FLAG_DISCARD != 0,
            isDamaged: flags & AV_PKT_FLAG_CORRUPT != 0,
            changesParameters: unsafe av_packet_get_side_data(packet, AV_PKT_DATA_NEW_EXTRADATA, nil) != nil
                || av_packet_get_side_data(packet, AV_PKT_DATA_PARAM_CHANGE, nil) != nil)
    }

    var count: Int { facts.count }

    /// Puts packet number `index` into `packet`.
    func load(_ index: Int, into packet: UnsafeMutablePointer<AVPacket>) throws(VideoError) {
        precondition(facts.indices.contains(index))
        if unsafe kept.indices.contains(index) {
            let code = unsafe av_packet_ref(packet, kept[index])
            guard code == 0 else { throw source.error(code) }
            return
        }
        if demuxer.packetPosition > index { try demuxer.rewind() }
        repeat {
            unsafe av_packet_unref(packet)
            guard try unsafe demuxer.readPacket(into: packet) else {
                throw VideoError(path: source.path, problem: .damagedContainer(reason: "it changed while it was read"))
            }
        } while demuxer.packetPosition <= index
    }
}
