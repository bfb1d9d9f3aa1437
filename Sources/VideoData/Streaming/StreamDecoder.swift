import CFFmpeg

/// A codec that is fed a stream's packets as they come from the container, each once.
@safe struct StreamDecoder: ~Copyable {
    private let context: UnsafeMutablePointer<AVCodecContext>
    private let packet: UnsafeMutablePointer<AVPacket>
    /// The frame that `next` decoded last.
    let frame: UnsafeMutablePointer<AVFrame>
    private let source: MediaSource
    /// Seconds of a unit of the stream's time stamps.
    private let unitSeconds: Double
    private var isDraining = false
    /// Packets that the codec rejected, and frames that it marks as damaged.
    private(set) var damagedCount = 0

    init(
        stream: UnsafeMutablePointer<AVStream>, source: MediaSource, threadCount: Int, limits: VideoLimits
    ) throws(VideoError) {
        guard let parameters = unsafe stream.pointee.codecpar else { throw source.error(vifi_error_invalid()) }
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
            unsafe context.pointee.pkt_timebase = unsafe stream.pointee.time_base
            if code >= 0 { code = unsafe avcodec_open2(context, codec, nil) }
        }
        guard code >= 0, let openContext = unsafe context, let emptyPacket = unsafe packet, let emptyFrame = unsafe frame else {
            unsafe avcodec_free_context(&context)
            unsafe av_packet_free(&packet)
            unsafe av_frame_free(&frame)
            throw source.error(code)
        }
        let base = unsafe stream.pointee.time_base
        unitSeconds = base.num > 0 && base.den > 0 ? Double(base.num) / Double(base.den) : 0
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

    /// Of the frame decoded last, on the stream's own clock; nil where the stream does not say.
    var stampSeconds: Double? {
        let stamp = unsafe frame.pointee.best_effort_timestamp
        return stamp == vifi_no_timestamp() || unitSeconds == 0 ? nil : Double(stamp) * unitSeconds
    }

    /// How long the frame decoded last is shown; nil where the stream does not say.
    var durationSeconds: Double? {
        let duration = unsafe vifi_frame_duration(frame)
        return duration > 0 && unitSeconds > 0 ? Double(duration) * unitSeconds : nil
    }

    /// Decodes the next frame into `frame`. Returns false at the end of the stream.
    mutating func next(from demuxer: inout Demuxer) throws(VideoError) -> Bool {
        while true {
            try source.checkDeadline()
            let code = unsafe avcodec_receive_frame(context, frame)
            if code == 0 {
                let marks = unsafe (frame.pointee.flags & AV_FRAME_FLAG_CORRUPT) | frame.pointee.decode_error_flags
                if marks != 0 { damagedCount += 1 }
                return true
            }
            if code == vifi_error_end_of_file() { return false }
            if code != vifi_error_again() {
                guard code != vifi_error_no_memory() else { throw source.error(code) }
                damagedCount += 1
                if isDraining { return false }
            }
            try feed(from: &demuxer)
        }
    }

    private mutating func feed(from demuxer: inout Demuxer) throws(VideoError) {
        guard try unsafe demuxer.readPacket(into: packet) else {
            unsafe avcodec_send_packet(context, nil)
            isDraining = true
            return
        }
        defer { unsafe av_packet_unref(packet) }
        guard unsafe packet.pointee.size > 0 else { return }  // An empty packet would mean the end.
        let code = unsafe avcodec_send_packet(context, packet)
        guard code != vifi_error_no_memory() else { throw source.error(code) }
        if code < 0 { damagedCount += 1 }
    }
}
