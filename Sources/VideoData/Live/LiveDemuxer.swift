import CFFmpeg
import Files
import Glibc

/// A live source that was opened, and the one video stream of it that is read.
///
/// FFmpeg opens what the command line named, by the protocols that it needs, and decodes nothing by itself: pictures are
/// decoded under our own limits alone.
@safe struct LiveDemuxer: ~Copyable {
    let input: LiveInput
    private let context: UnsafeMutablePointer<AVFormatContext>
    private let streamIndex: Int

    /// How long FFmpeg looks for streams, in its own units of a microsecond.
    private static let searchTime: Int64 = 2_000_000

    /// - Throws: `LiveError`.
    init(_ input: LiveInput, camera: CameraSettings, limits: VideoLimits) throws(LiveError) {
        _ = MediaLog.isInstalled
        self.input = input
        let context = try unsafe Self.open(input, camera: camera, limits: limits)
        do throws(LiveError) {
            streamIndex = try unsafe Self.chooseStream(context, input, limits)
        } catch {
            unsafe Self.close(context)
            throw error
        }
        unsafe self.context = context
        for index in 0..<Int(unsafe context.pointee.nb_streams) where index != streamIndex {
            if let stream = unsafe context.pointee.streams[index] { unsafe vifi_discard_stream(stream) }
        }
    }

    deinit { unsafe Self.close(context) }

    private static func close(_ context: UnsafeMutablePointer<AVFormatContext>) {
        let own = unsafe context.pointee.flags & AVFMT_FLAG_CUSTOM_IO != 0 ? context.pointee.pb : nil
        var closing: UnsafeMutablePointer<AVFormatContext>? = unsafe context
        unsafe avformat_close_input(&closing)
        unsafe vifi_io_free(own)
    }

    private static func open(
        _ input: LiveInput, camera: CameraSettings, limits: VideoLimits
    ) throws(LiveError) -> UnsafeMutablePointer<AVFormatContext> {
        let address = input.address
        let format = address.kind == .camera ? unsafe vifi_camera_format() : nil
        if address.kind == .camera, unsafe format == nil {
            throw LiveError(source: input.path, problem: .noCameraLibrary(package: "libavdevice\(LIBAVFORMAT_VERSION_MAJOR)"))
        }
        guard let allocated = unsafe avformat_alloc_context() else { throw error(vifi_error_no_memory(), of: input) }
        var io: UnsafeMutablePointer<AVIOContext>?
        if address.kind == .standardInput {
            do throws(VideoError) {
                unsafe io = try input.makeReader()
            } catch {
                unsafe avformat_free_context(allocated)
                throw LiveError(source: input.path, problem: .video(error.problem))
            }
            unsafe allocated.pointee.pb = unsafe io
            unsafe allocated.pointee.flags |= AVFMT_FLAG_CUSTOM_IO
        }
        // Nothing could end FFmpeg's waiting for a camera.
        if address.kind == .camera { unsafe allocated.pointee.flags |= AVFMT_FLAG_NONBLOCK }
        unsafe input.watch(allocated)
        unsafe allocated.pointee.format_whitelist = av_strdup(address.containers.joined(separator: ","))
        unsafe allocated.pointee.protocol_whitelist = av_strdup(address.protocols.joined(separator: ","))
        unsafe allocated.pointee.codec_whitelist = av_strdup("none")
        unsafe allocated.pointee.probesize = Int64(limits.probeByteCount)
        unsafe allocated.pointee.format_probesize = Int32(clamping: limits.probeByteCount)
        unsafe allocated.pointee.max_analyze_duration = searchTime
        var options: OpaquePointer?
        defer { unsafe av_dict_free(&options) }
        for (name, value) in self.options(of: address, camera) { unsafe av_dict_set(&options, name, value, 0) }
        var context: UnsafeMutablePointer<AVFormatContext>? = unsafe allocated
        input.expect()
        // On failure this frees the context and sets it to nil.
        let code = unsafe vifi_open_input(&context, address.kind == .standardInput ? "" : address.text, format, &options)
        guard code == 0, let context = unsafe context else {
            unsafe vifi_io_free(io)
            throw error(code, of: input, isOpening: true)
        }
        // Pictures of JPEG without times, to which FFmpeg would give 25 a second: over HTTP they are shown when they come. None are
        // read ahead, which would take a slow camera's minutes.
        if unsafe String(cString: context.pointee.iformat.pointee.name) == "mpjpeg" {
            unsafe context.pointee.max_analyze_duration = 1
            if address.kind == .http { unsafe context.pointee.use_wallclock_as_timestamps = 1 }
        }
        return unsafe context
    }

    private static func options(of address: LiveAddress, _ camera: CameraSettings) -> [(String, String)] {
        switch address.kind {
        // Through one connection, which firewalls let through and nothing gets lost in; else by UDP.
        case .rtsp: [("rtsp_flags", "prefer_tcp")]
        // One connection a request, each through the check of what is opened.
        case .hls: [("http_persistent", "0"), ("http_multiple", "0")]
        case .camera:
            [("video_size", camera.size.map { "\($0.width)x\($0.height)" }), ("framerate", camera.framesPerSecond.map { "\($0)" })]
                .compactMap { name, value in value.map { (name, $0) } }
        case .standardInput, .http: []
        }
    }

