import Files

/// What is wrong with what a picture was asked for, or with the file that it is drawn from.
package enum PictureError: ReportableError {
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

    package var exitStatus: ExitStatus {
        switch self {
        case .ending, .severalVideos, .noVideo, .unknownClass, .unknownBlock, .unknownHead, .tooManyRuns: .usage
        case .confusion, .log, .emptyLog: .badData
        case .exists: .inputOutput
        case .noConfusion, .noRun: .missingInput
        }
    }

    package var description: String {
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
