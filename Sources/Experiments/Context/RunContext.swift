import Files
import Foundation
import Tensors
import Training

/// Whom an experiment tells what happens, whom it shares its work with, and who may stop it.
///
/// Whoever starts an experiment passes it in; nothing of it is global.
package struct RunContext: Sendable {
    package let observer: any RunObserver
    package let cancellation: Cancellation
    /// The processes that share the steps of a run; most runs have one.
    package let group: any ProcessGroup
    /// Where these run.
    package let places: RankPlaces
    /// The program and its arguments as somebody typed them, for what is said about going on.
    package let invocation: [String]
    /// Whether what runs is a part of something that tells results of its own: a cell of a grid, a draw of a protocol.
    private var isPart = false

    package init(
        observer: any RunObserver = SilentObserver(), cancellation: Cancellation = .never,
        group: any ProcessGroup = SingleProcess(), places: RankPlaces = RankPlaces([.here]),
        invocation: [String] = ["vifi-prompt"]
    ) {
        self.observer = observer
        self.cancellation = cancellation
        self.group = group
        self.places = places
        self.invocation = invocation
    }

    package var isCancelled: Bool { cancellation.isRequested() }

    /// For a part of an experiment: its results are notes.
    package var ofPart: RunContext {
        var context = self
        context.isPart = true
        return context
    }

    package func note(_ note: RunNote) { observer.observe(.note(note)) }
    package func warning(_ warning: RunWarning) { observer.observe(.warning(warning)) }
    package func result(_ result: ShownResult) { observer.observe(isPart ? .note(.ofPart(result)) : .result(result)) }

    /// - Parameters:
    ///   - total: of `unit`s.
    ///   - first: what was done before.
    package func progress(_ title: String, total: Int, unit: String, from first: Int = 0) -> any ProgressDisplay {
        observer.progress(title, total: total, unit: unit, from: first)
    }

    /// Threads of this process's model, unless somebody says otherwise: all processors, shared out among the ranks of
    /// a machine.
    package var threadCount: Int { group.count > 1 ? places.threadCount(of: group.rank) : WorkerPool.availableProcessors }

    /// Rank 0 tells what the others would have warned of.
    package func tellWarnings() throws {
        guard group.count > 1 else { return }
        let others = try group.gathered(value: observer.takeUntoldWarnings())
        guard group.rank == 0 else { return }
        for text in others.flatMap(\.self) { observer.observe(.repeatedWarning(text: text)) }
    }
}

/// What happens in an experiment.
package enum RunEvent: Sendable, Equatable {
    case note(RunNote)
    case warning(RunWarning)
    /// A warning that several processes may have; it need be told once. It comes from another process, in words: they are all
    /// that is compared and told.
    case repeatedWarning(text: String)
    /// What was asked for, also where it cannot be written.
    case result(ShownResult)
    /// A step of learning was taken.
    case step(Int, loss: Double)

    /// For people; nil where there is nothing to tell.
    package var text: String? {
        switch self {
        case .note(let note): note.description
        case .warning(let warning): warning.description
        case .repeatedWarning(let text): text
        case .result(let result): result.description
        case .step: nil
        }
    }
}

/// Whoever watches an experiment. Called from any thread.
package protocol RunObserver: Sendable {
    func observe(_ event: RunEvent)
    func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay
    /// Warnings of this process that nobody has told, because another process tells them; in words.
    func takeUntoldWarnings() -> [String]
}

extension RunObserver {
    package func takeUntoldWarnings() -> [String] { [] }
}

/// How far a loop has come.
package protocol ProgressDisplay: AnyObject {
    /// - Parameter detail: a short note, such as the loss.
    func show(_ done: Int, detail: String)
    func finish()
}

extension ProgressDisplay {
    package func show(_ done: Int) { show(done, detail: "") }
}

/// Watches nothing.
package struct SilentObserver: RunObserver {
    private final class Nothing: ProgressDisplay {
        func show(_ done: Int, detail: String) {}
        func finish() {}
    }

    package init() {}
    package func observe(_ event: RunEvent) {}
    package func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay { Nothing() }
}

/// How an experiment is asked to stop.
package struct Cancellation: Sendable {
    package let isRequested: @Sendable () -> Bool
    /// Called once there is something to save: from now on a wish to stop waits for the next step.
    package let arm: @Sendable () -> Void

    package init(isRequested: @escaping @Sendable () -> Bool, arm: @escaping @Sendable () -> Void = {}) {
        self.isRequested = isRequested
        self.arm = arm
    }

    package static let never = Cancellation(isRequested: { false })
    /// Ctrl-C, SIGTERM and SIGUSR1.
    package static let signals = Cancellation(isRequested: { Interruption.isRequested }, arm: { Interruption.install() })
}
