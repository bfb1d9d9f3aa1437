import Files
import Glibc
import Tensors

/// The members of a tar archive, found by one pass over its headers; their bytes stay where they are.
///
/// Names are compared byte by byte. Of several members with one name the last counts, as when the archive is unpacked.
/// Links are followed within the archive alone. Names that start at the root or climb out of the archive are never found.
///
/// Sendable because nothing changes once it is made, and reading at an offset leaves the descriptor as it is.
package final class TarArchive: @unchecked Sendable {
    package let path: String
    private let file: InputFile
    private var members: [[UInt8]: Member] = [:]
    /// The frames right below each folder.
    private var frames: [[UInt8]: [[UInt8]]] = [:]

    private enum Member {
        case bytes(Range<Int>)
        case link(to: [UInt8])
        /// Its bytes are not those of the file.
        case sparse
    }

    /// More videos than any published set has, frame by frame.
    private static let memberLimit = 4_000_000
    /// Longest name, as the system has it.
    private static let nameLimit = 4096
    /// pax headers hold names and times.
    private static let recordByteLimit = 1 << 20
    private static let linkLimit = 8

    /// - Throws: `FileError` with what is wrong and where.
    package init(path: String) throws(FileError) {
        self.path = path
        file = try InputFile(path: path)
        try Self.refuseCompressed(file)
        var offset = 0
        var pending = Pending()
        while let header = try header(at: offset) {
            let start = offset + TarHeader.byteCount
            let size = pending.size ?? header.size
            let isMember = ![.longName, .longLink, .extended, .global].contains(header.kind)
            guard size <= file.byteCount - start else {
                let name = String(decoding: pending.name ?? header.name, as: UTF8.self).escapedForDisplay
                throw FileError(
                    path: path,
                    problem: .damaged(reason: "ends within the member '\(name)'. The download or copy is incomplete; fetch it again"))
            }
            if isMember {
                try add(header, pending, range: start..<start + size)
                pending = Pending(global: pending.global)
            } else {
                try read(header, range: start..<start + size, into: &pending)
            }
            // What follows starts at the next block.
            offset = start + (size + TarHeader.byteCount - 1) / TarHeader.byteCount * TarHeader.byteCount
        }
    }

    /// What headers say of the member that comes next.
    private struct Pending {
        var name: [UInt8]?
        var target: [UInt8]?
        var size: Int?
        var isSparse = false
        /// For all members.
        var global: [String: [UInt8]] = [:]

        init(global: [String: [UInt8]] = [:]) {
            self.global = global
            take(global.map { (key: $0.key, value: $0.value) })
        }

        mutating func take(_ records: [(key: String, value: [UInt8])]) {
            for (key, value) in records {
                switch key {
                case "path": name = value
                case "linkpath": target = value
                case "size": size = Int(String(decoding: value, as: UTF8.self)).flatMap { $0 >= 0 ? $0 : nil } ?? .max
                case "GNU.sparse.name":
                    name = value
                    isSparse = true
                default: if key.hasPrefix("GNU.sparse.") { isSparse = true }
                }
            }
        }
    }

    // MARK: Reading the headers

    private static func refuseCompressed(_ file: borrowing InputFile) throws(FileError) {
        let forms: [(name: String, start: [UInt8])] = [
            ("gzip", [0x1F, 0x8B]), ("xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A]), ("zstd", [0x28, 0xB5, 0x2F, 0xFD]), ("bzip2", Array("BZh".utf8)),
            ("ZIP", [0x50, 0x4B, 3, 4]),
        ]
        let start = try file.bytes(at: 0, count: min(6, file.byteCount))
        guard let form = forms.first(where: { start.starts(with: $0.start) })?.name else { return }
        throw FileError(
            path: file.path,
            problem: .damaged(
                reason: "is \(form)-compressed, so single videos cannot be read from it. Unpack it, or pack its files with `tar -cf videos.tar` without compression"))
    }

    /// nil at the end: two blocks of zeros, one at the file's very end, or nothing more.
    private func header(at offset: Int) throws(FileError) -> TarHeader? {
        guard offset < file.byteCount else {
            // An empty file is not an archive.
            guard offset > 0 else { throw damaged(at: 0) }
            return nil
        }
        guard file.byteCount - offset >= TarHeader.byteCount else { throw damaged(at: offset) }
        let bytes = try file.bytes(at: offset, count: TarHeader.byteCount)
        if bytes.allSatisfy({ $0 == 0 }) {
            let next = offset + TarHeader.byteCount
            let count = min(TarHeader.byteCount, file.byteCount - next)
            let rest = count > 0 ? try file.bytes(at: next, count: count) : []
            guard rest.allSatisfy({ $0 == 0 }) else { throw damaged(at: offset) }
            return nil
        }
        do {
            return try TarHeader(bytes)
        } catch {
            throw damaged(at: offset)
        }
    }

    private func damaged(at offset: Int) -> FileError {
        FileError(
            path: path,
            problem: .damaged(
                reason: offset == 0
                    ? "is not a tar archive. Name a folder of videos, or an archive made by `tar -cf`"
                    : "is a damaged tar archive: a header is missing at byte \(offset). Fetch or pack it again"))
    }

    private func read(_ header: TarHeader, range: Range<Int>, into pending: inout Pending) throws(FileError) {
        switch header.kind {
        case .longName, .longLink:
            guard range.count <= Self.nameLimit + 1 else { throw damaged(at: range.lowerBound) }
            let text = TarHeader.text(try file.bytes(at: range.lowerBound, count: range.count)[...])
            if header.kind == .longName { pending.name = text } else { pending.target = text }
        default:
            guard range.count <= Self.recordByteLimit,
                let records = TarHeader.records(try file.bytes(at: range.lowerBound, count: range.count))
            else { throw damaged(at: range.lowerBound) }
            if header.kind == .global {
                for (key, value) in records where key == "path" || key == "linkpath" || key == "size" { pending.global[key] = value }
                pending.take(records)
            } else {
                pending.take(records)
            }
        }
    }

    private func add(_ header: TarHeader, _ pending: Pending, range: Range<Int>) throws(FileError) {
        let member: Member
        switch header.kind {
        case .file: member = pending.isSparse ? .sparse : .bytes(range)
        case .sparse: member = .sparse
        case .hardLink, .symbolicLink:
            let target = pending.target ?? header.target
            let name = Self.plain(pending.name ?? header.name)
            // A symbolic link starts from its own folder, a hard one from the archive's top.
            let folder = header.kind == .hardLink ? [] : name.map(Self.parent) ?? []
            guard let resolved = Self.plain(folder.isEmpty ? target : folder + [Self.slash] + target, climbs: true) else { return }
            member = .link(to: resolved)
        default: return
        }
        guard let name = Self.plain(pending.name ?? header.name), name.count <= Self.nameLimit else { return }
        guard members.count < Self.memberLimit else {
            throw FileError(path: path, problem: .damaged(reason: "has more than \(Self.memberLimit) members. Pack its videos into several archives"))
        }
        let isNew = members.updateValue(member, forKey: name) == nil
        if isNew, FrameFolder.isFrame(String(decoding: Self.last(name), as: UTF8.self)) {
            frames[Self.parent(name), default: []].append(Self.last(name))
        }
    }

    // MARK: Names

    private static let slash = UInt8(ascii: "/")

    /// The name without `.` and doubled slashes; nil where it starts at the root, is empty or climbs out of the archive.
    ///
    /// - Parameter climbs: takes `..` as long as it stays within.
    private static func plain(_ name: [UInt8], climbs: Bool = false) -> [UInt8]? {
        guard name.first != slash else { return nil }
        var parts: [ArraySlice<UInt8>] = []
        for part in name.split(separator: slash) where !part.elementsEqual(".".utf8) {
            if part.elementsEqual("..".utf8) {
                guard climbs, parts.popLast() != nil else { return nil }
            } else {
                parts.append(part)
            }
        }
        return parts.isEmpty ? nil : Array(parts.joined(separator: [slash]))
    }

    private static func parent(_ name: [UInt8]) -> [UInt8] {
        name.lastIndex(of: slash).map { Array(name[..<$0]) } ?? []
    }

    private static func last(_ name: [UInt8]) -> [UInt8] {
        name.lastIndex(of: slash).map { Array(name[($0 + 1)...]) } ?? name
    }

    // MARK: Members

    /// Bytes of the archive that are the member's; nil where there is no file of that name.
    ///
    /// - Throws: `FileError` where it is sparse.
    private func range(_ name: [UInt8]) throws(FileError) -> Range<Int>? {
        guard var name = Self.plain(name) else { return nil }
        for _ in 0...Self.linkLimit {
            switch members[name] {
            case .bytes(let range): return range
            case .link(let target): name = target
            case .sparse:
                throw FileError(
                    path: path.appendingPath(String(decoding: name, as: UTF8.self)),
                    problem: .damaged(reason: "is stored sparse in its archive and cannot be read from there. Pack it with tar without --sparse"))
            case nil: return nil
            }
        }
        return nil
    }

    /// Whether a video, a frame or any other file of that name is there.
    package func contains(_ name: String) -> Bool {
        // A sparse member is there: it is told when it is read.
        do throws(FileError) { return try range(Array(name.utf8)) != nil } catch { return true }
    }

    /// A member as a file of its own.
    ///
    /// - Throws: `FileError` with `missing` where there is none.
    func open(_ name: String) throws(FileError) -> InputFile {
        let whole = path.appendingPath(name)
        guard let range = try range(Array(name.utf8)) else { throw FileError(path: whole, problem: .missing) }
        return try InputFile(path: whole, partOf: file, range: range)
    }

    /// Bytes of a member; 0 where there is none.
    package func byteCount(of name: String) -> Int {
        do throws(FileError) { return try range(Array(name.utf8))?.count ?? 0 } catch { return 0 }
    }

    /// The names of the frames in a folder, in no order; none where it is not a folder of frames.
    package func frameNames(in folder: String) -> [String] {
        guard let name = folder.isEmpty ? [] : Self.plain(Array(folder.utf8)) else { return [] }
        return frames[name, default: []].map { String(decoding: $0, as: UTF8.self) }
    }

    /// The folders that hold frames.
    package var frameFolders: [String] { frames.keys.map { String(decoding: $0, as: UTF8.self) }.sorted() }

    /// The names of all files, in order.
    package var fileNames: [String] { members.keys.map { String(decoding: $0, as: UTF8.self) }.sorted() }

    // MARK: Archives in use

    /// Whether a file calls itself a tar archive.
    package static func isOne(_ path: String) -> Bool { path.lowercased().hasSuffix(".tar") && isRegularFile(path) }

    /// The archive at a path, read once as long as its file stays the same.
    package static func shared(_ path: String) throws(FileError) -> TarArchive {
        var status = stat()
        guard !path.utf8.contains(0), unsafe stat(path, &status) == 0 else { throw FileError(path: path, problem: .missing) }
        let key = Key(
            path: Array(path.utf8), device: UInt64(status.st_dev), node: UInt64(status.st_ino), size: Int(status.st_size),
            seconds: Int(status.st_mtim.tv_sec), nanoseconds: Int(status.st_mtim.tv_nsec))
        // Whoever comes second waits for the index that the first one makes.
        let found: Result<TarArchive, FileError> = open.monitor.locked {
            if let archive = open.archives.first(where: { $0.key == key })?.archive { return .success(archive) }
            do throws(FileError) {
                let archive = try TarArchive(path: path)
                open.archives.append((key, archive))
                if open.archives.count > Open.limit { open.archives.removeFirst() }
                return .success(archive)
            } catch {
                return .failure(error)
            }
        }
        return try found.get()
    }

    private struct Key: Equatable {
        let path: [UInt8]
        let device: UInt64
        let node: UInt64
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    /// Sendable because its contents are touched only under the monitor.
    private final class Open: @unchecked Sendable {
        /// Training and test lists may lie in archives of their own; each holds a descriptor and its index.
        static let limit = 8
        let monitor = Monitor()
        var archives: [(key: Key, archive: TarArchive)] = []
    }

    private static let open = Open()
}
