import CFFmpeg

/// Why a picture could not be turned or converted.
struct ConversionFailure: Error {
    let reason: String

    init(reason: String) { self.reason = reason }
    init(code: Int32) { reason = errorWords(code) }
}

/// Pictures of any pixel format to one other, as the `ffmpeg` program's scale filter makes them: bicubic, the stream's
/// own matrix and range, left-aligned chroma.
@safe struct PixelScaler: ~Copyable {
    private var scaler: OpaquePointer?
    private var key: Key?
    /// The range of the pixel format where a frame names none: full for the `yuvj…` formats.
    private var isFullByDefault: Int32 = 0
    /// Rows in here are padded: the vectorized converters write past a row's end.
    private var output: UnsafeMutablePointer<AVFrame>?

    private struct Key: Equatable {
        let width: Int32
        let height: Int32
        let format: Int32
        let target: Target
    }

    /// What pictures become.
    struct Target: Equatable {
        let width: Int32
        let height: Int32
        let format: AVPixelFormat
    }

    init() {}

    deinit {
        var output: UnsafeMutablePointer<AVFrame>? = unsafe output
        unsafe av_frame_free(&output)
        unsafe sws_freeContext(scaler)
    }

    /// Converts `frame`, scaling it if it has another size.
    ///
    /// - Returns: the picture, valid until the next call.
    mutating func convert(
        _ frame: UnsafeMutablePointer<AVFrame>, to target: Target
    ) throws(ConversionFailure) -> UnsafeMutablePointer<AVFrame> {
        let newKey = unsafe Key(
            width: frame.pointee.width, height: frame.pointee.height, format: frame.pointee.format, target: target)
        if newKey != key { try makeScaler(for: newKey) }
        guard let scaler = unsafe scaler, let output = unsafe output else {
            throw ConversionFailure(code: vifi_error_no_memory())
        }
        unsafe setColors(of: frame)
        let code = unsafe sws_scale_frame(scaler, output, frame)
        guard code >= 0 else { throw ConversionFailure(code: code) }
        unsafe output.takeColors(of: frame)
        // Range and matrix were those of Y'CbCr.
        if PixelLayout(target.format).isRGB, !PixelLayout(AVPixelFormat(unsafe frame.pointee.format)).isRGB {
            unsafe output.pointee.color_range = AVCOL_RANGE_JPEG
            unsafe output.pointee.colorspace = AVCOL_SPC_RGB
        }
        return unsafe output
    }

    private mutating func makeScaler(for newKey: Key) throws(ConversionFailure) {
        key = nil
        unsafe av_frame_free(&output)
        unsafe sws_freeContext(scaler)
        unsafe scaler = nil
        let target = newKey.target
        guard let frame = unsafe av_frame_alloc() else { throw ConversionFailure(code: vifi_error_no_memory()) }
        unsafe output = frame
        unsafe frame.pointee.width = target.width
        unsafe frame.pointee.height = target.height
        unsafe frame.pointee.format = target.format.rawValue
        try check(unsafe av_frame_get_buffer(frame, 0))
        guard let created = unsafe sws_alloc_context() else { throw ConversionFailure(code: vifi_error_no_memory()) }
        unsafe scaler = created
        let object = unsafe UnsafeMutableRawPointer(created)
        let options: [(String, Int64)] = [
            ("srcw", Int64(newKey.width)), ("srch", Int64(newKey.height)), ("src_format", Int64(newKey.format)),
            ("dstw", Int64(target.width)), ("dsth", Int64(target.height)), ("dst_format", Int64(target.format.rawValue)),
            ("sws_flags", Int64(SWS_BICUBIC)),
            // MPEG-2's chroma position: half a row down. 128 of 256 is the middle between two rows.
            ("src_v_chr_pos", newKey.format == AV_PIX_FMT_YUV420P.rawValue ? 128 : -513),
        ]
        for (name, value) in options { try check(unsafe av_opt_set_int(object, name, value, 0)) }
        try check(unsafe sws_init_context(created, nil, nil))
        key = newKey
        isFullByDefault = colorDetails().inputIsFull
    }

    private func check(_ code: Int32) throws(ConversionFailure) {
        guard code >= 0 else { throw ConversionFailure(code: code) }
    }

    /// The range of the scaler's input and output, as set now.
    private func colorDetails() -> (inputIsFull: Int32, outputIsFull: Int32) {
        var inputTable: UnsafeMutablePointer<Int32>?
        var outputTable: UnsafeMutablePointer<Int32>?
        var inputIsFull: Int32 = 0
        var outputIsFull: Int32 = 0
        var brightness: Int32 = 0
        var contrast: Int32 = 0
        var saturation: Int32 = 0
        unsafe sws_getColorspaceDetails(
            scaler, &inputTable, &inputIsFull, &outputTable, &outputIsFull, &brightness, &contrast, &saturation)
        return (inputIsFull, outputIsFull)
    }

    /// Tells the scaler which matrix and range the picture's samples are in.
    private func setColors(of frame: UnsafeMutablePointer<AVFrame>) {
        let colorSpace = unsafe frame.pointee.colorspace
        // The matrices that the library knows; BT.601 for the rest and for unmarked files.
        let known: [AVColorSpace] = [
            AVCOL_SPC_BT709, AVCOL_SPC_FCC, AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M, AVCOL_SPC_SMPTE240M,
            AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL,
        ]
        let matrix = known.contains(colorSpace) ? colorSpace : AVCOL_SPC_BT470BG
        let table = unsafe sws_getCoefficients(Int32(matrix.rawValue))
        let range = unsafe frame.pointee.color_range
        let inputIsFull: Int32 = range == AVCOL_RANGE_UNSPECIFIED ? isFullByDefault : range == AVCOL_RANGE_JPEG ? 1 : 0
        let isRGB = key.map { PixelLayout($0.target.format).isRGB } ?? true
        // No change of brightness, contrast or saturation, the latter two in 16.16 fixed point. Y'CbCr keeps its range.
        unsafe sws_setColorspaceDetails(
            scaler, table, inputIsFull, table, isRGB ? colorDetails().outputIsFull : inputIsFull, 0, 1 << 16, 1 << 16)
    }
}

extension UnsafeMutablePointer<AVFrame> {
    /// Takes over what `frame` says about the meaning of its samples.
    func takeColors(of frame: UnsafeMutablePointer<AVFrame>) {
        unsafe pointee.color_primaries = frame.pointee.color_primaries
        unsafe pointee.color_trc = frame.pointee.color_trc
        unsafe pointee.colorspace = frame.pointee.colorspace
        unsafe pointee.color_range = frame.pointee.color_range
        unsafe pointee.chroma_location = frame.pointee.chroma_location
    }
}
