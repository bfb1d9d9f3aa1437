import CLIPModel
import Files
import Foundation
import Recipes
import Tensors
import Training

/// How a run begins: new, or where an earlier one stopped.
package enum RunStart {
    /// - Parameters:
    ///   - output: nil for the next free folder under runs/.
    ///   - first: the first run of the group that this one belongs to.
    case new(output: String?, like: RunRecord? = nil)
    case resumed(ResumedRun)

    package var resumed: ResumedRun? {
        if case .resumed(let run) = self { run } else { nil }
    }
}

/// One kind of learning, from a request to a finished run: `PromptExperiment`, `BridgeExperiment` and `HeadExperiment`.
package protocol LearningExperiment {
    associatedtype Plan: LearningPlan
    init(_ request: RunRequest, context: RunContext)
    var request: RunRequest { get }
    var context: RunContext { get }
    /// One run from its start to its end.
    @discardableResult
    func run(_ start: RunStart) throws -> LearningRun.Outcome
    /// What that run would cost.
    ///
    /// - Parameters:
    ///   - timing: also takes a few clips through a step to measure it.
    ///   - seedCount: runs that differ only in their seed.
    func plan(timing: Bool, seedCount: Int) throws -> Plan
}

extension LearningExperiment {
    func settings(_ resumed: ResumedRun?) throws -> Settings {
        let pool = request.model.pool(context)
        return try resumed?.settings(pool: pool, context: context) ?? Settings(request, pool: pool, context: context)
    }

    /// - Throws: `TrainingError` where the memory bound is too little for the task.
    func checked<Task: LearningTask>(_ task: Task) throws -> Task {
        try request.memory.check(shortfall: task.memoryShortfall)
        return task
    }
}

extension RunRequest {
    package func experiment(_ context: RunContext) -> any LearningExperiment {
        switch kind {
        case .learn where isAboutHead: HeadExperiment(self, context: context)
        case .learn: PromptExperiment(self, context: context)
        case .bridge: BridgeExperiment(self, context: context)
        }
    }

    /// What the run would cost.
    package func plan(timing: Bool, seedCount: Int = 1, context: RunContext) throws -> any LearningPlan {
        try experiment(context).plan(timing: timing, seedCount: seedCount)
    }

    /// A new run.
    ///
    /// - Throws: `FileError` where `output` cannot hold one, before anything is computed.
    @discardableResult
    package func run(output: String?, context: RunContext) throws -> LearningRun.Outcome {
        if context.group.rank == 0, let output {
            try RunDirectory.checkFree(output, resume: context.resumeCommand(kind, output))
            try proveWritable(folder: output)
        }
        return try experiment(context).run(.new(output: output))
    }

    /// Brings the run in a folder to its end: starts it, resumes it, or finds it finished.
    ///
    /// - Parameters:
    ///   - threads: in place of the request's or the run's own.
    ///   - first: as in `RunStart.new`.
    package func complete(_ folder: String, threads: Int? = nil, like first: RunRecord? = nil, context: RunContext) throws {
        let ranks = context.group
        guard try ranks.told(value: RunResult.read(run: folder) == nil) else { return }
        if try ranks.told(value: RunRecord.read(run: folder) != nil) {
            try ranks.agreed { try ResumedRun(folder, kind: kind, context: context) }.run(threads: threads, context: context)
        } else {
            // Nothing was learned yet: what a crash left of the start is made anew in the same folder, if it is a run's.
            try withThreads(threads).experiment(context).run(.new(output: folder, like: first))
        }
    }
}

/// What a folder holds that somebody would resume; ranks tell each other.
private struct Found: Codable {
    var seeds: SeedGroup.Located?
    var result: RunResult?

    init(_ path: String, kind: RunKind) throws {
        if let group = try SeedGroup.read(path, kind: kind) {
            seeds = group.located
        } else if let record = try? RunRecord.read(run: path), record.kind == kind {
            result = try RunResult.read(run: path)
        }
    }
}

/// Resumes the run or the group of seeds in a folder, or tells that it is finished.
///
/// - Parameters:
///   - path: nil for the newest unfinished one here.
///   - threads: in place of the run's own.
/// - Returns: nil on ranks but the first, where it is a group of seeds.
@discardableResult
package func resumeRun(_ path: String?, kind: RunKind, threads: Int?, context: RunContext) throws -> LearningReport? {
    let isNamed = path != nil
    let path = try context.group.told(value: path ?? RunFinder.newestUnfinished(kind))
    if !isNamed { context.note(.resuming(.newest(path: path))) }
    let found = try context.group.told(value: Found(path, kind: kind))
    if let seeds = found.seeds {
        seeds.group.request.tellPlace(context)
        return try seeds.group.run(threads: threads, context: context).map(LearningReport.seeds)
    } else if let result = found.result {
        context.note(.resuming(.finished(path: path, steps: result.steps)))
        result.show(context)
        // A run that was killed between its results and its end leaves them.
        if context.group.rank == 0 { Checkpoints(run: path).removeAll() }
        return .run(RunReport(kind, folder: path, result: result))
    } else {
        let outcome = try context.group.agreed { try ResumedRun(path, kind: kind, context: context) }.run(threads: threads, context: context)
        return .run(RunReport(kind, folder: outcome.path, result: outcome.result))
    }
}

