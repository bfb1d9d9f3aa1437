import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Hummingbird
import HummingbirdCore
import Logging
import NIOCore
import Recipes
import ServiceLifecycle
import Tensors
import Training
import VideoData

/// What a server is started with.
package struct ServerSettings: Sendable {
    package var host = "127.0.0.1"
    /// 0 for any that is free.
    package var port = 8080
    package var token: String?
    /// Further names that it may be called by.
    package var hosts: [String] = []
    /// Where data sets and runs are kept.
    package var folder: String
    /// Files, folders of runs or adapters, and folders whose files answer while they are there.
    package var prompts: [String] = []
    package var model: ModelInputs
    package var frames: Int?
    package var limits = ServerLimits()
    /// From which videos of Label Studio's tasks are fetched; nil for nowhere.
    package var fetchOrigin: String?
    /// Live sources by name.
    package var sources: [(name: String, address: LiveAddress)] = []
    /// Of Label Studio's API, sent along to that origin.
    package var fetchKey: String?

    package init(folder: String, model: ModelInputs) {
        self.folder = folder
        self.model = model
    }
}

/// The server of `vifi-prompt serve`.
package struct PromptServer: Sendable {
    private let settings: ServerSettings
    private let services: Services
    private let fetcher: VideoFetcher?
    private let logger: Logger

    package static let folderKind = FolderKind(name: "serve", entries: ["data-sets", "runs", "uploads"])

    /// Reads the backbone, the prompts, and what earlier servers have left in the folder.
    ///
    /// - Parameters:
    ///   - backbone: its path.
    ///   - context: told what is odd about them.
    /// - Throws: what reading throws; `ServeError` for settings that are not safe.
    package init(_ settings: ServerSettings, backbone: String, logger: Logger, context: RunContext) throws {
        fetcher = try settings.fetchOrigin.map { origin throws(ServeError) in try VideoFetcher(origin: origin, key: settings.fetchKey) }
        try FolderMark.claim(settings.folder, Self.folderKind)
        try proveWritable(folder: settings.folder)
        let uploads = settings.folder.appendingPath("uploads")
        try createDirectory(uploads)
        var recipe = Recipe()
        recipe.data.frames = settings.frames
        recipe.model.checkpoint = backbone
        recipe.model.precision = settings.model.precision
        let pool = settings.model.pool(context)
        let base = try LoadedModel(
            prompts: nil, backbone: backbone, vocabulary: settings.model.vocabulary, activation: settings.model.activation, precision: settings.model.precision,
            context: context)
        let folders = settings.prompts.filter(PromptFolder.isOne)
        let desk = ModelDesk(base: base, settings: recipe, folders: folders, pool: pool, context: context, logger: logger)
        for (index, path) in settings.prompts.enumerated() where !folders.contains(path) {
            try desk.add(id: "g\(index + 1)", name: Self.name(of: path), path: path, origin: .given)
        }
        let metrics = Metrics()
        let limits = settings.limits
        let sets = try DataSetStore(folder: settings.folder.appendingPath("data-sets"), limits: limits)
        var model = settings.model
        model.backbone = backbone
        let learning = RunLearning(sets: sets, desk: desk, limits: limits, folder: settings.folder, backbone: backbone, model: model)
        let width = max(1, min(8, WorkerPool.availableProcessors))
        self.settings = settings
        self.logger = logger
        services = Services(
            desk: desk, sets: sets, runs: try RunDesk(folder: settings.folder.appendingPath("runs"), learning: learning, logger: logger),
            sources: settings.sources.map { LiveChannel(name: $0.name, address: $0.address, desk: desk, logger: logger) }, scoring: ScoringQueue(limit: 4 * limits.queue, metrics: metrics),
            videos: IsolatedVideos(shortSide: desk.shortSide, pictures: recipe.pictures), work: BlockingWork(width: width, queue: limits.queue),
            longWork: BlockingWork(width: max(1, width / 2), queue: limits.queue),
            uploads: Places(limits.uploads, refusal: "Too many videos are being received. Try again in some seconds."),
            streams: Places(limits.eventStreams, refusal: "Too many clients follow events. Try again later."), metrics: metrics, limits: limits, folder: uploads,
            version: vifiPromptVersion, logger: logger)
    }

    /// A file's name, or the run's where it lies in one.
    private static func name(of path: String) -> String {
        var shown = path
        if ["best.safetensors", "last.safetensors", "head.safetensors"].contains(path.lastPathComponent) { shown = shown.parentDirectory }
        if shown.lastPathComponent == "prompts" { shown = shown.parentDirectory }
        return shown.lastPathComponent.replacing(".safetensors", with: "")
    }

    /// Serves until `isStopped` says so, then lets what has begun come to its end for some seconds.
    ///
    /// - Parameters:
    ///   - onStart: told the port.
    ///   - isStopped: asked a few times a second.
    package func run(onStart: @escaping @Sendable (Int) -> Void, isStopped: @escaping @Sendable () -> Bool) async throws {
        let router = Router(context: ServeContext.self, options: [.autoGenerateHeadEndpoints])
        router.add(middleware: Answers(metrics: services.metrics))
        router.add(middleware: Gate(hosts: HostNames(host: settings.host, others: settings.hosts, takesAddresses: settings.token != nil), token: settings.token))
        PageRoutes(services: services).add(to: router)
        PredictRoutes(services: services).add(to: router)
        DataSetRoutes(services: services).add(to: router)
        RunRoutes(services: services).add(to: router)
        SourceRoutes(services: services).add(to: router)
        LabelStudioRoutes(services: services, fetcher: fetcher).add(to: router)

        let limits = settings.limits
        let channel = HTTP1Channel.Configuration(
            additionalChannelHandlers: [ConnectionGuard(limits: limits)],
            httpDecoderConfiguration: .init(maxHeaderFieldSize: limits.headerBytes, maxHeaderListSize: limits.headerBytes, maxHeaderFieldCount: 100))
        let application = Application(
            router: router, server: .http1(configuration: channel),
            configuration: ApplicationConfiguration(
                address: .hostname(settings.host, port: settings.port), serverName: nil, availableConnectionsDelegate: MaximumAvailableConnections(limits.connections, logger: logger)),
            onServerRunning: { channel in onStart(channel.localAddress?.port ?? 0) }, logger: logger)
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [.init(service: application)], logger: logger))
        // Whoever blocks a thread cannot be cancelled: what is not over in time is left behind.
        let ended = AsyncThrowingStream<Void, any Error> { continuation in
            Task {
                do {
                    try await group.run()
                    continuation.finish()
                } catch {
                    continuation.finish(throwing: error)
                }
            }
            let watch = Task {
                while !isStopped() { try await Task.sleep(for: Self.interval) }
                services.runs.close()
                for source in services.sources { source.close() }
                await group.triggerGracefulShutdown()
                try await Task.sleep(for: .seconds(limits.drainSeconds))
                continuation.finish()
            }
            continuation.onTermination = { _ in watch.cancel() }
        }
        for try await _ in ended {}
        await waitForLearning()
    }

    /// A run that was asked to stop saves what it has learned.
    private func waitForLearning() async {
        services.runs.close()
        let deadline = ContinuousClock.now + .seconds(settings.limits.drainSeconds)
        while services.runs.isLearning, ContinuousClock.now < deadline { try? await Task.sleep(for: Self.interval) }
    }

    private static let interval = Duration.milliseconds(200)
}
