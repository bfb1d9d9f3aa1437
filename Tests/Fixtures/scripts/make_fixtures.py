"""Writes Tests/Fixtures/clip: small inputs and the values PyTorch gives for them. Run from the package's root."""
import hashlib, json, math, os, sys, collections
import numpy as np, torch
import torch.nn.functional as F
from safetensors.torch import save_file
sys.path.insert(0, os.path.dirname(__file__))
import vlclip as R

OUT = "Tests/Fixtures/clip"
os.makedirs(OUT, exist_ok=True)
torch.manual_seed(0); torch.set_num_threads(1); torch.use_deterministic_algorithms(True)
SHAPE = dict(embed=48, res=64, patch=16, vwidth=128, vlayers=3, twidth=64, tlayers=2, context=77, vocab=300)
MINI = dict(embed=32, res=32, patch=16, vwidth=64, vlayers=2, twidth=64, tlayers=1, context=77, vocab=300)
sd = R.random_state(11, **SHAPE)
save_file(sd, f"{OUT}/clip-tiny.safetensors", {"source": "random weights, seed 11"})

g = torch.Generator().manual_seed(5)
B, T, C = 2, 3, 5
frames = torch.randn(B, T, 3, 64, 64, generator=g)
ids = torch.zeros(C, 77, dtype=torch.int64)
lengths = [4, 7, 5, 9, 6]
for c, n in enumerate(lengths):
    ids[c, 0] = 298
    ids[c, 1:4] = torch.tensor([41, 41, 41])
    ids[c, 4:4 + n] = torch.randint(1, 290, (n,), generator=g)
    ids[c, 4 + n] = 299
target = torch.full((B, C), 0.1 / C); target[0, 1] += 0.9 * 0.7; target[0, 3] += 0.9 * 0.3; target[1, 4] += 0.9
with torch.no_grad():
    out = dict(frames=frames, ids=ids.int(), target=target,
               frame_features=R.encode_frames(sd, frames.flatten(0, 1)), text_features=R.encode_text(sd, ids))
    for f in ("embedding", "decision", "image"):
        out["logits." + f] = R.video_logits(sd, frames, ids, fusion=f)
save_file({k: v.contiguous() for k, v in out.items()}, f"{OUT}/forward.safetensors")

def loss_of(state, prompts, fusion):
    lo = R.video_logits(state, frames, ids, prompts, fusion)
    return lo, R.soft_cross_entropy(lo, target if fusion != "image" else target.repeat_interleave(T, 0))

variants = {"deep": (4, 3, 3, 2), "partial": (4, 3, 2, 1), "shallow": (2, 3, 1, 1), "vision_only": (4, 0, 3, 0), "text_only": (0, 3, 0, 2)}
out = {}
for name, (nv, nt, dv, dt) in variants.items():
    p = R.random_prompts(sd, 21, nv, nt, dv, dt)
    for f in ("embedding", "decision", "image"):
        lp = {k: v.clone().requires_grad_() for k, v in p.items()}
        lo, loss = loss_of(sd, lp, f); loss.backward()
        out |= {f"{name}.{f}.logits": lo.detach(), f"{name}.{f}.loss": loss.detach().reshape(1)}
        out |= {f"{name}.{f}.grad.{k}": v.grad for k, v in lp.items()}
    out |= {f"{name}.prompt.{k}": v for k, v in p.items()}
save_file({k: v.contiguous() for k, v in out.items()}, f"{OUT}/prompts.safetensors")

state = {k: v.clone().requires_grad_() for k, v in sd.items()}
lo, loss = loss_of(state, {}, "embedding"); loss.backward()
save_file({"loss": loss.detach().reshape(1)} | {"grad." + k: v.grad.contiguous() for k, v in state.items()}, f"{OUT}/bridge.safetensors")

def lr_at(t, base, total, warm):
    return base * t / warm if t < warm else base / 100 + 0.5 * (base - base / 100) * (1 + math.cos(math.pi * t / total))

