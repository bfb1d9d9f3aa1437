import Files

/// Writes RGB frames at times of their own as an `.mp4` of any length: as `VideoWriter` does, but to the disk, so that
/// memory holds no more than the frames that the codec looks at together.
///
/// The file appears under its name whole, when `finish` is called.
@safe package struct VideoFileWriter: ~Copyable {
    package let path: String
    package let size: FrameSize
    private let sink: FileSink
    private let encoder: StreamEncoder
    private let timeUnits: Int32
    private var lastTime: Int64?

    /// Of a second: whole units for frames at 24, 25, 30 and 60 a second and their neighbors by 1001/1000, for
    /// milliseconds, and for MPEG's clock.
    private static let fineUnits: Int32 = 720_000
    /// As many as MPEG-4 part 2 allows.
    private static let coarseUnits: Int32 = 60_000

    /// Prepares to write; creates a temporary neighbor of the file.
    ///
    /// - Parameters:
    ///   - size: even, as 4:2:0 demands, each side `16...8192`.
    ///   - framesPerSecond: that players are told of; nil where nobody knows.
    ///   - pixelAspect: width of a pixel as a multiple of its height; square where nil.
    package init(
        path: String, size: FrameSize, framesPerSecond: Double?, pixelAspect: Double? = nil, quality: VideoWriter.Quality = VideoWriter.Quality()
    ) throws(VideoError) {
        try VideoWriter.check(width: size.width, height: size.height, of: path)
        let sink: FileSink
        do throws(FileError) {
            sink = try FileSink(path: path)
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
        let timeUnits = StreamEncoder.hasH264(quality) ? Self.fineUnits : Self.coarseUnits
        encoder = try StreamEncoder(
            path: path, sink: sink, width: Int32(size.width), height: Int32(size.height), framesPerSecond: min(1000, max(0.01, framesPerSecond ?? 25)),
            timeUnits: timeUnits, pixelAspect: pixelAspect.flatMap { (0.01...100).contains($0) ? $0 : nil }, quality: quality)
        self.sink = sink
        self.timeUnits = timeUnits
        self.path = path
        self.size = size
    }

    /// Adds a frame.
    ///
    /// - Parameter seconds: from the start of the video at which it begins; not before the one before it.
    /// - Precondition: it has the size of the video.
    package mutating func append(_ frame: VideoFrame, at seconds: Double) throws(VideoError) {
        precondition(frame.size == size, "a frame of another size")
        let time = units(seconds)
        if let lastTime { encoder.lastDuration = time - lastTime }
        lastTime = time
        try encoder.encode(frame.pixels, time: time)
    }

    /// Two frames may not begin at once.
    private func units(_ seconds: Double) -> Int64 {
        let exact = Int64(exactly: (seconds * Double(timeUnits)).rounded()) ?? 0
        return max(exact, (lastTime ?? -1) + 1)
    }

    /// Completes the video and puts it under its name, durably.
    ///
    /// - Parameter seconds: at which the last frame ends.
    package consuming func finish(at seconds: Double) throws(VideoError) {
        guard let lastTime else { throw VideoError(path: path, problem: .cannotEncode(reason: "it has no frames")) }
        encoder.lastDuration = units(seconds) - lastTime
        try encoder.finish()
        do throws(FileError) {
            try sink.commit()
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
    }
}
