import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Training
import VideoData
import WeightFiles

/// What `retrieval --json` prints and `metrics.json` holds.
package struct RetrievalReport: Codable {
    package private(set) var `protocol` = "retrieval"
    package let backbone: String
    package let backboneSHA256: String
    package let prompts: String?
    package let promptsSHA256: String?
    package let list: String
    package let listSHA256: String
    /// Those that could be read, with captions of these.
    package let videos: Int
    package let captions: Int
    package let skippedVideos: Int
    package let frames: Int
    package let template: String
    package let maxWords: Int?
    package let compat: String
    package let metrics: RetrievalMetrics

    package enum CodingKeys: String, CodingKey {
        case `protocol`, backbone, prompts, list, videos, captions, frames, template, compat, metrics
        case backboneSHA256 = "backbone_sha256"
        case promptsSHA256 = "prompts_sha256"
        case listSHA256 = "list_sha256"
        case skippedVideos = "skipped_videos"
        case maxWords = "max_words"
    }

    package init(
        subject: LoadedModel, list: CaptionList, outcome: RetrievalEvaluator.Outcome, frames: Int, template: String, maxWords: Int?,
        compat: Set<Quirk>
    ) throws {
        backbone = subject.backbone.description.name
        backboneSHA256 = subject.backbone.digest
        prompts = subject.promptPath
        promptsSHA256 = subject.prompts?.useDigest
        self.list = list.path
        listSHA256 = try Digest.ofFile(list.path)
        videos = outcome.videos.count
        captions = outcome.captions.count
        skippedVideos = list.videos.count - outcome.videos.count
        self.frames = frames
        self.template = template
        self.maxWords = maxWords
        self.compat = Quirk.text(of: compat)
        metrics = outcome.metrics
    }
}

extension RetrievalMetrics {
    /// Both directions, for people.
    package var table: String {
        func row(_ title: String, _ direction: Direction) -> [String] {
            func decimal(_ value: Double) -> String { NumberText.decimal(value, places: 1) }
            return [
                title, "\(direction.queries)", percent(direction.r1), percent(direction.r5), percent(direction.r10),
                decimal(direction.medianRank), decimal(direction.meanRank), "\(direction.tied)",
            ]
        }
        return alignedTable([
            ["", "queries", "R@1", "R@5", "R@10", "median rank", "mean rank", "tied"],
            row("text → video", textToVideo), row("video → text", videoToText),
        ])
    }
}

/// The files of a retrieval.
///
///     metrics.json            RetrievalReport
///     ranks.csv               direction,video,caption,rank,score: a row a query; of a video's captions the best
///     top.jsonl               a line a query: its best ten candidates
///     embeddings.safetensors  unit vectors `videos` and `captions`, and `video_of_caption`; where asked for
package struct RetrievalFiles {
    package let outcome: RetrievalEvaluator.Outcome
    package let list: CaptionList

    package init(outcome: RetrievalEvaluator.Outcome, list: CaptionList) {
        self.outcome = outcome
        self.list = list
    }

    private enum Direction: String, Encodable {
        case textToVideo = "text_to_video"
        case videoToText = "video_to_text"
    }

    private struct Line: Encodable {
        struct Candidate: Encodable {
            let video: String
            let caption: String?
            let score: Float
            let right: Bool
        }

        let direction: Direction
        let video: String
        /// Nil where the video is the query.
        let caption: String?
        let rank: Int
        let tied: Bool
        let top: [Candidate]
    }

    package static let kind = FolderKind(name: "retrieval", entries: [metricsName, "ranks.csv", "top.jsonl", "embeddings.safetensors"])
    private static let metricsName = "metrics.json"

    /// Before videos are looked at: the folder is a retrieval's or may become one, and can be written.
    package static func prove(_ folder: String) throws {
        try FolderMark.check(folder, kind)
        try proveWritable(folder: folder)
    }

    package func write(_ report: RetrievalReport, to folder: String, withEmbeddings: Bool, context: RunContext) throws {
        try FolderMark.claim(folder, Self.kind)
        let isReplaced = fileExists(folder.appendingPath(Self.metricsName))
        if withEmbeddings { try writeEmbeddings(to: folder.appendingPath("embeddings.safetensors")) }
        let files = [
            (name: Self.metricsName, bytes: Array(try ResultJSON.text(report).utf8)), (name: "ranks.csv", bytes: Array(ranks.utf8)),
            (name: "top.jsonl", bytes: Array(try top().utf8)),
        ]
        try DurableFile.write(files[...], in: folder)
        context.note(.scoring(.retrievalFiles(folder: folder, withEmbeddings: withEmbeddings, isReplaced: isReplaced)))
    }

    private func video(_ index: Int) -> String { list.videos[outcome.videos[index]] }
    private func caption(_ index: Int) -> CaptionList.Caption { list.captions[outcome.captions[index]] }

    private var ranks: String {
        var lines = ["direction,video,caption,rank,score"]
        func add(_ direction: Direction, video: String, caption: String, _ answer: RetrievalAnswer) {
            let fields = [direction.rawValue, video, caption, "\(answer.rank)", "\(answer.answer.score)"]
            lines.append(fields.map(\.csvField).joined(separator: ","))
        }
        for (index, answer) in outcome.textToVideo.enumerated() {
            let caption = caption(index)
            add(.textToVideo, video: list.videos[caption.video], caption: caption.text, answer)
        }
        for (index, answer) in outcome.videoToText.enumerated() {
            add(.videoToText, video: video(index), caption: caption(answer.answer.index).text, answer)
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func top() throws -> String {
        var text = ""
        func add(_ line: Line) throws { text += try ResultJSON.text(line, isOneLine: true) }
        for (index, answer) in outcome.textToVideo.enumerated() {
            let query = caption(index)
            try add(
                Line(
                    direction: .textToVideo, video: list.videos[query.video], caption: query.text, rank: answer.rank, tied: answer.isTied,
                    top: answer.best.map {
                        .init(video: video($0.index), caption: nil, score: $0.score, right: outcome.videos[$0.index] == query.video)
                    }))
        }
        for (index, answer) in outcome.videoToText.enumerated() {
            try add(
                Line(
                    direction: .videoToText, video: video(index), caption: nil, rank: answer.rank, tied: answer.isTied,
                    top: answer.best.map {
                        let found = caption($0.index)
                        return .init(
                            video: list.videos[found.video], caption: found.text, score: $0.score,
                            right: found.video == outcome.videos[index])
                    }))
        }
        return text
    }

    private func writeEmbeddings(to path: String) throws {
        let retrieval = outcome.retrieval
        let tensors = [
            "videos": (retrieval.videos.values, [retrieval.videos.rowCount, retrieval.videos.columnCount]),
            "captions": (retrieval.captions.values, [retrieval.captions.rowCount, retrieval.captions.columnCount]),
            "video_of_caption": (retrieval.videoOfCaption.map { Float($0) }, [retrieval.videoOfCaption.count]),
        ]
        var writer = try SafetensorsWriter(path: path, tensors: tensors.map { .init(name: $0.key, shape: $0.value.1) })
        for plan in writer.plans { try writer.append(tensors[plan.name]?.0 ?? []) }
        _ = try writer.commit()
    }
}
