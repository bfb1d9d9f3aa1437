import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Server-sent events (WHATWG HTML, section 9.2).
struct EventStream {
    /// Written in silence, so that a client that has gone is noticed.
    private static let keepAliveSeconds = 10.0
    /// Events that wait for a client that is slow; older ones are left out.
    private static let waitingLimit = 64

    /// - Parameters:
    ///   - place: held until the stream ends.
    ///   - events: name and JSON of each.
    static func response(holding place: Places.Place, _ events: AsyncStream<(name: String, json: String)>) -> Response {
        Response(
            status: .ok, headers: [.contentType: "text/event-stream; charset=utf-8", .cacheControl: "no-store"],
            body: ResponseBody { writer in
                defer { withExtendedLifetime(place) {} }
                let ticks = AsyncStream<(name: String, json: String)?>(bufferingPolicy: .bufferingNewest(waitingLimit)) { continuation in
                    let forward = Task {
                        for await event in events { continuation.yield(event) }
                        continuation.finish()
                    }
                    let pulse = Task {
                        while !Task.isCancelled {
                            try await Task.sleep(for: .seconds(keepAliveSeconds))
                            continuation.yield(nil)
                        }
                    }
                    continuation.onTermination = { _ in
                        forward.cancel()
                        pulse.cancel()
                    }
                }
                for await tick in ticks {
                    guard let tick else {
                        try await writer.write(ByteBuffer(string: ":\n\n"))
                        continue
                    }
                    // JSON of one line has no line breaks of its own.
                    try await writer.write(ByteBuffer(string: "event: \(tick.name)\ndata: \(tick.json.trimmingCharacters(in: .newlines))\n\n"))
                }
                try await writer.finish(nil)
            })
    }
}
