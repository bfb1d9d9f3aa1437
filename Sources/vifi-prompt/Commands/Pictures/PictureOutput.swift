import ArgumentParser
import Charts
import Files
import Foundation

/// Where pictures go.
struct PictureOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp("A folder, or a file whose ending says what is written; may be repeated. The folder pictures/ by default.", valueName: "path"))
    var output: [String] = []

    @Flag(help: "Overwrite files that are there and that vifi-prompt did not draw.")
    var force = false
}

/// The files that a command will write, checked before it begins to work.
struct PictureOutput {
    static let folder = "pictures"

    /// Ending, with its dot, and path.
    let files: [(ending: String, path: String)]

    /// - Parameters:
    ///   - outputs: folders and files; none for `folder`.
    ///   - name: of the files in a folder, without ending.
    ///   - endings: what can be written.
    ///   - isForced: whether files that others have made are replaced.
    /// - Throws: `PictureError` or `FileError` where something else was asked for or nothing can be written there.
    init(_ outputs: [String], name: String, endings: [String], folder: String = PictureOutput.folder, isForced: Bool = false) throws {
        var files: [(ending: String, path: String)] = []
        for output in outputs.isEmpty ? [folder] : outputs {
            let last = output.lastPathComponent
            let ending = last.lastIndex(of: ".").map { last[$0...].lowercased() } ?? ""
            if isDirectory(output) || output.hasSuffix("/") || !ending.contains(/^\.[a-z][a-z0-9]{1,4}$/) {
                files += endings.map { ($0, output.appendingPath(name + $0)) }
            } else if endings.contains(ending) {
                files.append((ending, output))
            } else {
                throw PictureError.ending(path: output, ending: ending, known: endings)
            }
        }
        for file in files { try Self.checkWritable(file.path, isForced: isForced) }
        self.files = files
    }

    /// Before hours of work, not after them.
    ///
    /// - Parameter isForced: whether a file that this program did not draw is replaced.
    static func checkWritable(_ path: String, isForced: Bool) throws {
        if isDirectory(path) { throw FileError(path: path, problem: .notRegular(kind: "a directory")) }
        var folder = path.parentDirectory
        while !fileExists(folder), folder.parentDirectory != folder { folder = folder.parentDirectory }
        guard isDirectory(folder) else {
            throw FileError(path: path, problem: .cannotCreate(reason: "\(folder.escapedForDisplay) is not a directory"))
        }
        guard unsafe access(folder, W_OK) == 0 else {
            throw FileError(path: path, problem: .cannotCreate(reason: "\(folder.escapedForDisplay) may not be written"))
        }
        guard isForced || !fileExists(path) || PictureMark.isIn(path) else { throw PictureError.exists(path: path) }
        try proveWritable(file: path)
    }

    /// Writes a chart in each form asked for, whole or not at all.
    func write(_ chart: Chart) throws {
        for file in files {
            try createDirectory(file.path.parentDirectory)
            try chart.write(to: file.path)
            Console.result(file.path.escapedForDisplay)
        }
    }
}

/// What is wrong with what a picture was asked for, or with the file that it is drawn from.
enum PictureError: ReportableError {
    case ending(path: String, ending: String, known: [String])
    case exists(path: String)
    case severalVideos(path: String)
    case noVideo
    case unknownClass(name: String, among: [String])
    case unknownBlock(Int, count: Int)
    case unknownHead(Int, count: Int)
    /// A file that is no table of confusion; the line is counted from 1.
    case confusion(path: String, line: Int, problem: String)
    case noConfusion(folder: String)
    case noRun(path: String?)
    case log(path: String, line: Int)
    case emptyLog(path: String)
    case tooManyRuns(count: Int, limit: Int)

    var exitStatus: ExitStatus {
        switch self {
        case .ending, .severalVideos, .noVideo, .unknownClass, .unknownBlock, .unknownHead, .tooManyRuns: .usage
        case .confusion, .log, .emptyLog: .badData
        case .exists: .inputOutput
        case .noConfusion, .noRun: .missingInput
        }
    }

    var description: String {
        switch self {
        case .ending(let path, let ending, let known):
            "\(path.escapedForDisplay): this picture is written as \(known.joined(separator: " or ")), not as '\(ending)'."
        case .exists(let path):
            "\(path.escapedForDisplay): already exists, and is no picture that vifi-prompt drew. Name another file with -o, or pass --force "
                + "to overwrite it."
        case .severalVideos(let path):
            "\(path.escapedForDisplay): one file cannot hold the pictures of several videos. Name a folder with -o."
        case .noVideo:
            "Of which video? Name one or more: `vifi-prompt viz attention CLIP.mp4 …`."
        case .unknownClass(let name, let among):
            "--class \"\(name.escapedForDisplay)\": there is no such class. "
                + (name.nearest(among: among).map { "Did you mean \"\($0.escapedForDisplay)\"?" }
                    ?? "The \(among.count) classes begin with \(among.prefix(3).map { "\"\($0.escapedForDisplay)\"" }.joined(separator: ", ")).")
        case .unknownBlock(let block, let count):
            "--from-block is \(block); the vision tower has blocks 1 to \(count)."
        case .unknownHead(let head, let count):
            "--head is \(head); the vision tower has heads 1 to \(count)."
        case .confusion(let path, let line, let problem):
            "\(path.escapedForDisplay), line \(line): \(problem). A table of confusion has the header `truth,<class names>` and a "
                + "row of counts for each class; `vifi-prompt evaluate list --output FOLDER` writes one."
        case .noConfusion(let folder):
            "\(folder.escapedForDisplay): holds no confusion.csv. `vifi-prompt evaluate list --output FOLDER` writes one."
        case .noRun(let path):
            (path.map { "\($0.escapedForDisplay): holds no run" } ?? "There is no run in runs/")
                + ": neither metrics.jsonl nor results.csv. `vifi-prompt learn` makes one."
        case .log(let path, let line):
            "\(path.escapedForDisplay), line \(line): not what a run writes there. Put the file back from a copy."
        case .emptyLog(let path):
            "\(path.escapedForDisplay): no step is in it yet."
        case .tooManyRuns(let count, let limit):
            "\(count) runs in one chart cannot be told apart; at most \(limit) can."
        }
    }
}
