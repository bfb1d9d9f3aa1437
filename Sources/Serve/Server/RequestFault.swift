import CLIPModel
import Experiments
import Files
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import NIOCore

/// Why a request is not answered as asked, and what its client is told.
struct RequestFault: Error {
    enum Code: String {
        case badRequest = "bad_request"
        case unauthorized
        case forbidden
        case notFound = "not_found"
        case conflict
        case tooLarge = "too_large"
        case unsupported
        /// A video or a data set that nothing can be made of.
        case unprocessable
        case busy
        case quota
        case fault

        var status: HTTPResponse.Status {
            switch self {
            case .badRequest: .badRequest
            case .unauthorized: .unauthorized
            case .forbidden: .forbidden
            case .notFound: .notFound
            case .conflict: .conflict
            case .tooLarge: .contentTooLarge
            case .unsupported: .unsupportedMediaType
            case .unprocessable: .unprocessableContent
            case .busy: .serviceUnavailable
            case .quota: HTTPResponse.Status(code: 507, reasonPhrase: "Insufficient Storage")
            case .fault: .internalServerError
            }
        }
    }

    let code: Code
    /// A whole sentence for a person.
    let message: String
    /// What the client is not told.
    private let cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// What went wrong below. What is about the client's video or request is said; anything else stays in the log.
    ///
    /// - Parameter name: what the client calls its video, in the place of `path`.
    init(_ error: any Error, path: String? = nil, name: String? = nil) {
        if let fault = error as? RequestFault {
            self = fault
            return
        }
        guard let error = error as? any ReportableError else {
            self.init(.fault, Self.unsaid, cause: error)
            return
        }
        let words = path.map { error.description.replacing($0, with: name ?? "the video") } ?? error.description
        switch error.exitStatus {
        case .badData: self.init(.unprocessable, words)
        case .usage, .badConfiguration: self.init(.badRequest, words)
        case .interrupted: self.init(.busy, "The server is stopping.")
        case .unavailable: self.init(.busy, "The machine lacks memory, processes or files for this at the moment. Try again later.", cause: error)
        case .missingInput, .inputOutput, .software: self.init(.fault, Self.unsaid, cause: error)
        }
    }

    private static let unsaid = "The server failed. Its log says why."

    /// Tells the log what the client is not told.
    func log(_ place: String, _ logger: Logger) {
        if let cause { logger.error("\(place): \(cause)") } else if code == .fault { logger.error("\(place): \(message)") }
    }

    private struct Document: Encodable {
        struct Fault: Encodable {
            let code: String
            let message: String
        }
        let error: Fault
    }

    var text: String { JSONText.of(Document(error: .init(code: code.rawValue, message: message))) }

    var response: Response {
        var response = Response.json(text, status: code.status)
        if code == .busy { response.headers[.retryAfter] = "5" }
        if code == .unauthorized { response.headers[.wwwAuthenticate] = "Bearer" }
        return response
    }
}

/// JSON as all of this program's documents are, on one line.
enum JSONText {
    static func of(_ value: some Encodable) -> String {
        // Values of this module always encode.
        (try? ResultJSON.text(value, isOneLine: true)) ?? "{}\n"
    }
}

extension Response {
    static func json(_ text: String, status: HTTPResponse.Status = .ok) -> Response {
        bytes(Array(text.utf8), type: "application/json; charset=utf-8", status: status)
    }

    static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response { .json(JSONText.of(value), status: status) }

    static func bytes(_ bytes: [UInt8], type: String, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status, headers: [.contentType: type, .contentLength: "\(bytes.count)", .cacheControl: "no-store"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    static var noContent: Response { Response(status: .noContent) }
}