def train(params, state_of, base, steps, warm):
    opt = torch.optim.AdamW(params.values(), lr=0.0, weight_decay=1e-3, betas=(0.9, 0.98), eps=1e-8)
    losses = []
    for t in range(steps):
        for gr in opt.param_groups: gr["lr"] = lr_at(t, base, steps, warm)
        _, loss = loss_of(*state_of(params), "embedding")
        opt.zero_grad(); loss.backward(); opt.step(); losses.append(loss.item())
    return torch.tensor(losses)

p = {k: v.clone().requires_grad_() for k, v in R.random_prompts(sd, 21, 4, 3, 3, 2).items()}
out = {"prompts.losses": train(p, lambda q: (sd, q), 8e-3, 10, 3)}
out |= {"prompts.final." + k: v.detach() for k, v in p.items()}
state = {k: v.clone().requires_grad_() for k, v in sd.items()}
out["bridge.losses"] = train(state, lambda q: (q, {}), 1e-4, 5, 2)
for k in ("visual.conv1.weight", "visual.transformer.resblocks.1.attn.in_proj_weight", "transformer.resblocks.0.mlp.c_fc.bias",
          "token_embedding.weight", "positional_embedding", "visual.class_embedding", "logit_scale", "text_projection"):
    out["bridge.final." + k] = state[k].detach()
save_file({k: v.contiguous() for k, v in out.items()}, f"{OUT}/training.safetensors")

# preprocessing
import cv2
rng = np.random.default_rng(3)
small = rng.integers(0, 256, (24, 32, 3), dtype=np.uint8)
image = cv2.resize(small, (171, 128), interpolation=cv2.INTER_CUBIC)
TRANSFORMS = os.path.join(os.path.dirname(OUT), "transforms")
image.tofile(f"{TRANSFORMS}/image.bin")

def test_indices(n, k): return [int(i * n / k + n / k / 2) for i in range(k)]
def train_indices(n, k, draws):
    a = n // k
    idx = [i * a + draws[i] % a for i in range(k)] if a > 0 else [int(v) for v in np.around(np.arange(k) * n / k)]
    return [v % n for v in idx]
cases = []
for n in (1, 5, 16, 31, 32, 33, 100, 299, 300, 2500):
    for k in (1, 8, 16, 32):
        draws = [int(v) for v in np.random.default_rng(n * 100 + k).integers(0, 10 ** 6, k)]
        cases.append(dict(frames=n, samples=k, test=test_indices(n, k), draws=draws, train=train_indices(n, k, draws)))
json.dump(cases, open(f"{TRANSFORMS}/sampling.json", "w"))

# tokenizer
from open_clip.tokenizer import SimpleTokenizer
tok = SimpleTokenizer()
words = ["archery", "a photo of a archery.", "brush_hair", "ApplyEyeMakeup", "riding or walking with horse", "tai chi", "playing ukulele",
         "Covering [something] with [something]", "faceplanting", "ice climbing!!", "shooting goal (soccer)", "rock scissors paper", "it's we'll they've I'm you'd",
         "2 people, 3 dogs & 10 cats", "naïve café", "  double   spaces\tand\nnewline ", "&lt;b&gt; &amp;amp;", "cartwheel.", "X X X X X X X X X X archery.", "",
         "push-up vs. pull-up", "ÄÖÜ straße", "日本語", "emoji 🏃‍♀️ running", "a" * 60, "1234567890", "CamelCaseWordsHere", "don't-stop…now"]
import csv
json.dump([dict(text=w, ids=tok.encode(w)) for w in words], open(f"{OUT}/tokenizer.json", "w"), ensure_ascii=False, indent=0)

# file formats, all holding clip-mini
mini = R.random_state(12, **MINI)
save_file(mini, f"{OUT}/clip-mini.safetensors", {"source": "random weights, seed 12"})
os.makedirs(f"{OUT}/formats", exist_ok=True)
class Leaf(torch.nn.Module):
    def forward(self): return 0
def tree(state, half):
    root = Leaf()
    for k, v in state.items():
        m = root; *path, last = k.split(".")
        for q in path:
            if not hasattr(m, q): m.add_module(q, Leaf())
            m = getattr(m, q)
        m.register_parameter(last, torch.nn.Parameter(v.half() if half and v.dim() > 1 else v.clone()))
    return root
