import CLIPModel
import Charts
import Evaluation
import Experiments
import Files
import Foundation
import Tensors
import Training
import VideoData

/// A model and what its maps are to show.
package struct AttentionModel {
    package let title: String
    package let classifier: CLIPClassifier
    package let transform: ClipTransform
    package let names: [String]
    /// Nil for the model's own prediction.
    package let label: Int?
    /// The first block to look at, from 0.
    package let blocks: Int
    package let kind: AttentionMapKind
    /// A row for every block from `blocks` on, instead of one.
    package let isByBlock: Bool

    package init(
        title: String, classifier: CLIPClassifier, transform: ClipTransform, names: [String], label: Int?, blocks: Int,
        kind: AttentionMapKind, isByBlock: Bool
    ) {
        self.title = title
        self.classifier = classifier
        self.transform = transform
        self.names = names
        self.label = label
        self.blocks = blocks
        self.kind = kind
        self.isByBlock = isByBlock
    }

    /// - Parameter size: of the video's pictures.
    package func look(at clip: PreparedClip, of size: FrameSize) throws(ModelError) -> AttentionView {
        let maps = try classifier.attention(in: clip.matrix, of: kind, label: label, from: blocks)
        let probabilities = softmax(of: maps.logits)
        let best = probabilities.indices.max { (probabilities[$0], $1) < (probabilities[$1], $0) } ?? 0
        let share = percent(100 * Double(probabilities[maps.label]))
        let name = "\"\(names[maps.label].escapedForDisplay)\""
        let finding = maps.label == best ? "predicted \(name), \(share)" : "\(name) \(share), predicted \"\(names[best].escapedForDisplay)\""
        let last = classifier.blockCount - 1
        func words(_ block: Int) -> String {
            let isPooling = classifier.poolsTokens && block == last
            return switch kind {
            case .raw(let head):
                (isPooling ? "attention of the pooling" : "attention of block \(block + 1)") + (head.map { ", head \($0 + 1)" } ?? ", mean of heads")
            case .relevance where isPooling: "relevance in the pooling"
            case .relevance: block == last ? "relevance in block \(block + 1), the last" : "relevance from block \(block + 1) on"
            }
        }
        let rows = (isByBlock ? Array(blocks...last) : [blocks]).map { block in
            AttentionView.Row(
                words: words(block),
                overlays: maps.blocks[block - blocks].map { HeatOverlay(map: $0, gridSide: maps.gridSide, side: transform.side) })
        }
        return AttentionView(title: title, finding: finding, rows: rows, region: transform.seenRegion(of: size))
    }
}

/// What a model was seen to look at in the frames of one video.
package struct AttentionView {
    package struct Row {
        package let words: String
        /// One a frame that the model saw.
        package let overlays: [HeatOverlay]
    }

    package let title: String
    /// The class and how sure the model is.
    package let finding: String
    package let rows: [Row]
    /// The part of the video's picture that the model saw.
    package let region: PictureRegion
}

