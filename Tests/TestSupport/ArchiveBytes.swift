/// Pieces of a pickle, opcode by opcode, as `torch.save` writes them.
package enum PickleBytes {
    package static let start: [UInt8] = [0x80, 2]
    package static let mark: [UInt8] = [0x28]
    package static let none: [UInt8] = [0x4E]
    package static let yes: [UInt8] = [0x88]
    package static let no: [UInt8] = [0x89]
    package static let emptyDictionary: [UInt8] = [0x7D]
    package static let emptyList: [UInt8] = [0x5D]
    package static let emptyTuple: [UInt8] = [0x29]
    package static let tuple: [UInt8] = [0x74]
    package static let tuple1: [UInt8] = [0x85]
    package static let tuple2: [UInt8] = [0x86]
    package static let append: [UInt8] = [0x61]
    package static let setItem: [UInt8] = [0x73]
    package static let setItems: [UInt8] = [0x75]
    package static let reduce: [UInt8] = [0x52]
    package static let newObject: [UInt8] = [0x81]
    package static let build: [UInt8] = [0x62]
    package static let persistentID: [UInt8] = [0x51]
    package static let stop: [UInt8] = [0x2E]

    package static func global(_ module: String, _ name: String) -> [UInt8] { Array("c\(module)\n\(name)\n".utf8) }
    package static func text(_ text: String) -> [UInt8] { [0x58] + TestSupport.bytes(UInt32(text.utf8.count)) + Array(text.utf8) }
    package static func put(_ index: UInt8) -> [UInt8] { [0x71, index] }
    package static func get(_ index: UInt8) -> [UInt8] { [0x68, index] }

    /// LONG1 of eight bytes.
    package static func integer(_ value: Int) -> [UInt8] { [0x8A, 8] + TestSupport.bytes(Int64(value)) }
    package static func real(_ value: Double) -> [UInt8] { [0x47] + TestSupport.bytes(value.bitPattern.byteSwapped) }

    package static func tupleOf(_ items: [[UInt8]]) -> [UInt8] { mark + items.joined() + tuple }
    package static func call(_ module: String, _ name: String, _ arguments: [[UInt8]]) -> [UInt8] {
        global(module, name) + tupleOf(arguments) + reduce
    }

    package static func dictionary(_ pairs: [(String, [UInt8])]) -> [UInt8] {
        emptyDictionary + mark + pairs.flatMap { text($0.0) + $0.1 } + setItems
    }

    package static func storage(_ key: String, type: String = "FloatStorage", count: Int) -> [UInt8] {
        tupleOf([text("storage"), global("torch", type), text(key), text("cpu"), integer(count)]) + persistentID
    }

    package static func tensor(
        _ key: String, type: String = "FloatStorage", stored: Int, offset: Int = 0, shape: [Int], strides: [Int]
    ) -> [UInt8] {
        call(
            "torch._utils", "_rebuild_tensor_v2",
            [
                storage(key, type: type, count: stored), integer(offset), tupleOf(shape.map(integer)),
                tupleOf(strides.map(integer)), no, call("collections", "OrderedDict", []),
            ])
    }

    /// A tensor of `count` floats that is its whole storage.
    package static func tensor(_ key: String, count: Int) -> [UInt8] {
        tensor(key, stored: count, shape: [count], strides: [1])
    }

    package static func whole(_ value: [UInt8]) -> [UInt8] { start + value + stop }
}

/// A zip archive as PyTorch writes it, and the ways to write it wrongly.
package struct ZipBytes: Sendable {
    package struct Entry: Sendable {
        package var name: String
        package var bytes: [UInt8]
        package var method: UInt16 = 0
        package var flags: UInt16 = 0
        package var localName: String?
        package var checksum: UInt32?
        package var addedSize: UInt32 = 0
        /// Instead of where its own header is.
        package var headerOffset: UInt32?

        package init(_ name: String, _ bytes: [UInt8]) {
            self.name = name
            self.bytes = bytes
        }
    }

    package var entries: [Entry]
    package var comment: [UInt8] = []
    /// Instead of the number of entries.
    package var declaredCount: UInt16?

    package init(_ entries: [Entry]) { self.entries = entries }

    /// An archive of `torch.save`.
    ///
    /// - Parameters:
    ///   - pickle: the value of data.pkl, without start and stop.
    ///   - storages: `data/0`, `data/1`, …
    package static func torch(_ pickle: [UInt8], _ storages: [[UInt8]], script: Bool = false) -> ZipBytes {
        torch(whole: PickleBytes.whole(pickle), storages, script: script)
    }

    package static func torch(whole pickle: [UInt8], _ storages: [[UInt8]], script: Bool = false) -> ZipBytes {
        ZipBytes(
            [Entry("model/data.pkl", pickle), Entry("model/byteorder", Array("little".utf8))]
                + storages.enumerated().map { Entry("model/data/\($0.offset)", $0.element) }
                + (script ? [Entry("model/constants.pkl", PickleBytes.whole(PickleBytes.emptyTuple))] : [])
                + [Entry("model/version", Array("3\n".utf8))])
    }

    package subscript(_ name: String) -> Entry {
        get { entries.first { $0.name == name } ?? Entry(name, []) }
        set {
            for index in entries.indices where entries[index].name == name {
                entries[index] = newValue
                return
            }
        }
    }

    package var bytes: [UInt8] {
        var file: [UInt8] = []
        var directory: [UInt8] = []
        for entry in entries {
            let checksum = entry.checksum ?? crc32(entry.bytes)
            let size = UInt32(entry.bytes.count)
            let offset = entry.headerOffset ?? UInt32(file.count)
            let local = Array((entry.localName ?? entry.name).utf8)
            let name = Array(entry.name.utf8)
            file += TestSupport.bytes(UInt32(0x0403_4B50)) + TestSupport.bytes(UInt16(20)) + TestSupport.bytes(entry.flags)
            file += TestSupport.bytes(entry.method) + [0, 0, 0, 0] + TestSupport.bytes(checksum)
            file += TestSupport.bytes(size) + TestSupport.bytes(size) + TestSupport.bytes(UInt16(local.count)) + [0, 0]
            file += local + entry.bytes
            directory += TestSupport.bytes(UInt32(0x0201_4B50)) + [20, 0, 20, 0] + TestSupport.bytes(entry.flags)
            directory += TestSupport.bytes(entry.method) + [0, 0, 0, 0] + TestSupport.bytes(checksum)
            directory += TestSupport.bytes(size + entry.addedSize) + TestSupport.bytes(size + entry.addedSize)
            directory += TestSupport.bytes(UInt16(name.count)) + [UInt8](repeating: 0, count: 12) + TestSupport.bytes(offset)
            directory += name
        }
        let count = TestSupport.bytes(declaredCount ?? UInt16(truncatingIfNeeded: entries.count))
        let end = TestSupport.bytes(UInt32(0x0605_4B50)) + [0, 0, 0, 0] + count + count
            + TestSupport.bytes(UInt32(directory.count)) + TestSupport.bytes(UInt32(file.count))
        return file + directory + end + TestSupport.bytes(UInt16(comment.count)) + comment
    }
}

/// A number's bytes, lowest first.
package func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value.littleEndian) { Array($0) } }

package func bytes(_ floats: [Float]) -> [UInt8] { floats.flatMap { bytes($0.bitPattern) } }

/// CRC-32 bit by bit, as the standard defines it.
package func crc32(_ bytes: [UInt8]) -> UInt32 {
    var value = UInt32.max
    for byte in bytes {
        value ^= UInt32(byte)
        for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
    return ~value
}
