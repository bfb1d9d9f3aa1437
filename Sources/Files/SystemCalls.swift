import CPosix
import Glibc

// The system's calls for paths as this program writes them: `open(path, …)` with a string means the file of
// `path.pathBytes`. The C functions would be given the text's own bytes.

@unsafe package func open(_ path: String, _ flags: Int32) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.open($0, flags) }
}

@unsafe package func open(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.open($0, flags, mode) }
}

// Glibc.stat is the structure's name.
@unsafe package func stat(_ path: String, _ status: UnsafeMutablePointer<stat>) -> Int32 {
    unsafe path.withSystemPath { unsafe fstatat(AT_FDCWD, $0, status, 0) }
}

@unsafe package func lstat(_ path: String, _ status: UnsafeMutablePointer<stat>) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.lstat($0, status) }
}

@unsafe package func access(_ path: String, _ mode: Int32) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.access($0, mode) }
}

@discardableResult
@unsafe package func truncate(_ path: String, _ byteCount: off_t) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.truncate($0, byteCount) }
}

@discardableResult
@unsafe package func unlink(_ path: String) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.unlink($0) }
}

@unsafe package func mkdir(_ path: String, _ mode: mode_t) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.mkdir($0, mode) }
}

@discardableResult
@unsafe package func rmdir(_ path: String) -> Int32 {
    unsafe path.withSystemPath { unsafe Glibc.rmdir($0) }
}

@unsafe package func opendir(_ path: String) -> OpaquePointer? {
    unsafe path.withSystemPath { unsafe Glibc.opendir($0) }
}

@unsafe package func realpath(_ path: String, _ buffer: UnsafeMutablePointer<CChar>?) -> UnsafeMutablePointer<CChar>? {
    unsafe path.withSystemPath { unsafe Glibc.realpath($0, buffer) }
}

@unsafe package func rename(_ path: String, _ newPath: String) -> Int32 {
    unsafe path.withSystemPath { old in unsafe newPath.withSystemPath { unsafe Glibc.rename(old, $0) } }
}

@discardableResult
@unsafe package func symlink(_ target: String, _ path: String) -> Int32 {
    unsafe target.withSystemPath { target in unsafe path.withSystemPath { unsafe Glibc.symlink(target, $0) } }
}

@unsafe package func vifi_exchange_paths(_ path: String, _ other: String) -> Int32 {
    unsafe path.withSystemPath { first in unsafe other.withSystemPath { unsafe CPosix.vifi_exchange_paths(first, $0) } }
}

// MARK: - Writing

/// Writes all bytes, however many calls that takes.
///
/// - Returns: false where the descriptor takes no more; `errno` says why.
package func writeAll(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Bool {
    var done = 0
    while done < bytes.count {
        let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
        let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
        if count > 0 {
            done += count
        } else if count == 0 {
            // Trying again could take forever.
            errno = EIO
            return false
        } else if errno != EINTR {
            return false
        }
    }
    return true
}

package func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    unsafe bytes.withUnsafeBytes { unsafe writeAll($0, to: descriptor) }
}

// MARK: - The process

/// What the process was called with; arguments that are no UTF-8 as paths are written.
package let processArguments: [String] = {
    var arguments: [String] = []
    for index in 0..<Int(CommandLine.argc) {
        guard let argument = unsafe CommandLine.unsafeArgv[index] else { break }
        arguments.append(unsafe String(systemPath: argument))
    }
    return arguments
}()

/// The working directory.
package var currentDirectory: String {
    guard let buffer = unsafe getcwd(nil, 0) else { return "." }
    defer { unsafe free(buffer) }
    return unsafe String(systemPath: buffer)
}

extension String {
    /// The text of a path that the system gives.
    @unsafe init(systemPath: UnsafePointer<CChar>) {
        unsafe self.init(pathBytes: UnsafeRawBufferPointer(start: systemPath, count: strlen(systemPath)))
    }
}