/// A video, and the frames of it that models see.
package struct SampledVideo: ~Copyable {
    package let path: String
    package let indices: [Int]
    /// One a transform.
    package let clips: [PreparedClip]
    private let tiles: [VideoFrame]
    private let video: any Video

    package var size: FrameSize { FrameSize(width: video.info.width, height: video.info.height) }
    package var warnings: [VideoWarning] { video.warnings }

    private struct Sample {
        let tile: VideoFrame
        /// One a transform.
        let shrunk: [VideoFrame]
    }

    /// - Parameter part: of the video; nil for all of it.
    /// - Throws: `VideoError`, naming the video.
    package init(path: String, part: ClipPart? = nil, frameCount: Int, transforms: [ClipTransform], sampler: FrameSampler? = nil) throws {
        let video = try openVideo(path)
        let shown = try video.frames(of: part, path: path)
        let indices = (sampler ?? FrameSampler(sampleCount: frameCount)).testIndices(frameCount: shown.count).map { shown.lowerBound + $0 }
        let limit = FrameStrip.tilePixels(frameCount: frameCount)
        // Frames may be large: only what is needed of them is kept.
        let samples = try video.frames(at: indices) { frame in
            Sample(tile: frame.fitted(limit), shrunk: transforms.map { $0.shrunk(frame) })
        }
        self.path = path
        self.indices = indices
        clips = transforms.indices.compactMap { index in
            transforms[index].clips(from: samples.map { $0.shrunk[index] }, key: ClipKey(seed: 1, epoch: 0, clip: 0)).first
        }
        tiles = samples.map(\.tile)
        self.video = video
    }

    // MARK: Strip

    package func strip(of views: [AttentionView]) -> FrameStrip {
        let times = video.info.framesPerSecond == nil ? nil : video.times
        let titles = indices.map { index in
            "\(index + 1)" + (times.map { ": \(NumberText.decimal($0[index], places: 2)) s" } ?? "")
        }
        let scale = (x: Double(tiles[0].width) / Double(size.width), y: Double(tiles[0].height) / Double(size.height))
        var rows = [FrameStrip.Row("video", tiles.map(\.picture))]
        for view in views {
            let region = view.region.scaled(x: scale.x, y: scale.y)
            for row in view.rows {
                let words = view.rows.count > 1 && row.words != view.rows[0].words ? row.words : "\(view.title): \(view.finding); \(row.words)"
                rows.append(
                    FrameStrip.Row(
                        words, zip(tiles, row.overlays).map { $1.drawn(on: $0, region: region, contour: true).picture }))
            }
        }
        let colors = (0..<64).map { step in
            let color = jet(Float(step) / 63)
            return Color(Double(color.x), Double(color.y), Double(color.z))
        }
        return FrameStrip(
            title: "\(path.lastPathComponent), frames by number and time", columnTitles: titles, rows: rows,
            scale: FrameStrip.Scale(
                colors: colors, low: "least of the frame", high: "largest",
                note: "Line: around half of the largest and more. Gray: not seen."))
    }

    // MARK: Video

    private static let bannerHeight = 20
    /// Decoded pictures that are in memory together.
    private static let batchBytes = 256 << 20

    /// The video at its own times and size, maps on it: of each view the last row. Several views lie side by side
    /// under a heading. Sides of odd length grow by a pixel, as H.264 demands.
    ///
    /// - Returns: the bytes of a file that is to be called `path`.
    package mutating func video(_ views: [AttentionView], path: String, pool: WorkerPool, context: RunContext) throws -> [UInt8] {
        let size = size
        let panel = FrameSize(width: size.width + size.width % 2, height: size.height + size.height % 2)
        let banners = views.count > 1 ? try Self.banners(over: views, width: panel.width) : []
        if video.info.framesPerSecond == nil { context.warning(.data(.noFrameRate(path: self.path, taken: 25))) }
        var writer = try VideoWriter(
            path: path, width: panel.width * views.count, height: panel.height + (banners.isEmpty ? 0 : Self.bannerHeight),
            framesPerSecond: min(1000, max(0.01, video.info.framesPerSecond ?? 25)), times: unequalTimes)
        let count = video.frameCount
        let batch = max(1, min(512, Self.batchBytes / max(1, size.byteCount * (1 + views.count))))
        let progress = context.progress(path.lastPathComponent.escapedForDisplay, total: count, unit: "frames")
        let indices = indices
        for start in stride(from: 0, to: count, by: batch) {
            let numbers = Array(start..<min(start + batch, count))
            let frames = try video.frames(at: numbers)
            let drawn = DrawnFrames(count: frames.count)
            pool.parallelFor(frames.count) { _, item in
                let panels = views.map { view in
                    let overlays = view.rows[view.rows.count - 1].overlays
                    return Self.overlay(overlays, at: numbers[item], indices: indices)
                        .drawn(on: frames[item], region: view.region, contour: false).padded(to: panel)
                }
                drawn.set(Self.page(panels, banners: banners), at: item)
            }
            for frame in drawn.all { try writer.append(frame) }
            progress.show(start + frames.count)
        }
        progress.finish()
        return try writer.finishedBytes()
    }

    /// When frames begin, where they are not shown equally long.
    private var unequalTimes: [Double]? {
        guard let rate = video.info.framesPerSecond, rate <= 1000 else { return nil }
        let times = video.times
        let isEven = rate >= 0.01 && times.enumerated().allSatisfy { abs(Double($0.offset) / rate - $0.element) < 0.5 / rate }
        return isEven ? nil : times
    }

    private static func banners(over views: [AttentionView], width: Int) throws(ChartError) -> [Picture] {
        var result: [Picture] = []
        for (index, view) in views.enumerated() {
            let number = "\(index + 1)"
            result.append(
                try bannerPicture(
                    ["\(number): \(view.title): \(view.finding)", "\(number): \(view.title)"], width: width, height: bannerHeight))
        }
        return result
    }

    /// The map at a frame: blended between the frames that the model saw, the nearest one's outside them.
    package static func overlay(_ overlays: [HeatOverlay], at number: Int, indices: [Int]) -> HeatOverlay {
        guard let next = indices.firstIndex(where: { $0 >= number }) else { return overlays[overlays.count - 1] }
        guard next > 0, indices[next] > number else { return overlays[next] }
        let before = indices[next - 1]
        return overlays[next - 1].mixed(with: overlays[next], Float(number - before) / Float(indices[next] - before))
    }

    /// Panels beside each other, each under its heading; `[height, width, 3]`.
    private static func page(_ panels: [VideoFrame], banners: [Picture]) -> [UInt8] {
        guard panels.count > 1 || !banners.isEmpty else { return panels[0].pixels }
        var pixels: [UInt8] = []
        let rowBytes = panels[0].width * 3
        pixels.reserveCapacity(rowBytes * panels.count * (panels[0].height + bannerHeight))
        for row in 0..<bannerHeight { for banner in banners { pixels += banner.pixels[row * rowBytes..<(row + 1) * rowBytes] } }
        for row in 0..<panels[0].height { for panel in panels { pixels += panel.pixels[row * rowBytes..<(row + 1) * rowBytes] } }
        return pixels
    }
}

