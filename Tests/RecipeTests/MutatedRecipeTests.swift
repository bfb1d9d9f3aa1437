import Files
import TestSupport
import Testing
import Recipes

/// What `vifi-fuzz` does for longer.
@Suite struct MutatedRecipeTests {
    private static let seeds = [
        "# a note\ntraining: {epochs: 5, learning_rate: 8.e-6}\n", "compat: [idle-first-step, unshifted-cosine]\ndata:\n  frames: 8\n",
        "tuning: both\ntemplate: \"a photo of a {}.\"\nfusion: embedding\naugmentation:\n  mixup: 0.8\n  multi_scale: true\n",
        "prompts:\n  vision_tokens: 4\n  start: template\ntraining:\n  steps: 120\n  seed: 1024\n  learning_rate: 1.6e-2\n",
    ]

    private static let reference = """
        DATA:
          ROOT: '/x/'
          DATASET: kinetics400
          NUM_FRAMES: 32
        TRAIN:
          EPOCHS: 50
          LR: 8.e-6
          BATCH_SIZE: 4
          ACCUMULATION_STEPS: 2
        TRAINER:
          ViFi_CLIP:
            PROMPT_MODEL: True
            N_CTX_VISION: 10
        """

    @Test(.timeLimit(.minutes(15)))
    func recipes() throws {
        var mutator = Mutator(seeds: Self.seeds.map { Array($0.utf8) }, state: 1)
        for _ in 0..<5000 {
            do {
                _ = try Recipe(yaml: String(decoding: mutator.next(), as: UTF8.self), source: "mutated.yaml")
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test(.timeLimit(.minutes(15)))
    func configurationsOfTheReference() throws {
        let directory = try TemporaryDirectory()
        var mutator = Mutator(seeds: [Array(Self.reference.utf8)], state: 2)
        for _ in 0..<2000 {
            let path = try directory.write(mutator.next(), to: "mutated.yaml")
            do {
                _ = try ReferenceConfiguration(path: path, devices: 8)
            } catch {
                #expect(!error.description.isEmpty)
            }
        }
    }
}
