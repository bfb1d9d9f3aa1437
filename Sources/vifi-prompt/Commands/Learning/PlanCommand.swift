import ArgumentParser

/// Tells what a run would cost, before anything starts.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Tells what a run would compute, need, write and take, without starting it.",
        discussion: """
            It takes the flags of the command that it stands before:

              vifi-prompt plan learn --shots 2
              vifi-prompt plan bridge --train train.txt --labels labels.csv --backbone clip.safetensors --json

            The time is measured: one batch goes through a step, a few test clips through an evaluation. With \
            --no-timing the rest is told at once.
            """,
        subcommands: [Learn.self, Bridge.self])

    struct Options: ParsableArguments {
        @Flag(help: "Leave out the measured times.")
        var noTiming = false

        @Flag(help: "Print the plan as JSON.")
        var json = false
    }

    struct Learn: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Plans `vifi-prompt learn` with the same flags.")

        @OptionGroup(title: "Plan") var options: Options
        @OptionGroup var command: LearnCommand

        func run() throws { try PlanCommand.show(command, options) }
    }

    struct Bridge: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Plans `vifi-prompt bridge` with the same flags.")

        @OptionGroup(title: "Plan") var options: Options
        @OptionGroup var command: BridgeCommand

        func run() throws { try PlanCommand.show(command, options) }
    }

    private static func show(_ command: some LearningCommand, _ options: Options) throws {
        guard !command.runOptions.resume else { throw ValidationError("--resume goes on with a run; there is nothing to plan.") }
        let plan = try command.plan(timing: !options.noTiming)
        if options.json { try Console.json(plan) } else { Console.result(plan.text) }
        for warning in plan.warnings { Console.warning(warning) }
    }
}
