import CLIPModel
import Evaluation
import Files
import Tensors
import Training
import VideoData

/// What the pocket world's table measures. The order is the table's.
package enum PocketMeasure: String, CaseIterable {
    case imageZeroShot = "image-zero-shot"
    case bridgedZeroShot = "bridged-zero-shot"
    case prompts2 = "prompts-2-shots"
    case prompts8 = "prompts-8-shots"
    case fineTuned2 = "fine-tuned-2-shots"
    case bridgedNovel = "novel-bridged-zero-shot"
    case promptsBase = "base-prompts-2-shots"
    case fineTunedBase = "base-fine-tuned-2-shots"
    case promptsNovel = "novel-prompts-2-shots"
    case fineTunedNovel = "novel-fine-tuned-2-shots"

    package var title: String {
        switch self {
        case .imageZeroShot: "image CLIP, zero-shot"
        case .bridgedZeroShot: "bridged CLIP, zero-shot"
        case .prompts2: "bridged + prompts, 2 shots"
        case .prompts8: "bridged + prompts, 8 shots"
        case .fineTuned2: "bridged + fine-tuned, the same 2 shots"
        case .bridgedNovel: "8 classes not learned: bridged, zero-shot"
        case .promptsBase: "8 learned classes: prompts, 2 shots"
        case .fineTunedBase: "8 learned classes: fine-tuned, 2 shots"
        case .promptsNovel: "8 classes not learned: prompts kept"
        case .fineTunedNovel: "8 classes not learned: fine-tuning kept"
        }
    }
}

extension PocketMeasure {
    /// Of the classes that it is measured on; nil for all.
    package var part: PocketDataSet.Part? {
        switch self {
        case .imageZeroShot, .bridgedZeroShot, .prompts2, .prompts8, .fineTuned2: nil
        case .promptsBase, .fineTunedBase: .base
        case .bridgedNovel, .promptsNovel, .fineTunedNovel: .novel
        }
    }
}

/// Accuracies on the pocket world's small test list, by measure and seed.
package struct PocketResults {
    package private(set) var values: [PocketMeasure: [Int: Double]] = [:]
    /// The program and the processor that they were measured with, in words; nil where nobody wrote it down.
    package private(set) var origin: String?

    package static let fileName = "pocket-results.csv"

    package mutating func set(_ measure: PocketMeasure, seed: Int, top1: Double) { values[measure, default: [:]][seed] = top1 }

    /// Results of the program that is running, on this machine.
    package static func measuredHere() -> PocketResults {
        var results = PocketResults()
        let products = Precision.oneDNNVersion.map { "OpenBLAS and oneDNN \($0)" } ?? "OpenBLAS"
        results.origin = "vifi-prompt \(vifiPromptVersion) with \(products), \(Machine.processorName)"
        return results
    }

    /// All seeds that any measure has.
    package var seeds: [Int] { Set(values.values.flatMap(\.keys)).sorted() }

    /// Mean and deviation over the seeds.
    package func statistics(_ measure: PocketMeasure) -> RunStatistics? {
        guard let runs = values[measure], !runs.isEmpty else { return nil }
        return RunStatistics(runs.sorted { $0.key < $1.key }.map(\.value))
    }

    // MARK: File

    private static let header = "measure,seed,top1"
    private static let originMark = "# "

    package var csv: String {
        let lines = PocketMeasure.allCases.flatMap { measure in
            (values[measure] ?? [:]).sorted { $0.key < $1.key }.map {
                "\(measure.rawValue),\($0.key),\(NumberText.decimal($0.value, places: 4))"
            }
        }
        return ((origin.map { [Self.originMark + $0] } ?? []) + [Self.header] + lines).joined(separator: "\n") + "\n"
    }

    package init() {}

    /// Reads what `csv` wrote; lines of other measures are left out.
    package init(path: String) throws {
        let text = String(decoding: try InputFile.contents(of: path, limit: 1 << 20), as: UTF8.self)
        for line in text.split(separator: "\n") {
            if line.hasPrefix(Self.originMark) { origin = String(line.dropFirst(Self.originMark.count)) }
            let fields = line.split(separator: ",")
            guard fields.count == 3, let measure = PocketMeasure(rawValue: String(fields[0])), let seed = Int(fields[1]),
                let top1 = Double(fields[2])
            else { continue }
            set(measure, seed: seed, top1: top1)
        }
    }

    // MARK: Table

    /// A Markdown table: recorded means and deviations, beside what was measured here.
    package func table(beside here: PocketResults) -> String {
        let seeds = seeds.map(String.init).joined(separator: ", ")
        var rows = [["top-1 on the small test list", "recorded, mean ± deviation of seeds \(seeds)", "this machine", ""]]
        for measure in PocketMeasure.allCases {
            rows.append([measure.title, Self.text(statistics(measure)), Self.text(here.statistics(measure)), verdict(on: measure, of: here)])
        }
        return alignedTable(rows) + "\n\n" + comparison(with: here)
    }

    /// The recorded interval of a measure: its mean ± twice its deviation, and half a point where seeds hardly differ.
    private func interval(_ measure: PocketMeasure) -> ClosedRange<Double>? {
        guard let recorded = statistics(measure) else { return nil }
        let reach = max(2 * (recorded.deviation ?? 0), 0.5)
        return recorded.mean - reach...recorded.mean + reach
    }

    private func verdict(on measure: PocketMeasure, of here: PocketResults) -> String {
        guard let interval = interval(measure), let found = here.statistics(measure) else { return "" }
        return interval.contains(found.mean) ? "within" : found.mean < interval.lowerBound ? "below" : "above"
    }

    /// Whether this machine's figures are what the recorded ones let one expect.
    private func comparison(with here: PocketResults) -> String {
        let verdicts = PocketMeasure.allCases.map { verdict(on: $0, of: here) }.filter { !$0.isEmpty }
        let outside = verdicts.count { $0 != "within" }
        let origins = (origin.map { "Recorded with \($0)" } ?? "") + (here.origin.map { "; this is \($0)." } ?? ".")
        guard !verdicts.isEmpty else { return origins }
        let words = outside == 0
            ? "This machine's figures lie within two deviations of the recorded means."
            : "\(outside) of this machine's \(verdicts.count) figures lie outside two deviations of the recorded means."
        return words + "\n" + origins
    }

    private static func text(_ statistics: RunStatistics?) -> String {
        guard let statistics else { return "–" }
        return percent(statistics.mean) + (statistics.deviation.map { " ± \(NumberText.decimal($0, places: 1))" } ?? "")
    }
}
