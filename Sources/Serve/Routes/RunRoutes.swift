import Files
import Foundation
import HTTPTypes
import Hummingbird

/// Runs, and what can answer.
struct RunRoutes: Sendable {
    let services: Services
    private var runs: RunDesk { services.runs }

    func add(to router: Router<ServeContext>) {
        router.get("/v1/runs") { _, _ in Response.json(RunList(runs: runs.all)) }
        router.post("/v1/runs") { request, _ in
            Response.json(try runs.start(await request.document(RunWish.self, limit: services.limits.jsonBytes)), status: .accepted)
        }
        router.get("/v1/runs/{id}") { _, context in Response.json(try runs.details(context.parameters.require("id"))) }
        router.delete("/v1/runs/{id}") { _, context in Response.json(try runs.cancel(context.parameters.require("id")), status: .accepted) }
        router.get("/v1/runs/{id}/events") { _, context in
            let id = try context.parameters.require("id")
            return EventStream.response(holding: try services.streams.take(), try events(of: id))
        }

        router.get("/v1/prompts") { _, _ in
            await services.desk.lookIntoFolders()
            return Response.json(PromptList(prompts: services.desk.answerers.map(\.summary), faults: services.desk.faults))
        }
        router.get("/v1/prompts/{id}/file") { request, context in
            await services.desk.lookIntoFolders()
            let answerer = try services.desk.answerer(context.parameters.require("id"))
            return try FileAnswer.response(
                to: request, path: answerer.path, type: "application/octet-stream", name: "\(answerer.name).\(answerer.path.pathEnding ?? "safetensors")", isAttachment: true,
                version: answerer.version)
        }
        router.delete("/v1/prompts/{id}") { _, context in
            let answerer = try services.desk.answerer(context.parameters.require("id"))
            guard answerer.origin == .learned else {
                throw RequestFault(
                    .forbidden, "These prompts \(answerer.origin == .folder ? "are a file of a folder that the server watches" : "were given at the server's start"), and are not its own to delete.")
            }
            try runs.dismiss(answerer.run)
            services.desk.remove(answerer.id)
            return Response.noContent
        }

        router.get("/v1/classes") { _, _ in Response.json(ClassSetList(classSets: services.desk.classSets)) }
        router.post("/v1/classes") { request, _ in
            let wish = try await request.document(ClassWish.self, limit: services.limits.jsonBytes)
            let names = try DataSetStore.checked(classes: wish.names, limits: services.limits)
            guard !names.isEmpty else { throw RequestFault(.badRequest, "names is empty.") }
            return Response.json(services.desk.keep(names), status: .created)
        }
    }

    private struct RunList: Encodable {
        let runs: [ServedRun.Details]
    }

    private struct PromptList: Encodable {
        let prompts: [Answerer.Summary]
        let faults: [PromptFolder.Fault]?
    }

    private struct ClassSetList: Encodable {
        let classSets: [ModelDesk.ClassSet]
    }

    private struct ClassWish: Decodable {
        let names: [String]
    }

    /// Between two events of one run.
    private static let leastInterval = Duration.milliseconds(250)

    private func events(of id: String) throws -> AsyncStream<(name: String, json: String)> {
        let changes = try runs.changes(of: id)
        return AsyncStream { continuation in
            func tell() { if let run = try? runs.details(id) { continuation.yield(("run", JSONText.of(run))) } }
            let task = Task {
                tell()
                for await _ in changes {
                    tell()
                    try await Task.sleep(for: Self.leastInterval)
                }
                tell()
                continuation.finish()
            }
            continuation.onTermination = { _ in task.cancel() }
        }
    }
}
