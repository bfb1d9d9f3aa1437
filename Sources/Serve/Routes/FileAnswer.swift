import Files
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Files that the server has written itself, whole or in parts (RFC 9110, section 14), as players ask for them.
enum FileAnswer {
    private static let partBytes = 256 << 10

    /// - Parameters:
    ///   - name: that a browser saves it by.
    ///   - isAttachment: whether it is to be saved, not shown; another file may then have its address later.
    ///   - version: that it must still be, where others may put something else in its place; nil for files of the server's own.
    static func response(
        to request: Request, path: String, type: String, name: String, isAttachment: Bool = false, version: FileIdentity? = nil
    ) throws -> Response {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RequestFault(.notFound, "The file is not there any more.") }
        let file = OpenFile(descriptor)
        guard let found = FileIdentity(descriptor: descriptor) else { throw RequestFault(.notFound, "This is a folder and no file, which cannot be sent.") }
        guard version == nil || found == version else { throw RequestFault(.conflict, "The file has changed. Ask again in a second.") }
        let count = file.byteCount
        var headers: HTTPFields = [.contentType: type, .acceptRanges: "bytes", .cacheControl: isAttachment ? "no-store" : "private, max-age=3600"]
        let plain = String(name.unicodeScalars.filter { $0.isASCII && $0.value >= 32 && $0 != "\"" && $0 != "\\" })
        headers[.contentDisposition] = "\(isAttachment ? "attachment" : "inline"); filename=\"\(plain)\""
        switch request.headers[.range].map({ Part($0, of: count) }) ?? .whole {
        case .whole:
            headers[.contentLength] = "\(count)"
            return Response(status: .ok, headers: headers, body: file.body(0..<count))
        case .range(let range):
            headers[.contentLength] = "\(range.count)"
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(count)"
            return Response(status: .partialContent, headers: headers, body: file.body(range))
        case .none:
            return Response(status: .rangeNotSatisfiable, headers: [.contentRange: "bytes */\(count)"])
        }
    }

    /// What a request wants of a file.
    private enum Part {
        case whole
        /// Not empty.
        case range(Range<Int>)
        /// It lies behind the end.
        case none

        /// - Parameter text: of the header `Range`. Other units than bytes and several ranges at once are passed over, as the RFC lets
        ///   a server do.
        init(_ text: String, of count: Int) {
            self = .whole
            let ends = text.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false)
            guard text.hasPrefix("bytes="), ends.count == 2 else { return }
            let last = Int(ends[1])
            if ends[0].isEmpty {
                guard let last, last >= 0 else { return }
                self = last > 0 && count > 0 ? .range(max(0, count - last)..<count) : .none
                return
            }
            guard let start = Int(ends[0]), start >= 0, ends[1].isEmpty || last.map({ $0 >= start }) == true else { return }
            self = start < count ? .range(start..<min(last ?? count - 1, count - 1) + 1) : .none
        }
    }

    static func type(ofVideo file: String) -> String {
        switch file.split(separator: ".").last {
        case "mp4", "m4v": "video/mp4"
        case "webm": "video/webm"
        case "mov": "video/quicktime"
        case "mkv": "video/x-matroska"
        case "ogv", "ogg": "video/ogg"
        default: "application/octet-stream"
        }
    }

    private final class OpenFile: Sendable {
        private let descriptor: Int32

        init(_ descriptor: Int32) { self.descriptor = descriptor }
        deinit { close(descriptor) }

        var byteCount: Int {
            var status = stat()
            return unsafe fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
        }

        func body(_ range: Range<Int>) -> ResponseBody {
            ResponseBody(contentLength: range.count) { [self] writer in
                var place = range.lowerBound
                while place < range.upperBound {
                    var bytes = [UInt8](repeating: 0, count: min(FileAnswer.partBytes, range.upperBound - place))
                    let count = unsafe bytes.withUnsafeMutableBytes { unsafe pread(descriptor, $0.baseAddress, $0.count, off_t(place)) }
                    guard count > 0 else { throw RequestFault(.fault, "The file became shorter.") }
                    try await writer.write(ByteBuffer(bytes: bytes.prefix(count)))
                    place += count
                }
                try await writer.finish(nil)
            }
        }
    }
}
