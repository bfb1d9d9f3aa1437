import TestSupport
import Testing
import WeightFiles

/// Archives that are damaged or made to be read in two ways.
@Suite struct ZipArchiveTests {
    @Test func plainArchiveLoads() throws {
        let directory = try TemporaryDirectory()
        let source = try opened(plainArchive().bytes, in: directory)
        #expect(source.format == .pyTorch)
        #expect(try source.floats(named: "a") == [1, 2])
        #expect(source.warnings.isEmpty)
    }

    /// Z1, Z2.
    /// Cut anywhere, the archive lacks its end.
    @Test func truncated() throws {
        let whole = plainArchive().bytes
        for count in 4..<whole.count {
            let problem = try problem(Array(whole.prefix(count)))
            #expect(problem == .archive(.truncated), "\(count) bytes")
        }
    }

    /// Z3, Z19.
    @Test func notACheckpoint() throws {
        for bytes in [[], [1, 2, 3], [UInt8](repeating: 0xEE, count: 100)] {
            #expect(try problem(bytes) == .unrecognized)
        }
        #expect(try problem(Array("GIF89a".utf8) + plainArchive().bytes) == .unrecognized)
    }

    /// Z4, Z5, Z24.
    @Test func otherFiles() throws {
        let magic: [UInt8] = [0x80, 2, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E]
        var tar = Array("sys_info".utf8) + [UInt8](repeating: 0, count: 504)
        tar.replaceSubrange(257..<262, with: Array("ustar".utf8))
        let cases: [([UInt8], WeightFileError.Lookalike)] = [
            (Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\n".utf8), .gitLFSPointer),
            (Array("\n<!DOCTYPE html><html>".utf8), .webPage),
            (magic, .legacyTorch), (tar, .legacyTar), (P.whole(P.none) + P.none, .barePickle),
            (Array("GGUF".utf8) + [3, 0, 0, 0], .gguf),
            ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A, 0], .hdf5),
            ([0x08, 0x08, 0x12, 0x07] + Array("pytorch".utf8), .onnx),
            ([0x93] + Array("NUMPY".utf8) + [1, 0], .numpy), ([0x1F, 0x8B, 8, 0, 0, 0, 0, 0], .compressed),
            (ZipBytes([.init("a.npy", [0])]).bytes, .numpyArchive), (Array("epoch,loss\n0,1.5\n".utf8), .text),
        ]
        for (bytes, expected) in cases { #expect(try problem(bytes) == .lookalike(expected)) }
    }

    /// Z6.
    @Test func flippedBitIsFoundByTheChecksum() throws {
        var archive = plainArchive()
        let checksum = crc32(archive["model/data/0"].bytes)
        archive["model/data/0"].bytes[5] ^= 1
        archive["model/data/0"].checksum = checksum
        #expect(try problem(archive.bytes) == .storage(tensor: "a", fault: .checksum(entry: "data/0")))
        archive = plainArchive()
        archive["model/data.pkl"].checksum = 1
        #expect(try problem(archive.bytes) == .archive(.checksum(entry: "data.pkl")))
    }

    /// Z7.
    @Test func archiveWithoutChecksumsWarns() throws {
        var archive = plainArchive()
        for index in archive.entries.indices { archive.entries[index].checksum = 0 }
        let directory = try TemporaryDirectory()
        let source = try opened(archive.bytes, in: directory)
        #expect(try source.floats(named: "a") == [1, 2])
        #expect(source.warnings.count == 1)
    }

    /// Z8, Z9, Z11, Z17, Z18.
    @Test func names() throws {
        let cases: [(name: String, fault: WeightFileError.ArchiveFault)] = [
            ("model/data/0", .duplicate("model/data/0")), ("model/DATA/0", .duplicate("model/DATA/0")),
            ("../../x", .name("../../x")), ("/abs", .name("/abs")), ("model/../x", .name("model/../x")),
            ("model\\x", .name("model\\x")), ("model/a\u{0}", .name("model/a\u{0}")), ("model//x", .name("model//x")),
            ("model/", .name("model/")),
            ("other/data.pkl", .secondRoot("other/data.pkl", first: "model")),
            ("modelx/data.pkl", .secondRoot("modelx/data.pkl", first: "model")),
        ]
        for (name, fault) in cases {
            var archive = plainArchive()
            archive.entries.append(.init(name, [1]))
            #expect(try problem(archive.bytes) == .archive(fault))
        }
        var archive = plainArchive()
        archive["model/data.pkl"].name = "model/DATA.PKL"
        #expect(try problem(archive.bytes) == .archive(.missing(entry: "data.pkl")))
        archive = plainArchive()
        archive["model/data/0"].localName = "model/data/1"
        #expect(try problem(archive.bytes) == .archive(.contradiction(entry: "model/data/0")))
    }

