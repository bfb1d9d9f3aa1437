import ArgumentParser
import Charts
import Evaluation
import Files
import Tensors
import Training
import VideoData

struct VizTSNECommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tsne",
        abstract: "Lays videos out in the plane by their embeddings, and says how well clusters are classes.",
        discussion: """
              vifi-prompt viz tsne --val val.txt --labels labels.csv --prompts prompts.safetensors -o tsne/

            Writes tsne.svg, tsne.png, tsne.csv (place and cluster of each video) and metrics.json: homogeneity, \
            completeness and V-measure (paper, table 11) of k-means clusters, as many as classes, among the embeddings \
            and in the plane. The same videos and seed give the same places on one machine.
            """)

    @OptionGroup(title: "Videos") var data: VideoListOptions
    @OptionGroup(title: "Model") var model: ModelOptions
    @OptionGroup(title: "Prompts") var prompts: PromptOptions
    @Option(help: "About how many neighbors of a video count; 30 by default, or a third of the videos where there are few.")
    var perplexity: Double?
    @Option(help: "Steps of t-SNE.")
    var iterations = 1000
    @Option(help: "Seed of k-means, and of t-SNE's start where videos do not spread.")
    var seed = 1
    @Option(help: ArgumentHelp("Up to so many videos every pair counts; more go by Barnes and Hut.", valueName: "videos"))
    var exactLimit = 2000
    @Option(name: .shortAndLong, help: ArgumentHelp("Folder for what is written.", valueName: "folder"))
    var output = PictureOutput.folder.appendingPath("tsne")

    func validate() throws {
        guard (1...100_000).contains(iterations) else { throw ValidationError("--iterations is \(iterations); 1 to 100000 make sense.") }
        guard seed >= 0 else { throw ValidationError("--seed is \(seed); whole numbers from 0.") }
        guard (0...20_000).contains(exactLimit) else { throw ValidationError("--exact-limit is \(exactLimit); 0 to 20000 make sense.") }
        if let perplexity, !(perplexity >= 1 && perplexity.isFinite) {
            throw ValidationError("--perplexity is \(perplexity); at least 1.")
        }
    }

    func run() throws {
        // What cannot be written is said before videos are looked for.
        _ = try places()
        let pool = model.pool
        try layOut(PictureData(data: try data.options, model: model, prompts: prompts, template: data.template, pool: pool), pool: pool)
    }

    private func places() throws -> (files: PictureOutput, metrics: String) {
        // A table and metrics bear no mark of their own, so the folder must.
        try FolderMark.check(output, Self.kind)
        return (try PictureOutput([output + "/"], name: "tsne", endings: Self.endings, isForced: true), output.appendingPath(Self.metricsName))
    }

    /// Writes the layout of these videos.
    func layOut(_ pictures: PictureData, pool: WorkerPool) throws {
        let (output, metricsPath) = try places()
        // Videos cost more than seconds: what cannot work is said before them.
        if let perplexity, perplexity > Double(pictures.list.clips.count - 1) {
            throw EmbeddingError.perplexity(perplexity, count: pictures.list.clips.count)
        }
        let progress = ProgressReporter("embeddings", total: pictures.list.clips.count, unit: "videos")
        let embeddings = try VideoEmbeddings(of: pictures.loader, by: pictures.classifier) { progress.show($0) }
        progress.finish()
        pictures.tellBadVideos()

        var configuration = TSNE.Configuration()
        configuration.perplexity = perplexity
        configuration.iterations = iterations
        configuration.seed = UInt64(seed)
        configuration.exactLimit = exactLimit
        let layout = try TSNE.layOut(embeddings.points, configuration, pool: pool)
        let classCount = Set(embeddings.labels).count
        let kMeans = KMeans(clusterCount: classCount, seed: UInt64(seed))
        let plane = MutableMatrix(
            rows: embeddings.labels.count, columns: 2,
            embeddings.labels.indices.flatMap { [layout.positions[0, $0], layout.positions[1, $0]] })
        let clusters = [embeddings.points, plane.reading].map { kMeans.clusters(of: $0, pool: pool).clusters }
        let agreements = clusters.map { ClusterAgreement(classes: embeddings.labels, clusters: $0) }
        let report = TSNEReport(
            pictures, embeddings, layout, configuration, clusters: classCount, embedding: agreements[0], plane: agreements[1])

        func line(_ space: String, _ agreement: ClusterAgreement) -> [String] {
            [space] + [agreement.homogeneity, agreement.completeness, agreement.vMeasure].map { ProgressReporter.decimal($0, places: 4) }
        }
        let width = pictures.classifier.backbone.architecture.embeddingWidth
        let clusterTable = alignedTable([
            ["clusters, k = \(classCount)", "homogeneity", "completeness", "V-measure"],
            line("embeddings, \(width) dimensions", agreements[0]), line("t-SNE, 2 dimensions", agreements[1]),
        ])
        let chart = Self.chart(of: embeddings, layout, pictures, agreements)
        let table = Self.table(of: embeddings, layout, pictures.classes, clusters: clusters)
        do {
            try FolderMark.claim(self.output, Self.kind)
            for file in output.files {
                if file.ending == ".csv" { try DurableFile.write(table, to: file.path) } else { try chart.write(to: file.path) }
            }
            try DurableFile.write(json(report), to: metricsPath)
        } catch {
            // What cannot be written is said all the same.
            Console.result(clusterTable)
            throw error
        }
        for path in output.files.map(\.path) + [metricsPath] { Console.result(path.escapedForDisplay) }
        Console.result(clusterTable)
    }

    private static let endings = [".svg", ".png", ".csv"]
    private static let metricsName = "metrics.json"
    private static let kind = FolderKind(name: "tsne", entries: endings.map { "tsne" + $0 } + [metricsName])

    private static func chart(
        of embeddings: VideoEmbeddings, _ layout: TSNE.Result, _ pictures: PictureData, _ agreements: [ClusterAgreement]
    ) -> Chart {
        let groups = Dictionary(grouping: embeddings.labels.indices) { embeddings.labels[$0] }
        let curves = groups.sorted { $0.key < $1.key }.map { label, videos in
            Curve(
                pictures.classes[label],
                videos.map { Curve.Point(Double(layout.positions[0, $0]), Double(layout.positions[1, $0])) })
        }
        let vMeasures = agreements.map { ProgressReporter.decimal($0.vMeasure, places: 3) }
        return Chart(
            title: "t-SNE, \(pictures.list.path.lastPathComponent), \(pictures.subject.summary): V-measure \(vMeasures[0])",
            summary: "\(embeddings.labels.count) videos of \(curves.count) classes by t-SNE with a perplexity of \(layout.perplexity). "
                + "V-measure \(vMeasures[0]) among the embeddings, \(vMeasures[1]) in the plane.",
            content: .groups(curves))
    }

    private static func table(
        of embeddings: VideoEmbeddings, _ layout: TSNE.Result, _ classes: ClassNames, clusters: [[Int]]
    ) -> String {
        var lines = ["path,label,class,x,y,cluster,plane_cluster"]
        for (video, label) in embeddings.labels.enumerated() {
            lines.append(
                "\(embeddings.paths[video].csvField),\(label),\(classes[label].csvField),"
                    + "\(layout.positions[0, video]),\(layout.positions[1, video]),\(clusters[0][video]),\(clusters[1][video])")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}

/// The test videos of a picture.
struct VideoListOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Videos: lines `path label`, labels counted from 0; those of the newest run by default, `pocket` for the pocket world's.", valueName: "list"))
    var val: String?

    @Option(help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON; the row is the label.", valueName: "csv"))
    var labels: String?

    @Option(help: ArgumentHelp("Folder that the paths in the list start from; the list's own folder by default.", valueName: "folder"))
    var root: String?

    @Option(help: "Frames of a video; as many as the prompts were learned with by default.")
    var frames: Int?

    @Option(help: ArgumentHelp("Words around a class name where no text prompts are learned, with {} in its place.", valueName: "words"))
    var template: String?

    @Flag(help: "Allow the list to reach videos outside the root through symbolic links.")
    var followLinks = false

    @Option(
        name: .customLong("on-bad-video"),
        help: ArgumentHelp("Videos that cannot be decoded: fail (the default) or skip.", valueName: "policy"))
    var badVideoPolicy: BadVideoPolicy?

    func validate() throws {
        if let frames, !(1...1024).contains(frames) { throw ValidationError("--frames is \(frames); 1 to 1024 make sense.") }
        guard val == nil || labels != nil || val == CaptionOptions.pocketName else { throw ValidationError("The list's class names are missing; pass --labels CSV.") }
    }

    /// As the commands that learn have them.
    var options: DataOptions {
        get throws {
            var options = try DataOptions.parse([])
            options.val = val
            options.labels = labels
            options.videos.root = root
            options.videos.frames = frames
            options.videos.followLinks = followLinks
            options.videos.badVideoPolicy = badVideoPolicy
            return options
        }
    }
}
