"""A made-up COCO truth and detections for it, of any size."""

from __future__ import annotations

from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from benchmarks.inputs import NATIVE, NUM_CLASSES, Array
from yolor_gp.evaluation.coco_format import ImageResult

_TRUE_OBJECTS = 7
"""An image of COCO has 7.3 objects."""

_CORNERS = 24


def truth_and_results(
    images: int, detections: int, *, with_masks: bool, classes: int = NUM_CLASSES, seed: int = 0
) -> tuple[dict[str, Any], list[ImageResult]]:
    """A COCO dictionary of `images` and `detections` an image.

    Every object is found about twice, by boxes that are a little off; the rest hits nothing.
    """
    random = np.random.default_rng(seed)
    annotations: list[dict[str, Any]] = []
    results = []
    for image_id in range(1, images + 1):
        boxes, labels = _boxes(random, _TRUE_OBJECTS), random.integers(0, classes, _TRUE_OBJECTS)
        for box, label, ring in zip(boxes, labels.tolist(), _rings(boxes, random), strict=True):
            annotations.append(
                {
                    "id": len(annotations) + 1, "image_id": image_id, "category_id": label + 1,
                    "bbox": box.tolist(), "area": float(box[2] * box[3] * 0.7), "iscrowd": 0,
                    "segmentation": [ring],
                }
            )  # fmt: skip
        results.append(_found(image_id, boxes, labels, detections, classes, with_masks, random))
    height, width = NATIVE
    return {
        "images": [
            {"id": image_id, "height": height, "width": width, "file_name": f"{image_id}.jpg"}
            for image_id in range(1, images + 1)
        ],
        "annotations": annotations,
        "categories": [{"id": label + 1, "name": f"class {label}"} for label in range(classes)],
    }, results


def _boxes(random: np.random.Generator, count: int) -> Array:
    """f64[count, 4] left, top, width, height."""
    height, width = NATIVE
    size = np.exp(random.normal(4, 0.9, (count, 2))).clip(8, (width * 0.8, height * 0.8))
    corner = random.uniform(0, 1, (count, 2)) * ((width, height) - size)
    return np.concatenate((corner, size), axis=1).round(2)


def _rings(boxes: Array, random: np.random.Generator) -> list[list[float]]:
    """A wobbly ellipse in each box: x, y, x, y, ..."""
    angle = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    radius = random.uniform(0.35, 0.5, (len(boxes), _CORNERS))
    x = boxes[:, :1] + boxes[:, 2:3] * (0.5 + radius * np.cos(angle))
    y = boxes[:, 1:2] + boxes[:, 3:4] * (0.5 + radius * np.sin(angle))
    rings: list[list[float]] = np.stack((x, y), axis=2).reshape(len(boxes), -1).round(2).tolist()
    return rings


def _found(
    image_id: int,
    boxes: Array,
    labels: Array,
    count: int,
    classes: int,
    with_masks: bool,
    random: np.random.Generator,
) -> ImageResult:
    near = np.repeat(np.arange(len(boxes)), 2)
    close = boxes[near] + random.normal(0, 0.06, (len(near), 4)) * boxes[near][:, [2, 3, 2, 3]]
    found = np.concatenate((close, _boxes(random, count - len(near))))
    limits = (NATIVE[1] - 2, NATIVE[0] - 2)
    found[:, :2] = found[:, :2].clip(0, limits)
    found[:, 2:] = found[:, 2:].clip(1, np.array(NATIVE[::-1]) - found[:, :2])
    counts = None
    if with_masks:
        codes = coco_mask.frPyObjects(_rings(found, random), *NATIVE)
        counts = tuple(code["counts"] for code in codes)
    found_labels = np.concatenate((labels[near], random.integers(0, classes, count - len(near))))
    return ImageResult(
        image_id=image_id,
        boxes=found.round(3),
        scores=random.uniform(0.001, 1, count).astype(np.float32),
        labels=found_labels.astype(np.int64),
        size=NATIVE,
        counts=counts,
    )
