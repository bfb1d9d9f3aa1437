import Testing

/// A zip archive taken apart by the words of PKWARE's APPNOTE, with no code of the program.
struct ZipStructure {
    struct Entry {
        let name: String
        let contents: [UInt8]
        let contentOffset: Int
        let localExtra: [UInt8]
        let isLarge: Bool
        let isFar: Bool
    }

    private(set) var entries: [Entry] = []
    private(set) var hasLargeDirectory = false
    private let bytes: [UInt8]

    subscript(_ name: String) -> [UInt8]? { entries.first { $0.name == name }?.contents }

    /// Every rule that is broken is an issue of the test.
    init(_ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) throws {
        self.bytes = bytes
        func require(_ condition: Bool, _ rule: Comment) throws { try #require(condition, rule, sourceLocation: sourceLocation) }
        // The end record is the last 22 bytes: no comment.
        let end = bytes.count - 22
        try require(end >= 0 && number(end, 4) == 0x0605_4B50, "no end record")
        try require(number(end + 4, 2) == 0 && number(end + 6, 2) == 0 && number(end + 20, 2) == 0, "disks or a comment")
        var count = number(end + 8, 2)
        var size = number(end + 12, 4)
        var start = number(end + 16, 4)
        try require(number(end + 10, 2) == count, "two numbers of entries")
        var directoryEnd = end
        if number(end - 20, 4) == 0x0706_4B50 {
            hasLargeDirectory = true
            let record = number(end - 20 + 8, 8)
            try require(record == end - 20 - 56 && number(record, 4) == 0x0606_4B50 && number(record + 4, 8) == 44, "zip64 end")
            try require(count == 0xFFFF && size == 0xFFFF_FFFF && start == 0xFFFF_FFFF, "fields that zip64 replaces")
            count = number(record + 32, 8)
            try require(number(record + 24, 8) == count, "two numbers of entries")
            size = number(record + 40, 8)
            start = number(record + 48, 8)
            directoryEnd = record
        }
        try require(start + size == directoryEnd, "the directory ends where the end record starts")
        var place = start
        var covered = 0
        for _ in 0..<count {
            let entry = try self.entry(at: &place, startingAt: covered, require: require)
            covered = entry.contentOffset + entry.contents.count
            entries.append(entry)
        }
        try require(place == directoryEnd && covered == start, "bytes that nothing accounts for")
        try require(Set(entries.map(\.name)).count == count, "a name occurs twice")
    }

    private func entry(
        at place: inout Int, startingAt expected: Int, require: (Bool, Comment) throws -> Void
    ) throws -> Entry {
        try require(number(place, 4) == 0x0201_4B50, "no directory entry")
        let (nameLength, extraLength) = (number(place + 28, 2), number(place + 30, 2))
        let name = Array(bytes[place + 46..<place + 46 + nameLength])
        var size = number(place + 24, 4)
        var offset = number(place + 42, 4)
        try require(number(place + 20, 4) == size && number(place + 10, 2) == 0, "stored entries have one size")
        var extra = place + 46 + nameLength
        let (isLarge, isFar) = (size == 0xFFFF_FFFF, offset == 0xFFFF_FFFF)
        if isLarge || isFar {
            try require(number(extra, 2) == 1 && number(extra + 2, 2) == extraLength - 4, "a zip64 field alone")
            extra += 4
            if isLarge {
                size = number(extra, 8)
                try require(number(extra + 8, 8) == size, "stored entries have one size")
                extra += 16
            }
            if isFar { offset = number(extra, 8) }
        } else {
            try require(extraLength == 0, "no other field")
        }
        try require(offset == expected, "entries follow one another")
        // The local header says the same.
        try require(number(offset, 4) == 0x0403_4B50, "no local header")
        for (local, central, length) in [(4, 6, 2), (6, 8, 2), (8, 10, 2), (10, 12, 4), (14, 16, 4), (26, 28, 2)] {
            guard !(isFar && !isLarge && local == 4) else { continue }  // Only the directory needs the offset.
            try require(number(offset + local, length) == number(place + central, length), "local header and directory differ")
        }
        let localExtraLength = number(offset + 28, 2)
        try require(Array(bytes[offset + 30..<offset + 30 + nameLength]) == name, "two names")
        let localExtra = Array(bytes[offset + 30 + nameLength..<offset + 30 + nameLength + localExtraLength])
        if isLarge { try require(number(offset + 30 + nameLength, 2) == 1, "a zip64 field first") }
        let content = offset + 30 + nameLength + localExtraLength
        let contents = Array(bytes[content..<content + size])
        try require(Self.checksum(of: contents) == number(place + 16, 4), "checksum")
        place += 46 + nameLength + extraLength
        return Entry(
            name: String(decoding: name, as: UTF8.self), contents: contents, contentOffset: content, localExtra: localExtra,
            isLarge: isLarge, isFar: isFar)
    }

    private func number(_ offset: Int, _ count: Int) -> Int {
        guard offset >= 0, offset + count <= bytes.count else { return -1 }
        return bytes[offset..<offset + count].reversed().reduce(0) { $0 << 8 | Int($1) }
    }

    /// CRC-32 bit by bit, with the reversed polynomial of ISO 3309.
    static func checksum(of bytes: [UInt8]) -> Int {
        var register: UInt32 = 0xFFFF_FFFF
        for byte in bytes {
            register ^= UInt32(byte)
            for _ in 0..<8 { register = register & 1 == 1 ? register >> 1 ^ 0xEDB8_8320 : register >> 1 }
        }
        return Int(~register)
    }
}

/// Little-endian float32.
func floatBytes(_ values: [Float]) -> [UInt8] {
    values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
}
