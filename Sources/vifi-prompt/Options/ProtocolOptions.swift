import ArgumentParser
import CLIPModel
import Evaluation
import Files
import Tensors
import VideoData

/// Test lists, one or several.
struct TestListOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Test clips: lines `path label`, labels counted from 0. Repeated for several splits.", valueName: "list"))
    var val: [String] = []

    @Option(
        help: ArgumentHelp("Class names: CSV with the header `id,name`, one name a line, or JSON; the row is the label. One for all splits, or one for each.", valueName: "csv"))
    var labels: [String] = []

    func validate() throws {
        guard labels.count <= 1 || val.isEmpty || labels.count == val.count else {
            throw ValidationError("--labels stands there \(labels.count) times, --val \(val.count) times: pass one for all, or one for each.")
        }
    }

    /// Reads all lists.
    ///
    /// - Parameters:
    ///   - recipe: names a list where the command line does not.
    ///   - prompts: name the classes where nobody else does.
    /// - Returns: none where nobody named any: the pocket world is meant.
    func lists(_ recipe: Recipe, videos: VideoOptions, prompts: String? = nil) throws -> [(name: String, test: TestList)] {
        let paths = val.isEmpty ? [recipe.data.val].compactMap(\.self) : val
        let names = labels.isEmpty ? [recipe.data.labels].compactMap(\.self) : labels
        guard !(paths.isEmpty && names.isEmpty) else { return [] }
        if names.isEmpty, let learned = try EvaluationJob.learnedNames(prompts) {
            let titles = folderNames(paths)
            return try paths.enumerated().map { (titles[$0], try TestList($1, classes: learned, videos: videos, root: recipe.data.root)) }
        }
        guard !paths.isEmpty, let first = names.first else {
            throw SettingsError.incompleteData(missing: [paths.isEmpty ? "--val" : "--labels"])
        }
        let titles = folderNames(paths)
        let lists = try paths.enumerated().map { index, path in
            (titles[index], try TestList(path, labels: names.count > 1 ? names[index] : first, videos: videos, root: recipe.data.root))
        }
        if !videos.allowances.allowRepeats { try TestList.refuseRepeats(lists.map(\.1)) }
        return lists
    }
}

/// Names of files without folder and ending, made fit for folders and different from each other.
func folderNames(_ paths: [String]) -> [String] {
    var taken: Set<String> = []
    return paths.map { path in
        var stem = Substring(path.lastPathComponent)
        if let dot = stem.lastIndex(of: "."), dot > stem.startIndex { stem = stem[..<dot] }
        let name = String(stem.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0)) ? $0 : "-" })
        var candidate = name
        var number = 2
        while !taken.insert(candidate).inserted {
            candidate = "\(name)-\(number)"
            number += 1
        }
        return candidate
    }
}

/// Where a protocol goes, and how it is told.
struct ProtocolOutputOptions: ParsableArguments {
    @Flag(help: "The summary as JSON on standard output.")
    var json = false

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Folder of the evaluation; runs/evaluate-…, -2, -3, … by default. What is finished in it is not done again.",
            valueName: "folder"))
    var output: String?

    /// Prints what came out, and writes it: in this order, as it may be that nothing can be written.
    func show(_ summary: ProtocolSummary, table: [[String]], folder: ProtocolFolder) throws {
        Console.result(json ? String(try snakeCaseJSON(summary).dropLast()) : alignedTable(table))
        try folder.write(summary, table: table)
        if !json { Console.result("summary: \(folder.path.appendingPath("summary.json"))") }
    }
}

/// Whole numbers from 1 on, ascending, separated by commas.
struct ShotList: Equatable {
    let counts: [Int]

    init(argument: String) throws {
        let texts = argument.split(separator: ",", omittingEmptySubsequences: false)
        let counts = texts.compactMap { Int($0) }
        guard counts.count == texts.count, counts.allSatisfy({ (1...1_000_000).contains($0) }) else {
            throw ValidationError("\"\(argument)\" are no numbers of clips; write whole numbers from 1 on with commas, such as 2,4,8,16.")
        }
        self.counts = Set(counts).sorted()
    }
}

/// What is compared in a protocol.
enum LearningMethod: String, CaseIterable {
    /// The backbone as it is, by class names.
    case zeroShot = "zero-shot"
    case prompt
    case fineTune = "fine-tune"

    /// The command that learns it.
    var kind: RunKind? {
        switch self {
        case .zeroShot: nil
        case .prompt: .learn
        case .fineTune: .bridge
        }
    }

    var title: String {
        switch self {
        case .zeroShot: "nothing learned"
        case .prompt: "prompts"
        case .fineTune: "fine-tuning"
        }
    }
}

/// Methods in the order given, each once, separated by commas.
struct MethodList: Equatable {
    let methods: [LearningMethod]

    init(argument: String) throws {
        var methods: [LearningMethod] = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let method = LearningMethod(rawValue: String(name)) else {
                throw ValidationError("\"\(name)\" is no method; choose from \(LearningMethod.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            if !methods.contains(method) { methods.append(method) }
        }
        self.methods = methods
    }
}

/// How a protocol learns what it scores.
struct ProtocolLearningOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What is compared, with commas: prompt, fine-tune, and zero-shot for the backbone as it is.", valueName: "methods"),
        transform: MethodList.init(argument:))
    var methods: MethodList?

    @Option(help: "Passes over the training clips.")
    var epochs: Int?

    @Option(help: "What fine-tuning trains: both towers, image or text.")
    var tuning: Tuning?

    @Option(
        help: ArgumentHelp("Backbone that fine-tuning starts from; --backbone by default. The paper's table 3 starts from CLIP.", valueName: "file"))
    var fineTuneBackbone: String?

    @Option(
        help: ArgumentHelp(
            "What of a run is scored: last, or best on the base or only test list, as ViFi-CLIP's code has it; last chooses nothing by looking.",
            valueName: "which"))
    var checkpoint = Checkpoint.last

    @Option(help: ArgumentHelp("Minutes between two checkpoints of a run.", valueName: "minutes"))
    var saveEvery: Double?

    @Flag(help: "Tell what it would learn and score and how long that takes here; nothing is started or kept.")
    var plan = false

    enum Checkpoint: String, CaseIterable, ExpressibleByArgument {
        case last, best
    }

    func apply(to recipe: inout Recipe) {
        recipe.training.epochs = epochs ?? recipe.training.epochs
        recipe.tuning = tuning ?? recipe.tuning
    }
}
