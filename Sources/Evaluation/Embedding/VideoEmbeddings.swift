import CLIPModel
import Tensors
import VideoData

/// Where the videos of a list lie in the space that CLIP's towers share.
package struct VideoEmbeddings: Sendable {
    /// `[videos, embeddingWidth]`, unit length.
    package let points: Matrix
    package let labels: [Int]
    /// Paths, with the times of parts behind them.
    package let names: [String]

    /// Clips that go through the model together.
    private static let batchSize = 16

    /// - Parameters:
    ///   - loader: of test clips; of several views the first counts.
    ///   - report: called with the number of videos done so far.
    /// - Throws: what the loader throws; `ModelError` where embeddings are not numbers.
    package init(of loader: ClipLoader, by classifier: CLIPClassifier, report: (Int) throws -> Void = { _ in }) throws {
        let stream = loader.clips()
        defer { stream.cancel() }
        var (values, labels, names): ([Float], [Int], [String]) = ([], [], [])
        while true {
            let batch = try stream.next(Self.batchSize)
            if batch.isEmpty { break }
            let clips = batch.compactMap(\.views.first)
            for embedding in try classifier.embeddings(clips: clips.map(\.matrix)) { values += embedding }
            labels += batch.map(\.label)
            names += batch.map { loader.list.clips[$0.videoIndex].name }
            try report(labels.count)
        }
        let width = classifier.backbone.architecture.embeddingWidth
        points = MutableMatrix(rows: labels.count, columns: width, values).reading
        self.labels = labels
        self.names = names
    }
}
