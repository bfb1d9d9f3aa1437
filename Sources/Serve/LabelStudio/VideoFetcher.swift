import Files
import Foundation
import Hummingbird
import NIOCore
import NIOHTTP1
import NIOPosix

/// The one place from which this server fetches videos, and how: by HTTP/1.1, from this origin alone.
struct VideoFetcher: Sendable {
    private let host: String
    private let port: Int
    /// Of requests: with the port where it is not the usual one.
    private let authority: String
    /// Of Label Studio's API, which it wants for what was uploaded there; nil for none. Sent to this origin alone.
    private let key: String?

    /// - Parameters:
    ///   - origin: such as `http://127.0.0.1:8080`.
    ///   - key: of Label Studio's API.
    /// - Throws: `ServeError` for anything else.
    init(origin: String, key: String?) throws(ServeError) {
        let parts = URLComponents(string: origin)
        guard let parts, let host = parts.host, !host.isEmpty, parts.path.isEmpty || parts.path == "/", parts.query == nil, parts.fragment == nil,
            parts.user == nil, parts.password == nil, (1...65_535).contains(parts.port ?? 80)
        else { throw ServeError.badOrigin(origin) }
        guard parts.scheme?.lowercased() == "http" else { throw ServeError.encryptedOrigin(origin) }
        guard key?.utf8.allSatisfy({ (33...126).contains($0) }) ?? true else { throw ServeError.badKey }
        // Addresses of version 6 stand in brackets.
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? 80
        authority = parts.port.map { "\(host):\($0)" } ?? host
        self.key = key
    }

    /// The path and query of an address within the origin. Label Studio names what was uploaded there by a path alone.
    ///
    /// - Throws: `RequestFault` for addresses elsewhere.
    func target(_ address: String) throws(RequestFault) -> String {
        if address.hasPrefix("/"), !address.hasPrefix("//") { return try Self.checked(address) }
        guard let parts = URLComponents(string: address), parts.scheme?.lowercased() == "http", let host = parts.host, parts.user == nil, parts.password == nil,
            (host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host).lowercased() == self.host.lowercased(), parts.port ?? 80 == port
        else { throw RequestFault(.forbidden, "The video lies elsewhere than at http://\(authority), the origin of --allow-fetch: \(address.prefix(200).description.escapedForDisplay)") }
        let path = parts.percentEncodedPath.isEmpty ? "/" : parts.percentEncodedPath
        return try Self.checked(path + (parts.percentEncodedQuery.map { "?\($0)" } ?? ""))
    }

    /// What may stand in the first line of a request; other characters are written by their codes.
    private static func checked(_ target: String) throws(RequestFault) -> String {
        guard target.utf8.count <= 8192 else { throw RequestFault(.badRequest, "The address of a video is longer than 8192 bytes.") }
        return percentEncoded(target.utf8, keeping: { (33...126).contains($0) })
    }

    private static let redirectLimit = 3
    private static let connectSeconds: Int64 = 10

    /// Fetches a video into a file that goes away with the returned value. Redirects are followed within the origin.
    ///
    /// - Parameter address: of the video, or its path within the origin.
    /// - Throws: `RequestFault`: elsewhere, not there, too large, or no answer.
    func fetch(_ address: String, in folder: String, limit: Int, metrics: Metrics) async throws -> Upload {
        var target = try target(address)
        let authorization = try await authorization()
        for _ in 0...Self.redirectLimit {
            switch try await answer(to: target, authorization, in: folder, limit: limit, metrics: metrics) {
            case .video(let upload): return upload
            case .elsewhere(let next): target = try self.target(next)
            }
        }
        throw RequestFault(.unprocessable, "The video's address leads on more than \(Self.redirectLimit) times.")
    }

    private enum Answer: Sendable {
        case video(Upload)
        case elsewhere(String)
    }

