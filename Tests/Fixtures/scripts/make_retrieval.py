"""Writes Tests/Fixtures/retrieval: the loss over pairs and its gradients by PyTorch, metrics by numpy.

Run from the package's root, after make_fixtures.py (it reads clip/clip-mini.safetensors).
"""
import json, os, sys
import numpy as np, torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
sys.path.insert(0, os.path.dirname(__file__))
import vlclip as R

OUT = "Tests/Fixtures/retrieval"
os.makedirs(OUT, exist_ok=True)
torch.manual_seed(0); torch.set_num_threads(1); torch.use_deterministic_algorithms(True)
sd = load_file("Tests/Fixtures/clip/clip-mini.safetensors")

# Six pairs of five videos: pairs 1 and 3 show the same video, captions 0 and 4 say the same.
B, T = 6, 2
g = torch.Generator().manual_seed(9)
videos = [0, 1, 2, 1, 3, 4]
videos = torch.randn(5, T, 3, 32, 32, generator=g)
frames = videos[videos]
ids = torch.zeros(B, 77, dtype=torch.int64)
for c, n in enumerate([5, 3, 8, 4, 5, 2]):
    ids[c, 0] = 298
    ids[c, 1:4] = 41
    ids[c, 4:4 + n] = torch.randint(1, 290, (n,), generator=g)
    ids[c, 4 + n] = 299
ids[4] = ids[0]

same = torch.tensor([[videos[i] == videos[j] or bool((ids[i] == ids[j]).all()) for j in range(B)] for i in range(B)]).float()


def loss_of(state, prompts):
    f = R.encode_frames(state, frames.flatten(0, 1), prompts).view(B, T, -1)
    v = F.normalize(f.mean(1), dim=-1)
    t = F.normalize(R.encode_text(state, ids, prompts), dim=-1)
    logits = state["logit_scale"].exp() * v @ t.t()
    rows = R.soft_cross_entropy(logits, same / same.sum(1, keepdim=True))
    columns = R.soft_cross_entropy(logits.t(), (same / same.sum(0, keepdim=True)).t())
    return (rows + columns) / 2, v, t


KEPT = ["visual.conv1.weight", "visual.class_embedding", "visual.positional_embedding", "visual.ln_pre.weight", "visual.proj",
        "visual.transformer.resblocks.0.attn.in_proj_weight", "visual.transformer.resblocks.1.mlp.c_fc.weight",
        "token_embedding.weight", "positional_embedding", "transformer.resblocks.0.attn.in_proj_weight",
        "transformer.resblocks.0.mlp.c_proj.weight", "ln_final.bias", "text_projection", "logit_scale"]
state = {k: v.clone().requires_grad_() for k, v in sd.items()}
loss, v, t = loss_of(state, {})
loss.backward()
out = {"frames": videos, "ids": ids.int(), "videos": torch.tensor(videos).int(), "same": same, "video_embeddings": v.detach(),
       "text_embeddings": t.detach(), "loss": loss.detach().reshape(1)}
out |= {"grad." + k: state[k].grad for k in KEPT}

p = R.random_prompts(sd, 21, 4, 3, 2, 1)
learned = {k: q.clone().requires_grad_() for k, q in p.items()}
loss, v, t = loss_of(sd, learned)
loss.backward()
out |= {"prompts.loss": loss.detach().reshape(1)}
out |= {"prompts.prompt." + k: q for k, q in p.items()} | {"prompts.grad." + k: q.grad for k, q in learned.items()}
save_file({k: q.contiguous() for k, q in out.items()}, f"{OUT}/contrastive.safetensors")

# Metrics. Vectors of eighths: their products are exact in float32, so equal scores are equal everywhere.
rng = np.random.default_rng(4)
V, C, D = 23, 57, 6
video_of_caption = np.concatenate([np.arange(V), rng.integers(0, V, C - V)])
rng.shuffle(video_of_caption)
video = rng.integers(-8, 9, (V, D)) / 8
caption = video[video_of_caption] * 0.5 + rng.integers(-8, 9, (C, D)) / 8
caption[5] = caption[11]
video[3] = video[17]
scores = caption @ video.T  # [C, V]


def summary(ranks, tied):
    ranks = np.asarray(ranks)
    return dict(ranks=ranks.tolist(), tied=int(tied), r1=100 * np.mean(ranks <= 1), r5=100 * np.mean(ranks <= 5), r10=100 * np.mean(ranks <= 10),
                median_rank=float(np.median(ranks)), mean_rank=float(np.mean(ranks)))


def by_sorting(row, right):
    """The first place at which a right answer's score appears in the sorted scores: the same rank another way."""
    return 1 + int(np.searchsorted(np.sort(-row), -row[right].max(), side="left"))


right_of_caption = [[int(v)] for v in video_of_caption]
right_of_video = [np.flatnonzero(video_of_caption == v).tolist() for v in range(V)]
result = {}
for name, matrix, right in (("text_to_video", scores, right_of_caption), ("video_to_text", scores.T, right_of_video)):
    ranks, tied = [], 0
    for row, own in zip(matrix, right):
        best = row[own].max()
        ranks.append(int((row > best).sum()) + 1)
        assert ranks[-1] == by_sorting(row, own)
        tied += int((np.delete(row, own) == best).any())
    result[name] = summary(ranks, tied)
try:
    from sklearn.metrics import top_k_accuracy_score
    # scikit-learn breaks ties by position, so it is asked where there are none.
    clear = [i for i in range(C) if (scores[i] == scores[i, video_of_caption[i]]).sum() == 1]
    for k in (1, 5, 10):
        ours = np.mean(np.asarray(result["text_to_video"]["ranks"])[clear] <= k)
        assert abs(ours - top_k_accuracy_score(video_of_caption[clear], scores[clear], k=k, labels=np.arange(V))) < 1e-12
except ImportError:
    print("scikit-learn is not there: its comparison is left out")
json.dump(dict(videos=video.tolist(), captions=caption.tolist(), video_of_caption=video_of_caption.tolist(), **result),
          open(f"{OUT}/metrics.json", "w"))
