import Files

/// The directory of a zip archive of the kind that `torch.save` writes, verified against the file.
///
/// Far stricter than zip: one reading of the archive is possible or none. Every entry's place is
/// proven to lie within the file and to overlap no other; names are unique and stay below one folder.
/// Nothing is ever inflated.
struct ZipArchive {
    struct Entry: Sendable {
        /// Below the root folder: "data/0".
        let name: String
        let byteRange: Range<Int>
        let checksum: UInt32
        /// As it is, not compressed.
        let isStored: Bool
    }

    /// The one folder that everything is in.
    let root: String
    let entries: [Bytewise: Entry]
    /// False where every checksum is zero, as PyTorch writes on request.
    let hasChecksums: Bool

    static let entryLimit = 65_536
    private static let nameLimit = 1024

    func entry(_ name: String) throws(WeightFileError.ArchiveFault) -> Entry {
        guard let entry = entries[name] else { throw .missing(entry: name) }
        return entry
    }

    /// - Throws: `WeightFileError`, also where the file is another kind of zip archive.
    init(file: borrowing InputFile) throws(WeightFileError) {
        let end = try EndRecord(file: file)
        let bytes = try readBytes(of: file, at: end.directory.lowerBound, count: end.directory.count)
        let records = try Self.records(bytes, directoryStart: end.directory.lowerBound, count: end.count, path: file.path)
        if records.contains(where: { $0.name.endsWithBytes(of: ".npy") && !$0.name.utf8.contains(UInt8(ascii: "/")) }) {
            throw WeightFileError(path: file.path, problem: .lookalike(.numpyArchive))
        }
        do {
            root = try Self.commonRoot(of: records)
        } catch {
            throw WeightFileError(path: file.path, problem: .archive(error))
        }
        var entries: [Bytewise: Entry] = [:]
        entries.reserveCapacity(records.count)
        var previous: (name: String, end: Int)?
        for record in records.sorted(by: { $0.headerOffset < $1.headerOffset }) {
            if let previous, previous.end > record.headerOffset {
                throw WeightFileError(
                    path: file.path, problem: .archive(.overlap(entry: record.name, other: previous.name)))
            }
            let range = try Self.dataRange(of: record, in: file, limit: end.directory.lowerBound)
            previous = (record.name, range.upperBound)
            // By bytes: as a Character the slash may hold a combining mark after it.
            let name = String(Substring(record.name.utf8.dropFirst(root.utf8.count + 1)))
            entries[name] = Entry(
                name: name, byteRange: range, checksum: record.checksum, isStored: record.method == 0)
        }
        self.entries = entries
        hasChecksums = records.contains { $0.checksum != 0 } || records.allSatisfy { $0.compressedCount == 0 }
    }
}

// MARK: - The end record

private struct EndRecord {
    let directory: Range<Int>
    let count: Int

    private static let byteCount = 22

    init(file: borrowing InputFile) throws(WeightFileError) {
        let path = file.path
        func fault(_ fault: WeightFileError.ArchiveFault) -> WeightFileError {
            WeightFileError(path: path, problem: .archive(fault))
        }
        guard file.byteCount >= Self.byteCount else { throw fault(.truncated) }
        let start = file.byteCount - Self.byteCount
        let end = try readBytes(of: file, at: start, count: Self.byteCount)
        guard end.value(at: 0, byteCount: 4) == 0x0605_4B50, end.value(at: 20, byteCount: 2) == 0 else {
            throw fault(try Self.isPresent(in: file) ? .bytesAfterEnd : .truncated)
        }
        guard end.value(at: 4, byteCount: 4) == 0 else { throw fault(.record(offset: start + 4, needed: "disk 0")) }
        var (count, size, offset) = (
            end.value(at: 10, byteCount: 2), end.value(at: 12, byteCount: 4), end.value(at: 16, byteCount: 4)
        )
        guard end.value(at: 8, byteCount: 2) == count else {
            throw fault(.record(offset: start + 8, needed: "the same number of entries twice"))
        }
        var limit = start
        if let large = try Self.zip64(before: start, in: file) {
            let agree = (count == large.count || count == 0xFFFF) && (size == large.size || size == 0xFFFF_FFFF)
                && (offset == large.offset || offset == 0xFFFF_FFFF)
            guard agree else { throw fault(.record(offset: start + 8, needed: "the same as in the zip64 record")) }
            (count, size, offset, limit) = (large.count, large.size, large.offset, large.start)
        }
        guard count <= ZipArchive.entryLimit else {
            throw WeightFileError(path: path, problem: .tooMany(what: "entries", limit: ZipArchive.entryLimit))
        }
        guard let first = Int(exactly: offset), let length = Int(exactly: size), first <= limit,
            length == limit - first
        else { throw fault(.record(offset: limit, needed: "the end of the directory")) }
        // The smallest record has 46 bytes; none that is read has more than 64 KiB of extra fields.
        guard length >= 46 * Int(count), length <= 46 * Int(count) + (1 << 26) else {
            throw fault(.record(offset: first, needed: "\(count) entries"))
        }
        directory = first..<limit
        self.count = Int(count)
    }

