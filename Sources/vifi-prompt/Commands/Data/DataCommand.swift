import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import VideoData

/// Everything about data sets that comes before learning.
struct DataCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "data",
        abstract: "Makes lists of videos from folders or published lists; splits, counts and checks them.",
        discussion: """
            Data for `learn`, `bridge` and `eval` are lists of `path label` and a CSV of class names. `init` makes \
            them from a folder of videos, `import` from the lists of well-known data sets.

              vifi-prompt data init videos/
              vifi-prompt data check videos/train.txt videos/val.txt
              vifi-prompt learn --recipe videos/recipe.yaml \\
                  --backbone ViT-B-16.safetensors
            """,
        subcommands: [
            DataInitCommand.self, DataImportCommand.self, DataSplitCommand.self, DataStatsCommand.self, DataCheckCommand.self,
            DataCheckWorkerCommand.self, VideoWorkerCommand.self,
        ])
}

/// What the subcommands that write lists have in common.
struct ListOutputOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("Folder for what is written; that of the videos by default, so that no --root is needed later.", valueName: "folder"))
    var output: String?

    @Flag(help: "Replace existing files.")
    var force = false

    @Flag(help: jsonHelp)
    var json = false

    func validate() throws { try OutputFolder.check(output) }
}

/// Lists that were written, as `--json` tells of them.
struct WrittenLists: Encodable {
    let folder: String
    /// For `learn --recipe`; nil where none was written.
    let recipe: String?
    let kind: String
    /// The folder that paths start from; nil where videos were not looked for.
    let root: String?
    let sources: [DataSummary.File]
    let lists: [DataSummary.File]
    /// Nil of captions.
    let classListSha256: String?
    let seed: UInt64?
    let drawsAreNested: Bool?

    init(_ summary: DataSummary, in folder: ListFolder, recipe: String? = nil, hasClasses: Bool = true) {
        self.folder = folder.path
        self.recipe = recipe
        kind = summary.kind
        root = summary.root.isEmpty ? nil : summary.root
        sources = summary.sources
        lists = summary.lists
        classListSha256 = hasClasses ? summary.classListSha256 : nil
        seed = summary.seed
        drawsAreNested = summary.drawsAreNested
    }
}

extension ListFolder {
    /// Adds a list of videos. Returns what a summary says of it.
    mutating func add(list name: String, _ clips: [AnnotatedClip]) -> DataSummary.File {
        add(name, AnnotationList.bytes(of: clips), clips: clips.count)
    }

    mutating func add(classes name: String, _ classes: ClassNames) -> DataSummary.File {
        add(name, classes.text, classes: classes.count)
    }

    /// Adds a recipe that names the lists.
    ///
    /// - Parameter root: where paths start from; the lists' own folder where nil.
    mutating func addRecipe(train: String, val: String?, test: String?, labels: String, root: String?, title: String) -> DataSummary.File {
        var recipe = Recipe()
        recipe.data.train = "./" + train
        recipe.data.val = val.map { "./" + $0 }
        recipe.data.test = test.map { "./" + $0 }
        recipe.data.labels = "./" + labels
        recipe.data.root = root.map { resolvedPath($0) ?? $0 }
        let place = path.appendingPath("recipe.yaml").escapedForDisplay
        return add(
            "recipe.yaml",
            """
            # \(title.escapedForDisplay)
            #
            #   vifi-prompt learn --recipe \(place) --backbone FILE
            #
            # ./ is the folder of this recipe. `vifi-prompt learn --help` names what else can be set,
            # `vifi-prompt recipe show few-shot/prompt` shows the paper's settings.

            """ + recipe.yaml)
    }
}

/// Says where paths start, if the folder of the lists does not tell.
func noteRoot(_ root: String, lists folder: String) {
    guard resolvedPath(root) != resolvedPath(folder) else { return }
    Console.note("Paths in these lists start from \(root.escapedForDisplay), not from their own folder: pass --root \(root.escapedForDisplay) with them.")
}
