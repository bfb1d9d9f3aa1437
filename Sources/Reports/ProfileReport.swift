import CLIPModel
import Experiments
import Files
import Recipes
import Training
import VideoData

/// What `profile` found out. Keys as `--json` prints them.
package struct ProfileReport: Encodable {
    /// Operations of a forward pass.
    package struct Work: Encodable {
        /// In 10⁹, a multiply-add as one, as fvcore counts.
        package let gflops: Double
        /// In 10⁹, a multiply-add as two.
        package let gflopsPlain: Double

        package init(_ multiplyAdds: Int) {
            gflops = Double(multiplyAdds) / 1e9
            gflopsPlain = 2 * gflops
        }

        package enum CodingKeys: String, CodingKey {
            case gflops
            case gflopsPlain = "gflops_plain"
        }
    }

    package struct Tower: Encodable {
        /// One view of a video.
        package let view: Work
        /// One text.
        package let text: Work
        /// The texts of all classes.
        package let texts: Work

        package init(_ work: MethodCost.Work) {
            view = Work(work.view)
            text = Work(work.text)
            texts = Work(work.texts)
        }
    }

    package struct Row: Encodable {
        package let id: String
        package let method: String
        package let setting: String
        /// Whether this program runs the method; others are counted from their formulas alone.
        package let runsHere: Bool
        package let parameters: MethodCost.Parameters
        package let parametersTotal: Int
        /// Every token of every frame, texts padded.
        package let whole: Tower
        /// With this program's exact savings; nil for methods that it does not run.
        package let needed: Tower?
        package var viewsPerSecond: Double?

        package init(_ method: Method, cost: MethodCost) {
            id = method.id
            self.method = method.title
            setting = method.setting
            runsHere = method.isOurs
            parameters = cost.parameters
            parametersTotal = cost.parameters.total
            whole = Tower(cost.whole)
            needed = cost.needed.map(Tower.init)
        }

        package enum CodingKeys: String, CodingKey {
            case id, method, setting, parameters, whole, needed
            case runsHere = "runs_here"
            case parametersTotal = "parameters_total"
            case viewsPerSecond = "views_per_second"
        }
    }

    /// A figure of a paper beside ours.
    package struct Published: Encodable {
        package let table: String
        package let system: String
        /// `gflops`, `parameters` in millions, or `throughput` in views a second.
        package let measure: String
        package let paper: Double
        /// Nil for a throughput that was not measured.
        package var here: Double?
        /// What of ours reproduces it.
        package let counts: String
        package let source: String
        package let note: String
        /// The row of ours that stands beside it.
        package let id: String
    }

    package struct Machine: Encodable {
        package let processor: String
        package let threads: Int
        package let precision: String

        package init(processor: String, threads: Int, precision: String) {
            self.processor = processor
            self.threads = threads
            self.precision = precision
        }
    }

    package let architecture: String
    package let summary: String
    package let frames: Int
    package let classes: Int
    package var rows: [Row]
    package var published: [Published]
    package var machine: Machine?

    package init(
        architecture: String, summary: String, frames: Int, classes: Int, rows: [Row], published: [Published],
        machine: Machine? = nil
    ) {
        self.architecture = architecture
        self.summary = summary
        self.frames = frames
        self.classes = classes
        self.rows = rows
        self.published = published
        self.machine = machine
    }

    // MARK: Texts

    /// Names of one to three words, as long as class names are, among the words or behind the prompts of the method, or after "a
    /// photo of a". Backbones that read bytes get the pocket world's names.
    package static func sequences(_ method: Method, architecture: CLIPArchitecture, classCount: Int, bytes: Bool) -> [[Int]] {
        guard case .temporalBlocks = method.kind, case .around(let before, let after) = EfficientPromptCheckpoint.usualWords else {
            return sequences(behind: method.kind.prompts.textTokens, architecture: architecture, classCount: classCount, bytes: bytes)
        }
        // No full stop stands behind a name that learned words follow.
        return sequences(behind: before, architecture: architecture, classCount: classCount, bytes: bytes).map { sequence in
            sequence.dropLast(2) + Array(repeating: 1, count: after) + sequence.suffix(1)
        }
    }

    /// With a full stop behind each name.
    private static func sequences(behind tokens: Int, architecture: CLIPArchitecture, classCount: Int, bytes: Bool) -> [[Int]] {
        if bytes {
            let names = PocketCatalog.small().classes.map(\.name)
            let wording: TextWording = tokens > 0 ? .prompts(count: tokens) : .photo
            if let found = try? TokenSequence.sequences(
                for: (0..<classCount).map { names[$0 % names.count] }, wording: wording, tokenizer: ByteTokenizer(),
                contextLength: architecture.contextLength)
            {
                return found.map(\.tokens)
            }
        }
        var work = BenchWork(.predict)
        work.architecture = architecture
        work.classCount = classCount
        work.promptTokens = tokens > 0 ? tokens : 4
        return work.sequences
    }

    // MARK: Papers

    /// Every published cost of a method that is counted here, of ViT-B/16 with the paper's frames.
    package static func comparison(_ figures: PublishedFigures) -> [Published] {
        let methods = Method.all(for: .vitB16)
        var result: [Published] = []
        for table in figures.tables {
            for system in table.systems {
                guard let method = methods.first(where: { $0.id == system.id }), let counts = system.counts else { continue }
                let cost = MethodCost(
                    method, architecture: .vitB16, frameCount: system.frames ?? Recipe.Data.standardFrames, classCount: 1,
                    sequences: sequences(method, architecture: .vitB16, classCount: 1, bytes: false))
                for measure in ["gflops", "parameters", "throughput"] {
                    guard let paper = system.figures[measure] else { continue }
                    result.append(
                        Published(
                            table: table.number, system: system.name, measure: measure, paper: paper,
                            here: measure == "throughput" ? nil : value(of: counts, cost), counts: counts.rawValue,
                            source: table.source, note: system.note ?? "", id: method.id))
                }
            }
        }
        return result
    }

    private static func value(of counts: PublishedFigures.Count, _ cost: MethodCost) -> Double {
        let parameters = cost.parameters
        return switch counts {
        case .view: Double(cost.whole.view) / 1e9
        case .viewAndText: Double(cost.whole.view + cost.whole.text) / 1e9
        case .total: Double(parameters.total) / 1e6
        case .withoutTokens: Double(parameters.total - parameters.tokenEmbedding) / 1e6
        case .withoutText: Double(parameters.total - parameters.tokenEmbedding - parameters.text) / 1e6
        }
    }

    // MARK: In words

    private static let titles = ["gflops": "GFLOPs", "parameters": "parameters, M", "throughput": "views/s"]

    package var text: String {
        var parts = [
            "\(architecture): \(summary); views of \(frames) frames, \(classes) classes",
            "Parameters. \"text\" is without the table of tokens, which ViFi-CLIP neither trains nor saves.",
            alignedTable([["method", "setting", "total", "trained", "vision", "text", "tokens", "added"]] + rows.map(\.parameterCells)),
            "GFLOPs forward, a multiply-add counted once / twice. Needed: with the savings of docs/architecture.md, which change no "
                + "number. * Not run here: counted from its formulas.",
            alignedTable(
                [["method", "setting", "a view", "needed", "a text", "\(classes) texts", "needed", "views/s"]] + rows.map(\.workCells)),
        ]
        if let machine {
            parts.append(
                "views/s: \(machine.processor), \(machine.threads) threads, \(machine.precision); class embeddings are computed before. "
                    + "Rows that do the same to a video share a measurement.")
        }
        if !published.isEmpty {
            let cells = published.map { line in
                [
                    line.table, line.system, Self.titles[line.measure] ?? line.measure,
                    Self.decimal(line.paper, line.measure == "gflops" ? 0 : 1), line.here.map { Self.decimal($0, 2) } ?? "–", line.counts,
                    line.note,
                ]
            }
            parts.append("Beside the papers' figures, of ViT-B/16 with their numbers of frames:")
            parts.append(alignedTable([["table", "method", "", "paper", "here", "counting", "note"]] + cells))
        } else {
            parts.append("The papers' figures are of ViT-B/16; `vifi-prompt profile` without --architecture sets them beside these.")
        }
        return parts.joined(separator: "\n\n")
    }

    /// A line a row.
    package var csv: String {
        let names = ["view", "text", "texts"]
        let titles = ["id", "method", "setting", "runs_here", "parameters_total", "trained", "vision", "text", "token_embedding", "added"]
            + ["", "needed_"].flatMap { prefix in names.flatMap { ["\(prefix)\($0)_gflops", "\(prefix)\($0)_gflops_plain"] } }
            + ["views_per_second"]
        let lines = rows.map { row in
            let counts = row.parameters
            let numbers = [row.parametersTotal, counts.trained, counts.vision, counts.text, counts.tokenEmbedding, counts.added].map { "\($0)" }
            func work(_ tower: Tower?) -> [String] {
                guard let tower else { return [String](repeating: "", count: 6) }
                return [tower.view, tower.text, tower.texts].flatMap { [Self.decimal($0.gflops, 6), Self.decimal($0.gflopsPlain, 6)] }
            }
            let fields = [row.id, row.method, row.setting, row.runsHere ? "true" : "false"].map(\.csvField) + numbers
            return fields + work(row.whole) + work(row.needed) + [row.viewsPerSecond.map { Self.decimal($0, 4) } ?? ""]
        }
        return ([titles] + lines).map { $0.joined(separator: ",") }.joined(separator: "\n")
    }

    package static func decimal(_ value: Double, _ places: Int) -> String { NumberText.decimal(value, places: places) }
}

extension ProfileReport.Row {
    private var title: String { runsHere ? method : method + " *" }

    fileprivate var parameterCells: [String] {
        let counts = parameters
        return [title, setting]
            + [parametersTotal, counts.trained, counts.vision, counts.text, counts.tokenEmbedding, counts.added].map(grouped)
    }

    fileprivate var workCells: [String] {
        func cell(_ work: ProfileReport.Work?) -> String {
            guard let work else { return "–" }
            let places = work.gflops < 10 ? 2 : 1
            return ProfileReport.decimal(work.gflops, places) + " / " + ProfileReport.decimal(work.gflopsPlain, places)
        }
        return [
            title, setting, cell(whole.view), cell(needed?.view), cell(whole.text), cell(whole.texts), cell(needed?.texts),
            viewsPerSecond.map { ProfileReport.decimal($0, $0 < 10 ? 2 : 1) } ?? "–",
        ]
    }
}