    private static func zip64(
        before end: Int, in file: borrowing InputFile
    ) throws(WeightFileError) -> (count: UInt64, size: UInt64, offset: UInt64, start: Int)? {
        guard end >= 76 else { return nil }
        let locator = try readBytes(of: file, at: end - 20, count: 20)
        guard locator.value(at: 0, byteCount: 4) == 0x0706_4B50 else { return nil }
        let start = end - 76
        let record = try readBytes(of: file, at: start, count: 56)
        let isSound = locator.value(at: 4, byteCount: 4) == 0 && locator.value(at: 8, byteCount: 8) == UInt64(start)
            && locator.value(at: 16, byteCount: 4) == 1 && record.value(at: 0, byteCount: 4) == 0x0606_4B50
            && record.value(at: 4, byteCount: 8) == 44 && record.value(at: 16, byteCount: 8) == 0
            && record.value(at: 24, byteCount: 8) == record.value(at: 32, byteCount: 8)
        guard isSound else {
            throw WeightFileError(
                path: file.path, problem: .archive(.record(offset: start, needed: "a zip64 end record")))
        }
        return (
            record.value(at: 32, byteCount: 8), record.value(at: 40, byteCount: 8), record.value(at: 48, byteCount: 8),
            start
        )
    }

    /// Whether an end record stands somewhere in the last 64 KiB, with bytes after it.
    private static func isPresent(in file: borrowing InputFile) throws(WeightFileError) -> Bool {
        let count = min(file.byteCount, byteCount + 65_535)
        let tail = try readBytes(of: file, at: file.byteCount - count, count: count)
        return (0...(count - byteCount)).contains { tail.value(at: $0, byteCount: 4) == 0x0605_4B50 }
    }
}

// MARK: - The directory

extension ZipArchive {
    /// An entry as the directory has it.
    private struct Record {
        let name: String
        let flags: UInt64
        let method: UInt64
        let checksum: UInt32
        let compressedCount: Int
        let byteCount: Int
        let headerOffset: Int
    }

