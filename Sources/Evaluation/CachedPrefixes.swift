import CLIPModel
import Tensors
import VideoData

/// The clips of a list whose frames are the same each time, as far as nothing that learns changes them.
///
/// `fill` computes each clip once and keeps what fits into `byteBudget`, in the order asked for: nothing is pushed
/// out, as every clip is met equally often. The others are read and computed anew each time, to the same bits.
package final class CachedPrefixes {
    /// A clip ready to be learned from.
    package struct Clip: Sendable {
        /// Position in the list.
        package let index: Int
        package let label: Int
        /// As `ClipInput.cachedPrefix`.
        package let matrix: Matrix
    }

    private enum Entry {
        case kept(Clip)
        /// Read before and too large to be kept.
        case again
        /// Not read yet.
        case unknown
        case unreadable
    }

    package let loader: ClipLoader
    package let byteBudget: Int
    private let clipBytes: Int
    private let compute: ([Matrix]) -> [Matrix]
    private var entries: [Entry]
    private var usedBytes = 0

    /// Clips that go through the model together.
    private static let batchSize = 4

    /// - Parameters:
    ///   - loader: of one view per video, without anything drawn by chance.
    ///   - clipBytes: of the cached prefix of a clip.
    ///   - compute: from pixels `[frames, 3 × side × side]` to cached prefixes.
    package init(loader: ClipLoader, byteBudget: Int, clipBytes: Int, compute: @escaping ([Matrix]) -> [Matrix]) {
        precondition(loader.transform.stage != .training && loader.viewsPerVideo == 1, "the prefix of frames that change cannot be cached")
        self.loader = loader
        self.byteBudget = byteBudget
        self.clipBytes = clipBytes
        self.compute = compute
        entries = loader.list.clips.map { _ in .unknown }
    }

    package var clipCount: Int { entries.count }

    /// Clips that are in memory.
    package var keptCount: Int { entries.count { if case .kept = $0 { true } else { false } } }

    /// Clips that the budget has room for.
    package var roomCount: Int { min(clipCount, byteBudget / max(1, clipBytes)) }

    /// Reads and computes the clips that there is room for.
    ///
    /// - Parameter report: called with the number of clips done; asks for the end by returning false.
    /// - Returns: whether it came to the end.
    /// - Throws: what the loader throws.
    package func fill(report: (Int) -> Bool) throws -> Bool {
        let wanted = entries.indices.filter { if case .unknown = entries[$0] { true } else { false } }
        let stream = loader.clips(at: Array(wanted.prefix(roomCount)))
        defer { stream.cancel() }
        while true {
            let before = stream.position
            let loaded = try stream.next(Self.batchSize)
            for index in wanted[before..<stream.position] { entries[index] = .unreadable }
            if loaded.isEmpty { return true }
            for clip in cached(loaded) { keep(clip) }
            guard report(stream.position) else { return false }
        }
    }

    private func cached(_ loaded: [LoadedClip]) -> [Clip] {
        zip(loaded, compute(loaded.compactMap(\.views.first).map(\.matrix))).map {
            Clip(index: $0.index, label: $0.label, matrix: $1)
        }
    }

    private func keep(_ clip: Clip) {
        let bytes = 4 * clip.matrix.count
        if usedBytes + bytes <= byteBudget {
            entries[clip.index] = .kept(clip)
            usedBytes += bytes
        } else {
            entries[clip.index] = .again
        }
    }

    // MARK: Reading them

    /// The clips at positions of the list, in that order.
    package func clips(at indices: [Int]) -> CachedPrefixStream {
        let missing = indices.filter {
            switch entries[$0] {
            case .again, .unknown: true
            case .kept, .unreadable: false
            }
        }
        return CachedPrefixStream(clips: self, indices: indices, missing: missing)
    }

    fileprivate func kept(_ index: Int) -> Clip? {
        if case .kept(let clip) = entries[index] { clip } else { nil }
    }

    fileprivate func isReadable(_ index: Int) -> Bool {
        if case .unreadable = entries[index] { false } else { true }
    }

    fileprivate func markUnreadable(_ index: Int) { entries[index] = .unreadable }

    fileprivate func computed(_ loaded: [LoadedClip]) -> [Clip] {
        let clips = cached(loaded)
        for clip in clips { keep(clip) }
        return clips
    }
}

/// One pass over clips whose prefix is cached.
package final class CachedPrefixStream {
    private let clips: CachedPrefixes
    private let indices: [Int]
    private let stream: ClipStream?
    /// How far the pass has come, in clips that were asked for; unreadable ones count too.
    package private(set) var position = 0
    /// Read, and not asked for yet.
    private var ahead: LoadedClip?

    fileprivate init(clips: CachedPrefixes, indices: [Int], missing: [Int]) {
        self.clips = clips
        self.indices = indices
        stream = missing.isEmpty ? nil : clips.loader.clips(at: missing)
    }

    /// Time that `next` spent waiting for videos, in seconds.
    package var waitingSeconds: Double { stream?.waitingSeconds ?? 0 }

    /// Up to `count` clips: fewer at the end, none after it.
    package func next(_ count: Int) throws -> [CachedPrefixes.Clip] {
        var found: [Int: CachedPrefixes.Clip] = [:]
        var order: [Int] = []
        var loaded: [LoadedClip] = []
        while order.count < count, position < indices.count {
            let index = indices[position]
            if let kept = clips.kept(index) {
                found[position] = kept
                order.append(position)
            } else if let clip = try read(index) {
                loaded.append(clip)
                order.append(position)
            }
            position += 1
        }
        var computed = clips.computed(loaded).makeIterator()
        return order.compactMap { found[$0] ?? computed.next() }
    }

    private func read(_ index: Int) throws -> LoadedClip? {
        guard clips.isReadable(index) else { return nil }
        ahead = try ahead ?? stream?.next()
        if let clip = ahead, clip.index == index {
            ahead = nil
            return clip
        }
        // The stream has passed it over: what it gave is a later one.
        clips.markUnreadable(index)
        return nil
    }

    package func cancel() { stream?.cancel() }
}

extension Evaluator {
    /// - Parameter report: called with the number of videos done so far.
    /// - Throws: what the loader throws.
    package func predictions(of clips: CachedPrefixes, report: (Int) throws -> Void = { _ in }) throws -> [Prediction] {
        let stream = clips.clips(at: Array(clips.loader.list.clips.indices))
        defer { stream.cancel() }
        var result: [Prediction] = []
        while true {
            let batch = try stream.next(16)
            if batch.isEmpty { return result }
            for (clip, logits) in zip(batch, try classifier.logits(clips: batch.map(\.matrix), input: .cachedPrefix)) {
                result.append(
                    Prediction(clips.loader.list.clips[clip.index], probabilities: softmax(of: logits), index: clip.index))
            }
            try report(result.count)
        }
    }
}
