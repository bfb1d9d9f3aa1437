import ArgumentParser
import CLIPModel
import Experiments
import Files
import VideoData

struct DataImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Brings the lists of a published data set, or labels of an annotation program, into this program's form.",
        discussion: """
            Files are known by their content. Give those of one data set, or the folder that holds them:

              Kinetics-400, -600, -700    train.csv, validate.csv: label,youtube_id,time_start,time_end,split
              UCF-101                     classInd.txt, trainlist01.txt, testlist01.txt
              HMDB-51                     the folder of <class>_test_split1.txt
              Something-Something v2      labels.json, train.json, validation.json
              ViFi-CLIP, X-CLIP           lists of `path label`, labels CSV `id,name`
              Text4Vis, EZ-CLIP           lists of `path frames label`, labels CSV `id,name`
              Open-VCLIP                  CSV `path,label`, class names as JSON
              MSR-VTT                     MSRVTT_data.json, MSRVTT_JSFUSION_test.csv, MSRVTT_train.9k.csv
              mmaction2                   lists of `path label` or `path frames label`, label_map.txt

            Or those of one annotation program, whose labels of parts of videos become lines `path start end label`:

              ELAN                        .eaf, one for each video; --tier names the tier
              Label Studio                JSON: timelinelabels, labels in seconds, choices for whole videos
              CVAT                        "CVAT for video 1.1", XML: tracks, and tags by frame
              Create ML                   JSON or CSV: video, label, start, end
              this program                .csv and .json of `predict --save`

              vifi-prompt data import ucfTrainTestlist/ --root UCF-101/
              vifi-prompt data import interviews/*.eaf --tier actions --root videos/

            Videos are looked for below --root under the published path, else by name with any ending, where that \
            can mean one video only: the folder of the class decides, else a name that occurs once. What is \
            written: train.txt, val.txt (train1.txt, val1.txt where splits are numbered), labels.csv, recipe.yaml, \
            and data.json with the SHA-256 of every file read and written. MSR-VTT has captions and no classes: \
            train.csv and test.csv.
            """)

    @Argument(help: ArgumentHelp("Lists and label files of one data set, or their folder.", valueName: "file"))
    var files: [String]

    @Option(help: ArgumentHelp("Folder that holds the videos.", valueName: "folder"))
    var root: String?

    @Option(help: ArgumentHelp("Of ELAN files, the tier whose annotations are labels; not needed where only one has any.", valueName: "name"))
    var tier: String?

    @Option(
        help: ArgumentHelp(
            "Where annotations count frames: so many are a second, such as the frameRate of Label Studio's Video tag. By default the videos' own "
                + "time stamps tell when a frame is shown.", valueName: "number"))
    var frameRate: Double?

    @Flag(help: "Leave out videos that are not there, or of which it cannot be told which is meant, and count them, instead of refusing.")
    var skipMissing = false

    @Flag(help: "Split class names such as ApplyEyeMakeup and apply_eye_makeup into words.")
    var humaniseLabels = false

    @OptionGroup var output: ListOutputOptions

    @Flag(help: "Allow videos that are both learned from and tested on, as files or by their bytes.")
    var allowSharedVideos = false

    func validate() throws {
        guard root != nil || output.output != nil else {
            throw ValidationError("Say with --root where the videos are; or, to write lists without looking for videos, with --output where to.")
        }
        if let frameRate, !(frameRate > 0 && frameRate <= 1000) { throw ValidationError("--frame-rate is \(frameRate); it must be above 0 and at most 1000.") }
        guard root != nil || !skipMissing else { throw ValidationError("--skip-missing needs --root, where videos are looked for.") }
    }

    func run() throws {
        var published: [PublishedFile] = []
        for file in files { published += try PublishedFile.files(at: file) }
        if try ImportedCaptions.takes(published) { return try importCaptions(published) }
        if ImportedAnnotations.takes(published) { return try importAnnotations(published) }
        guard tier == nil, frameRate == nil else { throw ValidationError("--tier and --frame-rate are about files of annotation programs.") }
        var set = try ImportedSet(published, root: root)
        Console.note(
            "\(set.kind): \(counted(published.count, "file", "files")), \(counted(set.classes.count, "class", "classes")), "
                + set.parts.map { "\($0.name) \($0.clips.count)" }.joined(separator: ", "))
        if let root {
            let index = try VideoIndex(root: root)
            Console.note("\(counted(index.count, "video", "videos")) below \(root.escapedForDisplay)")
            try set.locate(in: index, skipsMissing: skipMissing)
            try set.checkFrameCounts(root: root)
        } else {
            Console.note("Without --root videos are not looked for; paths are as published.")
        }
        try finish(set, published)
    }

    private func importAnnotations(_ published: [PublishedFile]) throws {
        let annotations = try ImportedAnnotations(published, options: .init(tier: tier, frameRate: frameRate))
        let index = try root.map { root in try VideoIndex(root: root) }
        let set = try annotations.set(in: index, skipsMissing: skipMissing)
        let clips = set.parts.flatMap(\.clips)
        Console.note(
            "\(set.kind): \(counted(published.count, "file", "files")), \(counted(set.classes.count, "class", "classes")), "
                + "\(counted(clips.count { $0.part != nil }, "part", "parts")) and \(counted(clips.count { $0.part == nil }, "whole video", "whole videos"))")
        if root == nil { Console.note("Without --root videos are not looked for; paths are as in the files.") }
        try finish(set, published)
        Console.note("All of them are to learn from; `vifi-prompt data split --parts` sets some aside to choose on and to score.")
    }

    private func finish(_ imported: ImportedSet, _ published: [PublishedFile]) throws {
        var set = imported
        let shared = try allowSharedVideos ? [] : set.refuseSharedVideos(root: root)
        if humaniseLabels { set.classes = set.classes.humanised }
        for warning in set.warnings + shared + set.emptyClassWarnings { Console.warning(warning.description) }
        tellClassFaults(set.classes, context: .commandLine)
        try write(set, published)
    }

    private static func amount(_ clips: [AnnotatedClip]) -> String {
        clips.contains { $0.part != nil } ? counted(clips.count, "clip", "clips") : counted(clips.count, "video", "videos")
    }

    private func importCaptions(_ published: [PublishedFile]) throws {
        guard !humaniseLabels else { throw ValidationError("--humanise-labels is about class names; these lists have captions.") }
        var set = try ImportedCaptions(published)
        Console.note(
            "\(set.kind): \(counted(published.count, "file", "files")), "
                + set.parts.map { "\($0.name) \($0.list.captions.count) captions of \($0.list.videos.count) videos" }.joined(separator: ", "))
        if let note = set.note { Console.note(note) }
        if let root {
            let index = try VideoIndex(root: root)
            Console.note("\(counted(index.count, "video", "videos")) below \(root.escapedForDisplay)")
            try set.locate(in: index, skipsMissing: skipMissing)
        } else {
            Console.note("Without --root videos are not looked for; paths are as published.")
        }
        if !allowSharedVideos { try set.refuseSharedVideos(root: root) }
        for warning in set.warnings { Console.warning(warning.description) }
        var folder = ListFolder(output.output ?? root ?? ".")
        let lists = set.parts.map { folder.add($0.name + ".csv", $0.list.bytes, clips: $0.list.captions.count) }
        let summary = try write(&folder, kind: set.kind, sources: published, lists: lists, classes: ClassNames([]))
        if output.json {
            try Console.json(WrittenLists(summary, in: folder, hasClasses: false))
        } else {
            for part in set.parts {
                Console.result(
                    "\(folder.path.appendingPath(part.name).escapedForDisplay).csv: "
                        + "\(counted(part.list.captions.count, "caption", "captions")) of \(counted(part.list.videos.count, "video", "videos"))")
            }
        }
        if let root { noteRoot(root, lists: folder.path) }
    }

    /// Writes the lists, and what they were made from, which it returns.
    private func write(
        _ folder: inout ListFolder, kind: String, sources published: [PublishedFile], lists: [DataSummary.File], classes: ClassNames
    ) throws -> DataSummary {
        var sources: [DataSummary.File] = []
        for file in published {
            sources.append(DataSummary.File(file.path.lastPathComponent, sha256: try Digest.ofFile(file.path)))
        }
        let summary = DataSummary(
            tool: "vifi-prompt \(vifiPromptVersion)", kind: kind, root: root.map { resolvedPath($0) ?? $0 } ?? "", sources: sources, lists: lists,
            classListSha256: classes.digest)
        _ = folder.add(DataSummary.importName, summary.json)
        try folder.write(isForced: output.force, inputs: published.map(\.path))
        return summary
    }

    private func write(_ set: ImportedSet, _ published: [PublishedFile]) throws {
        var folder = ListFolder(output.output ?? root ?? ".")
        var lists: [DataSummary.File] = []
        for part in set.parts { lists.append(folder.add(list: part.name + ".txt", part.clips)) }
        lists.append(folder.add(classes: "labels.csv", set.classes))
        func part(_ use: String) -> ImportedSet.Part? {
            set.parts.first { $0.name.hasPrefix(use) } ?? set.parts.first { $0.name.contains(use) }
        }
        let train = part("train")
        // The numbered splits of UCF-101 and HMDB-51 are published as test lists, which results are told of.
        let isTest = part("val").map { $0.name != "val" } ?? false
        let val = isTest ? nil : part("val")
        let test = isTest ? part("val") : part("test")
        let isApart = root.map { resolvedPath($0) != resolvedPath(folder.path) } ?? false
        if let train {
            _ = folder.addRecipe(
                train: train.name + ".txt", val: val.map { $0.name + ".txt" },
                test: test.map { $0.name + ".txt" }, labels: "labels.csv", root: isApart ? root : nil,
                title: "\(set.kind): learns \(set.classes.count) classes from \(Self.amount(train.clips)).")
        }
        let summary = try write(&folder, kind: set.kind, sources: published, lists: lists, classes: set.classes)
        if output.json {
            try Console.json(WrittenLists(summary, in: folder, recipe: train.map { _ in folder.path.appendingPath("recipe.yaml") }))
        } else {
            for part in set.parts {
                Console.result("\(folder.path.appendingPath(part.name).escapedForDisplay).txt: \(Self.amount(part.clips))")
            }
            Console.result("\(folder.path.appendingPath("labels.csv").escapedForDisplay): \(counted(set.classes.count, "class", "classes"))")
        }
        if let root { noteRoot(root, lists: folder.path) }
    }
}
