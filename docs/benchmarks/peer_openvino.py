"""Times OpenVINO on what `vifi-prompt bench predict` times without prompts: the frames of a clip through ViT-B/16.
usage: peer_openvino.py [--frames 16] [--bf16] [--threads 2] [--steps 3]; needs `pip install torch openvino`"""
import argparse, os, resource, sys, time
import numpy as np
import openvino as ov
import torch
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../Tests/Fixtures/scripts"))
import vlclip as R
ap = argparse.ArgumentParser()
ap.add_argument("--frames", type=int, default=16); ap.add_argument("--bf16", action="store_true")
ap.add_argument("--threads", type=int, default=2); ap.add_argument("--steps", type=int, default=3)
a = ap.parse_args()
sd = R.random_state(1, embed=512, res=224, patch=16, vwidth=768, vlayers=12, twidth=512, tlayers=12, vocab=49408)


class Encoder(torch.nn.Module):
    def forward(self, frames):
        return R.encode_frames(sd, frames)


x = torch.randn(a.frames, 3, 224, 224)
model = ov.Core().compile_model(
    ov.convert_model(Encoder(), example_input=x), "CPU",
    {"INFERENCE_NUM_THREADS": a.threads, "INFERENCE_PRECISION_HINT": "bf16" if a.bf16 else "f32"})
x = np.asarray(x); model(x); ts = []
for _ in range(a.steps):
    t = time.perf_counter(); model(x); ts.append(time.perf_counter() - t)
print(f"openvino frames={a.frames} bf16={a.bf16} threads={a.threads} seconds/step={sorted(ts)[len(ts) // 2]:.3f} "
      f"peak_GB={resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f}")
