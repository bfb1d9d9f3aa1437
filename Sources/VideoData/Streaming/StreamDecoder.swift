import CFFmpeg

/// A codec that is fed a stream's packets as they come from the container, each once.
@safe struct StreamDecoder: ~Copyable {
    private var codec: Codec
    /// Seconds of a unit of the stream's time stamps.
    private let unitSeconds: Double
    /// Packets that the codec rejected, and frames that it marks as damaged.
    private(set) var damagedCount = 0

    init(
        stream: UnsafeMutablePointer<AVStream>, source: MediaSource, threadCount: Int, limits: VideoLimits
    ) throws(VideoError) {
        guard let parameters = unsafe stream.pointee.codecpar else { throw source.error(vifi_error_invalid()) }
        let base = unsafe stream.pointee.time_base
        codec = try unsafe Codec(parameters: parameters, timeBase: base, source: source, threadCount: threadCount, limits: limits)
        unitSeconds = base.num > 0 && base.den > 0 ? Double(base.num) / Double(base.den) : 0
    }

    /// The frame that `next` decoded last.
    var frame: UnsafeMutablePointer<AVFrame> { unsafe codec.frame }

    /// Of the frame decoded last, on the stream's own clock; nil where the stream does not say.
    var stampSeconds: Double? {
        let stamp = unsafe codec.frame.pointee.best_effort_timestamp
        return stamp == vifi_no_timestamp() || unitSeconds == 0 ? nil : Double(stamp) * unitSeconds
    }

    /// How long the frame decoded last is shown; nil where the stream does not say.
    var durationSeconds: Double? {
        let duration = unsafe vifi_frame_duration(codec.frame)
        return duration > 0 && unitSeconds > 0 ? Double(duration) * unitSeconds : nil
    }

    /// Decodes the next frame into `frame`. Returns false at the end of the stream.
    mutating func next(from demuxer: inout Demuxer) throws(VideoError) -> Bool {
        while true {
            try codec.source.checkDeadline()
            switch try codec.receive() {
            case .frame(let isDamaged):
                if isDamaged { damagedCount += 1 }
                return true
            case .end: return false
            case .hungry: break
            case .rejected:
                damagedCount += 1
                // A codec that is being emptied must not give up on packets for ever.
                if codec.isDraining { return false }
            }
            guard try unsafe demuxer.readPacket(into: codec.packet) else {
                codec.drain()
                continue
            }
            if try !codec.send() { damagedCount += 1 }
        }
    }
}
