import CFFmpeg

/// An open decoder with the packet and the frame that go through it.
@safe struct Codec: ~Copyable {
    private let context: UnsafeMutablePointer<AVCodecContext>
    /// What `send` hands to the decoder.
    let packet: UnsafeMutablePointer<AVPacket>
    /// What `receive` got last.
    let frame: UnsafeMutablePointer<AVFrame>
    let source: MediaOrigin
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
        parameters: UnsafePointer<AVCodecParameters>, timeBase: AVRational = AVRational(num: 0, den: 1), source: MediaOrigin, threadCount: Int,
        limits: VideoLimits, refusesDamage: Bool = false
    ) throws(VideoError) {
        let identifier = unsafe parameters.pointee.codec_id
        guard let codec = unsafe avcodec_find_decoder(identifier) else {
            let name = unsafe String(cString: avcodec_get_name(identifier))
            throw VideoError(path: source.path, problem: .unsupportedCodec(name: name))
        }
        var packet = unsafe av_packet_alloc()
        var frame = unsafe av_frame_alloc()
        var context: UnsafeMutablePointer<AVCodecContext>?
        var code = vifi_error_no_memory()
        // Where the system has no threads to give, one has to do.
        for count in threadCount > 1 ? [threadCount, 1] : [threadCount] where code < 0 {
            unsafe avcodec_free_context(&context)
            unsafe context = avcodec_alloc_context3(codec)
            guard let context = unsafe context, unsafe packet != nil, unsafe frame != nil else { break }
            code = unsafe avcodec_parameters_to_context(context, parameters)
            unsafe context.pointee.max_pixels = Int64(limits.pixelCount)
            unsafe context.pointee.thread_count = Int32(clamping: count)
            unsafe context.pointee.pkt_timebase = timeBase
            unsafe vifi_keep_packet_numbers(context)
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
        default:
            if source.shortage(code) != nil { throw source.error(code) }
            return .rejected
        }
    }

    /// Pixels of a picture, as far as is known.
    private var pixelCount: Int {
        let width = Int(unsafe max(context.pointee.width, context.pointee.coded_width))
        let height = Int(unsafe max(context.pointee.height, context.pointee.coded_height))
        return width * height
    }

    /// What the decoder has learned of the stream.
    func copyParameters(to parameters: UnsafeMutablePointer<AVCodecParameters>) -> Bool {
        unsafe avcodec_parameters_from_context(parameters, context) >= 0
    }

    /// Hands `packet` to the decoder and empties it. An empty one, which would mean the end, is left out.
    ///
    /// - Returns: false where the decoder rejects it.
    ///
    /// - Parameter number: that frames made of the packet bear, as `number` says.
    func send(number: Int) throws(VideoError) -> Bool {
        defer { unsafe av_packet_unref(packet) }
        guard unsafe packet.pointee.size > 0 else { return true }
        try source.spend(pixels: pixelCount)
        unsafe vifi_number_packet(context, packet, Int64(number))
        let code = unsafe avcodec_send_packet(context, packet)
        guard source.shortage(code) == nil else { throw source.error(code) }
        return code >= 0
    }

    /// Of the packet that the frame got last was made of; nil where the codec does not say.
    var number: Int? {
        let number = unsafe vifi_frame_number(frame)
        return number >= 0 ? Int(number) : nil
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
