import ArgumentParser
import Experiments
import Files
import Recipes
import Reports
import Tensors
import VideoData

/// Runs the cells of an ablation and sums them up.
struct AblateCommand: PlannableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ablate",
        abstract: "Runs a grid of settings, each an ordinary run, and sums it up as a table and a chart.",
        discussion: """
              vifi-prompt ablate depth
              vifi-prompt ablate shots --seeds 1,2,3
              vifi-prompt ablate methods --methods zero-shot,prompt,coop,a5,lora \\
                  --shots 2,8
              vifi-prompt ablate prompt-sides --shots 8 --train train.txt --val val.txt \\
                  --labels labels.csv --backbone Checkpoints/bridged-k400.safetensors

            components: which tower learns; fusion: how frames come together; prompt-sides: prompts in one tower \
            or both; depth, tokens: how many layers and tokens; bridged: prompts with and without the bridge; \
            shots: prompts against fine-tuning; methods: what evaluate few-shot takes as --methods, each with each number \
            of --shots, seeds 1,2,3. Every cell is told with what it learned, GFLOPs of a view, seconds and peak memory.

            Without --train, --val, --test and --labels they run on the pocket world (Recipes/pocket/ablations), else with \
            the paper's settings (Recipes/ablations). A recipe of your own with `grid:` is named by its file.

            Repeat the command to continue a grid that was stopped, or to run new seeds.
            """)

    @Argument(help: ArgumentHelp("Grids, or files that hold one; all that come with the program by default.", valueName: "grid"))
    var grids: [String] = []

    @OptionGroup(title: "Data") var data: DataOptions
    @OptionGroup(title: "Model") var model: ModelOptions

    @Option(
        help: ArgumentHelp(
            "The CLIP that was not bridged, for cells that start from it, and for methods that train the whole CLIP.", valueName: "file"))
    var imageBackbone: String?

    @Option(
        help: ArgumentHelp(
            "For grids of methods: what is compared, with commas, by the names that evaluate few-shot takes.", valueName: "methods"),
        transform: CommaList.init(argument:))
    var methods: CommaList<MethodMember>?

    @Option(
        help: ArgumentHelp(
            "Clips of each class to learn from, in cells that do not vary them; for grids of methods several numbers, with commas.",
            valueName: "numbers"),
        transform: ShotList.init(argument:))
    var shots: ShotList?

    @Option(help: "Passes over the training clips.")
    var epochs: Int?

    @Option(help: ArgumentHelp("Seeds of each cell, such as 1,2,3; 1 by default, or what the grid says.", valueName: "seeds"), transform: SeedList.init(argument:))
    var seeds: SeedList?

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A recipe in place of the grid's own settings; its cells go over it.", valueName: "recipe"))
    var recipe: String?

    @Option(
        name: .customLong("set"),
        help: ArgumentHelp("One setting of all cells by its recipe key, such as training.epochs=20. May be repeated.", valueName: "key=value"))
    var assignments: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("Folder of the grid; runs/ablate-<grid> by default.", valueName: "folder"))
    var output: String?

    @OptionGroup(title: "Plan") var planning: DryRunOptions

    @Flag(help: jsonHelp)
    var json = false

    private var isPocket: Bool {
        var named = Recipe()
        data.apply(to: &named)
        named.model.checkpoint = model.backbone ?? imageBackbone
        return named.meansPocket
    }

    func validate() throws { try OutputFolder.check(output) }

    func start() throws {
        let resume = shellCommand(processArguments)
        let grids = try runs().map { try $0.run(threads: model.threads, resume: resume) }
        if json { try Console.json(Report(grids: grids)) }
    }

    /// What `--json` prints.
    private struct Report: Encodable {
        let grids: [AblationReport]
    }

    func plan(timing: Bool) throws -> any CostPlan {
        AblationPlans(try runs().map { try $0.plan(timing: timing, threads: model.threads) })
    }

    private func runs() throws -> [AblationRun] {
        let names = grids.isEmpty ? AblationGrid.names : grids
        return try names.map { name in
            let grid = try grid(name)
            let folder = output.map { names.count > 1 ? $0.appendingPath(grid.name) : $0 }
                ?? BackboneFinder.runsFolder.appendingPath("ablate-\(grid.name)")
            return try AblationRun(
                grid, seeds: seeds?.values ?? grid.seeds, path: folder, context: .commandLine(json: json), draw: { try $0.drawChart(into: $1) }
            ) { try request(of: $0, in: grid) }
        }
    }

    private func grid(_ name: String) throws -> AblationGrid {
        var grid = try AblationGrid.named(name, forPocket: isPocket)
        if !grid.methods.isEmpty {
            grid.compare(methods?.values.map(\.rawValue), shots: shots?.values)
        } else if methods != nil {
            throw AblationError.notOfMethods(grid: grid.name, option: "--methods")
        } else if let shots, shots.values.count > 1 {
            throw AblationError.notOfMethods(grid: grid.name, option: "a list of --shots")
        }
        return grid
    }

    // MARK: A cell

    private func request(of cell: AblationGrid.Cell, in grid: AblationGrid) throws -> RunRequest {
        var flags = Recipe()
        if isPocket {
            if cell.needsSmallSet {
                try PocketHome.dataSet(.small(), pool: model.pool, context: .commandLine).apply(to: &flags)
            } else {
                flags.data.train = PocketHome.name
            }
        }
        data.apply(to: &flags)
        flags.model.checkpoint = try backbone(of: cell)
        flags.model.precision = model.precision
        flags.training.shots = shots?.values.first
        flags.training.epochs = epochs
        try flags.checkFlags()
        // Whoever asks for epochs does not want a cell's number of steps; what the command line sets goes over the cell.
        let own = cell.assignments.filter { epochs == nil || !$0.hasPrefix("training.steps=") }
        let source = RecipeSource(file: cell.recipe ?? recipe ?? grid.path, flags: flags, assignments: own + assignments)
        guard let kind = cell.kind else {
            return try MethodCells(
                model: model.inputs, videos: data.videos.inputs, wholeBackbone: imageBackbone, isPocket: isPocket
            ).request(cell.method ?? "", source, path: grid.path)
        }
        return RunRequest(
            kind, recipe: try source.given(), asked: try source.asked(), videos: data.videos.inputs, model: model.inputs)
    }

    /// The CLIP that a cell starts from; on the pocket world always one that comes with the program, whatever was
    /// bridged here.
    private func backbone(of cell: AblationGrid.Cell) throws -> String? {
        let start = cell.backbone ?? (cell.kind == .bridge && isPocket ? .image : .bridged)
        switch start {
        case .image:
            if let imageBackbone { return imageBackbone }
            guard isPocket else { throw AblationError.noImageBackbone(cell: cell.name) }
            return try BackboneFinder.imageBackbone()
        case .bridged:
            return try model.backbone ?? (isPocket ? BundledFiles.path(of: "Checkpoints/pocket-bridged.safetensors") : nil)
        }
    }
}
