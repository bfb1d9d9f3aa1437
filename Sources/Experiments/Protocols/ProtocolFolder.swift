import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Training
import VideoData

/// The folder of a protocol: what determines its numbers, what it drew, learned and scored, and what came out.
///
///     protocol.json    what determines the numbers; another one is refused
///     lists/           lists and class names that were drawn here
///     recipes/         the settings of what is learned
///     runs/            a run for everything that is learned
///     evaluations/     a folder for every list that is scored: EvaluationFolder
///     summary.json, summary.csv, table.csv   ProtocolSummary
///
/// What is finished in it is not done again, so the same command goes on with a protocol that was stopped.
package final class ProtocolFolder {
    package let path: String
    /// As it was typed.
    package let command: String
    /// The command that goes on with it.
    package let resume: String
    private let lock: DirectoryLock
    package let context: RunContext
    /// For a plan, which leaves nothing behind.
    private let isTemporary: Bool

    /// What determines the numbers of a protocol. What only adds to them, such as another split or seed, is not there.
    package struct Setup: Codable, Equatable {
        package var evaluationProtocol: String
        /// Digests and settings by what they are of, in words. Inputs that one command has and another has not belong to
        /// other parts of the protocol.
        package var inputs: [String: String]
        package var workingDirectory = currentDirectory
        package var version = vifiPromptVersion

        package init(evaluationProtocol: String, inputs: [String: String]) {
            self.evaluationProtocol = evaluationProtocol
            self.inputs = inputs
        }
    }

    private static let setupName = "protocol.json"

    /// A new folder, or one with the same setup that is gone on with.
    ///
    /// - Parameters:
    ///   - output: nil for the next free folder under runs/.
    ///   - isTemporary: a folder elsewhere that goes when this is not used any more.
    /// - Throws: `ProtocolError` where the folder holds something else.
    package init(output: String?, setup: Setup, isTemporary: Bool = false, context: RunContext) throws {
        self.context = context
        command = shellCommand(context.invocation)
        self.isTemporary = isTemporary
        let elsewhere = isTemporary ? NSTemporaryDirectory().appendingPath("vifi-prompt-plan-\(UUID().uuidString)") : nil
        path = try elsewhere ?? output ?? RunDirectory.next(in: BackboneFinder.runsFolder, name: "evaluate-" + setup.evaluationProtocol)
        resume = shellCommand(context.invocation.without(options: ["--output", "-o"]) + ["--output", path])
        if isDirectory(path), !fileExists(path.appendingPath(Self.setupName)) {
            let others = try directoryEntries(path).filter { !FolderMark.isOwn($0) && !TemporaryPath.isName($0, of: Self.setupName) }
            guard others.isEmpty else { throw ProtocolError.notAProtocol(path: path, holds: others[0]) }
        }
        try createDirectory(path)
        lock = try DirectoryLock(directory: path)
        let file = path.appendingPath(Self.setupName)
        guard let found = try readJSON(Setup.self, file) else {
            try DurableFile.write(json(setup), to: file)
            return
        }
        guard found.workingDirectory == setup.workingDirectory else {
            throw ProtocolError.otherWorkingDirectory(path: path, folder: found.workingDirectory)
        }
        if found.evaluationProtocol != setup.evaluationProtocol {
            throw ProtocolError.otherSetup(path: path, difference: "protocol (\(found.evaluationProtocol))")
        }
        if let key = setup.inputs.keys.sorted().first(where: { key in found.inputs[key].map { $0 != setup.inputs[key] } ?? false }) {
            let difference = key + Self.changedLines(now: setup.inputs[key] ?? "", before: found.inputs[key] ?? "")
            throw ProtocolError.otherSetup(path: path, difference: difference)
        }
        var extended = found
        extended.inputs.merge(setup.inputs) { $1 }
        if extended != found { try DurableFile.write(json(extended), to: file) }
        if found.version != vifiPromptVersion {
            context.warning(.resuming(.otherVersionOfFolder(path: path, began: found.version, now: vifiPromptVersion)))
        }
        context.note(.resuming(.continuing(path: path)))
    }

    deinit {
        if isTemporary { removeTree(path) }
    }

    /// " (now steps: 3, before steps: 2)" of texts of several lines, such as recipes; nothing of digests.
    private static func changedLines(now: String, before: String) -> String {
        let (new, old) = (now.split(separator: "\n"), before.split(separator: "\n"))
        guard max(new.count, old.count) > 1 else { return "" }
        func first(_ lines: [Substring], notIn others: [Substring]) -> String {
            lines.first { !others.contains($0) }.map { $0.trimmingCharacters(in: .whitespaces) } ?? "without it"
        }
        return " (now \(first(new, notIn: old)), before \(first(old, notIn: new)))"
    }

    // MARK: Lists that are drawn

    /// Writes a list that was drawn here. Returns it as it is scored.
    package func write(_ list: AnnotationList, _ classes: ClassNames, name: String) throws -> TestList {
        let folder = path.appendingPath("lists")
        try createDirectory(folder)
        let file = folder.appendingPath(name + ".txt")
        let digest = try DurableFile.write(AnnotationList.bytes(of: list.clips), to: file)
        try DurableFile.write(classes.text, to: folder.appendingPath(name + "-labels.csv"))
        return TestList(list: AnnotationList(path: file, root: list.root, clips: list.clips), classes: classes, sha256: digest)
    }

    /// Writes the settings of what is learned.
    package func write(_ recipe: Recipe, name: String) throws {
        try createDirectory(path.appendingPath("recipes"))
        let file = path.appendingPath("recipes/\(name).yaml")
        try DurableFile.write(recipe.yaml, to: file)
    }

    // MARK: Evaluations

    package func evaluationFolder(_ name: String) -> EvaluationFolder { EvaluationFolder(path.appendingPath("evaluations").appendingPath(name)) }

    package func write(_ summary: ProtocolSummary, table: [[String]]) throws {
        try DurableFile.write(summary.csv, to: path.appendingPath("summary.csv"))
        try DurableFile.write(
            table.map { $0.map(\.csvField).joined(separator: ",") + "\n" }.joined(), to: path.appendingPath("table.csv"))
        try DurableFile.write(ResultJSON.text(summary), to: path.appendingPath("summary.json"))
    }
}

