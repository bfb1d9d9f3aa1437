"""Writes the expected results of resizing, color changes and the test view.

Run in an environment with numpy, opencv-python-headless, pillow, torch and torchvision.
`image.bin` is the picture of 171 x 128 pixels that all of them start from, RGB, rows from the top.
"""
import hashlib
import json
import os

import cv2
import numpy as np
from PIL import Image
import torchvision.transforms.functional as F

here = os.path.dirname(os.path.abspath(__file__))
image = np.fromfile(f"{here}/image.bin", dtype=np.uint8).reshape(128, 171, 3)


def pattern(width, height):
    """A picture that the test can make for itself."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3].astype(np.int64)
    return ((x * 7 + y * 13 + c * 29 + x * y * 3 + (x * x) // 5) % 256).astype(np.uint8)


def digest(pixels):
    return hashlib.sha256(np.ascontiguousarray(pixels).tobytes()).hexdigest()


def resized(source, width, height):
    return cv2.resize(source, (width, height), interpolation=cv2.INTER_LINEAR)


expected = {"versions": {"opencv": cv2.__version__}, "resize": [], "image": [], "color": []}
sizes = [
    (171, 128, 100, 73), (171, 128, 342, 256), (171, 128, 85, 64), (17, 13, 224, 224), (340, 256, 224, 224),
    (256, 256, 224, 224), (192, 168, 224, 224), (1, 1, 5, 5), (7, 1, 3, 4), (1, 9, 4, 2), (128, 64, 64, 32),
    (64, 128, 32, 128), (128, 64, 128, 32), (2, 2, 1, 1), (3, 3, 1, 1), (4, 2, 2, 1), (320, 240, 341, 256),
    (640, 359, 456, 256), (73, 73, 64, 64), (5, 2, 200, 3), (224, 224, 224, 224),
]
for w, h, to_w, to_h in sizes:
    expected["resize"].append({"from": [w, h], "to": [to_w, to_h], "sha256": digest(resized(pattern(w, h), to_w, to_h))})
for to_w, to_h in [(100, 73), (171, 128), (224, 224), (342, 256), (85, 64)]:
    expected["image"].append({"to": [to_w, to_h], "sha256": digest(resized(image, to_w, to_h))})

picture = Image.fromarray(image)
changes = {
    "brightness": (F.adjust_brightness, [0, 0.6, 0.83, 1, 1.17, 1.4]),
    "contrast": (F.adjust_contrast, [0, 0.6, 0.83, 1, 1.17, 1.4]),
    "saturation": (F.adjust_saturation, [0, 0.8, 0.93, 1, 1.17, 1.9]),
    "hue": (F.adjust_hue, [-0.5, -0.1, -0.033, 0, 0.021, 0.1, 0.5]),
}
for name, (function, factors) in changes.items():
    for factor in factors:
        factor = float(np.float32(factor))
        expected["color"].append({"change": name, "factor": factor, "sha256": digest(np.asarray(function(picture, factor)))})
expected["gray"] = digest(np.asarray(F.to_grayscale(picture, 3)))
chain = F.adjust_hue(F.adjust_contrast(F.adjust_saturation(F.adjust_brightness(picture, 1.25), 1.125), 0.75), 0.0625)
expected["chain"] = digest(np.asarray(chain))

# Short side 256, the center of 224, ImageNet statistics, every fourth pixel of every fourth row.
view = resized(image, 342, 256)[16:240, 59:283].astype(np.float64)
mean, deviation = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
view = ((view - mean) / deviation).transpose(2, 0, 1)[:, ::4, ::4]
view.astype("<f4").tofile(f"{here}/test-view.bin")

with open(f"{here}/expected.json", "w") as file:
    json.dump(expected, file, indent=1)
    file.write("\n")
