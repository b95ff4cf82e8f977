"""An exported model without torch: ONNX Runtime, NumPy and Pillow, from a picture to a picture.

    python examples/onnx_numpy.py best.onnx picture.jpg found.jpg

Reads what `scripts/export_model.py` writes. Everything that a program around the network must do is
here: letterbox, suppression of overlaps, masks, and the way back to the pixels of the picture. Of
files with `--nms`, which suppress and draw themselves, `overlaps`, `suppress` and `kept` can go.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageDraw

CONFIDENCE, OVERLAP, MOST = 0.25, 0.45, 300
GREY = 114


def letterbox(image: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The picture in grey of `size` (width, height): u8[H, W, 3], scale and offset (x, y)."""
    original = np.array(image.shape[1::-1])
    inner = np.minimum(np.ceil(original * (size / original).min()).astype(int), size)
    resized = Image.fromarray(image).resize(tuple(inner), Image.Resampling.BILINEAR)
    padded = np.full((size[1], size[0], 3), GREY, np.uint8)
    left, top = (size - inner) // 2
    padded[top : top + inner[1], left : left + inner[0]] = np.asarray(resized)
    return padded, inner / original, (size - inner) // 2


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of one box with many, xyxy."""
    size = np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2])
    shared = np.clip(size, 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1) + (box[2:] - box[:2]).prod()
    return shared / (areas - shared + 1e-9)


def suppress(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> list[int]:
    """Greedy, class by class: the best box stays, those that overlap it go."""
    waiting, kept = np.argsort(-scores, kind="stable"), []
    while len(waiting) and len(kept) < MOST:
        best, waiting = waiting[0], waiting[1:]
        kept.append(int(best))
        same = labels[waiting] == labels[best]
        waiting = waiting[~(same & (overlaps(boxes[best], boxes[waiting]) > OVERLAP))]
    return kept


def kept(outputs: list[np.ndarray]) -> tuple[np.ndarray, ...]:
    """Of every box those that stay: boxes, scores, labels, and masks f32[N, h, w] where drawn."""
    boxes, all_scores, *masks = outputs
    labels, scores = all_scores.argmax(1), all_scores.max(1)
    rows = np.flatnonzero(scores > CONFIDENCE)
    rows = rows[suppress(boxes[rows], scores[rows], labels[rows])]
    drawn = [1 / (1 + np.exp(-np.tensordot(masks[0][rows], masks[1], 1)))] if masks else []
    return boxes[rows], scores[rows], labels[rows], *drawn


def whole_mask(mask: np.ndarray, box: np.ndarray, size: Any) -> np.ndarray:
    """Where an object is, in the input: bool[H, W]."""
    small = Image.fromarray(mask.astype(np.float32))
    probability = np.asarray(small.resize(tuple(size), Image.Resampling.BILINEAR))
    inside = np.zeros(probability.shape, bool)
    left, top, right, bottom = np.clip(box.round().astype(int), 0, [*size, *size])
    inside[top:bottom, left:right] = True
    return (probability > 0.5) & inside


def detect(session: Any, image: np.ndarray) -> list[dict[str, Any]]:
    """Objects of u8[H, W, 3] RGB: name, score, box in pixels of the picture, mask or None."""
    words = json.loads(session.get_modelmeta().custom_metadata_map["yolor_gp"])
    size = np.array(words["image_size"]) * np.ones(2, int)  # a side, or width and height
    padded, scale, offset = letterbox(image, size)
    given = padded.transpose(2, 0, 1)[None].astype(np.float32) / 255
    outputs = [part[0] for part in session.run(None, {"images": given})]
    if words.get("suppression"):
        count, *outputs = outputs
        boxes, scores, labels, *masks = (part[:count] for part in outputs)
    else:
        boxes, scores, labels, *masks = kept(outputs)
    (left, top), (right, bottom) = offset, size - offset
    height, width = image.shape[:2]
    found = []
    for row, label in enumerate(labels):
        mask = None
        if masks:
            inner = whole_mask(masks[0][row], boxes[row], size)[top:bottom, left:right]
            mask = np.asarray(Image.fromarray(inner).resize((width, height)))
        box = np.clip((boxes[row] - np.tile(offset, 2)) / np.tile(scale, 2), 0, [width, height] * 2)
        one = {"name": words["names"][label], "score": float(scores[row]), "box": box, "mask": mask}
        found.append(one)
    return found


def main() -> None:
    """Find, draw and save."""
    model, source, target = sys.argv[1:4]
    image = np.asarray(Image.open(source).convert("RGB"))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    picture = image.copy()
    found = detect(session, image)
    for one in found:
        if one["mask"] is not None:
            picture[one["mask"]] = picture[one["mask"]] // 2 + np.array([0, 90, 40], np.uint8)
    drawn = Image.fromarray(picture)
    for one in found:
        ImageDraw.Draw(drawn).rectangle(one["box"].tolist(), outline=(0, 200, 80), width=2)
        print(f"{one['name']} {one['score']:.2f} {one['box'].round(1).tolist()}")
    drawn.save(target)


if __name__ == "__main__":
    main()
