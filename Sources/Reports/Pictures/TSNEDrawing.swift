import CLIPModel
import Charts
import Evaluation
import Experiments
import Files
import Tensors
import Training
import VideoData

/// Lays videos out in the plane by their embeddings, as a folder of a chart, a table and metrics.
package struct TSNEDrawing {
    package let folder: String
    package var perplexity: Double?
    package var iterations = 1000
    package var seed = 1
    /// Up to this many videos all pairs are computed; beyond that the Barnes-Hut approximation is used.
    package var exactLimit = 2000
    private let context: RunContext

    package init(
        folder: String, perplexity: Double? = nil, iterations: Int = 1000, seed: Int = 1, exactLimit: Int = 2000, context: RunContext
    ) {
        self.folder = folder
        self.perplexity = perplexity
        self.iterations = iterations
        self.seed = seed
        self.exactLimit = exactLimit
        self.context = context
    }

    /// - Throws: where the folder is somebody else's or cannot be written, before videos are looked for.
    package func check() throws { _ = try places() }

    private func places() throws -> (files: PictureOutput, metrics: String) {
        // A table and metrics bear no mark of their own, so the folder must.
        try FolderMark.check(folder, Self.kind)
        return (try PictureOutput([folder + "/"], name: "tsne", endings: Self.endings, isForced: true), folder.appendingPath(Self.metricsName))
    }

    /// Writes the layout of these videos.
    package func layOut(_ pictures: PictureData, pool: WorkerPool) throws {
        let (output, metricsPath) = try places()
        // Videos cost more than seconds: what cannot work is said before them.
        if let perplexity, perplexity > Double(pictures.list.clips.count - 1) {
            throw EmbeddingError.perplexity(perplexity, count: pictures.list.clips.count)
        }
        let progress = context.progress("embeddings", total: pictures.list.clips.count, unit: "videos")
        let embeddings = try VideoEmbeddings(of: pictures.loader, by: pictures.classifier) { progress.show($0) }
        progress.finish()
        pictures.tellBadVideos(context)

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

        let agreement = ShownResult.clusters(
            count: classCount, width: pictures.classifier.backbone.architecture.embeddingWidth, embeddings: agreements[0], plane: agreements[1])
        let chart = Self.chart(of: embeddings, layout, pictures, agreements)
        let table = Self.table(of: embeddings, layout, pictures.classes, clusters: clusters)
        do {
            try FolderMark.claim(folder, Self.kind)
            for file in output.files {
                if file.ending == ".csv" { try DurableFile.write(table, to: file.path) } else { try chart.write(to: file.path) }
            }
            try DurableFile.write(json(report), to: metricsPath)
        } catch {
            // What cannot be written is said all the same.
            context.result(agreement)
            throw error
        }
        for path in output.files.map(\.path) + [metricsPath] { context.result(.file(.output, path: path)) }
        context.result(agreement)
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
        let vMeasures = agreements.map { NumberText.decimal($0.vMeasure, places: 3) }
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
                "\(embeddings.names[video].csvField),\(label),\(classes[label].csvField),"
                    + "\(layout.positions[0, video]),\(layout.positions[1, video]),\(clusters[0][video]),\(clusters[1][video])")
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
