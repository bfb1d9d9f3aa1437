import Files
import Glibc
import TestSupport
import Testing
import WeightFiles

/// What opening a file with these bytes and reading its tensors throws, or nil where it loads. Every
/// case must be refused with status 65, in time, and without memory beyond what the file explains.
func problem(
    _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
) throws -> WeightFileError.Problem? {
    let directory = try TemporaryDirectory()
    let path = try directory.write(bytes, to: "hostile.pt")
    let before = peakMemory()
    let start = ContinuousClock.now
    defer {
        let seconds = ContinuousClock.now - start
        // Others share the machine that tests run on.
        #expect(seconds < .seconds(10), "\(seconds)", sourceLocation: sourceLocation)
        let grown = peakMemory() - before
        #expect(grown < 3 * bytes.count + 64 << 20, "\(grown) bytes", sourceLocation: sourceLocation)
        #expect((try? directoryEntries(directory.path)) == ["hostile.pt"], sourceLocation: sourceLocation)
    }
    do {
        try readAll(openWeights(path))
        return nil
    } catch let error as WeightFileError {
        #expect(error.exitStatus == .badData, sourceLocation: sourceLocation)
        #expect(error.description.hasPrefix(path), sourceLocation: sourceLocation)
        #expect([".", "?", "\""].contains(error.description.suffix(1)), sourceLocation: sourceLocation)
        return error.problem
    }
}

func readAll(_ source: any WeightSource) throws {
    for tensor in source.tensors where tensor.elementType.isReadableAsFloat {
        _ = try source.floats(named: tensor.name)
    }
}

func opened(_ bytes: [UInt8], in directory: TemporaryDirectory) throws -> any WeightSource {
    try openWeights(directory.write(bytes, to: "good.pt"))
}

/// The most bytes this process has held.
private func peakMemory() -> Int {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return Int(usage.ru_maxrss) << 10
}

typealias P = PickleBytes

/// Two floats under "a".
func plainArchive() -> ZipBytes {
    .torch(P.dictionary([("a", P.tensor("0", count: 2))]), [bytes([1, 2])])
}

func pickleProblem(_ pickle: [UInt8], _ storages: [[UInt8]] = [bytes([1, 2])]) throws -> WeightFileError.PickleFault? {
    switch try problem(ZipBytes.torch(whole: pickle, storages).bytes) {
    case .pickle(_, _, let fault): fault
    case nil: nil
    case let other?: throw UnexpectedProblem(problem: other)
    }
}

struct UnexpectedProblem: Error { let problem: WeightFileError.Problem }
