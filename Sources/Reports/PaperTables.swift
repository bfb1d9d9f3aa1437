import Recipes

/// The paper's table that a result belongs beside, with all of its systems and ours among them.
package struct PaperTables {
    /// Our figures of one row, by measure as `published.yaml` has it.
    package struct Ours {
        package let name: String
        package var figures: [String: (mean: Double, deviation: Double?)]
    }

    private let published: PublishedFigures

    package init() throws { published = try PublishedFigures() }

    /// Columns of a table: a measure, and its heading.
    private static func columns(of number: String) -> [(measure: String, title: String)] {
        let sets = [("k400", "Kinetics-400"), ("hmdb51", "HMDB-51"), ("ucf101", "UCF-101"), ("ssv2", "SSv2")]
        switch number {
        case "1": return [("hmdb51", "HMDB-51"), ("ucf101", "UCF-101"), ("k600", "Kinetics-600"), ("k600_top5", "Kinetics-600 top-5")]
        case "2", "8":
            return sets.flatMap { set, title in [("base", "base"), ("novel", "novel"), ("hm", "HM")].map { ("\(set)_\($0.0)", "\(title) \($0.1)") } }
        case "3", "7": return sets.dropFirst().flatMap { set, title in [2, 4, 8, 16].map { ("\(set)_\($0)", "\(title) K=\($0)") } }
        case "4": return [("top1", "top-1"), ("top5", "top-5"), ("gflops", "GFLOPs")]
        case "5": return [("k400_tiny", "Kinetics-400-tiny")] + sets.dropFirst().map { ($0.0, $0.1) }
        case "10": return [("r1", "R@1"), ("r5", "R@5")]
        default: return []
        }
    }

    // MARK: A table

    /// - Parameters:
    ///   - ours: rows below the paper's; their figures that the table has no column for get one of their own.
    ///   - others: measures of ours without a column of the paper's, and their headings.
    package func table(_ number: String, ours: [Ours], others: [(measure: String, title: String)] = []) -> [HTML] {
        guard let table = published.tables.first(where: { $0.number == number }) else { return [] }
        let known = Self.columns(of: number).filter { column in
            table.systems.contains { $0.figures[column.measure] != nil } || ours.contains { $0.figures[column.measure] != nil }
        }
        let own = others.filter { other in ours.contains { $0.figures[other.measure] != nil } }
        var rows = table.systems.map { system -> ReportTable.Row in
            let cells = known.map { column in
                guard let mean = system.figures[column.measure] else { return ReportTable.Cell.none }
                return .init(Self.text(mean, system.figures[column.measure + "_sd"]), number: mean)
            }
            return .init(
                [.init("paper"), .init(system.name, kind: "name")] + own.map { _ in .none } + cells + [.init(system.note ?? "")])
        }
        rows += ours.map { row in
            let cells = (own + known).map { column in
                row.figures[column.measure].map { ReportTable.Cell(Self.text($0.mean, $0.deviation), number: $0.mean) } ?? .none
            }
            return .init([.init("ours"), .init(row.name, kind: "name")] + cells + [.init("")], kind: "ours")
        }
        let report = ReportTable(
            "Paper, table \(number): \(table.title)", ["", "system"] + (own + known).map(\.title) + ["note"], rows)
        return [report.html, .paragraph("Figures of the paper from: \(table.source).", "small")]
    }

    package static func text(_ mean: Double, _ deviation: Double?) -> String {
        ProfileReport.decimal(mean, 1) + (deviation.map { " ± " + ProfileReport.decimal($0, 1) } ?? "")
    }
}
