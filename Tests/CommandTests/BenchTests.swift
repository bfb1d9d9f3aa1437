import Foundation
import Tensors
import TestSupport
import Testing

/// The work of a step, counted by the program as it does it. Seconds are nobody's business here.
@Suite struct BenchTests {
    private struct Report: Decodable {
        let flops_needed: Int
        let flops_done: Int
        let product_rows: Int
        let allocations: Int
        let peak_bytes: Int
        let seconds_per_step: Double
        let product_gflops: Double
        let share_of_product_speed: Double
        let breakdown: [String: Double]
        let task_bytes: Int
        let backward_frames: Int?
        let merge_tokens: Int
        let method: String?
        let learning_parameters: Int
        let fixed_frames: Bool
        let exact: Exact?

        struct Exact: Decodable {
            let seconds_per_step: Double
            let task_bytes: Int
            let speedup: Double
        }
    }

    private func bench(_ arguments: String...) throws -> Report { try bench(arguments) }

    private func bench(_ arguments: [String]) throws -> Report {
        let outcome = try Program().run(["bench"] + arguments + ["--steps", "1", "--threads", "1", "--json"])
        #expect(outcome.status == 0, "\(outcome.messages)")
        return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }

    /// ViT-B/16's sizes.
    private let width = 768
    private let layers = 12
    private let rows = 197
    private let patches = 196

    /// One frame of prompt learning, as docs/architecture.md counts it, written out: two operations a
    /// multiplication and addition.
    private func frame(prompts: Int, forward: Bool) -> Int {
        let weights = width * width
        let pairs = rows * (rows + prompts)
        // Queries, keys, values, output, MLP; scores and sums of values.
        let layer = 2 * rows * 12 * weights + 4 * pairs * width
        // Keys and values of all rows, the rest of the class token only.
        let last = 2 * rows * 2 * weights + 2 * 10 * weights + 4 * (rows + prompts) * width
        let ends = 2 * patches * width * width + 2 * width * 512
        let through = ends + (layers - 1) * layer + last
        guard !forward else { return through }
        // Back: the same products with weights, four with scores. The first layer stops at the prompts' keys and values.
        let back = (layers - 2) * (2 * rows * 12 * weights + 8 * pairs * width)
        let first = 2 * rows * 9 * weights + 2 * pairs * width + 4 * rows * prompts * width
        let backLast = 2 * rows * 2 * weights + 2 * 10 * weights + 8 * (rows + prompts) * width
        return through + 2 * width * 512 + back + first + backLast
    }

    /// The same with prompts from layer `first` on: nothing goes back below it, and with `fixed` frames nothing
    /// goes forward below it either.
    private func lateFrame(first: Int, prompts: Int, fixed: Bool) -> Int {
        let weights = width * width
        func layer(_ prompts: Int) -> Int { 2 * rows * 12 * weights + 4 * rows * (rows + prompts) * width }
        let ends = (fixed ? 0 : 2 * patches * width * width) + 2 * width * 512
        let last = 2 * rows * 2 * weights + 2 * 10 * weights + 4 * (rows + prompts) * width
        let forward = ends + (fixed ? 0 : first * layer(0)) + (layers - 1 - first) * layer(prompts) + last
        let pairs = rows * (rows + prompts)
        let lowest = 2 * rows * 9 * weights + 2 * pairs * width + 4 * rows * prompts * width
        let between = (layers - 2 - first) * (2 * rows * 12 * weights + 8 * pairs * width)
        let backLast = 2 * rows * 2 * weights + 2 * 10 * weights + 8 * (rows + prompts) * width
        return forward + 2 * width * 512 + lowest + between + backLast
    }

    @Test(arguments: [(3, false), (8, false), (8, true)])
    func nothingIsDoneBelowTheFirstPrompts(first: Int, fixed: Bool) throws {
        let flags = ["learn", "--classes", "3", "--vision-layers", "\(first)-11", "--text-layers", "4-11"] + (fixed ? ["--fixed-frames"] : [])
        let one = try bench(flags + ["--frames", "1"])
        let two = try bench(flags + ["--frames", "2"])
        #expect(two.flops_needed - one.flops_needed == lateFrame(first: first, prompts: 10, fixed: fixed))
        for report in [one, two] {
            #expect(report.flops_done >= report.flops_needed && Double(report.flops_done) < 1.045 * Double(report.flops_needed))
        }
    }

