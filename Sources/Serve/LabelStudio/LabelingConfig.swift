import Files

/// What a labeling configuration of Label Studio asks of videos: labels along their time, or one for each whole video.
///
/// Sources: https://labelstud.io/tags/timelinelabels, https://labelstud.io/tags/choices, https://labelstud.io/tags/video.
struct LabelingConfig: Equatable, Sendable {
    enum Kind: Equatable, Sendable {
        case timeline
        case choice
    }

    let kind: Kind
    /// Of the tag with the labels.
    let name: String
    /// Of the video's tag.
    let video: String
    /// Of the task's data, where the video's address is.
    let key: String
    let labels: [String]
    /// By which Label Studio counts frames, whatever the video's own rate is.
    let frameRate: Double
    /// Attributes of the tag with the labels that begin with `model_`.
    let settings: [String: String]

    /// Label Studio's own where the tag of the video names none.
    static let standardFrameRate = 24.0

    /// - Throws: `RequestFault` for a configuration that is no XML, or asks nothing of videos.
    init(_ text: String) throws(RequestFault) {
        let document: XMLTree
        do throws(XMLTree.Fault) {
            document = try XMLTree.read(Array(text.utf8))
        } catch {
            throw RequestFault(.badRequest, "The labeling configuration cannot be read: line \(error.line), \(error.reason.escapedForDisplay).")
        }
        let tags = Self.all(in: document)
        let videos = tags.filter { $0.name == "Video" }
        func object(_ tag: XMLTree) -> XMLTree? { videos.first { $0["name"] != nil && $0["name"] == tag["toName"] } }
        // Along the time says more than for the whole.
        let controls = tags.filter { $0.name == "TimelineLabels" } + tags.filter { $0.name == "Choices" }
        guard let control = controls.first(where: { $0["name"] != nil && object($0) != nil }), let video = object(control), let name = control["name"],
            let videoName = video["name"]
        else {
            throw RequestFault(.badRequest, "The labeling configuration has no <TimelineLabels> and no <Choices> whose toName is that of a <Video>.")
        }
        kind = control.name == "Choices" ? .choice : .timeline
        self.name = name
        self.video = videoName
        let value = video["value"] ?? "$video"
        key = value.hasPrefix("$") ? String(value.dropFirst()) : value
        var labels: [String] = []
        for tag in Self.all(in: control) where tag.name == (kind == .choice ? "Choice" : "Label") {
            if let label = tag["value"], !label.isEmpty, !labels.contains(label) { labels.append(label) }
        }
        guard !labels.isEmpty else { throw RequestFault(.badRequest, "<\(control.name)> of the labeling configuration has no labels.") }
        self.labels = labels
        let rate = (video["frameRate"] ?? video["framerate"]).flatMap { Double($0) } ?? Self.standardFrameRate
        guard rate > 0, rate <= 1000 else { throw RequestFault(.badRequest, "frameRate of the labeling configuration must be above 0 and at most 1000.") }
        frameRate = rate
        settings = control.attributes.filter { $0.key.hasPrefix("model_") }
    }

    private static func all(in tree: XMLTree) -> [XMLTree] { [tree] + tree.children.flatMap(all) }
}
