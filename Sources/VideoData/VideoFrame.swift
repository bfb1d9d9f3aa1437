/// One picture: `width × height` pixels, interleaved RGB, rows from the top, 8 bits per channel.
package struct VideoFrame: Sendable, Equatable {
    package var width: Int
    package var height: Int
    /// `[height, width, 3]`, in `0...255`.
    package var pixels: [UInt8]

    /// - Precondition: `pixels` holds exactly `width · height · 3` bytes.
    package init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3, "pixels do not fill the frame")
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}
