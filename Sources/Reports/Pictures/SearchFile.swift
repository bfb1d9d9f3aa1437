import Evaluation
import Experiments
import Files
import Foundation

/// What was looked for and what was found. Keys as `--json` prints them.
package struct SearchResult: Codable, Sendable {
    package let query: String
    /// Whether `query` is the path of a video.
    package let isExample: Bool
    package let videos: String
    package let hits: [VideoSearch.Hit]

    package init(query: String, isExample: Bool, videos: String, hits: [VideoSearch.Hit]) {
        self.query = query
        self.isExample = isExample
        self.videos = videos
        self.hits = hits
    }

    /// The nearest places, for people.
    package func table(top: Int) -> String {
        let hasWindows = hits.contains { $0.start != nil }
        let rows = hits.prefix(top).map { hit in
            ["\(hit.rank)", NumberText.decimal(Double(hit.cosine), places: 4)]
                + (hasWindows ? ["\(TimelineText.time(hit.start ?? 0)) – \(TimelineText.time(hit.end ?? 0))"] : []) + [hit.video.escapedForDisplay]
        }
        return alignedTable([["rank", "cosine"] + (hasWindows ? ["window"] : []) + ["video"]] + rows)
    }
}

/// What `search --save` writes, by the file's ending.
package enum SearchFile: String, CaseIterable {
    case csv, json, srt, vtt

    package init?(_ path: String) {
        guard let dot = path.lastPathComponent.lastIndex(of: "."),
            let form = Self(rawValue: path.lastPathComponent[path.lastPathComponent.index(after: dot)...].lowercased())
        else { return nil }
        self = form
    }

    /// Of single videos.
    package var isSubtitles: Bool { self == .srt || self == .vtt }

    /// - Parameters:
    ///   - top: places that become subtitles.
    ///   - root: folder that the videos' paths start from.
    ///   - path: with `{}` in the place of a video's name and `{dir}` in that of its folder.
    /// - Returns: the files that were written.
    /// - Throws: `TimelineFileError` where one exists or two videos have the same, `FileError`.
    package func write(_ result: SearchResult, top: Int, root: String, to path: String, force: Bool) throws -> [String] {
        switch self {
        case .csv:
            let rows = result.hits.map { hit in
                ["\(hit.rank)", "\(hit.cosine)", hit.start.map { "\($0)" } ?? "", hit.end.map { "\($0)" } ?? "", hit.video.csvField].joined(separator: ",")
            }
            try DurableFile.write((["rank,cosine,start,end,video"] + rows).joined(separator: "\n") + "\n", to: path)
            return [path]
        case .json:
            try DurableFile.write(ResultJSON.text(result), to: path)
            return [path]
        case .srt, .vtt:
            return try writeSubtitles(result, top: top, root: root, to: path, force: force)
        }
    }

    private func writeSubtitles(_ result: SearchResult, top: Int, root: String, to pattern: String, force: Bool) throws -> [String] {
        var texts: [(path: String, video: String, text: String)] = []
        let shown = result.hits.prefix(top)
        for video in Set(shown.map { Bytewise($0.video) }).sorted().map(\.text) {
            let captions = shown.filter { $0.video.hasSameBytes(as: video) }.sorted { ($0.start ?? 0) < ($1.start ?? 0) }.map { hit in
                TimelineText.Caption(
                    start: hit.start ?? 0, end: hit.end ?? 0,
                    text: "\((result.isExample ? result.query.lastPathComponent : result.query).escapedForDisplay), cosine \(NumberText.decimal(Double(hit.cosine), places: 3))")
            }
            let path = TimelineFile.path(pattern, video: root.appendingPath(video), suffix: "")
            if let other = texts.first(where: { $0.path.hasSameBytes(as: path) }) {
                throw TimelineFileError.twice(path: path, videos: [other.video, video])
            }
            if !force, fileExists(path) { throw TimelineFileError.exists(path: path) }
            texts.append((path, video, self == .vtt ? TimelineText.webVTT(captions) : TimelineText.subRip(captions)))
        }
        for (path, _, text) in texts {
            try createDirectory(path.parentDirectory)
            try DurableFile.write(text, to: path)
        }
        return texts.map(\.path)
    }
}
