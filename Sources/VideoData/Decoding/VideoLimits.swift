/// How much one file may ask of us. FFmpeg has no limits of its own worth the name.
///
/// Nothing here is a time: whether a file is accepted must not depend on the speed of a disk or of a processor.
package struct VideoLimits: Sendable {
    /// Of one picture.
    package var pixelCount = 64 << 20
    package var streamCount = 16
    /// Packets of all streams; nil for as many as a file of its size can hold.
    package var packetCount: Int?
    /// Pixels decoded at a time: in opening, in one call for frames, or in one video that is streamed. Nil for what
    /// sound files of its size stay far below.
    package var decodedPixelCount: Int?
    /// How far into the file the container's kind and streams are looked for.
    package var probeByteCount = 5_000_000
    /// Compressed packets up to this many bytes stay in memory; a larger file is read again instead.
    package var keptByteCount = 64 << 20
    /// Told each time a packet has been decoded, from the thread that decodes.
    package var onProgress: (@Sendable () -> Void)?

    package init() {}

    /// A packet takes at least this many bytes of a file: its own, and its entry in some table.
    private static let packetBytes = 4

    func packetLimit(fileByteCount: Int) -> Int { packetCount ?? 10_000 + fileByteCount / Self.packetBytes }

    /// A still picture of 3840 × 2160 pixels that x264 repeats takes 25 bytes and more per frame: 330,000 pixels per byte.
    /// To that come as many pixels as an hour and a half of 1920 × 1080 has.
    func decodedPixelLimit(fileByteCount: Int) -> Int {
        if let decodedPixelCount { return decodedPixelCount }
        let (share, overflow) = fileByteCount.multipliedReportingOverflow(by: 400_000)
        return overflow ? .max : share.addingReportingOverflow(1 << 38).partialValue
    }
}
