"""Mutates archives of PyTorch and compares what vifi-prompt reads with what PyTorch reads. Whatever is accepted
must be the same bytes. Needs PyTorch; no test runs it.

    python differential.py .build/release/vifi-fuzz COUNT SEED ARCHIVE...
"""
import collections, hashlib, io, os, random, subprocess, sys, tempfile, unicodedata, warnings, zipfile, zlib
import torch

warnings.filterwarnings("ignore")
program, count, seed, archives = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:]
random.seed(seed)


def mutated(data):
    """A few changed bytes; in half of the cases within the pickle, with its checksums made right again."""
    data = bytearray(data)
    if random.random() < 0.5:
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            info = next(i for i in z.infolist() if i.filename.endswith("data.pkl"))
            pickle = z.read(info)
        start = data.find(pickle)
        if start < 0:
            return bytes(data)
        for _ in range(random.randint(1, 3)):
            data[start + random.randrange(len(pickle))] = random.choice([0, 1, 2, 0x30, 0x31, 0x4B, 0x71, 0x85, random.randrange(256)])
        old = zlib.crc32(pickle).to_bytes(4, "little")
        new = zlib.crc32(bytes(data[start:start + len(pickle)])).to_bytes(4, "little")
        return bytes(data).replace(old, new)
    for _ in range(random.randint(1, 3)):
        # The directory is where small changes matter.
        low = 0 if random.random() < 0.5 else max(0, len(data) - 3000)
        place = random.randrange(low, len(data))
        data[place] = random.choice([0, 1, 8, 0xFF, data[place] ^ 1, random.randrange(256)])
    return bytes(data)


def shown(name):
    """As the program escapes what would move the cursor."""
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp", "Co", "Cn") else c for c in name)


def tensors(value, prefix=""):
    if isinstance(value, torch.Tensor):
        if value.is_floating_point() and value.layout == torch.strided and not value.is_quantized:
            floats = value.detach().float().contiguous().numpy()
            yield prefix, list(value.shape), hashlib.sha256(floats.tobytes()).hexdigest()
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from tensors(item, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, (list, tuple)):
        for key, item in enumerate(value):
            if item is not value:
                yield from tensors(item, f"{prefix}.{key}" if prefix else str(key))


with tempfile.TemporaryDirectory() as folder:
    for index in range(count):
        with open(random.choice(archives), "rb") as source, open(f"{folder}/{index}.pt", "wb") as target:
            target.write(mutated(source.read()))
    run = subprocess.run([program, "digests", folder], capture_output=True)
    if run.returncode != 0:
        sys.exit(f"vifi-fuzz ended with {run.returncode}: {run.stderr[-500:]}")
    ours, accepted = collections.defaultdict(dict), set()
    for line in run.stdout.decode().split("\n"):
        parts = line.split("\t")
        if len(parts) == 2 and parts[1] == "ACCEPTED":
            accepted.add(parts[0])
        elif len(parts) == 4:
            ours[parts[0]][parts[1]] = (eval(parts[2]), parts[3])
    totals = collections.Counter()
    for index in range(count):
        name = f"{index}.pt"
        try:
            theirs = {shown(n): (s, d) for n, s, d in tensors(torch.load(f"{folder}/{name}", weights_only=True, map_location="cpu"))}
        except Exception as error:
            totals["both refuse" if name not in accepted else "only PyTorch refuses"] += 1
            if name in accepted:
                print(f"{name}: only PyTorch refuses: {str(error).strip().splitlines()[-1][:150]}")
            continue
        if name not in accepted:
            totals["only we refuse"] += 1
        elif theirs == ours[name]:
            totals["same bytes"] += 1
        else:
            totals["DIFFERENT"] += 1
            os.system(f"cp {folder}/{name} /tmp/different-{seed}-{index}.pt")
            keys = [k for k in theirs.keys() | ours[name].keys() if theirs.get(k) != ours[name].get(k)]
            print(f"/tmp/different-{seed}-{index}.pt: {[(k, theirs.get(k), ours[name].get(k)) for k in keys[:2]]}")
    print(dict(totals))
