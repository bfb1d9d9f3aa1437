import Files
import Glibc

/// The folder in `path` that holds the weights, as the hub's tools lay folders:
///
/// - `models--ORGANIZATION--NAME`, the cache's folder of a model: the snapshot that `refs/main` names, or the only one;
/// - `snapshots`, the folder of all of them: the same;
/// - sentence-transformers' folder of modules, whose first is the model itself: `0_CLIPModel` and the like.
///
/// Everything else is the folder itself.
///
/// - Throws: `several` where it cannot be told which snapshot is meant.
package func weightsFolder(of path: String) throws(WeightFileError) -> String {
    let found: [String]
    do { found = try directoryEntries(path) } catch { throw WeightFileError(path: path, problem: .file(error)) }
    if found.contains("snapshots"), isDirectory(path.appendingPath("snapshots")) {
        return try snapshot(in: path.appendingPath("snapshots"), named: revision(in: path))
    }
    let name = (resolvedPath(path) ?? path).lastPathComponent
    let isCache = isDirectory(path.appendingPath("../refs")) || isDirectory(path.appendingPath("../blobs"))
    if name == "snapshots", isCache { return try snapshot(in: path, named: revision(in: path.appendingPath(".."))) }
    if let module = module(in: path, found: found) { return path.appendingPath(module) }
    return path
}

/// The revision that the hub's cache takes where nobody names another.
private func revision(in model: String) -> String? {
    guard let bytes = try? InputFile.contents(of: model.appendingPath("refs/main"), limit: 256) else { return nil }
    let name = String(decoding: bytes.prefix { $0 > 0x20 }, as: UTF8.self)
    return isPlainName(name) ? name : nil
}

private func snapshot(in folder: String, named revision: String?) throws(WeightFileError) -> String {
    if let revision, isDirectory(folder.appendingPath(revision)) { return folder.appendingPath(revision) }
    let names = ((try? directoryEntries(folder)) ?? []).filter { isDirectory(folder.appendingPath($0)) }
    guard let only = names.first else { return folder }
    guard names.count == 1 else {
        throw WeightFileError(path: folder, problem: .folder(.several(names: Array(names.prefix(5)))))
    }
    return folder.appendingPath(only)
}

/// The first module of sentence-transformers, where the folder has no weights of its own.
private func module(in path: String, found: [String]) -> String? {
    guard found.contains("modules.json"), !found.contains(where: SafetensorsFolder.isWeights) else { return nil }
    guard case .list(let modules)? = try? JSONValue.read(path.appendingPath("modules.json"), byteLimit: 1 << 20) else { return nil }
    let names = modules.compactMap { module -> String? in
        guard case .object(let members) = module, case .text(let name)? = members["path"] else { return nil }
        return name
    }
    return names.first { isPlainName($0) && found.contains($0) && isDirectory(path.appendingPath($0)) }
}

/// A name of a file or folder without any way elsewhere.
func isPlainName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 255 && !name.hasPrefix(".")
        && name.utf8.allSatisfy { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") && $0 >= 0x20 && $0 != 0x7F }
}

/// Whether a file belongs to a folder although it may be a link: it lies in the folder itself, or where the hub's
/// tools keep what they download. Those are `blobs` beside `snapshots/REVISION`, which may be a link itself, and for
/// copies into a folder of one's own the cache's `models--…/blobs` or `models--…/snapshots/REVISION`. What such a
/// blob is a link to is the cache's affair.
func isInFolder(_ file: String, _ folder: String) -> Bool {
    guard let home = resolvedPath(folder), let resolved = resolvedPath(file) else { return false }
    if resolved.parentDirectory == home { return true }
    guard let target = linkTarget(file) else { return false }
    let place = target.hasPrefix("/") ? target.parentDirectory : folder.appendingPath(target).parentDirectory
    guard let firstPlace = resolvedPath(place) else { return false }
    if home.parentDirectory.lastPathComponent == "snapshots",
        let blobs = resolvedPath(home.parentDirectory.parentDirectory.appendingPath("blobs")), firstPlace == blobs
    {
        return true
    }
    // Before links are followed: the cache's own folders may be links to a larger disk.
    return [place.withoutDots, firstPlace, resolved.parentDirectory].contains { isCache($0) }
}

/// `…/models--ORGANIZATION--NAME/blobs` or `…/models--ORGANIZATION--NAME/snapshots/REVISION`.
private func isCache(_ path: String) -> Bool {
    let parent = path.parentDirectory
    if path.lastPathComponent == "blobs" { return parent.lastPathComponent.hasPrefix("models--") }
    return parent.lastPathComponent == "snapshots" && parent.parentDirectory.lastPathComponent.hasPrefix("models--")
}

/// What a link says, or nil for what is none.
private func linkTarget(_ path: String) -> String? {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = unsafe buffer.withUnsafeMutableBytes { bytes in
        guard let start = bytes.baseAddress else { return 0 }
        return unsafe readlink(path, start.assumingMemoryBound(to: CChar.self), bytes.count)
    }
    guard count > 0, count < buffer.count else { return nil }
    return String(decoding: buffer[..<count], as: UTF8.self)
}

extension String {
    /// The path without `.` and with `..` taken off by the words alone.
    fileprivate var withoutDots: String {
        var parts: [Substring.UTF8View.SubSequence] = []
        for part in utf8.split(separator: UInt8(ascii: "/")) where !part.elementsEqual(".".utf8) {
            if part.elementsEqual("..".utf8), let last = parts.last, !last.elementsEqual("..".utf8) {
                parts.removeLast()
            } else {
                parts.append(part)
            }
        }
        return (utf8.first == UInt8(ascii: "/") ? "/" : "") + parts.map { String(Substring($0)) }.joined(separator: "/")
    }
}
