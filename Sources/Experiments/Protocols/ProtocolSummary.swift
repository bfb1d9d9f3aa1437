import CLIPModel
import Evaluation
import Files
import Training
import VideoData

/// One scored list of a protocol.
package struct ProtocolEntry: Codable {
    /// What was learned before.
    package struct Training: Codable {
        /// Below the protocol's folder.
        package var run: String
        /// Of the videos that were learned from.
        package var listSha256: String
        /// Over these videos in whatever order: draws that are the same have the same.
        package var drawSha256: String?
        package var videos: Int
        package var seconds: Double
        /// `last` or `best`.
        package var checkpoint: String
    }

    /// Also of its folder under evaluations/.
    package var name: String
    /// `zero-shot`, `prompt` or `fine-tune`.
    package var method: String
    package var shots: Int?
    /// Of the draw and of learning.
    package var seed: Int?
    /// `base` or `novel`.
    package var part: String?
    package var training: Training?
    package var evaluation: EvaluationRecord
}

/// What a protocol came to: `summary.json` and, a line a number, `summary.csv`. Shares in percent.
package struct ProtocolSummary: Codable {
    /// A measure over all evaluations that differ in list, draw or seed only.
    package struct Result: Codable {
        package let method: String
        package let shots: Int?
        /// `base`, `novel` or `harmonic_mean`; nil where classes are not halved.
        package let part: String?
        package let measure: String
        package let n: Int
        package let mean: Double
        /// Of the sample (n − 1); nil for one.
        package let deviation: Double?
        /// In the order of the evaluations; none for a harmonic mean, which is that of the two means.
        package let values: [Double]
    }

    package let evaluationProtocol: String
    /// Of the program that wrote it.
    package private(set) var version = vifiPromptVersion
    /// As it was typed.
    package let command: String
    /// The pocket world was scored.
    package let isPocket: Bool
    package let evaluations: [ProtocolEntry]
    package let results: [Result]

    private enum CodingKeys: String, CodingKey {
        case evaluationProtocol = "protocol"
        case version, command, isPocket, evaluations, results
    }

    package init(evaluationProtocol: String, command: String, isPocket: Bool, entries: [ProtocolEntry]) {
        self.evaluationProtocol = evaluationProtocol
        self.command = command
        self.isPocket = isPocket
        evaluations = entries
        results = Self.results(of: entries)
    }

    // MARK: Means

    private enum Measure: String, CaseIterable {
        case top1, top5
        case meanClassAccuracy = "mean_class_accuracy"
        case macroF1 = "macro_f1"

        func value(_ record: EvaluationRecord) -> Double {
            switch self {
            case .top1: record.top1
            case .top5: record.top5
            case .meanClassAccuracy: record.meanClassAccuracy
            case .macroF1: record.macroF1
            }
        }
    }

    private struct Group: Hashable {
        let method: String
        let shots: Int?
    }

    package static func results(of entries: [ProtocolEntry]) -> [Result] {
        var groups: [Group] = []
        for entry in entries {
            let group = Group(method: entry.method, shots: entry.shots)
            if !groups.contains(group) { groups.append(group) }
        }
        return groups.flatMap { group in
            let members = entries.filter { $0.method == group.method && $0.shots == group.shots }
            var parts: [String?] = []
            for member in members where !parts.contains(member.part) { parts.append(member.part) }
            var results = parts.flatMap { part in
                Measure.allCases.map { measure in
                    let values = members.filter { $0.part == part }.map { measure.value($0.evaluation) }
                    let statistics = RunStatistics(values)
                    return Result(
                        method: group.method, shots: group.shots, part: part, measure: measure.rawValue, n: values.count,
                        mean: statistics.mean, deviation: statistics.deviation, values: values)
                }
            }
            for measure in Measure.allCases {
                guard let base = results.first(where: { $0.part == "base" && $0.measure == measure.rawValue }),
                    let novel = results.first(where: { $0.part == "novel" && $0.measure == measure.rawValue })
                else { continue }
                results.append(
                    Result(
                        method: group.method, shots: group.shots, part: "harmonic_mean", measure: measure.rawValue, n: base.n,
                        mean: harmonicMean(base.mean, novel.mean), deviation: nil, values: []))
            }
            return results
        }
    }

    /// Draws of a method that learned from the same videos as an earlier one, by their numbers from 1 on.
    package func repeatedDraws(method: String, shots: Int? = nil) -> [Int] {
        var seen: Set<String> = []
        let draws = evaluations.filter { $0.method == method && $0.shots == shots && $0.part != "novel" }.map { $0.training?.drawSha256 }
        return draws.indices.filter { index in draws[index].map { !seen.insert($0).inserted } ?? false }.map { $0 + 1 }
    }

    package func result(_ measure: String, method: String, shots: Int? = nil, part: String? = nil) -> Result? {
        results.first { $0.measure == measure && $0.method == method && $0.shots == shots && $0.part == part }
    }

    // MARK: Tables

    /// A line a result; the values are separated by blanks.
    package var csv: String {
        let rows = results.map { result in
            [
                evaluationProtocol, result.method, result.shots.map(String.init) ?? "", result.part ?? "", result.measure, "\(result.n)",
                "\(result.mean)", result.deviation.map { "\($0)" } ?? "", result.values.map { "\($0)" }.joined(separator: " "),
            ].map(\.csvField).joined(separator: ",") + "\n"
        }
        return "protocol,method,shots,part,measure,n,mean,deviation,values\n" + rows.joined()
    }
}

extension ProtocolSummary.Result {
    /// Such as "63.0 ± 1.2", in percent.
    package var text: String {
        NumberText.decimal(mean, places: 1) + (deviation.map { " ± " + NumberText.decimal($0, places: 1) } ?? "")
    }
}
