import CFFmpeg

/// One picture of a folder of frames, decoded by the codec that its first bytes name; no container is looked into.
@safe struct StillPicture: ~Copyable {
    /// The decoded picture belongs to it.
    private let codec: Codec
    let codecName: String

    var frame: UnsafeMutablePointer<AVFrame> { unsafe codec.frame }
    var width: Int { Int(unsafe frame.pointee.width) }
    var height: Int { Int(unsafe frame.pointee.height) }

    var pixelFormat: String {
        unsafe av_get_pix_fmt_name(AVPixelFormat(frame.pointee.format)).map { unsafe String(cString: $0) } ?? "unknown"
    }

    /// A picture of the largest size that is accepted fits in, uncompressed.
    private static let byteLimit = 256 << 20

    /// - Throws: `VideoError`, naming the file, where it is damaged or no picture.
    init(path: String, limits: VideoLimits) throws(VideoError) {
        _ = MediaLog.isInstalled
        let source = try MediaSource(path: path, limits: limits)
        guard source.byteCount <= Self.byteLimit else {
            throw VideoError(path: path, problem: .tooLarge(what: "bytes in a picture", value: source.byteCount, limit: Self.byteLimit))
        }
        guard source.byteCount > 0 else { throw VideoError(path: path, problem: .empty) }
        let bytes = try source.bytes(at: 0, count: source.byteCount)
        guard let form = Self.form(of: bytes) else { throw VideoError(path: path, problem: .notPicture) }
        // Decoders fill up what is missing at the end of these.
        guard Self.isWhole(bytes, form) else { throw VideoError(path: path, problem: .incompleteDownload(byteCount: bytes.count)) }
        let codec = try Self.codec(form, source: source, limits: limits)
        guard unsafe av_new_packet(codec.packet, Int32(bytes.count)) == 0, let target = unsafe codec.packet.pointee.data else {
            throw source.error(vifi_error_no_memory())
        }
        unsafe bytes.withUnsafeBytes { unsafe UnsafeMutableRawPointer(target).copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(target), byteCount: $0.count) }
        let decoded = try Self.decoded(codec, source: source)
        codecName = unsafe String(cString: avcodec_get_name(form))
        self.codec = decoded
    }

    private static func decoded(_ codec: consuming Codec, source: MediaSource) throws(VideoError) -> Codec {
        var codec = codec
        let damaged = VideoError(path: source.path, problem: .damagedPicture)
        guard try codec.send(number: 0) else { throw damaged }
        var reception = try codec.receive()
        if case .hungry = reception {
            codec.drain()
            reception = try codec.receive()
        }
        guard case .frame(isDamaged: false) = reception else { throw damaged }
        return codec
    }

    private static func codec(_ form: AVCodecID, source: MediaSource, limits: VideoLimits) throws(VideoError) -> Codec {
        var parameters = unsafe avcodec_parameters_alloc()
        defer { unsafe avcodec_parameters_free(&parameters) }
        guard let made = unsafe parameters else { throw source.error(vifi_error_no_memory()) }
        unsafe made.pointee.codec_type = AVMEDIA_TYPE_VIDEO
        unsafe made.pointee.codec_id = form
        // The decoder of TIFF takes tags that it does not know for damage.
        let refusesDamage = form == AV_CODEC_ID_MJPEG || form == AV_CODEC_ID_PNG
        return try unsafe Codec(parameters: made, source: source, threadCount: 1, limits: limits, refusesDamage: refusesDamage)
    }

    /// What a picture is by its first bytes; nil for anything else, whatever its name.
    private static func form(of bytes: [UInt8]) -> AVCodecID? {
        func starts(_ start: [UInt8]) -> Bool { bytes.starts(with: start) }
        if starts([0xFF, 0xD8, 0xFF]) { return AV_CODEC_ID_MJPEG }
        if starts([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return AV_CODEC_ID_PNG }
        if starts(Array("RIFF".utf8)), bytes.dropFirst(8).starts(with: Array("WEBP".utf8)) { return AV_CODEC_ID_WEBP }
        if starts(Array("BM".utf8)) { return AV_CODEC_ID_BMP }
        if starts(Array("P6".utf8)) { return AV_CODEC_ID_PPM }
        if starts([0x49, 0x49, 0x2A, 0]) || starts([0x4D, 0x4D, 0, 0x2A]) { return AV_CODEC_ID_TIFF }
        return nil
    }

    /// Whether the end that its form calls for is there.
    private static func isWhole(_ bytes: [UInt8], _ form: AVCodecID) -> Bool {
        func ends(_ mark: [UInt8]) -> Bool {
            // Cameras and editors put something behind the end now and then.
            guard let last = mark.last, bytes.count >= mark.count else { return false }
            var index = bytes.count - 1
            while index >= mark.count - 1 {
                if bytes[index] == last, bytes[index - mark.count + 1...index].elementsEqual(mark) { return true }
                index -= 1
            }
            return false
        }
        switch form {
        case AV_CODEC_ID_MJPEG: return ends([0xFF, 0xD9])
        case AV_CODEC_ID_PNG: return ends(Array("IEND".utf8))
        case AV_CODEC_ID_WEBP, AV_CODEC_ID_BMP:
            // Both give their length in the header.
            let field = form == AV_CODEC_ID_BMP ? bytes.dropFirst(2).prefix(4) : bytes.dropFirst(4).prefix(4)
            let length = field.reversed().reduce(0) { $0 << 8 | Int($1) } + (form == AV_CODEC_ID_BMP ? 0 : 8)
            return length <= bytes.count
        default: return true
        }
    }
}
