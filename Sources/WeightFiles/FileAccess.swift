import Files

// `FileError` as this module's own error, so that its functions throw one type.

func openFile(_ path: String) throws(WeightFileError) -> InputFile {
    do { return try InputFile(path: path) } catch { throw WeightFileError(path: path, problem: .file(error)) }
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

/// What a file that starts with these bytes is, if it is one of the usual wrong downloads.
func lookalike(startingWith start: [UInt8]) -> WeightFileError.Lookalike? {
    if start.starts(with: "version https://git-lfs".utf8) { return .gitLFSPointer }
    if start.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .zipArchive }
    let text = String(decoding: start, as: UTF8.self).lowercased().drop { $0.isWhitespace }
    if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") { return .webPage }
    return nil
}
