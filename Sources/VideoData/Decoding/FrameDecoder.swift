import CFFmpeg

/// A codec that is fed packets by number and says which packet each frame came from.
///
/// Every packet's time stamp is replaced by its number. The codec hands the stamp on to the frame it
/// makes of the packet, whatever order it puts frames out in.
@safe struct FrameDecoder: ~Copyable {
    let store: PacketStore
    private var codec: Codec
    /// Number of the packet that is fed next.
    private(set) var position = 0
    /// Packets that the codec rejected, and those whose frames it marks as damaged.
    private(set) var damagedPackets: Set<Int> = []

    private let threadCount: Int
    private let limits: VideoLimits

    init(store: PacketStore, threadCount: Int, limits: VideoLimits) throws(VideoError) {
        codec = try unsafe Codec(parameters: store.parameters, source: store.source, threadCount: threadCount, limits: limits)
        self.store = store
        self.threadCount = threadCount
        self.limits = limits
    }

    /// The frame that `next` returned last.
    var frame: UnsafeMutablePointer<AVFrame> { unsafe codec.frame }

    /// Forgets everything decoded so far and continues at packet `position`.
    mutating func start(at position: Int) {
        codec.flush()
        self.position = position
    }

    /// Starts at the first packet with a codec that remembers nothing, not even how long it has to
    /// hold frames back.
    mutating func startAfresh() throws(VideoError) {
        codec = try unsafe Codec(parameters: store.parameters, source: store.source, threadCount: threadCount, limits: limits)
        position = 0
    }

    /// Decodes the next frame into `frame`.
    ///
    /// - Returns: the number of its packet, -1 if the codec does not say; nil at the end of the stream.
    mutating func next() throws(VideoError) -> Int? {
        while true {
            switch try codec.receive() {
            case .frame(let isDamaged): return origin(isDamaged: isDamaged)
            case .end: return nil
            case .hungry: break
            case .rejected:
                damagedPackets.insert(position - 1)
                // A codec that is being emptied must not give up on packets forever.
                if codec.isDraining { return nil }
            }
            try feed()
        }
    }

    private mutating func feed() throws(VideoError) {
        guard position < store.count else { return codec.drain() }
        let number = position
        position += 1
        guard store.facts[number].byteCount > 0 else { return }
        try unsafe store.load(number, into: codec.packet)
        unsafe codec.packet.pointee.pts = Int64(number)
        unsafe codec.packet.pointee.dts = Int64(number)
        if try !codec.send(number: number) { damagedPackets.insert(number) }
    }

    private mutating func origin(isDamaged: Bool) -> Int {
        let stamp = unsafe codec.frame.pointee.pts
        guard let number = Int(exactly: stamp), store.facts.indices.contains(number) else { return -1 }
        if isDamaged { damagedPackets.insert(number) }
        return number
    }
}
