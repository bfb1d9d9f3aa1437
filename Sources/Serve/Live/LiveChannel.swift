import Evaluation
import Experiments
import Files
import Foundation
import Logging
import Synchronization
import VideoData

/// A live source that the server was started with. It is read while somebody listens, once for all who do, by the reader of
/// `predict`: where the models are slower than the source, its oldest windows are dropped and counted.
///
/// Clients know it by its name. Its address, which may hold a password, is told to the log alone.
final class LiveChannel: Sendable {
    let name: String
    private let address: LiveAddress
    private let desk: ModelDesk
    private let logger: Logger
    private let state = Mutex(State())
    private let thread: DispatchQueue

    private struct Listener: Sendable {
        let id: UUID
        let model: VideoModel
        let style: AnswerStyle
        let events: AsyncStream<(name: String, json: String)>.Continuation

        var sampleCount: Int { model.sampler.sampleCount }
    }

    private struct State {
        var listeners: [Listener] = []
        /// Whether the thread works.
        var isRunning = false
        var isClosed = false
    }

    /// Of the windows, as `predict` takes them where nobody says others.
    static let window = VideoSpan.seconds(2)
    /// Answers that wait for a client that is slow; older ones are left out.
    private static let waitingLimit = 16

    init(name: String, address: LiveAddress, desk: ModelDesk, logger: Logger) {
        self.name = name
        self.address = address
        self.desk = desk
        self.logger = logger
        thread = DispatchQueue(label: "vifi-prompt.live.\(name)")
    }

    var listenerCount: Int { state.withLock { $0.listeners.count } }

    // MARK: Listening

    /// The answers from now on: events `answer`, `interruption` where the source is away and tried again, and at last `end` or
    /// `error`.
    func events(_ model: VideoModel, _ style: AnswerStyle) -> AsyncStream<(name: String, json: String)> {
        AsyncStream(bufferingPolicy: .bufferingNewest(Self.waitingLimit)) { continuation in
            let listener = Listener(id: UUID(), model: model, style: style, events: continuation)
            continuation.onTermination = { [weak self] _ in self?.state.withLock { $0.listeners.removeAll { $0.id == listener.id } } }
            let (isTaken, isFirst) = state.withLock { state in
                guard !state.isClosed else { return (false, false) }
                state.listeners.append(listener)
                defer { state.isRunning = true }
                return (true, !state.isRunning)
            }
            guard isTaken else { return continuation.finish() }
            if isFirst { thread.async { self.work() } }
        }
    }

    /// Nobody is told anything any more.
    func close() {
        state.withLock { $0.isClosed = true }
        dismiss(with: nil)
    }

    /// - Parameter event: that all hear at last.
    private func dismiss(with event: (name: String, json: String)?) {
        let listeners = state.withLock { state in
            defer { state.listeners = [] }
            return state.listeners
        }
        // Ending a stream calls its `onTermination`, which takes the lock.
        for listener in listeners {
            if let event { listener.events.yield(event) }
            listener.events.finish()
        }
    }

    // MARK: Reading

    private struct End: Encodable {
        let source: String
    }

    private struct Interruption: Encodable {
        let waitSeconds: Double
    }

    private enum Outcome {
        /// Nobody listens any more, or somebody who does needs other frames.
        case left
        /// The source has come to its end.
        case ended
    }

    /// Reads as long as somebody listens.
    private func work() {
        while let sampleCounts = wanted() {
            do {
                if try read(sampleCounts) == .ended { dismiss(with: ("end", JSONText.of(End(source: name)))) }
            } catch {
                logger.warning("source \(name): \(error)")
                dismiss(with: ("error", RequestFault(.unprocessable, "The source \(name) cannot be read. The server's log says why.").text))
            }
        }
    }

    /// The numbers of frames that listeners look at; nil where there are none, and the thread ends.
    private func wanted() -> [Int]? {
        state.withLock { state in
            state.isRunning = !state.listeners.isEmpty
            return state.isRunning ? Set(state.listeners.map(\.sampleCount)).sorted() : nil
        }
    }

    private func read(_ sampleCounts: [Int]) throws -> Outcome {
        let stop = Stop()
        // The reader's thread ends when it is asked to, not with the reader.
        defer { stop.isWanted.store(true, ordering: .relaxed) }
        let request = LiveRequest(
            address: address, grids: sampleCounts.map { WindowGrid(window: Self.window, stride: Self.window.halved, sampleCount: $0) }, shortSide: desk.shortSide,
            pictures: desk.pictures, timeoutSeconds: address.kind == .hls ? 30 : 10)
        let reader = try LiveReader(
            request,
            isCancelled: { [self] in
                if !stop.isWanted.load(ordering: .relaxed), listenerCount == 0 { stop.isWanted.store(true, ordering: .relaxed) }
                return stop.isWanted.load(ordering: .relaxed)
            },
            report: { [self] in tell($0) })
        var scorers: [UUID: LiveScorer] = [:]
        var opening = 0
        while let moment = try reader.next() {
            let listeners = state.withLock { $0.listeners }
            guard !listeners.isEmpty, listeners.allSatisfy({ sampleCounts.contains($0.sampleCount) }) else { return .left }
            // Frames are numbered anew.
            if moment.opening != opening { scorers = [:] }
            opening = moment.opening
            var next: [UUID: LiveScorer] = [:]
            for listener in listeners {
                var window = moment.window
                window.counts = sampleCounts.firstIndex(of: listener.sampleCount).map { [moment.window.counts[$0]] } ?? []
                var scorer = scorers[listener.id] ?? LiveScorer(models: [listener.model])
                let scores = try scorer.scores(of: window)[0]
                next[listener.id] = scorer
                let answer = LiveAnswer(source: name, model: listener.model, window: window, scores: scores, droppedCount: reader.droppedCount)
                listener.events.yield(("answer", LiveLine(answer, listener.style).text))
            }
            scorers = next
        }
        return stop.isWanted.load(ordering: .relaxed) ? .left : .ended
    }

    private func tell(_ event: LiveEvent) {
        switch event {
        case .opened: logger.info("source \(name) is read")
        case .brokeOff(let error, let wait):
            logger.warning("source \(name): \(error.description) It is opened again in \(Int(wait)) s.")
            let json = JSONText.of(Interruption(waitSeconds: wait))
            for listener in state.withLock({ $0.listeners }) { listener.events.yield(("interruption", json)) }
        case .openedAgain(let seconds): logger.warning("source \(name) is there again after \(Int(seconds)) s")
        }
    }

    /// Whether the source is to be read no further.
    private final class Stop: Sendable {
        let isWanted = Atomic<Bool>(false)
    }
}
