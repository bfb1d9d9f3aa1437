import Experiments
import Foundation
import Synchronization

/// Hands on what happens in a run, and whether somebody wants it to stop.
final class RunWatcher: RunObserver {
    private let words: @Sendable (String) -> String
    private let change: @Sendable ((inout ServedRun) -> Void) -> Void
    private let stop = Atomic<Bool>(false)

    /// - Parameters:
    ///   - words: of a message for those who may not know where things lie.
    ///   - change: changes what is known of the run.
    init(words: @escaping @Sendable (String) -> String, _ change: @escaping @Sendable ((inout ServedRun) -> Void) -> Void) {
        self.words = words
        self.change = change
    }

    var isStopped: Bool { stop.load(ordering: .relaxed) }
    func cancel() { stop.store(true, ordering: .relaxed) }

    var context: RunContext { RunContext(observer: self, cancellation: Cancellation(isRequested: { self.isStopped })) }

    func observe(_ event: RunEvent) {
        if case .step(let step, let loss) = event { change { $0.note(step: step, loss: loss) } }
        if let text = event.text {
            let words = words(text)
            change { $0.note(words) }
        }
    }

    func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay {
        Display(title: title, total: total, from: first, change)
    }

    private final class Display: ProgressDisplay {
        private let title: String
        private let total: Int
        private let first: Int
        private let start = ContinuousClock.now
        private let change: @Sendable ((inout ServedRun) -> Void) -> Void

        init(title: String, total: Int, from first: Int, _ change: @escaping @Sendable ((inout ServedRun) -> Void) -> Void) {
            self.title = title
            self.total = total
            self.first = first
            self.change = change
            show(first, detail: "")
        }

        func show(_ done: Int, detail: String) {
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            let left = done > first && seconds > 0.2 ? seconds / Double(done - first) * Double(max(0, total - done)) : nil
            let progress = ServedRun.Progress(title: title, done: done, total: total, detail: detail, secondsLeft: left)
            change { $0.progress = progress }
        }

        func finish() {}
    }
}
