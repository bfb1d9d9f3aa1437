import CFFmpeg

/// Turns decoded pictures of any pixel format into packed RGB of one size, as the `ffmpeg` program does
/// with `-pix_fmt rgb24`: bicubic, the stream's own matrix and range, left-aligned chroma.
@safe struct FrameConverter: ~Copyable {
    let width: Int
    let height: Int
    private var scaler: OpaquePointer?
    private var scalerKey: Key?
    /// The range of the pixel format where a frame names none: full for the `yuvj…` formats.
    private var isFullByDefault: Int32 = 0
    /// Rows in here are padded: the vectorised converters write past a row's end.
    private var output: UnsafeMutablePointer<AVFrame>?

    private struct Key: Equatable {
        let width: Int32
        let height: Int32
        let format: Int32
    }

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    deinit {
        var output: UnsafeMutablePointer<AVFrame>? = unsafe output
        unsafe av_frame_free(&output)
        unsafe sws_freeContext(scaler)
    }

    /// Converts `frame`, scaling it if it has another size.
    ///
    /// - Returns: the picture, or FFmpeg's code if it fails.
    mutating func convert(_ frame: UnsafeMutablePointer<AVFrame>) -> Result<VideoFrame, ConversionFailure> {
        let key = unsafe Key(width: frame.pointee.width, height: frame.pointee.height, format: frame.pointee.format)
        if key != scalerKey {
            let code = makeScaler(for: key)
            guard code >= 0 else { return .failure(ConversionFailure(code: code)) }
        }
        guard let scaler = unsafe scaler, let output = unsafe output else {
            return .failure(ConversionFailure(code: vifi_error_no_memory()))
        }
        unsafe setColours(of: frame)
        let code = unsafe sws_scale_frame(scaler, output, frame)
        guard code >= 0, let start = unsafe output.pointee.data.0 else {
            return .failure(ConversionFailure(code: code))
        }
        let stride = Int(unsafe output.pointee.linesize.0)
        let rowByteCount = width * 3
        let byteCount = rowByteCount * height
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            for row in 0..<height {
                unsafe UnsafeMutableRawBufferPointer(buffer).baseAddress?.advanced(by: row * rowByteCount)
                    .copyMemory(from: start.advanced(by: row * stride), byteCount: rowByteCount)
            }
            count = byteCount
        }
        return .success(VideoFrame(width: width, height: height, pixels: pixels))
    }

    struct ConversionFailure: Error {
        let code: Int32
    }

    private mutating func makeScaler(for key: Key) -> Int32 {
        if unsafe output == nil {
            guard let frame = unsafe av_frame_alloc() else { return vifi_error_no_memory() }
            unsafe output = frame
            unsafe frame.pointee.width = Int32(width)
            unsafe frame.pointee.height = Int32(height)
            unsafe frame.pointee.format = AV_PIX_FMT_RGB24.rawValue
            let code = unsafe av_frame_get_buffer(frame, 0)
            guard code >= 0 else { return code }
        }
        unsafe sws_freeContext(scaler)
        unsafe scaler = nil
        scalerKey = nil
        guard let created = unsafe sws_alloc_context() else { return vifi_error_no_memory() }
        unsafe scaler = created
        let object = unsafe UnsafeMutableRawPointer(created)
        let options: [(String, Int64)] = [
            ("srcw", Int64(key.width)), ("srch", Int64(key.height)), ("src_format", Int64(key.format)),
            ("dstw", Int64(width)), ("dsth", Int64(height)), ("dst_format", Int64(AV_PIX_FMT_RGB24.rawValue)),
            ("sws_flags", Int64(SWS_BICUBIC)),
            // MPEG-2's chroma position: half a row down. 128 of 256 is the middle between two rows.
            ("src_v_chr_pos", key.format == AV_PIX_FMT_YUV420P.rawValue ? 128 : -513),
        ]
        for (name, value) in options {
            let code = unsafe av_opt_set_int(object, name, value, 0)
            guard code >= 0 else { return code }
        }
        let code = unsafe sws_init_context(created, nil, nil)
        guard code >= 0 else { return code }
        scalerKey = key
        isFullByDefault = colourDetails().inputIsFull
        return code
    }

    /// The range of the scaler's input and output, as set now.
    private func colourDetails() -> (inputIsFull: Int32, outputIsFull: Int32) {
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
    private func setColours(of frame: UnsafeMutablePointer<AVFrame>) {
        let colourSpace = unsafe frame.pointee.colorspace
        // The matrices that the library knows; BT.601 for the rest and for unmarked files.
        let known: [AVColorSpace] = [
            AVCOL_SPC_BT709, AVCOL_SPC_FCC, AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M, AVCOL_SPC_SMPTE240M,
            AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL,
        ]
        let matrix = known.contains(colourSpace) ? colourSpace : AVCOL_SPC_BT470BG
        let table = unsafe sws_getCoefficients(Int32(matrix.rawValue))
        let range = unsafe frame.pointee.color_range
        let inputIsFull: Int32 = range == AVCOL_RANGE_UNSPECIFIED ? isFullByDefault : range == AVCOL_RANGE_JPEG ? 1 : 0
        // No change of brightness, contrast or saturation, the latter two in 16.16 fixed point.
        unsafe sws_setColorspaceDetails(
            scaler, table, inputIsFull, table, colourDetails().outputIsFull, 0, 1 << 16, 1 << 16)
    }
}
