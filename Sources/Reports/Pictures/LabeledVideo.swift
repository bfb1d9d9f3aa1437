import Charts
import Evaluation
import Experiments
import Files
import VideoData

/// A video with the labels of its time line drawn on: what `--save VIDEO.mp4` writes.
///
/// It is read once more and written anew at its own size and times, with a bar over its lower edge that names what each
/// moment shows. Memory holds a few frames of it, however long it is. Sound is left out. Sides of odd length grow by a
/// pixel, as H.264 demands.
package struct LabeledVideo {
    private let answer: VideoAnswer
    private let segments: [TimelineSegment]
    private let style: AnswerStyle

    package init(_ answer: VideoAnswer, segments: [TimelineSegment], style: AnswerStyle) {
        self.answer = answer
        self.segments = segments
        self.style = style
    }

    package static let ending = "mp4"

    /// Whether the name of a file asks for it.
    package static func isName(_ path: String) -> Bool { path.lowercased().hasSuffix("." + ending) }

    /// Every frame of a video, whole: windows of one frame each.
    ///
    /// - Parameter pictures: of which the region is left aside: all of the picture is shown.
    package static func request(_ path: String, pictures: PictureRules) -> VideoStreamRequest {
        var pictures = pictures
        pictures.region = nil
        let grid = WindowGrid(window: .frames(1), stride: .frames(1), sampleCount: 1)
        return VideoStreamRequest(path: path, grids: [grid], shortSide: nil, batchCount: 1, pictures: pictures)
    }

    /// - Parameters:
    ///   - stream: opened for `request` of the answer's video.
    ///   - report: told the seconds that are done, after each part; may throw to stop, which leaves no file.
    /// - Throws: `VideoError`, naming the video or the file; what `report` throws.
    package func write(_ stream: any VideoStreaming, to path: String, report: (Double) throws -> Void = { _ in }) throws {
        if !isDirectory(path.parentDirectory) { try createDirectory(path.parentDirectory) }
        var canvas: Page?
        var times: [Double] = []
        // Times of frames before this one are done with.
        var firstTime = 0
        // One thread: parts come in order, each from where the last one ended.
        let parts = Prefetcher(count: .max, threadCount: 1, capacity: 2) { _ in try stream.next() }
        defer { parts.cancel() }
        while let part = try parts.next() {
            times += part.times
            for frame in part.frames {
                if canvas == nil { canvas = try Page(path: path, size: frame.picture.size, outlook: stream.outlook) }
                for point in frame.points[0].clamped(to: firstTime..<firstTime + times.count) {
                    try canvas?.append(frame.picture, at: times[point - firstTime], bar: bar)
                }
                let done = min(times.count, max(0, frame.points[0].upperBound - firstTime))
                times.removeFirst(done)
                firstTime += done
            }
            try report(part.seconds)
            if part.isLast {
                try canvas.take()?.finish(at: part.seconds)
                return
            }
        }
    }

    /// What is shown at a moment.
    private func bar(at seconds: Double) -> LabelBar {
        // The segments cover the video; a frame that begins with its end belongs to the last.
        guard let segment = segments.first(where: { seconds < $0.end - 1e-6 }) ?? segments.last else { return LabelBar(label: "", value: "") }
        return LabelBar(
            label: style.name(segment.label, of: answer.model), value: segment.probability.map { percent(100 * Double($0)) } ?? "")
    }

    /// The file that is written.
    private struct Page: ~Copyable {
        private var writer: VideoFileWriter
        private let pictureSize: FrameSize
        private let size: FrameSize
        private let barHeight: Int
        /// The bar that was drawn last.
        private var drawn: (bar: LabelBar, picture: Picture)?

        init(path: String, size pictureSize: FrameSize, outlook: VideoOutlook) throws {
            self.pictureSize = pictureSize
            size = FrameSize(width: pictureSize.width + pictureSize.width % 2, height: pictureSize.height + pictureSize.height % 2)
            barHeight = LabelBar.height(width: size.width, height: size.height)
            writer = try VideoFileWriter(path: path, size: size, framesPerSecond: outlook.framesPerSecond, pixelAspect: outlook.pixelAspect)
        }

        mutating func append(_ picture: VideoFrame, at seconds: Double, bar: (Double) -> LabelBar) throws {
            let wanted = bar(seconds)
            if drawn?.bar != wanted { drawn = (wanted, try wanted.picture(width: size.width, height: barHeight)) }
            // A worker's word for a picture's size is not to be relied on.
            var page = (picture.size == pictureSize ? picture : picture.resized(to: pictureSize)).padded(to: size)
            if let drawn { Self.lay(drawn.picture.pixels, over: &page.pixels) }
            try writer.append(page, at: seconds)
        }

        /// The bar lets an eighth of the picture's light through.
        private static func lay(_ bar: [UInt8], over pixels: inout [UInt8]) {
            let start = pixels.count - bar.count
            for index in bar.indices { pixels[start + index] = UInt8((Int(bar[index]) * 7 + Int(pixels[start + index])) / 8) }
        }

        consuming func finish(at seconds: Double) throws { try writer.finish(at: seconds) }
    }
}
