import CLIPModel
import Evaluation
import Foundation
import Tensors
import VideoData

/// Videos, or windows of them, by how near they are to a text or to another video.
package struct VideoSearch {
    /// A place that was looked at. Keys as `--json` prints them.
    package struct Hit: Codable, Sendable {
        /// From 1.
        package let rank: Int
        package let video: String
        /// Of a window or a part, in seconds from the video's start; nil for whole videos.
        package let start: Double?
        package let end: Double?
        /// Cosine of the mean of the frames' features to what is looked for.
        package let cosine: Float
    }

    /// The nearest first.
    package let hits: [Hit]

    /// What is looked for.
    package enum Query {
        case text(String)
        case video(String)
    }

    /// - Parameters:
    ///   - spans: of windows; nil for whole videos.
    ///   - tokenizer: of the backbone.
    /// - Throws: what reading videos throws, `TokenizerError` for a text without words; `EvaluationStopped` after a signal.
    package init(
        _ query: Query, in collection: VideoCollection, spans: (window: VideoSpan, stride: VideoSpan)?, source: FeatureSource,
        tokenizer: any Tokenizer
    ) throws {
        let pass = try FeaturePass(source)
        let wanted = try Self.unit(query, pass: pass, tokenizer: tokenizer)
        var found: [(video: String, start: Double?, end: Double?, cosine: Float)] = []
        func add(_ video: String, _ mean: [Float], start: Double? = nil, end: Double? = nil) {
            let length = mean.reduce(0) { $0 + $1 * $1 }.squareRoot()
            let cosine = zip(mean, wanted).reduce(Float(0)) { $0 + $1.0 * $1.1 } / max(length, .leastNormalMagnitude)
            found.append((video, start, end, cosine))
        }
        if let spans {
            let windows = try WindowFeatures(source, spans: spans).windows(of: collection.list, title: "search")
            for (clip, windows) in zip(collection.list.clips, windows) {
                for window in windows { add(clip.path, window.mean, start: window.start, end: window.end) }
            }
        } else {
            let embedded = try EmbeddedVideos(collection, pass: pass)
            for bad in embedded.unreadable { source.context.warning(.data(.unreadable(bad, .notUsed))) }
            for (row, clip) in embedded.clips.enumerated() {
                add(clip.path, embedded.vectors.projected.row(row).values, start: clip.part?.start, end: clip.part?.end)
            }
        }
        // Equals stay in the order of the videos.
        let order = found.indices.sorted { (found[$1].cosine, $0) < (found[$0].cosine, $1) }
        hits = order.enumerated().map { place, index in
            let found = found[index]
            return Hit(rank: place + 1, video: found.video, start: found.start, end: found.end, cosine: found.cosine)
        }
    }

    private static func unit(_ query: Query, pass: FeaturePass, tokenizer: any Tokenizer) throws -> [Float] {
        let source = pass.source
        switch query {
        case .text(let text):
            let sequences = try source.backbone.sequences(ofCaptions: [text], prompts: .none, template: nil, tokenizer: tokenizer)
            if sequences.cutCount > 0 { source.context.warning(.data(.queryCut(tokenLimit: sequences.tokenLimit))) }
            let encoder = TextEncoder(backbone: source.backbone, prompts: PromptSet(vision: [], text: []), pool: source.pool)
            return try encoder.embeddings(of: sequences.sequences).row(0).values
        case .video(let path):
            return try pass.features(of: AnnotationList(video: path), title: "example").vectors.unit.row(0).values
        }
    }
}