    /// Text layers below the first prompts cost nothing from the second step on; `--quick` never meets the vision tower.
    @Test func textBelowTheFirstPromptsIsComputedOnce() throws {
        let flags = ["learn", "--frames", "1", "--classes", "60", "--vision-layers", "none", "--fixed-frames", "--text-layers"]
        let all = try bench(flags + ["0-11"])
        let late = try bench(flags + ["6-11"])
        let perRow = 2 * 12 * 512 * 512
        // A clip's logits are all that is left of vision; 60 names of four tokens on average, forward and back.
        let expected = 60 * 4 * 11 * 2 * perRow
        #expect(Double(all.flops_done) > 0.9 * Double(expected) && Double(all.flops_done) < 1.2 * Double(expected))
        for report in [all, late] {
            #expect(report.flops_done >= report.flops_needed && Double(report.flops_done) < 1.02 * Double(report.flops_needed))
        }
        let spared = Double(60 * 4 * 6 * 2 * perRow)
        #expect(abs(Double(all.flops_done - late.flops_done) - spared) < 0.1 * spared)
    }

    @Test func predictingDoesWhatIsNeededAndNoMore() throws {
        let report = try bench("predict", "--frames", "2", "--classes", "3")
        #expect(report.flops_needed == 2 * frame(prompts: 10, forward: true))
        #expect(report.flops_done >= report.flops_needed && Double(report.flops_done) < 1.001 * Double(report.flops_needed))
        #expect(report.breakdown["products", default: 0] > 0 && report.seconds_per_step > 0)
        #expect(report.share_of_product_speed > 0 && report.product_gflops > 0)
    }

    @Test func learningDoesLittleMoreThanNeeded() throws {
        // Two frames against one: what they differ by is a frame, whatever the classes cost.
        let one = try bench("learn", "--frames", "1", "--classes", "3")
        let two = try bench("learn", "--frames", "2", "--classes", "3")
        #expect(two.flops_needed - one.flops_needed == frame(prompts: 10, forward: false))
        // Attention's probabilities are computed twice, and nothing else where so little is to be kept.
        for report in [one, two] {
            #expect(report.flops_done >= report.flops_needed && Double(report.flops_done) < 1.015 * Double(report.flops_needed))
        }
        // Only rows that somebody needs go through products with weights.
        #expect(two.product_rows < 2 * 12 * 197 * 12)
    }

    /// A frame that no gradient goes through costs its way there, and no activations.
    @Test func framesOutsideTheBackwardPassCostHalf() throws {
        let one = try bench("learn", "--frames", "1", "--classes", "3")
        let some = try bench("learn", "--frames", "2", "--classes", "3", "--backward-frames", "1")
        #expect(some.backward_frames == 1 && one.backward_frames == nil && one.exact == nil)
        #expect(some.flops_needed - one.flops_needed == frame(prompts: 10, forward: true))
        #expect(some.flops_done >= some.flops_needed && Double(some.flops_done) < 1.015 * Double(some.flops_needed))
        let few = try bench("learn", "--frames", "8", "--classes", "3", "--backward-frames", "2")
        let exact = try #require(few.exact)
        #expect(Double(few.task_bytes) < 0.4 * Double(exact.task_bytes), "\(few.task_bytes) of \(exact.task_bytes)")
        #expect(exact.seconds_per_step > 0 && exact.speedup > 0)
        for flags in [["--videos"], ["--vision-layers", "none"]] {
            let refused = try Program().run(["bench", "learn", "--backward-frames", "2"] + flags)
            #expect(refused.status == 64 && refused.messages.contains("--backward-frames"), "\(refused.messages)")
        }
    }

    /// Tokens that have merged cost nothing any more.
    @Test func mergingSparesWork() throws {
        let merged = try bench("learn", "--frames", "1", "--classes", "3", "--merge-tokens", "16")
        let exact = try bench("learn", "--frames", "1", "--classes", "3")
        #expect(merged.merge_tokens == 16 && merged.exact != nil && exact.merge_tokens == 0 && exact.exact == nil)
        #expect(Double(exact.flops_needed - merged.flops_needed) > 0.4 * Double(frame(prompts: 10, forward: false)))
        #expect(merged.flops_done >= merged.flops_needed && Double(merged.flops_done) < 1.015 * Double(merged.flops_needed))
        for flags in [["--videos", "--merge-tokens", "2"], ["--merge-tokens", "17"]] {
            let refused = try Program().run(["bench", "learn"] + flags)
            #expect(refused.status == 64 && refused.messages.contains("--merge-tokens"), "\(refused.messages)")
        }
    }

