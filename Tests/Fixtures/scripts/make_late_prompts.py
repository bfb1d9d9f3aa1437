"""Writes Tests/Fixtures/clip/late-prompts.safetensors: losses and gradients of prompts that begin above the first
layer, by PyTorch in double precision, for the model and inputs of make_fixtures.py. Run from the package's root."""
import os, sys
import torch
from safetensors.torch import load_file, save_file
sys.path.insert(0, os.path.dirname(__file__))
import vlclip as R

OUT = "Tests/Fixtures/clip"
torch.set_num_threads(1); torch.use_deterministic_algorithms(True)
sd = {k: v.double() for k, v in load_file(f"{OUT}/clip-tiny.safetensors").items()}
inputs = load_file(f"{OUT}/forward.safetensors")
frames, ids, target = inputs["frames"].double(), inputs["ids"].long(), inputs["target"].double()

# Name: vision tokens and layers, text tokens and layers. The model has 3 vision and 2 text layers; the ids at
# positions 1 to 3 are the words that layers below the first text prompts read.
variants = {
    "late_vision": (4, range(1, 3), 3, range(0, 2)), "late_both": (4, range(1, 3), 3, range(1, 2)),
    "last": (2, range(2, 3), 3, range(1, 2)), "middle": (4, range(1, 2), 2, range(0, 1)),
    "late_text": (0, range(0), 3, range(1, 2)),
}
out = {}
for name, (nv, lv, nt, lt) in variants.items():
    g = torch.Generator().manual_seed(33)
    prompts = {f"visual.{i}": torch.randn(nv, 128, generator=g) * 0.1 for i in lv}
    prompts |= {f"text.{i}": torch.randn(nt, 64, generator=g) * 0.1 for i in lt}
    leaves = {k: v.double().requires_grad_() for k, v in prompts.items()}
    logits = R.video_logits(sd, frames, ids, leaves)
    loss = R.soft_cross_entropy(logits, target)
    loss.backward()
    out |= {f"{name}.logits": logits.detach(), f"{name}.loss": loss.detach().reshape(1)}
    out |= {f"{name}.grad.{k}": v.grad for k, v in leaves.items()}
    out |= {f"{name}.prompt.{k}": v for k, v in prompts.items()}
save_file({k: v.float().contiguous() for k, v in out.items()}, f"{OUT}/late-prompts.safetensors")
