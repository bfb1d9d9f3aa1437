import Files

// `FileError` as this module's own error, so that its functions throw one type.

func openFile(_ path: String) throws(WeightFileError) -> InputFile {
    do { return try InputFile(path: path) } catch { throw WeightFileError(path: path, problem: .file(error)) }
}

/// Refuses what is mostly a hole: a download that reserved its room first. Copies that leave out zeros have small
/// holes; weights are not zeros.
func refuseHoles(_ file: borrowing InputFile) throws(WeightFileError) {
    guard file.byteCount >= 1 << 20 else { return }
    let stored = file.storedByteCount(upTo: file.byteCount / 16)
    guard stored >= file.byteCount / 16 else {
        throw WeightFileError(path: file.path, problem: .sparse(stored: stored, byteCount: file.byteCount))
    }
}

func readBytes(of file: borrowing InputFile, at offset: Int, count: Int) throws(WeightFileError) -> [UInt8] {
    do {
        return try file.bytes(at: offset, count: count)
    } catch {
        throw WeightFileError(path: file.path, problem: .file(error))
    }
}

/// For closures of the standard library that forget the type of what they throw.
func asWeightFileError(_ error: any Error, path: String) -> WeightFileError {
    switch error {
    case let error as WeightFileError: error
    case let error as FileError: WeightFileError(path: path, problem: .file(error))
    default: WeightFileError(path: path, problem: .file(FileError(path: path, problem: .notReadable(reason: "\(error)"))))
    }
}
