"""Exports prompts in every form and reads them with the programs they are meant for.

    python3 Tests/Fixtures/scripts/check_exports.py PROGRAM PROMPTS BACKBONE

PROGRAM is the built vifi-prompt, PROMPTS a prompt file, BACKBONE the .safetensors file that it belongs to (one
that reads bytes, such as the pocket CLIP). Needs torch, numpy and safetensors. Checked are:

- torch.load(weights_only=True), and a non-strict load into a model with the reference's modules, as the
  reference's loader does it: every key of the file must be taken, and with the backbone none may be missing;
- class embeddings against those which that model computes from the file;
- numpy.load(allow_pickle=False), safetensors, the JSON of the PEFT folder, zipfile's own test of checksums;
- that all forms hold the same bits, and come back from the reference's form unchanged.
"""
import collections, json, pathlib, subprocess, sys, tempfile, zipfile
import numpy as np, torch
from safetensors import safe_open
from torch import nn

program, prompts, backbone = (str(pathlib.Path(argument).resolve()) for argument in sys.argv[1:4])
folder = pathlib.Path(tempfile.mkdtemp())


def run(*arguments):
    done = subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def export(form, name, *more, source=prompts):
    run("export", "--to", form, "--prompts", source, "--backbone", backbone, "-o", name, *more)
    return folder / name


def tensors(path):
    with safe_open(path, "pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}


# The modules of the reference, by the names and shapes of their parameters (trainers/vificlip.py, clip/model.py).
class Block(nn.Module):
    def __init__(self, width, prompts):
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // 64)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Sequential(collections.OrderedDict(
            c_fc=nn.Linear(width, 4 * width), gelu=nn.Identity(), c_proj=nn.Linear(4 * width, width)))
        if prompts:
            self.VPT_shallow = nn.Parameter(torch.full((prompts, width), torch.nan))

    def forward(self, x, mask, prompts):  # [length, batch, width]
        if hasattr(self, "VPT_shallow"):
            deep = self.VPT_shallow.unsqueeze(1).expand(-1, x.shape[1], -1)
            x = torch.cat([x[:1], deep, x[1 + prompts:]], 0)
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        y = self.mlp.c_fc(self.ln_2(x))
        return x + self.mlp.c_proj(y * torch.sigmoid(1.702 * y))


class Tower(nn.Module):
    def __init__(self, width, layers, prompts, depth):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, prompts if 0 < i < depth else 0) for i in range(layers))


class Vision(nn.Module):
    def __init__(self, clip, header):
        super().__init__()
        width, joint = clip["visual.proj"].shape
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros(clip["visual.positional_embedding"].shape))
        patch = clip["visual.conv1.weight"].shape[-1]
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.zeros(width, joint))
        count, depth = int(header["vision_tokens"]), int(header["vision_depth"])
        if depth:
            self.VPT = nn.Parameter(torch.full((count, width), torch.nan))
        self.transformer = Tower(width, layers(clip, "visual.transformer."), count, depth)


class Text(nn.Module):
    def __init__(self, clip, header):
        super().__init__()
        width, joint = clip["text_projection"].shape
        self.positional_embedding = nn.Parameter(torch.zeros(clip["positional_embedding"].shape))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, joint))
        self.transformer = Tower(
            width, layers(clip, "transformer."), int(header["text_tokens"]), int(header["text_depth"]))


class Learner(nn.Module):
    def __init__(self, clip, header):
        super().__init__()
        width = clip["token_embedding.weight"].shape[1]
        self.ctx = nn.Parameter(torch.full((int(header["text_tokens"]), width), torch.nan))


class Reference(nn.Module):
    def __init__(self, clip, header):
        super().__init__()
        self.prompt_learner = Learner(clip, header)
        self.image_encoder, self.text_encoder = Vision(clip, header), Text(clip, header)
        self.logit_scale = nn.Parameter(torch.zeros([]))
        self.tokens = clip["token_embedding.weight"]  # Neither a parameter nor a buffer: the reference does not save it.

    def text_features(self, names):
        count, encoder = self.prompt_learner.ctx.shape[0], self.text_encoder
        length = encoder.positional_embedding.shape[0]
        mask = torch.full((length, length), -torch.inf).triu(1)
        rows, ends = [], []
        for name in names:
            ids = [256] + [0] * count + list((name.replace("_", " ") + ".").encode()) + [257]
            ends.append(len(ids) - 1)
            row = self.tokens[torch.tensor(ids + [0] * (length - len(ids)))].clone()
            row[1:1 + count] = self.prompt_learner.ctx
            rows.append(row)
        x = (torch.stack(rows) + encoder.positional_embedding).permute(1, 0, 2)
        for block in encoder.transformer.resblocks:
            x = block(x, mask, count)
        x = encoder.ln_final(x.permute(1, 0, 2))[torch.arange(len(names)), torch.tensor(ends)] @ encoder.text_projection
        return x / x.norm(dim=-1, keepdim=True)


