import CFFmpeg

/// An opened container and the one video stream of it that is read.
@safe struct Demuxer: ~Copyable {
    /// Containers whose demuxers read one self-contained file. No playlists, no lists of images, no
    /// devices: those open other files.
    static let acceptedContainers = [
        "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "h264", "hevc", "m4v", "ivf",
        "flv", "ogg", "gif", "asf", "nut",
    ]

    let source: MediaSource
    private let context: UnsafeMutablePointer<AVFormatContext>
    private let streamIndex: Int
    private let limits: VideoLimits
    /// What the container says of the samples; FFmpeg forgets it where the codec's own headers say nothing.
    let colorTags: ColorTags
    /// Number of the packet of the video stream that is handed out next.
    private(set) var packetPosition = 0
    private var readCount = 0
    private let readLimit: Int
    /// Packets that were read to learn about the stream and are still to be handed out.
    private var readAhead: PacketQueue
    /// FFmpeg's code for what ended the reading; nil before, and at the end of the file.
    private var faultAtEnd: Int32?

    init(source: MediaSource, limits: VideoLimits) throws(VideoError) {
        _ = MediaLog.isInstalled
        self.source = source
        self.limits = limits
        readLimit = limits.packetLimit(fileByteCount: source.byteCount)
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
        for index in 0..<Int(unsafe context.pointee.nb_streams) where index != choice.index {
            if let stream = unsafe context.pointee.streams[index] { unsafe vifi_discard_stream(stream) }
        }
        var queue = PacketQueue()
        if unsafe Demuxer.addsStreams(context) {
            do throws(VideoError) {
                try unsafe Demuxer.learnPictureFormat(
                    context, streamIndex: choice.index, source: source, limits: limits, readAhead: &queue)
            } catch {
                unsafe Demuxer.close(context)
                throw error
            }
        }
        streamIndex = choice.index
        readAhead = queue
        colorTags = tags.indices.contains(streamIndex) ? tags[streamIndex] : ColorTags()
        unsafe self.context = context
    }

    deinit { unsafe Demuxer.close(context) }

    private static func close(_ context: UnsafeMutablePointer<AVFormatContext>) {
        let io = unsafe context.pointee.pb
        unsafe MediaLog.forget(context)
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
        unsafe allocated.pointee.format_whitelist = av_strdup(acceptedContainers.joined(separator: ","))
        unsafe allocated.pointee.protocol_whitelist = av_strdup("")
        unsafe allocated.pointee.probesize = Int64(limits.probeByteCount)
        unsafe allocated.pointee.format_probesize = Int32(clamping: limits.probeByteCount)
        unsafe MediaLog.watch(allocated)
        var context: UnsafeMutablePointer<AVFormatContext>? = unsafe allocated
        // On failure this frees the context and sets it to nil.
        let code = unsafe avformat_open_input(&context, "", nil, nil)
        guard code == 0, let context = unsafe context else {
            unsafe MediaLog.forget(allocated)
            unsafe vifi_io_free(io)
            throw source.error(code)
        }
        return unsafe context
    }

