import CFFmpeg
import Files

/// Writes RGB frames as an `.mp4` that plays everywhere: H.264 where this FFmpeg has x264, else MPEG-4
/// part 2; 4:2:0, BT.601, table of contents in front.
///
/// The same frames give the same bytes: one thread, no dates. The file is built in memory and appears
/// under its name whole, when `finish` is called.
@safe package struct VideoWriter: ~Copyable {
    /// How a film is compressed.
    package struct Quality: Sendable {
        /// x264's constant rate factor, `0...51`; 18 is visually lossless.
        package var rateFactor = 18
        /// x264's preset, for example `ultrafast`, `veryfast`, `medium`.
        package var preset = "veryfast"
        /// Frames between key frames at most.
        package var keyFrameInterval = 250
        /// Pretends that x264 is missing.
        package var avoidsH264 = false

        package init(
            rateFactor: Int = 18, preset: String = "veryfast", keyFrameInterval: Int = 250, avoidsH264: Bool = false
        ) {
            self.rateFactor = rateFactor
            self.preset = preset
            self.keyFrameInterval = keyFrameInterval
            self.avoidsH264 = avoidsH264
        }
    }

    package let path: String
    package let width: Int
    package let height: Int
    private let encoder: Encoder
    private var frameCount = 0

    /// Prepares to write. Nothing appears on disk before `finish`.
    ///
    /// - Parameters:
    ///   - width: even, as 4:2:0 demands, `16...8192`; so is `height`.
    ///   - framesPerSecond: `0.01...1000`.
    package init(
        path: String, width: Int, height: Int, framesPerSecond: Double, quality: Quality = Quality()
    ) throws(VideoError) {
        guard (16...8192).contains(width), (16...8192).contains(height), width % 2 == 0, height % 2 == 0 else {
            let reason = "the width and height, \(width) × \(height), must be even numbers from 16 to 8192"
            throw VideoError(path: path, problem: .cannotEncode(reason: reason))
        }
        guard (0.01...1000).contains(framesPerSecond) else {
            let reason = "\(framesPerSecond) frames per second is outside 0.01 to 1000"
            throw VideoError(path: path, problem: .cannotEncode(reason: reason))
        }
        encoder = try Encoder(
            path: path, width: Int32(width), height: Int32(height), framesPerSecond: framesPerSecond, quality: quality)
        self.path = path
        self.width = width
        self.height = height
    }

    /// Adds a frame.
    ///
    /// - Parameter pixels: `[height, width, 3]`, RGB in `0...255`.
    package mutating func append(_ pixels: [UInt8]) throws(VideoError) {
        precondition(pixels.count == width * height * 3, "a frame of another size")
        try encoder.encode(pixels, time: Int64(frameCount))
        frameCount += 1
    }

    /// Completes the film.
    ///
    /// - Returns: the bytes of an `.mp4` file. Nothing is written to disk.
    package consuming func finishedBytes() throws(VideoError) -> [UInt8] {
        guard frameCount > 0 else {
            throw VideoError(path: path, problem: .cannotEncode(reason: "it has no frames"))
        }
        return try encoder.finish()
    }

    /// Completes the film and puts it under its name, durably.
    package consuming func finish() throws(VideoError) {
        let path = self.path
        let bytes = try finishedBytes()
        do throws(FileError) {
            try DurableFile.write(bytes, to: path)
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
    }
}

/// The codec and the container of one film, in memory.
@safe private final class Encoder {
    private let path: String
    private let sink = MemorySink()
    private var format: UnsafeMutablePointer<AVFormatContext>?
    private var codec: UnsafeMutablePointer<AVCodecContext>?
    private var frame: UnsafeMutablePointer<AVFrame>?
    private var packet: UnsafeMutablePointer<AVPacket>?
    private var scaler: OpaquePointer?
    private var io: UnsafeMutablePointer<AVIOContext>?

    init(path: String, width: Int32, height: Int32, framesPerSecond: Double, quality: VideoWriter.Quality) throws(VideoError) {
        _ = isLogSilenced
        self.path = path
        try openCodec(width: width, height: height, framesPerSecond: framesPerSecond, quality: quality)
        try openContainer()
        unsafe scaler = sws_getContext(
            width, height, AV_PIX_FMT_RGB24, width, height, AV_PIX_FMT_YUV420P, SWS_BICUBIC, nil, nil, nil)
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
        VideoError(path: path, problem: .cannotEncode(reason: errorWords(code)))
    }

    private func check(_ code: Int32) throws(VideoError) {
        if code < 0 { throw failure(code) }
    }

    private func openCodec(
        width: Int32, height: Int32, framesPerSecond: Double, quality: VideoWriter.Quality
    ) throws(VideoError) {
        let h264 = unsafe quality.avoidsH264 ? nil : avcodec_find_encoder_by_name("libx264")
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
        unsafe codec.pointee.time_base = av_inv_q(rate)
        unsafe codec.pointee.framerate = rate
        unsafe codec.pointee.gop_size = Int32(clamping: quality.keyFrameInterval)
        unsafe codec.pointee.thread_count = 1
        unsafe codec.pointee.colorspace = AVCOL_SPC_SMPTE170M
        unsafe codec.pointee.color_range = AVCOL_RANGE_MPEG
        unsafe codec.pointee.flags |= AV_CODEC_FLAG_BITEXACT | AV_CODEC_FLAG_GLOBAL_HEADER
        if unsafe h264 != nil {
            unsafe av_opt_set(codec.pointee.priv_data, "preset", quality.preset, 0)
            unsafe av_opt_set(codec.pointee.priv_data, "crf", String(quality.rateFactor), 0)
        } else {
            unsafe codec.pointee.flags |= AV_CODEC_FLAG_QSCALE
            // The quantiser, 1...31, that looks about as good: 3 for a rate factor of 18.
            let quantiser = min(31, max(1, quality.rateFactor / 6))
            unsafe codec.pointee.global_quality = FF_QP2LAMBDA * Int32(quantiser)
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
            if unsafe packet.pointee.duration == 0 { unsafe packet.pointee.duration = 1 }
            unsafe av_packet_rescale_ts(packet, codec.pointee.time_base, stream.pointee.time_base)
            unsafe packet.pointee.stream_index = 0
            try check(unsafe av_interleaved_write_frame(format, packet))
        }
    }

    func finish() throws(VideoError) -> [UInt8] {
        try check(unsafe avcodec_send_frame(codec, nil))
        try writePackets()
        try check(unsafe av_write_trailer(format))
        unsafe avio_flush(io)
        return sink.bytes
    }
}

// MARK: - The file in memory

/// Bytes that FFmpeg writes, and reads once more for moving the table of contents.
private final class MemorySink {
    fileprivate(set) var bytes: [UInt8] = []
    fileprivate var writeOffset = 0
    fileprivate var readOffset = 0
}

@unsafe private func sink(_ opaque: UnsafeMutableRawPointer?) -> MemorySink? {
    guard let opaque = unsafe opaque else { return nil }
    return unsafe Unmanaged<MemorySink>.fromOpaque(opaque).takeUnretainedValue()
}

private func writeToSink(opaque: UnsafeMutableRawPointer?, buffer: UnsafePointer<UInt8>?, count: Int32) -> Int32 {
    guard let sink = unsafe sink(opaque), let buffer = unsafe buffer, count >= 0 else { return vifi_error_invalid() }
    let source = unsafe UnsafeBufferPointer(start: buffer, count: Int(count))
    if sink.writeOffset > sink.bytes.count {
        sink.bytes.append(contentsOf: repeatElement(0, count: sink.writeOffset - sink.bytes.count))
    }
    let overlap = min(sink.bytes.count - sink.writeOffset, Int(count))
    if overlap > 0 {
        unsafe sink.bytes.replaceSubrange(sink.writeOffset..<sink.writeOffset + overlap, with: source[..<overlap])
    }
    unsafe sink.bytes.append(contentsOf: source[max(0, overlap)...])
    sink.writeOffset += Int(count)
    return count
}

private func seekInSink(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let sink = unsafe sink(opaque) else { return Int64(vifi_error_invalid()) }
    if whence & AVSEEK_SIZE != 0 { return Int64(sink.bytes.count) }
    let base =
        switch whence & ~AVSEEK_FORCE {
        case SEEK_CUR: sink.writeOffset
        case SEEK_END: sink.bytes.count
        default: 0
        }
    // Beyond the end too: the muxer makes room for a table of contents longer than the pictures.
    let target = base + Int(offset)
    guard target >= 0 else { return Int64(vifi_error_invalid()) }
    sink.writeOffset = target
    return Int64(target)
}

private func readFromSink(opaque: UnsafeMutableRawPointer?, buffer: UnsafeMutablePointer<UInt8>?, count: Int32) -> Int32 {
    guard let sink = unsafe sink(opaque), let buffer = unsafe buffer else { return vifi_error_invalid() }
    let available = min(Int(count), sink.bytes.count - sink.readOffset)
    guard available > 0 else { return vifi_error_end_of_file() }
    for index in 0..<available { unsafe buffer[index] = sink.bytes[sink.readOffset + index] }
    sink.readOffset += available
    return Int32(available)
}

private func seekReaderInSink(opaque: UnsafeMutableRawPointer?, offset: Int64, whence: Int32) -> Int64 {
    guard let sink = unsafe sink(opaque) else { return Int64(vifi_error_invalid()) }
    if whence & AVSEEK_SIZE != 0 { return Int64(sink.bytes.count) }
    let target = (whence & ~AVSEEK_FORCE == SEEK_CUR ? sink.readOffset : 0) + Int(offset)
    guard (0...sink.bytes.count).contains(target) else { return Int64(vifi_error_invalid()) }
    sink.readOffset = target
    return Int64(target)
}

private func openSinkForReading(
    format: UnsafeMutablePointer<AVFormatContext>?, result: UnsafeMutablePointer<UnsafeMutablePointer<AVIOContext>?>?,
    url: UnsafePointer<CChar>?, flags: Int32, options: UnsafeMutablePointer<OpaquePointer?>?
) -> Int32 {
    guard let format = unsafe format, let result = unsafe result, let sink = unsafe sink(format.pointee.opaque) else {
        return vifi_error_invalid()
    }
    sink.readOffset = 0
    unsafe result.pointee = vifi_io_create(
        format.pointee.opaque, 1 << 16, readFromSink, nil, seekReaderInSink)
    return unsafe result.pointee == nil ? vifi_error_no_memory() : 0
}

private func closeSinkReader(
    format: UnsafeMutablePointer<AVFormatContext>?, io: UnsafeMutablePointer<AVIOContext>?
) -> Int32 {
    unsafe vifi_io_free(io)
    return 0
}
