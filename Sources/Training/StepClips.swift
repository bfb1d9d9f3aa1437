import CLIPModel
import Evaluation
import Tensors
import VideoData

/// An epoch's clips, drawn anew or frozen, as steps take them.
enum StepClips {
    case pixels(ClipStream)
    case frozen(FrozenStream)

    var stage: ClipStage { if case .pixels = self { .pixels } else { .frozen } }

    /// How far the epoch has come, in clips that were asked for.
    var position: Int {
        switch self {
        case .pixels(let stream): stream.position
        case .frozen(let stream): stream.position
        }
    }

    /// Time spent waiting for films, in seconds.
    var waitingSeconds: Double {
        switch self {
        case .pixels(let stream): stream.waitingSeconds
        case .frozen(let stream): stream.waitingSeconds
        }
    }

    func cancel() {
        switch self {
        case .pixels(let stream): stream.cancel()
        case .frozen(let stream): stream.cancel()
        }
    }

    /// Up to `count` clips and their targets, `[clips, classCount]`; nil after the last.
    ///
    /// - Parameter key: names the random stream that clips are blended by.
    func next(
        _ count: Int, blending: Blending, classCount: Int, key: (seed: UInt64, epoch: Int, step: Int)
    ) throws -> (clips: [Matrix], targets: [Float])? {
        switch self {
        case .pixels(let stream):
            let loaded = try stream.next(count)
            guard !loaded.isEmpty else { return nil }
            var views = loaded.compactMap(\.views.first)
            let targets = blending.blend(
                &views, labels: loaded.map(\.label), classCount: classCount, seed: key.seed, epoch: key.epoch, step: key.step)
            return (views.map(\.matrix), targets)
        case .frozen(let stream):
            let loaded = try stream.next(count)
            guard !loaded.isEmpty else { return nil }
            return (loaded.map(\.matrix), blending.targets(labels: loaded.map(\.label), classCount: classCount))
        }
    }
}
