import CFFmpeg

/// A codec that is fed packets by number and says which packet each frame came from.
///
/// Every packet's time stamp is replaced by its number. The codec hands the stamp on to the frame it
/// makes of the packet, whatever order it puts frames out in.
@safe struct FrameDecoder: ~Copyable {
    let store: PacketStore
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    /// The frame that `next` returned last.
    let frame: UnsafeMutablePointer<AVFrame>
    /// Number of the packet that is fed next.
    private(set) var position = 0
    private var isDraining = false
    /// Packets that the codec rejected, and those whose frames it marks as damaged.
    private(set) var damagedPackets: Set<Int> = []

    private let threadCount: Int
    private let limits: VideoLimits

    init(store: PacketStore, threadCount: Int, limits: VideoLimits) throws(VideoError) {
        let parameters = unsafe store.parameters
        let identifier = unsafe parameters.pointee.codec_id
        guard let codec = unsafe avcodec_find_decoder(identifier) else {
            let name = unsafe String(cString: avcodec_get_name(identifier))
            throw VideoError(path: store.source.path, problem: .unsupportedCodec(name: name))
        }
        var context = unsafe avcodec_alloc_context3(codec)
        var packet = unsafe av_packet_alloc()
        var frame = unsafe av_frame_alloc()
        var code = vifi_error_no_memory()
        if let context = unsafe context, unsafe packet != nil, unsafe frame != nil {
            code = unsafe avcodec_parameters_to_context(context, parameters)
            unsafe context.pointee.max_pixels = Int64(limits.pixelCount)
            unsafe context.pointee.thread_count = Int32(clamping: threadCount)
            if code >= 0 { code = unsafe avcodec_open2(context, codec, nil) }
        }
        guard code >= 0, let openContext = unsafe context, let emptyPacket = unsafe packet,
            let emptyFrame = unsafe frame
        else {
            unsafe avcodec_free_context(&context)
            unsafe av_packet_free(&packet)
            unsafe av_frame_free(&frame)
            throw store.source.error(code)
        }
        self.store = store
        self.threadCount = threadCount
        self.limits = limits
        unsafe self.context = openContext
        unsafe self.packet = emptyPacket
        unsafe self.frame = emptyFrame
    }

    deinit {
        var context: UnsafeMutablePointer<AVCodecContext>? = unsafe context
        var packet: UnsafeMutablePointer<AVPacket>? = unsafe packet
        var frame: UnsafeMutablePointer<AVFrame>? = unsafe frame
        unsafe avcodec_free_context(&context)
        unsafe av_packet_free(&packet)
        unsafe av_frame_free(&frame)
    }

    /// Forgets everything decoded so far and goes on at packet `position`.
    mutating func start(at position: Int) {
        unsafe avcodec_flush_buffers(context)
        self.position = position
        isDraining = false
    }

    /// Starts at the first packet with a codec that remembers nothing, not even how long it has to
    /// hold frames back.
    mutating func startAfresh() throws(VideoError) {
        let known = damagedPackets
        self = try FrameDecoder(store: store, threadCount: threadCount, limits: limits)
        damagedPackets = known
    }

    /// Decodes the next frame into `frame`.
    ///
    /// - Returns: the number of its packet, -1 if the codec does not say; nil at the end of the stream.
    mutating func next() throws(VideoError) -> Int? {
        while true {
            try store.source.checkDeadline()
            let code = unsafe avcodec_receive_frame(context, frame)
            if code == 0 { return origin() }
            if code == vifi_error_end_of_file() { return nil }
            if code != vifi_error_again() {
                // The codec gave up on a packet; a codec that is being emptied must not do so for ever.
                guard code != vifi_error_no_memory() else { throw store.source.error(code) }
                damagedPackets.insert(position - 1)
                if isDraining { return nil }
            }
            try feed()
        }
    }

    private mutating func feed() throws(VideoError) {
        if position >= store.count {
            unsafe avcodec_send_packet(context, nil)
            isDraining = true
            return
        }
        let number = position
        position += 1
        guard store.facts[number].byteCount > 0 else { return }  // An empty packet would mean the end.
        try unsafe store.load(number, into: packet)
        unsafe packet.pointee.pts = Int64(number)
        unsafe packet.pointee.dts = Int64(number)
        let code = unsafe avcodec_send_packet(context, packet)
        unsafe av_packet_unref(packet)
        guard code != vifi_error_no_memory() else { throw store.source.error(code) }
        if code < 0 { damagedPackets.insert(number) }
    }

    private mutating func origin() -> Int {
        let stamp = unsafe frame.pointee.pts
        guard let number = Int(exactly: stamp), store.facts.indices.contains(number) else { return -1 }
        let marks = unsafe (frame.pointee.flags & AV_FRAME_FLAG_CORRUPT) | frame.pointee.decode_error_flags
        if marks != 0 { damagedPackets.insert(number) }
        return number
    }
}
