import Files
import Glibc
import NIOCore

/// Why a server cannot be started.
package enum ServeError: ReportableError {
    case noBackbone(prompts: String)
    case cannotListen(host: String, port: Int, reason: String)

    /// - Parameter error: of the network, or anything else that ended the server.
    package init(_ error: any Error, host: String, port: Int) {
        let reason = (error as? IOError).map { Self.words(of: $0.errnoCode) } ?? "\(error)"
        self = .cannotListen(host: host, port: port, reason: reason)
    }

    private static func words(of code: Int32) -> String {
        switch code {
        case EADDRINUSE: "another program listens there already. Pass --port with another number, or 0 for any that is free"
        case EACCES: "ports below 1024 need the right to take them. Pass --port 8080"
        case EADDRNOTAVAIL: "this machine has no such address. Pass --host 127.0.0.1"
        default:
            {
                errno = code
                return systemErrorText()
            }()
        }
    }

    package var exitStatus: ExitStatus {
        switch self {
        case .noBackbone: .usage
        case .cannotListen: .unavailable
        }
    }

    package var description: String {
        switch self {
        case .noBackbone(let prompts): "\(prompts.escapedForDisplay): the backbone that it was learned on is not known. Pass --backbone FILE."
        case .cannotListen(let host, let port, let reason): "cannot listen at \(host.escapedForDisplay):\(port): \(reason)."
        }
    }
}
