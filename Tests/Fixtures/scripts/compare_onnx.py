"""Runs ONNX files of this program in ONNX Runtime and OpenVINO and compares their logits with this program's.

    python compare_onnx.py FOLDER

For each NAME.onnx in FOLDER there is NAME.safetensors with `frames`, [batch, frames, 3, side, side], and `logits`,
[batch, classes]. Prints a line for each file and runtime with the largest difference, and ends with 1 where one is
above 1e-3, or where logits are nearly the same for all classes, above a thousandth of what lies between them, or not a number. Needs numpy, onnxruntime and openvino; where onnx is installed too, its checker looks at each file.
"""

import json
import pathlib
import struct
import sys

import numpy
import onnxruntime
import openvino

try:
    import onnx
except ImportError:
    onnx = None

LARGEST_DIFFERENCE = 1e-3


def tensors(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    result = {}
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        start, end = (8 + length + offset for offset in tensor["data_offsets"])
        result[name] = numpy.frombuffer(data[start:end], "<f4").reshape(tensor["shape"])
    return result


def in_onnx_runtime(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    return (lambda frames: session.run(["logits"], {"frames": frames})[0]), facts


def in_openvino(path):
    # On processors with bfloat16 products its plugin takes these unless it is told otherwise.
    model = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda frames: model({"frames": frames})["logits"]


def main(folder):
    paths = sorted(pathlib.Path(folder).glob("*.onnx"))
    failed = not paths
    for path in paths:
        if onnx is not None:
            onnx.checker.check_model(str(path), full_check=True)
        case = tensors(path.with_suffix(".safetensors"))
        run, facts = in_onnx_runtime(path)
        names = json.loads(facts["class_names"]) if "class_names" in facts else None
        for title, run in [("ONNX Runtime", run), ("OpenVINO", in_openvino(path))]:
            together = run(case["frames"])
            # A clip alone has the logits that it has in a batch.
            alone = run(case["frames"][:1])
            largest = LARGEST_DIFFERENCE * min(1, float(numpy.ptp(case["logits"], axis=1).min()))
            # The largest of numbers and a NaN may be either.
            is_finite = all(numpy.isfinite(found).all() for found in (together, alone, case["logits"]))
            difference = max(float(numpy.abs(found - case["logits"][: len(found)]).max()) for found in (together, alone))
            is_close = is_finite and together.shape == case["logits"].shape and difference <= largest
            fits = names is None or len(names) == together.shape[1]
            failed |= not (is_close and fits)
            print(f"{path.stem}: {title}: {difference:.2e} of {largest:.2e}" + ("" if is_close and fits else "  FAILED"))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
