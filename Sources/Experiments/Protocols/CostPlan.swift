import Files
import Recipes
import Training
import VideoData

/// What some work would cost, before anything starts.
package protocol CostPlan: Encodable {
    /// For people.
    var text: String { get }
    /// What is not enough, in words.
    var warnings: [String] { get }
}

/// What a run that learns would cost.
package protocol LearningPlan: CostPlan {
    /// When most is needed.
    var memoryBytes: Int { get }
    /// From start to end; nil where it was not measured.
    var seconds: Double? { get }
    /// Numbers that learn; of a head that is chosen, at most.
    var learnedCount: Int { get }
    /// Of one seed; nil for what takes none.
    var stepCount: Int? { get }
    /// In floating-point operations, two a multiply-add, of all seeds.
    var operationCount: Double { get }
    var seedCount: Int { get }
}

extension RunPlan: LearningPlan {
    package var memoryBytes: Int { memory.total }
    package var seconds: Double? { time?.total }
    package var learnedCount: Int { work.learningParameters }
    package var stepCount: Int? { work.steps }
    package var operationCount: Double { arithmetic.total }
    package var seedCount: Int { work.seeds }
}

/// What an evaluation would cost, part by part: what is learned, what is scored.
package struct EvaluationPlan: CostPlan {
    package struct Part: Encodable {
        package let name: String
        /// Of a part that learns.
        package var steps: Int?
        /// Floating-point operations, two for each multiply-add.
        package var operations: Double?
        package var memoryBytes: Int?
        /// Of a part that scores.
        package var videos: Int?
        /// Nil where it was not measured.
        package var seconds: Double?

        package init(
            name: String, steps: Int? = nil, operations: Double? = nil, memoryBytes: Int? = nil, videos: Int? = nil, seconds: Double? = nil
        ) {
            self.name = name
            self.steps = steps
            self.operations = operations
            self.memoryBytes = memoryBytes
            self.videos = videos
            self.seconds = seconds
        }
    }

    /// Or the command, where that is no protocol.
    package let evaluationProtocol: String
    package let parts: [Part]
    /// Of all parts; nil where they were not measured.
    package let seconds: Double?

    private enum CodingKeys: String, CodingKey {
        case evaluationProtocol = "protocol"
        case parts, seconds
    }

    package init(evaluationProtocol: String, parts: [Part]) {
        self.evaluationProtocol = evaluationProtocol
        self.parts = parts
        let known = parts.compactMap(\.seconds)
        seconds = known.count == parts.count ? known.reduce(0, +) : nil
    }

    package var text: String {
        var rows = [["part", "steps or videos", "arithmetic", "memory", "time"]]
        for part in parts {
            rows.append([
                part.name, part.steps.map { counted($0, "step", "steps") } ?? part.videos.map { counted($0, "video", "videos") } ?? "",
                part.operations.map(Experiments.operations) ?? "", part.memoryBytes.map(bytes) ?? "", part.seconds.map(NumberText.time) ?? "not measured",
            ])
        }
        return alignedTable(rows + [["in all", "", "", "", seconds.map(NumberText.time) ?? "not measured"]])
    }

    package var warnings: [String] {
        let most = parts.compactMap(\.memoryBytes).max() ?? 0
        return [memoryWarning(needed: most, available: Machine.availableMemory, remedy: stepRemedy)].compactMap(\.self)
    }
}

extension EvaluationPlan.Part {
    /// Runs that are alike but for their seed, of which the first is looked at.
    ///
    /// - Parameters:
    ///   - requests: those that are left.
    ///   - count: with those that are finished.
    /// - Returns: nil where none is left.
    init?(_ requests: [RunRequest], of count: Int, title: String, timing: Bool, context: RunContext) throws {
        guard let first = requests.first else { return nil }
        let plan = try first.plan(timing: timing, context: context)
        let left = Double(requests.count)
        self.init(
            name: "\(title): \(requests.count) of \(counted(count, "run", "runs")) left", steps: plan.stepCount.map { requests.count * $0 },
            operations: left * plan.operationCount, memoryBytes: plan.memoryBytes, seconds: plan.seconds.map { left * $0 })
    }
}

extension EvaluationJob {
    /// Seconds for one video of a list, measured on its first ones.
    func secondsPerVideo(of test: TestList, with subject: LoadedModel) throws -> Double {
        let few = TestList(
            list: AnnotationList(path: test.list.path, root: test.list.root, clips: Array(test.list.clips.prefix(4))), classes: test.classes,
            sha256: test.sha256)
        // The first time pays for fresh memory.
        let timed = try (0..<2).map { _ in try evaluate(few, with: subject, title: "measuring").record.seconds }
        return (timed.min() ?? 0) / Double(max(1, few.list.clips.count))
    }

    /// What scoring one list would cost.
    package func plan(_ test: TestList, with subject: LoadedModel, timing: Bool) throws -> EvaluationPlan {
        let count = test.list.clips.count
        let seconds = try timing ? Double(count) * secondsPerVideo(of: test, with: subject) : nil
        return EvaluationPlan(
            evaluationProtocol: evaluationProtocol,
            parts: [.init(name: "scoring \(test.list.path.escapedForDisplay), \(subject.summary)", videos: count, seconds: seconds)])
    }
}
