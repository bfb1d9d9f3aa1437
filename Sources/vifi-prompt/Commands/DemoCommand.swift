import ArgumentParser
import CLIPModel
import Experiments
import Files
import Foundation
import Recipes
import Tensors
import Training
import VideoData

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Makes the pocket world: videos that play out actions, and a small CLIP that knows stills.",
        subcommands: [Videos.self, Pretrain.self, Table.self, Late.self, Report.self])

    struct Videos: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draws both data sets as .mp4 files with lists and labels.",
            discussion: "The other commands do this by themselves when they need the videos.")

        @Option(
            name: .shortAndLong,
            help: ArgumentHelp("Folder for the videos; where the other commands look for them by default.", valueName: "folder"))
        var output: String?

        func validate() throws { try OutputFolder.check(output) }

        func run() throws {
            let pool = WorkerPool()
            for catalog in [PocketCatalog.large(), PocketCatalog.small()] {
                if let output { try PocketHome.claim(catalog, root: output) }
                let set = try PocketHome.dataSet(catalog, root: output ?? PocketHome.dataRoot, pool: pool, context: .commandLine)
                Console.result(
                    "\(set.root): \(catalog.classes.count) classes, \(catalog.train.count) training, "
                        + "\(catalog.validation.count) validation and \(catalog.test.count) test videos")
            }
        }
    }

    struct Pretrain: PlannableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pretrain",
            abstract: "Trains the pocket CLIP from nothing on captioned stills.",
            discussion: "This is how Checkpoints/pocket-clip.safetensors was made.")

        @Option(name: .shortAndLong, help: ArgumentHelp("Where the backbone goes.", valueName: "file"))
        var output = "pocket-clip.safetensors"

        @Option(help: "Steps of 96 stills.")
        var steps = ContrastivePretrainer.Configuration().stepCount

        @Option(help: "Seed of the weights and the stills.")
        var seed: UInt64 = 1

        @Option(help: "Threads; all processors by default.")
        var threads: Int?

        @OptionGroup(title: "Plan") var planning: DryRunOptions
        @OptionGroup(title: "Plan") var planForm: PlanFormOptions

        var json: Bool { planForm.json }
        private var pool: WorkerPool { WorkerPool(threadCount: threads ?? WorkerPool.availableProcessors) }
        private var trainer: ContrastivePretrainer {
            var configuration = ContrastivePretrainer.Configuration()
            configuration.stepCount = steps
            configuration.seed = seed
            return ContrastivePretrainer(configuration)
        }

        func validate() throws {
            try requireRange("--steps", steps, 1...1_000_000)
        }

        func plan(timing: Bool) throws -> any CostPlan { try trainer.plan(pool: pool, timing: timing) }

        func start() throws {
            try planForm.refuseAlone()
            let progress = ProgressReporter("pretrain", total: steps, unit: "steps")
            var loss = 0.0
            var accuracy = 0.0
            let backbone = try trainer.run(pool: pool) { report in
                let weight = 1 / min(50, Double(report.step + 1))
                loss += (report.loss - loss) * weight
                accuracy += (report.accuracy - accuracy) * weight
                progress.show(
                    report.step + 1,
                    detail: "loss \(NumberText.decimal(loss, places: 3)), "
                        + "own caption nearest \(NumberText.decimal(100 * accuracy, places: 0)) %")
            }
            progress.finish()
            // Half precision halves the file; everything after sees exactly what the file holds.
            let rounded = backbone.roundedToFloat16()
            try rounded.save(to: output, elementType: .float16)
            Console.result("\(output): \(rounded.parameterCount) parameters, digest \(rounded.digest)")
        }
    }

    struct Table: PlannableCommand {
        static let configuration = CommandConfiguration(
            commandName: "table",
            abstract: "Measures the pocket world's table over several seeds (about an hour on two cores).",
            discussion: "This is how Checkpoints/pocket-results.csv was made. Runs that already exist are not repeated.")

        @Option(help: ArgumentHelp("Seeds, with commas; 1,2,3,4,5 by default.", valueName: "seeds"), transform: SeedList.init(argument:))
        var seeds: SeedList?

        @Option(help: ArgumentHelp("The bridged pocket CLIP of seed 1; by default the one that comes with the program.", valueName: "file"))
        var bridged: String?

        @Option(help: ArgumentHelp("Folder for the runs.", valueName: "folder"))
        var runs = "runs/pocket-table"

        @Option(name: .shortAndLong, help: ArgumentHelp("Where the results go.", valueName: "csv"))
        var output = PocketResults.fileName

        @OptionGroup(title: "Plan") var planning: DryRunOptions
        @OptionGroup(title: "Plan") var planForm: PlanFormOptions

        var json: Bool { planForm.json }
        private var seedNumbers: [Int] { seeds?.values ?? [1, 2, 3, 4, 5] }

        private func experiment() throws -> PocketExperiment {
            PocketExperiment(
                folder: runs, set: try PocketHome.dataSet(.small(), pool: WorkerPool(), context: .commandLine),
                firstBridged: try bridged ?? BundledFiles.path(of: "Checkpoints/pocket-bridged.safetensors"), context: .commandLine)
        }

        func plan(timing: Bool) throws -> any CostPlan { try experiment().plan(seeds: seedNumbers, timing: timing) }

        func start() throws {
            try planForm.refuseAlone()
            let experiment = try experiment()
            var results = PocketResults.measuredHere()
            for seed in seedNumbers {
                try experiment.measure(seed: seed) { measure, top1 in
                    results.set(measure, seed: seed, top1: top1)
                    Console.note("seed \(seed), \(measure.title): \(percent(top1))")
                    try DurableFile.write(results.csv, to: output)
                }
            }
            Console.result(results.table(beside: PocketResults()))
        }
    }

    struct Report: PlannableCommand {
        static let configuration = CommandConfiguration(
            commandName: "report",
            abstract: "Prints the recorded table beside what the newest runs here reached.")

        @OptionGroup(title: "Plan") var planning: DryRunOptions
        @OptionGroup(title: "Plan") var planForm: PlanFormOptions

        var json: Bool { planForm.json }

        private func experiment() throws -> PocketExperiment {
            PocketExperiment(
                folder: BackboneFinder.runsFolder, set: try PocketHome.dataSet(.small(), pool: WorkerPool(), context: .commandLine),
                firstBridged: try BackboneFinder.bridgedBackbone(), context: .commandLine)
        }

        func plan(timing: Bool) throws -> any CostPlan {
            let experiment = try experiment()
            return try experiment.planZeroShot(
                [(PocketMeasure.imageZeroShot.title, BackboneFinder.imageBackbone()), (PocketMeasure.bridgedZeroShot.title, experiment.firstBridged)],
                timing: timing)
        }

        func start() throws {
            try planForm.refuseAlone()
            let recorded = try PocketResults(path: BundledFiles.path(of: "Checkpoints/\(PocketResults.fileName)"))
            var here = PocketResults.measuredHere()
            let experiment = try experiment()
            here.set(.imageZeroShot, seed: 1, top1: try experiment.zeroShot(BackboneFinder.imageBackbone()))
            here.set(.bridgedZeroShot, seed: 1, top1: try experiment.zeroShot(experiment.firstBridged))
            let prompts = BackboneFinder.newestPrompts()
            if let prompts {
                // What the validation list chose, on the test list, as in the recorded rows.
                let header = try PromptFile.load(prompts).header
                let measure: PocketMeasure? = header.shots == 2 ? .prompts2 : header.shots == 8 ? .prompts8 : nil
                let run = prompts.parentDirectory.parentDirectory
                if let measure, let top1 = try RunResult.read(run: run)?.test?.top1 {
                    here.set(measure, seed: Int(clamping: header.seed), top1: top1)
                }
            }
            Console.result(recorded.table(beside: here))
            if let prompts { Console.result("prompts: \(prompts)") }
        }
    }
}
