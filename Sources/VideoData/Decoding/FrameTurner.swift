import CFFmpeg
import CKernels

/// Turns decoded pictures as they are, before their conversion to RGB: in this order the `ffmpeg` program does it, and
/// with coarse or dithered samples the order shows.
@safe struct FrameTurner: ~Copyable {
    let orientation: Orientation
    private var scaler = PixelScaler()
    private var turned: UnsafeMutablePointer<AVFrame>?

    init(_ orientation: Orientation) { self.orientation = orientation }

    deinit {
        var turned: UnsafeMutablePointer<AVFrame>? = unsafe turned
        unsafe av_frame_free(&turned)
    }

    /// - Parameter keepsDepth: a picture whose planes cannot be turned keeps the precision of its samples. Otherwise it is
    ///   converted to RGB first, as the `ffmpeg` program does.
    /// - Returns: the picture, valid until the next call and as long as `frame`.
    mutating func turn(
        _ frame: UnsafeMutablePointer<AVFrame>, keepsDepth: Bool
    ) throws(ConversionFailure) -> UnsafeMutablePointer<AVFrame> {
        guard orientation != .upright else { return unsafe frame }
        var source = unsafe frame
        var format = AVPixelFormat(unsafe frame.pointee.format)
        if !PixelLayout(format).canTurn(swappingAxes: orientation.swapsAxes) {
            format = keepsDepth ? Self.turnable(insteadOf: format) : AV_PIX_FMT_RGB24
            let target = unsafe PixelScaler.Target(width: frame.pointee.width, height: frame.pointee.height, format: format)
            unsafe source = try scaler.convert(frame, to: target)
        }
        let target = try unsafe output(like: source, format: format)
        let width = Int(unsafe source.pointee.width)
        let height = Int(unsafe source.pointee.height)
        for (index, plane) in PixelLayout(format).planes.enumerated() {
            // Coarse planes are rounded up, as FFmpeg lays them.
            let columns = (width + (1 << plane.columnShift) - 1) >> plane.columnShift
            let rows = (height + (1 << plane.rowShift) - 1) >> plane.rowShift
            unsafe turnPlane(index, of: source, into: target, columns: columns, rows: rows, elementCount: plane.elementCount)
        }
        unsafe target.takeColors(of: source)
        return unsafe target
    }

    private func turnPlane(
        _ index: Int, of source: UnsafeMutablePointer<AVFrame>, into target: UnsafeMutablePointer<AVFrame>, columns: Int, rows: Int,
        elementCount: Int
    ) {
        let (input, inputStride) = unsafe source.plane(index)
        let (output, outputStride) = unsafe target.plane(index)
        guard let input = unsafe input, let output = unsafe output else { return }
        let width = orientation.swapsAxes ? rows : columns
        let height = orientation.swapsAxes ? columns : rows
        let columnStep = (orientation.swapsAxes ? inputStride : elementCount) * (orientation.reversesColumns ? -1 : 1)
        let rowStep = (orientation.swapsAxes ? elementCount : inputStride) * (orientation.reversesRows ? -1 : 1)
        let start = (orientation.reversesColumns ? -columnStep * (width - 1) : 0) + (orientation.reversesRows ? -rowStep * (height - 1) : 0)
        unsafe vifi_turn_plane(input + start, columnStep, rowStep, output, outputStride, width, height, elementCount)
    }

    private mutating func output(
        like source: UnsafeMutablePointer<AVFrame>, format: AVPixelFormat
    ) throws(ConversionFailure) -> UnsafeMutablePointer<AVFrame> {
        let width = unsafe orientation.swapsAxes ? source.pointee.height : source.pointee.width
        let height = unsafe orientation.swapsAxes ? source.pointee.width : source.pointee.height
        if let turned = unsafe turned, unsafe turned.pointee.width == width, unsafe turned.pointee.height == height,
            unsafe turned.pointee.format == format.rawValue
        {
            return unsafe turned
        }
        unsafe av_frame_free(&turned)
        unsafe turned = av_frame_alloc()
        guard let frame = unsafe turned else { throw ConversionFailure(code: vifi_error_no_memory()) }
        unsafe frame.pointee.width = width
        unsafe frame.pointee.height = height
        unsafe frame.pointee.format = format.rawValue
        let code = unsafe av_frame_get_buffer(frame, 0)
        guard code >= 0 else { throw ConversionFailure(code: code) }
        return unsafe frame
    }

    /// A format of the same precision whose planes can be turned.
    private static func turnable(insteadOf format: AVPixelFormat) -> AVPixelFormat {
        let layout = PixelLayout(format)
        guard !layout.isRGB else { return AV_PIX_FMT_GBRP16LE }
        switch layout.depth {
        case ...8: return AV_PIX_FMT_YUV444P
        case 9: return AV_PIX_FMT_YUV444P9LE
        case 10: return AV_PIX_FMT_YUV444P10LE
        case 12: return AV_PIX_FMT_YUV444P12LE
        case 14: return AV_PIX_FMT_YUV444P14LE
        default: return AV_PIX_FMT_YUV444P16LE
        }
    }
}

extension UnsafeMutablePointer<AVFrame> {
    /// The start and the bytes of a row of plane `0 ..< 4`.
    func plane(_ index: Int) -> (start: UnsafeMutablePointer<UInt8>?, stride: Int) {
        switch index {
        case 0: unsafe (pointee.data.0, Int(pointee.linesize.0))
        case 1: unsafe (pointee.data.1, Int(pointee.linesize.1))
        case 2: unsafe (pointee.data.2, Int(pointee.linesize.2))
        default: unsafe (pointee.data.3, Int(pointee.linesize.3))
        }
    }
}
