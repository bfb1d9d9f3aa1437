import Glibc

/// Standard output and standard error, written without ever trapping: a full disk behind a redirection or
/// a reader that has gone away must not end a training run.
package enum StandardStream: Int32, Sendable {
    case output = 1
    case error = 2

    /// Writes all of `text`. Returns false where the stream takes no more.
    @discardableResult
    package func write(_ text: String) -> Bool { writeAll(Array(text.utf8), to: rawValue) }

    /// Gives closed standard streams a home in /dev/null, so that no data file is opened under their numbers.
    package static func reserveDescriptors() {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 {
            _ = unsafe open("/dev/null", O_RDWR)
        }
    }
}