    private func answer(to target: String, _ authorization: String?, in folder: String, limit: Int, metrics: Metrics) async throws -> Answer {
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target)
        if let authorization { head.headers.add(name: "Authorization", value: authorization) }
        return try await exchange(head) { response, parts in
            try await take(response, &parts, in: folder, limit: limit, metrics: metrics)
        }
    }

    /// What a request for a video says of who asks.
    ///
    /// Label Studio has two kinds of keys (https://labelstud.io/guide/access_tokens): legacy tokens stand in requests as they are; a personal
    /// access token is exchanged for one that is good for some minutes. It alone is a JSON Web Token, three words with points between them.
    private func authorization() async throws -> String? {
        guard let key else { return nil }
        guard key.hasPrefix("eyJ"), key.split(separator: ".", omittingEmptySubsequences: false).count == 3 else { return "Token \(key)" }
        let body = try JSONEncoder().encode(["refresh": key])
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/api/token/refresh")
        head.headers.add(name: "Content-Type", value: "application/json")
        head.headers.add(name: "Content-Length", value: "\(body.count)")
        return try await exchange(head, ByteBuffer(bytes: body)) { response, parts in
            guard response.status.code == 200 else {
                throw RequestFault(
                    .unprocessable,
                    "http://\(authority) answers LABEL_STUDIO_API_KEY, a personal access token, with \(response.status.code). Copy it anew from Label Studio's account page.")
            }
            var text = Data()
            while let part = try await parts.next() {
                if case .body(let buffer) = part { text += Data(buffer.readableBytesView) }
                guard text.count <= Self.tokenLimit else { throw Self.noToken }
            }
            guard let access = (try? JSONDecoder().decode([String: String].self, from: text))?["access"], access.utf8.allSatisfy({ (33...126).contains($0) })
            else { throw Self.noToken }
            return "Bearer \(access)"
        }
    }

    private static let tokenLimit = 16_384
    private static let noToken = RequestFault(.unprocessable, "Label Studio gave no access token for LABEL_STUDIO_API_KEY.")

    private typealias ResponseParts = NIOAsyncChannelInboundStream<HTTPClientResponsePart>.AsyncIterator

    /// Asks the origin on a connection of its own, and hands over the answer.
    private func exchange<Result: Sendable>(
        _ head: HTTPRequestHead, _ body: ByteBuffer? = nil, take: @Sendable (HTTPResponseHead, inout ResponseParts) async throws -> Result
    ) async throws -> Result {
        let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
        do {
            channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton).connectTimeout(.seconds(Self.connectSeconds))
                .connect(host: host, port: port) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw RequestFault(.unprocessable, "http://\(authority) does not answer, so the video cannot be fetched from there.")
        }
        do {
            return try await channel.executeThenClose { inbound, outbound in
                var head = head
                for (name, value) in [("Host", authority), ("Connection", "close"), ("Accept", "*/*"), ("User-Agent", "vifi-prompt")] {
                    head.headers.add(name: name, value: value)
                }
                try await outbound.write(.head(head))
                if let body { try await outbound.write(.body(.byteBuffer(body))) }
                try await outbound.write(.end(nil))
                var parts = inbound.makeAsyncIterator()
                var response: HTTPResponseHead?
                while response == nil {
                    guard case .head(let found)? = try await parts.next() else { throw Self.cutOff }
                    // Words on the way, such as 103, come before the answer.
                    if found.status.code >= 200 { response = found }
                }
                guard let response else { throw Self.cutOff }
                return try await take(response, &parts)
            }
        } catch let fault as RequestFault {
            throw fault
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Self.cutOff
        }
    }

    private static let cutOff = RequestFault(.unprocessable, "The video's address gave no whole answer.")

    private func take(
        _ response: HTTPResponseHead, _ parts: inout ResponseParts, in folder: String, limit: Int, metrics: Metrics
    ) async throws -> Answer {
        if [301, 302, 303, 307, 308].contains(response.status.code), let next = response.headers.first(name: "Location") { return .elsewhere(next) }
        guard response.status.code == 200 else {
            let hint = [401, 403].contains(response.status.code) ? " Set LABEL_STUDIO_API_KEY to a key of Label Studio's API." : ""
            throw RequestFault(.unprocessable, "The video's address answers with \(response.status.code).\(hint)")
        }
        if let length = response.headers.first(name: "Content-Length").flatMap({ Int($0) }), length > limit { throw Upload.tooLarge(limit) }
        let receiver = try Upload.Receiver(in: folder, limit: limit, metrics: metrics)
        while let part = try await parts.next() {
            switch part {
            case .head: throw Self.cutOff
            case .body(let buffer): try receiver.take(buffer)
            case .end:
                guard receiver.count > 0 else { throw RequestFault(.unprocessable, "The file at the video's address is empty.") }
                return .video(try receiver.finish())
            }
        }
        throw Self.cutOff
    }
}