def layers(clip, prefix):
    return 1 + max(int(name[len(prefix):].split(".")[1]) for name in clip if name.startswith(prefix))


def loaded(path, clip, header):
    """A model with what the reference's loader makes of `path`."""
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    model = nn.Module()
    model.module = Reference(clip, header)  # As DistributedDataParallel names it.
    message = model.load_state_dict(checkpoint["model"], strict=False)
    assert not message.unexpected_keys, message.unexpected_keys
    assert all(tensor.dtype == torch.float32 and tensor.is_contiguous() for tensor in checkpoint["model"].values())
    return model.module, checkpoint, set(message.missing_keys)


def reference_name(name):
    tower, layer = name.split(".")
    if layer == "0":
        return "module." + {"vision": "image_encoder.VPT", "text": "prompt_learner.ctx"}[tower]
    return f"module.{'image' if tower == 'vision' else 'text'}_encoder.transformer.resblocks.{layer}.VPT_shallow"


clip, _ = tensors(backbone)
own, header = tensors(export("vifi-prompt", "own.safetensors"))
assert (folder / "own.safetensors").read_bytes() == pathlib.Path(prompts).read_bytes()

for name, more in [("prompts.pth", []), ("whole.pth", ["--with-backbone"])]:
    path = export("vifi-pth", name, *more)
    model, checkpoint, missing = loaded(path, clip, header)
    assert checkpoint["vifi_prompt"] == header
    taken = dict(model.named_parameters())
    for key, value in own.items():
        stored = checkpoint["model"][reference_name(key)]
        assert torch.equal(stored, value) and torch.equal(taken[reference_name(key).removeprefix("module.")], value), key
    assert not any("VPT" in key or "ctx" in key for key in missing), missing
    if more:
        assert not missing, missing
        assert torch.equal(model.image_encoder.conv1.weight, clip["visual.conv1.weight"])
        assert torch.equal(model.text_encoder.ln_final.bias, clip["ln_final.bias"])
        whole = model
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        for entry in archive.infolist():
            with open(path, "rb") as file:
                file.seek(entry.header_offset + 26)
                lengths = np.frombuffer(file.read(4), "<u2")
            assert (entry.header_offset + 30 + int(lengths.sum())) % 64 == 0, entry.filename
    back = export("vifi-prompt", "back-" + name + ".safetensors", source=str(path))
    assert back.read_bytes() == (folder / "own.safetensors").read_bytes()

adapter = export("peft", "adapter")
assert sorted(path.name for path in adapter.iterdir()) == ["README.md", "adapter_config.json", "adapter_model.safetensors"]
config = json.loads((adapter / "adapter_config.json").read_text())
assert config["peft_type"] == "VIFI_PROMPT" and config["vision_tokens"] == int(header["vision_tokens"])
assert config["class_names"] == json.loads(header["class_names"]) and config["metrics"] == json.loads(header["metrics"])
adapted, adapter_metadata = tensors(adapter / "adapter_model.safetensors")
assert adapter_metadata == {"format": "pt"} and adapted.keys() == own.keys()
assert all(torch.equal(adapted[name], own[name]) for name in own)
back = export("vifi-prompt", "back-adapter.safetensors", source=str(adapter))
assert back.read_bytes() == (folder / "own.safetensors").read_bytes()

with zipfile.ZipFile(export("npz", "prompts.npz")) as archive:
    assert archive.testzip() is None
with np.load(folder / "prompts.npz", allow_pickle=False) as archive:
    assert set(archive) == set(own) | {"class_names", "header"}
    for name, value in own.items():
        assert archive[name].dtype == np.float32 and np.array_equal(archive[name], value.numpy()), name
    assert archive["class_names"].tolist() == config["class_names"]
    assert json.loads(str(archive["header"]))["backbone_sha256"] == header["backbone_sha256"]

(folder / "labels.csv").write_text("id,name\n0,archery\n1,\"pole, vault\"\n2,brush_hair\n")
for labels, names in [([], config["class_names"]), (["--labels", "labels.csv"], ["archery", "pole, vault", "brush_hair"])]:
    classes, metadata = tensors(export("classes", "classes.safetensors", "--force", *labels))
    assert json.loads(metadata["class_names"]) == names
    with torch.no_grad():
        expected = whole.text_features(names)
    difference = (classes["class_embeddings"] - expected).abs().max().item()
    assert difference < 2e-5, difference
    assert torch.allclose(classes["logit_scale"], whole.logit_scale.exp())
    with np.load(export("classes", "classes.npz", "--force", *labels), allow_pickle=False) as archive:
        assert np.array_equal(archive["class_embeddings"], classes["class_embeddings"].numpy())
        assert archive["class_names"].tolist() == names
        assert json.loads(str(archive["header"]))["prompt_file_sha256"] == metadata["prompt_file_sha256"]
    print(f"{len(names)} class embeddings: at most {difference:.1e} from the reference's modules")
print(f"{len(own)} tensors in every form: the same bits")
