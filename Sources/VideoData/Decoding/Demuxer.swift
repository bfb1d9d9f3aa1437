import CFFmpeg

/// An opened container and the one video stream of it that is read.
@safe struct Demuxer: ~Copyable {
    /// Containers whose demuxers read one self-contained file. No playlists, no lists of images, no
    /// devices: those open other files.
    private static let acceptedContainers =
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,h264,hevc,m4v,ivf,flv,ogg,gif,asf,nut"

    let source: MediaSource
    private let context: UnsafeMutablePointer<AVFormatContext>
    private let streamIndex: Int
    private let limits: VideoLimits
    /// What the container says of the samples; FFmpeg forgets it where the codec's own headers say nothing.
    let colorTags: ColorTags
    /// Number of packets of the video stream handed out so far.
    private(set) var packetPosition = 0
    private var readCount = 0

    init(source: MediaSource, limits: VideoLimits) throws(VideoError) {
        _ = isLogSilenced
        self.source = source
        self.limits = limits
        let outline = try ContainerOutline(source)
        var (context, tags) = try unsafe Demuxer.openProbed(source: source, limits: limits)
        let choice: StreamChoice
        do throws(VideoError) {
            choice = try unsafe StreamChoice(context, source: source, encryptedStreams: outline.encryptedStreams)
            try unsafe Demuxer.refuseScrambling(context, choice.index, source: source)
        } catch {
            unsafe Demuxer.close(context)  // `deinit` runs only for a demuxer that is whole.
            throw error
        }
        if choice.hasReadPackets {
            unsafe Demuxer.close(context)
            unsafe (context, tags) = try Demuxer.openProbed(source: source, limits: limits)
            guard choice.index < Int(unsafe context.pointee.nb_streams) else {
                unsafe Demuxer.close(context)
                throw source.error(vifi_error_invalid())
            }
        }
        streamIndex = choice.index
        colorTags = tags.indices.contains(streamIndex) ? tags[streamIndex] : ColorTags()
        unsafe self.context = context
        for index in 0..<Int(unsafe context.pointee.nb_streams) where index != streamIndex {
            if let stream = unsafe context.pointee.streams[index] { unsafe vifi_discard_stream(stream) }
        }
    }

    deinit { unsafe Demuxer.close(context) }

    private static func close(_ context: UnsafeMutablePointer<AVFormatContext>) {
        let io = unsafe context.pointee.pb
        var closing: UnsafeMutablePointer<AVFormatContext>? = unsafe context
        unsafe avformat_close_input(&closing)
        unsafe vifi_io_free(io)
    }

    private static func open(
        source: MediaSource, limits: VideoLimits
    ) throws(VideoError) -> UnsafeMutablePointer<AVFormatContext> {
        let io = try unsafe source.makeReader()
        guard let allocated = unsafe avformat_alloc_context() else {
            unsafe vifi_io_free(io)
            throw source.error(vifi_error_no_memory())
        }
        unsafe allocated.pointee.pb = unsafe io
        unsafe allocated.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        unsafe vifi_forbid_nested_files(allocated)
        unsafe allocated.pointee.format_whitelist = av_strdup(acceptedContainers)
        unsafe allocated.pointee.protocol_whitelist = av_strdup("")
        unsafe allocated.pointee.probesize = Int64(limits.probeByteCount)
        unsafe allocated.pointee.format_probesize = Int32(clamping: limits.probeByteCount)
        var context: UnsafeMutablePointer<AVFormatContext>? = unsafe allocated
        // On failure this frees the context and sets it to nil.
        let code = unsafe avformat_open_input(&context, "", nil, nil)
        guard code == 0, let context = unsafe context else {
            unsafe vifi_io_free(io)
            throw source.error(code)
        }
        return unsafe context
    }

    /// An opened container whose streams' parameters are known, with the tags of those that its header names. Nothing is
    /// allocated for a picture before its declared size is checked.
    private static func openProbed(
        source: MediaSource, limits: VideoLimits
    ) throws(VideoError) -> (UnsafeMutablePointer<AVFormatContext>, [ColorTags]) {
        let context = try unsafe open(source: source, limits: limits)
        do throws(VideoError) {
            try unsafe checkStreams(context, source: source, limits: limits)
            let tags = (0..<Int(unsafe context.pointee.nb_streams)).map { index in
                unsafe context.pointee.streams[index]?.pointee.codecpar.map { unsafe ColorTags($0) } ?? ColorTags()
            }
            try unsafe probe(context, source: source, limits: limits)
            return unsafe (context, tags)
        } catch {
            unsafe close(context)
            throw error
        }
    }

    private static func probe(
        _ context: UnsafeMutablePointer<AVFormatContext>, source: MediaSource, limits: VideoLimits
    ) throws(VideoError) {
        // The probing decoders get the same limit on pixels as ours.
        let knownCount = Int(unsafe context.pointee.nb_streams)
        var options = unsafe [OpaquePointer?](repeating: nil, count: max(1, knownCount))
        for index in unsafe options.indices {
            unsafe av_dict_set(&options[index], "max_pixels", String(limits.pixelCount), 0)
            unsafe av_dict_set(&options[index], "threads", "1", 0)
        }
        let code = unsafe knownCount > 0
            ? avformat_find_stream_info(context, &options) : avformat_find_stream_info(context, nil)
        for index in unsafe options.indices { unsafe av_dict_free(&options[index]) }
        guard code >= 0, source.failure == nil else { throw source.error(code) }
        try unsafe checkStreams(context, source: source, limits: limits)
    }

