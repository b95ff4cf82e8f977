"""Detections as YOLO label files: one line an object, coordinates relative to the image."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from yolor_gp.ops.boxes import xyxy_to_cxcywh
from yolor_gp.structures.detections import BoxMasks, Detections


def write_detection_txt(path: Path, detections: Detections, *, with_score: bool = False) -> None:
    """Write `class cx cy w h` per detection, or `class x y x y ...` where it has a mask.

    A polygon is the outline of the mask's largest part, as the format knows no other; a mask of
    fewer than three points falls back to its box. `with_score` appends the score to every line.
    """
    height, width = detections.image_size
    centred = xyxy_to_cxcywh(detections.boxes).double().numpy() / [width, height, width, height]
    lines = []
    for index, label in enumerate(detections.labels.tolist()):
        outline = _outline(detections, index)
        numbers = centred[index] if outline is None else (outline / [width, height]).ravel()
        words = [str(label), *(f"{number:.6f}" for number in np.clip(numbers, 0, 1))]
        if with_score:
            words.append(f"{float(detections.scores[index]):.5f}")
        lines.append(" ".join(words) + "\n")
    path.write_text("".join(lines), encoding="utf-8")


def _outline(detections: Detections, index: int) -> NDArray[np.float64] | None:
    """f64[K, 2] x, y in pixels of the image; None without a mask."""
    if not isinstance(detections.masks, BoxMasks):
        return None
    bitmap = np.ascontiguousarray(detections.masks.bitmap(index)).view(np.uint8)
    contours, _ = cv2.findContours(bitmap, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or len(largest) < 3:
        return None
    # Contours run through pixel centres.
    left, top = detections.masks.windows[index, :2].tolist()
    return np.asarray(largest[:, 0] + [left + 0.5, top + 0.5], dtype=np.float64)
