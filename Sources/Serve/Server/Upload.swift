import Files
import Foundation
import Hummingbird
import NIOCore

/// The body of a request, or of an answer, in a file that has no name and goes away with this value.
final class Upload: Sendable {
    let byteCount: Int
    /// Opened, it is the file: for decoders in other processes, too.
    let path: String
    private let descriptor: Int32

    private init(descriptor: Int32, byteCount: Int) {
        self.descriptor = descriptor
        self.byteCount = byteCount
        path = "/proc/\(getpid())/fd/\(descriptor)"
    }

    deinit { close(descriptor) }

    /// Takes a body as it comes.
    ///
    /// - Parameters:
    ///   - folder: on the file system that holds it.
    ///   - limit: most bytes.
    /// - Throws: `RequestFault`: too large, empty, or the disk is full.
    static func receive(_ request: Request, in folder: String, limit: Int, metrics: Metrics) async throws -> Upload {
        try checkLength(of: request, limit: limit)
        let receiver = try Receiver(in: folder, limit: limit, metrics: metrics)
        var parts = request.body.makeAsyncIterator()
        while let buffer = try await next(&parts) { try receiver.take(buffer) }
        return try receiver.finish()
    }

    /// A body that is being received. One that is let go leaves nothing behind.
    final class Receiver {
        private let limit: Int
        private let metrics: Metrics
        /// -1 once the file is an upload's.
        private var descriptor: Int32
        private(set) var count = 0

        init(in folder: String, limit: Int, metrics: Metrics) throws {
            self.limit = limit
            self.metrics = metrics
            descriptor = try Upload.namelessFile(in: folder)
        }

        deinit { if descriptor >= 0 { close(descriptor) } }

        /// - Throws: `RequestFault`: too large, or the disk is full.
        func take(_ bytes: [UInt8]) throws(RequestFault) {
            count += bytes.count
            guard count <= limit else { throw Upload.tooLarge(limit) }
            guard writeAll(bytes, to: descriptor) else { throw Upload.fullDisk() }
            metrics.uploaded(bytes.count)
        }

        func take(_ buffer: ByteBuffer) throws(RequestFault) { try take(Array(buffer.readableBytesView)) }

        /// - Throws: `RequestFault` where nothing came.
        func finish() throws(RequestFault) -> Upload {
            guard count > 0 else { throw RequestFault(.badRequest, "The body is empty: send the video's bytes as the body.") }
            let upload = Upload(descriptor: descriptor, byteCount: count)
            descriptor = -1
            return upload
        }
    }

    /// - Throws: `RequestFault` for a client that goes away in the middle of its body.
    static func next(_ parts: inout RequestBody.AsyncIterator) async throws(RequestFault) -> ByteBuffer? {
        do {
            return try await parts.next()
        } catch {
            throw RequestFault(.badRequest, "The body ended before its length.")
        }
    }

    /// What is too large by its own words is refused before a byte of it is read.
    ///
    /// - Parameters:
    ///   - limit: that clients are told of.
    ///   - otherBytes: that may come besides, as the rest of a form beside its video.
    static func checkLength(of request: Request, limit: Int, beside otherBytes: Int = 0) throws(RequestFault) {
        guard let length = request.headers[.contentLength] else { return }
        guard let count = Int(length), count >= 0 else { throw RequestFault(.badRequest, "Content-Length is not a number of bytes.") }
        guard count <= limit + otherBytes else { throw tooLarge(limit) }
    }

    static func tooLarge(_ limit: Int) -> RequestFault {
        RequestFault(.tooLarge, "The body is larger than \(sizeInWords(limit)), which is the most that is taken. Cut the video: ffmpeg -i IN -t 60 -c copy OUT.mp4")
    }

    static func fullDisk() -> RequestFault { RequestFault(.quota, "The server's disk is full.") }

    /// Linux's `O_TMPFILE`, a macro that Swift does not see.
    private static let nameless = O_DIRECTORY | 0o20_000_000

    private static func namelessFile(in folder: String) throws -> Int32 {
        let descriptor = unsafe open(folder, nameless | O_RDWR | O_CLOEXEC, 0o600)
        if descriptor >= 0 { return descriptor }
        // Some file systems know no files without names: then the name goes away at once.
        let path = folder.appendingPath(".upload-\(UInt64.random(in: .min ... .max))")
        let named = unsafe open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0o600)
        guard named >= 0 else { throw FileError(path: folder, problem: .cannotCreate(reason: systemErrorText())) }
        unsafe unlink(path)
        return named
    }
}
