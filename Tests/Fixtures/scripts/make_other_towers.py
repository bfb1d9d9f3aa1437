"""Writes Tests/Fixtures/{siglip,pe}/{attention,prompts}.safetensors, attention maps and text prompts of a SigLIP and a PE-Core, and
Tests/Fixtures/siglip/pairs.safetensors, the sigmoid loss of a batch of pairs.

Run from the package's root. Both models are written down plainly, in double precision, and first held against the numbers of their own
libraries in expected*.safetensors. Relevance is Chefer et al.'s: R over all tokens of a frame through the blocks, and the row of the
probe that pools them, with the gradients of the attention probabilities by autograd. The text tower of either model has one layer,
which stands three times here, so that prompts can be deep.
"""
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)
HEADS, PATCHES, VISION_LAYERS, TEXT_LAYERS = 2, 16, 2, 3


def renamed_siglip(state):
    """transformers' names as OpenAI's, queries, keys and values one below the other."""
    out, parts = {}, {}
    whole = {"text_model.embeddings.token_embedding.weight": "token_embedding.weight", "text_model.head.weight": "head.weight",
             "text_model.head.bias": "head.bias", "text_model.embeddings.position_embedding.weight": "positional_embedding",
             "vision_model.embeddings.position_embedding.weight": "visual.positional_embedding"}
    for name, value in state.items():
        new = whole.get(name, name)
        for theirs, ours in (("vision_model.encoder.layers.", "visual.transformer.resblocks."), ("text_model.encoder.layers.", "transformer.resblocks."),
                             ("vision_model.embeddings.patch_embedding.", "visual.conv1."), ("vision_model.post_layernorm.", "visual.ln_post."),
                             ("vision_model.head.attention.", "visual.attn_pool.attn."), ("vision_model.head.", "visual.attn_pool."),
                             ("text_model.final_layer_norm.", "ln_final."), ("layer_norm", "ln_"), ("fc1.", "c_fc."), ("fc2.", "c_proj."),
                             ("self_attn.", "attn.")):
            new = new.replace(theirs, ours)
        for place, letter in enumerate("qkv"):
            if f"attn.{letter}_proj." in new:
                parts.setdefault(new.replace(f"{letter}_proj.", "in_proj_"), {})[place] = value
                break
        else:
            out[new] = value
    return out | {name: torch.cat([found[i] for i in range(3)]) for name, found in parts.items()}


