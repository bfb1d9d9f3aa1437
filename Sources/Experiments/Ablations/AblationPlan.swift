import Files

/// What the cells of a grid would cost.
package struct AblationPlan: CostPlan {
    package struct Cell: Encodable {
        package let name: String
        package let plan: RunPlan
        package let isFinished: Bool

        private enum CodingKeys: String, CodingKey {
            case name, plan
            case isFinished = "finished"
        }
    }

    package let grid: String
    private let heading: String
    package let cells: [Cell]

    private enum CodingKeys: String, CodingKey {
        case grid, cells
    }

    init(grid: String, heading: String, cells: [Cell]) {
        self.grid = grid
        self.heading = heading
        self.cells = cells
    }

    package var text: String {
        var rows = [["cell", "learns", "steps", "operations", "memory", "time", ""]]
        for cell in cells {
            let (work, plan) = (cell.plan.work, cell.plan)
            rows.append([
                cell.name, "\(work.learningParameters)", work.seeds > 1 ? "\(work.seeds) × \(work.steps)" : "\(work.steps)",
                operations(plan.arithmetic.total), bytes(plan.memory.total), plan.time.map { duration($0.total) } ?? "–",
                cell.isFinished ? "finished" : "",
            ])
        }
        let left = cells.filter { !$0.isFinished }.map(\.plan)
        let isTimed = cells.contains { $0.plan.time != nil }
        rows.append([
            "left to run", "", "", operations(left.reduce(0) { $0 + $1.arithmetic.total }), "",
            isTimed ? duration(left.reduce(0) { $0 + ($1.time?.total ?? 0) }) : "–", "",
        ])
        return heading + "\n" + alignedTable(rows)
    }

    package var warnings: [String] {
        var seen: Set<String> = []
        return cells.flatMap(\.plan.warnings).filter { seen.insert($0).inserted }
    }
}

/// What several grids would cost.
package struct AblationPlans: CostPlan {
    package let grids: [AblationPlan]

    package init(_ grids: [AblationPlan]) { self.grids = grids }

    package var text: String { grids.map(\.text).joined(separator: "\n") }
    package var warnings: [String] { grids.flatMap(\.warnings) }
}
