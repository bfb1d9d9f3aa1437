/// Who serves a URL: scheme, host and port. Schemes and hosts are in lower case.
package struct URLOrigin: Sendable, Equatable {
    package let scheme: String
    /// With the brackets of an IPv6 address.
    package let host: String
    package let port: Int

    /// Ports of schemes where a URL names none; 80 of all others.
    private static let ports = ["rtsp": 554, "https": 443, "mqtt": 1883, "mqtts": 8883]

    /// Nil for what names no host, or an odd port. Names and passwords before the host are passed over.
    package init?(_ text: String) {
        guard let end = text.firstRange(of: "://"), let authority = Self.authority(of: text) else { return nil }
        scheme = text[..<end.lowerBound].lowercased()
        var rest = text[authority]
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        // The colons of an IPv6 address stand in brackets.
        let hostEnd = rest.first == "[" ? rest.firstIndex(of: "]").map(rest.index(after:)) : rest.firstIndex(of: ":")
        let name = rest[..<(hostEnd ?? rest.endIndex)]
        let tail = hostEnd.map { rest[$0...] } ?? ""
        guard !name.isEmpty, name.first != "[" || name.last == "]" && name.count > 2 else { return nil }
        host = name.lowercased()
        if tail.isEmpty {
            port = Self.ports[scheme] ?? 80
        } else {
            guard tail.first == ":", let number = Int(tail.dropFirst()), (1...65_535).contains(number) else { return nil }
            port = number
        }
    }

    /// As it stands in a URL.
    package var text: String { "\(scheme)://\(host):\(port)" }

    /// The host as names are looked up.
    package var plainHost: String { host.first == "[" ? String(host.dropFirst().dropLast()) : host }

    /// Where a URL names its host: from behind `://` to the path, the query or the fragment.
    package static func authority(of text: String) -> Range<String.Index>? {
        guard let start = text.firstRange(of: "://")?.upperBound else { return nil }
        return start..<(text[start...].firstIndex { "/?#".contains($0) } ?? text.endIndex)
    }
}
