import CLIPModel
import Tensors

/// What a bench of the frozen forward pass came to. Keys as `--json` prints them.
package struct FeatureReport: Encodable, Sendable {
    /// One precision.
    package struct Row: Encodable, Sendable {
        package var precision: String
        /// The median over the rounds.
        package var clipsPerSecond: Double
        package var slowest: Double
        package var fastest: Double
        /// Times as fast as the first row: the median over the rounds, each of which has its own ratio.
        package var ratio: Double
        /// Length of the features' difference to float32 over the length of float32's.
        package var error: Double
        /// 10⁹ operations a second that exact arithmetic needs.
        package var gflops: Double

        enum CodingKeys: String, CodingKey {
            case precision, slowest, fastest, ratio, error, gflops
            case clipsPerSecond = "clips_per_second"
        }
    }

    package var frames: Int
    package var clips: Int
    package var threads: Int
    package var processor: String
    /// That were timed, after one that was not.
    package var rounds: Int
    package var rows: [Row]
}

/// Times a ViT-B/16's frozen forward pass, without prompts, in every precision that this machine has. They take turns
/// within each round, so that whatever else the machine does meets all of them alike.
package struct FeatureBench {
    private struct Subject {
        let precision: Precision
        let encoder: VideoEncoder
        var seconds: [Double] = []
        var features: [Float] = []
    }

    private let work: BenchWork
    private let pool: WorkerPool
    private let clips: [Matrix]
    private var subjects: [Subject]

    package init(architecture: CLIPArchitecture = .vitB16, frameCount: Int, clipCount: Int, pool: WorkerPool) {
        var work = BenchWork(.predict)
        (work.architecture, work.frameCount, work.clipCount) = (architecture, frameCount, clipCount)
        (work.promptTokens, work.promptDepth) = (0, 0)
        self.work = work
        self.pool = pool
        let backbone = BenchModel.backbone(of: architecture)
        clips = (0..<clipCount).map { BenchModel.clip(of: architecture, frameCount: frameCount, number: $0) }
        subjects = Precision.allCases.filter(\.isAvailable).map { precision in
            Subject(
                precision: precision,
                encoder: VideoEncoder(
                    backbone: backbone.computing(in: precision), prompts: PromptSet(vision: [], text: []), frameCount: frameCount,
                    pool: pool))
        }
    }

    /// - Parameters:
    ///   - rounds: timed ones, after one that is not.
    ///   - onTurn: told of each pass of each precision.
    package mutating func run(rounds: Int, onTurn: (_ round: Int, _ precision: Precision, _ seconds: Double) -> Void) -> FeatureReport {
        for round in 0...rounds {
            for index in subjects.indices {
                let start = WorkMeter.now
                let features = subjects[index].encoder.frameFeatures(of: clips)
                let seconds = Double(WorkMeter.now - start) * 1e-9
                if round == 0 { subjects[index].features = features.flatMap(\.values) } else { subjects[index].seconds.append(seconds) }
                onTurn(round, subjects[index].precision, seconds)
            }
        }
        let operations = Double(work.operationsNeeded)
        let rows = subjects.map { subject in
            let ordered = subject.seconds.sorted()
            let middle = median(ordered) ?? .nan
            return FeatureReport.Row(
                precision: subject.precision.rawValue, clipsPerSecond: Double(clips.count) / middle,
                slowest: Double(clips.count) / (ordered.last ?? .nan), fastest: Double(clips.count) / (ordered.first ?? .nan),
                ratio: median(zip(subjects[0].seconds, subject.seconds).map { $0 / $1 }) ?? .nan,
                error: Self.error(subject.features, subjects[0].features), gflops: operations / middle * 1e-9)
        }
        return FeatureReport(
            frames: work.frameCount, clips: work.clipCount, threads: pool.threadCount, processor: Machine.processorName, rounds: rounds, rows: rows)
    }

    private static func error(_ actual: [Float], _ expected: [Float]) -> Double {
        let (difference, length) = zip(actual, expected).reduce((0.0, 0.0)) { sums, pair in
            let (a, e) = (Double(pair.0), Double(pair.1))
            return (sums.0 + (a - e) * (a - e), sums.1 + e * e)
        }
        return (difference / length).squareRoot()
    }
}