/// A stopped run, checked to be one that can be resumed.
package struct ResumedRun {
    /// As the user may type it now.
    package let path: String
    package let record: RunRecord
    package let recipe: Recipe

    /// - Throws: `RunError` where the folder holds no such run, or one whose files were changed.
    package init(_ path: String, kind: RunKind, context: RunContext) throws {
        guard isDirectory(path) else { throw FileError(path: path, problem: .missing) }
        guard let record = try RunRecord.read(run: path) else { throw RunError.notARun(path: path) }
        guard record.kind == kind else { throw RunError.otherKind(path: path, kind: record.kind.rawValue) }
        let configuration = path.appendingPath("config.yaml")
        guard try Digest.ofFile(configuration) == record.configurationSHA256 else { throw RunError.changed(file: configuration) }
        let lists = record.lists.flatMap { name, list in
            [(record.fileName(list: name), list.sha256), (RunDirectory.marksName(list: name), list.videosSHA256)]
        }
        let labels = record.hasCaptions == true ? [] : [("labels.csv", record.labelsSHA256)]
        for (file, digest) in labels + lists {
            let file = path.appendingPath("split").appendingPath(file)
            guard try Digest.ofFile(file) == digest else { throw RunError.changed(file: file) }
        }
        self.record = record
        recipe = try Recipe(path: configuration)
        self.path = path
        record.request.tellPlace(context)
        if record.version != vifiPromptVersion {
            context.warning(.resuming(.otherVersion(began: record.version, now: vifiPromptVersion)))
        }
        if record.processor != Machine.processorName {
            context.warning(.resuming(.otherProcessor(began: record.processor, now: Machine.processorName)))
        }
    }

    /// Goes on to its end.
    @discardableResult
    package func run(threads: Int?, context: RunContext) throws -> LearningRun.Outcome {
        try record.request.withThreads(threads).experiment(context).run(.resumed(self))
    }

    /// The settings of the run; only the threads are new.
    package func settings(pool: WorkerPool, context: RunContext) throws -> Settings {
        if pool.threadCount != record.threads {
            context.note(.resuming(.otherThreads(began: record.threads, now: pool.threadCount)))
        }
        return try Settings(resuming: self, pool: pool, context: context)
    }

    /// - Throws: `RunError` where another backbone is there now.
    package func check(_ backbone: Backbone) throws {
        guard backbone.isNamed(by: record.backboneSHA256, weights: record.backboneWeightsSHA256) else {
            throw RunError.otherBackbone(path: record.backbone, expected: record.backboneSHA256, actual: backbone.digest)
        }
    }

    /// - Parameter initialDigest: of the prompts to start from, as they are now.
    /// - Throws: `RunError` where they are others than when the run began.
    package func check(initialDigest: String?, path: String?) throws {
        guard initialDigest == record.initialSHA256 else { throw RunError.changed(file: path ?? "--init") }
    }

    /// - Parameter teacher: of regularized prompts, as it reads class names now.
    /// - Throws: `RunError` where it read them otherwise when the run began.
    func check(teacher: Templates?) throws {
        guard teacher?.digest == record.teacherSHA256 else { throw RunError.changed(file: teacher?.path ?? "--teacher-templates") }
    }

    /// - Parameter descriptions: in the place of class names, as they are now.
    /// - Throws: `RunError` where they were others when the run began.
    func check(descriptions: ClassDescriptions?, path: String?) throws {
        guard descriptions?.digest == record.descriptionsSHA256 else { throw RunError.changed(file: path ?? "--descriptions") }
    }
}

/// Runs in the runs folder.
package enum RunFinder {
    /// The unfinished run or group of seeds that was last written to and that nobody is working on.
    package static func newestUnfinished(_ kind: RunKind) throws -> String {
        let folders = ((try? directoryEntries(BackboneFinder.runsFolder)) ?? []).map { BackboneFinder.runsFolder.appendingPath($0) }
        let candidates = folders.filter { path in
            if let group = try? SeedGroup.read(path, kind: kind) {
                // A group of which nothing has begun was not stopped: its start failed.
                return !group.isFinished && !group.begun.isEmpty && isFree(path)
            }
            guard let record = try? RunRecord.read(run: path), record.kind == kind else { return false }
            return (try? RunResult.read(run: path)) == nil && isFree(path)
        }
        guard let newest = candidates.max(by: { modified($0) < modified($1) }) else { throw RunError.noneUnfinished(kind: kind.rawValue) }
        return newest
    }

    /// Whether nobody is working on it.
    private static func isFree(_ path: String) -> Bool { (try? DirectoryLock(directory: path)) != nil }

    /// When it was last worked on.
    private static func modified(_ run: String) -> Date {
        // A folder's own time changes when a file in it appears, be it only a lock; a log's with every step.
        func time(_ path: String) -> Date? {
            (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
        }
        let seeds = ((try? directoryEntries(run)) ?? []).filter { $0.hasPrefix("seed") }.map { $0 + "/metrics.jsonl" }
        return (["metrics.jsonl", "seeds.json"] + seeds).compactMap { time(run.appendingPath($0)) }.max() ?? .distantPast
    }
}
