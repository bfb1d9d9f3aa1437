"""Writes Tests/Fixtures/descriptions/batches.safetensors: prompts that learn from clips which are compared with the classes of
their batch, as OST's loss has it. Run from the package's root.

JAX in double precision, on the small CLIP of Tests/Fixtures/clip, with the prompts, texts and images of
Tests/Fixtures/prompting/ivlp.safetensors, whose logits (PyTorch, the authors' code) are met before anything is written. The loss and
the plans are written from OST's formulas; that OST's own code says the same of them is what ost.safetensors is for.
"""
import os
os.environ["JAX_ENABLE_X64"] = "1"
import jax, numpy
import jax.numpy as np
from safetensors.numpy import load_file, save_file

FIXTURES = "Tests/Fixtures"
sd = {k: np.asarray(v, np.float64) for k, v in load_file(f"{FIXTURES}/clip/clip-tiny.safetensors").items()}
ivlp = load_file(f"{FIXTURES}/prompting/ivlp.safetensors")
images = np.asarray(load_file(f"{FIXTURES}/clip/forward.safetensors")["frames"], np.float64).reshape(6, 3, 64, 64)
ids = ivlp["ids"].astype("int64")
NAMES = ["image_encoder.VPT", "image_encoder.transformer.resblocks.1.VPT_shallow",
         "prompt_learner.ctx", "text_encoder.transformer.resblocks.1.VPT_shallow"]
start = [np.asarray(ivlp["start." + name], np.float64) for name in NAMES]


def norm(x, name):
    mean = x.mean(-1, keepdims=True)
    variance = ((x - mean) ** 2).mean(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-5) * sd[name + ".weight"] + sd[name + ".bias"]