    private static func chooseStream(
        _ context: UnsafeMutablePointer<AVFormatContext>, _ input: LiveInput, _ limits: VideoLimits
    ) throws(LiveError) -> Int {
        func check() throws(LiveError) {
            do throws(VideoError) {
                try unsafe Demuxer.checkStreams(context, source: input, limits: limits)
            } catch {
                throw LiveError(source: input.path, problem: .video(error.problem))
            }
        }
        try check()
        input.expect()
        // A camera says what it sends, and at which rate.
        let code = input.address.kind == .camera ? 0 : unsafe avformat_find_stream_info(context, nil)
        guard code >= 0, input.reason == nil else { throw error(code, of: input, isOpening: true) }
        try check()
        let best = Int(unsafe av_find_best_stream(context, AVMEDIA_TYPE_VIDEO, -1, -1, nil, 0))
        guard let index = ([best] + (0..<Int(unsafe context.pointee.nb_streams))).first(where: { unsafe isVideo(context, $0) }) else {
            throw LiveError(source: input.path, problem: .noPictures)
        }
        if let profile = unsafe StreamChoice.dolbyVisionProfile(context, index) {
            throw LiveError(source: input.path, problem: .video(.dolbyVision(profile: profile)))
        }
        return index
    }

    /// Whether a stream is a video, and no still picture beside the sound.
    private static func isVideo(_ context: UnsafeMutablePointer<AVFormatContext>, _ index: Int) -> Bool {
        guard index >= 0, let stream = unsafe context.pointee.streams[index], let parameters = unsafe stream.pointee.codecpar else { return false }
        return unsafe parameters.pointee.codec_type == AVMEDIA_TYPE_VIDEO
            && stream.pointee.disposition & (AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS) == 0
    }

    // MARK: Facts

    /// Valid as long as the demuxer.
    var stream: UnsafeMutablePointer<AVStream> {
        guard let stream = unsafe context.pointee.streams[streamIndex] else { preconditionFailure("the chosen stream vanished") }
        return unsafe stream
    }

    /// Seconds of a unit of the stream's time stamps; 0 where there is none.
    var unitSeconds: Double { unsafe stream.pointee.time_base.seconds }

    var framesPerSecond: Double? {
        let rate = unsafe stream.pointee.avg_frame_rate
        let value = rate.num > 0 && rate.den > 0 ? Double(rate.num) / Double(rate.den) : 0
        return value > 0 && value <= 1000 ? value : nil
    }

    /// Whether its length is known.
    private var isFinite: Bool {
        let duration = unsafe context.pointee.duration
        return duration != vifi_no_timestamp() && duration > 0
    }

    /// A recording, or a pipe: whoever sends it waits for whoever reads. Servers of RTSP send recordings at their own pace, too.
    var isRecording: Bool { input.address.waitsAlways || input.address.kind != .rtsp && isFinite }

    var orientation: Orientation {
        guard let matrix = unsafe vifi_display_matrix(stream) else { return .upright }
        return (try? unsafe Orientation(displayMatrix: Array(UnsafeBufferPointer(start: matrix, count: 9)))) ?? .upright
    }

    var colorTags: ColorTags { unsafe stream.pointee.codecpar.map { unsafe ColorTags($0) } ?? ColorTags() }

    // MARK: Packets

    /// Reads the next packet of the video stream. Returns false at the end. A camera has none: where its server hangs up, it
    /// broke off.
    ///
    /// - Throws: `LiveError` where the source broke off, or nothing came in time.
    func read(into packet: UnsafeMutablePointer<AVPacket>) throws(LiveError) -> Bool {
        input.expect()
        while true {
            let code = unsafe av_read_frame(context, packet)
            if let reason = input.reason {
                unsafe av_packet_unref(packet)
                throw LiveError(source: input.path, problem: reason)
            }
            if code == vifi_error_again() {
                // A camera has no picture yet, and is asked again; within the time, unless reading is to end.
                if input.address.kind == .camera, !input.mustStop { usleep(2000) }
                continue
            }
            if code == vifi_error_end_of_file() {
                guard input.address.kind == .rtsp, !isFinite else { return false }
                throw LiveError(source: input.path, problem: .brokenOff(reason: "its server closed the connection"))
            }
            guard code >= 0 else { throw Self.error(code, of: input) }
            if Int(unsafe packet.pointee.stream_index) == streamIndex { return true }
            unsafe av_packet_unref(packet)
        }
    }

    private static func error(_ code: Int32, of input: LiveInput, isOpening: Bool = false) -> LiveError {
        let problem: LiveError.Problem
        if let reason = input.reason {
            problem = reason
        } else if let failure = input.failure ?? input.shortage(code) {
            problem = .video(failure)
        } else if isOpening, input.address.kind == .standardInput, !input.hasReceived {
            problem = .nothing
        } else if isOpening, input.address.kind != .camera, code == vifi_error_invalid_data() || code == vifi_error_end_of_file() || code == vifi_error_invalid() {
            problem = .notVideo
        } else {
            problem = isOpening ? .cannotOpen(reason: errorWords(code)) : .brokenOff(reason: errorWords(code))
        }
        return LiveError(source: input.path, problem: problem)
    }
}
