import CFFmpeg

/// The codec and the container of one video.
@safe final class StreamEncoder {
    private let path: String
    private let sink: MediaSink
    private var format: UnsafeMutablePointer<AVFormatContext>?
    private var codec: UnsafeMutablePointer<AVCodecContext>?
    private var frame: UnsafeMutablePointer<AVFrame>?
    private var packet: UnsafeMutablePointer<AVPacket>?
    private var scaler: OpaquePointer?
    private var io: UnsafeMutablePointer<AVIOContext>?
    /// How long the last frame is shown, in units of the time base.
    var lastDuration: Int64 = 1

    /// - Parameters:
    ///   - sink: where the bytes of the file go.
    ///   - timeUnits: units of time a second for frames' stamps; those of the frame rate where nil.
    ///   - pixelAspect: width of a pixel as a multiple of its height; square where nil.
    init(
        path: String, sink: MediaSink, width: Int32, height: Int32, framesPerSecond: Double, timeUnits: Int32? = nil, pixelAspect: Double? = nil,
        quality: VideoWriter.Quality
    ) throws(VideoError) {
        _ = MediaLog.isInstalled
        self.path = path
        self.sink = sink
        try openCodec(
            width: width, height: height, framesPerSecond: framesPerSecond, timeUnits: timeUnits, pixelAspect: pixelAspect, quality: quality)
        try openContainer()
        unsafe scaler = sws_getContext(
            width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P, SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT, nil, nil,
            nil)
        unsafe frame = av_frame_alloc()
        guard let frame = unsafe frame, unsafe scaler != nil else { throw failure(vifi_error_no_memory()) }
        unsafe frame.pointee.width = width
        unsafe frame.pointee.height = height
        unsafe frame.pointee.format = AV_PIX_FMT_YUV420P.rawValue
        try check(unsafe av_frame_get_buffer(frame, 0))
    }

    deinit {
        unsafe sws_freeContext(scaler)
        unsafe av_frame_free(&frame)
        unsafe av_packet_free(&packet)
        unsafe avcodec_free_context(&codec)
        unsafe avformat_free_context(format)
        unsafe vifi_io_free(io)
    }

    private func failure(_ code: Int32) -> VideoError {
        VideoError(path: path, problem: sink.failure.map { .file($0) } ?? .cannotEncode(reason: errorWords(code)))
    }

    private func check(_ code: Int32) throws(VideoError) {
        if code < 0 { throw failure(code) }
    }

    private static func h264(_ quality: VideoWriter.Quality) -> UnsafePointer<AVCodec>? {
        unsafe quality.avoidsH264 ? nil : avcodec_find_encoder_by_name("libx264")
    }

    /// Whether videos are in H.264; else in MPEG-4 part 2.
    static func hasH264(_ quality: VideoWriter.Quality) -> Bool { unsafe h264(quality) != nil }

    private func openCodec(
        width: Int32, height: Int32, framesPerSecond: Double, timeUnits: Int32?, pixelAspect: Double?, quality: VideoWriter.Quality
    ) throws(VideoError) {
        let h264 = unsafe Self.h264(quality)
        guard let encoder = unsafe h264 ?? avcodec_find_encoder(AV_CODEC_ID_MPEG4) else {
            throw VideoError(
                path: path, problem: .cannotEncode(reason: "this FFmpeg has no encoder for H.264 or MPEG-4"))
        }
        unsafe codec = avcodec_alloc_context3(encoder)
        unsafe packet = av_packet_alloc()
        guard let codec = unsafe codec, unsafe packet != nil else { throw failure(vifi_error_no_memory()) }
        let rate = av_d2q(framesPerSecond, 100_000)
        unsafe codec.pointee.width = width
        unsafe codec.pointee.height = height
        unsafe codec.pointee.pix_fmt = AV_PIX_FMT_YUV420P
        unsafe codec.pointee.time_base = timeUnits.map { AVRational(num: 1, den: $0) } ?? av_inv_q(rate)
        unsafe codec.pointee.framerate = rate
        if let pixelAspect { unsafe codec.pointee.sample_aspect_ratio = av_d2q(pixelAspect, 1000) }
        unsafe codec.pointee.gop_size = Int32(clamping: quality.keyFrameInterval)
        unsafe codec.pointee.thread_count = 1
        unsafe codec.pointee.colorspace = AVCOL_SPC_SMPTE170M
        unsafe codec.pointee.color_range = AVCOL_RANGE_MPEG
        unsafe codec.pointee.flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER
        if unsafe h264 != nil {
            unsafe av_opt_set(codec.pointee.priv_data, "preset", quality.preset, 0)
            unsafe av_opt_set(codec.pointee.priv_data, "crf", String(quality.rateFactor), 0)
            // Left to choose, x264 takes other ways on other processors, and its AVX-512 code for macroblock trees
            // gives other bits from one time to the next: 5 of 400 encodings of one video differed.
            unsafe av_opt_set(codec.pointee.priv_data, "x264-params", "cpu-independent=1", 0)
        } else {
            unsafe codec.pointee.flags |= AV_CODEC_FLAG_QSCALE
            // The quantizer, 1...31, that looks about as good: 3 for a rate factor of 18.
            let quantizer = min(31, max(1, quality.rateFactor / 6))
            unsafe codec.pointee.global_quality = FF_QP2LAMBDA * Int32(quantizer)
        }
        try check(unsafe avcodec_open2(codec, encoder, nil))
    }

