import ArgumentParser
import Charts
import Experiments
import Files
import Reports
import Tensors
import VideoData

struct VizClassesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "classes",
        abstract: "Draws how frequent the classes of a list are.",
        discussion: """
              vifi-prompt viz classes train.txt --labels labels.csv -o frequency.svg

            Classes stand from the most to the least frequent, as in figure 2 of the paper: base classes, the more \
            frequent half, and novel ones. The same as `data stats --plot`.
            """)

    @Argument(help: ArgumentHelp("List of `path label`; that of the newest run by default, else the pocket world's small one.", valueName: "list"))
    var list: String?
    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON.", valueName: "csv"))
    var labels: String?
    @OptionGroup var pictures: PictureOptions

    func validate() throws {
        guard list == nil || labels != nil else { throw ValidationError("The list's class names are missing; pass --labels CSV.") }
    }

    func run() throws {
        let output = try PictureOutput(pictures.output, name: "classes", endings: [".svg", ".png"], isForced: pictures.force)
        if list == nil, labels == nil, let run = KeptRun.newest(), run.record != nil, let classes = try run.classes() {
            Console.note("The training list of the newest run is drawn, \(run.path.escapedForDisplay). For another pass LIST --labels CSV.")
            return try draw(run.trainingList(), classes, to: output)
        }
        var (list, labels) = (list, labels)
        if list == nil {
            let set = try PocketHome.dataSet(.small(), pool: WorkerPool(), context: .commandLine)
            list = set.trainList
            labels = labels ?? set.labels
            Console.note("This is the pocket world's small training list. For your own pass LIST --labels CSV.")
        }
        guard let list, let labels else { throw SettingsError.incompleteData(missing: ["--labels"]) }
        let classes = try ClassNames.read(labels)
        for warning in classes.warnings { Console.warning(warning.description) }
        let read = try AnnotationList.read(list, classCount: classes.count)
        for warning in read.warnings { Console.warning(warning.description) }
        try draw(read, classes, to: output)
    }

    private func draw(_ list: AnnotationList, _ classes: ClassNames, to output: PictureOutput) throws {
        try output.write(
            frequencyChart(
                counts: list.clipCounts(classCount: classes.count), classes: classes,
                title: "Videos of each class, \(list.path.lastPathComponent)"), context: .commandLine)
    }
}
