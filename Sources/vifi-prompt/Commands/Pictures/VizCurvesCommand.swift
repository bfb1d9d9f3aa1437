import ArgumentParser
import Charts
import Experiments
import Files
import Foundation
import Reports
import VideoData

struct VizCurvesCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "curves",
        abstract: "Draws loss, learning rate and accuracy of runs over their steps and epochs.",
        discussion: """
              vifi-prompt viz curves runs/learn runs/learn-2 -o curves/
              vifi-prompt viz curves runs/learn-seeds

            A folder of seeds (learn --seeds) counts as its runs. Long runs are drawn as means of neighboring steps; \
            the axis says of how many. Without runs the newest one in runs/ is drawn.
            """)

    @Argument(help: ArgumentHelp("Folders of runs.", valueName: "run"))
    var runs: [String] = []
    @Option(name: .shortAndLong, help: ArgumentHelp("Folder of the charts; pictures/ by default.", valueName: "folder"))
    var output = PictureOutput.folder
    @Flag(help: "Overwrite existing files that vifi-prompt did not draw.")
    var force = false

    func validate() throws { try OutputFolder.check(output) }

    func run() throws {
        let names = ["loss", "learning-rate", "accuracy"]
        let outputs = try names.map { try PictureOutput([output + "/"], name: "curves-\($0)", endings: [".svg", ".png"], isForced: force) }
        let logs = try chosen().map { try RunLog.read($0.path, name: $0.name) }
        for (chart, output) in zip(RunLog.charts(of: logs), outputs) {
            if let chart { try output.write(chart, context: .commandLine) }
        }
    }

    private func chosen() throws -> [(path: String, name: String)] {
        guard runs.isEmpty else {
            let found = try runs.flatMap { run in
                if RunLog.isRun(run) { return [(path: run, name: run)] }
                let parts = ((try? directoryEntries(run)) ?? []).map { run.appendingPath($0) }.filter(RunLog.isRun)
                guard !parts.isEmpty else { throw PictureError.noRun(path: run) }
                return parts.map { (path: $0, name: $0) }
            }
            guard found.count <= RunLog.limit else { throw PictureError.tooManyRuns(count: found.count, limit: RunLog.limit) }
            return found
        }
        let folder = BackboneFinder.runsFolder
        let newest = ((try? directoryEntries(folder)) ?? []).map { folder.appendingPath($0) }.filter(RunLog.isRun)
            .max { RunLog.modified($0) < RunLog.modified($1) }
        guard let newest else { throw PictureError.noRun(path: nil) }
        Console.note("The newest run: \(newest.escapedForDisplay). For others name their folders.")
        return [(newest, newest)]
    }
}
