import Experiments
import Files
import Hummingbird

/// The video that a request is about: its body, the video of its form, or a stored clip.
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

    /// What a request asks, and the video that it asks about.
    ///
    /// - Parameters:
    ///   - known: parameters besides `parameters`.
    ///   - read: what the parameters ask. Where these are in the address, it is called before the video is received, so that
    ///     what is asked wrongly is refused at once.
    static func of<Wish>(_ request: Request, known: [String], _ services: Services, read: (QueryReader) throws -> Wish) async throws -> (wish: Wish, source: VideoSource) {
        let query = try QueryReader(request, known: known + parameters)
        guard let boundary = try request.formBoundary else {
            await look(query, services)
            let (wish, name) = (try read(query), try name(query, services))
            if let stored = try stored(query, services) { return (wish, stored) }
            let place = try services.uploads.take()
            defer { withExtendedLifetime(place) {} }
            let upload = try await Upload.receive(request, in: services.folder, limit: services.limits.videoBytes, metrics: services.metrics)
            return (wish, VideoSource(upload, name: name ?? "video"))
        }
        let place = try services.uploads.take()
        defer { withExtendedLifetime(place) {} }
        let form = try await FormBody.receive(request, boundary: boundary, query: query, services)
        await look(form.query, services)
        let wish = try read(form.query)
        if let stored = try stored(form.query, services) {
            guard form.upload == nil else { throw RequestFault(.badRequest, "The form has a video and names a stored clip; a request is about one video.") }
            return (wish, stored)
        }
        return (wish, VideoSource(try form.video(), name: try name(form.query, services) ?? checked(form.fileName, services) ?? "video"))
    }

    /// Who names prompts may mean some that have come or changed since.
    private static func look(_ query: QueryReader, _ services: Services) async {
        if query.all("prompts").contains(where: { $0 != "none" }) { await services.desk.lookIntoFolders() }
    }

    /// The clip that the parameters name; nil where they name none.
    private static func stored(_ query: QueryReader, _ services: Services) throws -> VideoSource? {
        let (set, clip) = (try query.text("data_set"), try query.text("clip"))
        if let set, let clip {
            let found = try services.sets.clip(clip, of: set)
            return VideoSource(path: services.sets.path(of: found, in: set), name: try name(query, services) ?? found.name, upload: nil)
        }
        guard set == nil, clip == nil else { throw RequestFault(.badRequest, "A stored clip is named by data_set and clip together.") }
        return nil
    }

    private static func name(_ query: QueryReader, _ services: Services) throws -> String? { try checked(query.text("name"), services) }

    private static func checked(_ name: String?, _ services: Services) throws -> String? {
        try name.map { try DataSetStore.checked($0, what: "name of the video", limits: services.limits) }
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