class Model:
    def __init__(self, state, eps, activation, causal):
        self.state = {k: v.double() for k, v in state.items()}
        self.eps, self.activation, self.causal = eps, activation, causal

    def ln(self, x, name):
        return F.layer_norm(x, x.shape[-1:], self.state[name + ".weight"], self.state[name + ".bias"], self.eps)

    def linear(self, x, name):
        return F.linear(x, self.state[name + ".weight"], self.state[name + ".bias"])

    def mlp(self, x, p):
        return self.linear(self.activation(self.linear(x, p + "mlp.c_fc")), p + "mlp.c_proj")

    def attend(self, q, k, v, mask=None, added=None):
        scores = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5
        A = (scores if mask is None else scores + mask).softmax(-1)
        if added is not None: A = A + added
        if not A.requires_grad: A.requires_grad_()
        return A, (A @ v).transpose(1, 2).flatten(2)

    def block(self, x, p, mask=None, turn=lambda x: x, added=None):
        B, N, D = x.shape
        qkv = F.linear(self.ln(x, p + "ln_1"), self.state[p + "attn.in_proj_weight"], self.state[p + "attn.in_proj_bias"])
        q, k, v = qkv.view(B, N, 3, HEADS, D // HEADS).permute(2, 0, 3, 1, 4)
        A, heads = self.attend(turn(q), turn(k), v, mask, added)
        x = x + self.linear(heads, p + "attn.out_proj")
        return x + self.mlp(self.ln(x, p + "ln_2"), p), A

    def pool(self, x, heads, added=None):
        p = "visual.attn_pool."
        B, N, D = x.shape
        weight, bias = self.state[p + "attn.in_proj_weight"].chunk(3), self.state[p + "attn.in_proj_bias"].chunk(3)
        split = lambda y: y.unflatten(-1, (heads, D // heads)).transpose(1, 2)
        q = split(F.linear(self.state[p + "probe"].view(1, 1, D).expand(B, 1, D), weight[0], bias[0]))
        k, v = (split(F.linear(x, weight[i], bias[i])) for i in (1, 2))
        A, attended = self.attend(q, k, v, added=added)
        x = self.linear(attended, p + "attn.out_proj")
        return (x + self.mlp(self.ln(x, p + "layernorm"), p))[:, 0], A

    def turn(self, x):
        """PE's rotation by column and row of patches; the class token and prompts stay."""
        if "visual.ln_pre.weight" not in self.state: return x
        first = 1 if "visual.class_embedding" in self.state else 0
        side, half = int(PATCHES ** 0.5), x.shape[-1] // 2
        frequency = 10000.0 ** (-torch.arange(0, half, 2, dtype=torch.double) / half)
        place = torch.arange(PATCHES)
        angles = torch.cat([((place % side) + first)[:, None] * frequency, ((place // side) + first)[:, None] * frequency], 1)
        cos, sin = angles.cos(), angles.sin()
        patches = x[..., first:first + PATCHES, :].unflatten(-1, (-1, 2))
        a, b = patches[..., 0], patches[..., 1]
        turned = torch.stack([a * cos - b * sin, b * cos + a * sin], -1).flatten(-2)
        return torch.cat([x[..., :first, :], turned, x[..., first + PATCHES:, :]], -2)

    def frames(self, clip, prompts={}, added={}):
        """[T, 3, H, W] -> features and the probabilities of each block and of the pooling."""
        w = self.state["visual.conv1.weight"]
        x = F.conv2d(clip, w, self.state.get("visual.conv1.bias"), stride=w.shape[-1]).flatten(2).transpose(1, 2)
        if "visual.class_embedding" in self.state: x = torch.cat([self.state["visual.class_embedding"].expand(len(x), 1, -1), x], 1)
        x = x + self.state["visual.positional_embedding"]
        own = x.shape[1]
        put = lambda x, layer: torch.cat([x[:, :own], prompts[layer].expand(len(x), -1, -1)], 1) if layer in prompts else x
        x = put(x, 0)
        if "visual.ln_pre.weight" in self.state: x = self.ln(x, "visual.ln_pre")
        all = []
        for layer in range(VISION_LAYERS):
            if layer > 0: x = put(x, layer)
            x, A = self.block(x, f"visual.transformer.resblocks.{layer}.", turn=self.turn, added=added.get(layer))
            all.append(A)
        x, A = self.pool(self.ln(x, "visual.ln_post")[:, :own], HEADS if self.causal is False else 8, added.get(VISION_LAYERS))
        return (x @ self.state["visual.proj"] if "visual.proj" in self.state else x), all + [A]

    def texts(self, ids, layers=1, prompts={}):
        """Sequences of one length; where they are masked, each ends with its highest id and anything behind it."""
        start, count = (1 if self.causal else 0), next((len(p) for p in prompts.values()), 0)
        put = lambda x, p: torch.cat([x[:, :start], p.expand(len(x), -1, -1), x[:, start + count:]], 1)
        x = self.state["token_embedding.weight"][ids]
        if 0 in prompts: x = put(x, prompts[0])
        x = x + self.state["positional_embedding"][:ids.shape[1]]
        mask = torch.full((ids.shape[1],) * 2, float("-inf"), dtype=torch.double).triu(1) if self.causal else None
        for layer in range(layers):
            if layer > 0 and layer in prompts: x = put(x, prompts[layer])
            x, _ = self.block(x, "transformer.resblocks.0.", mask)
        x = self.ln(x, "ln_final")
        if self.causal: return x[torch.arange(len(ids)), ids.argmax(1)] @ self.state["text_projection"]
        return self.linear(x[:, -1], "head")

    def logits(self, features, texts):
        return self.state["logit_scale"].exp() * F.normalize(features.mean(-2), dim=-1) @ F.normalize(texts, dim=-1).t()


def relevance(A, grads, start, first):
    """The probe's row over the patches, R <- R + E R through the blocks from `start` on; prompts are not pooled."""
    E = [(g * a).clamp(min=0).mean(1) for a, g in zip(A, grads)]
    R = torch.eye(E[0].shape[-1], dtype=torch.double).expand(len(E[0]), -1, -1)
    for e in E[start:-1]: R = R + torch.bmm(e, R)
    return torch.bmm(E[-1], R[:, :E[-1].shape[-1]])[:, 0, first:first + PATCHES]


def write(folder, model, expected, places):
    given = load_file(f"Tests/Fixtures/{folder}/{expected}.safetensors")
    clips, ids = given["frames"].double().view(2, 3, 3, 32, 32), given["ids"].long()
    close = lambda a, b: (a - b.double()).abs().max() < 1e-5 * b.abs().max()
    assert close(model.frames(clips.flatten(0, 1))[0].detach(), given["frame_features"])
    plain = model.texts(ids).detach()
    assert close(plain, given["text_features"])
    first = 1 if model.causal else 0
    seed = torch.Generator().manual_seed(7)
    random = lambda: torch.randn(2, 48, generator=seed, dtype=torch.float32).double()

    out = {}
    for variant, layers in (("none", ()), ("shallow", (0,)), ("deep", (0, 1))):
        prompts = {layer: random() for layer in layers}
        for layer, value in prompts.items(): out[f"{variant}.prompt.visual.{layer}"] = value
        for clip, label in ((0, 1), (1, 4)):
            features, A = model.frames(clips[clip], prompts)
            logits = model.logits(features, plain)
            grads = torch.autograd.grad(logits[label], A)
            out[f"{variant}.{clip}.logits"] = logits
            for start in range(VISION_LAYERS + 1):
                out[f"{variant}.{clip}.relevance.{start}"] = relevance([a.detach() for a in A], grads, start, first)
            out[f"{variant}.{clip}.raw"] = A[-1][:, :, 0, first:first + PATCHES].transpose(0, 1)
            for layer, place in ((0, (0, 0, 0, 3)), (1, (1, 1, 2, 16 if first else 15)), (2, (2, 0, 0, 5))):
                step = torch.zeros_like(A[layer]); step[place] = 1e-5
                up, down = (model.logits(model.frames(clips[clip], prompts, {layer: d})[0], plain)[label].item() for d in (step, -step))
                exact = grads[layer][place].item()
                assert abs((up - down) / 2e-5 - exact) < 1e-6 * max(1, abs(exact)), (variant, clip, layer)
    save_file({k: v.detach().float().contiguous() for k, v in out.items()}, f"Tests/Fixtures/{folder}/attention.safetensors")

    start = 1 if model.causal else 0
    words = torch.tensor([[7, 8]]).expand(len(ids), 2)
    sequences = torch.cat([ids[:, :start], words, ids[:, start:ids.shape[1] - 2]], 1)
    features, _ = model.frames(clips.flatten(0, 1))
    features = features.detach().view(2, 3, -1)
    out = {"sequences": sequences.int()}
    for name, layers in places.items():
        prompts = {layer: random().requires_grad_() for layer in layers}
        texts = model.texts(sequences, TEXT_LAYERS, prompts)
        logits = torch.stack([model.logits(clip, texts) for clip in features])
        loss = F.cross_entropy(logits, torch.tensor([1, 0]))
        loss.backward()
        out |= {f"{name}.logits": logits, f"{name}.loss": loss.view(1)}
        for layer, value in prompts.items(): out |= {f"{name}.prompt.text.{layer}": value, f"{name}.grad.text.{layer}": value.grad}
    save_file({k: v.detach().contiguous() if v.dtype == torch.int32 else v.detach().float().contiguous() for k, v in out.items()},
              f"Tests/Fixtures/{folder}/prompts.safetensors")


def write_pairs(model):
    """Six pictures and a text of each; of two that say the same, both texts belong to both pictures."""
    given = load_file("Tests/Fixtures/siglip/expected.safetensors")
    labels = torch.tensor([1, 0, 3, 1, 4, 2])
    kept = {name: model.state[name].requires_grad_() for name in (
        "logit_scale", "logit_bias", "positional_embedding", "ln_final.bias", "visual.attn_pool.probe", "visual.ln_post.weight", "visual.conv1.bias")}
    images, texts = model.frames(given["frames"].double())[0], model.texts(given["ids"].long()[labels])
    cosines = F.normalize(images, dim=-1) @ F.normalize(texts, dim=-1).t()
    logits = model.state["logit_scale"].exp() * cosines + model.state["logit_bias"]
    signs = 2.0 * (labels[:, None] == labels[None]) - 1
    loss = -F.logsigmoid(signs * logits).sum() / len(labels)
    loss.backward()
    out = {"loss": loss.view(1)} | {f"grad.{name}": value.grad for name, value in kept.items()}
    save_file({k: v.detach().float().contiguous() for k, v in out.items()}, "Tests/Fixtures/siglip/pairs.safetensors")


places = {"shallow": (0,), "partial": (0, 1), "deep": (0, 1, 2), "late": (1, 2), "middle": (1,)}
siglip = renamed_siglip(load_file("Tests/Fixtures/siglip/huggingface/model.safetensors"))
siglip = Model(siglip, 1e-6, lambda x: F.gelu(x, approximate="tanh"), causal=False)
write("siglip", siglip, "expected", places)
write_pairs(siglip)
pe = torch.load("Tests/Fixtures/pe/pe-native.pt", weights_only=True)
write("pe", Model(pe, 1e-5, F.gelu, causal=True), "expected-cls", places)
