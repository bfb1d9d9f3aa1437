import Files
import Foundation
import Glibc

/// One request of HTTP/1.1 that posts a line of JSON, over a connection of its own.
struct HTTPPost {
    enum Outcome: Equatable {
        case accepted
        /// The receiver does not want it, and would not the next time.
        case refused(status: Int)
        case failed(String)
    }

    private let address: WebhookAddress
    /// For connecting, and for each piece that is sent or received.
    private static let timeoutSeconds = 5
    /// For the whole of it: a receiver may send or take a byte at a time.
    private static let wholeSeconds = 10

    init(_ address: WebhookAddress) { self.address = address }

    func send(_ line: String) -> Outcome {
        let deadline = ContinuousClock.now + .seconds(Self.wholeSeconds)
        let descriptor: Int32
        switch connected() {
        case .success(let open): descriptor = open
        case .failure(let failure): return .failed(failure.reason)
        }
        defer { close(descriptor) }
        let head = [
            "POST \(address.path) HTTP/1.1", "Host: \(address.origin.host):\(address.origin.port)", "Content-Type: application/json", "Content-Length: \(line.utf8.count)",
            "User-Agent: vifi-prompt", "Connection: close", "", "",
        ].joined(separator: "\r\n")
        guard Self.sendAll(Array((head + line).utf8), to: descriptor, until: deadline) else { return .failed(Self.words()) }
        guard let status = status(from: descriptor, until: deadline) else { return .failed("no answer came") }
        switch status {
        case 200..<300: return .accepted
        // Too slow, too many, or the server's own trouble.
        case 408, 429, 500...: return .failed("the receiver answered with status \(status)")
        default: return .refused(status: status)
        }
    }

    private struct Failure: Error { let reason: String }

    private static func words() -> String { errno == EAGAIN || errno == EINPROGRESS ? "nobody answered for \(timeoutSeconds) s" : systemErrorText() }

    /// A receiver that hangs up must not end the program by a signal.
    private static func sendAll(_ bytes: [UInt8], to descriptor: Int32, until deadline: ContinuousClock.Instant) -> Bool {
        var left = bytes[...]
        while !left.isEmpty {
            guard ContinuousClock.now < deadline else {
                errno = ETIMEDOUT
                return false
            }
            let count = unsafe left.withUnsafeBytes { unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count > 0 {
                left = left.dropFirst(count)
            } else if count == 0 || errno != EINTR {
                return false
            }
        }
        return true
    }

    /// A connection to the first address of the host that takes one.
    private func connected() -> Result<Int32, Failure> {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = unsafe getaddrinfo(address.origin.plainHost, "\(address.origin.port)", &hints, &found)
        defer { if let found = unsafe found { unsafe freeaddrinfo(found) } }
        guard code == 0 else { return .failure(Failure(reason: unsafe String(cString: gai_strerror(code)))) }
        var reason = "the host has no address"
        var next = unsafe found
        while let entry = unsafe next {
            unsafe next = entry.pointee.ai_next
            let descriptor = unsafe socket(entry.pointee.ai_family, entry.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0)
            guard descriptor >= 0 else {
                reason = systemErrorText()
                continue
            }
            // Linux applies the time for sending to connecting, too.
            var time = timeval(tv_sec: Self.timeoutSeconds, tv_usec: 0)
            for option in [SO_SNDTIMEO, SO_RCVTIMEO] {
                _ = unsafe setsockopt(descriptor, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
            }
            if unsafe connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 { return .success(descriptor) }
            reason = Self.words()
            close(descriptor)
        }
        return .failure(Failure(reason: reason))
    }

    /// Of the first line of the answer; what follows it is not looked at.
    private func status(from descriptor: Int32, until deadline: ContinuousClock.Instant) -> Int? {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 512)
        while bytes.count < 4096, ContinuousClock.now < deadline, !bytes.contains(UInt8(ascii: "\n")) {
            let count = unsafe buffer.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            bytes += buffer.prefix(count)
        }
        let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let words = line.split(separator: " ")
        guard line.hasPrefix("HTTP/1."), words.count >= 2, let status = Int(words[1]), (100...999).contains(status) else { return nil }
        return status
    }
}
