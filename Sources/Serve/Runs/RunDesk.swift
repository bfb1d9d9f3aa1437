import Experiments
import Files
import Foundation
import Logging
import Synchronization

/// The runs of a server: one learns at a time, others wait for it.
///
///     runs/ID/run.json   what is known of it, written at its start and at its end
///     runs/ID/lists/     the clips that it learns from
///     runs/ID/learned/   the run's own folder, as `learn` makes it
final class RunDesk: Sendable {
    private struct State {
        /// In the order of their coming.
        var runs: [ServedRun] = []
        var watchers: [String: RunWatcher] = [:]
        var listeners: [UUID: (run: String, tell: AsyncStream<Void>.Continuation)] = [:]
        var isWorking = false
        var isClosed = false
    }

    private let records: RecordFolder<ServedRun>
    private let state = Mutex(State())
    private let thread = DispatchQueue(label: "vifi-prompt.learning")
    private let learning: RunLearning
    private let logger: Logger
    /// Held while a record is written, so that the last one is the newest.
    private let saving = Mutex(())

    /// Runs that wait at most.
    private static let waitingLimit = 16

    /// Finds what earlier servers have learned in the folder.
    ///
    /// - Throws: `FileError` where the folder cannot be read.
    init(folder: String, learning: RunLearning, logger: Logger) throws {
        records = try RecordFolder(path: folder, fileName: "run.json", letter: "r")
        self.learning = learning
        self.logger = logger
        var found = try records.all()
        found.sort { $0.created < $1.created }
        for index in found.indices where !found[index].state.isOver {
            found[index].state = .cancelled
            found[index].ended = found[index].ended ?? Date()
            found[index].note("The server stopped before the run ended.")
            try records.write(found[index])
        }
        let runs = found
        state.withLock { $0.runs = runs }
        for run in runs where run.result != nil && run.isDismissed != true {
            do {
                try learning.register(run, in: records.folder(of: run.id))
            } catch {
                // What has gone or was changed by hand must not keep the server from starting.
                logger.warning("\(run.id): what it learned cannot be used: \(error)")
            }
        }
    }

    // MARK: Reading

    var all: [ServedRun.Details] { state.withLock { state in state.runs.reversed().map { Self.details($0, in: state, withLosses: false) } } }
    var waitingCount: Int { state.withLock { $0.runs.count { $0.state == .waiting } } }
    var isLearning: Bool { state.withLock { $0.runs.contains { $0.state == .running } } }

    func details(_ id: String) throws(RequestFault) -> ServedRun.Details {
        let found = state.withLock { state in state.runs.first { $0.id == id }.map { Self.details($0, in: state) } }
        guard let found else { throw RequestFault(.notFound, "There is no such run.") }
        return found
    }

    private static func details(_ run: ServedRun, in state: State, withLosses: Bool = true) -> ServedRun.Details {
        let place = run.state == .waiting ? state.runs.prefix { $0.id != run.id }.count { !$0.state.isOver } : 0
        return run.details(place: place, withLosses: withLosses)
    }

