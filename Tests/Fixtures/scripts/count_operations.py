"""Parameters and multiply-adds of CLIP, prompts and the compared methods, counted by PyTorch and fvcore.

usage: count_operations.py OUTPUT.json; needs `pip install torch fvcore`.
The models are written down here from methods.md 1, 4, 5, 6 and 7 as plain modules, one class a method, and are
run on the meta device under torch.utils.flop_counter (halved: it counts two a multiply-add). fvcore counts a
frame and a text of ViFi-CLIP and of prompting on the CPU; it adds five operations an element of each layer norm.
"""
import json, sys
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


class Attention(nn.Module):
    def __init__(self, width, bias=True, out_bias=True):
        super().__init__()
        self.q, self.k, self.v = (nn.Linear(width, width, bias=bias) for _ in range(3))
        self.out = nn.Linear(width, width, bias=out_bias)

    def forward(self, x, source=None):
        source = x if source is None else source
        # One head: heads change neither parameters nor multiply-adds.
        weights = (self.q(x) @ self.k(source).transpose(-1, -2)).softmax(-1)
        return self.out(weights @ self.v(source))


def mlp(width):
    return nn.Sequential(nn.Linear(width, 4 * width), nn.Sigmoid(), nn.Linear(4 * width, width))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width), mlp(width)

    def forward(self, x):
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Vision(nn.Module):
    def __init__(self, width, layers, patch, embed, prompts=0, depth=0):
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.positional_embedding = nn.Parameter(torch.zeros((224 // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.blocks = nn.ModuleList([self.block(width) for _ in range(layers)])
        self.proj = nn.Parameter(torch.zeros(width, embed))
        self.prompts = nn.ParameterList([torch.zeros(prompts, width) for _ in range(depth)])

    def block(self, width):
        return Block(width)

    def tokens(self, frames):
        x = self.conv1(frames).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_embedding.expand(len(x), 1, -1), x], 1) + self.positional_embedding
        for i, block in enumerate(self.blocks):
            if i < len(self.prompts):
                if i: x = x[:, : -len(self.prompts[i])]
                x = torch.cat([x, self.prompts[i].expand(len(x), -1, -1)], 1)
            if i == 0: x = self.ln_pre(x)
            x = block(x)
        return x

    def forward(self, frames):
        return self.ln_post(self.tokens(frames)[:, 0]) @ self.proj


class Text(nn.Module):
    def __init__(self, width, layers, embed, prompts=0, depth=0):
        super().__init__()
        self.positional_embedding = nn.Parameter(torch.zeros(77, width))
        self.blocks = nn.ModuleList([Block(width) for _ in range(layers)])
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.zeros(width, embed))
        self.prompts = nn.ParameterList([torch.zeros(prompts, width) for _ in range(depth)])

    def forward(self, embedded):
        x = embedded + self.positional_embedding
        for i, block in enumerate(self.blocks):
            if i < len(self.prompts): x = torch.cat([x[:, :1], self.prompts[i].expand(len(x), -1, -1), x[:, 1 + len(self.prompts[i]):]], 1)
            x = block(x)
        return self.ln_final(x)[:, -1] @ self.text_projection


class CrossFrameBlock(Block):
    def __init__(self, width):
        super().__init__(width)
        self.message_fc, self.message_ln, self.message_attn = nn.Linear(width, width), nn.LayerNorm(width), Attention(width)

    def forward(self, x):  # all frames of one video
        message = self.message_fc(x[:, 0])[None]
        message = message + self.message_attn(self.message_ln(message))
        y = torch.cat([x, message[0][:, None]], 1)
        x = (y + self.attn(self.ln_1(y)))[:, :-1]
        return x + self.mlp(self.ln_2(x))


class XVision(Vision):
    def block(self, width):
        return CrossFrameBlock(width)


