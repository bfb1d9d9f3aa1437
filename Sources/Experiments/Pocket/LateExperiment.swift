import CLIPModel
import Evaluation
import Files
import Foundation
import Recipes
import Training
import VideoData

/// Ways of learning prompts that do less work, and the whole way to compare them with. The order is the table's.
package enum LateVariant: String, CaseIterable {
    case all
    case lateVision = "late-vision"
    case lateBoth = "late-both"
    case allFixed = "all-fixed"
    case lateVisionFixed = "late-vision-fixed"
    case quick

    /// What is asked for besides shots and seed. The pocket CLIP has vision layers 0-3 and text layers 0-2.
    package func apply(to request: inout RunRequest) {
        let lateVision = PromptLayers(2..<4)
        switch self {
        case .all: break
        case .lateVision: request.recipe.prompts.visionLayers = lateVision
        case .lateBoth:
            request.recipe.prompts.visionLayers = lateVision
            request.recipe.prompts.textLayers = PromptLayers(1..<3)
        case .allFixed: request.recipe.augmentation.fixedFrames = true
        case .lateVisionFixed:
            request.recipe.prompts.visionLayers = lateVision
            request.recipe.augmentation.fixedFrames = true
        case .quick: request.learnQuickly()
        }
    }

    package var title: String {
        switch self {
        case .all: "all layers of both towers"
        case .lateVision: "vision layers 2-3, all text layers"
        case .lateBoth: "vision layers 2-3, text layers 1-2"
        case .allFixed: "all layers, fixed frames"
        case .lateVisionFixed: "vision layers 2-3, fixed frames"
        case .quick: "--quick"
        }
    }
}

/// Accuracy and time of late prompts on the pocket world: its runs are those that a user would ask for.
package struct LateExperiment {
    package struct Key: Hashable {
        package let variant: LateVariant
        package let shots: Int
        package let seed: Int

        package init(variant: LateVariant, shots: Int, seed: Int) {
            self.variant = variant
            self.shots = shots
            self.seed = seed
        }
    }

    package struct Measure {
        /// In percent, of the last prompts on the test list.
        package let top1: Double
        /// Of the whole run, the test list included.
        package let seconds: Double
    }

    /// Where runs go.
    package let folder: String
    package let set: PocketDataSet
    package let bridged: String
    private let context: RunContext
    package private(set) var measures: [Key: Measure] = [:]

    package static let fileName = "late-prompts.csv"
    private static let header = "variant,shots,seed,top1,seconds"

    package init(folder: String, set: PocketDataSet, bridged: String, context: RunContext) {
        self.context = context
        self.folder = folder
        self.set = set
        self.bridged = bridged
    }

    /// Takes over what was measured before; lines of other variants are left out.
    package mutating func read(_ path: String) throws {
        for line in String(decoding: try InputFile.contents(of: path, limit: 1 << 20), as: UTF8.self).split(separator: "\n").dropFirst() {
            let fields = line.split(separator: ",").map(String.init)
            guard fields.count == 5, let variant = LateVariant(rawValue: fields[0]), let shots = Int(fields[1]), let seed = Int(fields[2]),
                let top1 = Double(fields[3]), let seconds = Double(fields[4])
            else { continue }
            measures[Key(variant: variant, shots: shots, seed: seed)] = Measure(top1: top1, seconds: seconds)
        }
    }

    /// Learns once, unless it was measured before.
    package mutating func measure(_ key: Key) throws -> Measure {
        if let measure = measures[key] { return measure }
        let output = try RunDirectory.next(in: folder, name: "\(key.variant.rawValue)-\(key.shots)shots-seed\(key.seed)")
        let request = try request(key)
        let start = ContinuousClock.now
        try request.complete(output, context: context.ofPart)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        guard let top1 = try RunResult.read(run: output)?.test?.top1 else { throw RunError.notARun(path: output) }
        let measure = Measure(top1: top1, seconds: seconds)
        measures[key] = measure
        return measure
    }

    private func request(_ key: Key) throws -> RunRequest {
        var recipe = Recipe()
        set.apply(to: &recipe)
        recipe.model.checkpoint = bridged
        recipe.training.shots = key.shots
        recipe.training.seed = key.seed
        // Every variant ends at the same step, with nothing chosen.
        recipe.data.val = nil
        var request = RunRequest(.learn, recipe: recipe)
        key.variant.apply(to: &request)
        request.recipe = try RecipeSource(file: "pocket/learn", flags: request.recipe).given()
        return request
    }

    /// What is not measured yet.
    package func plan(shots: [Int], seeds: [Int], timing: Bool) throws -> EvaluationPlan {
        let parts = try shots.flatMap { shots in
            try LateVariant.allCases.compactMap { variant -> EvaluationPlan.Part? in
                let left = seeds.map { Key(variant: variant, shots: shots, seed: $0) }.filter { measures[$0] == nil }
                return try EvaluationPlan.Part(
                    left.map(request), of: seeds.count, title: "\(variant.title), \(shots) shots", timing: timing, context: context)
            }
        }
        return EvaluationPlan(evaluationProtocol: "demo late", parts: parts)
    }

    package var csv: String {
        let lines = measures.sorted {
            ($0.key.shots, $0.key.seed, $0.key.variant.rawValue) < ($1.key.shots, $1.key.seed, $1.key.variant.rawValue)
        }.map { key, measure in
            "\(key.variant.rawValue),\(key.shots),\(key.seed),\(NumberText.decimal(measure.top1, places: 4)),"
                + NumberText.decimal(measure.seconds, places: 1)
        }
        return ([Self.header] + lines).joined(separator: "\n") + "\n"
    }

    /// Mean and deviation over the seeds, accuracy and time, a column a number of shots.
    package var table: String {
        let shots = Set(measures.keys.map(\.shots)).sorted()
        func cell(_ values: [Double], _ unit: String) -> String {
            guard !values.isEmpty else { return "–" }
            let statistics = RunStatistics(values)
            return NumberText.decimal(statistics.mean, places: 1)
                + (statistics.deviation.map { " ± \(NumberText.decimal($0, places: 1))" } ?? "") + unit
        }
        var rows = [["what learns"] + shots.flatMap { ["\($0) shots, top-1", "\($0) shots, time"] }]
        for variant in LateVariant.allCases {
            rows.append(
                [variant.title]
                    + shots.flatMap { shots in
                        let found = measures.filter { $0.key.variant == variant && $0.key.shots == shots }.sorted { $0.key.seed < $1.key.seed }
                        return [cell(found.map(\.value.top1), " %"), cell(found.map(\.value.seconds), " s")]
                    })
        }
        return alignedTable(rows)
    }
}
