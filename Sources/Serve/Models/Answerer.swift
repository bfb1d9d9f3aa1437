import Experiments
import Files
import Foundation

/// Prompts or a head that requests may name.
struct Answerer: Sendable {
    enum Origin: String, Codable {
        /// Named at the start of the server.
        case given
        /// Learned by it.
        case learned
        /// A file of a folder that is watched.
        case folder
    }

    let id: String
    let name: String
    let path: String
    let origin: Origin
    let model: LoadedModel
    /// Where it was learned here.
    let dataSet: String?
    let run: String?
    let created: Date?
    /// The state of a file that others may change; nil for what stays as it was read.
    let version: FileIdentity?

    /// Whether both are the same, read once.
    func isSame(as other: Answerer) -> Bool { id == other.id && version == other.version }

    /// What clients are told of it.
    struct Summary: Encodable {
        let id: String
        let name: String
        let kind: String
        let method: String?
        let classes: [String]
        let origin: Origin
        let dataSet: String?
        let run: String?
        let heldOutTop1: Double?
        let created: String?
        let bytes: Int
    }

    var summary: Summary {
        Summary(
            id: id, name: name, kind: model.head == nil ? "prompts" : "head",
            method: model.head?.header.kind.rawValue ?? model.prompts?.header.method, classes: model.learnedClassNames ?? [], origin: origin, dataSet: dataSet, run: run,
            heldOutTop1: model.head?.header.crossValidatedTop1 ?? model.prompts?.header.metrics["cross_validated_top1"],
            created: created.map { $0.formatted(.iso8601) },
            bytes: ((try? FileManager.default.attributesOfItem(atPath: path))?[.size] as? Int) ?? 0)
    }
}
