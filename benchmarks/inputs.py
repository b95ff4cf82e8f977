"""Made-up inputs with the statistics of real ones: candidates, detections, prototypes, truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

NUM_CLASSES = 80
NUM_COEFFICIENTS = 32
FRAME = 640
NATIVE = (480, 640)
"""Height and width of COCO's most frequent picture."""


@dataclass(frozen=True)
class Candidates:
    """What a network sees in one 640 x 640 input, above the confidence threshold.

    boxes: f32[R, 4] xyxy; objectness: f32[R]; classes: f32[R, 80]; coefficients: f32[R, 32].
    """

    boxes: Array
    objectness: Array
    classes: Array
    coefficients: Array


def candidates(rows: int = 2000, objects: int = 150, labels: int = 3, seed: int = 0) -> Candidates:
    """`rows` boxes around `objects`, each with `labels` classes above 0.001."""
    random = np.random.default_rng(seed)
    which = np.arange(rows) % objects
    centre = random.uniform(40, FRAME - 40, (objects, 2))[which]
    size = np.exp(random.normal(4.3, 0.7, (objects, 2)))[which]
    centre = centre + random.normal(0, 0.12, (rows, 2)) * size
    size = size * np.exp(random.normal(0, 0.12, (rows, 2)))
    boxes = np.concatenate((centre - size / 2, centre + size / 2), axis=1).clip(0, FRAME)
    classes = random.uniform(0, 1e-4, (rows, NUM_CLASSES))
    chosen = np.stack([random.permutation(NUM_CLASSES)[:labels] for _ in range(objects)])[which]
    np.put_along_axis(classes, chosen, random.uniform(0.1, 1, (rows, labels)), axis=1)
    return Candidates(
        boxes=boxes.astype(np.float32),
        objectness=random.uniform(0.05, 0.95, rows).astype(np.float32),
        classes=classes.astype(np.float32),
        coefficients=random.normal(0, 1, (rows, NUM_COEFFICIENTS)).astype(np.float32),
    )


def prototypes(seed: int = 0, side: int = FRAME // 4) -> Array:
    """f32[32, side, side]: smooth, as those of a trained network are."""
    random = np.random.default_rng(seed)
    coarse = random.normal(0, 1, (NUM_COEFFICIENTS, side // 8, side // 8)).astype(np.float32)
    return np.stack([cv2.resize(plane, (side, side)) for plane in coarse])


@dataclass(frozen=True)
class Instances:
    """Detections of one image of `size` (height, width).

    boxes: f32[N, 4] xyxy; scores: f32[N]; labels: i64[N]; coefficients: f32[N, 32].
    """

    size: tuple[int, int]
    boxes: Array
    scores: Array
    labels: Array
    coefficients: Array


def instances(count: int = 300, size: tuple[int, int] = NATIVE, seed: int = 0) -> Instances:
    """Boxes that cover a tenth of the frame on average, as a network's on COCO do."""
    random = np.random.default_rng(seed)
    height, width = size
    share = random.beta(0.5, 4.0, count)[:, None]
    aspect = np.exp(random.normal(0, 0.4, (count, 1)))
    extent = np.sqrt(share) * np.concatenate((aspect * width, height / aspect), axis=1)
    extent = extent.clip(4, (width - 1, height - 1))
    corner = random.uniform(0, 1, (count, 2)) * ((width, height) - extent)
    return Instances(
        size=size,
        boxes=np.concatenate((corner, corner + extent), axis=1).astype(np.float32),
        scores=np.sort(random.uniform(0.001, 1, count).astype(np.float32))[::-1].copy(),
        labels=random.integers(0, NUM_CLASSES, count),
        coefficients=random.normal(0, 1, (count, NUM_COEFFICIENTS)).astype(np.float32),
    )
