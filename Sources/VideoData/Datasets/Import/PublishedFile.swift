import Files
import Foundation

/// One file of a data set as it was published, known by its content.
package struct PublishedFile: Sendable, Equatable {
    package enum Form: Sendable, Equatable {
        /// CSV with the column `youtube_id`: Kinetics.
        case kineticsTable
        /// `1 ApplyEyeMakeup`, from 1 on: UCF-101's classInd.txt.
        case numberedNames
        /// `brush_hair_test_split1.txt`, lines `video.avi 1`: HMDB-51.
        case hmdbSplit(className: String, number: Int)
        /// A JSON array of objects with id and template: Something-Something v2.
        case somethingClips
        /// A JSON array of nothing: as Something-Something's clips, or where Create ML's annotations are none.
        case emptyArray
        /// A JSON object from name to number: Something-Something v2.
        case somethingLabels
        /// A JSON object with videos and sentences: MSRVTT_data.json.
        case captionObject
        /// CSV `key,vid_key,video_id,sentence`: MSRVTT_JSFUSION_test.csv.
        case captionTable
        /// CSV with the column `video_id`: MSRVTT_train.9k.csv.
        case videoNames
        /// CSV `id,name`: ViFi-CLIP, X-CLIP.
        case classTable
        /// An XML document: ELAN's .eaf.
        case elan
        /// An XML document: CVAT's annotations.xml.
        case cvat
        /// A JSON array of tasks with annotations: Label Studio.
        case labelStudio
        /// A JSON array of objects with a video and a label: Create ML.
        case createML
        /// What `predict` writes as .csv.
        case timelineTable
        /// What `predict` writes as .json or .jsonl.
        case timelineLines
        /// One name per line: mmaction2's label_map.txt.
        case classLines
        /// `path label`, or `path frames label`.
        case clips
        /// Paths alone: UCF-101's test lists.
        case paths
    }

    package let path: String
    package let form: Form

    /// In words, for messages.
    package var formName: String {
        switch form {
        case .kineticsTable: "Kinetics CSV"
        case .numberedNames: "UCF-101 class index"
        case .hmdbSplit: "HMDB-51 split file"
        case .somethingClips: "Something-Something clips"
        case .emptyArray: "empty JSON array"
        case .somethingLabels: "Something-Something labels"
        case .captionObject: "MSR-VTT videos and sentences"
        case .captionTable: "MSR-VTT sentences, CSV"
        case .videoNames: "MSR-VTT list of videos"
        case .elan: "ELAN annotations"
        case .cvat: "CVAT annotations"
        case .labelStudio: "Label Studio annotations"
        case .createML: "Create ML annotations"
        case .timelineTable: "time lines of predict, CSV"
        case .timelineLines: "time lines of predict, JSON"
        case .classTable: "class names, CSV"
        case .classLines: "class names, one per line"
        case .clips: "list of paths and labels"
        case .paths: "list of paths"
        }
    }

    /// Whether it is of an annotation program, or a time line.
    var isAnnotations: Bool {
        switch form {
        case .elan, .cvat, .labelStudio, .createML, .timelineTable, .timelineLines: true
        default: false
        }
    }

    /// How much of a file is looked at.
    private static let lookedAtByteCount = 1 << 16

    /// - Throws: `DatasetError` with `unknownForm` where it is none of these.
    package init(_ path: String) throws(DatasetError) {
        self.path = path
        form = try Self.form(of: path)
    }

    /// The files that are meant by a file or by a folder of them, in order of names. Of a folder those that
    /// end in .txt, .csv, .json, .jsonl, .xml or .eaf, without a readme and what this program wrote. Many programs write
    /// .xml and .jsonl: in a folder those that hold no annotations are passed over.
    package static func files(at path: String) throws(DatasetError) -> [PublishedFile] {
        guard isDirectory(path) else { return [try PublishedFile(path)] }
        let names: [String]
        do {
            names = try directoryEntries(path)
        } catch {
            throw DatasetError(path: path, problem: .file(error))
        }
        var files: [PublishedFile] = []
        for name in names where !name.isHiddenName && [".txt", ".csv", ".json", ".jsonl", ".xml", ".eaf"].contains(where: name.lowercased().hasSuffix) {
            if name.lowercased().hasPrefix("readme") || name == DataSummary.importName { continue }
            let isOfMany = [".jsonl", ".xml"].contains(where: name.lowercased().hasSuffix)
            do {
                let file = try PublishedFile(path.appendingPath(name))
                if !isOfMany || file.isAnnotations { files.append(file) }
            } catch {
                if case .file = error.problem { throw error }
                guard isOfMany else { throw error }
            }
        }
        guard !files.isEmpty else { throw DatasetError(path: path, problem: .unknownForm) }
        return files
    }

    // MARK: Recognition

    /// What lists are often packed in, by first bytes.
    private static let archives: [(name: String, start: [UInt8])] = [
        ("ZIP", [0x50, 0x4B, 0x03, 0x04]), ("RAR", Array("Rar!".utf8)), ("gzip", [0x1F, 0x8B]), ("7z", [0x37, 0x7A, 0xBC, 0xAF]),
    ]

    private static func form(of path: String) throws(DatasetError) -> Form {
        let lines = try firstLines(of: path)
        let unknown = DatasetError(path: path, problem: .unknownForm)
        guard let first = lines.first else { throw unknown }
        let start = lines.prefix(3).joined().filter { !$0.isWhitespace }
        if let form = annotationForm(start, lines) { return form }
        if ["\"annotation_id\"", "\"annotator\""].allSatisfy({ name in lines.contains { $0.contains(name) } }) {
            let name = start.hasPrefix("[{") ? "JSON-MIN" : first.contains("\t") ? "TSV" : "CSV"
            throw DatasetError(path: path, problem: .annotation(.shortForm(name)))
        }
        if start == "[]" { return .emptyArray }
        if start.hasPrefix("[{") { return .somethingClips }
        if start.hasPrefix("[\"") || start.hasPrefix("{\"0\":\"") { return .classLines }
        if start.hasPrefix("{\"") {
            let isCaptions = ["\"videos\"", "\"sentences\""].contains { name in lines.contains { $0.contains(name) } }
            return isCaptions && lines.contains { $0.contains("\"video_id\"") } ? .captionObject : .somethingLabels
        }
        let columns = first.split(separator: ",").map { String($0).trimmingBlanks().lowercased() }
        if columns.contains("youtube_id") { return .kineticsTable }
        if columns.contains("video_id") { return columns.contains("sentence") ? .captionTable : .videoNames }
        if columns.contains("id") && columns.contains("name") { return .classTable }
        if ListTable(firstLines: lines) != nil { return .clips }
        if let split = hmdbSplit(path.lastPathComponent), lines.allSatisfy(isHMDBLine) { return split }
        if lines.enumerated().allSatisfy({ numberedName($0.element)?.number == $0.offset + 1 }) { return .numberedNames }
        if lines.allSatisfy(endsInLabel) { return .clips }
        if lines.allSatisfy({ $0.contains("/") && VideoEndings.isShownVideo($0.lastPathComponent) }) { return .paths }
        if lines.allSatisfy(isNamedVideo) { return .clips }
        if areNames(lines) { return .classLines }
        throw unknown
    }

    /// Lines from the start, without blanks around them and empty ones.
    private static func firstLines(of path: String) throws(DatasetError) -> [String] {
        do {
            let file = try InputFile(path: path)
            let isWhole = file.byteCount <= lookedAtByteCount
            let bytes = try file.bytes(at: 0, count: min(file.byteCount, lookedAtByteCount))
            if let archive = archives.first(where: { bytes.starts(with: $0.start) })?.name {
                throw DatasetError(path: path, problem: .packed(archive))
            }
            guard !bytes.contains(0) else { throw DatasetError(path: path, problem: .zeroByte) }
            var text = Substring(String(decoding: bytes, as: UTF8.self))
            if text.unicodeScalars.first == "\u{FEFF}" { text.unicodeScalars.removeFirst() }
            let lines = text.split(whereSeparator: \.isNewline)
            // The last one may be cut; some JSON is one long line.
            return (isWhole || lines.count < 2 ? lines : lines.dropLast()).map { String($0).trimmingBlanks() }.filter { !$0.isEmpty }
        } catch let error as FileError {
            throw DatasetError(path: path, problem: .file(error))
        } catch let error as DatasetError {
            throw error
        } catch {
            throw DatasetError(path: path, problem: .unknownForm)
        }
    }

    /// Files of annotation programs.
    ///
    /// - Parameter start: of the first lines, without blanks.
    private static func annotationForm(_ start: String, _ lines: [String]) -> Form? {
        func holds(_ text: String) -> Bool { lines.contains { $0.contains(text) } }
        if start.hasPrefix("<") { return holds("<ANNOTATION_DOCUMENT") ? .elan : holds("<annotations") ? .cvat : nil }
        if start.hasPrefix("[{") {
            if ["\"annotations\"", "\"predictions\""].contains(where: holds), holds("\"data\"") || holds("\"result\"") { return .labelStudio }
            return holds("\"label\"") && CreateMLImport.videoKeys.contains { holds("\"\($0)\"") } && !holds("\"template\"") ? .createML : nil
        }
        // Keys are in the order of their names, so that the video of a long time line stands beyond what is looked at; its
        // segments may, too, after whose start comes the first answer.
        if start.hasPrefix("{\"") { return holds("\"schema\"") && (holds("\"segments\"") || holds("\"answer\"")) ? .timelineLines : nil }
        let columns = (lines.first ?? "").split(separator: ",").map { String($0).trimmingBlanks().lowercased() }
        return TimelineImport.columns.allSatisfy(columns.contains) ? .timelineTable : nil
    }

    private static func hmdbSplit(_ name: String) -> Form? {
        guard name.hasSuffix(".txt"), let mark = name.range(of: "_test_split", options: .backwards), mark.lowerBound > name.startIndex,
            let number = Int(name[mark.upperBound...].dropLast(4)), (1...9).contains(number)
        else { return nil }
        return .hmdbSplit(className: String(name[..<mark.lowerBound]), number: number)
    }

    private static func isHMDBLine(_ line: String) -> Bool {
        guard let blank = line.lastIndex(of: " ") else { return false }
        return ["0", "1", "2"].contains(line[line.index(after: blank)...])
    }

    /// `12 Name`.
    static func numberedName(_ line: String) -> (number: Int, name: String)? {
        guard let blank = line.firstIndex(where: { $0 == " " || $0 == "\t" }), let number = Int(line[..<blank]) else { return nil }
        let name = String(line[blank...]).trimmingBlanks()
        guard !name.isEmpty, Int(name) == nil else { return nil }
        return (number, name)
    }

    /// A video and the name of its class.
    private static func isNamedVideo(_ line: String) -> Bool {
        guard let line = try? ListLine(line, isClass: { _ in false }) else { return false }
        return VideoEndings.isShownVideo(line.path.lastPathComponent)
    }

    /// Whether lines may be names of classes: these may hold commas and slashes, but are no table and no paths.
    private static func areNames(_ lines: [String]) -> Bool {
        guard lines.allSatisfy({ $0.utf8.count <= 200 && !$0.contains("<") }), !lines.allSatisfy({ $0.contains("/") }) else { return false }
        let rows = lines.map(ListTable.fields)
        let isTable = rows[0].count > 1 && rows.allSatisfy { $0.count == rows[0].count }
        // `walk,0`, as in the label map of Multi-Moments in Time.
        return !isTable || rows[0].count == 2 && rows.enumerated().allSatisfy { ListLine.wholeNumber($0.element[1].trimmingBlanks()) == $0.offset }
    }

    private static func endsInLabel(_ line: String) -> Bool {
        guard let blank = line.lastIndex(where: { $0 == " " || $0 == "\t" }) else { return false }
        return Int(line[line.index(after: blank)...]) != nil
    }
}
