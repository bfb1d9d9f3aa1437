"""Writes Tests/Fixtures/overlay.json: OpenCV's JET and the notebook's show_cam_on_image over a small picture and map.

The functions are those of Chefer et al.'s CLIP_explainability.ipynb but for the picture, which is RGB. Run from the package's root.
"""
import json
import cv2, numpy as np, torch

rng = np.random.default_rng(2)
table = cv2.applyColorMap(np.arange(256, dtype=np.uint8).reshape(1, -1), cv2.COLORMAP_JET)[0][:, ::-1]
side, grid = 24, 4
image = rng.integers(30, 220, (side, side, 3), dtype=np.uint8)
relevance = rng.random((grid, grid)).astype(np.float32) ** 3
mask = torch.nn.functional.interpolate(torch.tensor(relevance)[None, None], size=side, mode="bilinear")[0, 0].numpy()
mask = (mask - mask.min()) / (mask.max() - mask.min())
heat = np.float32(cv2.applyColorMap(np.uint8(255 * mask), cv2.COLORMAP_JET)[:, :, ::-1]) / 255
picture = (np.float32(image) - image.min()) / (image.max() - image.min())
cam = heat + picture
cam = np.uint8(255 * (cam / cam.max()))
json.dump(dict(jet=table.ravel().tolist(), side=side, grid=grid, image=image.ravel().tolist(), relevance=relevance.ravel().tolist(),
               mask=[round(float(v), 6) for v in mask.ravel()], overlay=cam.ravel().tolist()), open("Tests/Fixtures/overlay.json", "w"), separators=(",", ":"))
