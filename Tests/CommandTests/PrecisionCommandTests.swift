import Tensors
import TestSupport
import Testing

/// What `--precision` says and refuses. oneDNN can be told to hide what the processor can do.
@Suite(.serialized) struct PrecisionCommandTests {
    private static let hidden = ["ONEDNN_MAX_CPU_ISA": "AVX512_CORE"]
    private static let reason = Precision.oneDNNVersion == nil
        ? "this program was built without oneDNN." : "this processor lacks AVX512_BF16."

    /// Refused by name before anything is made, not emulated.
    @Test(arguments: [["learn", "--precision", "bf16"], ["bridge", "--set", "model.precision=bf16"]])
    func bfloat16IsRefusedWhereItIsMissing(arguments: [String]) throws {
        let program = try Program()
        let outcome = try program.run(arguments, environment: Self.hidden)
        #expect(outcome.status == 78)
        #expect(
            outcome.messages.hasPrefix("vifi-prompt: error: --precision bf16 is not possible: \(Self.reason)"), "\(outcome.messages)")
        #expect(outcome.output == "")
    }

    @Test func autoFallsBackAndSaysSo() throws {
        let program = try Program()
        let files = try SmallModel().write(to: program)
        let outcome = try program.run(
            ["predict", "none.mp4", "--prompts", files.prompts, "--backbone", files.backbone, "--precision", "auto"],
            environment: Self.hidden)
        #expect(outcome.messages.contains("Products in float32: \(Self.reason)\n"), "\(outcome.messages)")
        #expect(outcome.status == 66)
    }

    @Test(.enabled(if: Precision.bfloat16.isAvailable, "bfloat16 products are not available on this machine"))
    func bfloat16IsNamedWhereItIsUsed() throws {
        let program = try Program()
        let files = try SmallModel().write(to: program)
        for choice in ["bf16", "auto"] {
            let outcome = try program.run(
                ["predict", "none.mp4", "--prompts", files.prompts, "--backbone", files.backbone, "--precision", choice])
            #expect(outcome.messages.contains("Products in bfloat16 (oneDNN "), "\(outcome.messages)")
        }
    }
}