    private func openContainer() throws(VideoError) {
        try check(unsafe avformat_alloc_output_context2(&format, nil, "mp4", nil))
        unsafe io = vifi_io_create(
            Unmanaged.passUnretained(sink).toOpaque(), 1 << 16, nil, writeToSink, seekInSink)
        guard let format = unsafe format, let codec = unsafe codec, let io = unsafe io,
            let stream = unsafe avformat_new_stream(format, nil)
        else { throw failure(vifi_error_no_memory()) }
        unsafe format.pointee.pb = io
        unsafe format.pointee.flags |= AVFMT_FLAG_CUSTOM_IO | AVFMT_FLAG_BITEXACT
        // Moving the table of contents to the front makes the muxer read what it has written.
        unsafe format.pointee.opaque = Unmanaged.passUnretained(sink).toOpaque()
        unsafe format.pointee.io_open = openSinkForReading
        unsafe format.pointee.io_close2 = closeSinkReader
        unsafe stream.pointee.time_base = codec.pointee.time_base
        unsafe stream.pointee.avg_frame_rate = codec.pointee.framerate
        unsafe stream.pointee.sample_aspect_ratio = codec.pointee.sample_aspect_ratio
        try check(unsafe avcodec_parameters_from_context(stream.pointee.codecpar, codec))
        var options: OpaquePointer?
        unsafe av_dict_set(&options, "movflags", "+faststart", 0)
        let code = unsafe avformat_write_header(format, &options)
        unsafe av_dict_free(&options)
        try check(code)
    }

    func encode(_ pixels: [UInt8], time: Int64) throws(VideoError) {
        guard let frame = unsafe frame, let codec = unsafe codec else { return }
        try check(unsafe av_frame_make_writable(frame))
        let width = unsafe frame.pointee.width
        let code = unsafe pixels.withUnsafeBufferPointer { buffer in
            var planes = unsafe [buffer.baseAddress, nil, nil, nil]
            var strides = [width * 3, 0, 0, 0]
            return unsafe withUnsafeMutablePointer(to: &frame.pointee.data) { data in
                unsafe data.withMemoryRebound(to: UnsafeMutablePointer<UInt8>?.self, capacity: 8) { outputs in
                    unsafe withUnsafePointer(to: &frame.pointee.linesize) { sizes in
                        unsafe sizes.withMemoryRebound(to: Int32.self, capacity: 8) { outputStrides in
                            unsafe sws_scale(
                                scaler, &planes, &strides, 0, frame.pointee.height, outputs, outputStrides)
                        }
                    }
                }
            }
        }
        try check(code)
        unsafe frame.pointee.pts = time
        unsafe frame.pointee.pict_type = AV_PICTURE_TYPE_NONE
        if unsafe codec.pointee.flags & AV_CODEC_FLAG_QSCALE != 0 {
            unsafe frame.pointee.quality = codec.pointee.global_quality
        }
        try check(unsafe avcodec_send_frame(codec, frame))
        try writePackets()
    }

    private func writePackets() throws(VideoError) {
        guard let format = unsafe format, let codec = unsafe codec, let packet = unsafe packet,
            let stream = unsafe format.pointee.streams[0]
        else { return }
        while true {
            let code = unsafe avcodec_receive_packet(codec, packet)
            if code == vifi_error_again() || code == vifi_error_end_of_file() { return }
            try check(code)
            if unsafe packet.pointee.duration == 0 { unsafe packet.pointee.duration = lastDuration }
            unsafe av_packet_rescale_ts(packet, codec.pointee.time_base, stream.pointee.time_base)
            unsafe packet.pointee.stream_index = 0
            try check(unsafe av_interleaved_write_frame(format, packet))
        }
    }

    /// Writes what is left. From then on the sink holds the file.
    func finish() throws(VideoError) {
        try check(unsafe avcodec_send_frame(codec, nil))
        try writePackets()
        try check(unsafe av_write_trailer(format))
        unsafe avio_flush(io)
        if let failure = sink.failure { throw VideoError(path: path, problem: .file(failure)) }
    }
}
