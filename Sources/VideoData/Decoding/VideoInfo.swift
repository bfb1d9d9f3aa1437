/// What a file says about its video, as far as it is believable.
package struct VideoInfo: Sendable, Equatable {
    /// FFmpeg's name of the container, for example `mov,mp4,m4a,3gp,3g2,mj2`.
    package let container: String
    /// For example `h264`.
    package let codec: String
    /// For example `yuv420p`.
    package let pixelFormat: String
    /// Of the frames as they are returned: after rotation.
    package let width: Int
    package let height: Int
    package let frameCount: Int
    /// Average over the stream; nil where the header has none or an impossible one.
    package let framesPerSecond: Double?
    /// Nil where the header has none or an impossible one.
    package let durationSeconds: Double?
    /// Clockwise quarter turns that the display matrix asks for, `0...3`.
    package let quarterTurns: Int
    /// FFmpeg's name of the transfer characteristics, for example `bt709` or `arib-std-b67`; nil where the file names none.
    package let transfer: String?
    /// Set where the transfer is one of high dynamic range: then frames are converted, unless `PictureRules` say otherwise.
    package let dynamicRange: HighDynamicRange?
}
