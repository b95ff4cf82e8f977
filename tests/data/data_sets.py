"""Painted pictures with COCO labels of every kind, made for the tests of this room."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import default_rng
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from yolor_gp.data.detection_dataset import DetectionDataset
from yolor_gp.data.labels.coco_dataset import coco_truth, open_coco
from yolor_gp.ops.image_size import AnySize

COLOURS = np.array([(250, 20, 20), (20, 250, 20), (40, 40, 250), (250, 250, 20)], np.uint8)
"""Of bar (polygon), triangle (polygon), ring (run lengths), pair (two polygons)."""

NAMES = ("bar", "triangle", "ring", "pair")
CATEGORY_IDS = (3, 7, 20, 41)


class Painted:
    """`count` pictures of different sizes, written as PNG with a COCO JSON."""

    def __init__(self, root: Path, count: int = 12) -> None:
        self.root, self.file, self.images = root, root / "labels.json", root / "images"
        self.images.mkdir(parents=True)
        generator = default_rng(5)
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number in range(count):
            height, width = generator.integers(70, 129, 2).tolist()
            picture = np.zeros((height, width, 3), np.uint8)
            # One object in each quarter: they never touch.
            for label, corner in enumerate(generator.permutation(4)):
                x = (corner % 2) * width / 2 + generator.uniform(3, 8)
                y = (corner // 2) * height / 2 + generator.uniform(3, 8)
                item = _paint(picture, label, x, y, generator.uniform(18, 24))
                item |= {
                    "id": len(annotations) + 1,
                    "image_id": 100 + number,
                    "category_id": CATEGORY_IDS[label],
                    "iscrowd": 0,
                }
                annotations.append(item)
            name = f"{number:02d}.png"
            cv2.imwrite(str(self.images / name), picture[..., ::-1])
            images.append({"id": 100 + number, "file_name": name, "height": height, "width": width})
        categories = [
            {"id": key, "name": name} for key, name in zip(CATEGORY_IDS, NAMES, strict=True)
        ]
        self.content: dict[str, Any] = {
            "images": images,
            "annotations": annotations,
            "categories": categories[::-1],
        }
        self.write()

    def write(self) -> None:
        self.file.write_text(json.dumps(self.content))

    def open(self, image_size: AnySize = 128, cache: str = "none") -> DetectionDataset:
        table, fingerprint = open_coco(self.file, self.images)
        return DetectionDataset(
            "painted",
            table,
            fingerprint,
            lambda: coco_truth(self.file),
            image_size=image_size,
            cache=cache,  # type: ignore[arg-type]
        )


def _paint(
    picture: NDArray[np.uint8], label: int, x: float, y: float, size: float
) -> dict[str, Any]:
    """Paint an object; return its segmentation, box and area."""
    height, width = picture.shape[:2]
    rows, columns = np.mgrid[:height, :width] + 0.5
    u, v = columns - x, rows - y
    if label == 0:
        inside = (u >= 0) & (u <= size) & (v >= 0) & (v <= size / 2)
        polygons = [[x, y, x + size, y, x + size, y + size / 2, x, y + size / 2]]
    elif label == 1:
        inside = (u >= 0) & (v >= 0) & (u + v <= size)
        polygons = [[x, y, x + size, y, x, y + size]]
    elif label == 2:
        distance = np.hypot(u - size / 2, v - size / 2)
        inside = (distance <= size / 2) & (distance >= size / 4)
        polygons = None
    else:
        third = size / 3
        inside = (
            (v >= 0) & (v <= size) & (((u >= 0) & (u <= third)) | ((u >= 2 * third) & (u <= size)))
        )
        polygons = [
            [x + a, y, x + a + third, y, x + a + third, y + size, x + a, y + size]
            for a in (0, 2 * third)
        ]
    picture[inside] = COLOURS[label]
    runs = coco_mask.encode(np.asfortranarray(inside.astype(np.uint8)))
    segmentation: Any = polygons
    if polygons is None:
        segmentation = {"size": [height, width], "counts": runs["counts"].decode()}
    return {
        "segmentation": segmentation,
        "bbox": [x, y, size, size / 2 if label == 0 else size],
        "area": float(inside.sum()),
    }


def colour_classes(image: NDArray[np.uint8]) -> NDArray[np.int64]:
    """i64[H, W]: 0 where u8[H, W, 3] is dark or grey, label + 1 where it has a class's colour."""
    palette = np.concatenate(([[0, 0, 0], [114, 114, 114]], COLOURS)).astype(np.int64)
    distance = ((image[:, :, None].astype(np.int64) - palette) ** 2).sum(axis=-1)
    return np.maximum(distance.argmin(axis=-1) - 1, 0)
