import ArgumentParser
import CLIPModel
import Experiments
import Files
import Recipes
import Reports
import Training

struct ReportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "report",
        abstract: "Makes one HTML page of runs, evaluations, protocols and grids: settings, results, pictures, cost.",
        discussion: """
              vifi-prompt report runs/learn runs/eval -o report.html
              vifi-prompt report runs/evaluate-base-to-novel --attention 4 --tsne \\
                  -o report.html

            Folders are searched with all that is below them. The page needs no network and nothing besides itself: \
            charts, frames of videos and tables are in it, the paper's numbers beside ours (Checkpoints/published.yaml). \
            A folder whose files are damaged is refused; videos that are gone are named in the page.
            """)

    @Argument(
        help: ArgumentHelp(
            "Folders that learn, bridge, evaluate, ablate or viz wrote, or folders of such; the newest run in runs/ by default.", valueName: "folder"))
    var named: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("The page.", valueName: "file"))
    var output = "report.html"

    @Option(help: ArgumentHelp("Heading of the page.", valueName: "words"))
    var title: String?

    @Option(help: ArgumentHelp("How many wrongly labeled videos to show, from the worst classes.", valueName: "count"))
    var videos = 12

    @Option(help: ArgumentHelp("How many of these to show with maps of what the model looked at; runs the model again.", valueName: "count"))
    var attention = 0

    @Flag(help: "Lay the videos of the evaluations out by t-SNE now; those that `viz tsne` laid out are shown anyway.")
    var tsne = false

    @Flag(help: "Replace an existing page.")
    var force = false

    @Flag(help: allowRepeatsHelp)
    var allowRepeats = false

    @Flag(help: "Do not say how to open the page.")
    var openNothing = false

    @OptionGroup(title: "Model, for --attention and --tsne") var model: ModelOptions

    func validate() throws {
        try requireRange("--videos", videos, 0...500)
        try requireRange("--attention", attention, 0...100)
        guard [".html", ".htm"].contains(where: output.lowercased().hasSuffix) else {
            throw ValidationError("-o \(output.escapedForDisplay): the page is HTML; give it a name that ends with .html.")
        }
    }

    func run() throws {
        try PictureOutput.checkWritable(output, isForced: true)
        guard force || !fileExists(output) else { throw ReportError.exists(path: output) }
        let folders = try named.isEmpty ? [newest()] : named
        if !allowRepeats { try RepeatedFile.refuse(among: folders) }
        try refuseOverInputs([output], inputs: folders)
        let material = try ReportMaterial(folders)
        if !allowRepeats { try SameRuns.refuse(among: material.runs.map(\.path)) }
        let page = try page(material, folders)
        let text = page.html
        try createDirectory(output.parentDirectory)
        try DurableFile.write(text, to: output)
        Console.result(output.escapedForDisplay)
        if !openNothing { Console.note("\(bytes(text.utf8.count)). Open it with any browser.") }
    }

    private func newest() throws -> String {
        guard let run = KeptRun.newest() else { throw ValidationError("Missing expected argument '<folder>': nothing was learned in \(BackboneFinder.runsFolder)/ that could be meant.") }
        Console.note("The newest run: \(run.path.escapedForDisplay). For others name their folders.")
        return run.path
    }

    private func page(_ material: ReportMaterial, _ folders: [String]) throws -> ReportPage {
        let results = ReportResults(material: material)
        let videos = ReportVideos(material: material, videoLimit: self.videos)
        let pool = model.pool
        let models = ReportModels(material: material, model: model.inputs, pool: pool, context: .commandLine)
        let settings = ReportSettings(material: material)
        let explained = attention == 0 ? [] : videos.worstVideos(attention)
        if attention > 0, explained.isEmpty, !material.evaluations.contains(where: { $0.wrong != nil }) {
            throw ReportError.noEvaluation(option: "--attention")
        }
        return ReportPage(
            title: title ?? "vifi-prompt report: " + folders.map { (resolvedPath($0) ?? $0).lastPathComponent }.filter { !$0.isEmpty }.prefix(3).joined(separator: ", "),
            introduction: introduction(material, folders),
            sections: [
                results.section(), try results.paper(PaperTables(), KnownDataSets()), try results.curves(), try results.grids(), try videos.classes(),
                try videos.videos(), try models.attention(of: explained), try models.layouts(computes: tsne), settings.section(),
                try settings.cost(),
            ])
    }

    private func introduction(_ material: ReportMaterial, _ folders: [String]) -> [HTML] {
        let kinds: [(count: Int, one: String, many: String)] = [
            (material.runs.count, "run", "runs"), (material.evaluations.count, "evaluation", "evaluations"),
            (material.protocols.count, "protocol", "protocols"), (material.grids.count, "grid", "grids"),
            (material.retrievals.count, "retrieval", "retrievals"), (material.clusters.count, "t-SNE layout", "t-SNE layouts"),
        ]
        let counts = kinds.filter { $0.count > 0 }.map { counted($0.count, $0.one, $0.many) }
        var parts: [HTML] = []
        let pocket = material.ofPocket
        if !pocket.isEmpty {
            // A grid has no videos of its own: its runs have.
            let isAll = pocket.count == material.names.count - material.grids.count
            parts.append(
                .paragraph(
                    (isAll ? "This is the pocket world: " : "Of the pocket world are \(pocket.prefix(8).joined(separator: ", "))\(pocket.count > 8 ? ", …" : ""): ")
                        + "small drawn videos and a CLIP of 1.5 million parameters. It shows that method and code work; "
                        + "its percentages say nothing about real videos.", isAll ? "warning" : "note"))
        }
        parts.append(.paragraph("\(counts.joined(separator: ", ")) in \(folders.map { "“\($0)”" }.joined(separator: ", ")). Made by vifi-prompt \(vifiPromptVersion)."))
        if !material.runs.isEmpty, material.evaluations.isEmpty, material.retrievals.isEmpty {
            parts.append(
                .paragraph(
                    "There is no evaluation among them, so nothing can be said about classes and videos: `vifi-prompt evaluate list --output FOLDER` makes one.",
                    "note"))
        }
        return parts + material.notes.map { .paragraph($0, "note") }
    }
}
