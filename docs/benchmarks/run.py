"""Measures all tables of docs/benchmarks.md in turn with their peers and writes them beside this file.

usage: run.py [--vifi .build/release/vifi-prompt] [--rounds 3] [--only compare,growth,decode] [--quick]
needs `pip install torch numpy openvino av`. Writes results.json, tables.md and one plot (SVG) a growth table.
Every row is measured in turn (ours, theirs, ours, theirs, …); tables hold medians over the rounds.
"""
import argparse, json, math, os, platform, re, statistics, subprocess, sys, tempfile
HERE = os.path.dirname(os.path.abspath(__file__))
ap = argparse.ArgumentParser()
ap.add_argument("--vifi", default=".build/release/vifi-prompt"); ap.add_argument("--rounds", type=int, default=3)
ap.add_argument("--only", default="compare,growth,decode"); ap.add_argument("--quick", action="store_true")
a = ap.parse_args()
THREADS = len(os.sched_getaffinity(0))


def ours(*arguments):
    steps = ["--steps", "1"] if a.quick else []
    out = subprocess.run([a.vifi, "bench", *arguments, *steps, "--json"], check=True, capture_output=True, text=True)
    return json.loads(out.stdout)


def theirs(script, *arguments):
    steps = ["--steps", "1"] if a.quick else []
    out = subprocess.run([sys.executable, os.path.join(HERE, script), *arguments, *steps], check=True, capture_output=True, text=True)
    return {"seconds_per_step": float(re.search(r"seconds/step=([\d.]+)", out.stdout)[1]),
            "peak_bytes": float(re.search(r"peak_GB=([\d.]+)", out.stdout)[1]) * 1e9}


def median(runs, key):
    return statistics.median(r[key] for r in runs)


def row(name, mine, peer):
    runs, peers = [], []
    for _ in range(a.rounds):
        runs.append(ours(*mine))
        if peer: peers.append(theirs(*peer))
    result = {"name": name, "command": "vifi-prompt bench " + " ".join(mine), "runs": runs, "peers": peers,
              "peer_command": "python3 " + " ".join(peer) if peer else None}
    print(name, f"{median(runs, 'seconds_per_step'):.2f} s", f"against {median(peers, 'seconds_per_step'):.2f} s" if peers else "", flush=True)
    return result


T = ["--threads", str(THREADS)]
COMPARE = []
for title, mine, peer in [
    ("learn, 51 classes", ["learn"], ["learn"]),
    ("learn, 400 classes", ["learn", "--classes", "400"], ["learn", "--classes", "400"]),
    ("learn, 4 clips", ["learn", "--clips", "4"], ["learn", "--clips", "4"]),
    ("bridge", ["bridge"], ["bridge"]),
    ("predict", ["predict"], ["predict"]),
]:
    COMPARE.append((f"{title}, fp32 / PyTorch", mine + T, ["peer_torch.py", *peer, *T]))
    COMPARE.append((f"{title}, bf16 / PyTorch bf16", mine + ["--precision", "bf16"] + T, ["peer_torch.py", *peer, "--bf16", *T]))
COMPARE.append(("frames, fp32 / OpenVINO", ["predict", "--tokens", "0"] + T, ["peer_openvino.py", *T]))
COMPARE.append(("frames, bf16 / OpenVINO bf16", ["predict", "--tokens", "0", "--precision", "bf16"] + T, ["peer_openvino.py", "--bf16", *T]))
GROWTH = {
    "frames": [4, 8, 16, 32], "classes": [10, 51, 200, 400, 1000], "clips": [1, 2, 4, 8], "depth": [0, 1, 6, 12],
    "threads": list(range(1, THREADS + 1)),
}
if a.quick:  # only to see that everything runs
    a.rounds = 1
    GROWTH = {key: values[:2] for key, values in GROWTH.items()}


