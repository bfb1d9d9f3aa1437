import Files
import Glibc
import NIOCore

/// Why a server cannot be started.
package enum ServeError: ReportableError {
    case noBackbone(prompts: String)
    case cannotListen(host: String, port: Int, reason: String)
    case badOrigin(String)
    case encryptedOrigin(String)
    /// What is sent along to the origin.
    case badKey

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
        case .noBackbone, .badOrigin, .encryptedOrigin, .badKey: .usage
        case .cannotListen: .unavailable
        }
    }

    package var description: String {
        switch self {
        case .noBackbone(let prompts): "\(prompts.escapedForDisplay): the backbone that it was learned on is not known. Pass --backbone FILE."
        case .badOrigin(let text): "--allow-fetch \(text.escapedForDisplay): is no origin. Write scheme, host and port and nothing more, such as http://127.0.0.1:8080."
        case .encryptedOrigin(let text):
            "--allow-fetch \(text.escapedForDisplay): this server fetches by http alone. Put a proxy on this machine that speaks https with that place, and name the proxy."
        case .badKey: "LABEL_STUDIO_API_KEY holds characters that a key has not. Copy it from Label Studio's account page."
        case .cannotListen(let host, let port, let reason): "cannot listen at \(host.escapedForDisplay):\(port): \(reason)."
        }
    }
}
