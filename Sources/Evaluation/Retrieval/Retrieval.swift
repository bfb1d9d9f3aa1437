import Tensors

/// Videos and captions as unit vectors, compared all with all.
///
/// Only vectors are kept: of the matrix of scores a block of rows is in memory at a time for each thread.
package struct Retrieval: Sendable {
    /// `[videos, width]`, unit length.
    package let videos: Matrix
    /// `[captions, width]`, unit length.
    package let captions: Matrix
    /// The video of each caption; every video has one at least.
    package let videoOfCaption: [Int]

    /// Bytes of one block of scores.
    private static let blockBytes = 4 << 20

    package init(videos: Matrix, captions: Matrix, videoOfCaption: [Int]) {
        precondition(captions.rowCount == videoOfCaption.count, "a video for each caption")
        precondition(Set(videoOfCaption) == Set(0..<videos.rowCount), "captions for each video")
        self.videos = videos
        self.captions = captions
        self.videoOfCaption = videoOfCaption
    }

    /// Each caption looks for its video among all videos.
    ///
    /// - Parameter bestCount: candidates kept of each query.
    package func textToVideo(bestCount: Int, pool: WorkerPool) -> [RetrievalAnswer] {
        answers(queries: captions, candidates: videos, bestCount: bestCount, pool: pool) { [videoOfCaption] in [videoOfCaption[$0]] }
    }

    /// Each video looks for its captions among all captions; the one of its own that scores best counts.
    package func videoToText(bestCount: Int, pool: WorkerPool) -> [RetrievalAnswer] {
        var own = [[Int]](repeating: [], count: videos.rowCount)
        for (caption, video) in videoOfCaption.enumerated() { own[video].append(caption) }
        return answers(queries: videos, candidates: captions, bestCount: bestCount, pool: pool) { [own] in own[$0] }
    }

    private func answers(
        queries: Matrix, candidates: Matrix, bestCount: Int, pool: WorkerPool, right: @escaping @Sendable (Int) -> [Int]
    ) -> [RetrievalAnswer] {
        let rows = max(1, min(256, Self.blockBytes / (4 * max(1, candidates.rowCount))))
        let blocks = stride(from: 0, to: queries.rowCount, by: rows).map { $0..<min($0 + rows, queries.rowCount) }
        let copies = candidates.copies
        let found = Blocks()
        pool.parallelFor(blocks.count) { _, index in
            let block = blocks[index]
            let scores = MutableMatrix(rows: block.count, columns: candidates.rowCount)
            multiply(queries.rows(block), .asStored, candidates, .transposed, into: scores)
            found.set(
                index, block.enumerated().map { row, query in
                    var values = scores.row(row).values
                    for copy in copies { values[copy.index] = values[copy.first] }
                    return RetrievalAnswer(scores: values, right: right(query), bestCount: bestCount)
                })
        }
        return found.joined
    }
}

extension Matrix {
    /// Rows that another before them equals to the bit, with the first of these.
    ///
    /// Products round by the place of a row, so that equal rows alone do not make equal scores.
    fileprivate var copies: [(index: Int, first: Int)] {
        var rowsByHash: [Int: [Int]] = [:]
        var copies: [(index: Int, first: Int)] = []
        for index in 0..<rowCount {
            let values = row(index).values
            let hash = values.hashValue
            if let first = rowsByHash[hash]?.first(where: { row($0).values == values }) {
                copies.append((index, first))
            } else {
                rowsByHash[hash, default: []].append(index)
            }
        }
        return copies
    }
}

/// Answers by block, from any thread. Unchecked Sendable: touched under the monitor only.
private final class Blocks: @unchecked Sendable {
    private let monitor = Monitor()
    private var blocks: [Int: [RetrievalAnswer]] = [:]

    func set(_ index: Int, _ answers: [RetrievalAnswer]) { monitor.locked { blocks[index] = answers } }
    var joined: [RetrievalAnswer] { monitor.locked { blocks.keys.sorted().flatMap { blocks[$0] ?? [] } } }
}
