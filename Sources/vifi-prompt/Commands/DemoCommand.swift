import ArgumentParser
import CLIPModel
import Files
import Foundation
import Tensors
import Training
import VideoData

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Makes the pocket world: films that play out actions, and a small CLIP that knows stills.",
        subcommands: [Films.self, Pretrain.self])

    struct Films: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Draws both data sets as .mp4 files with lists and labels.",
            discussion: "The other commands do this by themselves when they need the films.")

        @Option(help: ArgumentHelp("Folder for the films.", valueName: "folder"))
        var output: String?

        func run() throws {
            let pool = WorkerPool()
            for catalogue in [PocketCatalogue.large(), PocketCatalogue.small()] {
                let set = try PocketHome.dataSet(catalogue, root: output ?? PocketHome.dataRoot, pool: pool)
                Console.result(
                    "\(set.root): \(catalogue.classes.count) classes, \(catalogue.train.count) training and "
                        + "\(catalogue.test.count) test films")
            }
        }
    }

    struct Pretrain: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Trains the pocket CLIP from nothing on captioned stills.",
            discussion: "This is how Checkpoints/pocket-clip.safetensors was made.")

        @Option(help: ArgumentHelp("Where the backbone goes.", valueName: "file"))
        var output = "pocket-clip.safetensors"

        @Option(help: "Steps of 96 stills.")
        var steps = ContrastivePretrainer.Configuration().stepCount

        @Option(help: "Seed of the weights and the stills.")
        var seed: UInt64 = 1

        @Option(help: "Threads; all processors by default.")
        var threads: Int?

        func validate() throws {
            guard (1...1_000_000).contains(steps) else { throw ValidationError("--steps is \(steps); 1 to 1000000 make sense.") }
        }

        func run() throws {
            var configuration = ContrastivePretrainer.Configuration()
            configuration.stepCount = steps
            configuration.seed = seed
            let progress = ProgressReporter("pretrain", total: steps, unit: "steps")
            var loss = 0.0
            var accuracy = 0.0
            let backbone = try ContrastivePretrainer(configuration).run(pool: WorkerPool(threadCount: threads ?? WorkerPool.availableProcessors)) { report in
                let weight = 1 / min(50, Double(report.step + 1))
                loss += (report.loss - loss) * weight
                accuracy += (report.accuracy - accuracy) * weight
                progress.show(
                    report.step + 1,
                    detail: "loss \(ProgressReporter.decimal(loss, places: 3)), "
                        + "own caption nearest \(ProgressReporter.decimal(100 * accuracy, places: 0)) %")
            }
            progress.finish()
            // Half precision halves the file; everything after sees exactly what the file holds.
            let rounded = backbone.roundedToHalf()
            try rounded.save(to: output, elementType: .float16)
            Console.result("\(output): \(rounded.parameterCount) parameters, digest \(rounded.digest)")
        }
    }
}
