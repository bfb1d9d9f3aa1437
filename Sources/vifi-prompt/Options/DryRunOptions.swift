import ArgumentParser
import Experiments

/// Telling what a command would cost instead of doing it.
struct DryRunOptions: ParsableArguments {
    @Flag(help: "Tell what this would compute, need and take, and start nothing: the same as `plan` before the command.")
    var dryRun = false

    @Flag(help: "With --dry-run: leave out the measured times.")
    var noTiming = false

    /// What `--dry-run` alone means is refused without it. Behind `plan` this is not asked.
    var isAsked: Bool {
        get throws {
            guard dryRun || !noTiming else { throw ValidationError("--no-timing is for --dry-run.") }
            return dryRun
        }
    }
}

/// A command that can tell what it would cost: with `--dry-run`, or behind `plan`.
protocol PlannableCommand: ParsableCommand {
    var planning: DryRunOptions { get }
    /// Whether the plan is to be JSON.
    var json: Bool { get }
    /// Does the work.
    func start() throws
    /// Tells the cost, and starts nothing.
    func plan(timing: Bool) throws -> any CostPlan
}

extension PlannableCommand {
    func run() throws {
        if try planning.isAsked { try showPlan() } else { try start() }
    }

    func showPlan() throws {
        let plan = try plan(timing: !planning.noTiming)
        if json { try Console.json(plan) } else { Console.result(plan.text) }
        for warning in plan.warnings { Console.warning(warning) }
    }
}

let jsonHelp: ArgumentHelp = "Print the result as JSON."

/// A command whose only JSON is its plan.
struct PlanFormOptions: ParsableArguments {
    @Flag(help: "With --dry-run: the plan as JSON.")
    var json = false

    func refuseAlone() throws {
        if json { throw ValidationError("--json is for --dry-run.") }
    }
}
