import Charts
import Files
import Foundation
import HTTPTypes
import Hummingbird
import NIOCore

/// Data sets and their clips.
struct DataSetRoutes: Sendable {
    let services: Services
    private var sets: DataSetStore { services.sets }

    func add(to router: Router<ServeContext>) {
        router.get("/v1/datasets") { _, _ in Response.json(List(dataSets: sets.all.map(\.summary), bytes: sets.bytes, quotaBytes: services.limits.quotaBytes)) }
        router.post("/v1/datasets") { request, _ in
            let wish = try await request.document(Wish.self, limit: services.limits.jsonBytes)
            return Response.json(try sets.create(name: wish.name).details, status: .created)
        }
        router.get("/v1/datasets/{id}") { _, context in Response.json(try sets.set(context.parameters.require("id")).details) }
        router.patch("/v1/datasets/{id}") { request, context in
            let change = try await request.document(Change.self, limit: services.limits.jsonBytes)
            let id = try context.parameters.require("id")
            return Response.json(
                try sets.change(
                    id, name: change.name, classes: change.classes, added: change.added ?? [], removed: change.removed ?? [], renamed: change.renamed ?? [:]
                ).details)
        }
        router.delete("/v1/datasets/{id}") { _, context in
            let id = try unusedSet(context)
            try sets.delete(id)
            return Response.noContent
        }
        router.post("/v1/datasets/{id}/clips") { request, context in try await add(request, to: context.parameters.require("id")) }
        router.patch("/v1/datasets/{id}/clips/{clip}") { request, context in
            let change = try await request.document(ClipChange.self, limit: services.limits.jsonBytes)
            return Response.json(try sets.change(context.parameters.require("clip"), of: context.parameters.require("id"), class: change.class).summary)
        }
        router.delete("/v1/datasets/{id}/clips/{clip}") { _, context in
            let id = try unusedSet(context)
            try sets.delete(context.parameters.require("clip"), of: id)
            return Response.noContent
        }
        router.get("/v1/datasets/{id}/clips/{clip}/video") { request, context in
            let (clip, id) = try clip(context)
            return try FileAnswer.response(to: request, path: sets.path(of: clip, in: id), type: FileAnswer.type(ofVideo: clip.file), name: clip.name)
        }
        router.get("/v1/datasets/{id}/clips/{clip}/picture") { request, context in
            let (clip, id) = try clip(context)
            return try FileAnswer.response(to: request, path: sets.picture(of: clip.id, in: id), type: "image/png", name: clip.id + ".png")
        }
    }

    /// The id of a data set from which something may be taken away.
    private func unusedSet(_ context: ServeContext) throws -> String {
        let id = try context.parameters.require("id")
        guard !services.runs.isUsing(id) else { throw RequestFault(.conflict, "A run learns from this data set. Stop it first.") }
        return id
    }

    /// A clip that the address names, and the id of its data set.
    private func clip(_ context: ServeContext) throws -> (clip: DataSet.Clip, set: String) {
        let id = try context.parameters.require("id")
        return (try sets.clip(context.parameters.require("clip"), of: id), id)
    }

    private struct List: Encodable {
        let dataSets: [DataSet.Summary]
        let bytes: Int
        let quotaBytes: Int
    }

    private struct Wish: Decodable {
        let name: String
    }

    private struct Change: Decodable {
        let name: String?
        let classes: [String]?
        let added: [String]?
        let removed: [String]?
        let renamed: [String: String]?
    }

    private struct ClipChange: Decodable {
        let `class`: String?
    }

    private func add(_ request: Request, to id: String) async throws -> Response {
        var query = try QueryReader(request, known: ["name", "class"])
        _ = try (sets.set(id), query.text("name"), query.text("class"))
        let (limit, boundary) = (services.limits.videoBytes, try request.formBoundary)
        try Upload.checkLength(of: request, limit: limit, beside: boundary == nil ? 0 : services.limits.formBytes)
        let held = (try services.uploads.take(), try sets.reserve(min(limit, request.headers[.contentLength].flatMap { Int($0) } ?? limit)))
        defer { withExtendedLifetime(held) {} }
        let (upload, fileName): (Upload, String?)
        if let boundary {
            let form = try await FormBody.receive(request, boundary: boundary, query: query, services)
            (query, upload, fileName) = (form.query, try form.video(), form.fileName)
        } else {
            (upload, fileName) = (try await Upload.receive(request, in: services.folder, limit: limit, metrics: services.metrics), nil)
        }
        let (name, label) = (try query.text("name") ?? fileName ?? "video", try query.text("class"))
        let clip = try await services.work.run { [sets, videos = services.videos] in
            try sets.add(upload, to: id, name: name, class: label) { path in
                do {
                    let glance = try videos.glance(at: path, shortSide: Self.pictureSide)
                    let picture = Picture(width: glance.picture.width, height: glance.picture.height, pixels: glance.picture.pixels)
                    return (glance.seconds, glance.width, glance.height, try picture.png())
                } catch let error as any ReportableError {
                    throw RequestFault(error, path: path, name: name)
                }
            }
        }
        return Response.json(clip.summary, status: .created)
    }

    /// Pixels of the shorter side of a clip's picture.
    private static let pictureSide = 180
}
