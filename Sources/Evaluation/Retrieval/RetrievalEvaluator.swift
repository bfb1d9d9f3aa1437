import CLIPModel
import Tensors
import VideoData

/// Looks for the videos of a list by their captions, and for the captions by their videos.
package struct RetrievalEvaluator {
    /// Clips that go through the model together.
    private static let batchSize = 16

    /// What came out; positions are those of the list that was given.
    package struct Outcome: Sendable {
        package let metrics: RetrievalMetrics
        /// Videos that could be read, and captions of these: candidates and queries are numbered among them.
        package let videos: [Int]
        package let captions: [Int]
        package let textToVideo: [RetrievalAnswer]
        package let videoToText: [RetrievalAnswer]
        package let retrieval: Retrieval
    }

    /// Where an evaluation is, for progress.
    package enum Stage: Sendable { case videos, captions }

    package let encoder: PairEncoder
    private let pool: WorkerPool

    package init(_ encoder: PairEncoder, pool: WorkerPool) {
        self.encoder = encoder
        self.pool = pool
    }

    /// - Parameters:
    ///   - sequences: tokens of the list's captions.
    ///   - loader: of the list's `videos`. Videos that its policy skips leave with their captions.
    ///   - bestCount: candidates kept of each query.
    ///   - report: called with the stage and how many of it are done.
    /// - Throws: what the loader or `report` throws; `ModelError` where vectors are not numbers.
    package func outcome(
        of list: CaptionList, sequences: [[Int]], loader: ClipLoader, bestCount: Int = 10,
        report: (Stage, Int) throws -> Void = { _, _ in }
    ) throws -> Outcome {
        let allVideos = MutableMatrix(rows: list.videos.count, columns: encoder.captions.width)
        var isThere = [Bool](repeating: false, count: list.videos.count)
        let stream = loader.clips()
        defer { stream.cancel() }
        var done = 0
        while true {
            let batch = try stream.next(Self.batchSize)
            if batch.isEmpty { break }
            let embeddings = try encoder.videos.embeddings(of: batch.compactMap(\.views.first).map(\.matrix))
            for (row, clip) in batch.enumerated() {
                allVideos.row(clip.index).copy(embeddings.row(row))
                isThere[clip.index] = true
            }
            done += batch.count
            try report(.videos, done)
        }
        let videos = list.videos.indices.filter { isThere[$0] }
        let captions = list.captions.indices.filter { isThere[list.captions[$0].video] }
        let captionVectors = try encoder.captions.embeddings(of: captions.map { sequences[$0] }) { try report(.captions, $0) }
        var place = [Int](repeating: 0, count: list.videos.count)
        for (index, video) in videos.enumerated() { place[video] = index }
        let videoVectors = MutableMatrix(rows: videos.count, columns: allVideos.columnCount)
        for (row, video) in videos.enumerated() { videoVectors.row(row).copy(allVideos.row(video)) }
        let retrieval = Retrieval(
            videos: videoVectors.reading, captions: captionVectors.reading, videoOfCaption: captions.map { place[list.captions[$0].video] })
        let textToVideo = retrieval.textToVideo(bestCount: bestCount, pool: pool)
        let videoToText = retrieval.videoToText(bestCount: bestCount, pool: pool)
        return Outcome(
            metrics: RetrievalMetrics(textToVideo: textToVideo, videoToText: videoToText), videos: videos, captions: captions,
            textToVideo: textToVideo, videoToText: videoToText, retrieval: retrieval)
    }
}