extras = {"input_resolution": torch.tensor(32), "context_length": torch.tensor(77), "vocab_size": torch.tensor(300)}
root = tree(mini, True)
for k, v in extras.items(): root.register_buffer(k, v)
torch.jit.save(torch.jit.script(root), f"{OUT}/formats/openai-style.pt")
torch.save(mini, f"{OUT}/formats/state-dict.pt")
torch.save({"epoch": 3, "name": "x", "state_dict": {"module." + k: v for k, v in mini.items()}}, f"{OUT}/formats/open_clip-style.pt")
from yacs.config import CfgNode as CN
cfg = CN(); cfg.TRAIN = CN(); cfg.TRAIN.EPOCHS = 10; cfg.MODEL = CN(); cfg.MODEL.ARCH = "ViT-B/16"; cfg.freeze()
def vifi_keys(state, prompts):
    out = collections.OrderedDict()
    for k, v in state.items():
        if k == "token_embedding.weight": continue
        if k.startswith("visual."): n = "image_encoder." + k[7:]
        elif k == "logit_scale": n = k
        else: n = "text_encoder." + k
        out["module." + n] = v
    for k, v in prompts.items():
        side, i = k.split(".")
        n = {("visual", "0"): "image_encoder.VPT", ("text", "0"): "prompt_learner.ctx"}.get((side, i)) or \
            f"{'image' if side == 'visual' else 'text'}_encoder.transformer.resblocks.{i}.VPT_shallow"
        out["module." + n] = v
    return out
deep = R.random_prompts(mini, 21, 4, 3, 2, 1)
w = torch.nn.Parameter(torch.zeros(3)); opt = torch.optim.AdamW([w]); w.grad = torch.ones(3); opt.step()
def vifi_file(state, prompts, name):
    m = vifi_keys(state, prompts)
    if prompts:
        m["module.prompt_learner.token_prefix"] = torch.zeros(5, 1, 64); m["module.prompt_learner.token_suffix"] = torch.zeros(5, 73, 64)
    else:
        m["module.prompt_learner.complete_text_embeddings"] = torch.zeros(5, 77, 64)
    torch.save({"model": m, "optimizer": opt.state_dict(), "lr_scheduler": {"t_initial": 10}, "max_accuracy": np.float64(61.5), "epoch": 9, "config": cfg}, f"{OUT}/formats/{name}")
vifi_file(mini, {}, "vifi-bridge-style.pth"); vifi_file(mini, deep, "vifi-prompt-style.pth")
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig
torch.manual_seed(4)
hf = CLIPModel(CLIPConfig(projection_dim=48,
    text_config=CLIPTextConfig(vocab_size=300, hidden_size=64, intermediate_size=256, num_hidden_layers=2, num_attention_heads=1, max_position_embeddings=77, bos_token_id=298, eos_token_id=299, pad_token_id=0, projection_dim=48).to_dict(),
    vision_config=CLIPVisionConfig(hidden_size=128, intermediate_size=512, num_hidden_layers=2, num_attention_heads=2, image_size=64, patch_size=16, projection_dim=48).to_dict())).eval()
for n, q in hf.named_parameters():
    if q.dim() == 1: q.data += 0.1 * torch.randn(q.shape, generator=g)
    else: q.data *= 3
hf.save_pretrained(f"{OUT}/formats/hf-clip")
with torch.no_grad():
    o = hf(input_ids=ids, pixel_values=frames.flatten(0, 1))
save_file({"ids": ids.int(), "pixels": frames.flatten(0, 1).contiguous(), "image_embeds": o.image_embeds.contiguous(), "text_embeds": o.text_embeds.contiguous(), "logits_per_image": o.logits_per_image.contiguous()}, f"{OUT}/formats/hf-clip-expected.safetensors")
digest = lambda v: hashlib.sha256(v.float().contiguous().numpy().tobytes()).hexdigest()
json.dump({"clip-mini": {k: [list(v.shape), digest(v)] for k, v in mini.items()},
           "openai-style": {k: [list(v.shape), digest(v.half().float() if v.dim() > 1 else v)] for k, v in mini.items()}}, open(f"{OUT}/formats/digests.json", "w"), indent=0)
