import ArgumentParser
import CLIPModel
import Experiments
import Files
import VideoData

struct DataInitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init",
        abstract: "Makes lists, class names and a recipe from a folder that holds a folder of videos for each class.",
        discussion: """
              videos/jump/a.mp4  videos/jump/b.mp4  videos/walk/c.mp4  …

              vifi-prompt data init videos/
              vifi-prompt learn --recipe videos/recipe.yaml \\
                  --backbone ViT-B-16.safetensors

            Some videos of each class are set aside for testing, drawn by chance. A folder that is divided into \
            train/ and val/ (or test/, or both) already keeps its division; folders without videos, such as annotations/, may \
            stand beside them. Class folders may lie in folders (sports/golf, sports/tennis) and may hold folders (golf/cam1, \
            tennis/cam1). A folder of pictures is a video of as many frames.
            """)

    @Argument(help: ArgumentHelp("Folder with a folder of videos for each class.", valueName: "folder"))
    var folder: String

    @Option(help: ArgumentHelp("Share of each class that is tested on; at least one video stays on either side.", valueName: "share"))
    var valShare = 0.2

    @Option(help: ArgumentHelp("Videos of each class that are tested on, instead of a share.", valueName: "videos"))
    var valClips: Int?

    @Option(help: "Seed of the draw.")
    var seed = 1

    @Flag(help: "Split class names such as ApplyEyeMakeup and apply_eye_makeup into words.")
    var humaniseLabels = false

    @OptionGroup var output: ListOutputOptions

    @Flag(help: "Allow videos that are both learned from and tested on, as files or by their bytes.")
    var allowSharedVideos = false

    func validate() throws {
        guard seed >= 0 else { throw ValidationError("--seed is \(seed); it must be at least 0.") }
        guard valShare > 0 && valShare < 1 else { throw ValidationError("--val-share is \(valShare); it must be between 0 and 1.") }
        if let valClips, valClips < 1 { throw ValidationError("--val-clips is \(valClips); it must be at least 1.") }
    }

    func run() throws {
        let found = try ClassFolders(root: folder)
        let classes = humaniseLabels ? found.classes.humanised : found.classes
        let (train, val, warnings) = try divided(found, classes)
        let checks = ListChecks(
            train: AnnotationList(path: folder, root: folder, clips: train), validation: AnnotationList(path: folder, root: folder, clips: val))
        if !allowSharedVideos { try checks.refuseSharedVideos() }
        // Of a folder that is drawn from, `warnings` names classes of one video.
        let untested = found.valClips == nil ? [] : checks.warnings(classes)
        sayWhatIsLeftOut(found, found.classes.warnings + warnings + untested)

        var files = ListFolder(output.output ?? folder)
        var lists = [files.add(list: "train.txt", train)]
        if !val.isEmpty { lists.append(files.add(list: "val.txt", val)) }
        if let test = found.testClips, !test.isEmpty { lists.append(files.add(list: "test.txt", test)) }
        lists.append(files.add(classes: "labels.csv", classes))
        let isApart = resolvedPath(folder) != resolvedPath(files.path)
        _ = files.addRecipe(
            train: "train.txt", val: val.isEmpty ? nil : "val.txt", labels: "labels.csv", root: isApart ? folder : nil,
            title: "Learns the \(classes.count) classes of \(folder) from \(train.count) videos; \(val.count) are tested on.")
        let summary = DataSummary(
            tool: "vifi-prompt \(vifiPromptVersion)", kind: "folder per class", root: resolvedPath(folder) ?? folder, lists: lists,
            classListSha256: classes.digest, seed: found.valClips == nil ? UInt64(seed) : nil)
        _ = files.add(DataSummary.importName, summary.json)
        try files.write(isForced: output.force)
        Console.result(
            "\(counted(classes.count, "class", "classes")), \(counted(train.count, "video", "videos")) to learn from, \(val.count) to test on")
        Console.result("recipe: \(files.path.appendingPath("recipe.yaml").escapedForDisplay)")
        Console.note("Next: vifi-prompt learn --recipe \(files.path.appendingPath("recipe.yaml").escapedForDisplay) --backbone FILE")
    }

    private func divided(
        _ found: ClassFolders, _ classes: ClassNames
    ) throws -> (train: [AnnotatedClip], val: [AnnotatedClip], [DatasetWarning]) {
        if let val = found.valClips {
            Console.note("The folder is divided into training and test videos already; that is kept.")
            if let test = found.testClips {
                Console.note("\(counted(test.count, "video", "videos")) below test/ go to test.txt: score them once, when nothing is chosen any more.")
            }
            return (found.clips, val, [])
        }
        let amount: TrainValSplit.Amount = valClips.map { .count($0) } ?? .share(valShare)
        let split = try TrainValSplit(found.clips, classes: classes, val: amount, seed: UInt64(seed), path: folder)
        return (split.train, split.val, split.warnings)
    }

    private func sayWhatIsLeftOut(_ found: ClassFolders, _ warnings: [DatasetWarning]) {
        for warning in warnings { Console.warning(warning.description) }
        if !found.otherFiles.isEmpty {
            Console.warning("\(counted(found.otherFiles.count, "file is no video", "files are no videos")): \(shortList(found.otherFiles))")
        }
        if !found.innerFolders.isEmpty {
            let folders = counted(found.innerFolders.count, "folder inside a class folder holds", "folders inside class folders hold")
            Console.warning("\(folders) no videos: \(shortList(found.innerFolders))")
        }
        if !found.emptyFolders.isEmpty {
            Console.warning(
                "\(counted(found.emptyFolders.count, "folder holds no videos and gives", "folders hold no videos and give")) no class: "
                    + shortList(found.emptyFolders))
        }
        if let level = found.level {
            Console.note(
                level.isInner
                    ? "Folders lie in folders: the inner ones name the classes, \(shortList(found.classes.names, limit: 3))."
                    : "Folders lie in class folders: the outer ones name the classes, \(shortList(found.classes.names, limit: 3)).")
        }
        tellClassFaults(found.classes, context: .commandLine)
    }
}