    /// Whether streams may turn up later than the header, as in MPEG-TS, MPEG-PS and FLV. FFmpeg's options for probing
    /// reach only those that are there before: in such files it may decode nothing by itself.
    private static func addsStreams(_ context: UnsafeMutablePointer<AVFormatContext>) -> Bool {
        unsafe context.pointee.codec_whitelist != nil
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
        if unsafe knownCount == 0 || context.pointee.ctx_flags & AVFMTCTX_NOHEADER != 0 {
            unsafe context.pointee.codec_whitelist = av_strdup("none")
        }
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

    static func checkStreams(
        _ context: UnsafeMutablePointer<AVFormatContext>, source: MediaOrigin, limits: VideoLimits
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
        let aspect = unsafe av_guess_sample_aspect_ratio(context, stream, nil)
        if aspect.num > 0, aspect.den > 0, aspect.num != aspect.den { claims.pixelAspect = Double(aspect.num) / Double(aspect.den) }
        if duration != vifi_no_timestamp() { claims.durationSeconds = Double(duration) / Double(AV_TIME_BASE) }
        claims.streamEndSeconds = unsafe Demuxer.streamEnd(of: stream, in: context, fileSeconds: claims.durationSeconds)
        if let matrix = unsafe vifi_display_matrix(stream) {
            claims.displayMatrix = unsafe Array(UnsafeBufferPointer(start: matrix, count: 9))
        }
        return claims
    }

    /// Matroska names each stream's length in a tag, "00:00:02.400000000"; where a stream is alone, the file's is its own.
    /// Other containers count frames, or say nothing that was not taken from the frames themselves.
    private static func streamEnd(
        of stream: UnsafeMutablePointer<AVStream>, in context: UnsafeMutablePointer<AVFormatContext>, fileSeconds: Double?
    ) -> Double? {
        let container = unsafe String(cString: context.pointee.iformat.pointee.name)
        guard container.hasPrefix("matroska") || container == "flv" else { return nil }
        if let entry = unsafe av_dict_get(stream.pointee.metadata, "DURATION", nil, 0) {
            let parts = unsafe String(cString: entry.pointee.value).split(separator: ":").compactMap { Double($0) }
            if parts.count == 3 { return (parts[0] * 60 + parts[1]) * 60 + parts[2] }
        }
        return unsafe context.pointee.nb_streams == 1 ? fileSeconds : nil
    }

    /// Seconds of a unit of the stream's time stamps; 0 where there is none.
    var unitSeconds: Double { unsafe stream.pointee.time_base.seconds }

    /// Whether time stamps may begin anew in the middle of the file, as in recordings of broadcasts.
    var mayBreakTimeStamps: Bool { unsafe context.pointee.iformat.pointee.flags & AVFMT_TS_DISCONT != 0 }

    /// What has been found wrong with the container so far.
    var damage: VideoWarning? {
        if let words = unsafe MediaLog.complaint(of: context) { return .damagedContainer(reason: words) }
        if container == "mpegts", let rest = TransportPackets.rest(of: source) {
            return .damagedContainer(reason: "it ends within a packet, after \(rest) bytes of it")
        }
        if let faultAtEnd { return .damagedContainer(reason: "it cannot be read to its end: " + errorWords(faultAtEnd)) }
        return nil
    }

    // MARK: Packets

    /// Reads the next packet of the video stream into `packet`. Returns false at the end of the file, and where damage
    /// keeps from reading on; `damage` then tells.
    mutating func readPacket(into packet: UnsafeMutablePointer<AVPacket>) throws(VideoError) -> Bool {
        var isRead = unsafe readAhead.moveFirst(to: packet)
        if !isRead { isRead = try unsafe readPacketFromFile(into: packet) }
        if isRead { packetPosition += 1 }
        return isRead
    }

    private mutating func readPacketFromFile(into packet: UnsafeMutablePointer<AVPacket>) throws(VideoError) -> Bool {
        while true {
            let code = unsafe av_read_frame(context, packet)
            if code == vifi_error_again() { continue }
            if code < 0 {
                if let failure = source.failure { throw VideoError(path: source.path, problem: failure) }
                if source.shortage(code) != nil { throw source.error(code) }
                // A damaged end is an end: what came before is still a video.
                if code != vifi_error_end_of_file() { faultAtEnd = code }
                return false
            }
            readCount += 1
            guard readCount <= readLimit else {
                unsafe av_packet_unref(packet)
                let problem = VideoError.Problem.tooLarge(what: "packets", value: readCount, limit: readLimit)
                throw VideoError(path: source.path, problem: problem)
            }
            if Int(unsafe packet.pointee.stream_index) == streamIndex { return true }
            unsafe av_packet_unref(packet)
        }
    }

    /// Starts again from the first packet.
    mutating func rewind() throws(VideoError) {
        self = try Demuxer(source: source, limits: limits)
    }

    // MARK: Probing

    /// Decoded frames after which H.264 is known to send frames out of order or not, as FFmpeg itself counts.
    private static let probedFrameCount = 20
    private static let probedPacketCount = 60

    /// Decodes the first packets under our own limits to learn what their headers do not say: the format of the pixels
    /// and how many frames are held back. The packets are handed out later.
    private static func learnPictureFormat(
        _ context: UnsafeMutablePointer<AVFormatContext>, streamIndex: Int, source: MediaSource, limits: VideoLimits, readAhead: inout PacketQueue
    ) throws(VideoError) {
        guard let parameters = unsafe context.pointee.streams[streamIndex]?.pointee.codecpar,
            unsafe avcodec_find_decoder(parameters.pointee.codec_id) != nil
        else { return }
        _ = MediaLog.takeRefusedPixels()
        var codec = try unsafe Codec(parameters: parameters, source: source, threadCount: 1, limits: limits)
        let wanted = unsafe parameters.pointee.codec_id == AV_CODEC_ID_H264 ? probedFrameCount : 1
        var frameCount = 0
        var packetCount = 0
        probing: while frameCount < wanted {
            switch try codec.receive() {
            case .frame:
                frameCount += 1
                continue
            case .end: break probing
            case .rejected where codec.isDraining: break probing
            case .rejected, .hungry: break
            }
            guard packetCount < probedPacketCount, unsafe av_read_frame(context, codec.packet) >= 0 else {
                if codec.isDraining { break }
                codec.drain()
                continue
            }
            packetCount += 1
            guard Int(unsafe codec.packet.pointee.stream_index) == streamIndex else {
                unsafe av_packet_unref(codec.packet)
                continue
            }
            guard unsafe readAhead.append(codec.packet) else { throw source.error(vifi_error_no_memory()) }
            _ = try codec.send(number: 0)
        }
        if frameCount > 0 {
            guard unsafe codec.copyParameters(to: parameters) else { throw source.error(vifi_error_no_memory()) }
        } else if let pixelCount = MediaLog.takeRefusedPixels() {
            let problem = VideoError.Problem.tooLarge(what: "pixels in a frame", value: pixelCount, limit: limits.pixelCount)
            throw VideoError(path: source.path, problem: problem)
        }
    }

    // MARK: Jumping

    /// Packets that are read in search of the place after a jump.
    private static let searchedPacketCount = 200

    /// Reads packet `number` into `packet` without reading all before it, if the container leads there.
    ///
    /// Where a container's seek lands is not to be relied on: each packet after it is compared with what was found when
    /// the file was read from start to end.
    ///
    /// - Returns: false where it does not lead there; then `rewind` is needed before anything else is read.
    mutating func jump(
        to number: Int, facts: [PacketFacts], into packet: UnsafeMutablePointer<AVPacket>
    ) throws(VideoError) -> Bool {
        guard let time = facts[number].decodingTime,
            unsafe av_seek_frame(context, Int32(streamIndex), time, AVSEEK_FLAG_BACKWARD) >= 0
        else { return false }
        readAhead.removeAll()
        readCount = 0
        packetPosition = -1
        for _ in 0..<Self.searchedPacketCount {
            unsafe av_packet_unref(packet)
            guard try unsafe readPacketFromFile(into: packet) else { return false }
            if let found = unsafe Self.place(of: packet, upTo: number, facts: facts) {
                packetPosition = found + 1
                break
            }
        }
        guard packetPosition > 0 else { return false }
        while packetPosition <= number {
            unsafe av_packet_unref(packet)
            guard try unsafe readPacket(into: packet), unsafe facts[packetPosition - 1].describe(packet) else { return false }
        }
        return true
    }

    private static func place(of packet: UnsafeMutablePointer<AVPacket>, upTo number: Int, facts: [PacketFacts]) -> Int? {
        (0...number).last { unsafe facts[$0].describe(packet) }
    }
}

extension AVRational {
    /// As a unit of time; 0 for what is none.
    var seconds: Double { num > 0 && den > 0 ? Double(num) / Double(den) : 0 }
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
    /// Width of a pixel as a multiple of its height; nil where the header does not say, or says that they are square.
    var pixelAspect: Double?
    /// When the last frame of this stream ends, where the header says so of it and not of the file.
    var streamEndSeconds: Double?
    /// Nine numbers, the first six in 16.16 fixed point.
    var displayMatrix: [Int32]?
}
