import CLIPModel
import Evaluation
import Experiments
import Files
import Foundation
import Recipes
import Training
import VideoData

/// A run of `learn` or `bridge`.
package struct ReportRun {
    package struct Prompts {
        package let file: String
        package let digest: String
        package let parameters: Int
    }

    package let name: String
    package let path: String
    /// Nil for runs of early programs, and those that never began.
    package let record: RunRecord?
    /// Dotted keys of the resolved recipe, in its order.
    package let settings: [(key: String, value: String)]
    /// What `environment.json` says, by key.
    package let environment: [String: String]
    package let result: RunResult?
    /// Nil before the first step.
    package let log: RunLog?
    package let prompts: [Prompts]
    /// None where the run learned from captions, or keeps no list of them.
    package let classNames: [String]

    package func setting(_ key: String) -> String? { settings.first { $0.key == key }?.value }

    /// Runs that differ in the seed alone are of one group.
    package var group: [String] {
        settings.filter { $0.key != "training.seed" }.map { "\($0.key)=\($0.value)" }
            + [record?.kind.rawValue ?? "", record?.backboneSHA256 ?? "", record?.lists["val"]?.sourceSHA256 ?? "", record?.lists["test"]?.sourceSHA256 ?? "", record?.lists["train"]?.sourceSHA256 ?? ""]
    }
}

/// An evaluated list.
package struct ReportEvaluation {
    package let name: String
    package let path: String
    package let record: EvaluationRecord
    package let classes: [ReportFiles.ClassResult]
    package let confusion: ConfusionTable?
    /// Nil without predictions.jsonl.
    package let wrong: [ReportFiles.Video]?

    /// Where a video lies.
    package func videoPath(_ video: String) -> String { video.hasPrefix("/") ? video : record.root.appendingPath(video) }
}