def block(x, prefix, heads, mask):
    count, length, width = x.shape
    packed = norm(x, prefix + "ln_1") @ sd[prefix + "attn.in_proj_weight"].T + sd[prefix + "attn.in_proj_bias"]
    q, k, v = packed.reshape(count, length, 3, heads, width // heads).transpose(2, 0, 3, 1, 4)
    weights = jax.nn.softmax(q @ k.swapaxes(-1, -2) / np.sqrt(width // heads) + mask, -1)
    attended = (weights @ v).transpose(0, 2, 1, 3).reshape(count, length, width)
    x = x + attended @ sd[prefix + "attn.out_proj.weight"].T + sd[prefix + "attn.out_proj.bias"]
    hidden = norm(x, prefix + "ln_2") @ sd[prefix + "mlp.c_fc.weight"].T + sd[prefix + "mlp.c_fc.bias"]
    hidden = hidden * jax.nn.sigmoid(1.702 * hidden)
    return x + hidden @ sd[prefix + "mlp.c_proj.weight"].T + sd[prefix + "mlp.c_proj.bias"]


def layers(prefix):
    return 1 + max(int(k.split("resblocks.")[1].split(".")[0]) for k in sd if k.startswith(prefix + "resblocks."))


def repeated(prompts, count):
    return np.broadcast_to(prompts, (count,) + prompts.shape)


def frame_features(first, second):
    """[6, joint]: prompts behind the patches, others in their place before the second layer."""
    weight = sd["visual.conv1.weight"]
    width, patch = weight.shape[0], weight.shape[-1]
    grid = images.shape[-1] // patch
    patches = images.reshape(6, 3, grid, patch, grid, patch).transpose(0, 2, 4, 1, 3, 5).reshape(6, grid * grid, -1)
    x = np.concatenate([np.broadcast_to(sd["visual.class_embedding"], (6, 1, width)), patches @ weight.reshape(width, -1).T], 1)
    x = norm(np.concatenate([x + sd["visual.positional_embedding"], repeated(first, 6)], 1), "visual.ln_pre")
    for layer in range(layers("visual.transformer.")):
        if layer == 1:
            x = np.concatenate([x[:, :-len(first)], repeated(second, 6)], 1)
        x = block(x, f"visual.transformer.resblocks.{layer}.", width // 64, 0)
    return norm(x[:, 0], "visual.ln_post") @ sd["visual.proj"]


def text_features(first, second):
    """[5, joint]: prompts in the place of the tokens behind the start."""
    width, count = sd["ln_final.weight"].shape[0], len(first)
    x = sd["token_embedding.weight"][ids]
    x = np.concatenate([x[:, :1], repeated(first, len(ids)), x[:, 1 + count:]], 1) + sd["positional_embedding"]
    mask = np.triu(np.full((x.shape[1], x.shape[1]), -np.inf), 1)
    for layer in range(layers("transformer.")):
        if layer == 1:
            x = np.concatenate([x[:, :1], repeated(second, len(ids)), x[:, 1 + count:]], 1)
        x = block(x, f"transformer.resblocks.{layer}.", width // 64, mask)
    return norm(x, "ln_final")[np.arange(len(ids)), ids.argmax(-1)] @ sd["text_projection"]


def unit(x):
    return x / np.sqrt((x ** 2).sum(-1, keepdims=True))


SCALE = np.exp(sd["logit_scale"])


def logits_by_names(frames, texts, labels):
    return SCALE * unit(frames.mean(1)) @ unit(texts)[np.array(labels)].T


def logits_by_means(frames, texts, labels):
    unit_texts = unit(texts)
    classes = unit(np.stack([unit_texts[np.array(sum((kind[label] for kind in KINDS), []))].mean(0) for label in range(2)]))
    return SCALE * unit(frames.mean(1)) @ classes[np.array(labels)].T


def plans(kernels):
    """Sinkhorn's iteration, which ends for all kernels at once."""
    rows, columns = [np.ones(k.shape[0]) for k in kernels], [np.ones(k.shape[1]) for k in kernels]
    for _ in range(100):
        before = rows
        rows = [1 / k.shape[0] / (k @ c) for k, c in zip(kernels, columns)]
        columns = [1 / k.shape[1] / (k.T @ r) for k, r in zip(kernels, rows)]
        if np.abs(np.concatenate(rows) - np.concatenate(before)).mean() < 0.01:
            break
    return [r[:, None] * k * c for r, k, c in zip(rows, kernels, columns)]


def logits_by_transport(frames, texts, labels):
    frames, texts, total = unit(frames), unit(texts), 0
    for kind, made in zip(KINDS, PLANS):
        pairs = [(clip, texts[np.array(kind[label])]) for clip in frames for label in labels]
        matched = [(plan * (clip @ sentences.T)).sum() + clip.mean(0) @ sentences.mean(0) for (clip, sentences), plan in zip(pairs, made)]
        total = total + SCALE * np.array(matched).reshape(len(frames), len(labels)) / len(KINDS)
    return total


def fixed_plans(parameters, labels):
    """As the parameters are: constants for the gradient."""
    frames = unit(frame_features(*parameters[:2]).reshape(3, 2, -1))
    texts = unit(text_features(*parameters[2:]))
    return [plans([np.exp((clip @ texts[np.array(kind[label])].T - 1) / 0.1) for clip in frames for label in labels]) for kind in KINDS]


def loss(logits, labels):
    """The divergence of rows and that of columns from the classes' targets, each a mean, and their sum."""
    labels = np.array(labels)
    target = jax.nn.softmax(10.0 * (labels[:, None] == labels[None]), -1)
    def divergence(logits):
        return (target * (np.log(target) - jax.nn.log_softmax(logits, -1))).sum(-1).mean()
    return divergence(logits) + divergence(logits.T)


# The first class has sentences 0, 1 and 3, the second 2 and 4: two kinds of them.
KINDS = [[[0, 1], [2]], [[3], [4]]]
PLANS = None  # of the step, for each kind
RATE, STEPS = 0.005, 5

single = SCALE * unit(frame_features(*start[:2])) @ unit(text_features(*start[2:])).T
assert np.abs(single - ivlp["logits"]).max() < 1e-4 * np.abs(single).max(), "not the authors' logits"

out = {}
for name, logits_of, labels in [("names", logits_by_names, [1, 4, 1]), ("means", logits_by_means, [0, 1, 1]),
                                ("transport", logits_by_transport, [0, 1, 1])]:
    def objective(parameters):
        logits = logits_of(frame_features(*parameters[:2]).reshape(3, 2, -1), text_features(*parameters[2:]), labels)
        return loss(logits, labels)
    parameters, losses = start, []
    for step in range(STEPS):
        PLANS = fixed_plans(parameters, labels) if name == "transport" else None
        value, gradients = jax.value_and_grad(objective)(parameters)
        losses.append(value)
        if step == 0:
            out |= {f"{name}.grad.{key}": g for key, g in zip(NAMES, gradients)}
        parameters = [p - RATE * g for p, g in zip(parameters, gradients)]
    out |= {f"{name}.losses": np.array(losses)} | {f"{name}.final.{key}": p for key, p in zip(NAMES, parameters)}
    print(name, [round(float(value), 4) for value in losses])
save_file({k: numpy.ascontiguousarray(v, numpy.float32) for k, v in out.items()}, f"{FIXTURES}/descriptions/batches.safetensors",
          {"rate": str(RATE), "source": "Tests/Fixtures/scripts/make_batches.py", "jax": jax.__version__})
