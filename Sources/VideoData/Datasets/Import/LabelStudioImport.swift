import Files

/// Label Studio's JSON export: tasks with annotations, whose results are of a kind each. Taken are `timelinelabels`, frames
/// of a video counted from 1 with both ends in, `labels` with a start and an end in seconds, and `choices`, for such frames
/// or seconds where these stand beside them, else for the whole video.
///
/// Sources: https://labelstud.io/guide/export.html#Label-Studio-JSON-format-of-annotated-tasks,
/// https://labelstud.io/tags/timelinelabels and https://labelstud.io/tags/choices.
struct LabelStudioImport {
    private(set) var spans: [LabeledSpan] = []
    private(set) var warnings: [DatasetWarning] = []

    private struct Task: Decodable {
        let id: LooseText?
        let data: [String: LooseText]?
        let annotations: [Annotation]?
        let predictions: [Prediction]?
    }

    /// An export tells what models said by numbers alone unless it is asked for more.
    private struct Prediction: Decodable {
        let annotation: Annotation?

        init(from decoder: any Decoder) throws {
            if (try? decoder.singleValueContainer().decode(Int.self)) != nil {
                annotation = nil
            } else {
                annotation = try Annotation(from: decoder)
            }
        }
    }

    private struct Annotation: Decodable {
        let result: [Result]?
        let wasCancelled: Bool?
        let groundTruth: Bool?

        private enum CodingKeys: String, CodingKey {
            case result
            case wasCancelled = "was_cancelled"
            case groundTruth = "ground_truth"
        }
    }

    private struct Result: Decodable {
        let type: String?
        let value: Value?
    }

    /// Of all kinds of results; what is of another kind than is taken here counts as missing.
    private struct Value: Decodable {
        let ranges: [Range]?
        let timelineLabels: [String]?
        let labels: [String]?
        let choices: [String]?
        let start: Double?
        let end: Double?

        struct Range: Decodable {
            let start: Double
            let end: Double
        }

        private enum CodingKeys: String, CodingKey {
            case ranges, labels, choices, start, end
            case timelineLabels = "timelinelabels"
        }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            func loose<Kind: Decodable>(_ kind: Kind.Type, _ key: CodingKeys) -> Kind? { (try? container.decodeIfPresent(kind, forKey: key)) ?? nil }
            ranges = loose([Range].self, .ranges)
            timelineLabels = loose([String].self, .timelineLabels)
            labels = loose([String].self, .labels)
            choices = loose([String].self, .choices)
            start = loose(Double.self, .start)
            end = loose(Double.self, .end)
        }
    }

    init(_ path: String) throws(DatasetError) {
        var passedOver: [String: Int] = [:]
        for (position, task) in try ImportedSet.decode([Task].self, path).enumerated() {
            let place = "task \(task.id?.text ?? "\(position + 1)")"
            let results = try Self.results(of: task, place: place, path: path)
            if results.isEmpty { continue }
            let video = try Self.video(of: task, place: place, path: path)
            func add(_ label: String, _ extent: LabeledSpan.Extent) throws(DatasetError) {
                // Ranges times labels may be far more than the file has bytes.
                guard spans.count < ImportedAnnotations.spanLimit else {
                    throw DatasetError(path: path, problem: .annotation(.tooManyLabels(limit: ImportedAnnotations.spanLimit)))
                }
                spans.append(try LabeledSpan(video: video, label: label, extent: extent, file: path, place: place))
            }
            var choiceOfWhole: String?
            for result in results {
                guard let value = result.value else { continue }
                if let labels = value.timelineLabels, let ranges = value.ranges {
                    for range in ranges {
                        let frames = try Self.frames(range, place: place, path: path)
                        for label in labels { try add(label, .frames(frames)) }
                    }
                } else if result.type == "labels", let labels = value.labels, let start = value.start, let end = value.end {
                    for label in labels { try add(label, .seconds(start, end)) }
                } else if result.type == "choices", let choices = value.choices, let choice = choices.first {
                    guard choices.count == 1 else { throw DatasetError(path: path, problem: .annotation(.severalChoices(place: place, choices))) }
                    if let ranges = value.ranges {
                        for range in ranges { try add(choice, .frames(try Self.frames(range, place: place, path: path))) }
                    } else if value.start != nil || value.end != nil {
                        guard let start = value.start, let end = value.end else {
                            let ends = [value.start, value.end].map { $0.map { "\($0)" } ?? "" }
                            throw DatasetError(path: path, problem: .annotation(.badSpan(place: place, ends[0], ends[1])))
                        }
                        try add(choice, .seconds(start, end))
                    } else {
                        if let other = choiceOfWhole { throw DatasetError(path: path, problem: .annotation(.severalChoices(place: place, [other, choice]))) }
                        choiceOfWhole = choice
                        try add(choice, .whole)
                    }
                } else {
                    passedOver[result.type ?? "unnamed", default: 0] += 1
                }
            }
        }
        if !passedOver.isEmpty {
            warnings.append(.passedOver(file: path, kinds: passedOver.sorted { $0.key < $1.key }.map { (name: $0.key, count: $0.value) }))
        }
    }

    /// Of the annotation that counts; where nobody has annotated the task, of what a model predicted.
    private static func results(of task: Task, place: String, path: String) throws(DatasetError) -> [Result] {
        let all = [task.annotations, task.predictions?.compactMap(\.annotation)].compactMap(\.self).first { !$0.isEmpty } ?? []
        var valid = all.filter { $0.wasCancelled != true }
        if valid.count > 1 {
            let count = valid.count
            valid = valid.filter { $0.groundTruth == true }
            guard valid.count == 1 else { throw DatasetError(path: path, problem: .annotation(.severalAnnotations(place: place, count: count))) }
        }
        return valid.first?.result ?? []
    }

    private static func video(of task: Task, place: String, path: String) throws(DatasetError) -> String {
        let data = (task.data ?? [:]).compactMapValues(\.text)
        if let video = data["video"], !video.isEmpty { return video }
        let keys = data.filter { VideoEndings.isShownVideo(LabeledSpan.videoName($0.value).lastPathComponent) }.keys.sorted()
        guard keys.count <= 1 else { throw DatasetError(path: path, problem: .annotation(.severalVideos(place: place, keys: keys))) }
        guard let key = keys.first, let video = data[key] else { throw DatasetError(path: path, problem: .annotation(.noVideo(place: place))) }
        return video
    }

    /// Frames from 1 on, both ends in, as frames from 0 on without the end.
    private static func frames(_ range: Value.Range, place: String, path: String) throws(DatasetError) -> Swift.Range<Int> {
        guard let start = Int(exactly: range.start.rounded()), let end = Int(exactly: range.end.rounded()), (1..<1 << 30).contains(start), start <= end, end < 1 << 30 else {
            throw DatasetError(path: path, problem: .annotation(.badSpan(place: place, "frame \(range.start)", "frame \(range.end)")))
        }
        return start - 1..<end
    }
}

/// A text, or a number as one; nil for anything else.
struct LooseText: Decodable {
    let text: String?

    init(from decoder: any Decoder) throws {
        guard let container = try? decoder.singleValueContainer() else {
            text = nil
            return
        }
        text = (try? container.decode(String.self)) ?? (try? container.decode(Int.self)).map { "\($0)" }
    }
}
