import CFFmpeg
import Files
import Tensors

/// What reading a file from start to end has shown of its video stream. With it the file can be opened again without
/// being read as a whole.
struct FrameIndex: Sendable {
    let facts: [PacketFacts]
    /// What is wrong with the container.
    let damage: [VideoWarning]
    let order: FrameOrder
    /// The order seen at the decoder, once time stamps proved to be wrong. Frames are still counted as `order` says: how
    /// many there are must not depend on which of them were asked for before.
    private(set) var correction: FrameOrder?

    /// Nothing is known to be missing. Where something is, decoders go on from what they happen to have, without saying
    /// so: then everything is decoded from the first packet on by one thread, so that it is always the same.
    let isSound: Bool

    var byteCount: Int { facts.count * (MemoryLayout<PacketFacts>.stride + 12 * (correction == nil ? 1 : 2)) + 200 }
}

/// Indexes of files that were opened before, so that a run counts the frames of each file once.
///
/// A file is told by its number and the time of its last change, so that one that is written to is counted again. What
/// fits in is kept for good: every file is met equally often, and making room for one would cost another.
///
/// Sendable because its contents are touched only under the monitor.
package final class FrameIndexes: @unchecked Sendable {
    private let byteBudget: Int
    private let monitor = Monitor()
    private var indexes: [FileIdentity: FrameIndex] = [:]
    private var usedBytes = 0

    /// - Parameter byteBudget: a frame takes some 50 bytes.
    package init(byteBudget: Int = 128 << 20) { self.byteBudget = byteBudget }

    package var count: Int { monitor.locked { indexes.count } }

    subscript(identity: FileIdentity) -> FrameIndex? { monitor.locked { indexes[identity] } }

    func keep(_ index: FrameIndex, for identity: FileIdentity) {
        monitor.locked {
            let known = indexes[identity]?.byteCount ?? 0
            guard usedBytes - known + index.byteCount <= byteBudget else { return }
            usedBytes += index.byteCount - known
            indexes[identity] = index
        }
    }
}

extension FrameIndex {
    /// Reads all packets and finds the order of the frames: from the time stamps where they can be trusted, else by
    /// decoding everything.
    init(reading store: PacketStore, claims: HeaderClaims, threadCount: Int, limits: VideoLimits) throws(VideoError) {
        try store.readAll(limits: limits)
        facts = store.facts
        damage = [store.damage, Self.earlyEnd(of: store, claims: claims)].compactMap { $0 }
        isSound = damage.isEmpty && !store.facts.contains(where: \.isDamaged)
        let threadCount = isSound ? threadCount : 1
        if isSound, store.inspector.isPacketPerPicture, let sorted = FrameOrder(sorting: store.facts, reordersFrames: claims.reordersFrames) {
            order = sorted
        } else {
            order = try Self.decodedOrder(of: store, threadCount: threadCount, limits: limits)
        }
    }

    init(of path: String, limits: VideoLimits) throws(VideoError) {
        let demuxer = try Demuxer(source: MediaSource(path: path, limits: limits), limits: limits)
        let claims = demuxer.claims
        try self.init(reading: PacketStore(demuxer: demuxer), claims: claims, threadCount: 1, limits: limits)
    }

    mutating func correct(by store: PacketStore, threadCount: Int, limits: VideoLimits) throws(VideoError) -> FrameOrder {
        if let correction { return correction }
        let order = try Self.decodedOrder(of: store, threadCount: threadCount, limits: limits)
        correction = order
        return order
    }

    private static func decodedOrder(of store: PacketStore, threadCount: Int, limits: VideoLimits) throws(VideoError) -> FrameOrder {
        var decoder = try FrameDecoder(store: store, threadCount: threadCount, limits: limits)
        var packets: [Int] = []
        while let packet = try decoder.next() { packets.append(packet) }
        // What becomes of damaged packets may depend on the number of threads.
        guard threadCount == 1 || decoder.damagedPackets.isEmpty else {
            return try decodedOrder(of: store, threadCount: 1, limits: limits)
        }
        return FrameOrder(decoded: packets, facts: store.facts)
    }

    private static func earlyEnd(of store: PacketStore, claims: HeaderClaims) -> VideoWarning? {
        var end = StreamEnd(declaredSeconds: claims.streamEndSeconds)
        for fact in store.facts { end.note(seconds: fact.presentationTime.map { Double($0) * store.unitSeconds }) }
        return end.warning
    }
}

/// Compares the time of a stream's last packet with what its header promises.
struct StreamEnd {
    let declaredSeconds: Double?
    private var first: Double?
    private var last = 0.0
    private var longestGap = 0.0

    init(declaredSeconds: Double?) { self.declaredSeconds = declaredSeconds.flatMap { $0 > 0 && $0 <= 1e6 ? $0 : nil } }

    mutating func note(seconds: Double?) {
        guard let seconds else { return }
        if first == nil {
            first = seconds
            last = seconds
        }
        if seconds > last {
            longestGap = max(longestGap, seconds - last)
            last = seconds
        }
    }

    /// The last picture may stand as long as any before it, and lengths are rounded with little care.
    var warning: VideoWarning? {
        guard let declaredSeconds, first != nil, last + max(1, 2 * longestGap) < declaredSeconds else { return nil }
        return .endsEarly(declaredSeconds: declaredSeconds, foundSeconds: last)
    }
}
