import ArgumentParser
import Experiments
import Files
import Recipes
import Training

/// A command that learns: its flags are a request.
protocol LearningCommand: PlannableCommand {
    var runOptions: RunOptions { get }
    var training: TrainingOptions { get }
    var model: ModelOptions { get }
    static var kind: RunKind { get }
    /// What the flags ask for.
    func request() throws -> RunRequest
}

extension LearningCommand {
    /// Starts or resumes what is asked for.
    func start() throws {
        try OutputFolder.check(training.output)
        if runOptions.resume { try runOptions.refuseOthers(among: Array(processArguments.dropFirst(2))) }
        if runOptions.seeds != nil, training.seed != nil { throw ValidationError("Pass --seed or --seeds, not both.") }
        let group = try Ranks.join()
        // Asks all ranks, so it must not wait until some of them need it.
        _ = try Ranks.places.get()
        let context = RunContext.commandLine(json: json)
        let report: LearningReport?
        if runOptions.resume {
            report = try resumeRun(runOptions.folder, kind: Self.kind, threads: model.threads, context: context)
        } else if let seeds = runOptions.seeds {
            // Rank 0 makes the folder and tells the others its name.
            let seedGroup = try group.told(
                value: SeedGroup.new(request(), seeds: seeds.values, output: training.output, context: context).located)
            report = try seedGroup.group.run(threads: nil, context: context).map(LearningReport.seeds)
        } else {
            let outcome = try request().run(output: training.output, context: context)
            report = .run(RunReport(Self.kind, folder: outcome.path, result: outcome.result))
        }
        if json, let report { try Console.json(report) }
    }

    func plan(timing: Bool) throws -> any CostPlan {
        guard !runOptions.resume else { throw ValidationError("--resume continues a run that has begun; there is nothing to plan.") }
        return try request().plan(timing: timing, seedCount: runOptions.seeds?.values.count ?? 1, context: .commandLine)
    }

    /// The flags and the recipe as one request.
    func request(_ data: DataOptions, _ recipe: RecipeOptions, memory: MemoryOptions, flags: (inout Recipe) -> Void) throws -> RunRequest {
        let source = try recipe.source(flags: flags)
        return RunRequest(
            Self.kind, recipe: try source.given(), asked: try source.asked(), videos: data.videos.inputs, model: model.inputs, memory: memory.bound,
            saveInterval: runOptions.saveInterval)
    }
}
