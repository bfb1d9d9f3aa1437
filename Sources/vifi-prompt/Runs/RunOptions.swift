import ArgumentParser
import Experiments
import Files

/// How a run is kept, resumed and repeated.
struct RunOptions: ParsableArguments {
    @Flag(help: "Resume a run that was stopped: the one named, else the newest unfinished one in runs/. All settings come from its folder.")
    var resume = false

    @Argument(help: ArgumentHelp("With --resume: the run's folder.", valueName: "run"))
    var folder: String?

    @Option(
        help: ArgumentHelp("One run per seed, such as 1,2,3, each with its own draw of shots; mean and deviation are shown at the end.", valueName: "seeds"),
        transform: SeedList.init(argument:))
    var seeds: SeedList?

    @Option(help: ArgumentHelp("Minutes between two checkpoints, besides those at the ends of epochs; 0 saves after every step.", valueName: "minutes"))
    var saveEvery: Double?

    /// In seconds.
    var saveInterval: Double { saveEvery.map { $0 * 60 } ?? RunRequest.standardSaveInterval }

    func validate() throws {
        if let folder, !resume {
            throw ValidationError(
                "Unexpected argument '\(folder.escapedForDisplay)'." + (isDirectory(folder) ? " To resume a run, pass --resume before it." : ""))
        }
        if let saveEvery, !(saveEvery >= 0 && saveEvery <= 10_000) {
            throw ValidationError("--save-every is \(saveEvery); it must be between 0 and 10000 minutes.")
        }
    }

    /// What may stand beside --resume: nothing that changes what is computed.
    ///
    /// - Parameter arguments: after the command's name.
    func refuseOthers(among arguments: [String]) throws {
        var isValue = false
        for argument in arguments {
            defer { isValue = argument == "--threads" }
            if isValue || ["--resume", "--json"].contains(argument) || argument == folder || argument.hasPrefix("--threads") || argument == "--" { continue }
            let flag = argument.split(separator: "=", maxSplits: 1).first.map(String.init) ?? argument
            throw ValidationError(
                "\(flag) cannot go with --resume: a resumed run takes everything from its folder, so that it ends as if it "
                    + "had never stopped. Only --threads may differ. For other settings start a new run.")
        }
    }
}
