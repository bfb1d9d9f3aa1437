"""Writes Tests/Fixtures/clip/merging.safetensors: logits, losses and gradients of prompts where tokens merge in the vision
tower, by PyTorch in double precision, for the model and inputs of make_fixtures.py. Run from the package's root.

Merging as Bolya et al. 2023 (Token Merging) do it: tokens at even and odd places, cosine of the keys' mean over heads,
the most similar pairs become means weighed by sizes, log sizes are added to attention's logits. Relevance of patches is
that of make_attention.py with the matrices that merge tokens between the blocks.
"""
import os, sys
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
sys.path.insert(0, os.path.dirname(__file__))
import vlclip as R

OUT = "Tests/Fixtures/clip"
torch.set_num_threads(1); torch.use_deterministic_algorithms(True)
sd = {k: v.double() for k, v in load_file(f"{OUT}/clip-tiny.safetensors").items()}
inputs = load_file(f"{OUT}/forward.safetensors")
frames, ids, target = inputs["frames"].double(), inputs["ids"].long(), inputs["target"].double()
LAYERS, PATCHES = 3, 16
margins = []


def merge_matrix(keys, sizes, r):
    """keys [heads, N, width] of class token and patches -> matrix [N - r, N] of means weighed by sizes [N], new sizes."""
    metric = F.normalize(keys.mean(0), dim=-1)
    even, odd = torch.arange(0, len(sizes), 2), torch.arange(1, len(sizes), 2)
    scores = metric[even] @ metric[odd].T
    scores[0] = float("-inf")
    best, match = scores.max(-1)
    order = best.argsort(descending=True)
    # The choice must not hang on rounding: single precision has to come to the same.
    top = scores.topk(2, -1).values[1:]
    margins.extend([(top[:, 0] - top[:, 1]).min().item(), (best[order[r - 1]] - best[order[r]]).item()])
    merged, left = order[:r], order[r:].sort().values
    into = torch.zeros(len(left) + len(odd), len(sizes), dtype=torch.double)
    for row, a in enumerate(left): into[row, even[a]] = sizes[even[a]]
    for b, token in enumerate(odd): into[len(left) + b, token] = sizes[token]
    for a in merged: into[len(left) + match[a], even[a]] = sizes[even[a]]
    total = into.sum(1)
    return into / total[:, None], total


