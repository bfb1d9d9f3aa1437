import Files
import Glibc

/// A source that is read while it comes in, as a command line names it: `-`, a camera's device or a stream's URL.
package struct LiveAddress: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        case standardInput
        /// A device of Video4Linux.
        case camera
        case rtsp
        /// One container over HTTP.
        case http
        /// A playlist over HTTP, and segments from where it comes from.
        case hls
    }

    package let kind: Kind
    /// As it was named, with the scheme in lower case, which FFmpeg asks for; may hold a password.
    package let text: String

    /// Nil for the name of a file or folder.
    ///
    /// - Throws: `LiveError` for cameras that are not there, URLs of other kinds, and such as no URL may be.
    package init?(_ text: String) throws(LiveError) {
        if text == "-" {
            kind = .standardInput
            self.text = text
            return
        }
        if Self.isCamera(text) {
            kind = .camera
            self.text = text
            return
        }
        if text.hasPrefix("/dev/video"), text.dropFirst(10).allSatisfy({ $0.isASCII && $0.isNumber }), text.count > 10, !fileExists(text) {
            throw LiveError(source: text, problem: .noCamera)
        }
        guard let end = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<end.lowerBound].lowercased()
        guard let first = scheme.first, first.isASCII, first.isLetter,
            scheme.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || "+.-".contains($0)) }), !fileExists(text)
        else { return nil }
        switch scheme {
        case "rtsp": kind = .rtsp
        case "http", "https": kind = Self.path(of: text).lowercased().hasSuffix(".m3u8") ? .hls : .http
        default: throw LiveError(source: Self.hidden(text), problem: .unknownScheme(scheme))
        }
        self.text = scheme + text[end.lowerBound...]
        // A line break would begin another line of the request.
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }), URLOrigin(text) != nil else {
            throw LiveError(source: Self.hidden(text), problem: .badAddress)
        }
    }

    /// The number that Linux gives devices of Video4Linux.
    private static let cameraMajor: UInt64 = 81

    private static func isCamera(_ path: String) -> Bool {
        var status = stat()
        guard unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFCHR else { return false }
        // C's `major` is a macro.
        let device = UInt64(status.st_rdev)
        return device >> 8 & 0xfff | device >> 32 & ~0xfff == cameraMajor
    }

    /// What is shown to people and in answers: without the password.
    package var shown: String {
        switch kind {
        case .standardInput, .camera: text
        case .rtsp: Self.hidden(text)
        case .http, .hls: Self.shown(text)
        }
    }

    private static func path(of text: String) -> String {
        guard let end = URLOrigin.authority(of: text)?.upperBound else { return text }
        return String(text[end...].prefix { !"?#".contains($0) })
    }

    private static func shown(_ text: String) -> String {
        guard let authority = URLOrigin.authority(of: text), let at = text[authority].lastIndex(of: "@"),
            let colon = text[authority.lowerBound..<at].firstIndex(of: ":")
        else { return text }
        return text[...colon] + "***" + text[at...]
    }

    /// Leaves out all that can be a password where its signs were not written as %23 and the like: up to the last @.
    private static func hidden(_ text: String) -> String {
        guard let start = text.firstRange(of: "://")?.upperBound, let at = text[start...].lastIndex(of: "@"),
            let colon = text[start..<at].firstIndex(of: ":")
        else { return text }
        return text[...colon] + "***" + text[at...]
    }

    /// Protocols that FFmpeg may use for the source, and for nothing else.
    var protocols: [String] {
        switch kind {
        case .standardInput, .camera: []
        case .rtsp: ["rtsp", "rtp", "udp", "tcp"]
        case .http, .hls:
            // A server may send from HTTP to HTTPS, never the other way. An HTTP proxy of the environment is reached by a protocol of its own.
            (text.lowercased().hasPrefix("https") ? ["https"] : ["http", "https"]) + ["tls", "tcp", "httpproxy"] + (kind == .hls ? ["crypto"] : [])
        }
    }

    /// Containers that may come from it.
    var containers: [String] {
        switch kind {
        case .standardInput, .http: Demuxer.acceptedContainers + ["mpjpeg"]
        case .camera: ["v4l2"]
        case .rtsp: ["rtsp"]
        // What segments are made of, and the sound beside them.
        case .hls: ["hls", "mpegts", "mov", "mp4", "aac", "ac3", "mp3", "webvtt"]
        }
    }

    /// Whoever sends waits for whoever reads, however long that takes.
    var waitsAlways: Bool { kind == .standardInput }

    /// May be opened again where it breaks off.
    package var canReconnect: Bool { kind != .standardInput }
}