    private static func checkStreams(
        _ context: UnsafeMutablePointer<AVFormatContext>, source: MediaSource, limits: VideoLimits
    ) throws(VideoError) {
        let streamCount = Int(unsafe context.pointee.nb_streams)
        guard streamCount <= limits.streamCount else {
            let problem = VideoError.Problem.tooLarge(what: "streams", value: streamCount, limit: limits.streamCount)
            throw VideoError(path: source.path, problem: problem)
        }
        for index in 0..<streamCount {
            guard let parameters = unsafe context.pointee.streams[index]?.pointee.codecpar else { continue }
            let pixelCount = Int(unsafe parameters.pointee.width) * Int(unsafe parameters.pointee.height)
            guard pixelCount <= limits.pixelCount else {
                let problem = VideoError.Problem.tooLarge(
                    what: "pixels in a frame", value: pixelCount, limit: limits.pixelCount)
                throw VideoError(path: source.path, problem: problem)
            }
        }
    }

    private static func refuseScrambling(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ index: Int, source: MediaSource
    ) throws(VideoError) {
        guard let stream = unsafe context.pointee.streams[index] else { return }
        let scheme: String?
        switch unsafe String(cString: context.pointee.iformat.pointee.name) {
        case "mpegts": scheme = try Scrambling(source).schemeOfTransportStream(identifier: Int(unsafe stream.pointee.id))
        case "mpeg": scheme = try Scrambling(source).schemeOfProgramStream()
        default: scheme = nil
        }
        if let scheme { throw VideoError(path: source.path, problem: .encrypted(scheme: scheme)) }
    }

    // MARK: Facts

    var container: String { unsafe String(cString: context.pointee.iformat.pointee.name) }

    /// Valid as long as the demuxer.
    var stream: UnsafeMutablePointer<AVStream> {
        guard let stream = unsafe context.pointee.streams[streamIndex] else {
            preconditionFailure("the chosen stream vanished")
        }
        return unsafe stream
    }

    /// What the header says, taken on trust.
    var claims: HeaderClaims {
        let stream = unsafe self.stream
        let parameters = unsafe stream.pointee.codecpar.pointee
        let rate = unsafe stream.pointee.avg_frame_rate
        let duration = unsafe context.pointee.duration
        var claims = unsafe HeaderClaims(
            container: String(cString: context.pointee.iformat.pointee.name),
            codec: String(cString: avcodec_get_name(parameters.codec_id)),
            pixelFormat: av_get_pix_fmt_name(AVPixelFormat(parameters.format)).map { unsafe String(cString: $0) }
                ?? "unknown",
            frameCount: Int(stream.pointee.nb_frames),
            reordersFrames: parameters.video_delay > 0,
            colorTags: ColorTags(stream.pointee.codecpar).completed(from: colorTags))
        if rate.num != 0 && rate.den != 0 { claims.framesPerSecond = Double(rate.num) / Double(rate.den) }
        if duration != vifi_no_timestamp() { claims.durationSeconds = Double(duration) / Double(AV_TIME_BASE) }
        if let matrix = unsafe vifi_display_matrix(stream) {
            claims.displayMatrix = unsafe Array(UnsafeBufferPointer(start: matrix, count: 9))
        }
        return claims
    }

    // MARK: Packets

    /// Reads the next packet of the video stream into `packet`. Returns false at the end of the file.
    mutating func readPacket(into packet: UnsafeMutablePointer<AVPacket>) throws(VideoError) -> Bool {
        while true {
            try source.checkDeadline()
            let code = unsafe av_read_frame(context, packet)
            if code == vifi_error_again() { continue }
            if code < 0 {
                if let failure = source.failure { throw VideoError(path: source.path, problem: failure) }
                // A damaged end is an end: what came before is still a video.
                return false
            }
            readCount += 1
            guard readCount <= limits.packetCount else {
                unsafe av_packet_unref(packet)
                let problem = VideoError.Problem.tooLarge(what: "packets", value: readCount, limit: limits.packetCount)
                throw VideoError(path: source.path, problem: problem)
            }
            if Int(unsafe packet.pointee.stream_index) == streamIndex {
                packetPosition += 1
                return true
            }
            unsafe av_packet_unref(packet)
        }
    }

    /// Starts again from the first packet.
    mutating func rewind() throws(VideoError) {
        self = try Demuxer(source: source, limits: limits)
    }
}

/// What a container's header says of its video stream. Any of it may be wrong.
struct HeaderClaims {
    var container: String
    var codec: String
    var pixelFormat: String
    /// 0 if the header does not say.
    var frameCount: Int
    /// Some frames are sent before the time at which they are shown.
    var reordersFrames: Bool
    var colorTags: ColorTags
    var framesPerSecond: Double?
    var durationSeconds: Double?
    /// Nine numbers, the first six in 16.16 fixed point.
    var displayMatrix: [Int32]?
}