    /// Every method learns as many numbers as its paper says, or its layers come to: CoCoOp's 35,360, visual prompting's 69,840,
    /// CLIP-LoRA's 184 thousand, MaPLe's 3.55 million.
    @Test(
        arguments: [
            ("learn", "coop", 16 * 512), ("learn", "kgcoop", 4 * 512), ("learn", "cocoop", 35_360), ("learn", "promptsrc", 9 * 4 * (768 + 512)),
            ("learn", "maple", 9 * (2 * 512 + 513 * 768)), ("learn", "pixel", 69_840),
            // Words for each of 77 positions, two frames' positions, and layers of 512 with an MLP of 2048.
            ("learn", "a5", 77 * 512 + 2 * 512 + 3_152_384), ("learn", "a6", 77 * 512 + 2 * 512 + 2 * 3_152_384),
            ("bridge", "lora", 12 * 3 * 2 * 2 * (768 + 512)), ("bridge", "actionclip", nil), ("bridge", "x-clip", nil),
        ] as [(String, String, Int?)])
    func methodsStepWithTheirOwnNumbers(work: String, method: String, count: Int?) throws {
        let report = try bench(work, "--method", method, "--frames", "2", "--classes", "2")
        #expect(report.method == method && report.fixed_frames == ["a5", "a6"].contains(method))
        if let count { #expect(report.learning_parameters == count) } else { #expect(report.learning_parameters > 86_000_000) }
        let share = Double(report.flops_done) / Double(report.flops_needed)
        #expect(share > 0.8 && share < 1.35, "\(share)")
    }

    @Test(
        arguments: [
            ("learn", ["prompsrc"], "Did you mean promptsrc?"), ("learn", ["tip-adapter"], "`vifi-prompt bench features`"),
            ("learn", ["x-clip"], "`vifi-prompt bench bridge --method x-clip`"), ("bridge", ["coop"], "`vifi-prompt bench learn --method coop`"),
            ("bridge", ["action-clip"], "Did you mean actionclip?"), ("learn", ["coop", "--tokens", "4"], "--tokens is about prompts of both towers"),
            ("learn", ["pixel", "--fixed-frames"], "--fixed-frames spares --method pixel nothing"),
            ("learn", ["coop", "--backward-frames", "1"], "--backward-frames is for vision prompts"),
        ] as [(String, [String], String)])
    func whatABenchCannotStepIsSaid(work: String, flags: [String], message: String) throws {
        let refused = try Program().run(["bench", work, "--method"] + flags)
        #expect(refused.status == 64 && refused.messages.contains(message), "\(refused.messages)")
    }

    /// A class more costs its own tokens, not 77.
    @Test func classesCostTheirOwnTokens() throws {
        let few = try bench("learn", "--frames", "1", "--classes", "30")
        let many = try bench("learn", "--frames", "1", "--classes", "60")
        // Thirty names of two words on average, a full stop and an end token, in 11 layers; in the last one
        // keys and values, and the end token. Forward and back, with attention and the projection on top.
        let perRow = 2 * 12 * 512 * 512
        let expected = 30 * 2 * (4 * 11 * perRow + 4 * 2 * 2 * 512 * 512 + 10 * 2 * 512 * 512)
        let difference = Double(many.flops_needed - few.flops_needed)
        #expect(difference > Double(expected) * 0.9 && difference < Double(expected) * 1.05)
        #expect(Double(many.flops_done - few.flops_done) < 1.01 * difference)
    }

    @Test func memoryIsBounded() throws {
        let free = try bench("learn", "--frames", "8", "--classes", "3")
        let bounded = try bench("learn", "--frames", "8", "--classes", "3", "--memory", "1100M")
        #expect(free.peak_bytes > 1_100_000_000)
        #expect(bounded.peak_bytes <= 1_100_000_000)
        #expect(bounded.flops_done > free.flops_done)
        let refused = try Program().run(["bench", "--memory", "500M", "--frames", "8"])
        #expect(refused.status == 78 && refused.messages.contains("--memory 500M is too little"))
        #expect(refused.output == "")
    }

    /// bfloat16 computes nothing twice that float32 does not, and keeps less.
    @Test(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
    func bfloat16DoesTheSameWork() throws {
        let full = try bench("learn", "--frames", "2", "--classes", "3")
        let half = try bench("learn", "--frames", "2", "--classes", "3", "--precision", "bf16")
        #expect(half.flops_needed == full.flops_needed && half.flops_done <= full.flops_done)
        #expect(half.product_rows <= full.product_rows && half.allocations < 300)
        // The bound counts the weights' copies in bfloat16.
        let bounded = try bench("learn", "--frames", "8", "--classes", "3", "--precision", "bf16", "--memory", "1500M")
        #expect(bounded.peak_bytes <= 1_500_000_000 && bounded.flops_done > half.flops_done)
    }

    /// Every step after the first allocates the same few small matrices.
    @Test func allocationDoesNotGrow() throws {
        let report = try bench("learn", "--frames", "1", "--classes", "3")
        #expect(report.allocations < 300)
    }
}
