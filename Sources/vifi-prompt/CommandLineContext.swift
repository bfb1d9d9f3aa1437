import Experiments
import Files
import Tensors
import Training

extension RunContext {
    /// For what a command does: it tells the console, stops at signals, and shares its work with the ranks that were joined.
    static var commandLine: RunContext {
        let group = Ranks.group
        // Before others are joined nobody is asked where they run.
        let places = group.count > 1 ? try? Ranks.places.get() : nil
        return RunContext(
            observer: ConsoleObserver(), cancellation: .signals, group: group, places: places ?? RankPlaces([.here]),
            invocation: processArguments)
    }
}

extension RunContext {
    /// For a command whose result may be JSON: what is for people goes to standard error then.
    static func commandLine(json: Bool) -> RunContext { json ? commandLine.ofPart : commandLine }
}

/// Tells the console what happens.
struct ConsoleObserver: RunObserver {
    func observe(_ event: RunEvent) {
        switch event {
        case .note(let note): Console.note(note.description)
        case .warning(let warning): Console.warning(warning.description)
        case .repeatedWarning(let text): Console.warnOnce(text)
        case .result(let result): Console.result(result.description)
        // The progress line tells the loss.
        case .step: break
        }
    }

    func progress(_ title: String, total: Int, unit: String, from first: Int) -> any ProgressDisplay {
        ProgressReporter(title, total: total, unit: unit, from: first)
    }

    func takeUntoldWarnings() -> [String] { Console.takeKept() }
}

extension ProgressReporter: ProgressDisplay {}
