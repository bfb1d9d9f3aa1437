import Files
import Recipes
import Training

/// Which part of something larger begins: a cell of a grid, a seed, a part of a protocol.
package enum PartNote: Sendable, Equatable, CustomStringConvertible {
    /// - Parameter number: counts from 1; so in the next ones.
    case cell(named: String, grid: String, number: Int, of: Int)
    case cellIsFinished(named: String, grid: String)
    case seed(Int, number: Int, of: Int, folder: String)
    /// - Parameter secondsLeft: nil before anything was done.
    case part(named: String, number: Int, of: Int, secondsLeft: Double?)
    /// Of the pocket world's experiments.
    case run(RunKind, folder: String)

    package var description: String {
        switch self {
        case .cell(let cell, let grid, let number, let count): "\(grid), cell \(number) of \(count): \(cell)"
        case .cellIsFinished(let cell, let grid): "\(grid), \(cell): finished already"
        case .seed(let seed, let number, let count, let folder): "Seed \(seed), \(number) of \(count): \(folder.escapedForDisplay)"
        case .part(let title, let number, let count, let secondsLeft):
            "Part \(number) of \(count)\(secondsLeft.map { ", about \(NumberText.time($0)) left" } ?? ""): \(title)"
        case .run(let kind, let folder): "\(kind.rawValue): \(folder.escapedForDisplay)"
        }
    }
}

/// What numbers that follow stand on, and where more of them are.
package enum ScoringNote: Sendable, Equatable, CustomStringConvertible {
    case scored(model: String, frames: Int, views: Views)
    case learned(clips: Int, classes: Int, seeds: Int)
    /// - Parameter isReplaced: whether others were there.
    case retrievalFiles(folder: String, withEmbeddings: Bool, isReplaced: Bool)

    package var description: String {
        switch self {
        case .scored(let model, let frames, let views):
            "\(model.escapedForDisplay), \(frames) frames, views \(views.text); shares in percent"
        case .learned(let clips, let classes, let seeds):
            "Learned from \(counted(clips, "clip", "clips")) of \(counted(classes, "class", "classes")); shares in percent"
                + (seeds > 1 ? ", mean ± deviation over \(seeds) seeds and all lists" : "")
        case .retrievalFiles(let folder, let withEmbeddings, let isReplaced):
            "Wrote metrics.json, ranks.csv\(withEmbeddings ? ", top.jsonl and embeddings.safetensors" : " and top.jsonl") to "
                + folder.escapedForDisplay + (isReplaced ? ", in place of those that were there" : "")
        }
    }
}
