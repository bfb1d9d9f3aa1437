import CLIPModel
import Tensors
import VideoData

/// What several models say of the windows of a live source, one after another.
///
/// Each frame goes through a model once, however many windows show it; the features of one window are kept. Where frames
/// see each other there, each window goes through the model as a whole. Models that look at windows alike share a pass.
package struct LiveScorer {
    private let models: [VideoModel]
    /// For each model the first one that looks at windows as it does.
    private let lookers: [Int]
    /// For each of these the features of the last window's frames, by their numbers; for each crop.
    private var kept: [Int: [Int: [[Float]]]] = [:]

    /// - Precondition: the models' transforms shrink alike.
    package init(models: [VideoModel]) {
        precondition(!models.isEmpty && Set(models.map(\.transform.shortSide)).count == 1, "the models shrink frames alike")
        self.models = models
        lookers = VideoModel.windowLookers(of: models)
    }

    /// What to ask of a source.
    package static func request(
        _ address: LiveAddress, models: [VideoModel], window: VideoSpan, stride: VideoSpan, pictures: PictureRules, timeoutSeconds: Double
    ) -> LiveRequest {
        LiveRequest(
            address: address, grids: models.map { WindowGrid(window: window, stride: stride, sampleCount: $0.sampler.sampleCount) },
            shortSide: models[0].transform.shortSide, pictures: pictures, timeoutSeconds: timeoutSeconds)
    }

    /// The source was opened again: its frames are numbered anew.
    package mutating func begin() { kept = [:] }

    /// - Returns: one a model.
    /// - Throws: `ModelError` where logits are not numbers.
    package mutating func scores(of window: LiveWindow) throws -> [VideoScores] {
        var seen: [Int: PooledWindow] = [:]
        for looker in lookers where seen[looker] == nil { seen[looker] = pooled(window, looker) }
        return try zip(models, lookers).map { model, looker in
            guard let window = seen[looker] else { preconditionFailure("each has looked") }
            return try model.scores(of: window)
        }
    }

    /// What a model sees of a window.
    private mutating func pooled(_ window: LiveWindow, _ looker: Int) -> PooledWindow {
        let model = models[looker]
        var shown = zip(window.frames, window.counts[looker]).filter { $0.1 > 0 }
        // A window between two moments shows the frame before it.
        if shown.isEmpty { shown = window.frames.suffix(1).map { ($0, 1) } }
        let rows = features(of: shown.map(\.0), looker, model)
        let crops = (0..<model.transform.cropCount).map { crop in
            let values = zip(rows, shown).flatMap { row, frame in (0..<frame.1).flatMap { _ in row[crop] } }
            let rowCount = shown.reduce(0) { $0 + $1.1 }
            return WindowPooler.features(
                of: MutableMatrix(rows: rowCount, columns: values.count / max(1, rowCount), values).reading, encoder: model.classifier.encoder)
        }
        return PooledWindow(start: window.start, end: window.end, crops: crops)
    }

    /// For each frame what is kept of it, for each crop.
    private mutating func features(of frames: [LiveFrame], _ looker: Int, _ model: VideoModel) -> [[[Float]]] {
        let known = kept[looker] ?? [:]
        let new = frames.filter { known[$0.number] == nil }
        var next = known.filter { entry in frames.contains { $0.number == entry.key } }
        if !new.isEmpty {
            let encoder = model.classifier.encoder
            let crops = model.transform.clips(from: new.map(\.picture), key: ClipKey(seed: 0, epoch: 0, clip: 0))
                .map { encoder.mixesFrames ? $0.matrix : encoder.features(frames: $0.matrix).reading }
            for (row, frame) in new.enumerated() { next[frame.number] = crops.map { $0.row(row).values } }
        }
        kept[looker] = next
        return frames.map { next[$0.number] ?? [] }
    }
}
