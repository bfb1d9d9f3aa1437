/// Which packet holds which frame, counted in the order in which frames are shown.
struct FrameOrder: Equatable {
    /// For each frame its packet. Empty if frames and packets do not match one to one; then frames are
    /// counted as they leave the decoder.
    let packets: [Int]
    let frameCount: Int
    /// Taken from time stamps, not seen at the decoder.
    let isAssumed: Bool
    /// For each packet its frame, or -1.
    private let ranks: [Int32]
    /// Packets at which decoding can begin, ascending.
    private let entryPoints: [Int]

    /// The order by presentation time, where it is certain to be that of the decoder; else nil, and
    /// only decoding tells.
    ///
    /// - Parameter reordersFrames: the decoder delays frames because some are sent before their time.
    init?(sorting facts: [PacketFacts], reordersFrames: Bool) {
        let shown = facts.indices.filter { facts[$0].traits.isShown }
        guard let first = shown.first, first == 0, facts[0].traits.isEntryPoint,
            let firstTime = facts[0].presentationTime
        else { return nil }
        var times: [(time: Int64, packet: Int)] = []
        times.reserveCapacity(shown.count)
        for packet in shown {
            let fact = facts[packet]
            guard let time = fact.presentationTime, time >= firstTime, fact.byteCount > 0, !fact.isDiscarded,
                !fact.isDamaged
            else { return nil }
            times.append((time, packet))
        }
        let sorted = times.sorted { $0.time < $1.time }
        for index in sorted.indices.dropFirst() where sorted[index].time == sorted[index - 1].time { return nil }
        let order = sorted.map(\.packet)
        // Frames that are sent out of order but stamped in the order of sending: the stamps are wrong.
        if reordersFrames && order.count > 2 && order == shown { return nil }
        self.init(packets: order, facts: facts, isAssumed: true)
    }

    /// The order seen while decoding the whole stream.
    ///
    /// - Parameter decoded: the packet of each frame, as the decoder put them out; -1 where unknown.
    init(decoded: [Int], facts: [PacketFacts]) {
        if Set(decoded).count == decoded.count && !decoded.contains(-1) {
            self.init(packets: decoded, facts: facts, isAssumed: false)
        } else {
            self.init(countedFrames: decoded.count)
        }
    }

    private init(countedFrames frameCount: Int) {
        packets = []
        ranks = []
        entryPoints = []
        isAssumed = false
        self.frameCount = frameCount
    }

    private init(packets: [Int], facts: [PacketFacts], isAssumed: Bool) {
        var ranks = [Int32](repeating: -1, count: facts.count)
        for (frame, packet) in packets.enumerated() { ranks[packet] = Int32(clamping: frame) }
        self.packets = packets
        self.isAssumed = isAssumed
        self.ranks = ranks
        frameCount = packets.count
        // A jump must not miss parameters that were sent on the way: each entry point has to bring its own.
        let parametersAreInStream = facts.contains { $0.traits.hasParameterSets }
        let parametersMove = facts.contains {
            $0.changesParameters || $0.traits.hasParameterSets && !$0.traits.isEntryPoint
        }
        entryPoints =
            parametersMove
            ? []
            : facts.indices.filter {
                facts[$0].traits.isEntryPoint && !facts[$0].isDamaged
                    && (!parametersAreInStream || facts[$0].traits.hasParameterSets)
            }
    }

    /// Frames have to be counted from the start; none can be recognized by its packet.
    var isCounted: Bool { packets.isEmpty }

    func frame(ofPacket packet: Int) -> Int? {
        ranks.indices.contains(packet) && ranks[packet] >= 0 ? Int(ranks[packet]) : nil
    }

    /// The last packet from which decoding gives frame `frame` as if everything had been decoded.
    ///
    /// Frames shown before an entry point but sent after it may need what lies before it.
    func entryPoint(forFrame frame: Int) -> Int {
        guard packets.indices.contains(frame) else { return 0 }
        let target = packets[frame]
        for candidate in entryPoints.prefix(entryPoints.partitionPoint { $0 <= target }).reversed() {
            if let rank = self.frame(ofPacket: candidate), rank <= frame { return candidate }
        }
        return 0
    }
}
