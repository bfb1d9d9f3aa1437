import Files
import vifi_prompt

/// Recipes, and configuration files of ViFi-CLIP.
let recipeParsers: [Parser] = [
    Parser(name: "recipe", seeds: recipeSeeds) { input, _ in
        _ = try Recipe(yaml: String(decoding: input, as: UTF8.self), source: "fuzz.yaml")
    },
    Parser(name: "vificlip", seeds: [Array(referenceSeed.utf8)]) { input, path in
        overwrite(path, with: input)
        _ = try ReferenceConfiguration(path: path, devices: 8)
    },
]

private let recipeSeeds: [[UInt8]] = [
    "# a note\ntraining: {epochs: 5, learning_rate: 8.e-6}\n", "compat: [idle-first-step, unshifted-cosine]\ndata:\n  frames: 8\n",
    "tuning: both\ntemplate: \"a photo of a {}.\"\nfusion: embedding\naugmentation:\n  mixup: 0.8\n  multi_scale: true\n",
    "prompts:\n  vision_tokens: 4\n  start: template\ntraining:\n  steps: 120\n  seed: 1024\n  learning_rate: 1.6e-2\n",
].map { Array($0.utf8) }

private let referenceSeed = """
    DATA:
      ROOT: '/x/'
      DATASET: kinetics400
      NUM_FRAMES: 32
    MODEL:
      ARCH: ViT-B/16
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
