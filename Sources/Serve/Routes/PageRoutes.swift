import CPage
import HTTPTypes
import Hummingbird

/// The page, and what there is to say of the server.
struct PageRoutes: Sendable {
    let services: Services

    func add(to router: Router<ServeContext>) {
        for file in PageFiles.all {
            router.get("\(file.path)") { _, _ in
                var response = Response.bytes(file.bytes, type: file.type)
                response.headers[.cacheControl] = "no-cache"
                return response
            }
        }
        router.get("/health") { _, _ in Response.json(Health(status: "UP", version: services.version)) }
        router.get("/metrics") { _, _ in Response.bytes(Array(services.metrics.text(gauges).utf8), type: "text/plain; version=0.0.4; charset=utf-8") }
        router.get("/v1/server") { _, _ in Response.json(description) }
    }

    /// The status in the word that Label Studio's own backends say.
    private struct Health: Encodable {
        let status: String
        let version: String
    }

    private struct Description: Encodable {
        struct Backbone: Encodable {
            let name: String
            let sha256: String
            let summary: String
            let pixels: Int
        }
        struct Limits: Encodable {
            let videoBytes: Int
            let quotaBytes: Int
            let classes: Int
        }
        let version: String
        let backbone: Backbone
        let frames: Int
        let limits: Limits
    }

    private var description: Description {
        let backbone = services.desk.backbone
        return Description(
            version: services.version,
            backbone: .init(
                name: backbone.description.name, sha256: backbone.digest, summary: backbone.architecture.summary, pixels: backbone.architecture.imagePixels),
            frames: services.desk.frameCount,
            limits: .init(videoBytes: services.limits.videoBytes, quotaBytes: services.limits.quotaBytes, classes: services.limits.classCount))
    }

    private var gauges: [(name: String, help: String, value: Int)] {
        [
            ("waiting_videos", "Videos that wait for a decoder.", services.work.waitingCount),
            ("decoding_videos", "Videos that are being decoded.", services.work.runningCount),
            ("waiting_passes", "Videos that wait for the model.", services.scoring.waitingCount),
            ("waiting_runs", "Runs that wait for another to end.", services.runs.waitingCount),
            ("learning_runs", "Runs that learn.", services.runs.isLearning ? 1 : 0),
            ("uploads", "Videos that are being received.", services.uploads.takenCount),
            ("event_streams", "Clients that follow events.", services.streams.takenCount),
            ("data_set_bytes", "Bytes of all data sets.", services.sets.bytes),
        ]
    }
}

/// The files that the compiler has put into the program.
enum PageFiles {
    struct File: Sendable {
        let name: String
        let bytes: [UInt8]

        /// Of its address.
        var path: String { name == "index.html" ? "/" : "/\(name)" }

        var type: String {
            switch name.split(separator: ".").last {
            case "html": "text/html; charset=utf-8"
            case "css": "text/css; charset=utf-8"
            case "js": "text/javascript; charset=utf-8"
            case "svg": "image/svg+xml"
            case "json": "application/json; charset=utf-8"
            default: "application/octet-stream"
            }
        }
    }

    static let all: [File] = unsafe UnsafeBufferPointer(start: vifi_page_files(), count: vifi_page_file_count()).map { file in
        unsafe File(name: String(cString: file.name), bytes: Array(UnsafeBufferPointer(start: file.bytes, count: file.count)))
    }
}
