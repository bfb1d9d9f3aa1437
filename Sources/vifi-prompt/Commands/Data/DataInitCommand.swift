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

            Of each class, some videos are set aside to choose the best epoch on (val.txt) and some to score at the end \
            (test.txt), drawn by chance. A folder that is divided into train/ and val/ (or test/, or both) already keeps its division; folders without videos, such as annotations/, may \
            stand beside them. Class folders may lie in folders (sports/golf, sports/tennis) and may hold folders (golf/cam1, \
            tennis/cam1). A folder of pictures is a video of as many frames.
            """)

    @Argument(help: ArgumentHelp("Folder with a folder of videos for each class.", valueName: "folder"))
    var folder: String

    @OptionGroup var parts: PartOptions

    @Option(help: "Seed of the draw.")
    var seed = 1

    @Flag(help: "Split class names such as ApplyEyeMakeup and apply_eye_makeup into words.")
    var humaniseLabels = false

    @OptionGroup var output: ListOutputOptions

    @Flag(help: "Allow videos that are both learned from and tested on, as files or by their bytes.")
    var allowSharedVideos = false

    func validate() throws {
        guard seed >= 0 else { throw ValidationError("--seed is \(seed); it must be at least 0.") }
    }

    func run() throws {
        let found = try ClassFolders(root: folder)
        let classes = humaniseLabels ? found.classes.humanised : found.classes
        let (train, val, test, warnings) = try divided(found, classes)
        func list(_ clips: [AnnotatedClip]) -> AnnotationList { AnnotationList(path: folder, root: folder, clips: clips) }
        let scored = [val, test].filter { !$0.isEmpty }.map(list)
        if !allowSharedVideos { try ListChecks.refuseSharedVideos(among: [list(train)] + scored) }
        // Of a folder that is drawn from, `warnings` names classes of few videos.
        let untested = found.isDivided ? scored.flatMap { ListChecks(train: list(train), validation: $0).warnings(classes) } : []
        sayWhatIsLeftOut(found, found.classes.warnings + warnings + untested)

        var files = ListFolder(output.output ?? folder)
        var lists = [files.add(list: "train.txt", train)]
        if !val.isEmpty { lists.append(files.add(list: "val.txt", val)) }
        if !test.isEmpty { lists.append(files.add(list: "test.txt", test)) }
        lists.append(files.add(classes: "labels.csv", classes))
        let isApart = resolvedPath(folder) != resolvedPath(files.path)
        _ = files.addRecipe(
            train: "train.txt", val: val.isEmpty ? nil : "val.txt", test: test.isEmpty ? nil : "test.txt", labels: "labels.csv", root: isApart ? folder : nil,
            title: "Learns the \(classes.count) classes of \(folder) from \(train.count) videos, \(Self.amounts(val, test)).")
        let summary = DataSummary(
            tool: "vifi-prompt \(vifiPromptVersion)", kind: "folder per class", root: resolvedPath(folder) ?? folder, lists: lists,
            classListSha256: classes.digest, seed: found.isDivided ? nil : UInt64(seed))
        _ = files.add(DataSummary.importName, summary.json)
        try files.write(isForced: output.force)
        let recipe = files.path.appendingPath("recipe.yaml")
        if output.json {
            try Console.json(WrittenLists(summary, in: files, recipe: recipe))
        } else {
            Console.result(
                "\(counted(classes.count, "class", "classes")), \(counted(train.count, "video", "videos")) to learn from, \(Self.amounts(val, test))")
            Console.result("recipe: \(recipe.escapedForDisplay)")
        }
        Console.note("Next: vifi-prompt learn --recipe \(recipe.escapedForDisplay) --backbone FILE")
    }

    /// What is done with the videos that are not learned from, in words.
    private static func amounts(_ val: [AnnotatedClip], _ test: [AnnotatedClip]) -> String {
        "\(val.count) to choose the best epoch on, \(test.count) to score at the end"
    }

    private func divided(
        _ found: ClassFolders, _ classes: ClassNames
    ) throws -> (train: [AnnotatedClip], val: [AnnotatedClip], test: [AnnotatedClip], [DatasetWarning]) {
        if found.isDivided {
            Console.note("The folder is divided into parts already; that is kept.")
            return (found.clips, found.valClips ?? [], found.testClips ?? [], [])
        }
        let split = try parts.split(found.clips, classes: classes, seed: UInt64(seed), path: folder)
        return (split.train, split.val, split.test, split.warnings)
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
