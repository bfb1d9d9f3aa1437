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
    private let crop: CropBox
    private let streamTags: ColorTags
    private var turner: FrameTurner
    private var scaler = PixelScaler()
    private var toneMapper: ToneMapper

    /// - Parameters:
    ///   - orientation: what pictures are turned by.
    ///   - tags: of the stream, for pictures that name no transfer characteristics of their own.
    ///   - crop: the part of upright pictures that is made; the whole where nil. It is cut out of RGB: coarse chroma cannot be
    ///     cut at odd places.
    init(
        width: Int, height: Int, orientation: Orientation = .upright, tags: ColorTags = ColorTags(), rules: PictureRules = PictureRules(), crop: CropBox? = nil
    ) {
        self.width = width
        self.height = height
        let turned = rules.appliesRotation ? orientation : .upright
        let whole = CropBox(left: 0, top: 0, width: turned.swapsAxes ? height : width, height: turned.swapsAxes ? width : height)
        outputWidth = whole.width
        outputHeight = whole.height
        self.crop = crop ?? whole
        convertsHighDynamicRange = rules.convertsHighDynamicRange
        streamTags = tags
        turner = FrameTurner(turned)
        toneMapper = ToneMapper(width: whole.width, height: whole.height)
    }

    mutating func convert(_ frame: UnsafeMutablePointer<AVFrame>) throws(ConversionFailure) -> VideoFrame {
        let tags = unsafe ColorTags(frame).completed(from: streamTags)
        let isBright = convertsHighDynamicRange && tags.dynamicRange != nil
        let picture = unsafe try turner.turn(frame, keepsDepth: isBright)
        if isBright { return unsafe try toneMapper.convert(picture, tags: tags).cropped(to: crop) }
        let target = PixelScaler.Target(width: Int32(outputWidth), height: Int32(outputHeight), format: AV_PIX_FMT_RGB24)
        let (start, stride) = unsafe try scaler.convert(picture, to: target).plane(0)
        guard let start = unsafe start else { throw ConversionFailure(code: vifi_error_no_memory()) }
        let rowByteCount = crop.width * 3
        let byteCount = rowByteCount * crop.height
        let corner = unsafe start + crop.top * stride + crop.left * 3
        let pixels = unsafe [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            for row in 0..<crop.height {
                unsafe UnsafeMutableRawBufferPointer(buffer).baseAddress?.advanced(by: row * rowByteCount)
                    .copyMemory(from: corner.advanced(by: row * stride), byteCount: rowByteCount)
            }
            count = byteCount
        }
        return VideoFrame(width: crop.width, height: crop.height, pixels: pixels)
    }
}
