import Files
import Foundation
import Synchronization

/// What the server has done, as Prometheus reads it.
final class Metrics: Sendable {
    private struct Key: Hashable {
        let method: String
        let route: String
        let status: Int
    }

    private struct State {
        var requests: [Key: (count: Int, seconds: Double)] = [:]
        var open = 0
        var uploadedBytes = 0
        var videos = 0
        var passes = 0
        var passVideos = 0
    }

    private let state = Mutex(State())

    func began() { state.withLock { $0.open += 1 } }

    func ended(method: String, route: String, status: Int, seconds: Double) {
        state.withLock { state in
            state.open -= 1
            let key = Key(method: method, route: route, status: status)
            let before = state.requests[key] ?? (0, 0)
            state.requests[key] = (before.count + 1, before.seconds + seconds)
        }
    }

    func uploaded(_ byteCount: Int) { state.withLock { $0.uploadedBytes += byteCount } }

    /// One pass through the model for several videos.
    func passed(videos: Int) {
        state.withLock { state in
            state.passes += 1
            state.passVideos += videos
        }
    }

    /// - Parameter gauges: what is so at the moment, by name and meaning.
    func text(_ gauges: [(name: String, help: String, value: Int)]) -> String {
        let now = state.withLock { $0 }
        var lines: [String] = []
        func metric(_ name: String, _ kind: String, _ help: String, _ values: [(labels: String, value: String)]) {
            lines += ["# HELP vifi_prompt_\(name) \(help)", "# TYPE vifi_prompt_\(name) \(kind)"]
            lines += values.map { "vifi_prompt_\(name)\($0.labels) \($0.value)" }
        }
        let rows = now.requests.sorted { ($0.key.route, $0.key.method, $0.key.status) < ($1.key.route, $1.key.method, $1.key.status) }
        func labels(_ key: Key) -> String { "{method=\"\(Self.escaped(key.method))\",route=\"\(Self.escaped(key.route))\",status=\"\(key.status)\"}" }
        metric("requests_total", "counter", "Requests that were answered.", rows.map { (labels($0.key), "\($0.value.count)") })
        metric("request_seconds_total", "counter", "Time until these were answered.", rows.map { (labels($0.key), "\($0.value.seconds)") })
        metric("uploaded_bytes_total", "counter", "Bytes of videos that were received.", [("", "\(now.uploadedBytes)")])
        metric("passes_total", "counter", "Passes through the model for whole videos.", [("", "\(now.passes)")])
        metric("passed_videos_total", "counter", "Videos in these passes.", [("", "\(now.passVideos)")])
        // The request for these figures is one of them.
        metric("open_requests", "gauge", "Requests that are being answered.", [("", "\(max(0, now.open - 1))")])
        for gauge in gauges { metric(gauge.name, "gauge", gauge.help, [("", "\(gauge.value)")]) }
        metric("resident_bytes", "gauge", "Memory of the process.", [("", "\(Self.residentBytes)")])
        metric("open_files", "gauge", "Descriptors of the process.", [("", "\(Self.openFiles)")])
        return lines.joined(separator: "\n") + "\n"
    }

    private static func escaped(_ text: String) -> String { text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: " ") }

    private static var residentBytes: Int {
        let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
        return (pages ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    private static var openFiles: Int { (try? directoryEntries("/proc/self/fd").count) ?? 0 }
}
