import Charts
import Evaluation
import Experiments
import Files
import Tensors
import Training
import VideoData

/// Confusion, classes, and the videos that were taken for another class.
package struct ReportVideos {
    package typealias Cell = ReportTable.Cell

    package let material: ReportMaterial
    /// Strips of frames of the whole page.
    package let videoLimit: Int

    package init(material: ReportMaterial, videoLimit: Int) {
        self.material = material
        self.videoLimit = videoLimit
    }

    /// Evaluations that are shown in full; a page of all of a large protocol would be too large to open.
    private static let evaluationLimit = 8
    /// A chart of more classes is too large for a page.
    private static let chartLimit = 200
    private static let worstLimit = 8
    private static let frameCount = 6
    private static let tilePixels = 144

    private var shown: [ReportEvaluation] { Array(material.evaluations.prefix(Self.evaluationLimit)) }

    private var leftOut: [HTML] {
        let rest = material.evaluations.dropFirst(Self.evaluationLimit)
        guard !rest.isEmpty else { return [] }
        return [
            .paragraph(
                "The first \(Self.evaluationLimit) of \(material.evaluations.count) evaluations are shown. For the others make reports of their own: "
                    + rest.prefix(4).map(\.path).joined(separator: ", ") + (rest.count > 4 ? ", …" : "") + ".", "note")
        ]
    }

    // MARK: Classes

    package func classes() throws -> ReportSection {
        var blocks: [HTML] = []
        for evaluation in shown where !evaluation.classes.isEmpty || evaluation.confusion != nil {
            blocks.append(.element("h3", text: evaluation.name))
            if let confusion = evaluation.confusion {
                if confusion.names.count <= Self.chartLimit || confusion.isTooLarge {
                    let errors = confusion.mostFrequentErrors(5)
                    blocks.append(
                        try ReportPage.figure(
                            confusion.chart,
                            caption: "Rows are true classes; shades and numbers are shares of their videos in percent."
                                + (errors.isEmpty ? "" : " Most often taken for another: \(errors.joined(separator: "; ")).")))
                } else {
                    blocks.append(.paragraph("The chart of \(confusion.names.count) classes is left out; `viz confusion` draws it.", "note"))
                }
            }
            if !evaluation.classes.isEmpty { blocks.append(.element("details", isOpen(evaluation), [.element("summary", text: "Each class"), classTable(evaluation).html])) }
        }
        return ReportSection("Classes", blocks.isEmpty ? [] : leftOut + blocks)
    }

    private func isOpen(_ evaluation: ReportEvaluation) -> [(String, String)] { evaluation.classes.count <= 60 ? [("open", "open")] : [] }

    private func classTable(_ evaluation: ReportEvaluation) -> ReportTable {
        ReportTable(
            "Classes of \(evaluation.name), worst first", ["class", "videos", "right", "top-1 %", "precision %", "recall %", "F1 %"],
            worst(evaluation.classes).map { result in
                .init(
                    [.init(result.name), ReportResults.number(result.videos), ReportResults.number(result.correct)]
                        + [result.top1, result.precision, result.recall, result.f1].map(ReportResults.share))
            })
    }

    /// Classes without videos last.
    private func worst(_ classes: [ReportFiles.ClassResult]) -> [ReportFiles.ClassResult] {
        classes.enumerated().sorted { ($0.element.top1 ?? 101, $0.offset) < ($1.element.top1 ?? 101, $1.offset) }.map(\.element)
    }

    // MARK: Videos

    /// A video that is shown, and of which evaluation.
    package struct WorstVideo {
        package let evaluation: ReportEvaluation
        package let video: ReportFiles.Video
    }

    /// Of the worst classes of each evaluation the videos whose wrong answer was surest; the limit is shared by evaluations
    /// and classes.
    package func worstVideos(_ limit: Int) -> [WorstVideo] {
        let candidates = shown.filter { !($0.wrong ?? []).isEmpty }
        var result: [WorstVideo] = []
        for (index, evaluation) in candidates.enumerated() {
            // What earlier ones did not need goes to the later ones.
            let share = (limit - result.count + candidates.count - index - 1) / (candidates.count - index)
            let wrong = evaluation.wrong ?? []
            let names = worst(evaluation.classes).prefix(Self.worstLimit).map(\.name)
            var queues = (names.isEmpty ? Array(Set(wrong.map(\.class))).sorted() : Array(names)).map { name in
                wrong.filter { $0.class == name }.sorted { ($0.probability, $1.name) > ($1.probability, $0.name) }[...]
            }
            var chosen: [ReportFiles.Video] = []
            while chosen.count < share, queues.contains(where: { !$0.isEmpty }) {
                for place in queues.indices where chosen.count < share { if let video = queues[place].popFirst() { chosen.append(video) } }
            }
            // Videos of a class stand together, the worst class first.
            let order = Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
            result += chosen.enumerated().sorted { (order[$0.element.class] ?? 0, $0.offset) < (order[$1.element.class] ?? 0, $1.offset) }
                .map { WorstVideo(evaluation: evaluation, video: $0.element) }
        }
        return result
    }

    package func videos() throws -> ReportSection {
        let all = shown.reduce(0) { $0 + ($1.wrong?.count ?? 0) }
        let videos = worstVideos(videoLimit)
        guard !videos.isEmpty else {
            let none = shown.contains { $0.wrong != nil } && all == 0
            return ReportSection("Videos taken for another class", none ? [.paragraph("No video was taken for another class.")] : [])
        }
        var blocks: [HTML] = [
            .paragraph(
                videos.count < all
                    ? "\(videos.count) of \(all) videos are shown, of the worst classes those whose wrong answer was surest; --videos N shows more."
                    : "All \(all) videos that were taken for another class.")
        ]
        var heading = ""
        for entry in videos {
            let video = entry.video
            let result = entry.evaluation.classes.first { $0.name == video.class }
            let share = result?.top1.map { ": \(percent($0)) of \(counted(result?.videos ?? 0, "video", "videos"))" } ?? ""
            let words = "\(entry.evaluation.name): \(video.class)\(share)"
            if words != heading { blocks.append(.element("h3", text: words)) }
            heading = words
            blocks.append(try strip(of: entry))
        }
        return ReportSection("Videos taken for another class", blocks)
    }

    private func strip(of entry: WorstVideo) throws -> HTML {
        let video = entry.video
        let truth = video.top.first { $0.class == video.class }?.probability
        let words = "\(video.name): taken for \"\(video.predictedClass)\", \(percent(100 * video.probability)); "
            + "the true class came as number \(video.rank)" + (truth.map { ", \(percent(100 * $0))" } ?? "") + "."
        let path = entry.evaluation.videoPath(video.video)
        guard fileExists(path) || StoredVideo.exists(path) else {
            return .element("figure", [], [.paragraph("The video is not there any more: \(path)", "note"), .element("figcaption", text: words)])
        }
        do {
            let picture = try Self.frames(of: path, video.part)
            return ReportPage.figure(
                try picture.png(), type: "image/png", words: "\(Self.frameCount) frames of \(video.name), a video of \(video.class)", caption: words,
                kind: "strip", video: fileExists(path) ? path : nil)
        } catch let error as VideoError {
            return .element("figure", [], [.paragraph("The video cannot be shown: \(error.description)", "note"), .element("figcaption", text: words)])
        }
    }

    /// Frames beside each other, evenly spread over the video or its part.
    private static func frames(of path: String, _ part: ClipPart?) throws -> Picture {
        let video = try openVideo(path)
        let shown = try video.frames(of: part, path: path)
        let indices = FrameSampler(sampleCount: frameCount).testIndices(frameCount: shown.count).map { shown.lowerBound + $0 }
        let tiles = try video.frames(at: indices) { $0.fitted(tilePixels) }
        let (width, height) = (tiles[0].width, tiles[0].height)
        let gap = 4
        var pixels: [UInt8] = []
        pixels.reserveCapacity((width + gap) * tiles.count * height * 3)
        for row in 0..<height {
            for (index, tile) in tiles.enumerated() {
                if index > 0 { pixels += [UInt8](repeating: 255, count: gap * 3) }
                pixels += tile.pixels[row * width * 3..<(row + 1) * width * 3]
            }
        }
        return Picture(width: width * tiles.count + gap * (tiles.count - 1), height: height, pixels: pixels)
    }
}