    /// Z10.
    @Test(arguments: [0, 5, 6, 13])
    func unknownFlags(bit: Int) throws {
        var archive = plainArchive()
        archive["model/data/0"].flags = 1 << bit
        #expect(try problem(archive.bytes) == .archive(.flags(entry: "model/data/0", flags: 1 << bit)))
    }

    /// Z12, Z13, and the count of Z16.
    @Test func placesAndSizes() throws {
        var archive = plainArchive()
        archive.entries.insert(.init("model/data/1", [1, 2, 3, 4, 5, 6, 7, 8]), at: 3)
        // Two entries on one range: the header that stands there names only one of them.
        var shared = archive
        shared["model/data/1"].headerOffset = UInt32(archive.offset(of: "model/data/0"))
        guard case .archive = try problem(shared.bytes) else {
            Issue.record("two entries on one range were accepted")
            return
        }
        // A header of its own within the other's bytes.
        var nested = archive
        let inner = ZipBytes([.init("model/data/1", [1, 2, 3, 4, 5, 6, 7, 8])])
        nested["model/data/0"].bytes = Array(inner.bytes.prefix(30 + 12 + 8))
        nested["model/data/1"].headerOffset = UInt32(archive.offset(of: "model/data/0") + 30 + 12)
        #expect(
            try problem(nested.bytes) == .archive(.overlap(entry: "model/data/1", other: "model/data/0")))
        archive["model/data/0"].addedSize = 4096
        #expect(try problem(archive.bytes) == .archive(.contradiction(entry: "model/data/0")))
        var count = plainArchive()
        count.declaredCount = 3
        #expect(try problem(count.bytes) != nil)
        count.declaredCount = 5
        #expect(try problem(count.bytes) != nil)
        count.declaredCount = .max
        #expect(try problem(count.bytes) != nil)
    }

    /// Z16.
    @Test(.timeLimit(.minutes(15)))
    func manyEntries() throws {
        var archive = plainArchive()
        archive.entries += (0..<70_000).map { .init("model/extra/\($0)", []) }
        #expect(try problem(archive.bytes) != nil)
    }

    /// Z14, Z15.
    @Test func compressedEntries() throws {
        var archive = plainArchive()
        archive["model/data/0"].method = 8
        #expect(try problem(archive.bytes) == .storage(tensor: "a", fault: .compressed(entry: "data/0")))
        archive = plainArchive()
        archive["model/data.pkl"].method = 8
        #expect(try problem(archive.bytes) == .archive(.compressed(entry: "data.pkl")))
        archive = plainArchive()
        // Declared as deflated: whatever it would grow to, nobody unpacks it.
        var program = ZipBytes.Entry("model/code/bomb.py", [0xFF, 0xFF])
        program.method = 8
        program.addedSize = 0
        archive.entries.append(program)
        #expect(try problem(archive.bytes) == nil)
    }

    /// Z20.
    @Test func bytesAfterTheEnd() throws {
        #expect(try problem(plainArchive().bytes + [UInt8](repeating: 0, count: 1024)) == .archive(.bytesAfterEnd))
        var archive = plainArchive()
        archive.comment = Array(plainArchive().bytes.suffix(22))
        guard case .archive = try problem(archive.bytes) else {
            Issue.record("a second end record in the comment was not refused")
            return
        }
    }

    /// Z21, Z22, Z23.
    @Test func versionAndByteOrder() throws {
        var archive = plainArchive()
        archive["model/byteorder"].bytes = Array("big".utf8)
        #expect(try problem(archive.bytes) == .archive(.byteOrder("big")))
        for version in ["99", "0", "", "-1", "x"] {
            archive = plainArchive()
            archive["model/version"].bytes = Array(version.utf8)
            #expect(try problem(archive.bytes) == .archive(.version(version)))
        }
        archive = plainArchive()
        archive.entries.removeAll { $0.name == "model/version" }
        #expect(try problem(archive.bytes) == .archive(.missing(entry: "version")))
        archive = plainArchive()
        archive.entries.removeAll { $0.name == "model/byteorder" }
        #expect(try problem(archive.bytes) == nil)
        archive.entries.removeAll { $0.name == "model/data/0" }
        #expect(try problem(archive.bytes) == .storage(tensor: "a", fault: .missing(entry: "data/0")))
    }
}

extension ZipBytes {
    /// Where an entry's header starts.
    fileprivate func offset(of name: String) -> Int {
        entries.prefix { $0.name != name }.reduce(0) { $0 + 30 + ($1.localName ?? $1.name).utf8.count + $1.bytes.count }
    }
}
