import Foundation
import TestSupport
import Testing

/// A program on this machine that ends with the test.
final class Peer {
    let process: Process
    init(_ process: Process) { self.process = process }
    deinit {
        // It may have been started by a thread that keeps signals to itself, which a child inherits; this one it cannot keep.
        kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}

/// Tests with other programs on this machine, which talk to the built one over loopback.
protocol LivePeers {
    var program: Program { get }
}

extension LivePeers {
    static var searchPath: String { (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin") + ":/usr/bin:/bin:/usr/sbin" }

    func peer(_ words: String...) throws -> Peer {
        Peer(try program.start("/usr/bin/env", words, environment: ["PATH": Self.searchPath]).0)
    }

    func shell(_ line: String) throws -> Program.Outcome { try program.shell("PATH=$PATH:\(Self.searchPath); " + line) }

    /// One that nobody listens at.
    func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                _ = bind(descriptor, raw, length)
                getsockname(descriptor, raw, &length)
            }
        }
        return Int(UInt16(bigEndian: address.sin_port))
    }

    func waitForPort(_ port: Int) {
        for _ in 0..<200 {
            let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            defer { close(descriptor) }
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = in_port_t(port).bigEndian
            address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
            let code = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
            }
            if code == 0 { return }
            usleep(50_000)
        }
    }

    /// Waits without a connection, where a server takes only one.
    func waitForListener(_ port: Int) throws {
        let digits = String(port, radix: 16, uppercase: true)
        let line = ":" + String(repeating: "0", count: 4 - digits.count) + digits + " 00000000:0000 0A"
        let outcome = try shell("for i in $(seq 400); do grep -q '\(line)' /proc/net/tcp && exit 0; sleep 0.05; done; exit 1")
        #expect(outcome.status == 0, "nothing listens at \(port)")
    }

    /// A test pattern of so many seconds.
    func video(_ name: String, seconds: Int = 6, more: String = "") throws {
        let outcome = try shell(
            "ffmpeg -nostdin -v error -y -f lavfi -i testsrc2=size=64x48:rate=10:duration=\(seconds) -c:v libx264 -g 10 -pix_fmt yuv420p \(more) \(name)")
        #expect(outcome.status == 0, "\(outcome.messages)")
    }

    func objects(_ text: String) throws -> [[String: Any]] {
        try text.split(separator: "\n").map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }
}
