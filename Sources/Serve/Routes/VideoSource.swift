import Experiments
import Files
import Hummingbird

/// The video that a request is about: its body, or a stored clip.
struct VideoSource: Sendable {
    let path: String
    /// In answers and in what is said of faults.
    let name: String
    /// Holds the body's file.
    private let upload: Upload?

    private init(path: String, name: String, upload: Upload?) {
        (self.path, self.name, self.upload) = (path, name, upload)
    }

    init(_ upload: Upload, name: String) { self.init(path: upload.path, name: name, upload: upload) }

    static let parameters = ["data_set", "clip", "name"]

    static func of(_ request: Request, _ query: QueryReader, _ services: Services) async throws -> VideoSource {
        let (set, clip) = (try query.text("data_set"), try query.text("clip"))
        let name = try query.text("name").map { try DataSetStore.checked($0, what: "name of the video", limits: services.limits) }
        if let set, let clip {
            let found = try services.sets.clip(clip, of: set)
            return VideoSource(path: services.sets.path(of: found, in: set), name: name ?? found.name, upload: nil)
        }
        guard set == nil, clip == nil else { throw RequestFault(.badRequest, "A stored clip is named by data_set and clip together.") }
        let place = try services.uploads.take()
        defer { withExtendedLifetime(place) {} }
        let upload = try await Upload.receive(request, in: services.folder, limit: services.limits.videoBytes, metrics: services.metrics)
        return VideoSource(path: upload.path, name: name ?? "video", upload: upload)
    }

    /// Runs what looks at the video where it may keep its thread; faults name the video as its owner does.
    func looking<Result: Sendable>(
        _ services: Services, onLongWork isLong: Bool = false, _ body: @escaping @Sendable (String) throws -> Result
    ) async throws -> Result {
        let path = path
        do {
            return try await (isLong ? services.longWork : services.work).run { try body(path) }
        } catch let error as any ReportableError {
            throw RequestFault(error, path: path, name: name)
        }
    }
}
