import Foundation
import HTTPTypes
import Hummingbird

/// Who may ask: pages of this server and programs of this machine, and with a token whoever has it.
///
/// `Host` and `Origin` are checked against rebinding of names: a page of somebody else's that a browser shows can make
/// the browser ask here, but it cannot choose these two.
struct Gate: RouterMiddleware {
    typealias Context = ServeContext

    let hosts: HostNames
    let token: String?

    static let cookie = "vifi_prompt_token"
    /// Without a token, too: whether the server is up, and the page, which asks for the token.
    private static let open = Set(["/health"] + PageFiles.all.map(\.path))

    func handle(_ request: Request, context: ServeContext, next: (Request, ServeContext) async throws -> Response) async throws -> Response {
        guard let authority = request.head.authority, hosts.allow(authority) else {
            throw RequestFault(.forbidden, "This name is not one that the server answers to. Open it as it was printed at the start, or pass --allow-host.")
        }
        if let origin = request.headers[.origin], origin != "http://\(authority)", origin != "https://\(authority)" {
            throw RequestFault(.forbidden, "Pages of other places may not ask this server.")
        }
        if let name = Self.fetchSite, let site = request.headers[name], !["same-origin", "none"].contains(site), !(request.method == .get && request.uri.path == "/") {
            throw RequestFault(.forbidden, "Pages of other places may not ask this server.")
        }
        if let encoding = request.headers[.contentEncoding], encoding.lowercased() != "identity" {
            throw RequestFault(.unsupported, "Content-Encoding \(encoding.prefix(40)) is not taken: send the bytes as they are.")
        }
        if request.headers[.contentLength] != nil, request.headers[.transferEncoding] != nil {
            throw RequestFault(.badRequest, "Content-Length and Transfer-Encoding exclude each other.")
        }
        guard let token else { return try await next(request, context) }
        if request.method == .get, request.uri.path == "/", let given = request.uri.queryParameters["token"] {
            guard Self.isSame(String(given), token) else { throw Self.noToken }
            var response = Response(status: .seeOther, headers: [.location: "/", .cacheControl: "no-store"])
            response.headers[.setCookie] = "\(Self.cookie)=\(token); Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
            return response
        }
        if request.method == .get || request.method == .head, Self.open.contains(request.uri.path) { return try await next(request, context) }
        guard let given = request.headers[.authorization].flatMap(Self.token) ?? request.cookies[Self.cookie]?.value, Self.isSame(given, token) else { throw Self.noToken }
        return try await next(request, context)
    }

    /// What a client of its own sends, or, for programs that know names and passwords alone, the password.
    private static func token(in authorization: String) -> String? {
        if authorization.hasPrefix("Bearer ") { return String(authorization.dropFirst(7)) }
        guard authorization.hasPrefix("Basic "), let pair = Data(base64Encoded: String(authorization.dropFirst(6))),
            let text = String(validating: pair, as: UTF8.self), let colon = text.firstIndex(of: ":")
        else { return nil }
        return String(text[text.index(after: colon)...])
    }

    private static let noToken = RequestFault(.unauthorized, "The server wants its token. Open the address that it printed at the start.")

    private static let fetchSite: HTTPField.Name? = HTTPField.Name("Sec-Fetch-Site")

    /// In a time that does not depend on where they differ.
    static func isSame(_ given: String, _ token: String) -> Bool {
        let (given, token) = (Array(given.utf8), Array(token.utf8))
        var difference = given.count ^ token.count
        for (index, byte) in token.enumerated() { difference |= Int(byte ^ (index < given.count ? given[index] : 0)) }
        return difference == 0
    }
}

/// The names and addresses by which the server may be called.
struct HostNames: Sendable {
    private let names: Set<String>
    private let takesAddresses: Bool

    /// - Parameters:
    ///   - host: what it is bound to.
    ///   - others: that were allowed, without a port.
    ///   - takesAddresses: any address in numbers, which nobody can make a name of their own lead to.
    init(host: String, others: [String], takesAddresses: Bool) {
        self.takesAddresses = takesAddresses
        names = Set((["127.0.0.1", "localhost", "[::1]", host, host.contains(":") ? "[\(host)]" : host] + others).map { $0.lowercased() })
    }

    /// - Parameter authority: of a request: a name with or without a port, which may be another one behind a proxy.
    func allow(_ authority: String) -> Bool {
        let authority = authority.lowercased()
        let end = authority.hasPrefix("[") ? authority.firstIndex(of: "]").map(authority.index(after:)) : authority.firstIndex(of: ":")
        let name = String(authority[..<(end ?? authority.endIndex)])
        return names.contains(name) || takesAddresses && Self.isAddress(name)
    }

    private static func isAddress(_ name: String) -> Bool {
        let isLong = name.hasPrefix("[") && name.hasSuffix("]")
        var address = in6_addr()
        return unsafe inet_pton(isLong ? AF_INET6 : AF_INET, isLong ? String(name.dropFirst().dropLast()) : name, &address) == 1
    }
}
