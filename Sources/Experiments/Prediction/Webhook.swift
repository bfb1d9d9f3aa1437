import Files

/// Where answers are posted to: `http://host:port/path`.
package struct WebhookAddress: Sendable, Equatable {
    package let text: String
    let origin: URLOrigin
    /// With what follows it, as it stands in a request.
    let path: String

    /// - Throws: `WebhookError`.
    package init(_ text: String) throws(WebhookError) {
        self.text = text
        guard let authority = URLOrigin.authority(of: text), let origin = URLOrigin(text) else { throw WebhookError(address: text, problem: .badAddress) }
        if origin.scheme == "https" { throw WebhookError(address: text, problem: .encrypted) }
        // A line break would begin another line of the request.
        guard origin.scheme == "http", text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), !text[authority].contains("@"), !text.contains("#") else {
            throw WebhookError(address: text, problem: .badAddress)
        }
        self.origin = origin
        let tail = text[authority.upperBound...]
        path = tail.first == "/" ? String(tail) : "/" + tail
    }

    /// What is shown to people: without the path, which may hold a token.
    var shown: String { origin.text + (path == "/" ? "/" : "/…") }
}

/// Why answers cannot be posted.
package struct WebhookError: ReportableError, Equatable {
    package enum Problem: Sendable, Equatable { case encrypted, badAddress }

    package let address: String
    package let problem: Problem

    package var exitStatus: ExitStatus { .usage }

    /// Whatever stands before an @ may be a password, and the path a token.
    private var shown: String {
        let start = address.firstRange(of: "://")?.upperBound ?? address.startIndex
        if address.contains("@") { return address[..<start] + "***" }
        let authority = address[start...].prefix { !"/?#".contains($0) }
        return address[..<authority.endIndex] + (authority.endIndex < address.endIndex ? "/…" : "")
    }

    package var description: String {
        let name = shown.escapedForDisplay
        return switch problem {
        case .encrypted:
            "--webhook \(name): answers are posted over HTTP alone. Post them to a proxy on this machine that encrypts, such as "
                + "http://127.0.0.1:9000/hook."
        case .badAddress:
            "--webhook \(name): is no address such as http://127.0.0.1:9000/hook. Names and passwords are not sent; put a token into the path."
        }
    }
}

extension Outbox {
    /// Posts lines to an address. A line that does not arrive is tried again after half a second, one, two and four, then
    /// given up and counted; so is one that the receiver refuses.
    ///
    /// - Parameter report: told why a line was lost, from the thread that posts.
    /// - Throws: `FileError` where the system has no thread to give.
    package static func webhook(_ address: WebhookAddress, report: @escaping @Sendable (Event) -> Void) throws(FileError) -> Outbox {
        try Outbox(to: address.shown, verb: "posted") { lines in
            while let line = lines.next() {
                let reason = post(line, to: address, lines)
                if reason != nil, lines.isHurried { return }
                lines.settle(isDelivered: reason == nil)
                if let reason {
                    report(.warning("--webhook \(address.shown.escapedForDisplay): an answer was lost: \(reason.escapedForDisplay)"))
                }
            }
        }
    }

    /// - Returns: why the line is lost; nil where it arrived.
    private static func post(_ line: String, to address: WebhookAddress, _ lines: Lines) -> String? {
        var reason = ""
        for wait in [0, 0.5, 1, 2, 4] {
            if wait > 0, !lines.rest(seconds: wait) { return reason }
            switch HTTPPost(address).send(line + "\n") {
            case .accepted: return nil
            case .refused(let status): return "the receiver answered with status \(status)"
            case .failed(let words): reason = words
            }
        }
        return reason
    }
}
