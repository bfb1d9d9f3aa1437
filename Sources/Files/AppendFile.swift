import Glibc

/// A log that grows line by line; what was written survives a crash from the next `sync` on.
package struct AppendFile: ~Copyable {
    package let path: String
    private let descriptor: Int32

    package init(path: String) throws(FileError) {
        descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw FileError(path: path, problem: .cannotCreate(reason: systemErrorText())) }
        self.path = path
    }

    deinit { close(descriptor) }

    package func append(line: String) throws(FileError) {
        let bytes = Array((line + "\n").utf8)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: buffer[done...]).baseAddress, bytes.count - done)
            }
            if count > 0 {
                done += count
            } else if count < 0 && errno != EINTR {
                throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText()))
            }
        }
    }

    package func sync() throws(FileError) {
        guard fsync(descriptor) == 0 else { throw FileError(path: path, problem: .cannotWrite(reason: systemErrorText())) }
    }
}
