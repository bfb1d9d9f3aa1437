import ArgumentParser
import Experiments
import Files

extension BaseClasses: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

/// Halves that were made before, and how they are made here.
struct HalvesOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Folder that `data split --base-novel` wrote, with both halves and the draws.", valueName: "folder"))
    var halves: String?

    @Option(help: ArgumentHelp("A draw from the base classes. Repeated, one for each.", valueName: "list"))
    var baseTrain: [String] = []

    @Option(
        name: [.customLong("base-test"), .customLong("base-val")], help: ArgumentHelp("Test clips of the base classes.", valueName: "list"))
    var baseTest: String?

    @Option(
        name: [.customLong("novel-test"), .customLong("novel-val")], help: ArgumentHelp("Test clips of the novel classes.", valueName: "list"))
    var novelTest: String?

    @Option(help: ArgumentHelp("Names of the base classes, numbered from 0.", valueName: "csv"))
    var baseLabels: String?

    @Option(help: ArgumentHelp("Names of the novel classes, numbered from 0.", valueName: "csv"))
    var novelLabels: String?

    @Option(
        help: ArgumentHelp(
            "Which classes of --labels are base: frequent (the default), alphabet-first, alphabet-last, or a CSV that names them.",
            valueName: "which"))
    var baseClasses: BaseClasses?

    /// Nothing names halves that are there.
    var isEmpty: Bool {
        halves == nil && baseTrain.isEmpty && [baseTest, novelTest, baseLabels, novelLabels].allSatisfy { $0 == nil }
    }

    func validate() throws {
        if case .named(let path) = baseClasses, !fileExists(path), let meant = path.nearest(among: BaseClasses.words) {
            throw ValidationError("--base-classes \(path.escapedForDisplay): no such file. Did you mean '\(meant)'?")
        }
        guard isEmpty || baseClasses == nil else { throw ValidationError("--base-classes halves --labels; the named halves are already halved.") }
        guard !isEmpty, halves == nil else { return }
        let missing = [("--base-test", baseTest), ("--novel-test", novelTest), ("--base-labels", baseLabels), ("--novel-labels", novelLabels)]
            .filter { $0.1 == nil }.map(\.0)
        guard missing.isEmpty else {
            throw ValidationError("The halves need \(missing.joined(separator: ", ")) too, or --halves FOLDER for all of them.")
        }
    }

    var inputs: HalvesInputs {
        HalvesInputs(
            halves: halves, baseTrain: baseTrain, baseTest: baseTest, novelTest: novelTest, baseLabels: baseLabels, novelLabels: novelLabels)
    }
}
