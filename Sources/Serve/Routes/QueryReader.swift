import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import VideoData

/// The parameters of a request, each checked for its range: those of its address, and the fields of its form. What is not
/// known is refused by name.
struct QueryReader: Sendable {
    private let known: [String]
    private var values: [(name: String, value: String)] = []

    /// - Parameter known: all names that the request may have.
    init(_ request: Request, known: [String]) throws(RequestFault) {
        self.known = known
        for pair in (request.uri.query ?? "").split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let (name, value) = (try Self.decoded(parts[0]), parts.count > 1 ? try Self.decoded(parts[1]) : "")
            try check(name)
            values.append((name, value))
        }
    }

    /// - Throws: `RequestFault` for a name that the request may not have.
    func check(_ name: String) throws(RequestFault) {
        guard known.contains(name) else {
            throw RequestFault(.badRequest, "There is no parameter \(name.prefix(60)). Known are \(known.joined(separator: ", ")).")
        }
    }

    /// With the fields of a form. Those that are empty count as not given, for pages send each field that they show.
    ///
    /// - Throws: `RequestFault` where address and form say different things.
    func joined(with fields: [(name: String, value: String)]) throws(RequestFault) -> QueryReader {
        var joined = self
        for name in known {
            let (own, others) = (all(name), fields.filter { $0.name == name && !$0.value.isEmpty }.map(\.value))
            if others.isEmpty || others == own { continue }
            guard own.isEmpty else { throw RequestFault(.badRequest, "\(name) is given in the address and in the form, with different values. Leave one of them out.") }
            joined.values += others.map { (name, $0) }
        }
        return joined
    }

    /// As browsers write forms (WHATWG URL, section 5): a plus sign is a space.
    private static func decoded(_ text: Substring) throws(RequestFault) -> String {
        guard let decoded = text.replacing("+", with: " ").removingPercentEncoding else {
            throw RequestFault(.badRequest, "The parameters are not encoded as those of addresses are: \(text.prefix(60)).")
        }
        return decoded
    }

    func all(_ name: String) -> [String] { values.filter { $0.name == name }.map(\.value) }

    func text(_ name: String) throws(RequestFault) -> String? {
        let found = all(name)
        guard found.count <= 1 else { throw RequestFault(.badRequest, "\(name) is given twice.") }
        return found.first
    }

    func whole(_ name: String, in range: ClosedRange<Int>, default value: Int) throws(RequestFault) -> Int {
        guard let text = try text(name) else { return value }
        guard let number = Int(text), range.contains(number) else {
            throw RequestFault(.badRequest, "\(name) is \(text.prefix(40)); it must be a whole number between \(range.lowerBound) and \(range.upperBound).")
        }
        return number
    }

    func number(_ name: String, in range: ClosedRange<Double>, default value: Double) throws(RequestFault) -> Double {
        guard let text = try text(name) else { return value }
        guard let number = Double(text), range.contains(number) else {
            throw RequestFault(.badRequest, "\(name) is \(text.prefix(40)); it must be between \(range.lowerBound) and \(range.upperBound).")
        }
        return number
    }

    func span(_ name: String) throws(RequestFault) -> VideoSpan? {
        guard let text = try text(name) else { return nil }
        guard let span = VideoSpan(text), span.isUsable else {
            throw RequestFault(.badRequest, "\(name) is \(text.prefix(40)); it must be a length in time such as 2s or 500ms, or in frames such as 48f.")
        }
        return span
    }
}

extension Request {
    /// The JSON document in the body.
    func document<Value: Decodable>(_ type: Value.Type, limit: Int) async throws -> Value {
        try Upload.checkLength(of: self, limit: limit)
        var bytes: [UInt8] = []
        for try await buffer in body {
            bytes += buffer.readableBytesView
            guard bytes.count <= limit else { throw RequestFault(.tooLarge, "The document is larger than \(limit) bytes.") }
        }
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(type, from: Data(bytes))
        } catch let error as DecodingError {
            throw RequestFault(.badRequest, error.words)
        }
    }
}

extension DecodingError {
    /// For whoever wrote the document.
    fileprivate var words: String {
        func place(_ context: Context) -> String {
            context.codingPath.isEmpty ? "the document" : context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue.snakeCase }.joined(separator: ".")
        }
        return switch self {
        case .keyNotFound(let key, _): "\(key.stringValue.snakeCase) is missing."
        case .typeMismatch(_, let context), .valueNotFound(_, let context): "\(place(context)) is of another kind than it must be."
        case .dataCorrupted(let context): context.codingPath.isEmpty ? "The body is no JSON document." : "\(place(context)) has no such value."
        @unknown default: "The document cannot be read."
        }
    }
}

extension String {
    fileprivate var snakeCase: String { reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) } }
}
