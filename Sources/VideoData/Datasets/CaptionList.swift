import Files

/// A list of videos with what is said about them: CSV with the header `video,caption`, quoted as RFC 4180 has it.
///
///     video,caption
///     video7010.mp4,a person is connecting something to system
///     video7010.mp4,"somebody plugs in a cable, then another"
///
/// A video may have several captions, in any rows. Further columns are passed over. Paths start from `root`, cannot
/// leave it and are never addresses.
package struct CaptionList: Sendable {
    package struct Caption: Sendable, Hashable {
        /// Position in `videos`.
        package var video: Int
        package var text: String
    }

    /// MSR-VTT's 200,000 captions take 12 MB.
    package static let byteLimit = 256 << 20
    /// Longest path and longest caption, in bytes.
    package static let textLimit = 4096
    package static let captionLimit = 10_000_000

    package let path: String
    /// The folder that paths start from.
    package let root: String
    /// Each video once, in the order in which they first appear.
    package private(set) var videos: [String] = []
    /// In the order of the rows.
    package private(set) var captions: [Caption] = []
    package var warnings: [DatasetWarning] = []
    private var positions: [Bytewise: Int] = [:]

    package init(path: String, root: String) {
        self.path = path
        self.root = root
    }

    package mutating func add(video: String, caption: String) {
        let position = positions[video] ?? videos.count
        if position == videos.count {
            positions[video] = position
            videos.append(video)
        }
        captions.append(Caption(video: position, text: caption))
    }

    /// Reads a list. Only the list itself is opened; see `videos` and `AnnotationList.checkFiles` for the videos.
    ///
    /// - Parameter root: the list's own folder where nil.
    /// - Throws: `DatasetError` with file and line.
    package static func read(_ path: String, root: String? = nil) throws(DatasetError) -> CaptionList {
        var list = CaptionList(path: path, root: root ?? path.parentDirectory)
        var columns: Columns?
        var known: Set<Caption> = []
        var repeated: (text: String, line: Int, count: Int)?
        try CSVReader.eachRecord(of: path, byteLimit: byteLimit, as: .paths) { record throws(DatasetError) in
            guard let header = columns else {
                columns = try Columns(record, path: path)
                return
            }
            let (video, caption) = try header.values(of: record, path: path)
            list.add(video: video, caption: caption)
            guard list.captions.count <= captionLimit else {
                throw DatasetError(path: path, problem: .tooManyLines(limit: captionLimit))
            }
            guard let entry = list.captions.last, !known.insert(entry).inserted else { return }
            repeated = (repeated?.text ?? caption, repeated?.line ?? record.line, (repeated?.count ?? 0) + 1)
        }
        guard !list.captions.isEmpty else { throw DatasetError(path: path, problem: .noCaptions) }
        if let repeated {
            list.warnings.append(
                .repeatedCaptions(list: path, first: repeated.text, line: repeated.line, count: repeated.count))
        }
        return list
    }

    private struct Columns {
        let video: Int
        let caption: Int
        let count: Int

        init(_ record: CSVReader.Record, path: String) throws(DatasetError) {
            let names = record.fields.map { $0.trimmingBlanks().lowercased() }
            guard let video = names.firstIndex(of: "video"), let caption = names.firstIndex(of: "caption") else {
                throw DatasetError(path: path, line: record.line, problem: .captionHeader(found: record.fields))
            }
            guard !(names.contains("start") && names.contains("end")) else {
                throw DatasetError(path: path, line: record.line, problem: .partsNotTaken(by: "whoever learns from captions"))
            }
            (self.video, self.caption, count) = (video, caption, names.count)
        }

        func values(of record: CSVReader.Record, path: String) throws(DatasetError) -> (video: String, caption: String) {
            guard record.fields.count == count else {
                throw DatasetError(
                    path: path, line: record.line, problem: .fieldCount(found: record.fields.count, expected: count))
            }
            guard let caption = String(validating: record.fields[caption].pathBytes, as: UTF8.self) else {
                throw DatasetError(path: path, line: record.line, problem: .notUTF8)
            }
            return try CaptionList.checked(video: record.fields[video], caption: caption, file: path, line: record.line)
        }
    }

    /// What may stand in a list: a path that stays in the root, a caption with words.
    static func checked(
        video: String, caption: String, file: String, line: Int?
    ) throws(DatasetError) -> (video: String, caption: String) {
        guard video.utf8.count <= textLimit, caption.utf8.count <= textLimit else {
            throw DatasetError(path: file, line: line, problem: .textTooLong(limit: textLimit))
        }
        guard !video.trimmingBlanks().isEmpty else { throw DatasetError(path: file, line: line, problem: .noVideo) }
        try DatasetError.checkPath(video, file: file, line: line)
        guard caption.contains(where: { !$0.isWhitespace }) else {
            throw DatasetError(path: file, line: line, problem: .emptyCaption)
        }
        return (video, caption)
    }

    // MARK: As lists of videos

    /// Each video once; labels are positions in `videos`.
    package var videoList: AnnotationList {
        AnnotationList(path: path, root: root, clips: videos.enumerated().map { AnnotatedClip(path: $1, label: $0) })
    }

    /// A video for each caption; labels are positions in `captions`.
    package var pairs: AnnotationList {
        AnnotationList(
            path: path, root: root, clips: captions.enumerated().map { AnnotatedClip(path: videos[$1.video], label: $0) })
    }

    /// The list as `read` reads it back.
    package var bytes: [UInt8] {
        var bytes = Array("video,caption\n".utf8)
        for caption in captions { bytes += videos[caption.video].csvField.pathBytes + Array(",\(caption.text.csvField)\n".utf8) }
        return bytes
    }

    /// The list without the videos that `keeps` refuses and their captions, under the paths that it gives.
    package func mapped(_ keeps: (String) -> String?) -> CaptionList {
        let paths = videos.map(keeps)
        var list = CaptionList(path: path, root: root)
        for caption in captions {
            if let video = paths[caption.video] { list.add(video: video, caption: caption.text) }
        }
        return list
    }
}
