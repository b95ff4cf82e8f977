"""The built-in data set: drawn once, then read like any other COCO data set."""

from __future__ import annotations

import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.random import Generator, Philox
from pycocotools import mask as coco_mask

from yolor_gp.config.data_config import ShapesConfig, Split
from yolor_gp.data.labels.file_lock import file_lock
from yolor_gp.data.shapes.outlines import SHAPES
from yolor_gp.data.shapes.scene import DRAWING, Scene, draw_scene
from yolor_gp.errors import UserError
from yolor_gp.files import write_json, write_text

_PART = 250
"""Images drawn between two points from which drawing goes on after an interruption."""

_JPEG_QUALITY = 95


def draw_shapes(root: Path, split: Split, config: ShapesConfig) -> tuple[Path, Path]:
    """The COCO JSON and the image folder of a split; drawn into `root` unless they are there.

    A fingerprint of the settings lies beside the JSON, so that changed settings are noticed and the
    split is drawn again. Interrupted drawing goes on where it stopped. Of several processes that
    ask at once one draws.

    Raises:
        UserError: When `root` cannot be written.
    """
    file, folder = root / "annotations" / f"{split}.json", root / "images" / split
    fingerprint = _fingerprint(split, config)
    if _is_drawn(file, fingerprint):
        return file, folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.parent.mkdir(exist_ok=True)
        with file_lock(root / f"{split}.lock"):
            if not _is_drawn(file, fingerprint):
                _draw_all(file, folder, split, config, fingerprint)
    except OSError as error:
        raise UserError(
            f"{root}: the built-in shapes cannot be written there ({error.strerror or error});"
            " choose another directory"
        ) from None
    return file, folder


def _draw_all(
    file: Path, folder: Path, split: Split, config: ShapesConfig, fingerprint: str
) -> None:
    file.unlink(missing_ok=True)  # from here on its pictures change
    count = config.train if split == "train" else config.val
    parts = [
        (
            file.parent / f"{split}-{fingerprint}-{first}.part.json",
            range(first, min(first + _PART, count)),
        )
        for first in range(0, count, _PART)
    ]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for part, numbers in parts:
            if not part.is_file():
                rows = pool.map(lambda number: _draw_one(folder, split, config, number), numbers)
                write_json(part, list(rows))
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for part, _ in parts:
        for image, objects in json.loads(part.read_text()):
            images.append(image)
            for item in objects:
                annotations.append({"id": len(annotations) + 1, **item})
    known = {image["file_name"] for image in images}
    for old in folder.glob("*.jpg"):
        if old.name not in known:
            old.unlink()
    content = {
        "info": {"description": "shapes drawn by yolor_gp", "fingerprint": fingerprint},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": k, "name": name} for k, name in enumerate(SHAPES, start=1)],
    }
    write_json(file, content)
    write_text(_mark(file), fingerprint)
    for old in file.parent.glob(f"{split}-*.part.json"):
        old.unlink()


def _draw_one(
    folder: Path, split: Split, config: ShapesConfig, number: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw and write one image; its COCO image and annotations (without ids)."""
    stream = number + (0 if split == "train" else 2**40)
    generator = Generator(Philox(key=np.array((config.seed, stream), np.uint64)))
    scene = draw_scene(generator, config.size, min(config.max_objects, 255))
    name = f"{number:07d}.jpg"
    bgr = cv2.cvtColor(scene.image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY))
    (folder / name).write_bytes(data.tobytes())
    image = {
        "id": number + 1,
        "file_name": name,
        "height": config.size,
        "width": config.size,
    }
    return image, _annotations(scene, number + 1)


def _annotations(scene: Scene, image_id: int) -> list[dict[str, Any]]:
    rows = []
    for number, label in enumerate(scene.labels, start=1):
        mask = (scene.owners == number).astype(np.uint8)
        if not mask.any():
            continue
        runs = coco_mask.encode(np.asfortranarray(mask))
        rows.append(
            {
                "image_id": image_id,
                "category_id": label + 1,
                "bbox": coco_mask.toBbox(runs).tolist(),
                "area": int(coco_mask.area(runs)),
                "iscrowd": 0,
                "segmentation": {"size": list(mask.shape), "counts": runs["counts"].decode()},
            }
        )
    return rows


def _fingerprint(split: Split, config: ShapesConfig) -> str:
    count = config.train if split == "train" else config.val
    settings = (DRAWING, split, count, config.size, config.max_objects, config.seed)
    return hashlib.sha256(repr(settings).encode()).hexdigest()[:16]


def _mark(file: Path) -> Path:
    return file.with_suffix(".fingerprint")


def _is_drawn(file: Path, fingerprint: str) -> bool:
    mark = _mark(file)
    return file.is_file() and mark.is_file() and mark.read_text() == fingerprint