    private static func records(
        _ bytes: [UInt8], directoryStart: Int, count: Int, path: String
    ) throws(WeightFileError) -> [Record] {
        var records: [Record] = []
        records.reserveCapacity(count)
        var seen: Set<[UInt8]> = []
        var position = 0
        do {
            for _ in 0..<count {
                let record = try Self.record(bytes, at: &position, directoryStart: directoryStart)
                // ASCII without case, so that no file system or reader takes two names for one.
                let folded = record.name.utf8.allSatisfy { $0 < 0x80 }
                    ? record.name.utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 } : Array(record.name.lowercased().utf8)
                guard seen.insert(folded).inserted else { throw WeightFileError.ArchiveFault.duplicate(record.name) }
                records.append(record)
            }
            guard position == bytes.count else {
                throw WeightFileError.ArchiveFault.record(offset: directoryStart + position, needed: "the end of the directory")
            }
        } catch let fault as WeightFileError.ArchiveFault {
            throw WeightFileError(path: path, problem: .archive(fault))
        } catch { throw asWeightFileError(error, path: path) }
        return records
    }

    private static func record(
        _ bytes: [UInt8], at position: inout Int, directoryStart: Int
    ) throws(WeightFileError.ArchiveFault) -> Record {
        let start = position
        func field(_ offset: Int, _ byteCount: Int) -> UInt64 { bytes.value(at: start + offset, byteCount: byteCount) }
        guard bytes.count - start >= 46, field(0, 4) == 0x0201_4B50 else {
            throw .record(offset: directoryStart + start, needed: "an entry of the directory")
        }
        let (nameCount, extraCount, commentCount) = (Int(field(28, 2)), Int(field(30, 2)), Int(field(32, 2)))
        guard nameCount <= nameLimit, commentCount == 0, bytes.count - start - 46 >= nameCount + extraCount,
            field(34, 2) == 0
        else { throw .record(offset: directoryStart + start + 28, needed: "a short name, no comment and disk 0") }
        let nameStart = start + 46
        guard let name = String(validating: bytes[nameStart..<nameStart + nameCount], as: UTF8.self) else {
            throw .name(String(decoding: bytes[nameStart..<nameStart + nameCount], as: UTF8.self))
        }
        guard isPlain(name) else { throw .name(name) }
        let flags = field(8, 2)
        guard flags & ~0x808 == 0 else { throw .flags(entry: name, flags: Int(flags)) }
        let method = field(10, 2)
        guard method == 0 || method == 8 else { throw .method(entry: name, method: Int(method)) }
        let extra = bytes[nameStart + nameCount..<nameStart + nameCount + extraCount]
        var large = try zip64Fields(extra, entry: name)
        func extended(_ value: UInt64) throws(WeightFileError.ArchiveFault) -> Int {
            var value = value
            if value == 0xFFFF_FFFF {
                guard let next = large.first else { throw .contradiction(entry: name) }
                large.removeFirst()
                value = next
            }
            guard let exact = Int(exactly: value) else { throw .range(entry: name) }
            return exact
        }
        let byteCount = try extended(field(24, 4))
        let compressedCount = try extended(field(20, 4))
        let headerOffset = try extended(field(42, 4))
        guard method != 0 || byteCount == compressedCount else { throw .contradiction(entry: name) }
        position = nameStart + nameCount + extraCount
        return Record(
            name: name, flags: flags, method: method, checksum: UInt32(field(16, 4)), compressedCount: compressedCount,
            byteCount: byteCount, headerOffset: headerOffset)
    }

    /// The numbers of the extra field 1, which continue those that do not fit 32 bits.
    private static func zip64Fields(
        _ extra: ArraySlice<UInt8>, entry: String
    ) throws(WeightFileError.ArchiveFault) -> [UInt64] {
        let bytes = Array(extra)
        var position = 0
        var result: [UInt64] = []
        while bytes.count - position >= 4 {
            let byteCount = Int(bytes.value(at: position + 2, byteCount: 2))
            guard byteCount <= bytes.count - position - 4 else { throw .contradiction(entry: entry) }
            if bytes.value(at: position, byteCount: 2) == 1 {
                guard result.isEmpty else { throw .contradiction(entry: entry) }
                result = stride(from: 0, to: byteCount - 7, by: 8).map {
                    bytes.value(at: position + 4 + $0, byteCount: 8)
                }
            }
            position += 4 + byteCount
        }
        guard position == bytes.count else { throw .contradiction(entry: entry) }
        return result
    }

    /// Relative, with `/` between its parts, and without parts that lead elsewhere.
    private static func isPlain(_ name: String) -> Bool {
        if name.utf8.contains(0) || name.utf8.contains(UInt8(ascii: "\\")) { return false }
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return parts.allSatisfy { !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
    }

    private static func commonRoot(of records: [Record]) throws(WeightFileError.ArchiveFault) -> String {
        guard let first = records.first?.name else { throw .missing(entry: "data.pkl") }
        guard let separator = first.utf8.firstIndex(of: UInt8(ascii: "/")) else { throw .missing(entry: "data.pkl") }
        let root = Array(first.utf8[...separator])
        for record in records where !record.name.utf8.starts(with: root) {
            throw .secondRoot(record.name, first: String(decoding: root.dropLast(), as: UTF8.self))
        }
        return String(decoding: root.dropLast(), as: UTF8.self)
    }

    /// Where an entry's bytes are, after the header that stands before them and says the same.
    private static func dataRange(
        of record: Record, in file: borrowing InputFile, limit: Int
    ) throws(WeightFileError) -> Range<Int> {
        func fault(_ fault: WeightFileError.ArchiveFault, path: String) -> WeightFileError {
            WeightFileError(path: path, problem: .archive(fault))
        }
        let nameCount = record.name.utf8.count
        guard record.headerOffset <= limit - 30 - nameCount else {
            throw fault(.range(entry: record.name), path: file.path)
        }
        let header = try readBytes(of: file, at: record.headerOffset, count: 30 + nameCount)
        func agrees(_ offset: Int, _ byteCount: Int, _ expected: UInt64) -> Bool {
            header.value(at: offset, byteCount: byteCount) == expected
        }
        // What is not known before writing is zero here and repeated after the bytes.
        func agreesOrIsLater(_ offset: Int, _ expected: UInt64) -> Bool {
            agrees(offset, 4, expected) || agrees(offset, 4, 0xFFFF_FFFF)
                || record.flags & 8 != 0 && agrees(offset, 4, 0)
        }
        let isSound = agrees(0, 4, 0x0403_4B50) && agrees(6, 2, record.flags) && agrees(8, 2, record.method)
            && (agrees(14, 4, UInt64(record.checksum)) || record.flags & 8 != 0 && agrees(14, 4, 0))
            && agreesOrIsLater(18, UInt64(record.compressedCount)) && agreesOrIsLater(22, UInt64(record.byteCount))
            && agrees(26, 2, UInt64(nameCount)) && header[30...].elementsEqual(record.name.utf8)
        guard isSound else { throw fault(.contradiction(entry: record.name), path: file.path) }
        let start = record.headerOffset + 30 + nameCount + Int(header.value(at: 28, byteCount: 2))
        guard start <= limit, record.compressedCount <= limit - start else {
            throw fault(.range(entry: record.name), path: file.path)
        }
        return start..<start + record.compressedCount
    }
}

extension Array<UInt8> {
    /// A little-endian number of at most eight bytes.
    ///
    /// - Precondition: they are there.
    func value(at offset: Int, byteCount: Int) -> UInt64 {
        var result: UInt64 = 0
        for index in 0..<byteCount { result |= UInt64(self[offset + index]) << UInt64(8 * index) }
        return result
    }
}
