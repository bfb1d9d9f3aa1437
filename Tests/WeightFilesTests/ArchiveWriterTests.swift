import Files
import Glibc
import TestSupport
import Testing
import WeightFiles

/// Archives that are written for PyTorch and NumPy. `Tests/Fixtures/scripts/check_exports.py` reads such with them.
@Suite struct ArchiveWriterTests {
    private let directory: TemporaryDirectory
    private let path: String

    init() throws {
        directory = try TemporaryDirectory()
        path = directory.path("file")
    }

    private func structure(sourceLocation: SourceLocation = #_sourceLocation) throws -> ZipStructure {
        try ZipStructure(InputFile.contents(of: path, limit: 1 << 24), sourceLocation: sourceLocation)
    }

    /// PNG's specification gives this checksum for "IEND"; RFC 3720 has none for CRC-32.
    @Test func theChecksumOfTheseTests() {
        #expect(ZipStructure.checksum(of: Array("IEND".utf8)) == 0xAE42_6082)
    }

    // MARK: PyTorch

    private static let values: [Float] = [1, -0.0, .greatestFiniteMagnitude, .leastNonzeroMagnitude, .nan, -.infinity]
    private static var small: PyTorchValue { .dictionary([
        ("model", .ordered([
            ("module.first", .tensor(shape: [2, 3], values: { values })),
            ("module.scalar", .tensor(shape: [], values: { [7] })),
            ("module.none", .tensor(shape: [0, 4], values: { [] })),
        ])),
        ("words", .dictionary([("name", .text("ü\n"))])),
    ]) }

