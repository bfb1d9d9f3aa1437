import Files

/// Annotations of CVAT, "CVAT for video 1.1": tracks, whose shapes say at which frames something is to be seen, and tags
/// of single frames. Frames count from 0.
///
/// Source: XML annotation format, https://docs.cvat.ai/docs/other/xml_format/ (interpolation).
enum CVATImport {
    static func spans(of path: String) throws(DatasetError) -> [LabeledSpan] {
        let document = try DatasetError.xml(path, root: "annotations")
        guard let video = video(of: document) else { throw DatasetError(path: path, problem: .annotation(.noVideo(place: "<meta> (source, or the task's name)"))) }
        var spans: [LabeledSpan] = []
        for track in document.all("track") {
            let place = "the track of line \(track.line)"
            for frames in try shownFrames(of: track, place: place, path: path) {
                spans.append(try LabeledSpan(video: video, label: track["label"] ?? "", extent: .frames(frames), file: path, place: place))
            }
        }
        // Tags stand at the top in exports of videos, and within the frame's <image> in those of pictures.
        var tags: [String: Set<Int>] = [:]
        for tag in document.all("tag") { try note(tag, frame: tag["frame"], path: path, in: &tags) }
        for image in document.all("image") { for tag in image.all("tag") { try note(tag, frame: image["id"], path: path, in: &tags) } }
        for (label, frames) in tags.sorted(by: { $0.key < $1.key }) {
            for run in runs(of: frames.sorted()) {
                spans.append(try LabeledSpan(video: video, label: label, extent: .frames(run), file: path, place: "a tag"))
            }
        }
        return spans
    }

    /// The file that the task was made of, else the task's name.
    private static func video(of document: XMLTree) -> String? {
        let meta = document.first("meta")
        let task = meta?.first("task") ?? meta?.first("job")
        let names = [meta?.first("source"), task?.first("source"), task?.first("name")].map { ($0?.text ?? "").trimmingBlanks() }
        return names.first { !$0.isEmpty }
    }

    /// Highest frame number that is taken: 100 days at 100 frames a second.
    private static let frameLimit = 1 << 30

    private static func frame(_ text: String?, place: String, path: String) throws(DatasetError) -> Int {
        guard let text, let frame = ListLine.wholeNumber(text), frame < frameLimit else {
            throw DatasetError(path: path, problem: .annotation(.badFrame(place: place, text ?? "")))
        }
        return frame
    }

    private static func note(_ tag: XMLTree, frame text: String?, path: String, in tags: inout [String: Set<Int>]) throws(DatasetError) {
        let place = "the tag of line \(tag.line)"
        guard let label = tag["label"], !label.isEmpty else { throw DatasetError(path: path, problem: .annotation(.noLabel(place: place))) }
        tags[label, default: []].insert(try frame(text, place: place, path: path))
    }

    /// From each shape on that is not outside to the next that is, or to the last shape.
    private static func shownFrames(of track: XMLTree, place: String, path: String) throws(DatasetError) -> [Range<Int>] {
        var shapes: [(frame: Int, isOutside: Bool)] = []
        for shape in track.children where shape["frame"] != nil {
            shapes.append((try frame(shape["frame"], place: place, path: path), shape["outside"] == "1"))
        }
        shapes.sort { ($0.frame, $0.isOutside ? 1 : 0) < ($1.frame, $1.isOutside ? 1 : 0) }
        var result: [Range<Int>] = []
        var start: Int?
        for shape in shapes {
            if let first = start, shape.isOutside {
                if first < shape.frame { result.append(first..<shape.frame) }
                start = nil
            } else if start == nil, !shape.isOutside {
                start = shape.frame
            }
        }
        if let start, let last = shapes.last { result.append(start..<last.frame + 1) }
        return result
    }

    private static func runs(of frames: [Int]) -> [Range<Int>] {
        var runs: [Range<Int>] = []
        for frame in frames {
            if let last = runs.last, last.upperBound == frame { runs[runs.count - 1] = last.lowerBound..<frame + 1 } else { runs.append(frame..<frame + 1) }
        }
        return runs
    }
}