def encode_frame(frame, prompts, r):
    """frame [3,H,W] -> feature [E], attention of each block [heads, N, N], the matrices that merge all rows after each."""
    w = sd["visual.conv1.weight"]; D = w.shape[0]; heads = D // 64
    x = F.conv2d(frame[None], w, stride=w.shape[-1]).flatten(2).transpose(1, 2)[0]
    x = torch.cat([sd["visual.class_embedding"][None], x]) + sd["visual.positional_embedding"]
    n = 0
    if "visual.0" in prompts: x = torch.cat([x, prompts["visual.0"]]); n = len(prompts["visual.0"])
    x = R.ln(x, sd, "visual.ln_pre")
    sizes = torch.ones(PATCHES + 1, dtype=torch.double)
    attention, merges = [], []
    for i in range(LAYERS):
        if i > 0 and f"visual.{i}" in prompts:
            x = torch.cat([x[:len(sizes)], prompts[f"visual.{i}"]]); n = len(prompts[f"visual.{i}"])
        p = f"visual.transformer.resblocks.{i}."
        qkv = F.linear(R.ln(x, sd, p + "ln_1"), sd[p + "attn.in_proj_weight"], sd[p + "attn.in_proj_bias"])
        q, k, v = qkv.view(len(x), 3, heads, D // heads).permute(1, 2, 0, 3)
        bias = torch.cat([sizes.log(), torch.zeros(n, dtype=torch.double)])
        A = (q @ k.transpose(-1, -2) / (D // heads) ** 0.5 + bias).softmax(-1)
        if A.requires_grad: A.retain_grad()
        attention.append(A)
        x = x + F.linear((A @ v).transpose(0, 1).reshape(len(x), D), sd[p + "attn.out_proj.weight"], sd[p + "attn.out_proj.bias"])
        if i < LAYERS - 1:
            M, sizes = merge_matrix(k[:, :len(sizes)].detach(), sizes, r)
            M = torch.block_diag(M, torch.eye(n, dtype=torch.double))
            merges.append(M)
            x = M @ x
        h = F.linear(R.ln(x, sd, p + "ln_2"), sd[p + "mlp.c_fc.weight"], sd[p + "mlp.c_fc.bias"])
        h = h * torch.sigmoid(1.702 * h)
        x = x + F.linear(h, sd[p + "mlp.c_proj.weight"], sd[p + "mlp.c_proj.bias"])
    return R.ln(x[0], sd, "visual.ln_post") @ sd["visual.proj"], attention, merges, sizes


def logits_of(clip, prompts, r, texts, fusion):
    """clip [T,3,H,W] -> logits [C], or [T,C] for image fusion; attention and merges of each frame."""
    all = [encode_frame(frame, prompts, r) for frame in clip]
    f, s = torch.stack([one[0] for one in all]), sd["logit_scale"].exp()
    if fusion == "embedding": return s * F.normalize(f.mean(0), dim=-1) @ texts.T, all
    per = s * F.normalize(f, dim=-1) @ texts.T
    return per.mean(0) if fusion == "decision" else per, all


def relevance(all, S, start):
    """R[class token, patches] of each frame from block `start` on, each token's part shared out among its patches."""
    result = []
    for _, A, merges, _ in all:
        grads = torch.autograd.grad(S, A, retain_graph=True)
        row = torch.zeros(1, A[-1].shape[-1], dtype=torch.double); row[0, 0] = 1
        for i in range(LAYERS - 1, start - 1, -1):
            row = row + row @ (grads[i] * A[i]).clamp(min=0).mean(0)
            if i > 0: row = resized(row, merges[i - 1])
        for i in range(start - 1, 0, -1): row = resized(row, merges[i - 1])
        result.append(row[0, 1:1 + PATCHES].detach())
    return torch.stack(result)


def resized(row, M):
    """Back through a merge; prompts that the next layer replaced have nothing."""
    return torch.cat([row, torch.zeros(1, max(0, M.shape[0] - row.shape[1]), dtype=torch.double)], 1)[:, :M.shape[0]] @ M


# Name: tokens merged in a layer, vision tokens and layers, text tokens and layers, fusion.
variants = {
    "deep": (3, 4, range(0, 3), 3, range(0, 2), "embedding"), "decision": (3, 4, range(0, 3), 3, range(0, 2), "decision"),
    "image": (2, 4, range(0, 3), 3, range(0, 2), "image"), "joined": (4, 3, range(0, 1), 2, range(0, 1), "embedding"),
    "late": (4, 3, range(1, 3), 2, range(0, 1), "embedding"), "late_joined": (3, 3, range(1, 2), 2, range(0, 1), "embedding"),
    "most": (5, 3, range(0, 3), 2, range(0, 2), "embedding"), "language": (3, 0, range(0), 3, range(0, 2), "embedding"),
}
out = {}
for name, (r, nv, lv, nt, lt, fusion) in variants.items():
    g = torch.Generator().manual_seed(47)
    prompts = {f"visual.{i}": torch.randn(nv, 128, generator=g) * 0.1 for i in lv}
    prompts |= {f"text.{i}": torch.randn(nt, 64, generator=g) * 0.1 for i in lt}
    leaves = {k: v.double().requires_grad_() for k, v in prompts.items()}
    texts = F.normalize(R.encode_text(sd, ids, leaves), dim=-1)
    rows = [logits_of(clip, leaves, r, texts, fusion) for clip in frames]
    logits = torch.stack([row[0] for row in rows])
    aim = target if fusion != "image" else target[:, None].expand(-1, logits.shape[1], -1)
    loss = R.soft_cross_entropy(logits.flatten(0, -2), aim.flatten(0, -2))
    if name in ("deep", "joined"):
        for clip, label in ((0, 1), (1, 4)):
            for start in range(LAYERS):
                out[f"{name}.relevance.{clip}.{start}"] = relevance(rows[clip][1], rows[clip][0][label], start)
            for layer in range(LAYERS):
                raw = torch.stack([A[layer].mean(0)[:1, :] for _, A, _, _ in rows[clip][1]]).detach()
                for i in range(layer, 0, -1): raw = torch.stack([resized(row, one[2][i - 1]) for row, one in zip(raw, rows[clip][1])])
                out[f"{name}.raw.{clip}.{layer}"] = raw[:, 0, 1:1 + PATCHES]
    loss.backward()
    out |= {f"{name}.logits": logits.detach(), f"{name}.loss": loss.detach().reshape(1)}
    out |= {f"{name}.grad.{k}": v.grad for k, v in leaves.items()}
    out |= {f"{name}.prompt.{k}": v for k, v in prompts.items()}
assert min(margins) > 1e-5, f"two pairs are as good as each other: {min(margins)}"
save_file({k: v.float().contiguous() for k, v in out.items()}, f"{OUT}/merging.safetensors")
