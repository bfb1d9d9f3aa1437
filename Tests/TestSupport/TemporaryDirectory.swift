import Files
import Glibc

/// A new, empty directory that disappears with its owner.
package final class TemporaryDirectory {
    package let path: String

    package init() throws {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        path = parent.appendingPath("vifi-prompt-test-\(getpid())-\(UInt64.random(in: 0 ... .max))")
        try createDirectory(path)
    }

    deinit { removeTree(path) }

    /// The path of a file in this directory; nothing is created.
    package func path(_ name: String) -> String { path.appendingPath(name) }

    /// Writes a file, with the folders that it lies in, and returns its path.
    @discardableResult
    package func write(_ bytes: [UInt8], to name: String) throws -> String {
        try createDirectory(path(name).parentDirectory)
        try DurableFile.write(bytes, to: path(name))
        return path(name)
    }

    @discardableResult
    package func write(_ text: String, to name: String) throws -> String {
        try write(Array(text.utf8), to: name)
    }
}
