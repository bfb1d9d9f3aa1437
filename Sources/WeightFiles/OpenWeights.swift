import Files

/// Opens a file or folder of weights of any known kind, found out by its content and never by its name.
///
/// - Throws: `lookalike` where it is something else that is often taken for one, `unrecognized`, and what
///   its reader throws.
package func openWeights(_ path: String) throws(WeightFileError) -> any WeightSource {
    if isDirectory(path) { return try SafetensorsFolder(path: try weightsFolder(of: path)) }
    let start: [UInt8]
    do {
        let file = try openFile(path)
        start = try readBytes(of: file, at: 0, count: min(file.byteCount, 512))
    }
    switch lookalike(startingWith: start) {
    case .zipArchive: return try PyTorchFile(path: path)
    case let other?: throw WeightFileError(path: path, problem: .lookalike(other))
    case nil: break
    }
    // Eight bytes of length, then JSON, which may start with spaces.
    guard start.count > 8, start[8] == UInt8(ascii: "{") || start[8] == UInt8(ascii: " ") else {
        throw WeightFileError(path: path, problem: .unrecognized)
    }
    return try SafetensorsFile(path: path)
}

/// - Throws: `lookalike` or `unrecognized` for what is not a zip archive.
func refuseLookalikes(_ file: borrowing InputFile) throws(WeightFileError) {
    let start = try readBytes(of: file, at: 0, count: min(file.byteCount, 512))
    switch lookalike(startingWith: start) {
    case .zipArchive: return
    case let other?: throw WeightFileError(path: file.path, problem: .lookalike(other))
    case nil: throw WeightFileError(path: file.path, problem: .unrecognized)
    }
}

/// What a file that starts with these bytes is, if it is one of the usual wrong downloads or a zip archive.
///
/// - Parameter start: up to 512 bytes.
func lookalike(startingWith start: [UInt8]) -> WeightFileError.Lookalike? {
    // The length of a safetensors header may begin with any two bytes, such as a pickle's 80 04.
    if start.count > 8, start[4..<8].allSatisfy({ $0 == 0 }), start[8] == UInt8(ascii: "{") { return nil }
    for (signature, kind) in signatures where start.starts(with: signature) { return kind }
    if start.count > 262, start[257..<262].elementsEqual("ustar".utf8) { return .legacyTar }
    if start.count > 4, start[0] == 0x80, (2...5).contains(start[1]) {
        // The number that legacy files begin with: 0x1950a86a20f9469cfc6c.
        let magic: [UInt8] = [0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19]
        return start[2...].starts(with: magic) ? .legacyTorch : .barePickle
    }
    // A message of protocol buffers: the version of the format, then the name of the program that wrote it.
    if start.count > 8, start[0] == 0x08, start[1] < 32, start[2] == 0x12, start[4] >= 0x20 { return .onnx }
    let text = String(decoding: start.prefix(64), as: UTF8.self).lowercased().drop { $0.isWhitespace || $0 == "\u{FEFF}" }
    if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") { return .webPage }
    if let json = jsonLookalike(start) { return json }
    let isText = start.count >= 8 && start.prefix(64).allSatisfy { $0 >= 0x20 && $0 < 0x7F || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    return isText ? .text : nil
}

/// Text that starts as an object of JSON does.
private func jsonLookalike(_ start: [UInt8]) -> WeightFileError.Lookalike? {
    let words = start.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
    guard words.first == UInt8(ascii: "{"), start.prefix(64).allSatisfy({ $0 >= 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }) else {
        return nil
    }
    let inner = words.dropFirst().drop { $0 <= 0x20 }
    guard inner.first == UInt8(ascii: "\"") || inner.first == UInt8(ascii: "}") else { return nil }
    let text = String(decoding: start, as: UTF8.self)
    guard text.contains("\"weight_map\"") || text.contains("\"total_size\"") else { return .json }
    return .shardIndex(isPickle: !text.contains(".safetensors"))
}

private let signatures: [([UInt8], WeightFileError.Lookalike)] = [
    (Array("version https://git-lfs".utf8), .gitLFSPointer),
    ([0x50, 0x4B, 0x03, 0x04], .zipArchive),
    (Array("GGUF".utf8), .gguf),
    ([0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A], .hdf5),
    ([0x93] + Array("NUMPY".utf8), .numpy),
    ([0x1F, 0x8B], .compressed),
    ([0x28, 0xB5, 0x2F, 0xFD], .compressed),
    ([0xFD, 0x37, 0x7A, 0x58, 0x5A], .compressed),
    ([0x42, 0x5A, 0x68], .compressed),
    ([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], .compressed),
]
