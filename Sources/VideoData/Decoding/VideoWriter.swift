import Files

/// Writes RGB frames as an `.mp4` that plays everywhere: H.264 where this FFmpeg has x264, else MPEG-4
/// part 2; 4:2:0, BT.601, table of contents in front.
///
/// The same frames give the same bytes on every processor: one thread, no dates, no code that depends on it. The file is built in memory and appears
/// under its name whole, when `finish` is called.
@safe package struct VideoWriter: ~Copyable {
    /// How a film is compressed.
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
    private let encoder: FilmEncoder
    private var frameCount = 0

    /// Prepares to write. Nothing appears on disk before `finish`.
    ///
    /// - Parameters:
    ///   - width: even, as 4:2:0 demands, `16...8192`; so is `height`.
    ///   - framesPerSecond: `0.01...1000`.
    package init(
        path: String, width: Int, height: Int, framesPerSecond: Double, quality: Quality = Quality()
    ) throws(VideoError) {
        guard (16...8192).contains(width), (16...8192).contains(height), width % 2 == 0, height % 2 == 0 else {
            let reason = "the width and height, \(width) × \(height), must be even numbers from 16 to 8192"
            throw VideoError(path: path, problem: .cannotEncode(reason: reason))
        }
        guard (0.01...1000).contains(framesPerSecond) else {
            let reason = "\(framesPerSecond) frames per second is outside 0.01 to 1000"
            throw VideoError(path: path, problem: .cannotEncode(reason: reason))
        }
        encoder = try FilmEncoder(
            path: path, width: Int32(width), height: Int32(height), framesPerSecond: framesPerSecond, quality: quality)
        self.path = path
        self.width = width
        self.height = height
    }

    /// Adds a frame.
    ///
    /// - Parameter pixels: `[height, width, 3]`, RGB in `0...255`.
    package mutating func append(_ pixels: [UInt8]) throws(VideoError) {
        precondition(pixels.count == width * height * 3, "a frame of another size")
        try encoder.encode(pixels, time: Int64(frameCount))
        frameCount += 1
    }

    /// Completes the film.
    ///
    /// - Returns: the bytes of an `.mp4` file. Nothing is written to disk.
    package consuming func finishedBytes() throws(VideoError) -> [UInt8] {
        guard frameCount > 0 else {
            throw VideoError(path: path, problem: .cannotEncode(reason: "it has no frames"))
        }
        return try encoder.finish()
    }

    /// Completes the film and puts it under its name, durably.
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
