import VideoData

/// One picture: `width × height` pixels, interleaved RGB, rows from the top, 8 bits per channel.
public struct RGBFrame: Sendable {
    /// Pixels of one frame at most.
    static let pixelLimit = VideoLimits().pixelCount
    /// Frames are resized to the backbone's side by their shorter side: a thin strip would grow enormous.
    static let aspectLimit = 256

    let frame: VideoFrame

    /// - Parameters:
    ///   - width: in pixels, at least 1.
    ///   - height: in pixels, at least 1.
    ///   - pixels: `[height, width, 3]`, each byte `0 ... 255`, in RGB order.
    /// - Throws: `VifiPromptError` of kind `badData` if `pixels` does not hold exactly that many bytes, for more
    ///   than 64 Mi pixels, or where one side is more than 256 times the other.
    public init(width: Int, height: Int, pixels: [UInt8]) throws(VifiPromptError) {
        let (pixelCount, overflows) = width.multipliedReportingOverflow(by: height)
        guard width > 0, height > 0, !overflows, pixelCount <= Self.pixelLimit, pixels.count == pixelCount * 3,
            max(width, height) / min(width, height) <= Self.aspectLimit
        else { throw VifiPromptError(RequestError.frameBytes(width: width, height: height, byteCount: pixels.count)) }
        frame = VideoFrame(width: width, height: height, pixels: pixels)
    }

    /// In pixels.
    public var width: Int { frame.width }
    /// In pixels.
    public var height: Int { frame.height }
    /// `[height, width, 3]`, RGB in `0 ... 255`.
    public var pixels: [UInt8] { frame.pixels }
}
