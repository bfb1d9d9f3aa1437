import Files
import Training

/// In words.
extension RunPlan {
    package var text: String {
        var lines = PlanLines()
        func row(_ title: String, _ text: String) { lines.add(title, text) }
        row("data", "\(work.clips) clips of \(work.classes) classes, \(work.validationClips) validation and \(work.testClips) test clips, \(work.framesPerClip) frames each")
        row("parameters", "\(work.learningParameters) learn, of a backbone of \(work.parameters)")
        row(
            "steps", "\(work.steps) in \(counted(work.epochs, "epoch", "epochs")), \(counted(work.clipsPerStep, "clip", "clips")) each; \(counted(work.evaluations, "evaluation", "evaluations"))"
                + (work.earlyStop.map { "; at most, as --early-stop \($0) may end it before" } ?? "")
                + (work.seeds > 1 ? "; all of it \(work.seeds) times, once per seed" : ""))
        row(
            "arithmetic", "\(operations(arithmetic.step)) per step, \(operations(arithmetic.total)) in all; "
                + "a step without savings: \(operations(arithmetic.stepWithoutSavings))")
        for saving in arithmetic.savings { row("", "- \(saving)") }
        row(
            "memory", "\(bytes(memory.total)) at most, \(bytes(memory.available)) are available: backbone \(bytes(memory.backbone)), "
                + "what learns \(bytes(memory.learning)), activations \(bytes(memory.activations)), "
                + "evaluation \(bytes(memory.evaluation)), " + (memory.cachedPrefixes > 0 ? "cached clips \(bytes(memory.cachedPrefixes)), " : "")
                + "clips \(bytes(memory.clips)), program \(bytes(memory.program))")
        row(
            "files", "results \(bytes(storage.results)); a checkpoint \(bytes(storage.checkpoint)), \(storage.checkpointsKept) are kept until the end; "
                + "\(bytes(storage.peak)) at most, \(bytes(storage.free)) are free")
        row("ranks", "\(bytes(communication.bytesPerStep)) per step go from each rank to the others, and back, where mpirun starts several")
        if let time {
            row(
                "time", "\(duration(time.total)) in all\(work.earlyStop == nil ? "" : ", at most"): a step \(duration(time.step)) at \(operations(time.speed))/s, "
                    + (time.cachingClip.map { "the cached prefix of a clip \(duration($0)), " } ?? "")
                    + "an evaluation \(duration(time.evaluation)); reading clips is \(percent(100 * time.readingShare)) of training")
        } else {
            row("time", "not measured")
        }
        return lines.text
    }

    /// What is not enough, in words.
    package var warnings: [String] {
        [
            memoryWarning(needed: memory.total, available: memory.available, remedy: stepRemedy),
            diskWarning(needed: storage.peak, free: storage.free),
        ].compactMap(\.self)
    }
}

/// Lines with a heading each.
struct PlanLines {
    private var lines: [String] = []

    var text: String { lines.joined(separator: "\n") }

    mutating func add(_ title: String, _ text: String) { lines.append(title + String(repeating: " ", count: 12 - title.count) + text) }
}

/// Of what takes steps.
let stepRemedy = "Lower --frames or --batch-size."

/// - Returns: nil where it is enough.
func memoryWarning(needed: Int, available: Int, remedy: String) -> String? {
    needed > available ? "memory: \(bytes(needed)) are needed, \(bytes(available)) are available. \(remedy)" : nil
}

/// - Returns: nil where it is enough.
func diskWarning(needed: Int, free: Int) -> String? {
    needed > free ? "disk: \(bytes(needed)) are needed, \(bytes(free)) are free. Choose another --output." : nil
}

/// "1.5 GiB"
package func bytes(_ count: Int) -> String { scaled(Double(count), steps: ["B", "KiB", "MiB", "GiB", "TiB"], by: 1024) }

/// "281 GFLOP"
package func operations(_ count: Double) -> String {
    scaled(count, steps: ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"], by: 1000)
}

private func scaled(_ value: Double, steps: [String], by factor: Double) -> String {
    var value = value
    var step = 0
    while value >= factor * 0.9995, step < steps.count - 1 {
        value /= factor
        step += 1
    }
    return NumberText.decimal(value, places: value < 10 && step > 0 ? 1 : 0) + " " + steps[step]
}

/// "0.12 s", else as the progress has it.
package func duration(_ seconds: Double) -> String {
    seconds < 10 ? NumberText.decimal(seconds, places: seconds < 1 ? 2 : 1) + " s" : NumberText.time(seconds)
}