/// What keeps a protocol from starting or going on.
package enum ProtocolError: ReportableError {
    case notAProtocol(path: String, holds: String)
    case otherSetup(path: String, difference: String)
    case otherWorkingDirectory(path: String, folder: String)
    case stopped(finished: Int, total: Int, resume: String)
    case emptyHalf(path: String, half: String)
    case tooFewClasses(path: String, classes: Int, asked: Int)
    case unknownBaseClass(path: String, name: String, nearest: String?)
    case noHalf(path: String, base: Int, of: Int)
    case missingFile(folder: String, name: String)
    case otherRoots(train: String, val: String)
    /// A head, which knows no novel class.
    case learnedClassesOnly(method: String)
    /// Best is asked for, without a validation list of the classes that are learned.
    case nothingToChooseOn
    /// A method that learns classes, with captions.
    case noCaptions(method: String)

    package var exitStatus: Files.ExitStatus {
        switch self {
        case .notAProtocol: .inputOutput
        case .otherSetup, .tooFewClasses, .noHalf: .badConfiguration
        case .otherWorkingDirectory, .otherRoots, .learnedClassesOnly, .nothingToChooseOn, .noCaptions: .usage
        case .stopped: .interrupted
        case .emptyHalf, .unknownBaseClass: .badData
        case .missingFile: .missingInput
        }
    }

    package var description: String {
        switch self {
        case .notAProtocol(let path, let holds):
            "\(path.escapedForDisplay): holds \(holds.escapedForDisplay), which is no part of an evaluation. Choose another --output."
        case .otherSetup(let path, let difference):
            "\(path.escapedForDisplay): holds an evaluation whose \(difference.escapedForDisplay) differs; numbers of both "
                + "cannot stand in one table. Choose another --output, or repeat the command that began it."
        case .otherWorkingDirectory(let path, let folder):
            "\(path.escapedForDisplay): was begun in \(folder.escapedForDisplay), where its paths start. Go there and repeat the command."
        case .stopped(let finished, let total, let resume):
            "stopped on request after \(finished) of \(total) parts, which are kept. Resume with: \(resume)"
        case .emptyHalf(let path, let half):
            "\(path.escapedForDisplay): holds no video of a \(half) class. Check that lists and class names belong together."
        case .tooFewClasses(let path, let classes, let asked):
            "\(path.escapedForDisplay): \(counted(classes, "class", "classes")) to draw from, \(asked) are asked for. Lower --classes-per-draw."
        case .unknownBaseClass(let path, let name, let nearest):
            "\(path.escapedForDisplay): \"\(name.escapedForDisplay)\" is none of the classes." + (nearest.map { " Did it mean \"\($0.escapedForDisplay)\"?" } ?? "")
        case .noHalf(let path, let base, let count):
            "\(path.escapedForDisplay): \(base) of \(count) classes are base; at least one must be, and one must not."
        case .missingFile(let folder, let name):
            "\(folder.escapedForDisplay): there is no \(name). `vifi-prompt data split --base-novel --test LIST --output FOLDER` makes all that is needed."
        case .learnedClassesOnly(let method):
            "\(method) scores the classes that it learned from, so that the novel ones cannot be scored. Leave it out of --methods; evaluate few-shot "
                + "takes it."
        case .noCaptions(let method):
            "\(method) learns classes, and no captions. Leave it out of --methods; retrieval compares "
                + "\(RetrievalMethods.all.map(\.rawValue).joined(separator: ", "))."
        case .nothingToChooseOn:
            "--checkpoint best is chosen on a validation list of the classes that are learned: name one with --train-val, or leave it out."
        case .otherRoots(let train, let val):
            "paths of the training list start from \(train.escapedForDisplay), those of the list that best is chosen on from \(val.escapedForDisplay). "
                + "Pass --root with a folder that holds both, or leave out --checkpoint best."
        }
    }
}
