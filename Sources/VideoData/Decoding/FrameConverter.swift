import CFFmpeg

/// Turns decoded pictures of any pixel format into packed RGB of one size: upright, and of standard dynamic range, as far
/// as `PictureRules` say so; the rest as the `ffmpeg` program does with `-pix_fmt rgb24`.
@safe struct FrameConverter: ~Copyable {
    /// Of decoded pictures; others are scaled to it.
    let width: Int
    let height: Int
    private let outputWidth: Int
    private let outputHeight: Int
    private let convertsHighDynamicRange: Bool
    private let streamTags: ColorTags
    private var turner: FrameTurner
    private var scaler = PixelScaler()
    private var toneMapper: ToneMapper

    /// - Parameters:
    ///   - orientation: what pictures are turned by.
    ///   - tags: of the stream, for pictures that name no transfer characteristics of their own.
    init(width: Int, height: Int, orientation: Orientation = .upright, tags: ColorTags = ColorTags(), rules: PictureRules = PictureRules()) {
        self.width = width
        self.height = height
        let turned = rules.appliesRotation ? orientation : .upright
        outputWidth = turned.swapsAxes ? height : width
        outputHeight = turned.swapsAxes ? width : height
        convertsHighDynamicRange = rules.convertsHighDynamicRange
        streamTags = tags
        turner = FrameTurner(turned)
        toneMapper = ToneMapper(width: outputWidth, height: outputHeight)
    }

    mutating func convert(_ frame: UnsafeMutablePointer<AVFrame>) throws(ConversionFailure) -> VideoFrame {
        let tags = unsafe ColorTags(frame).completed(from: streamTags)
        let isBright = convertsHighDynamicRange && tags.dynamicRange != nil
        let picture = unsafe try turner.turn(frame, keepsDepth: isBright)
        if isBright { return unsafe try toneMapper.convert(picture, tags: tags) }
        let target = PixelScaler.Target(width: Int32(outputWidth), height: Int32(outputHeight), format: AV_PIX_FMT_RGB24)
        let (start, stride) = unsafe try scaler.convert(picture, to: target).plane(0)
        guard let start = unsafe start else { throw ConversionFailure(code: vifi_error_no_memory()) }
        let rowByteCount = outputWidth * 3
        let byteCount = rowByteCount * outputHeight
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            for row in 0..<outputHeight {
                unsafe UnsafeMutableRawBufferPointer(buffer).baseAddress?.advanced(by: row * rowByteCount)
                    .copyMemory(from: start.advanced(by: row * stride), byteCount: rowByteCount)
            }
            count = byteCount
        }
        return VideoFrame(width: outputWidth, height: outputHeight, pixels: pixels)
    }
}
