import CFFmpeg

/// A codec that is fed a stream's packets as they come from the container, each once.
@safe struct StreamDecoder: ~Copyable {
    private var codec: Codec
    /// Seconds of a unit of the stream's time stamps.
    private let unitSeconds: Double
    /// Numbers of the packets that are cut off, that the codec rejected, or whose frames it marks as damaged.
    private(set) var damagedPackets: Set<Int> = []
    private var packetCount = 0
    /// Packets that are not cut off.
    private(set) var wholePacketCount = 0
    private(set) var end: StreamEnd

    init(demuxer: borrowing Demuxer, limits: VideoLimits) throws(VideoError) {
        guard let parameters = unsafe demuxer.stream.pointee.codecpar else { throw demuxer.source.error(vifi_error_invalid()) }
        codec = try unsafe Codec(
            parameters: parameters, timeBase: demuxer.stream.pointee.time_base, source: demuxer.source, threadCount: 1, limits: limits)
        unitSeconds = demuxer.unitSeconds
        end = StreamEnd(declaredSeconds: demuxer.claims.streamEndSeconds)
    }

    /// The frame that `next` decoded last.
    var frame: UnsafeMutablePointer<AVFrame> { unsafe codec.frame }

    /// Number of the packet that the frame decoded last was made of; nil where the codec does not say.
    var number: Int? { codec.number }

    /// Of the frame decoded last, on the stream's own clock; nil where the stream does not say.
    var stampSeconds: Double? {
        let stamp = unsafe codec.frame.pointee.best_effort_timestamp
        return stamp == vifi_no_timestamp() ? nil : seconds(ofStamp: stamp)
    }

    func seconds(ofStamp stamp: Int64) -> Double? { unitSeconds == 0 ? nil : Double(stamp) * unitSeconds }

    /// How long the frame decoded last is shown; nil where the stream does not say.
    var durationSeconds: Double? {
        let duration = unsafe vifi_frame_duration(codec.frame)
        return duration > 0 && unitSeconds > 0 ? Double(duration) * unitSeconds : nil
    }

    /// Decodes the next frame into `frame`. Returns false at the end of the stream.
    mutating func next(from demuxer: inout Demuxer) throws(VideoError) -> Bool {
        while true {
            switch try codec.receive() {
            case .frame(let isDamaged):
                if isDamaged { damagedPackets.insert(codec.number ?? packetCount - 1) }
                return true
            case .end: return false
            case .hungry: break
            case .rejected:
                damagedPackets.insert(packetCount - 1)
                // A codec that is being emptied must not give up on packets forever.
                if codec.isDraining { return false }
            }
            guard try unsafe demuxer.readPacket(into: codec.packet) else {
                codec.drain()
                continue
            }
            let number = demuxer.packetPosition - 1
            packetCount += 1
            let stamp = unsafe codec.packet.pointee.pts
            if unsafe codec.packet.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 {
                damagedPackets.insert(number)
            } else {
                wholePacketCount += 1
            }
            end.note(seconds: stamp == vifi_no_timestamp() ? nil : seconds(ofStamp: stamp))
            if try !codec.send(number: number) { damagedPackets.insert(number) }
        }
    }
}
