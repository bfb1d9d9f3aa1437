import Files
import Foundation

extension ImportedSet {
    /// The training list of Something-Something v2 has 30 MB.
    static let jsonByteLimit = 64 << 20

    /// Something-Something v2: an array of `{"id": "78687", "template": "Holding [something] next to
    /// [something]"}`, and an object from template, without brackets, to number. Videos are `<id>.webm`.
    static func something(_ files: [PublishedFile]) throws(DatasetError) -> ImportedSet {
        guard let labelFile = files.first(where: { $0.form == .somethingLabels }) else {
            throw DatasetError(
                path: files[0].path, problem: .needsFile(words: "needs the label file, labels.json or something-something-v2-labels.json, beside it."))
        }
        let others = files.filter { $0.form == .somethingLabels && $0.path != labelFile.path }
        guard others.isEmpty else {
            throw DatasetError(path: labelFile.path, problem: .mixedForms([labelFile, others[0]].map(\.path.lastPathComponent)))
        }
        let classes = try somethingClasses(labelFile.path)
        var parts: [Part] = []
        var warnings: [DatasetWarning] = []
        for file in files where file.form == .somethingClips || file.form == .emptyArray {
            let name = file.path.lastPathComponent
            let clips = try somethingClips(file.path, classes)
            if clips.isEmpty {
                warnings.append(.noLabels(file: file.path))
            } else {
                parts.append(Part(name: partName(name) ?? "train", source: file.path, clips: clips))
            }
        }
        guard !parts.isEmpty else {
            throw DatasetError(path: labelFile.path, problem: .needsFile(words: "names classes only. Give train.json and validation.json too."))
        }
        var set = ImportedSet(kind: "Something-Something v2", classes: classes, parts: parts)
        set.warnings += warnings
        return set
    }

    /// A number that some releases write as text.
    private struct Number: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let number = try? container.decode(Int.self) { text = String(number) } else { text = try container.decode(String.self) }
        }
    }

    private struct Entry: Decodable {
        let id: Number
        let template: String?
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, _ path: String, byteLimit: Int = jsonByteLimit
    ) throws(DatasetError) -> Value {
        let bytes: [UInt8]
        do {
            bytes = try InputFile.contents(of: path, limit: byteLimit)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch let DecodingError.keyNotFound(key, context) {
            throw DatasetError(path: path, problem: .notJSON(reason: "entry \(place(context.codingPath)) has no \"\(key.stringValue)\""))
        } catch let DecodingError.typeMismatch(_, context) {
            throw DatasetError(path: path, problem: .notJSON(reason: "\(place(context.codingPath)) is of another kind"))
        } catch {
            throw DatasetError(path: path, problem: .notJSON(reason: "it is truncated or damaged"))
        }
    }

    private static func place(_ keys: [any CodingKey]) -> String {
        keys.isEmpty ? "the whole" : keys.map { $0.intValue.map { "\($0 + 1)" } ?? $0.stringValue }.joined(separator: ".")
    }

    private static func somethingClasses(_ path: String) throws(DatasetError) -> ClassNames {
        let numbers = try decode([String: Number].self, path)
        guard !numbers.isEmpty else { throw DatasetError(path: path, problem: .noClasses) }
        var names = [String?](repeating: nil, count: numbers.count)
        for (name, number) in numbers.sorted(by: { $0.key < $1.key }) {
            guard let label = Int(number.text) else {
                throw DatasetError(path: path, problem: .notANumber(number.text, column: name))
            }
            guard names.indices.contains(label), names[label] == nil else {
                throw DatasetError(path: path, problem: .labelOutOfRange(label: label, classCount: names.count))
            }
            names[label] = name
        }
        return ClassNames(names.compactMap { $0 })
    }

    private static func somethingClips(_ path: String, _ classes: ClassNames) throws(DatasetError) -> [AnnotatedClip] {
        var clips: [AnnotatedClip] = []
        for entry in try decode([Entry].self, path) {
            // The test list names no templates.
            guard let template = entry.template else { continue }
            let name = template.filter { $0 != "[" && $0 != "]" }
            guard let label = classes.index(of: name) ?? classes.index(of: template) else {
                throw DatasetError(
                    path: path, problem: .unknownClass("\(name) (clip \(entry.id.text))", nearest: nil))
            }
            let video = entry.id.text + ".webm"
            guard !video.contains("/") else { throw DatasetError(path: path, problem: .leavesRoot(video)) }
            try DatasetError.checkPath(video, file: path, line: nil)
            clips.append(AnnotatedClip(path: video, label: label))
        }
        return clips
    }
}
