import CLIPModel
import Evaluation
import Tensors
import VideoData

/// An epoch's clips, drawn anew or with a cached prefix, as steps take them.
enum StepClips {
    case pixels(ClipStream)
    case cached(CachedPrefixStream)

    /// How far the epoch has come, in clips that were asked for.
    var position: Int {
        switch self {
        case .pixels(let stream): stream.position
        case .cached(let stream): stream.position
        }
    }

    /// Time spent waiting for videos, in seconds.
    var waitingSeconds: Double {
        switch self {
        case .pixels(let stream): stream.waitingSeconds
        case .cached(let stream): stream.waitingSeconds
        }
    }

    func cancel() {
        switch self {
        case .pixels(let stream): stream.cancel()
        case .cached(let stream): stream.cancel()
        }
    }

    /// Up to `count` clips; nil after the last.
    ///
    /// - Parameters:
    ///   - classCount: nil where labels are captions: clips then stay as they are.
    ///   - key: names the random stream that clips are blended by.
    func next(
        _ count: Int, blending: Blending, classCount: Int?, key: (seed: UInt64, epoch: Int, step: Int)
    ) throws -> ClipBatch? {
        switch self {
        case .pixels(let stream):
            let loaded = try stream.next(count)
            guard !loaded.isEmpty else { return nil }
            var views = loaded.compactMap(\.views.first)
            let labels = loaded.map(\.label)
            let targets = classCount.map {
                blending.blend(&views, labels: labels, classCount: $0, seed: key.seed, epoch: key.epoch, step: key.step)
            }
            return ClipBatch(clips: views.map(\.matrix), labels: labels, targets: rows(of: targets, classCount))
        case .cached(let stream):
            let loaded = try stream.next(count)
            guard !loaded.isEmpty else { return nil }
            let labels = loaded.map(\.label)
            let targets = classCount.map { blending.targets(labels: labels, classCount: $0) }
            return ClipBatch(clips: loaded.map(\.matrix), input: .cachedPrefix, labels: labels, targets: rows(of: targets, classCount))
        }
    }

    private func rows(of targets: [Float]?, _ classCount: Int?) -> [[Float]] {
        guard let targets, let classCount else { return [] }
        return stride(from: 0, to: targets.count, by: classCount).map { Array(targets[$0..<$0 + classCount]) }
    }
}
