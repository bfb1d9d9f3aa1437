import ArgumentParser
import CLIPModel
import Experiments
import Files
import VideoData

struct DataSplitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "split",
        abstract: "Divides a list into train, val and test, draws few-shot lists, or halves the classes into base and novel.",
        discussion: """
            Three parts: of each class, videos to learn from, to choose the best epoch on, and to score at the end, as train.txt, \
            val.txt and test.txt.

              vifi-prompt data split --train all.txt --labels labels.csv \\
                  --parts --output lists

            Few-shot: K videos of each class, for each K asked for. The draw of one seed for K videos holds the \
            draws for fewer.

              vifi-prompt data split --train train.txt --labels labels.csv \\
                  --shots 2,4,8,16

            Base to novel: the more frequent half of the classes is base, the other novel, each numbered from 0. \
            Equally frequent classes: those later in the list are base. Written are all videos of base, three draws \
            from them, s1 to s3, with the seed and the two after it, with --test the test videos of each half, and with \
            --val its validation videos.

              vifi-prompt data split --train train.txt --test test.txt \\
                  --labels labels.csv --base-novel

            split.json keeps the seed, and the SHA-256 of each list and of what it was drawn from.
            """)

    @Option(help: ArgumentHelp("List to draw from.", valueName: "list"))
    var train: String
    @Option(help: ArgumentHelp("Validation list, for --base-novel.", valueName: "list"))
    var val: String?
    @Option(help: ArgumentHelp("Test list, for --base-novel.", valueName: "list"))
    var test: String?
    @Flag(help: "Divide the list into train.txt, val.txt and test.txt.")
    var parts = false
    @OptionGroup var shares: PartOptions
    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON.", valueName: "csv"))
    var labels: String
    @Option(
        help: ArgumentHelp(
            "Folder or archive that the paths in the lists start from; by default what `data import` noted beside them, else each list's own folder.",
            valueName: "folder"))
    var root: String?
    @Option(
        help: ArgumentHelp("Videos of each class; several numbers with commas. 16 with --base-novel.", valueName: "numbers"),
        transform: ShotList.init(argument:))
    var shots: ShotList?
    @Flag(help: "Halve the classes by frequency.")
    var baseNovel = false
    @Option(help: "Draws from the base classes, s1, s2, …")
    var draws = 3
    @Option(help: "Seed of the first draw.")
    var seed = 1
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Folder for the lists; that of the training list by default, so that no --root is needed later.", valueName: "folder"))
    var output: String?
    @Flag(help: "Replace existing files.")
    var force = false
    @Flag(help: "Allow a video in two places of a draw.")
    var allowRepeats = false
    @Flag(help: jsonHelp)
    var json = false

    func validate() throws {
        try OutputFolder.check(output)
        guard seed >= 0 else { throw ValidationError("--seed is \(seed); it must be at least 0.") }
        try requireRange("--draws", draws, 1...100)
        guard parts || baseNovel || shots != nil else {
            throw ValidationError("Say which: --parts, --shots 2,4,8,16 or --base-novel.")
        }
        guard !parts || !baseNovel && shots == nil else { throw ValidationError("--parts goes without --shots and --base-novel.") }
        guard baseNovel || val == nil && test == nil else {
            throw ValidationError("--val and --test are for --base-novel; other lists are drawn from --train.")
        }
    }

    private var shotCounts: [Int] { shots?.values.sorted() ?? [16] }

    func run() throws {
        let classes = try ClassNames.read(labels)
        let list = try AnnotationList.read(train, root: start(of: train), classes: classes)
        for warning in classes.warnings + list.warnings { Console.warning(warning.description) }
        tellClassFaults(classes, context: .commandLine)
        var folder = ListFolder(output ?? train.parentDirectory)
        var summary = DataSummary(
            tool: "vifi-prompt \(vifiPromptVersion)", kind: parts ? "three parts" : baseNovel ? "base to novel" : "few-shot", root: list.root,
            sources: [try source(train, list.clips.count), DataSummary.File(labels, sha256: try Digest.ofFile(labels), classes: classes.count)],
            classListSha256: classes.digest, seed: UInt64(seed), drawsAreNested: true)
        if parts {
            let split = try shares.split(list.clips, classes: classes, seed: UInt64(seed), path: train)
            for warning in split.warnings { Console.warning(warning.description) }
            // A list without clips could not be read again.
            for (name, clips) in [("train.txt", split.train), ("val.txt", split.val), ("test.txt", split.test)] where !clips.isEmpty {
                summary.lists.append(folder.add(list: name, clips))
            }
        } else if baseNovel {
            try halve(list, classes, into: &folder, &summary)
        } else {
            for count in shotCounts {
                summary.lists.append(try draw(count, of: list, classes, seed: UInt64(seed), name: "\(stem(train))-\(count)-shot.txt", &folder))
            }
        }
        _ = folder.add(DataSummary.splitName, summary.json)
        try folder.write(isForced: force, inputs: [train, labels] + [val, test].compactMap(\.self))
        if json { try Console.json(WrittenLists(summary, in: folder)) } else { show(summary, in: folder) }
        noteRoot(list.root, lists: folder.path)
    }

    private func show(_ summary: DataSummary, in folder: ListFolder) {
        for file in summary.lists {
            let size = file.clips.map { counted($0, "video", "videos") } ?? counted(file.classes ?? 0, "class", "classes")
            Console.result("\(folder.path.appendingPath(file.file).escapedForDisplay): \(size), SHA-256 \(file.sha256.prefix(12))…")
        }
    }

    /// Where the paths of a list start: as said here, else as noted when the list was made, else its own folder.
    private func start(of list: String) -> String? { root ?? DataSummary.root(ofList: list) }

    private func source(_ path: String, _ clips: Int) throws -> DataSummary.File {
        DataSummary.File(path, sha256: try Digest.ofFile(path), clips: clips)
    }

    /// A list's name without its ending.
    private func stem(_ path: String) -> String {
        let name = path.lastPathComponent
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return name }
        return String(name[..<dot])
    }

    private func draw(
        _ count: Int, of list: AnnotationList, _ classes: ClassNames, seed: UInt64, name: String, _ folder: inout ListFolder
    ) throws -> DataSummary.File {
        let split = try FewShotSplit(of: list, shotCount: count, classes: classes, seed: seed)
        for warning in split.warnings { Console.warning("\(name.escapedForDisplay): \(warning)") }
        if !allowRepeats { try AnnotationList(path: list.path, root: list.root, clips: split.clips).refuseRepeatedDraws() }
        var file = folder.add(list: name, split.clips)
        file.shots = count
        file.seed = seed
        return file
    }

    private func halve(_ list: AnnotationList, _ classes: ClassNames, into folder: inout ListFolder, _ summary: inout DataSummary) throws {
        let halves = try BaseNovelSplit(of: list, classCount: classes.count)
        let baseClasses = halves.base.names(of: classes)
        summary.lists.append(folder.add(classes: "base-labels.csv", baseClasses))
        summary.lists.append(folder.add(classes: "novel-labels.csv", halves.novel.names(of: classes)))
        let base = AnnotationList(path: list.path, root: list.root, clips: halves.base.clips(of: list.clips))
        if !base.clips.isEmpty { summary.lists.append(folder.add(list: "base-train.txt", base.clips)) }
        for draw in 1...draws {
            for count in shotCounts {
                summary.lists.append(
                    try self.draw(
                        count, of: base, baseClasses, seed: UInt64(seed) + UInt64(draw - 1), name: "base-train-\(count)-shot-s\(draw).txt", &folder))
            }
        }
        if test == nil, val == nil { Console.note("Without --test there are no test lists of the halves.") }
        for (use, path) in [("val", val), ("test", test)] {
            guard let path else { continue }
            let scored = try AnnotationList.read(path, root: start(of: path), classes: classes)
            for warning in scored.warnings { Console.warning(warning.description) }
            summary.sources.append(try source(path, scored.clips.count))
            for (name, half) in [("base-\(use).txt", halves.base), ("novel-\(use).txt", halves.novel)] {
                let clips = half.clips(of: scored.clips)
                // A list without clips could not be read again.
                guard !clips.isEmpty else {
                    Console.warning("\(path.escapedForDisplay): no videos for \(name)")
                    continue
                }
                summary.lists.append(folder.add(list: name, clips))
            }
            if resolvedPath(scored.root) != resolvedPath(list.root) {
                Console.warning("the paths of \(train.escapedForDisplay) and \(path.escapedForDisplay) start from different folders.")
            }
        }
    }
}