/// What workers leave behind. Unchecked Sendable: guarded by the monitor.
private final class DrawnFrames: @unchecked Sendable {
    private let monitor = Monitor()
    private var frames: [[UInt8]]

    init(count: Int) { frames = Array(repeating: [], count: count) }

    func set(_ pixels: [UInt8], at index: Int) { monitor.locked { frames[index] = pixels } }
    var all: [[UInt8]] { monitor.locked { frames } }
}

extension VideoFrame {
    package var picture: Picture { Picture(width: width, height: height, pixels: pixels) }

    /// The frame with its longer side at `limit` pixels. Large ones are halved first: bilinear resizing alone skips pixels.
    package func fitted(_ limit: Int) -> VideoFrame {
        var frame = self
        while max(frame.width, frame.height) >= 2 * limit, min(frame.width, frame.height) >= 2 {
            frame = frame.cropped(to: CropBox(left: 0, top: 0, width: frame.width / 2 * 2, height: frame.height / 2 * 2))
            frame = frame.resized(to: FrameSize(width: frame.width / 2, height: frame.height / 2))
        }
        let scale = Double(limit) / Double(max(width, height))
        return frame.resized(
            to: FrameSize(width: max(1, Int((Double(width) * scale).rounded())), height: max(1, Int((Double(height) * scale).rounded()))))
    }

    /// The frame with its last column and row repeated where it is smaller.
    func padded(to size: FrameSize) -> VideoFrame {
        guard size != self.size else { return self }
        var result: [UInt8] = []
        result.reserveCapacity(size.byteCount)
        for row in 0..<size.height {
            let start = min(row, height - 1) * width * 3
            let end = start + width * 3
            result += pixels[start..<end]
            for _ in width..<max(width, size.width) { result += pixels[end - 3..<end] }
        }
        return VideoFrame(width: size.width, height: size.height, pixels: result)
    }
}
