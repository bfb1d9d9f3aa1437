import CFFmpeg

/// The packets of the video stream by number, kept in memory or read again as needed.
///
/// Going back means feeding the decoder from an earlier packet: containers differ in where a seek lands, numbers do not.
/// Going far ahead in a file that was read before leaves out what lies between, if packets can be recognized after it.
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

    /// Seconds of a unit of the packets' time stamps.
    let unitSeconds: Double
    let mayBreakTimeStamps: Bool
    /// The container proved not to lead to packets.
    private var cannotJump = false

    /// - Parameter facts: of all packets, where the file was read before; else `readAll` is called next.
    init(demuxer: consuming Demuxer, facts: [PacketFacts] = []) throws(VideoError) {
        source = demuxer.source
        unitSeconds = demuxer.unitSeconds
        mayBreakTimeStamps = demuxer.mayBreakTimeStamps
        guard let copy = unsafe avcodec_parameters_alloc() else { throw demuxer.source.error(vifi_error_no_memory()) }
        unsafe parameters = copy
        unsafe avcodec_parameters_copy(copy, demuxer.stream.pointee.codecpar)
        unsafe inspector = PacketInspector(
            codec: copy.pointee.codec_id, isIntraOnly: PacketStore.isIntraOnly(copy.pointee.codec_id),
            configuration: Array(
                UnsafeBufferPointer(start: copy.pointee.extradata, count: Int(copy.pointee.extradata_size))))
        self.demuxer = demuxer
        self.facts = facts
        unsafe scratch = av_packet_alloc()
    }

    /// What has been found wrong with the container while it was read.
    var damage: VideoWarning? { demuxer.damage }

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

    /// Reads the whole stream once.
    func readAll(limits: VideoLimits) throws(VideoError) {
        guard let scratch = unsafe scratch else { throw source.error(vifi_error_no_memory()) }
        var byteCount = 0
        while try unsafe demuxer.readPacket(into: scratch) {
            unsafe facts.append(PacketFacts(scratch, inspector: inspector))
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

    var count: Int { facts.count }

    /// Puts packet number `index` into `packet`.
    func load(_ index: Int, into packet: UnsafeMutablePointer<AVPacket>) throws(VideoError) {
        precondition(facts.indices.contains(index))
        if unsafe kept.indices.contains(index) {
            let code = unsafe av_packet_ref(packet, kept[index])
            guard code == 0 else { throw source.error(code) }
            return
        }
        if isFarAhead(index) {
            unsafe av_packet_unref(packet)
            if try unsafe demuxer.jump(to: index, facts: facts, into: packet) { return }
            cannotJump = true
            try demuxer.rewind()
        }
        if demuxer.packetPosition > index { try demuxer.rewind() }
        repeat {
            unsafe av_packet_unref(packet)
            guard try unsafe demuxer.readPacket(into: packet) else {
                throw VideoError(path: source.path, problem: .damagedContainer(reason: "it changed while it was read"))
            }
        } while demuxer.packetPosition <= index
    }

    /// Bytes that are rather read than left out.
    private static let readThroughByteCount = 1 << 20

    private func isFarAhead(_ index: Int) -> Bool {
        guard !cannotJump else { return false }
        var byteCount = 0
        for number in min(index, demuxer.packetPosition)..<index {
            byteCount += facts[number].byteCount
            if byteCount > Self.readThroughByteCount { return true }
        }
        return false
    }
}
