import Foundation

/// Clips and their classes, as somebody collects them.
struct DataSet: Codable, Identifiable, Sendable {
    struct Clip: Codable, Sendable {
        let id: String
        /// As its owner calls the file; nothing is opened by it.
        var name: String
        /// Nil until somebody says it.
        var `class`: String?
        let seconds: Double
        let width: Int
        let height: Int
        let bytes: Int
        /// Of the file, with its ending.
        let file: String
        let sha256: String
    }

    let id: String
    var name: String
    var classes: [String]
    var clips: [Clip]
    let created: Date

    var bytes: Int { clips.reduce(0) { $0 + $1.bytes } }

    /// Classes that have clips, in their order.
    var classesWithClips: [String] {
        let used = Set(clips.compactMap(\.class))
        return classes.filter(used.contains)
    }

    func place(of clip: String) throws(RequestFault) -> Int {
        guard let place = clips.firstIndex(where: { $0.id == clip }) else { throw RequestFault(.notFound, "There is no such clip.") }
        return place
    }

    // MARK: What clients are told

    struct ClipSummary: Encodable {
        let id: String
        let name: String
        let `class`: String?
        let seconds: Double
        let width: Int
        let height: Int
        let bytes: Int
    }

    struct Details: Encodable {
        let id: String
        let name: String
        let classes: [String]
        let clips: [ClipSummary]
        let bytes: Int
    }

    struct Summary: Encodable {
        let id: String
        let name: String
        let clips: Int
        let classes: [String]
        let bytes: Int
    }

    var details: Details { Details(id: id, name: name, classes: classes, clips: clips.map(\.summary), bytes: bytes) }
    var summary: Summary { Summary(id: id, name: name, clips: clips.count, classes: classes, bytes: bytes) }
}

extension DataSet.Clip {
    var summary: DataSet.ClipSummary {
        DataSet.ClipSummary(id: id, name: name, class: self.class, seconds: seconds, width: width, height: height, bytes: bytes)
    }
}