def plot(name, points):
    """Both axes from zero, so that twice as high is twice as long. Points that are close share no number."""
    width, height, left, right, bottom, top = 480, 280, 56, 24, 42, 18
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    unit = 10 ** math.floor(math.log10(max(ys)))
    step = next(unit * f for f in (0.2, 0.5, 1, 2, 5) if max(ys) / (unit * f) <= 5)
    most = step * math.ceil(max(ys) * 1.06 / step)
    at = lambda x, y: (left + (width - left - right) * x / max(xs), height - bottom - (height - bottom - top) * y / most)
    grid = "".join(f'<path d="M{left},{at(0, y)[1]:.1f}H{width - right}" stroke="#ddd"/>'
                   f'<text x="{left - 6}" y="{at(0, y)[1] + 4:.1f}" text-anchor="end">{y:g}</text>'
                   for y in (step * i for i in range(round(most / step) + 1)))
    line = " ".join(f"{px:.1f},{py:.1f}" for px, py in (at(x, y) for x, y in points))
    marks, labeled = "", -100.0
    for x, y in points:
        px, py = at(x, y)
        marks += f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3" fill="#2563a8"/>'
        if px - labeled < 30: continue
        labeled = px
        marks += (f'<text x="{px:.1f}" y="{height - bottom + 15}" text-anchor="middle">{x}</text>'
                  f'<text x="{px:.1f}" y="{py - 8:.1f}" text-anchor="middle" stroke="white" stroke-width="3" paint-order="stroke">{y:.1f}</text>')
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">'
            f'<rect width="{width}" height="{height}" fill="white"/>{grid}'
            f'<path d="M{left},{top - 8}V{height - bottom}H{width - right}" fill="none" stroke="#555"/>'
            f'<polyline points="{line}" fill="none" stroke="#2563a8" stroke-width="1.5"/>{marks}'
            f'<text x="{(left + width - right) / 2}" y="{height - 8}" text-anchor="middle">{name}</text>'
            f'<text x="14" y="{height / 2}" text-anchor="middle" transform="rotate(-90 14 {height / 2})">seconds per step</text></svg>\n')


path = os.path.join(HERE, "results.json")
results = json.load(open(path)) if os.path.exists(path) else {}
results["processor"] = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.machine())
results["threads"] = THREADS
only = a.only.split(",")
if "compare" in only: results["compare"] = [row(*r) for r in COMPARE]
if "growth" in only:
    results["growth"] = {key: [dict(row(f"{key} {v}", ["learn", f"--{key}", str(v)] + ([] if key == "threads" else T), None), value=v)
                               for v in values] for key, values in GROWTH.items()}
if "decode" in only:
    with tempfile.TemporaryDirectory() as folder:
        mine = ours_decode = json.loads(subprocess.run([a.vifi, "bench", "decode", "--keep", folder, "--json"], check=True, capture_output=True, text=True).stdout)
        videos = sorted(os.path.join(folder, f) for f in os.listdir(folder))
        rates, peers = [], []
        for _ in range(a.rounds):
            rates.append(json.loads(subprocess.run([a.vifi, "bench", "decode", *videos, "--json"], check=True, capture_output=True, text=True).stdout))
            out = subprocess.run([sys.executable, os.path.join(HERE, "decode_pyav.py"), *videos], check=True, capture_output=True, text=True).stdout
            peers.append(float(re.search(r"frames/s=([\d.]+)", out)[1]))
        results["decode"] = {"frames_per_second": median(rates, "frames_per_second"), "clips_per_second": median(rates, "clips_per_second"),
                             "pyav_frames_per_second": statistics.median(peers)}
    results["fed_from_videos"] = row("learn fed from videos", ["learn", "--videos"] + T, None)
json.dump(results, open(path, "w"), indent=1)

lines = [f"Processor: {results['processor']}, {results['threads']} threads.", ""]
if "compare" in results:
    lines += ["| work | ours, s | peer, s | times faster | ours, GB | peer, GB | memory | of product speed |", "|---|---|---|---|---|---|---|---|"]
    for r in results["compare"]:
        s, p = median(r["runs"], "seconds_per_step"), median(r["peers"], "seconds_per_step")
        m, q = median(r["runs"], "peak_bytes") / 1e9, median(r["peers"], "peak_bytes") / 1e9
        share = median(r["runs"], "share_of_product_speed")
        lines.append(f"| {r['name']} | {s:.2f} | {p:.2f} | {p / s:.2f} | {m:.2f} | {q:.2f} | 1/{q / m:.1f} | {100 * share:.0f} % |")
for key, rows in results.get("growth", {}).items():
    lines += ["", f"| {key} | seconds per step | GFLOP needed | peak memory, GB |", "|---|---|---|---|"]
    points = []
    for r in rows:
        s = median(r["runs"], "seconds_per_step"); points.append((r["value"], s))
        lines.append(f"| {r['value']} | {s:.2f} | {r['runs'][0]['flops_needed'] / 1e9:.0f} | {median(r['runs'], 'peak_bytes') / 1e9:.2f} |")
    open(os.path.join(HERE, f"{key}.svg"), "w").write(plot(key, points))
if "decode" in results:
    d = results["decode"]
    lines += ["", "| reading videos, one thread | frames/s |", "|---|---|", f"| vifi-prompt | {d['frames_per_second']:.0f} |",
              f"| PyAV | {d['pyav_frames_per_second']:.0f} |", "",
              f"Clips of 16 evenly spaced frames: {d['clips_per_second']:.1f} a second. "
              f"Steps fed from videos by one thread wait {100 * median(results['fed_from_videos']['runs'], 'waiting_for_videos'):.2f} % of their time for them."]
open(os.path.join(HERE, "tables.md"), "w").write("\n".join(lines) + "\n")
