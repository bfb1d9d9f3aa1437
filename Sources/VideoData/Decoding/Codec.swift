import CFFmpeg

/// An open decoder with the packet and the frame that go through it.
@safe struct Codec: ~Copyable {
    private let context: UnsafeMutablePointer<AVCodecContext>
    /// What `send` hands to the decoder.
    let packet: UnsafeMutablePointer<AVPacket>
    /// What `receive` got last.
    let frame: UnsafeMutablePointer<AVFrame>
    let source: MediaSource
    /// Whether it was told that no packet follows.
    private(set) var isDraining = false

    enum Reception {
        case frame(isDamaged: Bool)
        /// A packet is needed first.
        case hungry
        /// The decoder gave up on a packet.
        case rejected
        case end
    }

    /// - Parameters:
    ///   - timeBase: unit of the packets' time stamps; 0/1 where they are none.
    ///   - refusesDamage: rejects what is damaged instead of making up for it.
    init(
        parameters: UnsafePointer<AVCodecParameters>, timeBase: AVRational = AVRational(num: 0, den: 1), source: MediaSource, threadCount: Int,
        limits: VideoLimits, refusesDamage: Bool = false
    ) throws(VideoError) {
        let identifier = unsafe parameters.pointee.codec_id
        guard let codec = unsafe avcodec_find_decoder(identifier) else {
            let name = unsafe String(cString: avcodec_get_name(identifier))
            throw VideoError(path: source.path, problem: .unsupportedCodec(name: name))
        }
        var context = unsafe avcodec_alloc_context3(codec)
        var packet = unsafe av_packet_alloc()
        var frame = unsafe av_frame_alloc()
        var code = vifi_error_no_memory()
        if let context = unsafe context, unsafe packet != nil, unsafe frame != nil {
            code = unsafe avcodec_parameters_to_context(context, parameters)
            unsafe context.pointee.max_pixels = Int64(limits.pixelCount)
            unsafe context.pointee.thread_count = Int32(clamping: threadCount)
            unsafe context.pointee.pkt_timebase = timeBase
            if refusesDamage { unsafe context.pointee.err_recognition |= AV_EF_EXPLODE }
            if code >= 0 { code = unsafe avcodec_open2(context, codec, nil) }
        }
        guard code >= 0, let openContext = unsafe context, let emptyPacket = unsafe packet, let emptyFrame = unsafe frame else {
            unsafe avcodec_free_context(&context)
            unsafe av_packet_free(&packet)
            unsafe av_frame_free(&frame)
            throw source.error(code)
        }
        self.source = source
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

    /// Decodes the next frame into `frame`, if the packets so far hold one.
    func receive() throws(VideoError) -> Reception {
        let code = unsafe avcodec_receive_frame(context, frame)
        switch code {
        case 0:
            let marks = unsafe (frame.pointee.flags & AV_FRAME_FLAG_CORRUPT) | frame.pointee.decode_error_flags
            return .frame(isDamaged: marks != 0)
        case vifi_error_end_of_file(): return .end
        case vifi_error_again(): return .hungry
        case vifi_error_no_memory(): throw source.error(code)
        default: return .rejected
        }
    }

    /// Hands `packet` to the decoder and empties it. An empty one, which would mean the end, is left out.
    ///
    /// - Returns: false where the decoder rejects it.
    func send() throws(VideoError) -> Bool {
        defer { unsafe av_packet_unref(packet) }
        guard unsafe packet.pointee.size > 0 else { return true }
        let code = unsafe avcodec_send_packet(context, packet)
        guard code != vifi_error_no_memory() else { throw source.error(code) }
        return code >= 0
    }

    /// No packet follows.
    mutating func drain() {
        unsafe avcodec_send_packet(context, nil)
        isDraining = true
    }

    /// Forgets everything decoded so far.
    mutating func flush() {
        unsafe avcodec_flush_buffers(context)
        isDraining = false
    }
}
