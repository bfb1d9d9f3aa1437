import Foundation
import HTTPTypes
import Hummingbird
import Logging

/// Turns what handlers throw into answers, counts all requests, and says what pages of this server may do.
struct Answers: RouterMiddleware {
    typealias Context = ServeContext

    let metrics: Metrics

    private static let page = [
        "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob: data:", "media-src 'self' blob:", "connect-src 'self'",
        "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'",
    ].joined(separator: "; ")

    private static let headers: [(HTTPField.Name?, String)] = [
        (HTTPField.Name("Content-Security-Policy"), page), (HTTPField.Name("X-Content-Type-Options"), "nosniff"),
        (HTTPField.Name("Referrer-Policy"), "no-referrer"), (HTTPField.Name("Cross-Origin-Resource-Policy"), "same-origin"),
        (HTTPField.Name("Cross-Origin-Opener-Policy"), "same-origin"), (HTTPField.Name("X-Frame-Options"), "DENY"),
    ]

    func handle(_ request: Request, context: ServeContext, next: (Request, ServeContext) async throws -> Response) async throws -> Response {
        let start = ContinuousClock.now
        metrics.began()
        var response: Response
        do {
            response = try await next(request, context)
        } catch let error as HTTPError where error.status == .notFound {
            response = RequestFault(.notFound, "There is nothing here.").response
        } catch is CancellationError {
            response = RequestFault(.busy, "The server is stopping.").response
        } catch {
            let fault = RequestFault(error)
            fault.log("\(request.method) \(request.uri.path)", context.logger)
            response = fault.response
        }
        if request.method == .head { response.body = ResponseBody() }
        for case (let name?, let value) in Self.headers { response.headers[name] = value }
        metrics.ended(
            method: request.method.rawValue, route: context.endpointPath ?? "none", status: response.status.code,
            seconds: (ContinuousClock.now - start) / .seconds(1))
        return response
    }
}
