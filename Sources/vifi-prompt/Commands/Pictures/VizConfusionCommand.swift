import ArgumentParser
import Charts
import Evaluation
import Experiments
import Files
import Reports
import Training
import VideoData

struct VizConfusionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confusion",
        abstract: "Draws which classes are taken for which.",
        discussion: """
              vifi-prompt viz confusion runs/evaluation
              vifi-prompt viz confusion confusion.csv -o confusion.png

            Each row is a true class; its shades are the share of its videos in percent. Without a folder the \
            newest run is evaluated now on its own test list.
            """)

    @Argument(help: ArgumentHelp("Folder of an evaluation, or its confusion.csv.", valueName: "path"))
    var path: String?
    @OptionGroup var pictures: PictureOptions
    @Option(help: "Threads of the model, where one is asked; all processors by default.")
    var threads: Int?

    func validate() throws {
        try requireRange("--threads", threads, 1...1024)
    }

    func run() throws {
        let output = try PictureOutput(pictures.output, name: "confusion", endings: [".svg", ".png"], isForced: pictures.force)
        let table = try path.map(ConfusionTable.read) ?? evaluated()
        if table.isTooLarge { Console.note("\(table.names.count) classes are too many for a chart: those with the most errors are drawn.") }
        try output.write(table.chart, context: .commandLine)
        for line in table.mostFrequentErrors(5) { Console.note(line) }
    }

    private func evaluated() throws -> ConfusionTable {
        let context = RunContext.commandLine
        let model = ModelInputs(threads: threads)
        let data = try PictureData(
            data: PictureVideos(), model: model, prompts: nil, anyBackbone: false, template: nil, pool: model.pool(context), context: context)
        let progress = ProgressReporter("confusion", total: data.list.clips.count, unit: "videos")
        let predictions = try Evaluator(data.classifier).predictions(of: data.loader) { progress.show($0) }
        progress.finish()
        let metrics = ClassificationMetrics(predictions: predictions, classNames: data.classes.names)
        return ConfusionTable(source: data.list.path.lastPathComponent, names: data.classes.names, counts: metrics.confusions)
    }
}
