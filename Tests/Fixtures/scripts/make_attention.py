"""Writes Tests/Fixtures/clip/attention.safetensors: relevance and attention maps by PyTorch's autograd.

Run from the package's root after make_fixtures.py. Relevance as Chefer et al.'s CLIP_explainability.ipynb: the whole
matrix R over all tokens, prompts as rows of every frame, gradients of the attention probabilities by autograd. Some of
these gradients are held against central differences in double precision.
"""
import os, sys
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
sys.path.insert(0, os.path.dirname(__file__))
import vlclip as R

CLIP = "Tests/Fixtures/clip"
torch.set_num_threads(1)
state = {k: v.double() for k, v in load_file(f"{CLIP}/clip-tiny.safetensors").items()}
given = load_file(f"{CLIP}/forward.safetensors")
frames, ids = given["frames"].double(), given["ids"].long()
tensors = load_file(f"{CLIP}/prompts.safetensors")
LAYERS, PATCHES = 3, 16


def block(x, p, heads, added):
    B, N, D = x.shape
    qkv = F.linear(R.ln(x, state, p + "ln_1"), state[p + "attn.in_proj_weight"], state[p + "attn.in_proj_bias"])
    q, k, v = qkv.view(B, N, 3, heads, D // heads).permute(2, 0, 3, 1, 4)
    A = (q @ k.transpose(-1, -2) / (D // heads) ** 0.5).softmax(-1)
    if added is not None: A = A + added
    if not A.requires_grad: A.requires_grad_()
    else: A.retain_grad()
    x = x + F.linear((A @ v).transpose(1, 2).reshape(B, N, D), state[p + "attn.out_proj.weight"], state[p + "attn.out_proj.bias"])
    h = F.linear(R.ln(x, state, p + "ln_2"), state[p + "mlp.c_fc.weight"], state[p + "mlp.c_fc.bias"])
    h = h * torch.sigmoid(1.702 * h)
    return x + F.linear(h, state[p + "mlp.c_proj.weight"], state[p + "mlp.c_proj.bias"]), A


def encode(clip, prompts, added={}):
    """clip [T,3,H,W] -> features [T,E] and attention probabilities of each layer [T,heads,N,N]."""
    w = state["visual.conv1.weight"]; D = w.shape[0]
    x = F.conv2d(clip, w, stride=w.shape[-1]).flatten(2).transpose(1, 2)
    x = torch.cat([state["visual.class_embedding"].expand(len(x), 1, D), x], 1) + state["visual.positional_embedding"]
    n = 0
    if "visual.0" in prompts:
        n = prompts["visual.0"].shape[0]
        x = torch.cat([x, prompts["visual.0"].expand(len(x), -1, -1)], 1)
    x = R.ln(x, state, "visual.ln_pre")
    all = []
    for i in range(LAYERS):
        if i > 0 and f"visual.{i}" in prompts:
            x = torch.cat([x[:, : x.shape[1] - n], prompts[f"visual.{i}"].expand(len(x), -1, -1)], 1)
        x, A = block(x, f"visual.transformer.resblocks.{i}.", D // 64, added.get(i))
        all.append(A)
    return R.ln(x[:, 0], state, "visual.ln_post") @ state["visual.proj"], all


single = {k: v.float() for k, v in state.items()}


def score(clip, prompts, label, fusion, added={}):
    f, A = encode(clip, prompts, added)
    # In single precision: vlclip's causal mask is, and gives other values beside doubles.
    t = F.normalize(R.encode_text(single, ids, {k: v.float() for k, v in prompts.items()}).double(), dim=-1)
    s = state["logit_scale"].exp()
    logits = s * F.normalize(f.mean(0), dim=-1) @ t.t() if fusion == "embedding" else (s * F.normalize(f, dim=-1) @ t.t()).mean(0)
    return logits, logits[label], A


def relevance(A, grads, start):
    """R[class token, patches] of each frame, R <- R + E R from block `start` on."""
    N = A[0].shape[-1]
    result = torch.eye(N, dtype=torch.double).expand(len(A[0]), N, N)
    for a, g in list(zip(A, grads))[start:]:
        result = result + torch.bmm((g * a).clamp(min=0).mean(1), result)
    return result[:, 0, 1:1 + PATCHES]


expected = given["logits.embedding"]
assert (score(frames[0], {}, 0, "embedding")[0] - expected[0]).abs().max() < 1e-4
out = {}
for variant in ("none", "deep", "partial", "shallow"):
    head = f"{variant}.prompt."
    prompts = {k[len(head):]: v.double() for k, v in tensors.items() if k.startswith(head)}
    for fusion in ("embedding", "decision"):
        for clip, label in ((0, 1), (1, 4)):
            logits, S, A = score(frames[clip], prompts, label, fusion)
            grads = torch.autograd.grad(S, A)
            name = f"{variant}.{fusion}.{clip}"
            out[name + ".logits"] = logits.detach()
            for start in range(LAYERS): out[f"{name}.relevance.{start}"] = relevance([a.detach() for a in A], grads, start)
            if fusion == "embedding":
                # [heads, T, patches] of the class token
                for layer in range(LAYERS): out[f"{name}.raw.{layer}"] = A[layer].detach()[:, :, 0, 1:1 + PATCHES].transpose(0, 1)
            # Some probabilities of each block by central differences.
            for layer in range(LAYERS):
                for place in ((0, 0, 0, 3), (1, 1, 0, 16), (2, 0, 5, 7)):
                    step = torch.zeros_like(A[layer]); step[place] = 1e-5
                    up, down = (score(frames[clip], prompts, label, fusion, {layer: d})[1].item() for d in (step, -step))
                    numeric, exact = (up - down) / 2e-5, grads[layer][place].item()
                    assert abs(numeric - exact) < 1e-6 * max(1, abs(exact)), (name, layer, place, numeric, exact)
save_file({k: v.float().contiguous() for k, v in out.items()}, f"{CLIP}/attention.safetensors")
