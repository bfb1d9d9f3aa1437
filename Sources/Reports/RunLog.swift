import Charts
import Experiments
import Files
import Foundation
import Training
import VideoData

/// How a run went.
package struct RunLog {
    package private(set) var name: String
    package private(set) var loss: [Curve.Point] = []
    package private(set) var rate: [Curve.Point] = []
    /// In percent, by epoch.
    package private(set) var top1: [Curve.Point] = []
    package private(set) var top5: [Curve.Point] = []
    /// Whether these are R@1 and R@5 of text → video.
    package private(set) var hasCaptions = false
    /// Whether losses are those of epochs.
    package private(set) var isByEpoch = false
    /// Of all steps together.
    package private(set) var clips = 0.0
    package private(set) var seconds = 0.0
    /// Of these, waiting for videos.
    package private(set) var waitingSeconds = 0.0

    /// Runs whose curves differ in dash or marker.
    package static let limit = 24
    /// Points of a curve that are still told apart.
    private static let pointLimit = 200
    private static let byteLimit = 1 << 30

    private static let metricsName = "metrics.jsonl"
    private static let resultsName = "results.csv"

    package static func isRun(_ path: String) -> Bool {
        fileExists(path.appendingPath(metricsName)) || fileExists(path.appendingPath(resultsName))
    }

    package static func modified(_ path: String) -> Date {
        let attributes = try? FileManager.default.attributesOfItem(atPath: path.appendingPath(metricsName))
        return attributes?[.modificationDate] as? Date ?? .distantPast
    }

    package static func read(_ run: String, name: String) throws -> RunLog {
        var log = RunLog(name: name)
        let metrics = run.appendingPath(metricsName)
        if fileExists(metrics) { try log.readMetrics(metrics) }
        if log.loss.isEmpty { try log.readResults(run.appendingPath(resultsName)) }
        // Among five classes or fewer every answer is among the best five.
        if let classes = try? ClassNames.read(run.appendingPath("split/labels.csv")), classes.count <= 5 { log.top5 = [] }
        guard !log.loss.isEmpty || !log.top1.isEmpty else { throw PictureError.emptyLog(path: metrics) }
        return log
    }

    private struct Line: Decodable {
        let step: Double?
        let epoch: Double?
        let loss: Double?
        let rate: Double?
        let top1: Double?
        let top5: Double?
        /// Of captions, in the place of these.
        let recall1: Double?
        let recall5: Double?
        let clips: Double?
        let seconds: Double?
        let waiting: Double?

        enum CodingKeys: String, CodingKey {
            case step, epoch, loss, clips, seconds
            case waiting = "waiting_seconds"
            case rate = "learning_rate"
            case top1 = "val_top1"
            case top5 = "val_top5"
            case recall1 = "val_text_to_video_r1"
            case recall5 = "val_text_to_video_r5"
        }
    }

    private mutating func readMetrics(_ path: String) throws {
        let bytes = try InputFile.contents(of: path, limit: Self.byteLimit)
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let decoder = JSONDecoder()
        for (number, bytes) in lines.enumerated() where !bytes.isEmpty {
            guard let line = try? decoder.decode(Line.self, from: Data(bytes)) else {
                // A run that is being written, or was cut off, ends in the middle of a line.
                if number == lines.count - 1 { return }
                throw PictureError.log(path: path, line: number + 1)
            }
            if let step = line.step {
                loss.append(Curve.Point(step, line.loss ?? .nan))
                rate.append(Curve.Point(step, line.rate ?? .nan))
                clips += line.clips ?? 0
                seconds += line.seconds ?? 0
                waitingSeconds += line.waiting ?? 0
            } else if let epoch = line.epoch {
                if let value = line.top1 ?? line.recall1 { top1.append(Curve.Point(epoch, value)) }
                if let value = line.top5 ?? line.recall5 { top5.append(Curve.Point(epoch, value)) }
                if line.recall1 != nil { hasCaptions = true }
            }
        }
    }

    /// Where only the table of epochs is left.
    private mutating func readResults(_ path: String) throws {
        guard fileExists(path) else { return }
        let bytes = try InputFile.contents(of: path, limit: Self.byteLimit)
        // A run that died in its first epoch has written nothing there.
        guard !bytes.isEmpty else { return }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false)
        guard let header = lines.first?.split(separator: ",").map(String.init), header.first == "epoch" else {
            throw PictureError.log(path: path, line: 1)
        }
        (loss, top1, top5, isByEpoch) = ([], [], [], true)
        for (number, line) in lines.enumerated().dropFirst() where !line.isEmpty {
            let fields = line.split(separator: ",", omittingEmptySubsequences: false)
            guard fields.count == header.count, let epoch = Double(fields[0]) else { throw PictureError.log(path: path, line: number + 1) }
            func value(_ name: String) -> Double? { header.firstIndex(of: name).flatMap { Double(fields[$0]) } }
            if let value = value("training_loss") { loss.append(Curve.Point(epoch, value)) }
            if let value = value("val_top1") ?? value("val_text_to_video_r1") { top1.append(Curve.Point(epoch, value)) }
            if let value = value("val_top5") ?? value("val_text_to_video_r5") { top5.append(Curve.Point(epoch, value)) }
            if value("val_text_to_video_r1") != nil { hasCaptions = true }
        }
    }

    // MARK: Charts

    /// Loss, learning rate and accuracy; nil where no run has any.
    package static func charts(of logs: [RunLog]) -> [Chart?] {
        let logs = logs.shortened
        let runs = logs.map(\.name).joined(separator: ", ")
        let steps = logs.map(\.loss.count).max() ?? 0
        let block = max(1, (steps + pointLimit - 1) / pointLimit)
        func chart(_ title: String, _ horizontal: String, _ vertical: Axis, _ curves: [Curve]) -> Chart? {
            let shown = curves.filter { !$0.points.isEmpty }
            guard !shown.isEmpty else { return nil }
            let last = shown.prefix(8).map { "\($0.name) ends at \($0.points.last.map { String(format: "%.4g", $0.y) } ?? "nothing")" }
            return Chart(
                title: "\(title): \(runs)", summary: last.joined(separator: "; ") + ".", horizontal: Axis(horizontal, isWhole: true),
                vertical: vertical, content: .lines(shown))
        }
        let byEpoch = logs.allSatisfy(\.isByEpoch)
        let lossAxis = block > 1 ? "loss, mean of \(block) steps" : "loss"
        // One run needs no name for its curve, but top-1 and top-5 do.
        let accuracies = logs.flatMap { log -> [Curve] in
            let prefix = logs.count > 1 ? log.name + ", " : ""
            let one = Curve(prefix + (log.hasCaptions ? "text → video R@1" : "top-1"), log.top1)
            return logs.count > limit / 2 ? [one] : [one, Curve(prefix + (log.hasCaptions ? "text → video R@5" : "top-5"), log.top5)]
        }
        return [
            chart("Loss", byEpoch ? "epoch" : "step", Axis(lossAxis), logs.map { Curve($0.name, means(of: $0.loss, block)) }),
            chart("Learning rate", "step", Axis("learning rate"), logs.map { Curve($0.name, $0.rate) }),
            chart("Accuracy on the test list", "epoch", .percent("percent"), accuracies),
        ]
    }

    /// Means of neighbors, each at the middle of its block.
    private static func means(of points: [Curve.Point], _ block: Int) -> [Curve.Point] {
        guard block > 1 else { return points }
        return stride(from: 0, to: points.count, by: block).map { start in
            let part = points[start..<min(start + block, points.count)]
            let count = Double(part.count)
            return Curve.Point(part.reduce(0) { $0 + $1.x } / count, part.reduce(0) { $0 + $1.y } / count)
        }
    }

    fileprivate func named(_ name: String) -> RunLog {
        var log = self
        log.name = name
        return log
    }
}

extension [RunLog] {
    /// Names without what they all begin with.
    fileprivate var shortened: [RunLog] {
        guard count > 1 else { return map { $0.named($0.name.lastPathComponent) } }
        let parts = map { $0.name.split(separator: "/") }
        let least = (parts.map(\.count).min() ?? 1) - 1
        let common = (0..<Swift.max(0, least)).prefix { place in parts.allSatisfy { $0[place] == parts[0][place] } }.count
        return zip(self, parts).map { $0.named($1.dropFirst(common).joined(separator: "/")) }
    }
}
