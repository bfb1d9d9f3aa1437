import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// A request whose body is a form (multipart/form-data), as `curl -F` and pages send it: at most one video, which goes into a
/// file as it comes, and fields, which mean what parameters of the address mean.
struct FormBody: Sendable {
    /// The parameters of the address and the fields.
    let query: QueryReader
    /// Nil where the form has no video, or an empty one, as pages send it where none was chosen.
    let upload: Upload?
    /// As the client calls the video's file; nil where it does not.
    let fileName: String?

    /// Of the part with the video.
    static let videoName = "video"

    func video() throws(RequestFault) -> Upload {
        guard let upload else { throw RequestFault(.badRequest, "The form has no video: send it as the part \(Self.videoName), such as curl -F \(Self.videoName)=@clip.mp4.") }
        return upload
    }

    /// - Parameters:
    ///   - boundary: as `Request.formBoundary` gives it.
    ///   - query: of the address.
    /// - Throws: `RequestFault` for what is no whole form, too large, or has parts that the request does not know.
    static func receive(_ request: Request, boundary: String, query: QueryReader, _ services: Services) async throws -> FormBody {
        let limits = services.limits
        try Upload.checkLength(of: request, limit: limits.videoBytes, beside: limits.formBytes)
        var reader = Reader(boundary: boundary, query: query, services: services)
        var parts = request.body.makeAsyncIterator()
        while let buffer = try await Upload.next(&parts) { try reader.take(buffer) }
        return try reader.finish()
    }

    private struct Reader {
        private var parser: MultipartParser
        private let query: QueryReader
        private let services: Services
        private var fields: [(name: String, value: [UInt8])] = []
        private var video: Upload.Receiver?
        private var fileName: String?
        /// Whether the part that has begun is the video; a field otherwise.
        private var isVideo = false
        private var byteCount = 0

        init(boundary: String, query: QueryReader, services: Services) {
            parser = MultipartParser(boundary: boundary)
            self.query = query
            self.services = services
        }

        mutating func take(_ buffer: ByteBuffer) throws {
            byteCount += buffer.readableBytes
            for event in try parsed({ parser throws(MultipartFault) in try parser.take(Array(buffer.readableBytesView)) }) {
                switch event {
                case .begin(let head): try begin(head)
                case .bytes(let bytes):
                    if isVideo { try video?.take(bytes) } else { fields[fields.count - 1].value += bytes }
                case .end: break
                }
            }
            let limit = services.limits.formBytes
            guard byteCount - (video?.count ?? 0) <= limit else {
                throw RequestFault(.tooLarge, "The form has more than \(limit) bytes besides the video, the most that is taken.")
            }
        }

        private mutating func begin(_ head: MultipartHead) throws {
            isVideo = head.name == FormBody.videoName
            if isVideo {
                guard video == nil else { throw RequestFault(.badRequest, "The form has two videos; a request has one. Send a request for each.") }
                video = try Upload.Receiver(in: services.folder, limit: services.limits.videoBytes, metrics: services.metrics)
                fileName = head.fileName
                return
            }
            try query.check(head.name)
            guard head.fileName == nil else {
                throw RequestFault(.badRequest, "The part \(head.name) of the form is a file, and must be a value. The video is the part \(FormBody.videoName).")
            }
            let limit = services.limits.formFields
            guard fields.count < limit else { throw RequestFault(.badRequest, "The form has more than \(limit) fields.") }
            fields.append((head.name, []))
        }

        mutating func finish() throws -> FormBody {
            try parsed { parser throws(MultipartFault) in try parser.finish() }
            let fields = try self.fields.map { field in
                guard let value = String(validating: field.value, as: UTF8.self) else { throw RequestFault(.badRequest, "The field \(field.name) of the form is not UTF-8.") }
                return (name: field.name, value: value)
            }
            let name = fileName?.trimmingCharacters(in: .whitespacesAndNewlines) ?? ""
            return FormBody(
                query: try query.joined(with: fields), upload: try video.flatMap { $0.count > 0 ? try $0.finish() : nil }, fileName: name.isEmpty ? nil : name)
        }

        private mutating func parsed<Result>(_ body: (inout MultipartParser) throws(MultipartFault) -> Result) throws(RequestFault) -> Result {
            do throws(MultipartFault) {
                return try body(&parser)
            } catch {
                throw error.fault
            }
        }
    }
}

extension Request {
    /// The boundary of a body that is a form; nil for any other body.
    ///
    /// - Throws: `RequestFault` for other multiparts, and boundaries that are none.
    var formBoundary: String? {
        get throws(RequestFault) {
            guard let type = headers[.contentType], type.lowercased().hasPrefix("multipart/") else { return nil }
            guard let parameters = HeaderParameters(type) else { throw RequestFault(.badRequest, "Content-Type cannot be read: \(type.prefix(100))") }
            guard parameters.value == "multipart/form-data" else {
                throw RequestFault(.unsupported, "\(parameters.value.prefix(60)) is not taken: send multipart/form-data, or the video's bytes alone.")
            }
            guard let boundary = parameters["boundary"], MultipartParser.isBoundary(boundary) else {
                throw RequestFault(.badRequest, "Content-Type names no boundary of 1 to 70 letters, digits and '()+_,-./:=? (RFC 2046).")
            }
            return boundary
        }
    }
}
