/// One header of a tar archive: 512 bytes before each member (POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar's
/// manual, "Basic Tar Format").
struct TarHeader {
    static let byteCount = 512

    /// What follows a header.
    enum Kind: Equatable {
        case file
        /// The member has the bytes of another one.
        case hardLink
        case symbolicLink
        case folder
        /// A name for the next member: GNU's `L`, and `K` for where its link leads.
        case longName, longLink
        /// pax: records for the next member, and for all after it.
        case extended, global
        /// GNU's `S`: holes are left out, so that the bytes are not those of the file.
        case sparse
        /// Devices, volume names and what is not known.
        case other
    }

    let kind: Kind
    let name: [UInt8]
    let target: [UInt8]
    /// Bytes of the member after the header.
    let size: Int

    enum Fault: Error, Equatable {
        /// Its sum is wrong: no header stands here.
        case checksum
        case size
    }

    /// - Precondition: 512 bytes.
    init(_ bytes: [UInt8]) throws(Fault) {
        guard Self.sumIsRight(bytes) else { throw .checksum }
        let kind = Self.kind(bytes[156])
        // Links, folders and devices have no bytes of their own, whatever they claim (as GNU tar reads them).
        let hasBytes = switch kind {
        case .file, .longName, .longLink, .extended, .global, .sparse, .other: true
        case .hardLink, .symbolicLink, .folder: false
        }
        guard let size = Self.number(bytes[124..<136]) else { throw .size }
        self.kind = kind
        self.size = hasBytes ? size : 0
        var name = Self.text(bytes[0..<100])
        // GNU's old form has other fields where ustar has the start of a long name.
        if bytes[257..<263].elementsEqual("ustar\0".utf8) {
            let prefix = Self.text(bytes[345..<500])
            if !prefix.isEmpty { name = prefix + [UInt8(ascii: "/")] + name }
        }
        self.name = name
        target = Self.text(bytes[157..<257])
    }

    private static func kind(_ byte: UInt8) -> Kind {
        switch byte {
        case 0, UInt8(ascii: "0"), UInt8(ascii: "7"): .file
        case UInt8(ascii: "1"): .hardLink
        case UInt8(ascii: "2"): .symbolicLink
        case UInt8(ascii: "5"): .folder
        case UInt8(ascii: "L"): .longName
        case UInt8(ascii: "K"): .longLink
        case UInt8(ascii: "x"): .extended
        case UInt8(ascii: "g"): .global
        case UInt8(ascii: "S"): .sparse
        default: .other
        }
    }

    /// Up to the first zero.
    static func text(_ bytes: ArraySlice<UInt8>) -> [UInt8] { Array(bytes.prefix { $0 != 0 }) }

    /// Octal digits with blanks and zeros around them, or 0x80 and a big-endian number; nil for anything else, and for
    /// what no file has.
    private static func number(_ field: ArraySlice<UInt8>) -> Int? {
        guard let first = field.first else { return nil }
        if first & 0x80 != 0 {
            var value = UInt64(first & 0x7F)
            // A file of 2^56 bytes is none.
            for byte in field.dropFirst() {
                guard value < 1 << 48 else { return nil }
                value = value << 8 | UInt64(byte)
            }
            return Int(exactly: value)
        }
        let digits = field.drop { $0 == 0x20 }.prefix { $0 != 0 && $0 != 0x20 }
        guard digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 << 3 | Int($1 - UInt8(ascii: "0")) }
    }

    /// The sum over all bytes, those of the sum itself taken for blanks. Some old programs summed signed bytes.
    private static func sumIsRight(_ bytes: [UInt8]) -> Bool {
        guard let claimed = number(bytes[148..<156]) else { return false }
        var (sum, signedSum) = (0, 0)
        for (index, byte) in bytes.enumerated() {
            let counted = (148..<156).contains(index) ? 0x20 : byte
            sum += Int(counted)
            signedSum += Int(Int8(bitPattern: counted))
        }
        return claimed == sum || claimed == signedSum
    }

    /// The records of a pax header, `length key=value\n` each; nil where they are no such.
    static func records(_ bytes: [UInt8]) -> [(key: String, value: [UInt8])]? {
        var records: [(key: String, value: [UInt8])] = []
        var index = 0
        while index < bytes.count {
            let digits = bytes[index...].prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            // Zeros may fill the block.
            if digits.isEmpty { return bytes[index...].allSatisfy { $0 == 0 } ? records : nil }
            guard digits.count <= 8, let length = Int(String(decoding: digits, as: UTF8.self)), length > digits.count + 2,
                length <= bytes.count - index, bytes[digits.endIndex] == 0x20, bytes[index + length - 1] == 0x0A
            else { return nil }
            let record = bytes[digits.endIndex + 1..<index + length - 1]
            guard let mark = record.firstIndex(of: UInt8(ascii: "=")) else { return nil }
            records.append((String(decoding: record[..<mark], as: UTF8.self), Array(record[(mark + 1)...])))
            index += length
        }
        return records
    }
}