/// Everything that was found below some folders, in the order of their names.
package struct ReportMaterial {
    package private(set) var runs: [ReportRun] = []
    package private(set) var evaluations: [ReportEvaluation] = []
    package private(set) var protocols: [(name: String, path: String, summary: ProtocolSummary)] = []
    package private(set) var grids: [(name: String, path: String, summary: AblationSummary)] = []
    package private(set) var retrievals: [(name: String, path: String, metrics: RetrievalReport)] = []
    package private(set) var clusters: [(name: String, path: String, metrics: TSNEReport)] = []
    /// Pictures of `viz attention`.
    package private(set) var attention: [(name: String, path: String)] = []
    /// What was left out, in words.
    package private(set) var notes: [String] = []

    private var visited: Set<Bytewise> = []
    private static let folderLimit = 5000
    private static let depthLimit = 8

    /// - Throws: `ReportError` where a folder holds nothing, or a file in it is not what it should be.
    package init(_ paths: [String]) throws {
        for path in paths {
            guard fileExists(path) else { throw FileError(path: path, problem: .missing) }
            guard isDirectory(path) else { throw ReportError.nothingFound(path: path) }
            let before = count
            // `.` and `runs/` have no name of their own.
            let root = path.utf8.count > 1 && path.endsWithBytes(of: "/") ? String(Substring(path.utf8.dropLast())) : path
            try visit(root, name: paths.count == 1 ? "" : root, root: root, depth: 0)
            // A folder that was met below another one adds nothing.
            guard count > before || visited.count > 1 else { throw ReportError.nothingFound(path: path) }
        }
        guard count > 0 else { throw ReportError.nothingFound(path: paths.joined(separator: ", ")) }
    }

    private var count: Int {
        runs.count + evaluations.count + protocols.count + grids.count + retrievals.count + clusters.count + attention.count
    }

    /// What was measured on the pocket world, by name.
    package var ofPocket: [String] {
        func isPocket(_ root: String, _ classes: [String]? = nil) -> Bool { Self.isPocket(root, classes) }
        return runs.filter { $0.record?.isPocket == true || isPocket($0.record?.lists["train"]?.root ?? "", $0.classNames) }.map(\.name)
            + protocols.filter(\.summary.isPocket).map(\.name)
            + evaluations.filter { isPocket($0.record.root, $0.classes.map(\.name)) }.map(\.name)
            + retrievals.filter { isPocket($0.metrics.list.parentDirectory) }.map(\.name)
            + clusters.filter { isPocket($0.metrics.list.parentDirectory) }.map(\.name)
    }

    /// Whether a folder holds videos that this program drew: it says so itself, or lies where they are drawn, whatever it is called.
    private static func isPocket(_ root: String, _ classes: [String]?) -> Bool {
        let catalogs: [PocketCatalog] = [.small(), .large()]
        if let catalog = catalogs.first(where: { PocketDataSet(root: root).isComplete(for: $0) }) {
            return classes.map { Set($0).isSubset(of: catalog.classes.map(\.name)) } ?? true
        }
        // The videos may have been removed since.
        return catalogs.contains { root == PocketHome.dataRoot.appendingPath($0.name) }
    }

    /// Everything that is compared with the paper, by name.
    package var names: [String] {
        runs.map(\.name) + protocols.map(\.name) + evaluations.map(\.name) + retrievals.map(\.name) + clusters.map(\.name) + grids.map(\.name)
    }

    // MARK: Folders

    private mutating func visit(_ path: String, name: String, root: String, depth: Int) throws {
        guard let resolved = resolvedPath(path), visited.insert(resolved) else { return }
        guard visited.count <= Self.folderLimit else { throw ReportError.tooManyFolders(path: root, limit: Self.folderLimit) }
        let entries = try directoryEntries(path)
        let title = name.isEmpty ? (resolved.lastPathComponent) : name
        func has(_ file: String) -> Bool { entries.contains(file) && isRegularFile(path.appendingPath(file)) }
        if has("metrics.jsonl") || has("run.json") { runs.append(try Self.run(path, title)) }
        if has(EvaluationFolder.recordName) { try addEvaluation(path, title) }
        if has("grid.json") {
            if has("summary.json") { grids.append((title, path, try ReportFiles.decode(AblationSummary.self, path.appendingPath("summary.json"), snakeCase: true))) }
        } else if has("protocol.json") {
            if has("summary.json") {
                protocols.append((title, path, try ReportFiles.decode(ProtocolSummary.self, path.appendingPath("summary.json"), snakeCase: true)))
            } else {
                notes.append("\(title): the protocol is not finished, so there is no summary of it yet.")
            }
        }
        if has("metrics.json") { try addMetrics(path.appendingPath("metrics.json"), title) }
        for entry in entries where entry.hasSuffix(".png") && entry.contains("attention") && has(entry) {
            attention.append(((name.isEmpty ? "" : name + "/") + entry, path.appendingPath(entry)))
        }
        guard depth < Self.depthLimit else { return }
        for entry in entries where !entry.isHiddenName && isDirectory(path.appendingPath(entry)) {
            try visit(path.appendingPath(entry), name: name.isEmpty ? entry : name + "/" + entry, root: root, depth: depth + 1)
        }
    }

    private mutating func addMetrics(_ path: String, _ title: String) throws {
        struct Kind: Decodable {
            let `protocol`: String?
            let perplexity: Double?
        }
        let kind = try ReportFiles.decode(Kind.self, path)
        if kind.protocol == "retrieval" {
            retrievals.append((title, path.parentDirectory, try ReportFiles.decode(RetrievalReport.self, path)))
        } else if kind.perplexity != nil {
            clusters.append((title, path.parentDirectory, try ReportFiles.decode(TSNEReport.self, path)))
        }
    }

    // MARK: Runs

    private static func run(_ path: String, _ name: String) throws -> ReportRun {
        let configuration = path.appendingPath("config.yaml")
        var settings: [(key: String, value: String)] = []
        if fileExists(configuration) { flatten(try RecipeDocument.read(configuration, source: configuration), into: &settings) }
        let environment = path.appendingPath("environment.json")
        let words = fileExists(environment) ? try ReportFiles.decode([String: Word].self, environment).mapValues(\.text) : [:]
        let log: RunLog?
        do {
            log = try RunLog.read(path, name: name)
        } catch PictureError.emptyLog {
            log = nil
        }
        let prompts = try ["best", "last"].compactMap { which -> ReportRun.Prompts? in
            let file = path.appendingPath("prompts/\(which).safetensors")
            guard fileExists(file) else { return nil }
            let prompts = try PromptFile.load(file)
            return ReportRun.Prompts(
                file: "prompts/\(which).safetensors", digest: prompts.useDigest,
                parameters: prompts.tensors.reduce(0) { $0 + $1.values.count })
        }
        let labels = path.appendingPath("split/labels.csv")
        return ReportRun(
            name: name, path: path, record: try RunRecord.read(run: path), settings: settings, environment: words,
            result: try RunResult.read(run: path), log: log, prompts: prompts, classNames: fileExists(labels) ? try ClassNames.read(labels).names : [])
    }

    /// A value of `environment.json`.
    private struct Word: Decodable {
        let text: String

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            text = try (try? container.decode(Int.self)).map { "\($0)" } ?? container.decode(String.self)
        }
    }

    private static func flatten(_ node: RecipeNode, into settings: inout [(key: String, value: String)]) {
        switch node.content {
        case .mapping(let entries): for entry in entries { flatten(entry.value, into: &settings) }
        case .scalar(let text, _): settings.append((node.key, text))
        case .sequence(let values):
            let texts = values.map { value in if case .scalar(let text, _) = value.content { text } else { "…" } }
            settings.append((node.key, texts.joined(separator: ", ")))
        }
    }

    // MARK: Evaluations

    private mutating func addEvaluation(_ path: String, _ title: String) throws {
        let recordFile = path.appendingPath(EvaluationFolder.recordName)
        let record = try ReportFiles.decode(EvaluationRecord.self, recordFile, snakeCase: true)
        let classFile = path.appendingPath(EvaluationFolder.perClassName)
        let classes = fileExists(classFile) ? try ReportFiles.classResults(classFile) : []
        if !classes.isEmpty {
            let videos = classes.reduce(0) { $0 + $1.videos }
            guard videos == record.videos, classes.count == record.classes else {
                throw ReportError.damaged(
                    path: classFile, place: "line \(classes.count + 1)",
                    reason: "\(videos) videos of \(classes.count) classes, \(EvaluationFolder.recordName) says \(record.videos) of \(record.classes)")
            }
        }
        let confusionFile = path.appendingPath(EvaluationFolder.confusionName)
        let read = fileExists(confusionFile) ? try ConfusionTable.read(confusionFile) : nil
        let confusion = read.map { ConfusionTable(source: title, names: $0.names, counts: $0.counts) }
        let videosFile = path.appendingPath(EvaluationFolder.predictionsName)
        let wrong = fileExists(videosFile) ? try ReportFiles.wrongVideos(videosFile, count: record.videos) : nil
        evaluations.append(
            ReportEvaluation(name: title, path: path, record: record, classes: classes, confusion: confusion, wrong: wrong))
    }
}
