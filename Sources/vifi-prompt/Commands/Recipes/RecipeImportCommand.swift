import ArgumentParser
import Experiments
import Files
import Recipes

extension RecipeCommand {
    struct Import: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Turns a configuration file of ViFi-CLIP into a recipe.",
            discussion: """
                Reads its YAML files with DATA, MODEL, TRAIN, TRAINER.ViFi_CLIP, AUG, TEST and BASE. The reference's \
                defaults are filled in; keys that say nothing here are listed with the reason.

                  vifi-prompt recipe import 16_32_prompting_2_shot.yaml > mine.yaml
                """)

        @Argument(help: ArgumentHelp("A YAML file of ViFi-CLIP.", valueName: "file"))
        var file: String
        @Option(help: "Devices that the configuration is meant for: its batch and steps are for each of them.")
        var gpus = 8
        @Option(
            name: .shortAndLong,
            help: ArgumentHelp("Where to write the recipe; standard output by default.", valueName: "file"))
        var output: String?
        @Flag(help: "Replace an existing file.")
        var force = false

        func validate() throws {
            try requireRange("--gpus", gpus, 1...65_536)
        }

        func run() throws {
            if let output, !force, fileExists(output) {
                throw SettingsError.outputExists(path: output)
            }
            if let output {
                try refuseOverInputs([output], inputs: [file])
                try proveWritable(file: output)
            }
            let configuration = try ReferenceConfiguration(path: file, devices: gpus)
            for (key, reason) in configuration.notTakenOver { Console.note("not taken over: \(key): \(reason)") }
            let text = header(of: configuration) + configuration.recipe.yaml
            if let output {
                try createDirectory(output.parentDirectory)
                try DurableFile.write(text, to: output)
                Console.result(output.escapedForDisplay)
            } else {
                // The YAML ends with its own line break.
                Console.result(String(text.dropLast()))
            }
        }

        private func header(of configuration: ReferenceConfiguration) -> String {
            let command = configuration.recipe.tuning == nil ? "learn" : "bridge"
            let training = configuration.recipe.training
            let lines = [
                "\(file.lastPathComponent.escapedForDisplay), a configuration of ViFi-CLIP.",
                "",
                "  vifi-prompt \(command) --recipe THIS.yaml --backbone FILE",
                "",
                "Effective batch: \(training.batchSize ?? 0) × \(training.accumulationSteps ?? 0) = \(configuration.effectiveBatch) "
                    + "for \(gpus) devices.",
                "The reference's faults are not repeated; --compat vifi-clip does so (docs/reproduce.md).",
            ] + configuration.notTakenOver.map { "Not taken over: \($0.key): \($0.reason)." }
            return lines.map { $0.isEmpty ? "#\n" : "# \($0)\n" }.joined()
        }
    }
}
