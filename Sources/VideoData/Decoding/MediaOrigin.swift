import CFFmpeg
import Files

/// Where packets come from, for whoever decodes them: a name for messages, why reading failed, and how much may be decoded.
class MediaOrigin {
    let path: String
    /// Why the last callback failed; FFmpeg's own code does not say.
    var failure: VideoError.Problem?
    /// Pixels that may still be decoded.
    private var pixelsLeft = 0
    private let pixelLimit: Int
    private let onProgress: (@Sendable () -> Void)?

    init(path: String, pixelLimit: Int, onProgress: (@Sendable () -> Void)?) {
        self.path = path
        self.pixelLimit = pixelLimit
        self.onProgress = onProgress
        beginWork()
    }

    /// The error to report after a call of FFmpeg's returned `code`.
    func error(_ code: Int32) -> VideoError {
        VideoError(path: path, problem: failure ?? shortage(code) ?? .damagedContainer(reason: errorWords(code)))
    }

    /// What the machine lacked where FFmpeg returned `code`; nil where it is the file's fault: FFmpeg is out of memory
    /// for absurd sizes, too.
    func shortage(_ code: Int32) -> VideoError.Problem? {
        guard code == vifi_error_no_memory(), MachineShortage.isMemoryShort else { return nil }
        return .file(FileError(path: path, problem: .shortage(.memory(neededBytes: nil))))
    }

    // MARK: Limits

    /// A new piece of work begins, with the whole limit on pixels before it.
    func beginWork() { pixelsLeft = pixelLimit }

    /// A packet of a stream of pictures of so many pixels goes to a decoder.
    ///
    /// - Throws: `tooLarge` where that is more than any sound file asks for.
    func spend(pixels: Int) throws(VideoError) {
        pixelsLeft -= max(1, pixels)
        guard pixelsLeft >= 0 else {
            let problem = VideoError.Problem.tooLarge(what: "pixels to decode", value: pixelLimit - pixelsLeft, limit: pixelLimit)
            throw VideoError(path: path, problem: problem)
        }
        onProgress?()
    }
}

/// FFmpeg's words for one of its codes.
func errorWords(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: Int(AV_ERROR_MAX_STRING_SIZE))
    unsafe av_strerror(code, &buffer, buffer.count)
    return String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
