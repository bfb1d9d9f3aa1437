import Files

/// Writes RGB frames as an `.mp4` that plays everywhere: H.264 where this FFmpeg has x264, else MPEG-4
/// part 2; 4:2:0, BT.601, table of contents in front.
///
/// The same frames give the same bytes on every processor: one thread, no dates, no code that depends on it. The file is built in memory and appears
/// under its name whole, when `finish` is called.
@safe package struct VideoWriter: ~Copyable {
    /// How a video is compressed.
    package struct Quality: Sendable {
        /// x264's constant rate factor, `0...51`; 18 is visually lossless.
        package var rateFactor = 18
        /// x264's preset, for example `ultrafast`, `veryfast`, `medium`.
        package var preset = "veryfast"
        /// Frames between key frames at most.
        package var keyFrameInterval = 250
        /// Pretends that x264 is missing.
        package var avoidsH264 = false

        package init(
            rateFactor: Int = 18, preset: String = "veryfast", keyFrameInterval: Int = 250, avoidsH264: Bool = false
        ) {
            self.rateFactor = rateFactor
            self.preset = preset
            self.keyFrameInterval = keyFrameInterval
            self.avoidsH264 = avoidsH264
        }
    }

    package let path: String
    package let width: Int
    package let height: Int
    private let sink = MemorySink()
    private let encoder: StreamEncoder
    private var frameCount = 0
    /// Seconds at which frames begin; nil where all are shown equally long.
    private let times: [Double]?
    /// Of a second, where frames have times of their own: MPEG's clock.
    private static let timeUnits: Int32 = 90_000

    /// Prepares to write. Nothing appears on disk before `finish`.
    ///
    /// - Parameters:
    ///   - width: even, as 4:2:0 demands, `16...8192`; so is `height`.
    ///   - framesPerSecond: `0.01...1000`.
    ///   - times: in seconds, ascending, one per frame that will follow, for frames that are not shown equally long.
    package init(
        path: String, width: Int, height: Int, framesPerSecond: Double, times: [Double]? = nil, quality: Quality = Quality()
    ) throws(VideoError) {
        try Self.check(width: width, height: height, of: path)
        guard (0.01...1000).contains(framesPerSecond) else {
            let reason = "\(framesPerSecond) frames per second is outside 0.01 to 1000"
            throw VideoError(path: path, problem: .cannotEncode(reason: reason))
        }
        encoder = try StreamEncoder(
            path: path, sink: sink, width: Int32(width), height: Int32(height), framesPerSecond: framesPerSecond,
            timeUnits: times.map { _ in Self.timeUnits }, quality: quality)
        self.times = times
        self.path = path
        self.width = width
        self.height = height
    }

    static func check(width: Int, height: Int, of path: String) throws(VideoError) {
        guard (16...8192).contains(width), (16...8192).contains(height), width % 2 == 0, height % 2 == 0 else {
            let reason = "the width and height, \(width) × \(height), must be even numbers from 16 to 8192"
            throw VideoError(path: path, problem: .cannotEncode(reason: reason))
        }
    }

    /// Adds a frame.
    ///
    /// - Parameter pixels: `[height, width, 3]`, RGB in `0...255`.
    package mutating func append(_ pixels: [UInt8]) throws(VideoError) {
        precondition(pixels.count == width * height * 3, "a frame of another size")
        try encoder.encode(pixels, time: time(ofFrame: frameCount))
        if frameCount > 0 { encoder.lastDuration = time(ofFrame: frameCount) - time(ofFrame: frameCount - 1) }
        frameCount += 1
    }

    private func time(ofFrame number: Int) -> Int64 {
        guard let times else { return Int64(number) }
        precondition(times.indices.contains(number), "a time for each frame")
        // Two frames may not begin at once.
        return Int64((times[number] * Double(Self.timeUnits)).rounded()) + Int64(number)
    }

    /// Completes the video.
    ///
    /// - Returns: the bytes of an `.mp4` file. Nothing is written to disk.
    package consuming func finishedBytes() throws(VideoError) -> [UInt8] {
        guard frameCount > 0 else {
            throw VideoError(path: path, problem: .cannotEncode(reason: "it has no frames"))
        }
        try encoder.finish()
        return sink.bytes
    }

    /// Completes the video and puts it under its name, durably.
    package consuming func finish() throws(VideoError) {
        let path = self.path
        let bytes = try finishedBytes()
        do throws(FileError) {
            try DurableFile.write(bytes, to: path)
        } catch {
            throw VideoError(path: path, problem: .file(error))
        }
    }
}
