import ArgumentParser
import Experiments
import Files
import Recipes
import Tensors
import Training
import VideoData

extension DemoCommand {
    struct Late: PlannableCommand {
        static let configuration = CommandConfiguration(
            commandName: "late",
            abstract: "Measures what late prompts and --quick give up, and what they gain.",
            discussion: """
                Each row of docs/late-prompts.md, once a seed, on the pocket world's small data set. What the results' \
                file holds already is not measured again. Times mean something on an idle machine only.
                """)

        @Option(help: ArgumentHelp("Seeds, with commas; 1,2,3 by default.", valueName: "seeds"), transform: SeedList.init(argument:))
        var seeds: SeedList?

        @Option(help: ArgumentHelp("Clips of each class, with commas; 2,8 by default.", valueName: "numbers"), transform: ShotList.init(argument:))
        var shots: ShotList?

        @Option(help: ArgumentHelp("The bridged CLIP; the one that came with the program by default.", valueName: "file"))
        var bridged: String?

        @Option(help: ArgumentHelp("Folder for the runs.", valueName: "folder"))
        var runs = "runs/late-prompts"

        @Option(name: .shortAndLong, help: ArgumentHelp("Where the results go.", valueName: "csv"))
        var output = LateExperiment.fileName

        @OptionGroup(title: "Plan") var planning: DryRunOptions
        @OptionGroup(title: "Plan") var planForm: PlanFormOptions

        var json: Bool { planForm.json }
        private var shotCounts: [Int] { shots?.values ?? [2, 8] }
        private var seedNumbers: [Int] { seeds?.values ?? [1, 2, 3] }

        /// With what was measured before.
        private func experiment() throws -> LateExperiment {
            var experiment = LateExperiment(
                folder: runs, set: try PocketHome.dataSet(.small(), pool: WorkerPool(), context: .commandLine),
                bridged: try bridged ?? BundledFiles.path(of: "Checkpoints/pocket-bridged.safetensors"), context: .commandLine)
            if fileExists(output) { try experiment.read(output) }
            return experiment
        }

        func plan(timing: Bool) throws -> any CostPlan { try experiment().plan(shots: shotCounts, seeds: seedNumbers, timing: timing) }

        func start() throws {
            try planForm.refuseAlone()
            var experiment = try experiment()
            for shots in shotCounts {
                for seed in seedNumbers {
                    for variant in LateVariant.allCases {
                        let measure = try experiment.measure(.init(variant: variant, shots: shots, seed: seed))
                        Console.note(
                            "\(shots) shots, seed \(seed), \(variant.title): \(percent(measure.top1)) in "
                                + "\(NumberText.decimal(measure.seconds, places: 1)) s")
                        try DurableFile.write(experiment.csv, to: output)
                    }
                }
            }
            Console.result(experiment.table)
        }
    }
}
