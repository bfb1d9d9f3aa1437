"""Writes Tests/Fixtures/checkpoints: tiny CLIPs as transformers and open_clip save them, and what these
libraries compute with them. Run from the package's root."""
import json, os, shutil
import torch
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPModel
import open_clip
from open_clip.model import CLIP, CustomTextCLIP

OUT = "Tests/Fixtures/checkpoints"
torch.set_num_threads(1)
expected = {}
g = torch.Generator().manual_seed(31)
pixels = torch.randn(2, 3, 16, 16, generator=g)
ids = torch.zeros(3, 12, dtype=torch.int64)
for row, n in enumerate([2, 5, 9]):
    ids[row, 0] = 98
    ids[row, 1:1 + n] = torch.randint(1, 90, (n,), generator=g)
    ids[row, 1 + n] = 99
expected |= {"pixels": pixels, "ids": ids.int()}

def shaken(model, seed):
    """Initial weights are so small that an activation hardly shows."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in sorted(model.named_parameters()):
            if name.endswith("logit_scale"): p.fill_(1.5)
            elif name.endswith("logit_bias"): p.fill_(-2)
            elif p.dim() < 2: p.copy_((1 if name.endswith("weight") else 0) + 0.2 * torch.randn(p.shape, generator=g))
            else: p.copy_(0.3 * torch.randn(p.shape, generator=g))
    return model.eval()

def note(name, image, text):
    unit = torch.nn.functional.normalize
    expected[f"{name}.image"] = unit(image.float(), dim=-1).contiguous()
    expected[f"{name}.text"] = unit(text.float(), dim=-1).contiguous()

def folder(name):
    path = f"{OUT}/{name}"
    shutil.rmtree(path, ignore_errors=True); os.makedirs(path)
    return path

# transformers: 4 heads of 8, an MLP that is not four times as wide, exact GELU; in shards, and in bfloat16.
tower = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, hidden_act="gelu")
config = CLIPConfig(
    vision_config=dict(tower, image_size=16, patch_size=8), projection_dim=24,
    text_config=dict(tower, vocab_size=100, max_position_embeddings=12, bos_token_id=98, eos_token_id=99, pad_token_id=0))
hf = shaken(CLIPModel(config), 41)
def hf_features(model):
    with torch.no_grad():
        out = model(input_ids=ids, pixel_values=pixels)
    return out.image_embeds, out.text_embeds
hf.save_pretrained(folder("hf-gelu-sharded"), max_shard_size="60KB")
json.dump({"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "do_normalize": True},
          open(f"{OUT}/hf-gelu-sharded/preprocessor_config.json", "w"))
note("hf-gelu-sharded", *hf_features(hf))
half = CLIPModel(config); half.load_state_dict(hf.state_dict()); half = half.bfloat16()
half.save_pretrained(folder("hf-gelu-bf16"))
note("hf-gelu-bf16", *hf_features(half.float().eval()))

# open_clip: 2 heads of 16 in the image tower, 4 of 8 in the text tower.
vision = dict(image_size=16, patch_size=8, width=32, head_width=16, layers=2, mlp_ratio=1.5)
text = dict(context_length=12, vocab_size=100, width=32, heads=4, layers=2)
for name, kind, quick, extra in [("open_clip-gelu", CLIP, False, {}), ("open_clip-custom", CustomTextCLIP, True, {"init_logit_bias": -2.0})]:
    model = shaken(kind(embed_dim=24, vision_cfg=vision, text_cfg=text, quick_gelu=quick, **extra), 42)
    save_file({k: v.contiguous() for k, v in model.state_dict().items()}, f"{folder(name)}/open_clip_model.safetensors")
    model_cfg = {"embed_dim": 24, "vision_cfg": vision, "text_cfg": text} | ({"quick_gelu": True} if quick else {}) | extra
    if name == "open_clip-custom": model_cfg["custom_text"] = True
    json.dump({"model_cfg": model_cfg, "preprocess_cfg": {"mean": list(open_clip.OPENAI_DATASET_MEAN), "std": list(open_clip.OPENAI_DATASET_STD)}},
              open(f"{OUT}/{name}/open_clip_config.json", "w"), indent=1)
    with torch.no_grad():
        note(name, model.encode_image(pixels), model.encode_text(ids))

x = torch.linspace(-10, 10, 201)
x.requires_grad_()
y = torch.nn.functional.gelu(x); y.sum().backward()
expected |= {"gelu.x": x.detach(), "gelu.y": y.detach(), "gelu.slope": x.grad}
save_file({k: v.contiguous() for k, v in expected.items()}, f"{OUT}/expected.safetensors")
