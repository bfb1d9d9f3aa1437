import Files
import Foundation
import Synchronization

/// The data sets of a server, each in a folder of its own.
///
///     data-sets/ID/data-set.json    names, classes, clips: written whole at every change
///     data-sets/ID/videos/CLIP.mp4
///     data-sets/ID/pictures/CLIP.png
final class DataSetStore: Sendable {
    private let records: RecordFolder<DataSet>
    private let limits: ServerLimits
    private let state: Mutex<State>

    private struct State {
        var sets: [DataSet]
        /// Bytes of uploads that are on their way.
        var reserved = 0

        var bytes: Int { sets.reduce(0) { $0 + $1.bytes } }

        func place(of id: String) throws(RequestFault) -> Int {
            guard let place = sets.firstIndex(where: { $0.id == id }) else { throw RequestFault(.notFound, "There is no such data set.") }
            return place
        }
    }

    private static let setLimit = 256
    private static let clipLimit = 10_000

    /// - Throws: `FileError` for a record that cannot be read, naming it.
    init(folder: String, limits: ServerLimits) throws {
        let records = try RecordFolder<DataSet>(path: folder, fileName: "data-set.json", letter: "d")
        self.records = records
        self.limits = limits
        // Of data sets whose deletion was interrupted.
        let sets = try records.all { removeTree(records.folder(of: $0)) }
        for set in sets {
            // Of uploads that were interrupted.
            let known = Set(set.clips.flatMap { ["videos/\($0.file)", "pictures/\($0.id).png"] })
            for part in ["videos", "pictures"] {
                let place = records.folder(of: set.id).appendingPath(part)
                for file in (try? directoryEntries(place)) ?? [] where !known.contains("\(part)/\(file)") { try? removeFile(place.appendingPath(file)) }
            }
        }
        state = Mutex(State(sets: sets.sorted { $0.created < $1.created }))
    }

    // MARK: Reading

    var all: [DataSet] { state.withLock { $0.sets } }
    var bytes: Int { state.withLock { $0.bytes } }

    func set(_ id: String) throws(RequestFault) -> DataSet {
        try state.withLock { state throws(RequestFault) in state.sets[try state.place(of: id)] }
    }

    func clip(_ id: String, of set: String) throws(RequestFault) -> DataSet.Clip {
        let set = try self.set(set)
        return set.clips[try set.place(of: id)]
    }

    func root(of set: String) -> String { records.folder(of: set).appendingPath("videos") }
    func path(of clip: DataSet.Clip, in set: String) -> String { root(of: set).appendingPath(clip.file) }
    func picture(of clip: String, in set: String) -> String { records.folder(of: set).appendingPath("pictures").appendingPath("\(clip).png") }

    // MARK: Changing

    func create(name: String) throws -> DataSet {
        let name = try Self.checked(name, what: "name of the data set", limits: limits)
        let set = DataSet(id: records.newID(), name: name, classes: [], clips: [], created: Date())
        try state.withLock { state in
            guard state.sets.count < Self.setLimit else { throw RequestFault(.quota, "There are \(Self.setLimit) data sets already. Delete one first.") }
            for part in ["videos", "pictures"] { try createDirectory(records.folder(of: set.id).appendingPath(part)) }
            try records.write(set)
            state.sets.append(set)
        }
        return set
    }

    func delete(_ id: String) throws {
        try state.withLock { state in
            let place = try state.place(of: id)
            // Without its record the folder is none of a data set any more, even if removing is interrupted.
            try records.removeRecord(of: id)
            state.sets.remove(at: place)
        }
        removeTree(records.folder(of: id))
    }

    /// - Parameters:
    ///   - classes: all that there are to be, in their order; clips of others have no class afterwards.
    ///   - added: come behind the others; what is there already stays as it is, so that two who change classes do not undo each other's.
    ///   - removed: go; their clips have no class afterwards.
    ///   - renamed: old names and new ones.
    func change(
        _ id: String, name: String?, classes: [String]?, added: [String] = [], removed: [String] = [], renamed: [String: String]
    ) throws -> DataSet {
        let name = try name.map { try Self.checked($0, what: "name of the data set", limits: limits) }
        let renamed = try renamed.mapValues { try Self.checked($0, what: "class name", limits: limits) }
        let classes = try classes.map { try Self.checked(classes: $0, limits: limits) }
        return try change(id) { set in
            set.name = name ?? set.name
            set.classes = set.classes.map { renamed[$0] ?? $0 }
            for index in set.clips.indices { set.clips[index].class = set.clips[index].class.map { renamed[$0] ?? $0 } }
            var all = (classes ?? set.classes).filter { !removed.contains($0) }
            for name in added {
                let name = try Self.checked(name, what: "class name", limits: limits)
                if !all.contains(name) { all.append(name) }
            }
            set.classes = try Self.checked(classes: all, limits: limits)
            for index in set.clips.indices where set.clips[index].class.map(set.classes.contains) == false { set.clips[index].class = nil }
        }
    }

    func change(_ clip: String, of set: String, class name: String?) throws -> DataSet.Clip {
        let name = try name.map { try Self.checked($0, what: "class name", limits: limits) }
        let changed = try change(set) { set in
            let place = try set.place(of: clip)
            if let name { try add(class: name, to: &set) }
            set.clips[place].class = name
        }
        return changed.clips[try changed.place(of: clip)]
    }