    @Test func pyTorchArchive() throws {
        let digest = try PyTorchWriter.write(Self.small, to: path)
        let zip = try structure()
        #expect(
            zip.entries.map(\.name) == [
                "archive/data.pkl", "archive/byteorder", "archive/data/0", "archive/data/1", "archive/data/2", "archive/version",
            ])
        for entry in zip.entries {
            #expect(entry.contentOffset % 64 == 0, "\(entry.name)")
            #expect(!entry.isLarge && !entry.isFar)
            // A field "FB" of Z's, as PyTorch pads.
            #expect(entry.localExtra.starts(with: "FB".utf8) && entry.localExtra.dropFirst(4).allSatisfy { $0 == 0x5A })
        }
        #expect(zip["archive/byteorder"] == Array("little".utf8) && zip["archive/version"] == Array("3\n".utf8))
        #expect(zip["archive/data/0"] == floatBytes(Self.values))
        #expect(zip["archive/data/1"] == floatBytes([7]) && zip["archive/data/2"] == [])
        #expect(try Digest.ofFile(path) == digest)
        // Neither time nor name nor anything random is in it.
        #expect(try PyTorchWriter.write(Self.small, to: directory.path("another.pth")) == digest)
    }

    /// The instructions of pickle's protocol 2 by Python's pickletools.
    @Test func pickledValues() throws {
        try PyTorchWriter.write(
            .dictionary([
                ("a", .integer(255)), ("b", .integer(256)), ("c", .integer(-1)), ("d", .integer(1 << 40)), ("e", .number(-0.5)),
                ("f", .truth(true)), ("g", .truth(false)), ("h", .none), ("i", .text("é")), ("j", .ordered([])),
            ]), to: path)
        func key(_ name: String) -> [UInt8] { [0x58, 1, 0, 0, 0] + Array(name.utf8) }
        var expected: [UInt8] = [0x80, 2, 0x7D, 0x28]
        expected += key("a") + [0x4B, 255] + key("b") + [0x4A, 0, 1, 0, 0] + key("c") + [0x4A, 255, 255, 255, 255]
        expected += key("d") + [0x8A, 8, 0, 0, 0, 0, 0, 1, 0, 0] + key("e") + [0x47, 0xBF, 0xE0, 0, 0, 0, 0, 0, 0]
        expected += key("f") + [0x88] + key("g") + [0x89] + key("h") + [0x4E] + key("i") + [0x58, 2, 0, 0, 0, 0xC3, 0xA9]
        expected += key("j") + Array("ccollections\nOrderedDict\n)R(u".utf8) + Array("u.".utf8)
        #expect(try structure()["archive/data.pkl"] == expected)
    }

    /// What 4 GiB would ask for, with a limit of 4096 bytes in their place.
    @Test func zip64() throws {
        let large = (0..<1500).map(Float.init)
        let value = PyTorchValue.dictionary([
            ("large", .tensor(shape: [1500], values: { large })), ("small", .tensor(shape: [1], values: { [2] })),
        ])
        try PyTorchWriter.write(value, to: path, largeByteCount: 4096)
        let zip = try structure()
        #expect(zip.hasLargeDirectory)
        #expect(zip.entries.filter(\.isLarge).map(\.name) == ["archive/data/0"])
        #expect(zip.entries.filter(\.isFar).map(\.name) == ["archive/data/1", "archive/version"])
        #expect(zip["archive/data/0"] == floatBytes(large) && zip["archive/data/1"] == floatBytes([2]))
        #expect(zip.entries.allSatisfy { $0.contentOffset % 64 == 0 })
        // As the reader in this module sees it.
        let read = try openWeights(path)
        #expect(try read.floats(named: "large", shape: [1500]) == large && read.floats(named: "small", shape: [1]) == [2])
    }

    @Test func pyTorchArchivesAreReadAgain() throws {
        try PyTorchWriter.write(Self.small, to: path)
        let read = try openWeights(path)
        #expect(read.format == .pyTorch && read.metadata == ["words.name": "ü\n"] && read.ignoredObjects == [])
        #expect(read.names.sorted() == ["model.module.first", "model.module.none", "model.module.scalar"])
        let values = try read.floats(named: "model.module.first", shape: [2, 3])
        #expect(values.map(\.bitPattern) == Self.values.map(\.bitPattern))
        #expect(try read.floats(named: "model.module.scalar", shape: []) == [7])
        #expect(try read.floats(named: "model.module.none", shape: [0, 4]) == [])
    }

    /// Rounded to even, as IEEE 754 has it: 2049 lies between two float16.
    @Test func halfTensors() throws {
        try PyTorchWriter.write(
            .dictionary([("half", .halfTensor(shape: [2, 3], values: { [1, -0.0, 65504, 2049, 0x1p-24, -.infinity] })), ("one", .tensor(shape: [1], values: { [1] }))]),
            to: path)
        #expect(try structure()["archive/data/0"] == [0x00, 0x3C, 0x00, 0x80, 0xFF, 0x7B, 0x00, 0x68, 0x01, 0x00, 0x00, 0xFC])
        let read = try openWeights(path)
        #expect(try read.description(of: "half").elementType == .float16 && read.description(of: "one").elementType == .float32)
        #expect(try read.floats(named: "half", shape: [2, 3]).map(\.bitPattern) == [1, -0.0, 65504, 2048, 0x1p-24, -.infinity].map { Float($0).bitPattern })
    }

    // MARK: NumPy

    /// The header and the contents of a `.npy` file, by numpy/lib/format.py.
    private func array(_ bytes: [UInt8]?) throws -> (header: String, contents: [UInt8]) {
        let bytes = try #require(bytes)
        #expect(bytes.starts(with: [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59, 1, 0]))
        let count = Int(bytes[8]) + Int(bytes[9]) << 8
        #expect((10 + count) % 64 == 0 && bytes[9 + count] == 0x0A)
        let header = String(decoding: bytes[10..<9 + count], as: UTF8.self)
        return (String(header.reversed().drop { $0 == " " }.reversed()), Array(bytes[(10 + count)...]))
    }

    @Test func numpyArchive() throws {
        let arrays: [(name: String, array: NumpyArray)] = [
            ("matrix", .floats(shape: [2, 3], values: Self.values)), ("vector", .floats(shape: [1], values: [4])),
            ("nothing", .floats(shape: [3, 0], values: [])), ("scalar", .floats(shape: [], values: [9])),
            ("text", .text("a🥁")), ("empty", .text("")), ("names", .texts(["on", "ü", "漢字と"])), ("nobody", .texts([])),
        ]
        let digest = try NumpyArchiveWriter.write(arrays, to: path)
        let zip = try structure()
        #expect(zip.entries.map(\.name) == arrays.map { $0.name + ".npy" })
        func expect(_ name: String, _ type: String, _ shape: String, _ contents: [UInt8]) throws {
            let (header, bytes) = try array(zip[name + ".npy"])
            #expect(header == "{'descr': '\(type)', 'fortran_order': False, 'shape': \(shape), }")
            #expect(bytes == contents, "\(name)")
        }
        func wide(_ scalars: UInt32...) -> [UInt8] { floatBytes(scalars.map { Float(bitPattern: $0) }) }
        try expect("matrix", "<f4", "(2, 3)", floatBytes(Self.values))
        try expect("vector", "<f4", "(1,)", floatBytes([4]))
        try expect("nothing", "<f4", "(3, 0)", [])
        try expect("scalar", "<f4", "()", floatBytes([9]))
        try expect("text", "<U2", "()", wide(0x61, 0x1F941))
        try expect("empty", "<U1", "()", wide(0))
        try expect("names", "<U3", "(3,)", wide(0x6F, 0x6E, 0, 0xFC, 0, 0, 0x6F22, 0x5B57, 0x3068))
        try expect("nobody", "<U1", "(0,)", [])
        #expect(try NumpyArchiveWriter.write(arrays, to: directory.path("again.npz")) == digest)
    }

    // MARK: Failing disks, in a process of their own

    @Test(arguments: [true, false])
    func aFullDiskLeavesTheOldFile(isNumpy: Bool) async throws {
        try DurableFile.write("old", to: path)
        await #expect(processExitsWith: .success) { [path = path as String, isNumpy = isNumpy as Bool] in
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 10_000, rlim_max: 10_000)
            #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
            do {
                let values = [Float](repeating: 1, count: 4000)
                if isNumpy {
                    try NumpyArchiveWriter.write([("a", .floats(shape: [4000], values: values))], to: path)
                } else {
                    try PyTorchWriter.write(.dictionary([("a", .tensor(shape: [4000], values: { values }))]), to: path)
                }
                Issue.record("16,000 bytes were written")
            } catch let error as WeightFileError {
                #expect(error.exitStatus == .inputOutput && error.path == path)
            }
        }
        #expect(try InputFile.contents(of: path, limit: 100) == Array("old".utf8))
        #expect(try directoryEntries(directory.path) == ["file"])
    }
}
