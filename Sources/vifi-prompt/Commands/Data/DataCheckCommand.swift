import ArgumentParser
import CLIPModel
import Experiments
import Files
import Tensors
import Training
import VideoData

struct DataCheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Decodes every frame of every video of lists and names those that are broken.",
        discussion: """
              vifi-prompt data check train.txt val.txt
              vifi-prompt data check train.txt --write-good good.txt

            Broken is what no clip can be read from. What plays but is odd, such as videos with damaged frames, is \
            told as well; --strict counts it as broken. Of a line `path start end label` the part is decoded. Ends with status 65 where anything is broken. Videos are \
            decoded in processes of their own, so that one that crashes the decoder is one more that is broken.
            """)

    @Argument(help: ArgumentHelp("Lists of `path label` or `path start end label`.", valueName: "list"))
    var lists: [String]
    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`; then labels are checked, too.", valueName: "csv"))
    var labels: String?
    @Option(help: ArgumentHelp("Folder or tar archive that the paths in the lists start from; each list's own folder by default.", valueName: "folder"))
    var root: String?
    @Option(help: ArgumentHelp("Write the list without its broken videos. For one list at a time.", valueName: "list"))
    var writeGood: String?
    @Flag(help: "Count odd videos as broken.")
    var strict = false
    @Flag(help: "Allow videos outside the root through symbolic links.")
    var followLinks = false
    @Flag(help: "Replace an existing list of --write-good.")
    var force = false
    @Flag(help: jsonHelp)
    var json = false
    @Option(help: "Videos that are decoded at once; as many as there are processors by default.")
    var threads: Int?

    func validate() throws {
        guard writeGood == nil || lists.count == 1 else { throw ValidationError("--write-good is for one list at a time.") }
        try requireRange("--threads", threads, 1...1024)
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        struct Video: Encodable {
            let list: String
            let video: String
            /// Of a part, in seconds.
            let start: Double?
            let end: Double?
            let label: Int
            let isBroken: Bool
            let reasons: [String]
        }
        var videos = 0
        var broken = 0
        var odd = 0
        var findings: [Video] = []
    }

    func run() throws {
        let classes = try labels.map({ try ClassNames.readTold($0, context: .commandLine) })
        var read: [AnnotationList] = []
        // All lists are read before the first video is decoded.
        for path in lists { read.append(try AnnotationList.read(path, root: root, classes: classes)) }
        if let writeGood, !force, fileExists(writeGood) {
            throw DatasetError(path: writeGood.parentDirectory, problem: .wouldOverwrite(files: [writeGood.lastPathComponent]))
        }
        if let writeGood {
            try refuseOverInputs([writeGood], inputs: lists + [labels].compactMap(\.self))
            // Before videos are decoded, not after them.
            try proveWritable(file: writeGood)
        }
        var report = Report()
        var good: [AnnotatedClip] = []
        for list in read {
            for warning in list.warnings { Console.warning(warning.description) }
            if let classes { tellClassFaults(classes, list, context: .commandLine) }
            good = try check(list, &report)
        }
        if json {
            try Console.json(report)
        } else {
            for video in report.findings {
                for reason in video.reasons { Console.result("\(video.isBroken ? "broken" : "odd"): \(reason)") }
            }
            Console.result("\(counted(report.videos, "video", "videos")), \(report.broken) broken, \(report.odd) odd")
        }
        // Last, as it may be that nothing can be written.
        if let writeGood, let list = read.first { try write(good, of: list, to: writeGood) }
        if report.broken > 0 { throw ExitCode(ExitStatus.badData.rawValue) }
    }

    /// Returns the clips whose videos are sound.
    private func check(_ list: AnnotationList, _ report: inout Report) throws -> [AnnotatedClip] {
        let progress = ProgressReporter("check \(list.path.lastPathComponent.escapedForDisplay)", total: list.clips.count, unit: "videos")
        let workers = VideoCheckWorkers()
        let checks = try VideoCheck.videos(
            of: list, threadCount: threads ?? WorkerPool.availableProcessors, followsLinks: followLinks,
            check: { try workers.check($0, part: $1, index: $2) }, report: { progress.show($0) })
        workers.end()
        progress.finish()
        var good: [AnnotatedClip] = []
        for check in checks {
            let clip = list.clips[check.index]
            let isBroken = check.fault != nil || strict && !check.oddities.isEmpty
            if !isBroken { good.append(clip) }
            report.videos += 1
            if isBroken { report.broken += 1 } else if !check.oddities.isEmpty { report.odd += 1 }
            guard isBroken || !check.oddities.isEmpty else { continue }
            let place = list.fullName(clip).escapedForDisplay
            report.findings.append(
                Report.Video(
                    list: list.path, video: clip.path, start: clip.part?.start, end: clip.part?.end, label: clip.label, isBroken: isBroken,
                    reasons: (check.fault.map { [$0] } ?? []) + check.oddities.map { "\(place): \($0)" }))
        }
        return good
    }

    private func write(_ good: [AnnotatedClip], of list: AnnotationList, to path: String) throws {
        guard !good.isEmpty else { throw DatasetError(path: list.path, problem: .noClips) }
        try createDirectory(path.parentDirectory)
        try DurableFile.write(AnnotationList.bytes(of: good), to: path)
        Console.note("Wrote \(path.escapedForDisplay), \(good.count) of \(list.clips.count) videos")
        noteRoot(list.root, lists: path.parentDirectory)
    }
}