class Generator(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm3 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.cross, self.mlp = Attention(width, bias=False), mlp(width)

    def forward(self, text, video):
        text = text + self.cross(self.norm1(text), video)
        return text + self.mlp(self.norm3(text))


class XExtra(nn.Module):
    def __init__(self, width, embed, frames):
        super().__init__()
        self.mit_positions = nn.Parameter(torch.zeros(1, frames, embed)); self.mit = Block(embed)
        self.visual_ln, self.visual_proj = nn.LayerNorm(width), nn.Parameter(torch.zeros(width, embed))
        self.norm = nn.LayerNorm(embed); self.alpha = nn.Parameter(torch.zeros(embed))
        self.decoder = nn.ModuleList([Generator(embed), Generator(embed)])

    def forward(self, features, patches, text):
        video = features[None] + self.mit_positions
        video = self.mit(video).mean(1)
        seen = self.norm((self.visual_ln(patches) @ self.visual_proj).mean(0, keepdim=True))
        for layer in self.decoder: text = layer(text, seen)
        return video, self.alpha * text


class OverFrames(nn.Module):
    def __init__(self, width, positions, layers):
        super().__init__()
        self.positions = nn.Parameter(torch.zeros(positions, width)); self.blocks = nn.ModuleList([Block(width) for _ in range(layers)])

    def forward(self, x):
        x = x + self.positions[: x.shape[1]]
        for block in self.blocks: x = block(x)
        return x.mean(1)


def size(*modules): return sum(p.numel() for m in modules for p in m.parameters())


def multiply_adds(run):
    with torch.no_grad(), FlopCounterMode(display=False) as counter: run()
    return counter.get_total_flops() // 2


def meta(module): return module.to("meta")
def images(count): return torch.zeros(count, 3, 224, 224, device="meta")
def words(width): return torch.zeros(1, 77, width, device="meta")


SIZES = {"ViT-B/16": (768, 12, 16, 512, 512), "ViT-B/32": (768, 12, 32, 512, 512), "ViT-L/14": (1024, 24, 14, 768, 768)}
result = {"torch": torch.__version__, "architectures": {}}
for name, (width, layers, patch, text_width, embed) in SIZES.items():
    vision, text = meta(Vision(width, layers, patch, embed)), meta(Text(text_width, 12, embed))
    tokens = 49408 * text_width
    clip = size(vision) + size(text) + tokens + 1
    rows = {"vifi-clip": {"view": multiply_adds(lambda: vision(images(16))), "text": multiply_adds(lambda: text(words(text_width))),
                          "total": clip, "trained": size(vision) + size(text) + 1, "vision": size(vision), "text_parameters": size(text)}}
    for key, n, depth in [("vl-4x12", 4, 12), ("vl-10x12", 10, 12), ("vl-16x9", 16, 9), ("vl-10x1", 10, 1), ("promptsrc", 4, 9)]:
        vision_depth = layers if depth == 12 else depth
        v, t = meta(Vision(width, layers, patch, embed, n, vision_depth)), meta(Text(text_width, 12, embed, n, depth))
        rows[key] = {"view": multiply_adds(lambda: v(images(16))), "text": multiply_adds(lambda: t(words(text_width))),
                     "trained": size(v.prompts, t.prompts)}
    # MaPLe: 2 tokens, 9 layers, a linear map of its own for each.
    maps = nn.ModuleList([nn.Linear(text_width, width) for _ in range(9)])
    v = meta(Vision(width, layers, patch, embed, 2, 9)); texts = torch.zeros(2, text_width, device="meta"); meta(maps)
    rows["maple"] = {"view": multiply_adds(lambda: (v(images(16)), [m(texts) for m in maps])), "trained": size(maps) + 9 * 2 * text_width}
    for blocks in (1, 2):
        over = meta(OverFrames(embed, 16, blocks)); features = torch.zeros(1, 16, embed, device="meta")
        rows[f"a5-{blocks}"] = {"view": multiply_adds(lambda: (vision(images(16)), over(features))), "trained": size(over) + 77 * text_width}
    over = meta(OverFrames(embed, 77, 6)); features = torch.zeros(1, 32, embed, device="meta")
    rows["actionclip"] = {"view32": multiply_adds(lambda: (vision(images(32)), over(features))), "total": clip + size(over), "trained": clip + size(over)}
    x, extra = meta(XVision(width, layers, patch, embed)), meta(XExtra(width, embed, 16))
    def whole():
        features = x.tokens(images(16))
        text_features = text(words(text_width))
        extra(x.ln_post(features[:, 0]) @ x.proj, features[:, 1:], text_features[None])
    rows["xclip"] = {"view_and_text": multiply_adds(whole), "total": size(x, extra, text) + tokens + 1, "without_text": size(x, extra) + 1,
                     "trained": size(x, extra)}
    result["architectures"][name] = rows

try:
    from fvcore.nn import FlopCountAnalysis
    def fvcore(module, given):
        analysis = FlopCountAnalysis(module.eval(), given).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return {key: int(value) for key, value in analysis.by_operator().items()}
    width, layers, patch, text_width, embed = SIZES["ViT-B/16"]
    frame = torch.zeros(1, 3, 224, 224)
    result["fvcore_of_one_frame"] = {"vifi-clip": fvcore(Vision(width, layers, patch, embed), frame),
                                     "vl-10x12": fvcore(Vision(width, layers, patch, embed, 10, 12), frame)}
    result["fvcore_of_one_text"] = fvcore(Text(text_width, 12, embed), torch.zeros(1, 77, text_width))
except ImportError:
    print("fvcore is not installed: left out", file=sys.stderr)
json.dump(result, open(sys.argv[1], "w"), indent=1); print(file=open(sys.argv[1], "a"))
