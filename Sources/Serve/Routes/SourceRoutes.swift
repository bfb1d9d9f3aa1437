import Evaluation
import HTTPTypes
import Hummingbird

/// The live sources that were named at the start.
struct SourceRoutes: Sendable {
    let services: Services
    private let predictions: PredictRoutes

    init(services: Services) {
        self.services = services
        predictions = PredictRoutes(services: services)
    }

    func add(to router: Router<ServeContext>) {
        router.get("/v1/sources") { _, _ in Response.json(List(sources: services.sources.map { Source(name: $0.name, listeners: $0.listenerCount) })) }
        router.get("/v1/sources/{name}/events") { request, context in
            let name = try context.parameters.require("name")
            guard let channel = services.sources.first(where: { $0.name == name }) else {
                throw RequestFault(.notFound, "There is no source of this name. GET /v1/sources names those that there are.")
            }
            let query = try QueryReader(request, known: ["prompts", "classes", "top", "threshold", "none"])
            await services.desk.lookIntoFolders()
            let (target, style) = (try predictions.target(query), try predictions.style(query))
            let place = try services.streams.take()
            return EventStream.response(holding: place, channel.events(try await predictions.model(target), style))
        }
    }

    private struct List: Encodable {
        let sources: [Source]
    }

    private struct Source: Encodable {
        let name: String
        /// Clients that follow it.
        let listeners: Int
    }
}
