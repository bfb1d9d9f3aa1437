import ArgumentParser
import CLIPModel
import Charts
import Experiments
import Files
import Reports
import Tensors
import Training
import VideoData

struct DataStatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Counts the videos of each class in lists; draws how frequent classes are.",
        discussion: """
              vifi-prompt data stats train.txt val.txt --labels labels.csv
              vifi-prompt data stats train.txt --labels labels.csv --plot frequency.svg \\
                  --plot frequency.png

            The plot shows the first list's classes by frequency, as figure 2 of the paper: base classes, the \
            more frequent half, and novel ones. --videos opens every video and tells sizes, frames and durations.
            """)

    @Argument(help: ArgumentHelp("Lists of `path label`.", valueName: "list"))
    var lists: [String]
    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON.", valueName: "csv"))
    var labels: String
    @Option(help: ArgumentHelp("Folder or tar archive that the paths in the lists start from; each list's own folder by default.", valueName: "folder"))
    var root: String?
    @Option(help: ArgumentHelp("Draw the frequency of classes, as .svg or .png. May be repeated.", valueName: "file"))
    var plot: [String] = []
    @Flag(help: "Overwrite files of --plot that vifi-prompt did not draw.")
    var force = false
    @Flag(help: "Open the videos too: sizes, frames, durations.")
    var videos = false
    @Flag(help: jsonHelp)
    var json = false
    @Option(help: "Threads that open videos; all processors by default.")
    var threads: Int?

    func validate() throws {
        for path in plot where !Chart.canWrite(to: path) {
            throw ValidationError("--plot is '\(path)'; charts are written as .svg or .png.")
        }
        try requireRange("--threads", threads, 1...1024)
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        struct Class: Encodable {
            let label: Int
            let `class`: String
            /// One for each list.
            let clips: [Int]
        }
        struct List: Encodable {
            let list: String
            let sha256: String
            let clips: Int
            let videos: VideoStatistics?
        }
        let classListSha256: String
        let lists: [List]
        let classes: [Class]
    }

    func run() throws {
        for path in plot {
            guard isDirectory(path.parentDirectory) else {
                throw FileError(path: path, problem: .cannotCreate(reason: "\(path.parentDirectory.escapedForDisplay) is not a directory"))
            }
            try PictureOutput.checkWritable(path, isForced: force)
        }
        let classes = try ClassNames.read(labels)
        for warning in classes.warnings { Console.warning(warning.description) }
        var read: [AnnotationList] = []
        for path in lists {
            let list = try AnnotationList.read(path, root: root, classes: classes)
            for warning in list.warnings { Console.warning(warning.description) }
            if let warning = list.emptyClassWarning(classes) { Console.warning(warning.description) }
            read.append(list)
        }
        tellClassFaults(classes, context: .commandLine)
        let counts = read.map { $0.clipCounts(classCount: classes.count) }
        let statistics = try videos ? read.map(statistics) : nil
        if json {
            var described: [Report.List] = []
            for (index, list) in read.enumerated() {
                described.append(
                    Report.List(list: list.path, sha256: try Digest.ofFile(list.path), clips: list.clips.count, videos: statistics?[index]))
            }
            let rows = classes.names.enumerated().map { label, name in
                Report.Class(label: label, class: name, clips: counts.map { $0[label] })
            }
            try Console.json(Report(classListSha256: classes.digest, lists: described, classes: rows))
        } else {
            show(classes, read, counts)
            for (list, statistics) in zip(read, statistics ?? []) { show(statistics, of: list) }
        }
        for path in plot {
            let chart = frequencyChart(counts: counts[0], classes: classes, title: "Videos of each class, \(lists[0].lastPathComponent)")
            try chart.write(to: path)
            Console.note("Wrote \(path.escapedForDisplay)")
        }
    }

    private func statistics(_ list: AnnotationList) throws -> VideoStatistics {
        let progress = ProgressReporter(list.path.lastPathComponent.escapedForDisplay, total: list.clips.count, unit: "videos")
        let checks = try VideoCheck.videos(
            of: list, threadCount: threads ?? WorkerPool.availableProcessors, decodes: false, followsLinks: true
        ) { progress.show($0) }
        progress.finish()
        return VideoStatistics(checks)
    }

    private func show(_ classes: ClassNames, _ lists: [AnnotationList], _ counts: [[Int]]) {
        let heads = lists.map(\.path.lastPathComponent.escapedForDisplay)
        let names = classes.names.map(\.escapedForDisplay)
        let width = max(5, names.map(\.count).max() ?? 0)
        func row(_ name: String, _ cells: [String]) -> String {
            name + String(repeating: " ", count: width - name.count)
                + zip(heads, cells).map { head, cell in
                    "  " + String(repeating: " ", count: max(0, max(head.count, 6) - cell.count)) + cell
                }.joined()
        }
        Console.result(row("class", heads))
        for (label, name) in names.enumerated() { Console.result(row(name, counts.map { "\($0[label])" })) }
        Console.result(row("all", lists.map { "\($0.clips.count)" }))
        for (head, counts) in zip(heads, counts) {
            let sorted = counts.sorted()
            let middle = VideoStatistics.text(median(counts.map(Double.init)) ?? 0)
            Console.result("\(head): \(sorted.first ?? 0) to \(sorted.last ?? 0) videos per class, median \(middle)")
        }
    }

    private func show(_ statistics: VideoStatistics, of list: AnnotationList) {
        func line(_ title: String, _ range: VideoStatistics.Range?, _ unit: String) {
            guard let range else { return }
            let text = VideoStatistics.text
            Console.result("  \(title): \(text(range.least)) to \(text(range.most))\(unit), median \(text(range.median))")
        }
        Console.result("\(list.path.lastPathComponent.escapedForDisplay): \(counted(statistics.readable, "video", "videos")) opened")
        line("frames", statistics.frames, "")
        line("duration", statistics.seconds, " s")
        line("frame rate", statistics.framesPerSecond, " a second")
        line("width", statistics.width, " pixels")
        line("height", statistics.height, " pixels")
        if statistics.unreadable > 0 {
            Console.warning("\(list.path.escapedForDisplay): \(counted(statistics.unreadable, "video", "videos")) cannot be opened. `vifi-prompt data check` names them.")
        }
    }
}

/// Ranges over the videos of a list.
struct VideoStatistics: Encodable {
    /// A whole number without decimals.
    static func text(_ value: Double) -> String {
        value == value.rounded() ? "\(Int(value))" : NumberText.decimal(value, places: value * 2 == (value * 2).rounded() ? 1 : 2)
    }

    struct Range: Encodable {
        let least: Double
        let median: Double
        let most: Double

        init?(_ values: [Double]) {
            let sorted = values.sorted()
            guard let first = sorted.first, let last = sorted.last else { return nil }
            least = first
            median = Tensors.median(sorted) ?? first
            most = last
        }
    }

    let readable: Int
    let unreadable: Int
    let frames: Range?
    let seconds: Range?
    let framesPerSecond: Range?
    let width: Range?
    let height: Range?

    init(_ checks: [VideoCheck]) {
        let infos = checks.compactMap(\.info)
        readable = infos.count
        unreadable = checks.count - infos.count
        // Of a part its own.
        frames = Range(checks.filter { $0.info != nil }.compactMap { $0.frameCount.map(Double.init) })
        seconds = Range(checks.compactMap { check in check.info.flatMap { check.part?.seconds ?? $0.durationSeconds } })
        framesPerSecond = Range(infos.compactMap(\.framesPerSecond))
        width = Range(infos.map { Double($0.width) })
        height = Range(infos.map { Double($0.height) })
    }
}
