import ArgumentParser
import Experiments
import Files
import Foundation
import Recipes
import Tensors

/// Tells what a run would cost, before anything starts.
struct PlanCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Tells what a run would compute, need, write and take, without starting it.",
        discussion: """
            It takes the flags of the command that it stands before, and is the same as --dry-run behind it:

              vifi-prompt plan learn --shots 2
              vifi-prompt plan bridge --train train.txt --labels labels.csv \\
                  --backbone clip.safetensors --json
              vifi-prompt plan evaluate few-shot --shots 2,4
              vifi-prompt plan ablate depth

            The time is measured: one batch goes through a step, a few test clips through an evaluation. With \
            --no-timing the rest is told at once.

            Independent runs become the elements of a job array of Slurm, each seed with each varied value:

              vifi-prompt plan --emit slurm-array learn --seeds 1,2,3 --vary shots=2,4,8 \\
                  > array.sh
            """,
        subcommands: [Learn.self, Bridge.self, Evaluate.self, Planned<AblateCommand>.self, Demo.self])

    @Option(help: ArgumentHelp("Write this instead of the plan: slurm-array, an sbatch script.", valueName: "script"))
    var emit: PlanOutput?

    struct ArrayOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Write this instead of the plan: slurm-array, an sbatch script.", valueName: "script"))
        var emit: PlanOutput?

        @Option(
            help: ArgumentHelp(
                "With --emit slurm-array: a flag and its values, such as shots=2,4,8 or recipe=a.yaml,b.yaml. May be repeated.",
                valueName: "flag=values"),
            transform: Variation.init(argument:))
        var vary: [Variation] = []
    }

    struct Learn: ParsableCommand {
        static let configuration = PlanCommand.configuration(before: LearnCommand.self)

        @ParentCommand var parent: PlanCommand
        @OptionGroup(title: "Job array") var options: ArrayOptions
        @OptionGroup var command: LearnCommand

        func run() throws { try PlanCommand.show(command, options, emit: options.emit ?? parent.emit) }
    }

    struct Bridge: ParsableCommand {
        static let configuration = PlanCommand.configuration(before: BridgeCommand.self)

        @ParentCommand var parent: PlanCommand
        @OptionGroup(title: "Job array") var options: ArrayOptions
        @OptionGroup var command: BridgeCommand

        func run() throws { try PlanCommand.show(command, options, emit: options.emit ?? parent.emit) }
    }

    struct Evaluate: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "evaluate",
            abstract: "Plans `vifi-prompt evaluate` with the same subcommands and flags.",
            subcommands: [
                Planned<EvaluateListCommand>.self, Planned<EvaluateZeroShotCommand>.self, Planned<EvaluateBaseToNovelCommand>.self,
                Planned<EvaluateFewShotCommand>.self, Planned<EvaluateSupervisedCommand>.self, Planned<EvaluateRetrievalCommand>.self,
            ],
            defaultSubcommand: Planned<EvaluateListCommand>.self,
            aliases: ["eval"])

        @ParentCommand var parent: PlanCommand

        func validate() throws { try PlanCommand.refuseArray(parent) }
    }

    struct Demo: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "demo",
            abstract: "Plans `vifi-prompt demo` with the same subcommands and flags.",
            subcommands: [
                Planned<DemoCommand.Pretrain>.self, Planned<DemoCommand.Table>.self, Planned<DemoCommand.Late>.self, Planned<DemoCommand.Report>.self,
            ])

        @ParentCommand var parent: PlanCommand

        func validate() throws { try PlanCommand.refuseArray(parent) }
    }

    /// `plan` before a command that makes no job array.
    struct Planned<Command: PlannableCommand>: ParsableCommand {
        static var configuration: CommandConfiguration { PlanCommand.configuration(before: Command.self, within: group) }

        /// The command that it is a subcommand of, with a space behind it.
        private static var group: String {
            let groups: [any ParsableCommand.Type] = [EvaluateCommand.self, DemoCommand.self]
            let group = groups.first { $0.configuration.subcommands.contains { $0 == Command.self } }
            return group?.configuration.commandName.map { $0 + " " } ?? ""
        }

        @OptionGroup var command: Command

        func run() throws { try command.showPlan() }
    }

    /// The usage is said here: the parser would name the options' command twice.
    private static func configuration<Command: PlannableCommand>(before command: Command.Type, within group: String = "") -> CommandConfiguration {
        let name = command.configuration.commandName ?? ""
        return CommandConfiguration(
            commandName: name, abstract: "Plans `vifi-prompt \(group)\(name)` with the same flags.", usage: "vifi-prompt plan \(group)\(name) [<options>]")
    }

    fileprivate static func refuseArray(_ parent: PlanCommand) throws {
        guard parent.emit == nil else { throw ValidationError("--emit is for plan learn and plan bridge.") }
    }

    private static func show<Command: LearningCommand>(_ command: Command, _ options: ArrayOptions, emit: PlanOutput?) throws {
        guard emit != nil || options.vary.isEmpty else { throw ValidationError("--vary is for --emit slurm-array.") }
        guard emit == nil else { return try emitArray(command, options) }
        try command.showPlan()
    }

    /// The script goes to standard output alone, so that it can be redirected into a file.
    private static func emitArray<Command: LearningCommand>(_ command: Command, _ options: ArrayOptions) throws {
        guard command.training.seed == nil else { throw ValidationError("Seeds of an array come from --seeds 1,2,3.") }
        guard !command.runOptions.resume else { throw ValidationError("--resume continues a run that has begun; there is nothing to plan.") }
        guard !command.json else { throw ValidationError("--emit writes a script, not JSON.") }
        let given = Array(processArguments.dropFirst(2)).without(options: ["--emit"])
        let arguments = Array(given.dropFirst()).filter { !["--no-timing", "--dry-run"].contains($0) }
            .without(options: ["--vary", "--seeds", "--output", "-o", "--threads"])
        var (memory, seconds) = (0, 0.0)
        let rows = SlurmArray.combinations(of: options.vary)
        for row in rows {
            let flags = SlurmArray.flags(row)
            if !flags.isEmpty { Console.note("Planning \(flags.joined(separator: " "))") }
            var request = try command.request()
            for variation in row { try request.set(flag: variation.flag, to: variation.value) }
            let plan = try request.plan(timing: !command.planning.noTiming, context: .commandLine)
            memory = max(memory, plan.memoryBytes)
            seconds = max(seconds, plan.seconds ?? 0)
            for warning in plan.warnings { Console.warning(warning) }
        }
        let array = SlurmArray(
            kind: Command.kind, program: resolvedPath("/proc/self/exe") ?? "vifi-prompt",
            workingDirectory: currentDirectory, arguments: arguments, variations: options.vary,
            seeds: command.runOptions.seeds?.values ?? [1],
            folder: command.training.output ?? BackboneFinder.runsFolder.appendingPath(Command.kind.rawValue + "-array"),
            threads: command.model.threads ?? WorkerPool.availableProcessors, memoryBytes: memory,
            seconds: command.planning.noTiming ? nil : seconds)
        for warning in array.warnings { Console.warning(warning) }
        Console.result(array.script)
    }
}

extension RunRequest {
    /// Sets what a flag of `--vary` stands for: `shots`, `learning-rate` and other settings of a recipe, or `recipe` itself.
    mutating func set(flag: String, to value: String) throws {
        if flag == "recipe" {
            recipe = try RecipeSource(file: value, flags: asked).given()
            return
        }
        // What is a setting but no flag would end the array's runs with an error.
        guard CommandWords()?.flags(of: kind.rawValue).contains(flag) == true, let key = Recipe.keys.first(where: { Recipe.flag(ofKey: $0) == "--" + flag })
        else {
            throw ValidationError(
                "--vary \(flag): only flags that are settings of a recipe can be varied. Write one such as shots, learning-rate or "
                    + "vision-tokens, or recipe=a.yaml,b.yaml.")
        }
        try recipe.set("\(key)=\(value)", source: "--vary")
        try asked.set("\(key)=\(value)", source: "--vary")
    }
}
