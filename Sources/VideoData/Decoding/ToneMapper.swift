import CFFmpeg

/// Turns pictures in PQ or HLG into 8-bit RGB for a display of standard dynamic range, through zimg.
///
/// Reference white (203 cd/m², HLG at 75 %) becomes white, and what is darker keeps its luminance relative to it; colors
/// outside of BT.709 are cut at its border. The result is for a display with a gamma of 2.4, as BT.1886 describes it.
/// What is brighter than white would need more than the largest level: near white, signals above `knee` are rolled off,
/// each of R, G and B for itself. Source: ITU-R BT.2408-7, section 2 (reference levels) and BT.2100-2 (the transfer
/// functions).
@safe struct ToneMapper: ~Copyable {
    /// In cd/m².
    static let referenceWhite = 203.0
    /// Of the signal after conversion, where 1 is white: level 247. White itself then becomes 251.
    static let knee: Float = 0.97

    private let width: Int
    private let height: Int
    private var scaler = PixelScaler()
    private var graph: ToneGraph?
    /// A picture at addresses that vector instructions can read.
    private var aligned: UnsafeMutablePointer<AVFrame>?

    /// - Parameters: of the pictures that are made; others are scaled.
    init(width: Int, height: Int) {
        self.width = width
        self.height = height
    }

    deinit {
        var aligned: UnsafeMutablePointer<AVFrame>? = unsafe aligned
        unsafe av_frame_free(&aligned)
    }

    /// - Parameter tags: with the transfer; those that are open stand for what is usual with it.
    mutating func convert(_ frame: UnsafeMutablePointer<AVFrame>, tags: ColorTags) throws(ConversionFailure) -> VideoFrame {
        var source = unsafe try plain(frame)
        unsafe source = try alignedCopy(of: source)
        let key = unsafe ToneGraph.Key(source, tags: tags, outputWidth: width, outputHeight: height)
        if graph?.key != key {
            graph = nil
            graph = try ToneGraph(key)
        }
        var pixels = [UInt8](repeating: 0, count: width * height * 3)
        unsafe try pixels.withUnsafeMutableBufferPointer { buffer throws(ConversionFailure) in
            if let start = buffer.baseAddress { try unsafe graph?.run(source, into: start) }
        }
        return VideoFrame(width: width, height: height, pixels: pixels)
    }

    /// The picture with a plane for each component, as zimg reads them.
    private mutating func plain(_ frame: UnsafeMutablePointer<AVFrame>) throws(ConversionFailure) -> UnsafeMutablePointer<AVFrame> {
        let layout = PixelLayout(AVPixelFormat(unsafe frame.pointee.format))
        let isWhole =
            unsafe Int(frame.pointee.width) % (1 << layout.chromaShift.columns) == 0
            && Int(frame.pointee.height) % (1 << layout.chromaShift.rows) == 0
        if layout.componentPlanes != nil, !layout.isBigEndian, !layout.isFloat, isWhole, layout.depth <= 16 { return unsafe frame }
        let format = layout.isRGB ? AV_PIX_FMT_GBRP16LE : layout.isGray ? AV_PIX_FMT_GRAY16LE : AV_PIX_FMT_YUV444P16LE
        return unsafe try scaler.convert(
            frame, to: PixelScaler.Target(width: frame.pointee.width, height: frame.pointee.height, format: format))
    }

    private mutating func alignedCopy(
        of frame: UnsafeMutablePointer<AVFrame>
    ) throws(ConversionFailure) -> UnsafeMutablePointer<AVFrame> {
        let isAligned = (0..<4).allSatisfy { index in
            let (start, stride) = unsafe frame.plane(index)
            return UInt(bitPattern: start) % UInt(ToneGraph.alignment) == 0 && stride % ToneGraph.alignment == 0
        }
        if isAligned { return unsafe frame }
        unsafe av_frame_free(&aligned)
        unsafe aligned = av_frame_alloc()
        guard let copy = unsafe aligned else { throw ConversionFailure(code: vifi_error_no_memory()) }
        unsafe copy.pointee.width = frame.pointee.width
        unsafe copy.pointee.height = frame.pointee.height
        unsafe copy.pointee.format = frame.pointee.format
        var code = unsafe av_frame_get_buffer(copy, Int32(ToneGraph.alignment))
        if code >= 0 { code = unsafe av_frame_copy(copy, frame) }
        guard code >= 0 else { throw ConversionFailure(code: code) }
        unsafe copy.takeColors(of: frame)
        return unsafe copy
    }
}
