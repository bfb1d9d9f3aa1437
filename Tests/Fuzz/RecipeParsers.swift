import Recipes

/// Recipes, grids and the configurations of the reference.
let recipeParsers: [Parser] = [
    Parser(name: "recipes", seeds: recipeSeeds.map { Array($0.utf8) }) { input, _ in
        _ = try Recipe(yaml: String(decoding: input, as: UTF8.self), source: "mutated.yaml")
    },
    Parser(name: "grids", seeds: [Array(gridSeed.utf8)]) { input, path in
        overwrite(path, with: input)
        _ = try AblationGrid(path: path, name: "mutated")
    },
]

private let recipeSeeds = [
    "# a note\ntraining: {epochs: 5, learning_rate: 8.e-6}\n", "compat: [idle-first-step, unshifted-cosine]\ndata:\n  frames: 8\n",
    "tuning: both\ntemplate: \"a photo of a {}.\"\nfusion: embedding\naugmentation:\n  mixup: 0.8\n  multi_scale: true\n",
    "prompts:\n  vision_tokens: 4\n  start: template\ntraining:\n  steps: 120\n  seed: 1024\n  learning_rate: 1.6e-2\n",
]

private let gridSeed = """
    # Ablation: rates.
    training:
      shots: 2
    grid:
      command: learn
      axis: rate
      cells:
        4e-3: {at: 4, training: {learning_rate: 4e-3}}
        whole CLIP: {at: 1, series: fine-tuning, command: bridge, recipe: few-shot/fine-tune}

    """
