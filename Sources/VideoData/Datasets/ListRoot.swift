import Files

/// The folder or archive that a list's paths start from; knows absolute paths that lead below it.
struct ListRoot {
    private let prefixes: [[UInt8]]
    private let resolved: String?
    private var folders: [String: String?] = [:]

    init(_ root: String) {
        resolved = resolvedPath(root)
        let here = resolvedPath(".")
        let written = root.utf8.first == UInt8(ascii: "/") ? root : here.map { $0.appendingPath(root) }
        prefixes = [written, resolved].compactMap(\.self).map { path in
            var bytes = Array(path.utf8)
            while bytes.last == UInt8(ascii: "/") { bytes.removeLast() }
            return bytes + [UInt8(ascii: "/")]
        }
    }

    /// An absolute path as seen from the root; others as they are.
    mutating func relative(_ path: String) throws(LineFault) -> String {
        let bytes = Array(path.utf8)
        guard bytes.first == UInt8(ascii: "/") else { return path }
        for prefix in prefixes where bytes.count > prefix.count && bytes.starts(with: prefix) {
            return String(decoding: bytes.dropFirst(prefix.count).drop { $0 == UInt8(ascii: "/") }, as: UTF8.self)
        }
        // The same folder may have another name through a link.
        let folder = path.parentDirectory
        let truePath = folders[folder] ?? resolvedPath(folder)
        folders[folder] = truePath
        if let truePath, let resolved {
            let whole = Array(truePath.appendingPath(path.lastPathComponent).utf8)
            let prefix = Array(resolved.utf8) + (resolved == "/" ? [] : [UInt8(ascii: "/")])
            if whole.count > prefix.count, whole.starts(with: prefix) { return String(decoding: whole.dropFirst(prefix.count), as: UTF8.self) }
        }
        throw LineFault(.absolutePath(path))
    }
}
