"""ViFi-CLIP checkpoints with one to three text tokens, and what the reference makes of class names with them.

    python make_words.py

The learner below is a copy in structure of VLPromptLearner (ViFi-CLIP trainers/vificlip.py): with at most four text
tokens it tokenises CTX_INIT before each name, puts the learned vectors in the place of the first tokens, and keeps the
embeddings behind them as `token_suffix`. Tokens are bytes, as for all small CLIPs here; PyTorch 2.13, seed 31.
"""
import os

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

import vlclip

HERE = os.path.dirname(os.path.abspath(__file__))
CTX_INIT = "a photo of a"
NAMES = ["waving", "clapping hands", "jumping", "sitting down", "turning around"]

clip = load_file(os.path.join(HERE, "../clip/clip-tiny.safetensors"))
draw = torch.Generator().manual_seed(31)
expected = {}
for count in (1, 2, 3):
    width = clip["token_embedding.weight"].shape[1]
    ctx, deep = (torch.randn(count, width, generator=draw) * 0.5 for _ in range(2))
    rows = [[256] + list(f"{CTX_INIT} {name}.".encode()) + [257] for name in NAMES]
    ids = torch.zeros(len(rows), 77, dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
    embedding = clip["token_embedding.weight"][ids]
    learner = {"ctx": ctx, "token_prefix": embedding[:, :1], "token_suffix": embedding[:, 1 + count :]}
    model = {f"module.prompt_learner.{name}": value.contiguous() for name, value in learner.items()}
    model["module.text_encoder.transformer.resblocks.1.VPT_shallow"] = deep
    torch.save({"model": model, "epoch": 3}, os.path.join(HERE, f"../formats/vifi-words-{count}.pth"))
    # The reference's forward joins prefix, ctx and suffix; vlclip.encode_text puts text.0 in the same places.
    features = vlclip.encode_text(clip, ids, {"text.0": ctx, "text.1": deep})
    expected[f"features.{count}"] = F.normalize(features, dim=-1)
save_file(expected, os.path.join(HERE, "../clip/replaced-words.safetensors"))
