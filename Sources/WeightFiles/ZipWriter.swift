import Files

/// Writes a zip archive of stored entries. The file appears when `commit` returns, whole or not at all.
///
/// The same entries always give the same bytes: every date is 1 January 1980, the first that zip knows.
/// Sizes and offsets from 4 GiB on, and more than 65,535 entries, are written as zip64 (PKWARE's
/// APPNOTE 6.3.10, sections 4.3.14 and 4.5.3).
struct ZipWriter: ~Copyable {
    private struct Entry {
        let name: [UInt8]
        let checksum: UInt32
        let byteCount: Int
        let offset: Int
    }

    /// The least size and offset that no longer fits a field of 32 bits.
    static let largeByteCount = 0xFFFF_FFFF

    let path: String
    private let largeByteCount: Int
    private var file: DurableFile
    private var offset = 0
    private var entries: [Entry] = []

    /// - Parameters:
    ///   - contentByteCount: of all entries together; reserved before anything is written.
    ///   - largeByteCount: less only in tests of zip64.
    init(path: String, contentByteCount: Int, largeByteCount: Int = Self.largeByteCount) throws(WeightFileError) {
        self.path = path
        self.largeByteCount = largeByteCount
        do {
            file = try DurableFile(path: path, expectedByteCount: contentByteCount)
        } catch {
            throw WeightFileError(path: path, problem: .file(error))
        }
    }

    /// Adds an entry whose bytes start at a multiple of `alignment` in the file.
    ///
    /// - Precondition: a name of at most 65,535 bytes, an alignment of at most 4096.
    mutating func append(
        name: String, alignment: Int = 1, _ bytes: UnsafeRawBufferPointer
    ) throws(WeightFileError) {
        var checksum = Checksum()
        unsafe checksum.update(bytes)
        let entry = Entry(
            name: Array(name.utf8), checksum: checksum.value, byteCount: bytes.count, offset: offset)
        precondition(entry.name.count <= 0xFFFF && (1...4096).contains(alignment), "an entry that zip cannot hold")
        let isLarge = entry.byteCount >= largeByteCount
        var extra = LittleEndianBytes()
        if isLarge {
            extra.append16(1, 16)
            extra.append64(entry.byteCount, entry.byteCount)
        }
        if alignment > 1 {
            // A field of letters Z, as PyTorch pads.
            let unpadded = offset + Self.localHeaderByteCount + entry.name.count + extra.bytes.count + 4
            let padding = (alignment - unpadded % alignment) % alignment
            extra.append16(0x4246, padding)
            extra.bytes += [UInt8](repeating: UInt8(ascii: "Z"), count: padding)
        }
        var header = LittleEndianBytes()
        header.append32(0x0403_4B50)
        appendCommonFields(of: entry, isLarge: isLarge, to: &header)
        header.append16(entry.name.count, extra.bytes.count)
        try write(header.bytes + entry.name + extra.bytes)
        do { try unsafe file.write(bytes) } catch { throw WeightFileError(path: path, problem: .file(error)) }
        offset += bytes.count
        entries.append(entry)
    }

    /// The elements' bytes as they lie in memory.
    mutating func append<Element: BitwiseCopyable>(name: String, alignment: Int = 1, _ values: [Element]) throws(WeightFileError) {
        do {
            try unsafe values.withUnsafeBytes { try unsafe append(name: name, alignment: alignment, $0) }
        } catch {
            throw asWeightFileError(error, path: path)
        }
    }

    /// Writes the directory and makes the file visible. Returns its SHA-256.
    @discardableResult
    consuming func commit() throws(WeightFileError) -> String {
        let start = offset
        for entry in entries { try write(directoryEntry(entry)) }
        try write(end(directoryStart: start))
        let path = path
        do { return try file.commit() } catch { throw WeightFileError(path: path, problem: .file(error)) }
    }

    // MARK: -

    private static let localHeaderByteCount = 30

    private mutating func write(_ bytes: [UInt8]) throws(WeightFileError) {
        do { try file.write(bytes) } catch { throw WeightFileError(path: path, problem: .file(error)) }
        offset += bytes.count
    }

    /// What local header and directory say alike, from the version that is needed to the sizes.
    private func appendCommonFields(of entry: Entry, isLarge: Bool, to bytes: inout LittleEndianBytes) {
        // Version 4.5 for zip64, else 2.0; names are UTF-8; stored; 00:00 on 1 January 1980.
        bytes.append16(isLarge ? 45 : 20, 0x0800, 0, 0, 0x0021)
        bytes.append32(Int(entry.checksum), isLarge ? 0xFFFF_FFFF : entry.byteCount, isLarge ? 0xFFFF_FFFF : entry.byteCount)
    }

    private func directoryEntry(_ entry: Entry) -> [UInt8] {
        let isLarge = entry.byteCount >= largeByteCount
        let isFar = entry.offset >= largeByteCount
        var extra = LittleEndianBytes()
        if isLarge || isFar {
            extra.append16(1, (isLarge ? 16 : 0) + (isFar ? 8 : 0))
            if isLarge { extra.append64(entry.byteCount, entry.byteCount) }
            if isFar { extra.append64(entry.offset) }
        }
        var bytes = LittleEndianBytes()
        bytes.append32(0x0201_4B50)
        bytes.append16(isLarge || isFar ? 45 : 20)
        appendCommonFields(of: entry, isLarge: isLarge, to: &bytes)
        // No comment, disk 0, no attributes.
        bytes.append16(entry.name.count, extra.bytes.count, 0, 0, 0)
        bytes.append32(0, isFar ? 0xFFFF_FFFF : entry.offset)
        return bytes.bytes + entry.name + extra.bytes
    }

    private func end(directoryStart: Int) -> [UInt8] {
        let byteCount = offset - directoryStart
        let isLarge = entries.count >= 0xFFFF || byteCount >= largeByteCount || directoryStart >= largeByteCount
        var bytes = LittleEndianBytes()
        if isLarge {
            bytes.append32(0x0606_4B50)
            bytes.append64(44)  // What follows in this record.
            bytes.append16(45, 45)
            bytes.append32(0, 0)
            bytes.append64(entries.count, entries.count, byteCount, directoryStart)
            bytes.append32(0x0706_4B50, 0)
            bytes.append64(offset)
            bytes.append32(1)
        }
        bytes.append32(0x0605_4B50)
        let count = isLarge ? 0xFFFF : entries.count
        bytes.append16(0, 0, count, count)
        bytes.append32(isLarge ? 0xFFFF_FFFF : byteCount, isLarge ? 0xFFFF_FFFF : directoryStart)
        bytes.append16(0)
        return bytes.bytes
    }
}

/// Bytes under construction, least significant first.
struct LittleEndianBytes {
    var bytes: [UInt8] = []

    mutating func append16(_ values: Int...) { for value in values { append(value, byteCount: 2) } }
    mutating func append32(_ values: Int...) { for value in values { append(value, byteCount: 4) } }
    mutating func append64(_ values: Int...) { for value in values { append(value, byteCount: 8) } }

    private mutating func append(_ value: Int, byteCount: Int) {
        for index in 0..<byteCount { bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }
}