    private func add(class name: String, to set: inout DataSet) throws(RequestFault) {
        if !set.classes.contains(name) { set.classes = try Self.checked(classes: set.classes + [name], limits: limits) }
    }

    func delete(_ clip: String, of id: String) throws {
        let found = try self.clip(clip, of: id)
        _ = try change(id) { $0.clips.removeAll { $0.id == clip } }
        _ = try? removeFile(path(of: found, in: id))
        _ = try? removeFile(picture(of: clip, in: id))
    }

    /// Bytes of the quota that an upload may take, held until it is there or has failed.
    final class Reservation: Sendable {
        private let store: DataSetStore
        private let byteCount: Int

        fileprivate init(_ store: DataSetStore, _ byteCount: Int) {
            self.store = store
            self.byteCount = byteCount
        }

        deinit { store.state.withLock { $0.reserved -= byteCount } }
    }

    /// Keeps an uploaded video.
    ///
    /// - Parameter look: says what the video is, or throws.
    func add(
        _ upload: Upload, to id: String, name: String, class label: String?, look: (String) throws -> (seconds: Double, width: Int, height: Int, picture: [UInt8])
    ) throws -> DataSet.Clip {
        let name = try Self.checked(name, what: "name of the clip", limits: limits)
        let label = try label.map { try Self.checked($0, what: "class name", limits: limits) }
        _ = try set(id)
        let clipID = drawnID("v")
        let file = clipID + Self.ending(of: name)
        let path = root(of: id).appendingPath(file)
        let digest = try Self.keep(upload, at: path)
        do {
            let seen = try look(path)
            try DurableFile.write(seen.picture, to: picture(of: clipID, in: id))
            let clip = DataSet.Clip(
                id: clipID, name: name, class: label, seconds: seen.seconds, width: seen.width, height: seen.height, bytes: upload.byteCount, file: file,
                sha256: digest)
            _ = try change(id) { set in
                guard set.clips.count < Self.clipLimit else { throw RequestFault(.quota, "The data set has \(Self.clipLimit) clips already.") }
                if let twin = set.clips.first(where: { $0.sha256 == digest }) {
                    throw RequestFault(.conflict, "\(name) is in the data set already, as \(twin.name).")
                }
                if let label { try add(class: label, to: &set) }
                set.clips.append(clip)
            }
            return clip
        } catch {
            _ = try? removeFile(path)
            _ = try? removeFile(picture(of: clipID, in: id))
            // The data set may have been deleted in the meantime; what was made of its folder since goes, too.
            if !all.contains(where: { $0.id == id }) { removeTree(records.folder(of: id)) }
            throw error
        }
    }

    /// - Parameter byteCount: of a video that is about to come.
    func reserve(_ byteCount: Int) throws(RequestFault) -> Reservation {
        try state.withLock { state throws(RequestFault) in
            guard state.bytes + state.reserved + byteCount <= limits.quotaBytes else {
                throw RequestFault(.quota, "The data sets together may take \(sizeInWords(limits.quotaBytes)). Delete clips first.")
            }
            state.reserved += byteCount
        }
        return Reservation(self, byteCount)
    }

    private static func keep(_ upload: Upload, at path: String) throws -> String {
        let source = try InputFile(path: upload.path)
        var file = try DurableFile(path: path, expectedByteCount: upload.byteCount)
        var offset = 0
        while offset < upload.byteCount {
            let bytes = try source.bytes(at: offset, count: min(1 << 20, upload.byteCount - offset))
            try file.write(bytes)
            offset += bytes.count
        }
        return try file.commit()
    }

    private func change(_ id: String, _ body: (inout DataSet) throws -> Void) throws -> DataSet {
        try state.withLock { state in
            let place = try state.place(of: id)
            var set = state.sets[place]
            try body(&set)
            try records.write(set)
            state.sets[place] = set
            return set
        }
    }

    // MARK: Names

    /// The ending of a file's name, where it is harmless; decoders tell some forms by it.
    private static func ending(of name: String) -> String {
        guard let dot = name.lastIndex(of: ".") else { return "" }
        let letters = name[name.index(after: dot)...].lowercased()
        guard (1...5).contains(letters.utf8.count), letters.utf8.allSatisfy({ (97...122).contains($0) || (48...57).contains($0) }) else { return "" }
        return ".\(letters)"
    }

    static func checked(_ name: String, what: String, limits: ServerLimits) throws(RequestFault) -> String {
        let name = name.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !name.isEmpty else { throw RequestFault(.badRequest, "The \(what) is empty.") }
        guard name.utf8.count <= limits.classNameBytes else {
            throw RequestFault(.badRequest, "The \(what) is longer than \(limits.classNameBytes) bytes.")
        }
        guard !name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) else {
            throw RequestFault(.badRequest, "The \(what) contains control characters.")
        }
        return name
    }

    static func checked(classes: [String], limits: ServerLimits) throws(RequestFault) -> [String] {
        guard classes.count <= limits.classCount else { throw RequestFault(.badRequest, "There may be \(limits.classCount) classes, not \(classes.count).") }
        var names: [String] = []
        for name in classes {
            let name = try checked(name, what: "class name", limits: limits)
            guard !names.contains(name) else { throw RequestFault(.badRequest, "The class \"\(name)\" is there twice.") }
            names.append(name)
        }
        return names
    }
}
