"""Writes Tests/Fixtures/torch: small archives of torch.save and torch.jit.save, and expected.json with the
shape and SHA-256 of the float32 bytes of each tensor, as PyTorch reads them. PyTorch 2.15, NumPy 2.

    python make_torch_archives.py ../torch
"""
import collections, hashlib, json, sys, warnings
import numpy
import torch

warnings.filterwarnings("ignore")
folder = sys.argv[1]
torch.manual_seed(7)
expected = {}


def note(file, tensors):
    expected[file] = {
        name: [list(t.shape), hashlib.sha256(t.detach().float().contiguous().numpy().tobytes()).hexdigest()]
        for name, t in tensors.items()
    }


def save(file, value, tensors, **options):
    torch.save(value, f"{folder}/{file}", **options)
    note(file, tensors)


def special(dtype):
    values = torch.randn(257, 3)
    values[:8, 0] = torch.tensor([0.0, -0.0, 6e-8, -6e-5, 65504.0, float("inf"), -float("inf"), 1e-30])
    return values.to(dtype)


types = {str(t)[6:]: special(t) for t in (torch.float32, torch.float16, torch.bfloat16, torch.float64)}
save("types.pt", types, types)

base = torch.randn(6, 10)
big = torch.randn(40, 50)
views = {
    "transposed": base.t(), "rows": base[1:5:2], "columns": base[:, 3:9:2], "permuted": torch.randn(2, 3, 4, 5).permute(2, 0, 3, 1),
    "expanded": torch.randn(3, 1).expand(3, 4), "tail": base[5], "scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4),
    "tied": base, "again": base, "channels_last": torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last),
    "large": big.t(), "one": base[2:3, 4:5],
}
save("views.pt", views, views)

model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.LayerNorm(4))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98))
model(torch.randn(3, 5)).square().sum().backward()
optimizer.step()
training = {
    "model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 9, "max_accuracy": numpy.float64(61.5),
    "half": True, "name": "ViT-B/16", "counts": torch.arange(3), "parameter": torch.nn.Parameter(torch.ones(2)),
    "size": torch.Size([3, 4]), "big": 1 << 80, "negative": -(1 << 40), "history": [0.5, 0.25],
}
tensors = {f"model.{k}": v for k, v in model.state_dict().items()}
for index, state in optimizer.state_dict()["state"].items():
    tensors |= {f"optimizer.state.{index}.{k}": v for k, v in state.items()}
tensors["parameter"] = training["parameter"]
save("training.pt", training, tensors)

torch.serialization.set_crc32_options(False)
save("no-checksums.pt", {"a": base}, {"a": base})
torch.serialization.set_crc32_options(True)

for protocol in (3, 4, 5):
    torch.save({"a": base}, f"{folder}/protocol-{protocol}.pt", pickle_protocol=protocol)
torch.save({"a": base}, f"{folder}/legacy.pt", _use_new_zipfile_serialization=False)
torch.save(model, f"{folder}/module.pt")
torch.save(
    {"sparse": base.to_sparse(), "complex": torch.view_as_complex(torch.randn(4, 2)), "dense": base,
     "quantized": torch.quantize_per_tensor(base, 0.1, 0, torch.qint8)},
    f"{folder}/other-tensors.pt")
note("other-tensors.pt", {"dense": base})
loop = [base]
loop.append(loop)
save("loop.pt", {"loop": loop}, {"loop.0": base})


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.in_proj_weight = torch.nn.Parameter(torch.randn(12, 4).half())
        self.register_buffer("mask", torch.full((3, 3), float("-inf")).triu(1))
        self.heads: int = 2

    def forward(self, x):
        return x @ self.in_proj_weight.float().t()[:, :4] + torch.ones(4)


class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.resblocks = torch.nn.Sequential(Attention(), Attention())
        self.proj = torch.nn.Parameter(torch.randn(4, 2))
        self.sizes = [1, 2]

    def forward(self, x):
        return self.resblocks(x) @ self.proj


class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = Tower()
        self.register_buffer("input_resolution", torch.tensor(64))
        self.tied = self.visual.proj

    def forward(self, x):
        return self.visual(x)


clip = Model().eval()
for file, program in (("scripted.pt", torch.jit.script(clip)), ("traced.pt", torch.jit.trace(clip, torch.randn(3, 4)))):
    program.save(f"{folder}/{file}")
    note(file, {k: v for k, v in clip.state_dict().items()})

json.dump(expected, open(f"{folder}/expected.json", "w"), indent=0)
