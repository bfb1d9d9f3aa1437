import Files

/// MSR-VTT read from its published lists, in our form: videos with captions.
///
/// - `MSRVTT_data.json`: `videos` with `video_id` and `split`, `sentences` with `video_id` and `caption`;
/// - `MSRVTT_JSFUSION_test.csv`: `key,vid_key,video_id,sentence`, the 1,000 pairs of the 1K-A test;
/// - `MSRVTT_train.9k.csv`, `MSRVTT_train.7k.csv`: the column `video_id`.
///
/// Source: Yu et al. 2018 (JSFusion) for the test; ArrowLuo/CLIP4Clip, dataloader_msrvtt_retrieval.py, for the files.
package struct ImportedCaptions: Sendable {
    /// One list.
    package struct Part: Sendable {
        /// `train`, `test`, `val`; `train.9k` where several lists to learn from are given.
        package var name: String
        package var list: CaptionList
    }

    package let kind = "MSR-VTT"
    package private(set) var parts: [Part] = []
    package private(set) var warnings: [DatasetWarning] = []
    /// How the parts were made where no list says it.
    package private(set) var note: String?

    private static let byteLimit = 256 << 20

    /// Whether these are files that this reads, rather than lists with classes.
    ///
    /// - Throws: `mixedForms` where they are both.
    package static func takes(_ files: [PublishedFile]) throws(DatasetError) -> Bool {
        let own = files.filter { [.captionObject, .captionTable, .videoNames].contains($0.form) }
        guard let first = own.first else { return false }
        guard let other = files.first(where: { !own.contains($0) }) else { return true }
        throw DatasetError(
            path: first.path, problem: .mixedForms([first, other].map { "\($0.path.lastPathComponent.escapedForDisplay) (\($0.formName))" }))
    }

    /// - Parameter files: known by `takes`.
    package init(_ files: [PublishedFile]) throws(DatasetError) {
        func some(_ form: PublishedFile.Form) -> [PublishedFile] { files.filter { $0.form == form } }
        let (objects, tables, names) = (some(.captionObject), some(.captionTable), some(.videoNames))
        for same in [objects, tables] where same.count > 1 {
            throw DatasetError(path: same[1].path, problem: .mixedForms(same.map { $0.path.lastPathComponent.escapedForDisplay }))
        }
        if names.isEmpty && objects.isEmpty && tables.isEmpty { throw DatasetError(path: files[0].path, problem: .unknownForm) }
        let test = try tables.first.map { table throws(DatasetError) in try Self.pairs(table.path) }
        if let object = objects.first {
            parts = try Self.parts(of: object.path, names: names.map(\.path), test: test)
            if names.isEmpty, test != nil { note = "No list of videos to learn from was given: train is all videos without those of the test." }
        } else if let name = names.first {
            throw DatasetError(
                path: name.path, problem: .needsFile(words: "names videos only. Give MSRVTT_data.json, which holds their captions, too."))
        }
        if let test { parts.append(Part(name: "test", list: test)) }
    }

    /// Puts the paths under which videos lie in place of the published ones; as `ImportedSet.locate`.
    package mutating func locate(in index: VideoIndex, skipsMissing: Bool) throws(DatasetError) {
        let entries = parts.map { part in part.list.videos.map { VideoLookup.Entry(path: $0, label: nil, part: part.name) } }
        let lookup = VideoLookup(entries.flatMap(\.self), classNames: [], in: index)
        for position in parts.indices {
            let list = parts[position].list
            let located = LocatedVideos(entries[position], in: lookup)
            do {
                try located.refuse(list: list.path, root: index.root)
            } catch {
                guard skipsMissing, located.paths.contains(where: { $0 != nil }) else { throw error }
            }
            warnings += located.warnings(list: list.path)
            var paths: [Bytewise: String] = [:]
            for (video, path) in zip(list.videos, located.paths) { paths[video] = path }
            parts[position].list = list.mapped { paths[$0] }
        }
    }

    // MARK: MSRVTT_data.json

    private struct Object: Decodable {
        struct Entry: Decodable {
            let video_id: String
            let split: String?
        }
        struct Sentence: Decodable {
            let video_id: String
            let caption: String
        }
        let videos: [Entry]?
        let sentences: [Sentence]
    }

    private static func parts(of path: String, names: [String], test: CaptionList?) throws(DatasetError) -> [Part] {
        let object = try ImportedSet.decode(Object.self, path, byteLimit: byteLimit)
        guard object.sentences.count <= CaptionList.captionLimit else {
            throw DatasetError(path: path, problem: .tooManyLines(limit: CaptionList.captionLimit))
        }
        // Part names of each video; a video may be in the lists of 7k and of 9k.
        var partsOf: [Bytewise: [String]] = [:]
        var order: [String] = []
        func note(_ video: String, _ part: String) {
            if !order.contains(part) { order.append(part) }
            partsOf[video, default: []].append(part)
        }
        var known: Set<Bytewise> = []
        for sentence in object.sentences { known.insert(sentence.video_id) }
        if !names.isEmpty {
            for list in names {
                let part = names.count == 1 ? "train" : partName(list.lastPathComponent)
                for (id, line) in try ids(list) {
                    guard known.contains(id) else {
                        throw DatasetError(path: list, line: line, problem: .unknownVideo(id, file: path.lastPathComponent))
                    }
                    note(try videoFile(id, file: list, line: line), part)
                }
            }
        } else if let test {
            let tested = Set<Bytewise>(texts: test.videos)
            for id in known.sorted().map(\.text) {
                let video = try videoFile(id, file: path, line: nil)
                if !tested.contains(video) { note(video, "train") }
            }
        } else {
            for video in object.videos ?? [] {
                let split = video.split?.lowercased() ?? "train"
                note(try videoFile(video.video_id, file: path, line: nil), ImportedSet.partName(split) ?? "train")
            }
        }
        var lists: [String: CaptionList] = [:]
        for sentence in object.sentences {
            let name = try videoFile(sentence.video_id, file: path, line: nil)
            for part in partsOf[name] ?? [] {
                let (video, caption) = try CaptionList.checked(video: name, caption: sentence.caption, file: path, line: nil)
                lists[part, default: CaptionList(path: path, root: "")].add(video: video, caption: caption)
            }
        }
        let parts = order.compactMap { name in lists[name].map { Part(name: name, list: $0) } }
        guard !parts.isEmpty else { throw DatasetError(path: path, problem: .noCaptions) }
        return parts
    }

    /// `train.9k` for MSRVTT_train.9k.csv.
    private static func partName(_ file: String) -> String {
        let stem = file.lowercased().hasSuffix(".csv") ? String(file.dropLast(4)) : file
        return stem.split(separator: "_").last.map(String.init) ?? stem
    }

    /// A video's file as CLIP4Clip names it; an id is a part of a file's name, not a way elsewhere.
    private static func videoFile(_ id: String, file: String, line: Int?) throws(DatasetError) -> String {
        guard !id.isEmpty, !id.utf8.contains(UInt8(ascii: "/")) else {
            throw DatasetError(path: file, line: line, problem: id.isEmpty ? .noVideo : .leavesRoot(id))
        }
        let name = id + ".mp4"
        try DatasetError.checkPath(name, file: file, line: line)
        return name
    }

    // MARK: Tables

    private static func ids(_ path: String) throws(DatasetError) -> [(id: String, line: Int)] {
        var column: Int?
        var result: [(String, Int)] = []
        try CSVReader.eachRecord(of: path, byteLimit: byteLimit) { record throws(DatasetError) in
            guard let column else {
                column = try self.column("video_id", record, path)
                return
            }
            guard record.fields.indices.contains(column) else {
                throw DatasetError(path: path, line: record.line, problem: .fieldCount(found: record.fields.count, expected: column + 1))
            }
            result.append((record.fields[column].trimmingBlanks(), record.line))
        }
        guard !result.isEmpty else { throw DatasetError(path: path, problem: .noClips) }
        return result
    }

    /// The rows of a table with `video_id` and `sentence`.
    private static func pairs(_ path: String) throws(DatasetError) -> CaptionList {
        var columns: (id: Int, sentence: Int, count: Int)?
        var list = CaptionList(path: path, root: "")
        try CSVReader.eachRecord(of: path, byteLimit: byteLimit) { record throws(DatasetError) in
            guard let columns else {
                columns = (try column("video_id", record, path), try column("sentence", record, path), record.fields.count)
                return
            }
            guard record.fields.count == columns.count else {
                throw DatasetError(
                    path: path, line: record.line, problem: .fieldCount(found: record.fields.count, expected: columns.count))
            }
            let name = try videoFile(record.fields[columns.id].trimmingBlanks(), file: path, line: record.line)
            let (video, caption) = try CaptionList.checked(
                video: name, caption: record.fields[columns.sentence], file: path, line: record.line)
            list.add(video: video, caption: caption)
            guard list.captions.count <= CaptionList.captionLimit else {
                throw DatasetError(path: path, problem: .tooManyLines(limit: CaptionList.captionLimit))
            }
        }
        guard !list.captions.isEmpty else { throw DatasetError(path: path, problem: .noCaptions) }
        return list
    }

    private static func column(_ name: String, _ record: CSVReader.Record, _ path: String) throws(DatasetError) -> Int {
        let names = record.fields.map { $0.trimmingBlanks().lowercased() }
        guard let index = names.firstIndex(of: name) else {
            throw DatasetError(path: path, line: record.line, problem: .missingColumn(name, found: record.fields))
        }
        return index
    }
}
