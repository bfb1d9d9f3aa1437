import Files

/// What the cells of a grid would cost.
package struct AblationPlan: CostPlan {
    package struct Cell: Encodable {
        package let name: String
        /// Nil where nothing is learned.
        package let plan: (any LearningPlan)?
        package let isFinished: Bool

        private enum CodingKeys: String, CodingKey {
            case name, plan
            case isFinished = "finished"
        }

        package func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(name, forKey: .name)
            try container.encode(isFinished, forKey: .isFinished)
            if let plan { try container.encode(plan, forKey: .plan) }
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
            let state = cell.isFinished ? "finished" : ""
            guard let plan = cell.plan else {
                rows.append([cell.name, "0", "scored once", "", "", "", state])
                continue
            }
            let seedCount = plan.seedCount
            let steps = plan.stepCount.map { seedCount > 1 ? "\(seedCount) × \($0)" : "\($0)" } ?? "\(seedCount) × none"
            rows.append([
                cell.name, "\(plan.learnedCount)", steps, operations(plan.operationCount), bytes(plan.memoryBytes),
                plan.seconds.map { duration($0) } ?? "–", state,
            ])
        }
        let left = cells.filter { !$0.isFinished }.compactMap(\.plan)
        let isTimed = cells.contains { $0.plan?.seconds != nil }
        rows.append([
            "left to run", "", "", operations(left.reduce(0) { $0 + $1.operationCount }), "",
            isTimed ? duration(left.reduce(0) { $0 + ($1.seconds ?? 0) }) : "–", "",
        ])
        return heading + "\n" + alignedTable(rows)
    }

    package var warnings: [String] {
        var seen: Set<String> = []
        return cells.flatMap { $0.plan?.warnings ?? [] }.filter { seen.insert($0).inserted }
    }
}

/// What several grids would cost.
package struct AblationPlans: CostPlan {
    package let grids: [AblationPlan]

    package init(_ grids: [AblationPlan]) { self.grids = grids }

    package var text: String { grids.map(\.text).joined(separator: "\n") }
    package var warnings: [String] { grids.flatMap(\.warnings) }
}