    /// Ticks when the run changes, and ends with it.
    func changes(of id: String) throws(RequestFault) -> AsyncStream<Void> {
        _ = try details(id)
        let key = UUID()
        return AsyncStream(bufferingPolicy: .bufferingNewest(1)) { continuation in
            let isOver = state.withLock { state in
                guard state.runs.first(where: { $0.id == id })?.state.isOver == false else { return true }
                state.listeners[key] = (id, continuation)
                return false
            }
            if isOver { continuation.finish() }
            continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners[key] = nil } }
        }
    }

    // MARK: Changing

    func start(_ wish: RunWish) throws -> ServedRun.Details {
        let set = try learning.dataSet(for: wish)
        let id = records.newID()
        let run = ServedRun(
            id: id, name: wish.name ?? set.name, dataSet: set.id, method: wish.method, steps: wish.steps, seed: wish.seed ?? 1, created: Date())
        try state.withLock { state in
            guard !state.isClosed else { throw RequestFault(.busy, "The server is stopping.") }
            guard state.runs.count(where: { $0.state == .waiting }) < Self.waitingLimit else {
                throw RequestFault(.busy, "\(Self.waitingLimit) runs are waiting already.")
            }
            try createDirectory(records.folder(of: id))
            try records.write(run)
            state.runs.append(run)
        }
        wake()
        return try details(id)
    }

    /// Stops a run that learns, at its next step, or takes one that waits out of the row.
    func cancel(_ id: String) throws -> ServedRun.Details {
        guard try !details(id).state.isOver else { throw RequestFault(.conflict, "The run has ended already.") }
        var wasWaiting = false
        touch(id) { run in
            guard run.state == .waiting else { return }
            (run.state, run.ended) = (.cancelled, Date())
            wasWaiting = true
        }
        if wasWaiting { try save(id) } else { state.withLock { $0.watchers[id] }?.cancel() }
        return try details(id)
    }

    /// What a run has learned answers no more, not after a restart either.
    func dismiss(_ id: String?) throws {
        guard let id else { return }
        touch(id) { $0.isDismissed = true }
        try save(id)
    }

    /// Nothing is begun any more, what learns is asked to stop, and whoever listens is told.
    func close() {
        let (watchers, waiting) = state.withLock { state in
            state.isClosed = true
            return (Array(state.watchers.values), state.runs.filter { $0.state == .waiting }.map(\.id))
        }
        for watcher in watchers { watcher.cancel() }
        for id in waiting { _ = try? cancel(id) }
        let listeners = state.withLock { state in
            defer { state.listeners = [:] }
            return state.listeners.values.map(\.tell)
        }
        for listener in listeners { listener.finish() }
    }

    /// Whether the prompts of a data set's run are still waited for.
    func isUsing(_ dataSet: String) -> Bool { state.withLock { $0.runs.contains { $0.dataSet == dataSet && !$0.state.isOver } } }

    // MARK: Working

    private func wake() {
        let isIdle = state.withLock { state in
            defer { state.isWorking = true }
            return !state.isWorking
        }
        if isIdle { thread.async { self.work() } }
    }

    private func work() {
        while let (run, watcher) = next() {
            let path = records.folder(of: run.id)
            var outcome: (ServedRun.State, ServedRun.Result?, String?)
            do {
                outcome = (.finished, try learning.learn(run, in: path, watcher: watcher), nil)
            } catch let error as any ReportableError where error.exitStatus == .interrupted {
                outcome = (.cancelled, learning.partial(run, in: path), nil)
            } catch {
                let fault = RequestFault(error)
                fault.log("run \(run.id)", logger)
                outcome = (.failed, nil, fault.message)
            }
            let ended = outcome
            touch(run.id) { run in
                (run.state, run.result, run.error) = ended
                run.ended = Date()
                run.progress = nil
            }
            do { try save(run.id) } catch { logger.error("run \(run.id): \(error)") }
            state.withLock { $0.watchers[run.id] = nil }
        }
    }

    private func next() -> (ServedRun, RunWatcher)? {
        let found = state.withLock { state -> (ServedRun, RunWatcher)? in
            guard !state.isClosed, let place = state.runs.firstIndex(where: { $0.state == .waiting }) else {
                state.isWorking = false
                return nil
            }
            state.runs[place].state = .running
            state.runs[place].began = Date()
            let id = state.runs[place].id
            let watcher = RunWatcher(words: learning.words(of: state.runs[place])) { [weak self] body in self?.touch(id, body) }
            state.watchers[id] = watcher
            return (state.runs[place], watcher)
        }
        if let found { touch(found.0.id) { _ in } }
        return found
    }

    /// Changes what is known of a run, and tells those who listen.
    private func touch(_ id: String, _ body: (inout ServedRun) -> Void) {
        let told = state.withLock { state in
            guard let place = state.runs.firstIndex(where: { $0.id == id }) else { return [AsyncStream<Void>.Continuation]() }
            body(&state.runs[place])
            let listeners = state.listeners.filter { $0.value.run == id }
            if state.runs[place].state.isOver { for key in listeners.keys { state.listeners[key] = nil } }
            return listeners.values.map(\.tell)
        }
        let isOver = (try? details(id))?.state.isOver ?? true
        for listener in told {
            listener.yield()
            if isOver { listener.finish() }
        }
    }

    private func save(_ id: String) throws {
        try saving.withLock { _ in
            guard let run = state.withLock({ state in state.runs.first { $0.id == id } }) else { return }
            try records.write(run)
        }
    }
}
