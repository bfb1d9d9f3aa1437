import Foundation
import Testing

/// Sends exactly what it is told, one request a connection.
struct HTTPClient: Sendable {
    let port: Int

    struct Answer {
        let status: Int
        /// Names in lower case.
        let headers: [String: String]
        let body: Data

        var text: String { String(decoding: body, as: UTF8.self) }

        func json(_ location: SourceLocation = #_sourceLocation) throws -> [String: Any] {
            try #require(try? JSONSerialization.jsonObject(with: body) as? [String: Any], "\(status): \(text)", sourceLocation: location)
        }

        /// The code and the words of an error.
        var fault: (code: String, message: String) {
            let error = (try? JSONSerialization.jsonObject(with: body) as? [String: Any])?["error"] as? [String: Any]
            return (error?["code"] as? String ?? "", error?["message"] as? String ?? "")
        }
    }

    func get(_ path: String, _ headers: [String: String] = [:]) throws -> Answer { try send("GET", path, headers) }

    func post(_ path: String, _ body: Data = Data(), _ headers: [String: String] = [:]) throws -> Answer { try send("POST", path, headers, body) }

    func json(_ method: String, _ path: String, _ document: Any, _ headers: [String: String] = [:]) throws -> Answer {
        try send(method, path, headers.merging(["Content-Type": "application/json"]) { $1 }, JSONSerialization.data(withJSONObject: document))
    }

    func send(_ method: String, _ path: String, _ headers: [String: String] = [:], _ body: Data = Data()) throws -> Answer {
        var fields = ["Host": "127.0.0.1:\(port)", "Connection": "close"].merging(headers) { $1 }
        if !body.isEmpty || method == "POST" || method == "PATCH" { fields["Content-Length"] = fields["Content-Length"] ?? "\(body.count)" }
        let head = "\(method) \(path) HTTP/1.1\r\n" + fields.map { "\($0): \($1)\r\n" }.sorted().joined() + "\r\n"
        let connection = try Connection(port: port)
        connection.send(Data(head.utf8) + body)
        return try Self.parsed(connection.readToEnd())
    }

    /// A connection of its own, for whoever wants to send something else than a request.
    final class Connection {
        private let descriptor: Int32

        struct Refused: Error {}

        init(port: Int) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = inet_addr("127.0.0.1")
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
            guard status == 0 else { throw Refused() }
            var limit = timeval(tv_sec: 120, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        }

        deinit { close(descriptor) }

        /// Whether all of it could be sent.
        @discardableResult
        func send(_ data: Data) -> Bool {
            data.withUnsafeBytes { bytes in
                var sent = 0
                while sent < bytes.count {
                    let count = Glibc.send(descriptor, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                    if count <= 0 { return false }
                    sent += count
                }
                return true
            }
        }

        /// Up to the end, or until the given words have come.
        func readToEnd(until words: String? = nil) -> Data {
            var data = Data()
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count <= 0 { return data }
                data += buffer[..<count]
                if let words, data.range(of: Data(words.utf8)) != nil { return data }
            }
        }

        /// Waits for the other side to close; whether it does within the time.
        func isClosed(within seconds: Int) -> Bool {
            var limit = timeval(tv_sec: seconds, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count <= 0 { return count == 0 || errno == ECONNRESET }
            }
        }
    }

    struct NoAnswer: Error {
        let bytes: Data
    }

    static func parsed(_ data: Data) throws -> Answer {
        guard let end = data.range(of: Data("\r\n\r\n".utf8)) else { throw NoAnswer(bytes: data) }
        let lines = String(decoding: data[..<end.lowerBound], as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { throw NoAnswer(bytes: data) }
        if status == 100 { return try parsed(data[end.upperBound...]) }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            headers[parts[0].lowercased()] = parts.count > 1 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
        }
        var body = Data(data[end.upperBound...])
        if headers["transfer-encoding"] == "chunked" { body = unchunked(body) }
        return Answer(status: status, headers: headers, body: body)
    }

    private static func unchunked(_ data: Data) -> Data {
        var (result, rest) = (Data(), data)
        while let end = rest.range(of: Data("\r\n".utf8)), let count = Int(String(decoding: rest[rest.startIndex..<end.lowerBound], as: UTF8.self), radix: 16), count > 0 {
            guard rest.distance(from: end.upperBound, to: rest.endIndex) >= count else { break }
            result += rest[end.upperBound..<end.upperBound + count]
            rest = rest[min(rest.endIndex, end.upperBound + count + 2)...]
        }
        return result
    }
}

/// The events of a stream: name and data.
func events(_ text: String) -> [(name: String, data: String)] {
    text.replacing("\r\n", with: "\n").components(separatedBy: "\n\n").compactMap { block in
        let lines = block.split(separator: "\n")
        guard let name = lines.first(where: { $0.hasPrefix("event: ") }), let data = lines.first(where: { $0.hasPrefix("data: ") }) else { return nil }
        return (String(name.dropFirst(7)), String(data.dropFirst(6)))
    }
}

extension String {
    /// As a value in an address.
    var percentEncoded: String { addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "" }
}
