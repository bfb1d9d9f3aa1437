import ArgumentParser
import CLIPModel
import Experiments
import Files
import Tensors

extension PromptLayers {
    /// For flags; ArgumentParser's own words would not say what is wrong.
    static func parsed(_ argument: String) throws -> PromptLayers {
        guard let layers = PromptLayers(argument) else { throw ValidationError(complaint(about: argument)) }
        return layers
    }
}

/// Prompts that were learned before.
struct PromptOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Learned prompts: a prompt file, the folder of a run or of `export --to peft`, or a ViFi-CLIP .pth.", valueName: "path"))
    var prompts: String?

    @Flag(help: anyBackboneHelp)
    var anyBackbone = false
}

let anyBackboneHelp: ArgumentHelp = "Use prompts with another backbone than they were learned on, if only their shapes fit."

/// The backbone alone.
struct ZeroShotOptions: ParsableArguments {
    @Flag(help: "Use no prompts: class names in the template.")
    var zeroShot = false
}

/// Prompts that learning goes on from.
struct InitialPromptOptions: ParsableArguments {
    @Option(
        name: .customLong("init"),
        help: ArgumentHelp(
            "Learned prompts to start from, in any form that predict reads; they decide on tokens and layers.",
            valueName: "path"))
    var path: String?

    @Flag(help: anyBackboneHelp)
    var anyBackbone = false

    func validate() throws {
        guard path != nil || !anyBackbone else { throw ValidationError("--any-backbone is about the prompts of --init.") }
    }

    var inputs: InitialPrompts? { path.map { InitialPrompts(path: $0, anyBackbone: anyBackbone) } }
}
