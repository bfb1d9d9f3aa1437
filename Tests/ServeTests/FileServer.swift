import Foundation
import Synchronization

/// Another program's server, which answers each path with the bytes that it was given: of Label Studio, from which videos
/// are fetched.
///
/// Unchecked Sendable: what changes is behind locks.
final class FileServer: @unchecked Sendable {
    let port: Int
    private let descriptor: Int32
    private let answers: [String: Data]
    private let heads = Mutex<[String]>([])

    struct Failed: Error {}

    /// - Parameter answers: whole ones, heads and bodies, by path and query.
    init(_ answers: [String: Data]) throws {
        self.answers = answers
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { [descriptor] pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 && listen(descriptor, 16) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        guard status else { throw Failed() }
        port = Int(UInt16(bigEndian: address.sin_port))
        Thread.detachNewThread { [weak self, descriptor] in
            while true {
                let client = accept(descriptor, nil, nil)
                if client < 0, errno == EINTR || errno == ECONNABORTED { continue }
                guard client >= 0 else { return }
                self?.serve(client)
                close(client)
            }
        }
    }

    deinit {
        shutdown(descriptor, Int32(SHUT_RDWR))
        close(descriptor)
    }

    /// What was asked, in the order of asking.
    var asked: [String] { heads.withLock { $0 } }

    private func serve(_ client: Int32) {
        var head = Data()
        var buffer = [UInt8](repeating: 0, count: 4096)
        while head.range(of: Data("\r\n\r\n".utf8)) == nil {
            let count = recv(client, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            head += buffer[..<count]
        }
        let lengths = String(decoding: head, as: UTF8.self).split(separator: "\r\n").filter { $0.lowercased().hasPrefix("content-length:") }
        let bodyLength = lengths.first.flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) } ?? 0
        let end = head.range(of: Data("\r\n\r\n".utf8))?.upperBound ?? head.endIndex
        while head.count < end + bodyLength {
            let count = recv(client, &buffer, buffer.count, 0)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return }
            head += buffer[..<count]
        }
        let text = String(decoding: head, as: UTF8.self)
        heads.withLock { $0.append(text) }
        let path = text.split(separator: " ").dropFirst().first.map(String.init) ?? ""
        let answer = answers[path] ?? Self.answer("404 Not Found", Data())
        answer.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = send(client, bytes.baseAddress! + sent, bytes.count - sent, Int32(MSG_NOSIGNAL))
                if count < 0, errno == EINTR { continue }
                if count <= 0 { return }
                sent += count
            }
        }
    }

    static func answer(_ status: String, _ body: Data, _ fields: String = "") -> Data {
        Data("HTTP/1.1 \(status)\r\nContent-Length: \(body.count)\r\n\(fields)\r\n".utf8) + body
    }

    /// In chunks, as servers send what they make on the way.
    static func chunked(_ body: Data) -> Data {
        var data = Data("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
        for start in stride(from: 0, to: body.count, by: 3000) {
            let part = body[body.startIndex + start..<body.startIndex + min(start + 3000, body.count)]
            data += Data("\(String(part.count, radix: 16))\r\n".utf8) + part + Data("\r\n".utf8)
        }
        return data + Data("0\r\n\r\n".utf8)
    }
}
