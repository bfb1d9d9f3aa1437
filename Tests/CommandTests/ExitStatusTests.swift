import Foundation
import TestSupport
import Testing

/// How commands end when something is wrong: the status, and the first words on standard error.
@Suite(.serialized) struct ExitStatusTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let arguments: [String]
        let status: Int32
        let message: String

        init(_ arguments: String, _ status: Int32, _ message: String) {
            self.arguments = arguments.split(separator: " ").map(String.init)
            self.status = status
            self.message = message
        }

        var testDescription: String { arguments.joined(separator: " ") }
    }

    static let cases = [
        Case("inspect --color x.safetensors", 64, "Error: Unknown option '--color'"),
        Case("frobnicate", 64, "Error: "),
        Case("inspect", 64, "Error: Missing expected argument '<file>'"),
        Case("export --labels x.csv", 64, "Error: --labels is for --to classes, onnx and dassl; prompts fit any class names."),
        Case("export --to pickles", 64, "Error: The value 'pickles' is invalid for '--to <form>'."),
        Case("inspect none.safetensors", 66, "vifi-prompt: error: none.safetensors: no such file. Check the path."),
        Case("inspect none.mp4", 66, "vifi-prompt: error: none.mp4: no such file. Check the path."),
        Case("inspect .", 65, "vifi-prompt: error: .: holds no model.safetensors"),
        Case("inspect cut.safetensors", 65, "vifi-prompt: error: cut.safetensors: 1000 bytes of tensors are stored"),
        Case("inspect page.safetensors", 65, "vifi-prompt: error: page.safetensors: is a web page, not a model."),
        Case("inspect page.mp4", 65, "vifi-prompt: error: page.mp4: is a web page"),
        Case("inspect text.txt", 65, "vifi-prompt: error: text.txt: is a text file, not a checkpoint."),
        Case("export", 66, "vifi-prompt: error: no learn run with prompts in runs/. Run `vifi-prompt learn --shots 2` first"),
        Case("export --prompts none.safetensors", 66, "vifi-prompt: error: none.safetensors: no such file."),
        Case("export --prompts whole.safetensors", 65, "vifi-prompt: error: whole.safetensors: this is not a prompt file"),
        Case("recipe show few-shot/promt", 66, "vifi-prompt: error: no recipe \"few-shot/promt\". Did you mean \"few-shot/prompt\"?"),
        Case(
            "recipe show wrong.yaml", 78,
            """
            vifi-prompt: error: wrong.yaml:2: training.epoch: unknown key. Did you mean 'epochs'?
            wrong.yaml:3: training.learning_rate: 'fast' is not a number.
            """),
        Case("recipe check pocket/learn wrong.yaml", 78, "vifi-prompt: error: wrong.yaml:2: training.epoch: unknown key."),
        Case("recipe import wrong.yaml", 78, "vifi-prompt: error: wrong.yaml:1: training: unknown key."),
        Case("recipe import none.yaml", 66, "vifi-prompt: error: none.yaml: no such file."),
        Case("recipe import wrong.yaml --gpus 0", 64, "Error: --gpus is 0; it must be between 1 and 65536."),
        Case("eval --views 4x2", 64, "Error: The value '4x2' is invalid for '--views <views>'"),
        Case("eval --compat half-promts", 64, "vifi-prompt: error: --compat: compat: 'half-promts' is none of"),
        Case("eval --recipe wrong.yaml", 78, "vifi-prompt: error: wrong.yaml:2: training.epoch: unknown key."),
        Case("recipe show pocket/learn --set training.epochs=none", 64, "vifi-prompt: error: --set: training.epochs: "),
        Case("learn --recipe wrong.yaml", 78, "vifi-prompt: error: wrong.yaml:2: training.epoch: unknown key."),
        Case("learn --train x.txt", 64, "vifi-prompt: error: for your own videos --labels is needed too."),
    ]

    @Test(arguments: cases)
    func faultsEndInTheirStatus(_ test: Case) throws {
        let program = try Program()
        let whole = try Data(contentsOf: URL(fileURLWithPath: fixturePath("clip/clip-mini.safetensors")))
        try program.folder.write([UInt8](whole), to: "whole.safetensors")
        let header = whole.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        try program.folder.write([UInt8](whole.prefix(8 + header + 1000)), to: "cut.safetensors")
        for name in ["page.safetensors", "page.mp4"] { try program.folder.write("<!DOCTYPE html><html></html>", to: name) }
        try program.folder.write("no weights, only words", to: "text.txt")
        try program.folder.write("training:\n  epoch: 3\n  learning_rate: fast\n", to: "wrong.yaml")

        let outcome = try program.run(test.arguments)
        #expect(outcome.status == test.status)
        #expect(outcome.messages.hasPrefix(test.message), "\(outcome.messages)")
        #expect(test.arguments.prefix(2) == ["recipe", "check"] || outcome.output == "", "results of a command that failed")
    }
}
