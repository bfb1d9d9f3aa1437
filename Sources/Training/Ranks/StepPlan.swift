import Tensors
import VideoData

/// Which videos of an epoch give no clip, as far as is known. All ranks know the same.
struct EmptyVideos {
    /// Positions of the list; expected to be empty again in the next epoch.
    var expected: Set<Int> = []
    /// Places in this epoch's order, tried by some rank.
    private var empty: Set<Int> = []
    private var full: Set<Int> = []

    mutating func beginEpoch() { (empty, full) = ([], []) }

    func isEmpty(place: Int, video: Int) -> Bool {
        empty.contains(place) || expected.contains(video) && !full.contains(place)
    }

    func isTried(place: Int) -> Bool { empty.contains(place) }

    mutating func noteEmpty(place: Int, video: Int) {
        empty.insert(place)
        expected.insert(video)
    }

    mutating func noteFull(place: Int, video: Int) {
        full.insert(place)
        expected.remove(video)
    }
}

/// Who does what in a step, worked out by every rank for itself.
struct StepPlan {
    /// A rank's part of a micro-batch.
    struct Part {
        /// Places in the epoch's order of the micro-batch's clips.
        let places: ArraySlice<Int>
        /// Of these, the rank's own: counted from the micro-batch's first.
        let own: Range<Int>
        let draw: Blending.Draw
        /// Own clips and their partners, counted from the micro-batch's first.
        var needed: [Int] { draw.needed(for: own) }

        func place(_ clip: Int) -> Int { places[places.startIndex + clip] }
    }

    /// Places of the step's clips.
    let places: [Int]
    /// Places that are expected to be empty, to be tried by this rank.
    let tries: [Int]
    /// Place after the last one.
    let end: Int
    let shares: Shares
    let parts: [Part]

    /// - Parameters:
    ///   - first: the step's first place in `order`.
    ///   - draw: how a micro-batch of some clips is blended, from its number in the step.
    init(
        order: [Int], first: Int, planned: Int, batchSize: Int, videos: EmptyVideos, rank: Int, rankCount: Int,
        draw: (_ batch: Int, _ clipCount: Int) -> Blending.Draw
    ) {
        var places: [Int] = []
        var tries: [Int] = []
        var end = first
        while places.count < planned, end < order.count {
            if !videos.isEmpty(place: end, video: order[end]) {
                places.append(end)
            } else if !videos.isTried(place: end) {
                tries.append(end)
            }
            end += 1
        }
        self.places = places
        self.end = end
        self.tries = tries.enumerated().filter { $0.offset % rankCount == rank }.map(\.element)
        shares = Shares(of: places.count, over: rankCount)
        let own = shares.items(of: rank)
        parts = stride(from: 0, to: places.count, by: batchSize).compactMap { start in
            let batch = start..<min(start + batchSize, places.count)
            let mine = own.clamped(to: batch)
            guard !mine.isEmpty else { return nil }
            return Part(
                places: places[batch], own: mine.lowerBound - start..<mine.upperBound - start,
                draw: draw(start / batchSize, batch.count))
        }
    }

    /// Places that this rank reads, in its order.
    var loads: [Int] { parts.flatMap { part in part.needed.map(part.place) } + tries }
}
